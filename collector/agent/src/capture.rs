//! Capture files as a stream of frames: pcap and pcapng, plain, gzip or zstd, from a path or standard input.
//! Records are parsed by pcap-parser over one reused window of the file; nothing is kept, copied or allocated per
//! frame. Knows nothing about what is inside a frame.

mod open;
mod pcap;
mod pcapng;
#[cfg(test)]
mod tests;
mod window;

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use window::Window;

/// One captured frame, borrowed from the reader's window for the length of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    /// Nanoseconds since the epoch.
    pub(crate) at: i64,
    /// Link type by its number in the tcpdump.org registry (`LINKTYPE_*`).
    pub(crate) link: u16,
    /// The captured bytes.
    pub(crate) data: &'a [u8],
    /// Bytes the frame had on the wire; more than `data` where the capture was cut.
    pub(crate) wire_len: u32,
}

/// What a capture held beside its frames.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Frames handed out.
    pub(crate) frames: u64,
    /// Captured bytes handed out.
    pub(crate) bytes: u64,
    /// pcapng blocks that could not be read and were stepped over.
    pub(crate) damaged_blocks: u64,
}

/// Why a capture could not be read to its end. Frames before the fault have been handed out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CaptureError {
    #[error("cannot open {}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("{} is not a capture: it begins with {begin}, which is neither pcap nor pcapng (gzip and zstd are unpacked)", path.display())]
    NotACapture { path: PathBuf, begin: String },
    #[error("cannot read {} after {frames} frames", path.display())]
    Read { path: PathBuf, frames: u64, source: io::Error },
    #[error("{} ends in the middle of a record: {frames} frames read, {left} bytes left over", path.display())]
    Cut { path: PathBuf, frames: u64, left: usize },
    #[error("{} is damaged at byte {offset}: {what}; {frames} frames read before it", path.display())]
    Damaged { path: PathBuf, frames: u64, offset: u64, what: String },
}

/// A fault of the format readers, before the path is known.
enum Fault {
    Read(io::Error),
    Cut { left: usize },
    Damaged { offset: u64, what: String },
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Read(error)
    }
}

/// Hands every frame of the capture at `path` (`-`: standard input) to `each`, in file order, and adds to `summary`
/// as it goes, so that the counts are right when reading fails half way.
pub(crate) fn read(
    path: &Path,
    summary: &mut Summary,
    each: impl FnMut(Frame<'_>),
) -> Result<(), CaptureError> {
    let input = open::open(path).map_err(|source| CaptureError::Open { path: path.to_owned(), source })?;
    read_from(input, path, summary, each)
}

/// Bytes in memory, unpacked as those of a file; nothing where they do not begin as what they pretend to be.
pub(crate) fn unpacked(bytes: &[u8]) -> Box<dyn Read + '_> {
    open::unpack(Box::new(bytes)).unwrap_or_else(|_| Box::new(io::empty()))
}

/// As [`read`], from an open reader of unpacked bytes; `path` is only named in errors.
pub(crate) fn read_from(
    input: impl Read,
    path: &Path,
    summary: &mut Summary,
    mut each: impl FnMut(Frame<'_>),
) -> Result<(), CaptureError> {
    let before = summary.frames;
    let mut window = Window::new(input);
    let mut counted = |frame: Frame<'_>| {
        summary.frames += 1;
        summary.bytes += frame.data.len() as u64;
        each(frame);
    };
    let mut damaged_blocks = 0;
    let result = match window.fill_to(24) {
        Err(error) => Err(Fault::Read(error)),
        Ok(()) => match window.data().first_chunk() {
            Some(&pcapng::MAGIC) => pcapng::read(&mut window, &mut damaged_blocks, &mut counted),
            Some(magic) if pcap::is_magic(*magic) => pcap::read(&mut window, &mut counted),
            _ => {
                let begin =
                    window.data().iter().take(8).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
                let begin = if begin.is_empty() { "no byte at all".to_owned() } else { begin.join(" ") };
                return Err(CaptureError::NotACapture { path: path.to_owned(), begin });
            }
        },
    };
    summary.damaged_blocks += damaged_blocks;
    let (path, frames) = (path.to_owned(), summary.frames - before);
    result.map_err(|fault| match fault {
        Fault::Read(source) => CaptureError::Read { path, frames, source },
        Fault::Cut { left } => CaptureError::Cut { path, frames, left },
        Fault::Damaged { offset, what } => CaptureError::Damaged { path, frames, offset, what },
    })
}
