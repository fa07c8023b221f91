//! Records on their way out: a bounded queue that the packet path never waits for ([`queue`]), one writer thread
//! ([`writer`]) that turns records into JSON lines, and a destination ([`mod@file`] or standard output). Every record is
//! accounted for: made = written + dropped.

pub(crate) mod compress;
pub(crate) mod destination;
pub(crate) mod file;
pub(crate) mod queue;
pub(crate) mod writer;

use enigma_engine::{Record, RecordBatch};

/// Records that wait and are written together: enough that the queue's cost vanishes beside their own.
pub(crate) const BATCH: usize = 512;

/// An entry of the queue: at most [`ENTRY`] records. However many a pipeline puts out at once, the queue's length
/// bounds its memory.
pub(crate) type Batch = Vec<Record>;

/// Records of an entry at most: a batch is sent when it has reached [`BATCH`], and the packet that made it so may have put
/// out some more.
pub(crate) const ENTRY: usize = BATCH + BATCH / 8;

/// Moves all of `out` into batches and hands each to `push`, in order. `next` gives a batch to fill: an empty one, used
/// before where there is one.
pub(crate) fn split(out: &mut RecordBatch, next: impl Fn() -> Batch, mut push: impl FnMut(Batch)) {
    // The usual case: what was collected moves on with its memory, and used memory takes its place.
    if (1..=ENTRY).contains(&out.len()) {
        return push(out.replace(next()));
    }
    let mut records = out.drain().peekable();
    while records.peek().is_some() {
        let mut batch = next();
        batch.extend(records.by_ref().take(BATCH));
        push(batch);
    }
}

/// What has become of the records so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ExportStats {
    /// Lines handed to the operating system.
    pub(crate) written: u64,
    /// Their bytes.
    pub(crate) bytes: u64,
    /// Records in writes that failed.
    pub(crate) write_failed: u64,
    /// Records left when the write limit of a stop had passed.
    pub(crate) too_late: u64,
    /// Records written without who is behind their VNI, because the directory of sessions does not know it. 0 without
    /// a directory.
    pub(crate) unknown_sessions: u64,
    /// Files renamed because of size or age.
    pub(crate) rotated: u64,
}

impl ExportStats {
    /// Records that reached the writer but no file.
    pub(crate) fn dropped(&self) -> u64 {
        self.write_failed + self.too_late
    }
}
