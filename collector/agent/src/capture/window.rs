//! A window that slides over a byte stream: parsers see a slice, ask for more, and say what they used.

use std::io::{self, Read};

/// Bytes read at once. Large enough that a system call is nothing beside its copy, small enough to stay in a
/// core's second-level cache until the frames in it have been looked at: half a megabyte costs more per packet.
const CHUNK: usize = 128 << 10;

/// Largest record a window grows for. Wireshark and libpcap refuse larger ones too (MAX_BLOCK_SIZE is 16 MiB); a
/// length beyond it is damage, not data.
pub(super) const LARGEST: usize = 16 << 20;

/// The bytes between what was used and what was read.
pub(super) struct Window<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Offset of `start` in the (unpacked) stream.
    offset: u64,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, buffer: vec![0; CHUNK], start: 0, end: 0, offset: 0 }
    }

    /// What has been read and not used.
    pub(super) fn data(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Offset of `data` in the stream.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Marks `count` bytes as used.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Reads at least one more byte; `false` at the end of the stream or when `LARGEST` is in the window already.
    pub(super) fn more(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            if self.end > LARGEST {
                return Ok(false);
            }
            self.buffer.resize(self.end * 2, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Reads until `count` bytes are there or the stream ends.
    pub(super) fn fill_to(&mut self, count: usize) -> io::Result<()> {
        while self.end - self.start < count && self.more()? {}
        Ok(())
    }
}
