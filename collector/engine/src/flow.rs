//! One flow: what is counted for it, and when its record is due.
//!
//! What every flow has is here, in 120 bytes; what only a TCP connection has stands beside the table
//! ([`TcpFlow`]), and what only long or eventful flows have in [`Extra`](crate::extra::Extra).

use core::time::Duration;

use enigma_wire::{IpVersion, Packet, Transport, TunnelKind, Vlans};

use crate::{
    Timeouts, Timestamp,
    conn::{Conn, Event},
    key::{FlowKey, Side},
    l7::{Inspection, Services},
    ports,
    slab::Slot,
    tcp::{Beyond, TcpFlow},
    vantage::VantageId,
};

/// Silence after which a tunnel between two hosts is over: Zeek's `Tunnel::ip_tunnel_timeout`.
const TUNNEL_IDLE: Duration = Duration::from_secs(24 * 3600);

/// Packets and bytes of one side, modulo 2^32; the rest is in [`Extra`](crate::extra::Extra).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) packets: u32,
    pub(crate) ip_bytes: u32,
}

/// What rules a flow follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Tcp,
    Udp,
    Icmp,
    Other,
    /// It encloses others' packets and is no conversation of its own.
    Tunnel,
}

/// Counters that went past 2^32 with a packet: one bit each, of [`Flow::take`].
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Carries(pub(crate) u8);

impl Carries {
    pub(crate) const PACKETS: u8 = 1;
    pub(crate) const IP_BYTES: u8 = 2;
    pub(crate) const PAYLOAD: u8 = 4;
}

/// Facts of one bit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Marks(u8);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mark {
    /// At least one packet was cut short of what its IP header says.
    Truncated = 1,
    /// Its packets are copies of another flow's.
    Duplicate = 2,
    /// Nothing more is looked at in its content.
    Decided = 4,
    /// It has an [`Extra`](crate::extra::Extra).
    Extra = 8,
    /// The low side has sent a UDP datagram, and the high one.
    SentLow = 0x10,
    SentHigh = 0x20,
    /// A TCP connection of which nothing is known, because its beginning was not seen.
    Middle = 0x40,
}

impl Marks {
    #[inline]
    pub(crate) const fn has(self, mark: Mark) -> bool {
        self.0 & mark as u8 != 0
    }

    #[inline]
    pub(crate) const fn set(&mut self, mark: Mark) {
        self.0 |= mark as u8;
    }
}

/// VLAN tags in four bytes. A tag has 12 bits, so that all ones mean none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PackedVlans([u16; 2]);

impl PackedVlans {
    fn new(vlans: Vlans) -> Self {
        Self([vlans.outer.unwrap_or(u16::MAX), vlans.inner.unwrap_or(u16::MAX)])
    }

    pub(crate) fn get(self) -> Vlans {
        let [outer, inner] = self.0.map(|id| (id != u16::MAX).then_some(id));
        Vlans { outer, inner }
    }
}

impl From<PackedVlans> for u32 {
    fn from(PackedVlans([outer, inner]): PackedVlans) -> Self {
        Self::from(inner) << 16 | Self::from(outer)
    }
}

/// One flow's state.
#[derive(Debug)]
pub(crate) struct Flow {
    pub(crate) key: FlowKey,
    pub(crate) conn: Conn,
    pub(crate) counts: [Count; 2],
    /// UDP, ICMP: payload bytes a side, modulo 2^32. TCP: where the rest of it is.
    body: [u32; 2],
    pub(crate) l7: Option<Box<Inspection>>,
    /// What was recognised in its content.
    pub(crate) services: Services,
    /// VLANs of the first packet, or the place of the [`Extra`](crate::extra::Extra) that has them.
    beside: u32,
    /// Interim times that have passed.
    parts: u16,
    /// A second vantage that its packets are seen from, joined because it sends copies; 0 for none.
    pub(crate) other_vantage: VantageId,
    pub(crate) marks: Marks,
    pub(crate) kind: Kind,
    /// What it encloses others' packets as.
    pub(crate) tunnel: Option<TunnelKind>,
}

impl Flow {
    /// A flow that begins with `packet`, which is not counted yet.
    pub(crate) fn new(key: FlowKey, side: Side, packet: &Packet<'_>, at: Timestamp, serial: u64) -> Self {
        let mut conn = Conn::new(at, side, serial);
        if is_answer(packet) {
            conn.flip();
        }
        let kind = match (key.protocol, key.version()) {
            _ if key.is_tunnel() => Kind::Tunnel,
            (6, _) => Kind::Tcp,
            (17, _) => Kind::Udp,
            (1, IpVersion::V4) | (58, IpVersion::V6) => Kind::Icmp,
            _ => Kind::Other,
        };
        Self {
            key,
            conn,
            counts: [Count::default(); 2],
            body: [0; 2],
            l7: None,
            services: Services::default(),
            beside: PackedVlans::new(packet.vlans).into(),
            parts: 0,
            other_vantage: 0,
            marks: Marks::default(),
            kind,
            tunnel: None,
        }
    }

    /// Where a TCP connection's own part is.
    #[inline]
    pub(crate) fn tcp_slot(&self) -> Option<Slot> {
        (self.kind == Kind::Tcp).then_some(self.body[0])
    }

    pub(crate) fn set_tcp_slot(&mut self, slot: Slot) {
        self.body[0] = slot;
    }

    /// Where its [`Extra`](crate::extra::Extra) is.
    #[inline]
    pub(crate) fn extra(&self) -> Option<Slot> {
        self.marks.has(Mark::Extra).then_some(self.beside)
    }

    /// Notes where its [`Extra`](crate::extra::Extra) is; [`Self::vlans`] must be there from now on.
    pub(crate) fn set_extra(&mut self, place: Slot) {
        self.marks.set(Mark::Extra);
        self.beside = place;
    }

    /// VLANs of the first packet, of a flow without an [`Extra`](crate::extra::Extra).
    pub(crate) const fn vlans(&self) -> PackedVlans {
        PackedVlans([self.beside as u16, (self.beside >> 16) as u16])
    }

    /// Payload bytes of both sides modulo 2^32, of flows that are no TCP connection.
    pub(crate) fn payload(&self) -> [u32; 2] {
        if self.kind == Kind::Tcp { [0; 2] } else { self.body }
    }

    /// Whether `side` sent UDP datagrams.
    pub(crate) const fn has_sent(&self, side: Side) -> bool {
        self.marks.has(match side {
            Side::Low => Mark::SentLow,
            Side::High => Mark::SentHigh,
        })
    }

    /// Counts `packet`, which `side` sent. `tcp` is the connection's own part, if it is one, and `beyond` what has arrived
    /// beyond holes of it.
    #[inline]
    pub(crate) fn take(
        &mut self,
        tcp: Option<&mut TcpFlow>,
        packet: &Packet<'_>,
        side: Side,
        at: Timestamp,
        timeouts: &Timeouts,
        beyond: &mut Beyond,
    ) -> Carries {
        let mut carries = 0;
        match (self.kind, &packet.transport) {
            (Kind::Tcp, Transport::Tcp(segment)) => {
                if let Some(tcp) = tcp {
                    tcp.segment(&mut self.conn, side, segment, at, timeouts.tcp_closed, beyond);
                }
            }
            (Kind::Udp, Transport::Udp(udp)) => {
                self.conn.touch(at);
                self.conn.write_once(side, Event::Data, b'D');
                self.marks.set(match side {
                    Side::Low => Mark::SentLow,
                    Side::High => Mark::SentHigh,
                });
                carries |= add(&mut self.body[side as usize], udp.payload_len, Carries::PAYLOAD);
            }
            (Kind::Icmp, Transport::Icmp(icmp)) => {
                self.conn.touch(at);
                carries |= add(&mut self.body[side as usize], icmp.payload_len, Carries::PAYLOAD);
            }
            // Fragments behind the first of a datagram, and protocols without anything more to know.
            _ => self.conn.touch(at),
        }
        let count = &mut self.counts[side as usize];
        carries |= add(&mut count.packets, 1, Carries::PACKETS);
        carries |= add(&mut count.ip_bytes, packet.total_len, Carries::IP_BYTES);
        if packet.truncated {
            self.marks.set(Mark::Truncated);
        }
        Carries(carries)
    }

    /// When it is over if nothing more comes.
    #[inline]
    pub(crate) fn ends(&self, tcp: Option<&TcpFlow>, timeouts: &Timeouts) -> Timestamp {
        let conn = &self.conn;
        match self.kind {
            Kind::Tcp => {
                let Some(tcp) = tcp else { return conn.last };
                let (_, responder_port) = self.key.end(conn.originator().other());
                let mut ends = conn.last.after(tcp.idle_timeout(timeouts, responder_port));
                if tcp.is_unanswered(conn) {
                    ends = ends.min(conn.first.after(timeouts.tcp_attempt));
                }
                tcp.closes(conn).map_or(ends, |closes| closes.min(ends))
            }
            Kind::Udp => conn.last.after(timeouts.udp),
            Kind::Icmp => conn.last.after(timeouts.icmp),
            Kind::Other => conn.last.after(timeouts.other),
            Kind::Tunnel => conn.last.after(TUNNEL_IDLE),
        }
    }

    /// When its next interim record is due. Parts are counted in 16 bits: after 65,535 there are no more.
    #[inline]
    pub(crate) fn interim(&self, every: Option<Duration>) -> Timestamp {
        match every {
            Some(every) if self.parts < u16::MAX && self.kind != Kind::Tunnel => {
                let nanos = i64::try_from(every.as_nanos()).unwrap_or(i64::MAX);
                let past = nanos.saturating_mul(i64::from(self.parts) + 1);
                Timestamp::from_nanos(self.conn.first.as_nanos().saturating_add(past))
            }
            _ => Timestamp::MAX,
        }
    }

    /// Notes that interim times up to `now` have passed.
    pub(crate) fn pass_interims(&mut self, every: Duration, now: Timestamp) {
        let past = now.since(self.conn.first).as_nanos() / every.as_nanos().max(1);
        self.parts = u16::try_from(past).unwrap_or(u16::MAX);
    }

    /// Whether `packet` begins a new flow under this one's key.
    #[inline]
    pub(crate) fn is_reused_by(&self, tcp: Option<&TcpFlow>, packet: &Packet<'_>) -> bool {
        match (tcp, &packet.transport) {
            (Some(tcp), Transport::Tcp(segment)) => tcp.is_reused_by(&self.conn, segment),
            _ => false,
        }
    }

    /// Whether content is still waited for or looked at.
    #[inline]
    pub(crate) const fn is_decided(&self) -> bool {
        self.marks.has(Mark::Decided)
    }
}

/// Adds to a counter of 32 bits; `bit` if it went past its end.
#[inline]
fn add(counter: &mut u32, value: u32, bit: u8) -> u8 {
    let (sum, is_past) = counter.overflowing_add(value);
    *counter = sum;
    if is_past { bit } else { 0 }
}

/// Whether the first packet of a flow looks like an answer, going by ports: then its receiver is the
/// originator.
fn is_answer(packet: &Packet<'_>) -> bool {
    use enigma_wire::tcp_flags::{ACK, SYN};
    let is_broadcast = packet.version == IpVersion::V4 && packet.source == u128::from(u32::MAX);
    let answer = match packet.transport {
        Transport::Tcp(tcp) => {
            let (source, destination) = (tcp.source_port, tcp.destination_port);
            let is_syn = tcp.flags & SYN != 0;
            let is_beginning = is_syn && tcp.flags & ACK == 0;
            if is_beginning || !ports::is_likely_tcp_server(source) {
                false
            } else if ports::is_likely_tcp_server(destination) {
                // Both could be servers: the lower port more so. Not for SYN-ACKs, which scans also send.
                !is_syn && source < destination
            } else {
                true
            }
        }
        Transport::Udp(udp) => {
            ports::is_likely_udp_server(udp.source_port) && !ports::is_likely_udp_server(udp.destination_port)
        }
        _ => false,
    };
    let to_broadcast = packet.version == IpVersion::V4 && packet.destination == u128::from(u32::MAX);
    // Nobody answers to or from everybody.
    answer && !is_broadcast && !to_broadcast
}
