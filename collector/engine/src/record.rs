//! What a pipeline puts out: records by stream, in Zeek's vocabulary.
//!
//! Making a `conn` record copies numbers and nothing else; text (addresses, identifiers, JSON) is made when it is
//! written, on the writer's thread. Records of protocols are boxed: they are larger, own what was said, and are few.

mod conn;
mod dns;
mod head;
mod json;
mod tunnel;

pub(crate) use conn::Recorder;
pub use conn::{ConnRecord, ConnState, End, Part, Proto};
pub use dns::{DnsAnswer, DnsQuestion, DnsRecord};
pub use head::Head;
pub use tunnel::{TunnelAction, TunnelRecord};

/// A log stream; each is a file, table or topic of its own.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stream {
    /// One record a flow.
    Conn,
    /// One record a query, with its answer.
    Dns,
    /// Two records a tunnel.
    Tunnel,
}

impl Stream {
    /// Every stream.
    pub const ALL: [Self; 3] = [Self::Conn, Self::Dns, Self::Tunnel];

    /// Zeek's name of the stream, as in `conn.log`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conn => "conn",
            Self::Dns => "dns",
            Self::Tunnel => "tunnel",
        }
    }
}

/// One record of any stream.
// The frequent kind is not worth an allocation each; the others are.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// A flow that ended, went silent, was evicted or flushed.
    Conn(ConnRecord),
    /// A DNS query, answered or not.
    Dns(Box<DnsRecord>),
    /// A tunnel.
    Tunnel(Box<TunnelRecord>),
}

impl Record {
    /// The flow's record, if it is one.
    pub const fn as_conn(&self) -> Option<&ConnRecord> {
        match self {
            Self::Conn(conn) => Some(conn),
            _ => None,
        }
    }

    /// The stream it belongs to.
    pub const fn stream(&self) -> Stream {
        match self {
            Self::Conn(_) => Stream::Conn,
            Self::Dns(_) => Stream::Dns,
            Self::Tunnel(_) => Stream::Tunnel,
        }
    }

    /// Appends the record as one JSON object, without a line end. Field names, order and units are Zeek's;
    /// fields without a value are left out; ours begin with `enigma.`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Conn(conn) => conn.write_json(out),
            Self::Dns(dns) => dns.write_json(out),
            Self::Tunnel(tunnel) => tunnel.write_json(out),
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
