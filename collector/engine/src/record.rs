//! What a pipeline puts out: records by stream, in Zeek's vocabulary.
//!
//! Making a `conn` record copies numbers and nothing else; text (addresses, identifiers, JSON) is made when it is
//! written, on the writer's thread. Records of protocols are boxed: they are larger, own what was said, and are few.

mod conn;
mod dhcp;
mod dns;
mod head;
mod http;
mod json;
mod ntp;
mod quic;
mod ssh;
mod ssl;
mod tunnel;
mod x509;

pub(crate) use conn::Recorder;
pub use conn::{ConnRecord, ConnState, End, Part, Proto};
pub use dhcp::DhcpRecord;
pub use dns::{DnsAnswer, DnsQuestion, DnsRecord};
pub use head::Head;
pub use http::{HttpBody, HttpRecord};
pub use ntp::NtpRecord;
pub use quic::QuicRecord;
pub use ssh::SshRecord;
pub use ssl::SslRecord;
pub use tunnel::{TunnelAction, TunnelRecord};
pub use x509::X509Record;

use crate::key::Vantage;

/// Defines streams once: variant, Zeek's name of the stream, and the type of its records.
macro_rules! streams {
    ($($(#[$doc:meta])* $variant:ident = $name:literal: $record:ident,)*) => {
        /// A log stream; each is a file, table or topic of its own.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum Stream {
            /// One record a flow.
            Conn,
            $($(#[$doc])* $variant,)*
        }

        impl Stream {
            /// Every stream.
            pub const ALL: [Self; 1 + [$(Self::$variant),*].len()] = [Self::Conn, $(Self::$variant),*];

            /// Zeek's name of the stream, as in `conn.log`.
            pub const fn name(self) -> &'static str {
                match self {
                    Self::Conn => "conn",
                    $(Self::$variant => $name,)*
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
            $($(#[$doc])* $variant(Box<$record>),)*
        }

        impl Record {
            /// The stream it belongs to.
            pub const fn stream(&self) -> Stream {
                match self {
                    Self::Conn(_) => Stream::Conn,
                    $(Self::$variant(_) => Stream::$variant,)*
                }
            }

            /// Appends the record as one JSON object, without a line end. Field names, order and units are Zeek's;
            /// fields without a value are left out; ours begin with `enigma.`.
            pub fn write_json(&self, out: &mut Vec<u8>) {
                match self {
                    Self::Conn(conn) => conn.write_json(out),
                    $(Self::$variant(record) => record.write_json(out),)*
                }
            }
        }
    };
}

streams! {
    /// One record a DHCP transaction.
    Dhcp = "dhcp": DhcpRecord,
    /// One record a DNS query, with its answer.
    Dns = "dns": DnsRecord,
    /// One record an HTTP request, with its response.
    Http = "http": HttpRecord,
    /// One record an NTP message.
    Ntp = "ntp": NtpRecord,
    /// One record the beginning of a QUIC connection.
    Quic = "quic": QuicRecord,
    /// One record an SSH connection.
    Ssh = "ssh": SshRecord,
    /// One record a TLS handshake, finished or not.
    Ssl = "ssl": SslRecord,
    /// Two records a tunnel: found, and ended.
    Tunnel = "tunnel": TunnelRecord,
    /// One record a certificate that was seen, once a day.
    X509 = "x509": X509Record,
}

impl Record {
    /// The flow's record, if it is one.
    pub const fn as_conn(&self) -> Option<&ConnRecord> {
        match self {
            Self::Conn(conn) => Some(conn),
            _ => None,
        }
    }

    /// From where what it tells was seen; `None` for packets that came without encapsulation.
    pub fn vantage(&self) -> Option<Vantage> {
        match self {
            Self::Conn(conn) => conn.vantage,
            Self::Dhcp(dhcp) => dhcp.vantage,
            Self::Dns(dns) => dns.head.vantage,
            Self::Ntp(ntp) => ntp.head.vantage,
            Self::Quic(quic) => quic.head.vantage,
            Self::Http(http) => http.head.vantage,
            Self::Ssh(ssh) => ssh.head.vantage,
            Self::Ssl(ssl) => ssl.head.vantage,
            Self::Tunnel(tunnel) => tunnel.head.vantage,
            Self::X509(certificate) => certificate.vantage,
        }
    }

    /// The same, to be changed: whoever joins or hides vantages.
    pub fn vantage_mut(&mut self) -> &mut Option<Vantage> {
        match self {
            Self::Conn(conn) => &mut conn.vantage,
            Self::Dhcp(dhcp) => &mut dhcp.vantage,
            Self::Dns(dns) => &mut dns.head.vantage,
            Self::Ntp(ntp) => &mut ntp.head.vantage,
            Self::Quic(quic) => &mut quic.head.vantage,
            Self::Http(http) => &mut http.head.vantage,
            Self::Ssh(ssh) => &mut ssh.head.vantage,
            Self::Ssl(ssl) => &mut ssl.head.vantage,
            Self::Tunnel(tunnel) => &mut tunnel.head.vantage,
            Self::X509(certificate) => &mut certificate.vantage,
        }
    }
}

/// Records made since the batch was last emptied, in the order they were made.
///
/// Keep one per pipeline and empty it with [`RecordBatch::drain`], [`RecordBatch::replace`] or [`RecordBatch::take`]:
/// its memory is reused. It grows by what one call puts out, which is bounded by the flows in the table.
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

    /// Takes all records with their memory and goes on with that of `empty`, so that two batches in turn allocate
    /// nothing. What `empty` holds is dropped.
    pub fn replace(&mut self, mut empty: Vec<Record>) -> Vec<Record> {
        empty.clear();
        core::mem::replace(&mut self.records, empty)
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
