//! The writer thread: takes batches of records from the queue, renders them as JSON lines and hands whole blocks of
//! lines to the destination. Rendering happens here and not in the workers, which are on the packet path.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::destination::{Destination, WriteError};
use super::queue::Inbox;
use super::{Batch, ExportStats};
use crate::board::Board;
use crate::directory::poll::Shelf;
use crossbeam_channel::RecvTimeoutError;

/// Rendered bytes of one stream that are written with one call. Large enough that the call is nothing beside the
/// rendering, small enough to stay in the second-level cache.
const BLOCK: usize = 256 << 10;

/// Least time between two messages about failing writes: a full disk is one fact, not one for each block.
const COMPLAINT_PAUSE: Duration = Duration::from_secs(60);

/// The writer before it runs.
pub(crate) struct Writer {
    pub(crate) inbox: Inbox<Batch>,
    pub(crate) destination: Destination,
    pub(crate) flush_interval: Duration,
    pub(crate) board: Arc<Board>,
    /// Who is behind a VNI.
    pub(crate) shelf: Arc<Shelf>,
}

/// Lines of one stream that have been rendered and not written.
struct Pending {
    stream: &'static str,
    lines: Vec<u8>,
    records: u64,
}

struct Output {
    destination: Destination,
    pending: Vec<Pending>,
    stats: ExportStats,
    complained: Option<Instant>,
    shelf: Arc<Shelf>,
}

impl Writer {
    /// Writes until every outbox is gone and the queue is empty, or until the write limit of a stop. Returns the
    /// final counters.
    pub(crate) fn run(self) -> ExportStats {
        let Self { inbox, destination, flush_interval, board, shelf } = self;
        let mut output = Output {
            destination,
            pending: Vec::new(),
            stats: ExportStats::default(),
            complained: None,
            shelf,
        };
        let mut flush_at = Instant::now() + flush_interval;
        loop {
            let wait = flush_at.saturating_duration_since(Instant::now());
            match inbox.receiver.recv_timeout(wait) {
                Ok(mut batch) => {
                    if board.write_until().is_some_and(|until| Instant::now() >= until) {
                        output.stats.too_late += batch.len() as u64;
                    } else {
                        output.render(&batch);
                    }
                    batch.clear();
                    inbox.recycle(batch);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if Instant::now() >= flush_at {
                output.flush();
                output.tick();
                flush_at = Instant::now() + flush_interval;
            }
            board.export.publish(output.stats);
        }
        output.flush();
        board.export.publish_last(output.stats);
        output.stats
    }
}

impl Output {
    fn render(&mut self, batch: &Batch) {
        // One directory for the whole batch.
        let directory = self.shelf.current();
        for record in batch.iter() {
            let stream = record.stream().name();
            let index = match self.pending.iter().position(|pending| pending.stream == stream) {
                Some(index) => index,
                None => {
                    self.pending.push(Pending {
                        stream,
                        lines: Vec::with_capacity(BLOCK + 4096),
                        records: 0,
                    });
                    self.pending.len() - 1
                }
            };
            let pending = &mut self.pending[index];
            let begin = pending.lines.len();
            if self.destination.is_shared() {
                pending.lines.extend_from_slice(b"{\"_path\":\"");
                pending.lines.extend_from_slice(stream.as_bytes());
                pending.lines.push(b'"');
            }
            let record_at = pending.lines.len();
            record.write_json(&mut pending.lines);
            if record_at > begin {
                // The record goes on where the name ended: its opening brace becomes the comma between them.
                pending.lines[record_at] = b',';
            }
            if let (Some(directory), Some(vantage)) = (directory.as_ref(), record.vantage()) {
                self.stats.unknown_sessions += u64::from(!directory.enrich(vantage, &mut pending.lines));
            }
            pending.lines.push(b'\n');
            pending.records += 1;
            if pending.lines.len() >= BLOCK {
                self.write(index);
            }
        }
    }

    fn flush(&mut self) {
        for index in 0..self.pending.len() {
            self.write(index);
        }
    }

    fn write(&mut self, index: usize) {
        let Pending { stream, lines, records } = &mut self.pending[index];
        if *records == 0 {
            return;
        }
        let result = self.destination.write(stream, lines, SystemTime::now());
        match &result {
            Ok(()) => {
                self.stats.written += *records;
                self.stats.bytes += lines.len() as u64;
            }
            Err(_) => self.stats.write_failed += *records,
        }
        lines.clear();
        *records = 0;
        if let Err(error) = result {
            self.complain("records are not being written, and are counted as dropped", &error);
        }
        self.tick();
    }

    fn tick(&mut self) {
        match self.destination.tick(SystemTime::now()) {
            Ok(rotated) => self.stats.rotated += rotated,
            Err(error) => self.complain(
                "a record file could not be rotated; records go on into the one that is there, and it is tried again",
                &error,
            ),
        }
    }

    fn complain(&mut self, what: &str, error: &WriteError) {
        if self.complained.is_none_or(|at| at.elapsed() >= COMPLAINT_PAUSE) {
            self.complained = Some(Instant::now());
            tracing::error!(lost = self.stats.write_failed, "{what}: {}", crate::report::chain(error));
        }
    }
}
