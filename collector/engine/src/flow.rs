//! One flow: what is counted for it, and when its record is due.

use enigma_wire::{IpVersion, Packet, Transport, Vlans};

use crate::{
    Timeouts, Timestamp,
    conn::{Conn, Event},
    key::{FlowKey, Side},
    l7::{Inspection, Services},
    ports,
    tcp::TcpFlow,
};

/// Packets and bytes of one side.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) packets: u64,
    pub(crate) ip_bytes: u64,
}

/// What the protocol adds to a flow.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Tcp(TcpFlow),
    /// Payload bytes a side, once it has sent anything.
    Udp([Option<u64>; 2]),
    Icmp([u64; 2]),
    Other,
}

/// One flow's state.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    pub(crate) key: FlowKey,
    pub(crate) conn: Conn,
    pub(crate) counts: [Count; 2],
    pub(crate) body: Body,
    /// Number of the flow within its pipeline; its uid is made of it.
    pub(crate) serial: u64,
    /// Its record is due at this time; moves with every packet.
    pub(crate) due: Timestamp,
    pub(crate) vlans: Vlans,
    /// At least one packet was cut short of what its IP header says.
    pub(crate) truncated: bool,
    /// What was recognised in its content.
    pub(crate) services: Services,
    pub(crate) l7: Inspection,
}

impl Flow {
    pub(crate) fn new(key: FlowKey, side: Side, packet: &Packet<'_>, at: Timestamp, serial: u64) -> Self {
        let flip = is_answer(packet);
        let mut conn = Conn::new(at, side);
        if flip {
            conn.flip();
        }
        let body = match packet.transport {
            Transport::Tcp(_) => Body::Tcp(TcpFlow::default()),
            Transport::Udp(_) => Body::Udp([None; 2]),
            Transport::Icmp(_) => Body::Icmp([0; 2]),
            Transport::Sctp(_) | Transport::Other | Transport::FragmentTail => Body::Other,
        };
        let (vlans, due) = (packet.vlans, at);
        Self {
            key,
            conn,
            counts: [Count::default(); 2],
            body,
            serial,
            due,
            vlans,
            truncated: false,
            services: Services::default(),
            l7: Inspection::default(),
        }
    }

    /// Counts `packet`, which `side` sent, and moves `due`.
    #[inline]
    pub(crate) fn take(&mut self, packet: &Packet<'_>, side: Side, at: Timestamp, timeouts: &Timeouts) {
        match (&mut self.body, &packet.transport) {
            (Body::Tcp(flow), Transport::Tcp(tcp)) => {
                flow.segment(&mut self.conn, side, tcp, at, timeouts.tcp_closed);
            }
            (Body::Udp(bytes), Transport::Udp(udp)) => {
                self.conn.touch(at);
                self.conn.write_once(side, Event::Data, b'D');
                let sum = &mut bytes[side as usize];
                *sum = Some(sum.unwrap_or(0).saturating_add(u64::from(udp.payload_len)));
            }
            (Body::Icmp(bytes), Transport::Icmp(icmp)) => {
                self.conn.touch(at);
                let sum = &mut bytes[side as usize];
                *sum = sum.saturating_add(u64::from(icmp.payload_len));
            }
            // Fragments behind the first of a datagram, and protocols without anything more to know.
            _ => self.conn.touch(at),
        }
        let count = &mut self.counts[side as usize];
        count.packets += 1;
        count.ip_bytes = count.ip_bytes.saturating_add(u64::from(packet.total_len));
        self.truncated |= packet.truncated;
        self.due = self.next_due(timeouts);
    }

    #[inline]
    fn next_due(&self, timeouts: &Timeouts) -> Timestamp {
        let idle = match &self.body {
            Body::Tcp(flow) => {
                let (_, responder_port) = self.key.end(self.conn.originator.other());
                let idle = self.conn.last.after(flow.idle_timeout(timeouts, responder_port));
                if flow.is_unanswered(&self.conn) {
                    idle.min(self.conn.first.after(timeouts.tcp_attempt))
                } else {
                    idle
                }
            }
            Body::Udp(_) => self.conn.last.after(timeouts.udp),
            Body::Icmp(_) => self.conn.last.after(timeouts.icmp),
            Body::Other => self.conn.last.after(timeouts.other),
        };
        self.conn.closing.map_or(idle, |closing| closing.min(idle))
    }

    /// Whether `packet` begins a new flow under this one's key.
    #[inline]
    pub(crate) fn is_reused_by(&self, packet: &Packet<'_>) -> bool {
        match (&self.body, &packet.transport) {
            (Body::Tcp(flow), Transport::Tcp(tcp)) => flow.is_reused_by(&self.conn, tcp),
            _ => false,
        }
    }
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
