//! What a pipeline puts out: records by stream, in Zeek's vocabulary.
//!
//! Making a record copies numbers and nothing else; text (addresses, identifiers, JSON) is made when it is
//! written, on the writer's thread.

mod conn;
mod json;

pub(crate) use conn::Recorder;
pub use conn::{ConnRecord, ConnState, End, Proto};

/// A log stream; each is a file, table or topic of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stream {
    /// One record a flow.
    Conn,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 1] = [Self::Conn];

    /// Zeek's name of the stream, as in `conn.log`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conn => "conn",
        }
    }
}

/// One record of any stream.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A flow that ended, went silent, was evicted or flushed.
    Conn(ConnRecord),
}

impl Record {
    /// The stream it belongs to.
    pub const fn stream(&self) -> Stream {
        match self {
            Self::Conn(_) => Stream::Conn,
        }
    }

    /// Appends the record as one JSON object, without a line end. Field names, order and units are Zeek's;
    /// fields without a value are left out; ours begin with `enigma.`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Conn(conn) => conn.write_json(out),
        }
    }
}

/// Records made since the batch was last emptied, in the order they were made.
///
/// Keep one per pipeline and empty it with [`RecordBatch::drain`] or [`RecordBatch::take`]: its memory is
/// reused. It grows by what one call puts out, which is bounded by the flows in the table.
#[derive(Clone, Debug, Default)]
pub struct RecordBatch {
    records: Vec<Record>,
}

impl RecordBatch {
    /// An empty batch.
    pub const fn new() -> Self {
        Self { records: Vec::new() }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records.
    pub fn iter(&self) -> core::slice::Iter<'_, Record> {
        self.records.iter()
    }

    /// Takes all records out and keeps the memory.
    pub fn drain(&mut self) -> std::vec::Drain<'_, Record> {
        self.records.drain(..)
    }

    /// Takes all records and the memory, to send them elsewhere.
    pub fn take(&mut self) -> Vec<Record> {
        core::mem::take(&mut self.records)
    }

    pub(crate) fn push(&mut self, record: Record) {
        self.records.push(record);
    }
}

impl<'a> IntoIterator for &'a RecordBatch {
    type Item = &'a Record;
    type IntoIter = core::slice::Iter<'a, Record>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
