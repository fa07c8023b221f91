//! What flows say: the first content of each direction, recognised by what it is and never by its port.
//!
//! A flow is `Waiting` until it sends content, `Open` while somebody still wants to see more of it, and `Done`
//! after that: state is freed at once, and packets of a flow that is done cost one comparison. Parsers see
//! in-order bytes and give back records; they know no sockets, no clock, and no ports but as hints.

mod certificate;
mod dhcp;
mod dns;
mod dtls;
mod fingerprint;
mod handshake;
mod http;
mod mime;
mod named;
pub(crate) mod names;
mod ntp;
mod quic;
mod service;
mod ssh;
mod ssl;
mod stream;
mod tcp;
mod udp;

use enigma_wire::{Packet, Transport};

pub(crate) use self::service::Service;
pub use self::service::Services;
use self::{certificate::Known, dhcp::Transactions};
use crate::{
    Record, RecordBatch, Stats, Timestamp,
    flow::{Flow, Kind, Mark},
    key::Side,
    record::{Head, Recorder},
};

/// Content kept for one direction until its parser has enough. Every hello, banner and header that is of
/// interest fits; what does not is given up and counted.
pub(crate) const BUDGET: usize = 8 << 10;

/// Packets of a connection whose beginning was not seen, and of which nothing is known, up to which segments are looked at
/// for one that begins a message. What was under way when it was first seen is over by then: with acknowledgements they
/// are some 370 KB. What is encrypted, or unknown, costs a few comparisons for each of them and nothing after.
const MAX_MIDDLE: u64 = 384;

/// What looking into a flow has brought so far. A flow has none before its first content and once it is decided.
#[derive(Debug)]
pub(crate) struct Inspection {
    content: Content,
    /// Memory it holds, as the inspector has counted it.
    bytes: usize,
}

#[derive(Debug)]
enum Content {
    Tcp(tcp::Conversation),
    Udp(udp::Exchange),
}

impl Content {
    /// `None` of flows whose content nobody reads.
    fn of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Tcp => Some(Self::Tcp(tcp::Conversation::default())),
            Kind::Udp => Some(Self::Udp(udp::Exchange::default())),
            _ => None,
        }
    }

    /// Memory it holds beside itself.
    fn bytes(&self) -> usize {
        match self {
            Self::Tcp(state) => state.bytes(),
            Self::Udp(state) => state.bytes(),
        }
    }
}

/// Whether more content is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Progress {
    More,
    /// Everything of interest has been seen, or it is not what it looked like.
    Done,
    /// What a connection is was not found, and its beginning was not seen.
    NotYet,
}

/// Where parsers leave what they found, and what they may know of the flow.
pub(crate) struct Sink<'a> {
    recorder: &'a Recorder,
    flow: &'a mut Flow,
    stats: &'a mut Stats,
    out: &'a mut RecordBatch,
    services: Services,
    memory: &'a mut Memory,
    /// Behind what a parser is shown something was cut off: waiting for more of it is in vain.
    is_cut: bool,
    /// What a parser is shown came in several segments.
    is_joined: bool,
    /// How far the sender of the packet has read what the other side sent, from where that is known up to; negative
    /// while it has read less. `None` while nothing is known of the other side, and for what is not TCP.
    acknowledged: Option<i32>,
    /// Number of the first byte that a parser is shown, in its direction of a TCP connection.
    position: u32,
    /// Number of the other direction's first byte that the sender of it had not read, if it said so.
    read_up_to: Option<u32>,
    /// Time of the packet that is looked at.
    pub(crate) at: Timestamp,
}

impl<'a> Sink<'a> {
    /// Nothing found yet, and nothing known of where the packet is in its direction.
    fn new(
        flow: &'a mut Flow,
        at: Timestamp,
        (recorder, stats, out): (&'a Recorder, &'a mut Stats, &'a mut RecordBatch),
        memory: &'a mut Memory,
    ) -> Self {
        let services = Services::of(flow.kind == Kind::Udp);
        Self {
            recorder,
            flow,
            stats,
            out,
            services,
            memory,
            is_cut: false,
            is_joined: false,
            acknowledged: None,
            position: 0,
            read_up_to: None,
            at,
        }
    }
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

    /// The other end is the originator after all.
    fn flip(&mut self) {
        self.flow.conn.flip();
    }

    /// Whether it is a TCP connection without a SYN.
    fn is_from_the_middle(&self) -> bool {
        self.flow.kind == Kind::Tcp && !self.flow.conn.has_syn()
    }

    /// Whether it is known what the flow is.
    fn is_recognised(&self) -> bool {
        [self.services, self.flow.services].iter().any(|services| services.names().next().is_some())
    }

    fn is_originator(&self, side: Side) -> bool {
        self.flow.conn.is_originator(side)
    }

    /// Zeek's `Direction`, of flows that cross the border of the local networks.
    fn direction(&self) -> Option<&'static str> {
        let nets = &self.recorder.local_nets;
        let is_local = |side: Side| nets.contains(self.flow.key.version(), self.flow.key.end(side).0);
        let originator = self.flow.conn.originator();
        match (is_local(originator), is_local(originator.other())) {
            _ if nets.is_empty() => None,
            (true, false) => Some("OUTBOUND"),
            (false, true) => Some("INBOUND"),
            _ => None,
        }
    }

    /// Whether its datagrams are addressed to `port`.
    fn is_udp_to(&self, port: u16) -> bool {
        self.flow.kind == Kind::Udp && self.port(self.flow.conn.originator().other()) == port
    }

    fn port(&self, side: Side) -> u16 {
        self.flow.key.end(side).1
    }
}

/// Looks into the flows of one pipeline, within a bound of memory.
pub(crate) struct Inspector {
    limit: usize,
    used: usize,
    memory: Memory,
}

/// What is remembered across flows, each within a bound of its own.
#[derive(Default)]
struct Memory {
    known: Known,
    transactions: Transactions,
}

impl Inspector {
    pub(crate) fn new(limit: usize) -> Self {
        Self { limit, used: 0, memory: Memory::default() }
    }

    /// Looks into a packet that `side` of `flow` sent and that has been counted in it. `first` is the number of the
    /// first byte that side of a TCP connection sent.
    #[inline]
    pub(crate) fn packet(
        &mut self,
        flow: &mut Flow,
        packet: &Packet<'_>,
        (side, first): (Side, u32),
        at: Timestamp,
        (recorder, stats, out): (&Recorder, &mut Stats, &mut RecordBatch),
    ) {
        if packet.payload.is_empty() || flow.is_decided() {
            return;
        }
        self.look(flow, packet, (side, first), at, (recorder, stats, out));
    }

    fn look(
        &mut self,
        flow: &mut Flow,
        packet: &Packet<'_>,
        (side, first): (Side, u32),
        at: Timestamp,
        (recorder, stats, out): (&Recorder, &mut Stats, &mut RecordBatch),
    ) {
        // A piece of a datagram is no message; whoever needs the others does not find them here.
        if packet.fragment.is_some() {
            return;
        }
        let mut kept = flow.l7.take();
        // In place: many flows are decided by their first content, and never need memory of their own.
        let mut begun = None;
        let content = match &mut kept {
            Some(state) => {
                self.used = self.used.saturating_sub(state.bytes);
                &mut state.content
            }
            None if self.limit == 0 => {
                stats.l7_refused += 1;
                flow.marks.set(Mark::Decided);
                return;
            }
            None if flow.marks.has(Mark::Middle) => {
                let Some((resumed, service)) = tcp::Conversation::resumed(packet.payload) else {
                    let packets = flow.counts.iter().map(|count| u64::from(count.packets)).sum::<u64>();
                    if packets > MAX_MIDDLE {
                        flow.marks.set(Mark::Decided);
                    }
                    return;
                };
                flow.services.insert(service);
                begun.insert(Content::Tcp(resumed))
            }
            None => {
                begun = Content::of(flow.kind);
                let Some(content) = &mut begun else {
                    flow.marks.set(Mark::Decided);
                    return;
                };
                content
            }
        };
        let mut sink = Sink::new(flow, at, (recorder, &mut *stats, &mut *out), &mut self.memory);
        let progress = match (&mut *content, &packet.transport) {
            (Content::Tcp(state), Transport::Tcp(tcp)) => state.segment(side, first, tcp, packet, &mut sink),
            (Content::Udp(state), Transport::Udp(udp)) => {
                let is_whole = packet.payload.len() as u32 >= udp.payload_len;
                state.datagram(side, packet.payload, is_whole, &mut sink)
            }
            _ => Progress::Done,
        };
        let services = sink.services;
        flow.services.add(services);
        match progress {
            Progress::More => {}
            Progress::Done => return flow.marks.set(Mark::Decided),
            // What comes later may be known: connections are kept for hours, and a collector begins at any time.
            Progress::NotYet => {
                flow.marks.set(Mark::Middle);
                return self.look(flow, packet, (side, first), at, (recorder, stats, out));
            }
        }
        let bytes = size_of::<Inspection>() + content.bytes();
        self.used += bytes;
        if let Some(state) = &mut kept {
            state.bytes = bytes;
        }
        flow.l7 = kept.or_else(|| begun.map(|content| Box::new(Inspection { content, bytes })));
    }

    /// Whether more is remembered than may be: somebody has to give way.
    #[inline]
    pub(crate) const fn is_over(&self) -> bool {
        self.used > self.limit
    }

    /// Puts out what is known of a flow, and looks no further.
    pub(crate) fn give_up(
        &mut self,
        flow: &mut Flow,
        (recorder, stats, out): (&Recorder, &mut Stats, &mut RecordBatch),
    ) {
        flow.marks.set(Mark::Decided);
        if flow.l7.is_some() {
            stats.l7_lost += 1;
            if let Some(Inspection { content: Content::Tcp(state), .. }) = flow.l7.as_deref_mut() {
                state.lost();
            }
            self.finish(flow, (recorder, stats, out));
        }
    }

    /// Puts out what is left of a flow that ends.
    pub(crate) fn finish(
        &mut self,
        flow: &mut Flow,
        (recorder, stats, out): (&Recorder, &mut Stats, &mut RecordBatch),
    ) {
        let Some(mut state) = flow.l7.take() else { return };
        self.used = self.used.saturating_sub(state.bytes);
        let at = flow.conn.last;
        let mut sink = Sink::new(flow, at, (recorder, stats, out), &mut self.memory);
        match &mut state.content {
            Content::Tcp(state) => state.finish(&mut sink),
            Content::Udp(state) => state.finish(&mut sink),
        }
        let services = sink.services;
        flow.services.add(services);
    }
}

#[cfg(test)]
mod tests;
