//! Records on their way out: a bounded queue that the packet path never waits for ([`queue`]), one writer thread
//! ([`writer`]) that turns records into JSON lines, and a destination ([`file`] or standard output). Every record is
//! accounted for: made = written + dropped.

pub(crate) mod destination;
pub(crate) mod file;
pub(crate) mod queue;
pub(crate) mod writer;

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
    /// Files renamed because of size or age.
    pub(crate) rotated: u64,
}

impl ExportStats {
    /// Records that reached the writer but no file.
    pub(crate) fn dropped(&self) -> u64 {
        self.write_failed + self.too_late
    }
}
