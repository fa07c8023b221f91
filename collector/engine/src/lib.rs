#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

mod community_id;
mod config;
mod conn;
mod duplicates;
mod extra;
mod flow;
mod fragments;
mod history;
mod icmp;
mod key;
mod l7;
mod local;
mod pipeline;
mod ports;
mod record;
mod slab;
mod stats;
mod table;
mod tcp;
mod time;
mod top;
mod uid;
mod vantage;
mod wheel;

pub use config::{Admission, EngineConfig, Timeouts};
pub use duplicates::Duplicates;
pub use enigma_wire::{LinkType, TunnelKind, Vni};
pub use history::History;
pub use l7::Services;
pub use local::LocalNets;
pub use pipeline::{Datagram, FrameMode, Pipeline};
pub use record::{
    ConnRecord, ConnState, DhcpRecord, DnsAnswer, DnsQuestion, DnsRecord, End, Head, HttpBody, HttpRecord,
    NtpRecord, Part, Proto, QuicRecord, Record, RecordBatch, SshRecord, SslRecord, Stream, TunnelAction,
    TunnelRecord, X509Record,
};
pub use stats::{DropReason, Stats};
pub use time::Timestamp;
pub use top::{FlowView, TopFlows};
pub use uid::Uid;
pub use vantage::{Vantage, VantageBudget};
