//! What flows say: the first content of each direction, recognised by what it is and never by its port.
//!
//! A flow is `Waiting` until it sends content, `Open` while somebody still wants to see more of it, and `Done`
//! after that: state is freed at once, and packets of a flow that is done cost one comparison. Parsers see
//! in-order bytes and give back records; they know no sockets, no clock, and no ports but as hints.

mod dns;
pub(crate) mod names;
mod stream;
mod tcp;
mod udp;

use enigma_wire::{Packet, Transport};

use crate::{
    Record, RecordBatch, Stats, Timestamp,
    flow::{Body, Flow},
    key::Side,
    record::{Head, Recorder},
};

/// Content kept for one direction until its parser has enough. Every hello, banner and header that is of
/// interest fits; what does not is given up and counted.
pub(crate) const BUDGET: usize = 8 << 10;

/// A protocol that was recognised in a flow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Service {
    Dns = 1,
}

/// What was recognised in a flow: a set, because one protocol may carry another.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Services(u8);

impl Services {
    const ALL: [(Service, &'static str); 1] = [(Service::Dns, "dns")];

    pub(crate) fn insert(&mut self, service: Service) {
        self.0 |= service as u8;
    }

    /// Zeek's names of them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().filter(move |(service, _)| self.0 & *service as u8 != 0).map(|(_, name)| name)
    }
}

/// How far looking into a flow has come.
#[derive(Clone, Debug, Default)]
pub(crate) enum Inspection {
    /// No content yet.
    #[default]
    Waiting,
    Tcp(Box<tcp::Conversation>),
    Udp(Box<udp::Exchange>),
    /// Decided: nothing more is looked at.
    Done,
}

impl Inspection {
    /// Memory it holds.
    fn bytes(&self) -> usize {
        match self {
            Self::Waiting | Self::Done => 0,
            Self::Tcp(state) => size_of::<tcp::Conversation>() + state.bytes(),
            Self::Udp(state) => size_of::<udp::Exchange>() + state.bytes(),
        }
    }
}

/// Whether more content is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    More,
    /// Everything of interest has been seen, or it is not what it looked like.
    Done,
}

/// Where parsers leave what they found, and what they may know of the flow.
pub(crate) struct Sink<'a> {
    recorder: &'a Recorder,
    flow: &'a Flow,
    stats: &'a mut Stats,
    out: &'a mut RecordBatch,
    services: Services,
    /// Time of the packet that is looked at.
    pub(crate) at: Timestamp,
}

impl Sink<'_> {
    /// The flow as a record that began at `ts` names it.
    pub(crate) fn head(&self, ts: Timestamp) -> Head {
        self.recorder.head(self.flow, ts)
    }

    pub(crate) fn push(&mut self, record: Record) {
        self.stats.records += 1;
        self.out.push(record);
    }

    pub(crate) fn confirm(&mut self, service: Service) {
        self.services.insert(service);
    }

    fn port(&self, side: Side) -> u16 {
        self.flow.key.end(side).1
    }
}

/// Looks into the flows of one pipeline, within a bound of memory.
pub(crate) struct Inspector {
    limit: usize,
    used: usize,
}

impl Inspector {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: 0 }
    }

    /// Looks into a packet that `side` of `flow` sent and that has been counted in it.
    #[inline]
    pub(crate) fn packet(
        &mut self,
        flow: &mut Flow,
        packet: &Packet<'_>,
        side: Side,
        at: Timestamp,
        (recorder, stats, out): (&Recorder, &mut Stats, &mut RecordBatch),
    ) {
        if packet.payload.is_empty() || matches!(flow.l7, Inspection::Done) {
            return;
        }
        self.look(flow, packet, side, at, (recorder, stats, out));
    }

    fn look(
        &mut self,
        flow: &mut Flow,
        packet: &Packet<'_>,
        side: Side,
        at: Timestamp,
        (recorder, stats, out): (&Recorder, &mut Stats, &mut RecordBatch),
    ) {
        // A piece of a datagram is no message; whoever needs the others does not find them here.
        if packet.fragment.is_some() {
            return;
        }
        let mut state = core::mem::replace(&mut flow.l7, Inspection::Done);
        self.used = self.used.saturating_sub(state.bytes());
        if matches!(state, Inspection::Waiting) {
            if self.used >= self.limit {
                stats.l7_refused += 1;
                return;
            }
            state = match packet.transport {
                Transport::Tcp(_) => Inspection::Tcp(Box::default()),
                Transport::Udp(_) => Inspection::Udp(Box::default()),
                _ => return,
            };
        }
        let mut sink = Sink { recorder, flow, stats, out, services: Services::default(), at };
        let progress = match (&mut state, &packet.transport, &sink.flow.body) {
            (Inspection::Tcp(state), Transport::Tcp(tcp), Body::Tcp(body)) => {
                let first = body.end(side).first_byte();
                state.segment(side, first, tcp, packet.payload, &mut sink)
            }
            (Inspection::Udp(state), Transport::Udp(udp), _) => {
                let is_whole = packet.payload.len() as u32 >= udp.payload_len;
                state.datagram(side, packet.payload, is_whole, &mut sink)
            }
            _ => Progress::Done,
        };
        let services = sink.services;
        flow.services.0 |= services.0;
        if progress == Progress::More {
            self.used += state.bytes();
            flow.l7 = state;
        }
    }

    /// Puts out what is left of a flow that ends.
    pub(crate) fn finish(
        &mut self,
        flow: &mut Flow,
        (recorder, stats, out): (&Recorder, &mut Stats, &mut RecordBatch),
    ) {
        let mut state = core::mem::replace(&mut flow.l7, Inspection::Done);
        self.used = self.used.saturating_sub(state.bytes());
        let at = flow.conn.last;
        let mut sink = Sink { recorder, flow, stats, out, services: Services::default(), at };
        match &mut state {
            Inspection::Tcp(state) => state.finish(&mut sink),
            Inspection::Udp(state) => state.finish(&mut sink),
            Inspection::Waiting | Inspection::Done => {}
        }
        let services = sink.services;
        flow.services.0 |= services.0;
    }
}
