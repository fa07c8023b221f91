//! What is no TCP: datagrams in turn, ICMP, fragments, tunnels, and the small protocols of machines.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::random::Random;
use super::{Timed, Turn, tls};
use crate::packets::{checksum, ethernet, ip, ipv4_fragments, udp, vxlan};

/// The datagrams of two ends, in turn.
pub(super) fn exchange(random: &mut Random, ends: [SocketAddr; 2], turns: &[Turn]) -> Vec<Timed> {
    let mut at = Duration::ZERO;
    let mut packets = Vec::new();
    for (is_answer, said) in turns {
        let [from, to] = if *is_answer { [ends[1], ends[0]] } else { ends };
        packets.push((at, udp(from, to, said)));
        at += Duration::from_micros(random.number() % 20_000 + 100);
    }
    packets
}

/// Echoes and their replies (RFC 792, RFC 4443).
pub(super) fn ping(random: &mut Random, ends: [IpAddr; 2]) -> Vec<Timed> {
    let (protocol, kinds) = if ends[0].is_ipv4() { (1, [8, 0]) } else { (58, [128, 129]) };
    let id = random.word(u16::MAX).to_be_bytes();
    let mut packets = Vec::new();
    for sequence in 0..random.word(6) + 1 {
        for (turn, kind) in kinds.into_iter().enumerate() {
            let [from, to] = if turn == 0 { ends } else { [ends[1], ends[0]] };
            let mut message = [&[kind, 0, 0, 0][..], &id, &sequence.to_be_bytes(), &[0x55; 56]].concat();
            if protocol == 1 {
                let sum = checksum(&[&message]).to_be_bytes();
                message[2..4].copy_from_slice(&sum);
            }
            let at = Duration::from_secs(sequence.into()) + Duration::from_millis(turn as u64 * 7);
            packets.push((at, ip(from, to, protocol, &message)));
        }
    }
    packets
}

/// A datagram that is larger than the link, its pieces sometimes in another order.
pub(super) fn fragments(random: &mut Random) -> Vec<Timed> {
    let [from, to] = [([10, 20, 0, 9], 2_049), ([10, 20, 30, 4], 2_049)].map(SocketAddr::from);
    let len = random.below(6_000) + 2_000;
    let whole = udp(from, to, &random.bytes(len));
    let mut pieces = ipv4_fragments(&whole, random.word(u16::MAX), 1_480);
    if random.chance(30) {
        pieces.reverse();
    }
    (0..).zip(pieces).map(|(index, piece)| (Duration::from_micros(index * 20), piece)).collect()
}

/// A question in a tunnel: IPv6 in IPv4 (RFC 4213), GRE (RFC 2784), or another VXLAN.
pub(super) fn tunnel(random: &mut Random) -> Vec<Timed> {
    let host = random.word(200).to_be_bytes()[1];
    let [from, to] = [[172, 16, 0, host], [172, 16, 1, 1]].map(|octets| IpAddr::V4(Ipv4Addr::from(octets)));
    let [a, b] = ["[2001:db8::1]:40000", "[2001:db8::2]:7"].map(|end| end.parse().expect("an address"));
    let [c, d] = [([192, 168, 0, 1], 40_000), ([192, 168, 0, 2], 7)].map(SocketAddr::from);
    let which = random.below(3);
    let wrap = |from: IpAddr, to: IpAddr, is_answer: bool| {
        let six = if is_answer { udp(b, a, b"echo") } else { udp(a, b, b"echo") };
        let four = if is_answer { udp(d, c, b"echo") } else { udp(c, d, b"echo") };
        match which {
            0 => ip(from, to, 41, &six),
            1 => ip(from, to, 47, &[&[0, 0, 0x08, 0][..], &four].concat()),
            _ => udp(SocketAddr::new(from, 50_000), SocketAddr::new(to, 4_789), &vxlan(77, &ethernet(&four))),
        }
    };
    vec![(Duration::ZERO, wrap(from, to, false)), (Duration::from_millis(3), wrap(to, from, true))]
}

/// A question for the time and its answer (RFC 5905 section 7.3), with seconds since 1900.
pub(super) fn ntp(random: &mut Random) -> Vec<Turn> {
    let time = |random: &mut Random| [&3_908_988_800_u32.to_be_bytes()[..], &random.bytes(4)].concat();
    let sent = time(random);
    let asked = [&[0x23, 0, 6, 0xec][..], &[0; 36], &sent].concat();
    let (set, received, left) = (time(random), time(random), time(random));
    let head = [0x24, 2, 6, 0xec, 0, 0, 1, 0, 0, 0, 2, 0, 198, 51, 100, 7];
    vec![(false, asked), (true, [&head[..], &set, &sent, &received, &left].concat())]
}

/// A machine asks for an address (RFC 2131): discover, offer, request, acknowledge.
pub(super) fn dhcp(random: &mut Random) -> Vec<Timed> {
    let transaction = random.bytes(4);
    let hardware = [&[0x02, 0, 0][..], &random.bytes(3)].concat();
    let own = [10, 20, 40, random.word(250).to_be_bytes()[1]];
    let server = [10, 20, 0, 2];
    let message = |kind: u8| {
        let is_answer = matches!(kind, 2 | 5);
        let mut bytes = vec![if is_answer { 2 } else { 1 }, 1, 6, 0];
        bytes.extend(&transaction);
        bytes.extend([0; 8]);
        bytes.extend(if is_answer { own } else { [0; 4] });
        bytes.extend([0; 8]);
        bytes.extend(&hardware);
        bytes.extend([0; 202]);
        bytes.extend([0x63, 0x82, 0x53, 0x63, 53, 1, kind]);
        if is_answer {
            bytes.extend([
                54, 4, 10, 20, 0, 2, 51, 4, 0, 0, 0x0e, 0x10, 1, 4, 255, 255, 0, 0, 3, 4, 10, 20, 0, 1,
            ]);
            bytes.extend(b"\x0f\x11corp.example.test");
        } else {
            bytes.extend(b"\x0c\x06laptop\x3c\x08MSFT 5.0\x37\x04\x01\x03\x06\x0f");
            bytes.extend([50, 4]);
            bytes.extend(own);
        }
        bytes.push(255);
        let ends: [SocketAddr; 2] = match is_answer {
            true => [(server, 67).into(), (own, 68).into()],
            false => [([0, 0, 0, 0], 68).into(), ([255, 255, 255, 255], 67).into()],
        };
        udp(ends[0], ends[1], &bytes)
    };
    (0..).zip([1, 2, 3, 5]).map(|(turn, kind)| (Duration::from_millis(turn * 11), message(kind))).collect()
}

/// A handshake of DTLS 1.2 (RFC 6347): a hello, a cookie, the hello again, the answer, and what is encrypted.
pub(super) fn dtls(random: &mut Random, name: &str) -> Vec<Turn> {
    let hello = tls::client_hello(random, name, false, &[]);
    let cookie = random.bytes(16);
    let with = |cookie: &[u8]| {
        let len = u8::try_from(cookie.len()).unwrap_or(0);
        [&[0xfe, 0xfd][..], &hello[2..35], &[len], cookie, &hello[35..]].concat()
    };
    let message = |kind: u8, sequence: u8, body: &[u8]| {
        let [high, low] = tls::two(body.len());
        let len = [0, high, low];
        [&[kind][..], &len, &[0, sequence, 0, 0, 0], &len, body].concat()
    };
    let record = |kind: u8, epoch: u8, number: u8, body: &[u8]| {
        [&[kind, 0xfe, 0xfd, 0, epoch, 0, 0, 0, 0, 0, number][..], &tls::two(body.len()), body].concat()
    };
    let answer = [&[0xfe, 0xfd][..], &random.bytes(32), &[0, 0xc0, 0x2b, 0]].concat();
    let mut turns = vec![
        (false, record(22, 0, 0, &message(1, 0, &with(&[])))),
        (true, record(22, 0, 0, &message(3, 0, &[&[0xfe, 0xfd, 16][..], &cookie].concat()))),
        (false, record(22, 0, 1, &message(1, 1, &with(&cookie)))),
        (true, [record(22, 0, 1, &message(2, 1, &answer)), record(22, 0, 2, &message(14, 2, &[]))].concat()),
    ];
    for side in [false, true] {
        turns.push((side, [record(20, 0, 3, &[1]), record(22, 1, 0, &random.bytes(40))].concat()));
    }
    for number in 1..9 {
        turns.push((random.chance(50), record(23, 1, number, &random.bytes(160))));
    }
    turns
}
