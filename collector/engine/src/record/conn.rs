//! The `conn` record: one per flow, with Zeek's fields and their meaning.

use core::net::IpAddr;
use core::time::Duration;

use enigma_wire::{TunnelKind, Vlans, packet::ip_addr};

use crate::{
    History, Timestamp,
    community_id::{self, Ends},
    extra::Extra,
    flow::{Kind, Mark},
    key::{Side, Vantage},
    l7::Services,
    local::LocalNets,
    table::View,
    tcp::{State, TcpFlow},
    uid::Uid,
    vantage::Vantages,
};

/// Zeek's `proto`. Protocols it has no name for are `unknown_transport`; `ip_proto` has their number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proto {
    /// ICMP and ICMPv6.
    Icmp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Any other.
    UnknownTransport,
}

impl Proto {
    /// The value in a record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Icmp => "icmp",
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::UnknownTransport => "unknown_transport",
        }
    }
}

/// Zeek's `conn_state`: a flow's course in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ConnState {
    /// Neither beginning nor end was seen.
    Oth,
    /// The attempt was rejected.
    Rej,
    /// Established, then reset by the originator.
    Rsto,
    /// The originator's SYN and its reset, no answer.
    Rstos0,
    /// Established, then reset by the responder.
    Rstr,
    /// The responder's SYN-ACK and its reset, nothing from the originator.
    Rstrh,
    /// An attempt without answer.
    S0,
    /// Established, not closed.
    S1,
    /// Established, closed by the originator only.
    S2,
    /// Established, closed by the responder only.
    S3,
    /// Established and closed by both.
    Sf,
    /// The originator's SYN and FIN, no answer.
    Sh,
    /// The responder's SYN-ACK and FIN, nothing from the originator.
    Shr,
}

impl ConnState {
    /// The value in a record.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oth => "OTH",
            Self::Rej => "REJ",
            Self::Rsto => "RSTO",
            Self::Rstos0 => "RSTOS0",
            Self::Rstr => "RSTR",
            Self::Rstrh => "RSTRH",
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::Sf => "SF",
            Self::Sh => "SH",
            Self::Shr => "SHR",
        }
    }
}

/// One end of a flow and what it sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct End {
    /// Its address.
    pub address: IpAddr,
    /// Its port; for ICMP the type or the answering type (or code), for other protocols 0.
    pub port: u16,
    /// Payload bytes it sent. TCP: from sequence numbers. Written only when the flow has a duration.
    pub bytes: u64,
    /// Packets it sent.
    pub packets: u64,
    /// Bytes of those packets by their IP headers.
    pub ip_bytes: u64,
    /// TCP segments with nothing that was not sent before, those overtaken on the way left out.
    pub retransmits: u64,
    /// TCP segments that filled a hole within 3 ms: overtaken on the way. Counted up to 65,535.
    pub out_of_order: u64,
    /// Whether its address is local; `None` when no local networks are configured.
    pub is_local: Option<bool>,
}

/// A flow's record.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnRecord {
    /// Time of the first packet.
    pub ts: Timestamp,
    /// Unique identifier; the same in every record about this flow.
    pub uid: Uid,
    /// Who began it.
    pub originator: End,
    /// Who was addressed.
    pub responder: End,
    /// The transport protocol.
    pub proto: Proto,
    /// What was recognised in its content.
    pub services: Services,
    /// From the first packet to the last that counts.
    pub duration: Duration,
    /// Its course.
    pub conn_state: ConnState,
    /// Payload bytes that were acknowledged but not seen.
    pub missed_bytes: u64,
    /// What happened, in letters.
    pub history: History,
    /// IP protocol number.
    pub ip_proto: u8,
    /// VLAN tags of the first packet.
    pub vlans: Vlans,
    /// Community ID, version 1.
    pub community_id: [u8; community_id::TEXT_LEN],
    /// From where it was seen; `None` for packets that came without encapsulation.
    pub vantage: Option<Vantage>,
    /// At least one of its packets was cut.
    pub truncated: bool,
    /// Its packets were seen from another vantage first; see
    /// [`Duplicates::Mark`](crate::Duplicates::Mark).
    pub duplicate: bool,
    /// TCP: time from the SYN to the answer to its answer, if all three were seen.
    pub rtt: Option<Duration>,
    /// The tunnel it went through: the innermost, if there are several.
    pub tunnel: Option<Uid>,
    /// What it encloses others' packets as, if it is a tunnel in UDP: a `service` of its own.
    pub encloses: Option<TunnelKind>,
    /// Which part of a long flow it tells.
    pub part: Part,
}

/// Records of a flow that lasts longer than [`EngineConfig::interim`](crate::EngineConfig::interim) tell it in parts:
/// each counts (and lasts) from where the one before ended, so that sums over a flow's records are the flow's.
/// State, history and services are those of the flow so far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Part {
    /// The whole flow.
    Whole,
    /// The flow goes on; this is its record of that number, from 1.
    Interim(u32),
    /// The rest of a flow that had so many interim records.
    Last(u32),
}

/// What turns flows into records: the parts of the configuration that records need.
pub(crate) struct Recorder {
    pub(crate) community_id_seed: u16,
    pub(crate) uid_seed: u64,
    pub(crate) local_nets: LocalNets,
    pub(crate) vantages: Vantages,
}

impl Recorder {
    /// The record of a flow that has ended, or of the part of one that goes on.
    pub(crate) fn record(&self, view: View<'_>, goes_on: bool) -> ConnRecord {
        let flow = view.flow;
        let (originator, responder) = (flow.conn.originator(), flow.conn.originator().other());
        let mut totals = view.totals();
        let bytes = totals.bytes;
        let (proto, conn_state) = match flow.kind {
            Kind::Tcp => (Proto::Tcp, view.tcp.map_or(ConnState::Oth, |tcp| tcp_state(tcp, &view, bytes))),
            Kind::Udp => {
                let state = match (flow.has_sent(originator), flow.has_sent(responder)) {
                    (true, true) => ConnState::Sf,
                    (true, false) => ConnState::S0,
                    (false, true) => ConnState::Shr,
                    (false, false) => ConnState::Oth,
                };
                (Proto::Udp, state)
            }
            Kind::Icmp => (Proto::Icmp, ConnState::Oth),
            Kind::Other | Kind::Tunnel => (Proto::UnknownTransport, ConnState::Oth),
        };
        let mut began = flow.conn.first;
        let interims = view.extra.map_or(0, Extra::interims);
        if let Some(extra) = view.extra {
            totals = totals.since(&extra.told());
            began = extra.told_until().unwrap_or(began);
        }
        let part = match (goes_on, interims) {
            (true, before) => Part::Interim(before.saturating_add(1)),
            (false, 0) => Part::Whole,
            (false, before) => Part::Last(before),
        };
        let end = |side: Side| {
            let (address, port) = flow.key.end(side);
            let version = flow.key.version();
            let nets = &self.local_nets;
            End {
                address: ip_addr(version, address),
                port,
                bytes: totals.bytes[side as usize],
                packets: totals.packets[side as usize],
                ip_bytes: totals.ip_bytes[side as usize],
                retransmits: totals.retransmits[side as usize],
                out_of_order: totals.out_of_order[side as usize],
                is_local: (!nets.is_empty()).then(|| nets.contains(version, address)),
            }
        };
        let ends = Ends {
            version: flow.key.version(),
            source: flow.key.end(Side::Low),
            destination: flow.key.end(Side::High),
            protocol: flow.key.protocol,
            one_way: flow.key.is_one_way(),
        };
        ConnRecord {
            ts: began,
            uid: Uid::new(self.uid_seed, flow.conn.serial()),
            originator: end(originator),
            responder: end(responder),
            proto,
            services: flow.services,
            duration: flow.conn.last.since(began),
            conn_state,
            missed_bytes: totals.missed_bytes,
            history: history(&view),
            ip_proto: flow.key.protocol,
            vlans: view.vlans(),
            community_id: community_id::compute(self.community_id_seed, &ends),
            vantage: self.vantages.get(flow.key.vantage),
            truncated: flow.marks.has(Mark::Truncated),
            duplicate: flow.marks.has(Mark::Duplicate),
            rtt: view.tcp.and_then(TcpFlow::round_trip),
            tunnel: view.extra.and_then(Extra::tunnel).map(|serial| Uid::new(self.uid_seed, serial)),
            encloses: flow.tunnel,
            part,
        }
    }
}

fn history(view: &View<'_>) -> History {
    let mut history = view.extra.map_or_else(History::default, |extra| extra.history);
    history.append(view.flow.conn.letters);
    history
}

/// Zeek's rules (`scripts/base/protocols/conn/main.zeek`).
fn tcp_state(tcp: &TcpFlow, view: &View<'_>, bytes: [u64; 2]) -> ConnState {
    let originator = view.flow.conn.originator();
    let (orig, resp) = (tcp.end(originator).state(), tcp.end(originator.other()).state());
    let is_silent = |state| matches!(state, State::Inactive | State::Partial);
    match (orig, resp) {
        (State::SynSent | State::SynAckSent, State::Reset) => ConnState::Rej,
        (State::Reset, State::Reset) if bytes == [0, 0] => ConnState::Rej,
        (_, State::Reset) if is_silent(orig) => ConnState::Rstrh,
        (_, State::Reset) => ConnState::Rstr,
        (State::Reset, _) if is_silent(resp) && is_aborted_attempt(history(view).as_str()) => {
            ConnState::Rstos0
        }
        (State::Reset, _) if is_silent(resp) => ConnState::Oth,
        (State::Reset, _) => ConnState::Rsto,
        (State::Closed, State::Closed) => ConnState::Sf,
        (State::Closed, _) if is_silent(resp) => ConnState::Sh,
        (State::Closed, _) => ConnState::S2,
        (_, State::Closed) if is_silent(orig) => ConnState::Shr,
        (_, State::Closed) => ConnState::S3,
        (State::SynSent, State::Inactive) => ConnState::S0,
        (State::Established, State::Established) => ConnState::S1,
        _ => ConnState::Oth,
    }
}

/// A SYN, and a reset before anything that would have made it more than an attempt.
fn is_aborted_attempt(history: &str) -> bool {
    let history = history.strip_prefix('^').unwrap_or(history);
    let Some(rest) = history.strip_prefix('S') else {
        return false;
    };
    let Some(reset) = rest.find('R') else {
        return false;
    };
    !rest[..reset].contains(['H', 'A', 'F', 'G', 'I', 'Q'])
}
