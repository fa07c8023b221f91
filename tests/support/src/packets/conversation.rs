//! Whole exchanges between two ends, as the frames that a mirror of one of them would see.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Segment, ethernet, flags, tcp, udp};

/// Bytes of one segment: what fits an Ethernet of 1,500 bytes with headers without options.
const SEGMENT: usize = 1_440;

/// One exchange: who asks whom what, from when on, one packet each `gap`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Exchange<'a> {
    /// The end that opens.
    pub client: SocketAddr,
    /// The end that answers.
    pub server: SocketAddr,
    /// What the client says first.
    pub request: &'a [u8],
    /// What the server says then.
    pub response: &'a [u8],
    /// Time of the first packet since 1970 (UTC).
    pub start: Duration,
    /// Time between two packets.
    pub gap: Duration,
}

/// Returns the frames of a UDP question and its answer; an empty response is one that never came.
#[must_use]
pub fn udp_exchange(exchange: &Exchange<'_>) -> Vec<(Duration, Vec<u8>)> {
    let Exchange { client, server, request, response, .. } = *exchange;
    let mut packets = vec![udp(client, server, request)];
    if !response.is_empty() {
        packets.push(udp(server, client, response));
    }
    timed(exchange, packets)
}

/// Returns the frames of a whole TCP connection: handshake, request, response, and an orderly close by the client.
/// Every data segment is acknowledged on its own.
#[must_use]
pub fn tcp_conversation(exchange: &Exchange<'_>) -> Vec<(Duration, Vec<u8>)> {
    let mut client = End { own: exchange.client, peer: exchange.server, next: 1_000, heard: 0 };
    let mut server = End { own: exchange.server, peer: exchange.client, next: 9_000, heard: 0 };
    let mut packets = vec![client.say(flags::SYN, &[])];
    server.heard = client.next;
    packets.push(server.say(flags::SYN | flags::ACK, &[]));
    client.heard = server.next;
    packets.push(client.say(flags::ACK, &[]));
    transfer(&mut client, &mut server, exchange.request, &mut packets);
    transfer(&mut server, &mut client, exchange.response, &mut packets);
    packets.push(client.say(flags::FIN | flags::ACK, &[]));
    server.heard = client.next;
    packets.push(server.say(flags::FIN | flags::ACK, &[]));
    client.heard = server.next;
    packets.push(client.say(flags::ACK, &[]));
    timed(exchange, packets)
}

/// Says `data` in segments, each acknowledged on its own.
fn transfer(from: &mut End, to: &mut End, data: &[u8], packets: &mut Vec<Vec<u8>>) {
    for part in data.chunks(SEGMENT) {
        packets.push(from.say(flags::ACK | flags::PSH, part));
        to.heard = from.next;
        packets.push(to.say(flags::ACK, &[]));
    }
}

/// One end of a connection and where it stands.
struct End {
    own: SocketAddr,
    peer: SocketAddr,
    next: u32,
    heard: u32,
}

impl End {
    fn say(&mut self, flags: u8, payload: &[u8]) -> Vec<u8> {
        let packet = tcp(self.own, self.peer, &Segment { seq: self.next, ack: self.heard, flags, payload });
        let counted = u32::from(flags & (flags::SYN | flags::FIN) != 0);
        self.next += counted + u32::try_from(payload.len()).expect("a segment is short");
        packet
    }
}

fn timed(exchange: &Exchange<'_>, packets: Vec<Vec<u8>>) -> Vec<(Duration, Vec<u8>)> {
    (0_u32..)
        .zip(packets)
        .map(|(index, packet)| (exchange.start + exchange.gap * index, ethernet(&packet)))
        .collect()
}
