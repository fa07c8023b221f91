//! Who talks with whom about what, and how often.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::random::Random;
use super::stream::{End, connection, in_vain};
use super::{Timed, Turn, datagram, dns, quic, services, ssh, tls, web};

const WORDS: [&str; 12] =
    ["mail", "shop", "api", "static", "login", "metrics", "files", "video", "search", "ads", "update", "db"];
const DOMAINS: [&str; 6] = [
    "example.test",
    "example.com",
    "corp.example.test",
    "cdn.example.net",
    "partner.example.org",
    "example.co.uk",
];

/// What a conversation is about.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Names,
    NamesByStream,
    Tls(tls::Shape),
    Bulk,
    Web,
    Quic,
    Ssh,
    Stream(usize),
    Datagrams(usize),
    Dtls,
    Ntp,
    Dhcp,
    Ping,
    Scan,
    Fragments,
    Tunnel,
}

/// Shares of a thousand conversations; what is left of them is one of the many.
const SHARES: [(usize, Kind); 16] = [
    (280, Kind::Names),
    (10, Kind::NamesByStream),
    (170, Kind::Tls(tls::Shape::Three)),
    (110, Kind::Tls(tls::Shape::Two)),
    (40, Kind::Tls(tls::Shape::Resumed)),
    (10, Kind::Tls(tls::Shape::Refused)),
    (3, Kind::Bulk),
    (120, Kind::Web),
    (50, Kind::Quic),
    (15, Kind::Ssh),
    (25, Kind::Ntp),
    (10, Kind::Dhcp),
    (30, Kind::Ping),
    (40, Kind::Scan),
    (7, Kind::Fragments),
    (8, Kind::Tunnel),
];

/// The packets of conversation `number`.
pub(super) fn conversation(random: &mut Random, number: usize) -> Vec<Timed> {
    let kind = kind(random, number);
    let name = format!("{}.{}", random.pick(&WORDS), random.pick(&DOMAINS));
    let end = match random.below(20) {
        0 => End::Open,
        1 => End::Reset,
        _ => End::Orderly,
    };
    let stream = |random: &mut Random, port: u16, turns: &[Turn]| {
        let ends = ends(random, port);
        connection(random, ends, turns, end)
    };
    match kind {
        Kind::Names => {
            let ends = ends(random, 53);
            // A resolver of its own, which asks for both families at once.
            let rounds = if random.chance(40) { 2 } else { 1 };
            let turns: Vec<Turn> = (0..rounds)
                .flat_map(|_| {
                    let [asked, answered] = dns::exchange(random, &name);
                    [(false, asked), (true, answered)]
                })
                .collect();
            let answered = if random.chance(97) { turns.len() } else { 1 };
            datagram::exchange(random, ends, &turns[..answered])
        }
        Kind::NamesByStream => {
            let [asked, answered] = dns::exchange(random, &name).map(|message| dns::framed(&message));
            stream(random, 53, &[(false, asked), (true, answered)])
        }
        Kind::Tls(shape) => {
            let bytes = random.below(12_000) + 500;
            let turns = tls::conversation(random, shape, &name, bytes);
            let port = *random.pick(&[443, 443, 443, 443, 8443, 993]);
            stream(random, port, &turns)
        }
        Kind::Bulk => {
            let turns = tls::conversation(random, tls::Shape::Three, &name, 600_000);
            stream(random, 443, &turns)
        }
        Kind::Web => {
            let turns = web::conversation(random, &name);
            let port = *random.pick(&[80, 80, 80, 8080, 3128]);
            stream(random, port, &turns)
        }
        Kind::Ssh => {
            let turns = ssh::conversation(random);
            stream(random, 22, &turns)
        }
        Kind::Stream(which) => {
            let (port, said) = services::STREAMS[which];
            let turns: Vec<Turn> = said
                .iter()
                .enumerate()
                .filter(|(_, said)| !said.is_empty())
                .map(|(turn, said)| (turn % 2 == 1, said.to_vec()))
                .collect();
            stream(random, port, &turns)
        }
        Kind::Datagrams(which) => {
            let (port, said) = services::DATAGRAMS[which];
            let ends = ends(random, port);
            let turns: Vec<Turn> =
                said.iter().enumerate().map(|(turn, said)| (turn % 2 == 1, said.to_vec())).collect();
            datagram::exchange(random, ends, &turns)
        }
        Kind::Quic => {
            let (ends, turns) = (ends(random, 443), quic::conversation(random));
            datagram::exchange(random, ends, &turns)
        }
        Kind::Dtls => {
            let (ends, turns) = (ends(random, 443), datagram::dtls(random, &name));
            datagram::exchange(random, ends, &turns)
        }
        Kind::Ntp => {
            let (ends, turns) = (ends(random, 123), datagram::ntp(random));
            datagram::exchange(random, ends, &turns)
        }
        Kind::Dhcp => datagram::dhcp(random),
        Kind::Ping => {
            let ends = ends(random, 0);
            datagram::ping(random, ends.map(|end| end.ip()))
        }
        Kind::Scan => {
            let port = random.word(9_000) + 1;
            let ends = ends(random, port);
            in_vain(random, ends)
        }
        Kind::Fragments => datagram::fragments(random),
        Kind::Tunnel => datagram::tunnel(random),
    }
}

/// One of the shares by chance, but one of each kind to begin with.
fn kind(random: &mut Random, number: usize) -> Kind {
    let streams = services::STREAMS.len();
    let many = streams + services::DATAGRAMS.len() + 1;
    let one = |which: usize| match which {
        _ if which < streams => Kind::Stream(which),
        _ if which < many - 1 => Kind::Datagrams(which - streams),
        _ => Kind::Dtls,
    };
    if number < SHARES.len() {
        return SHARES[number].1;
    }
    if number < SHARES.len() + many {
        return one(number - SHARES.len());
    }
    let mut chosen = random.below(1_000);
    for (share, kind) in SHARES {
        match chosen.checked_sub(share) {
            Some(left) => chosen = left,
            None => return kind,
        }
    }
    one(random.below(many))
}

/// A client of the company and a server of it or of elsewhere, one in five over IPv6.
fn ends(random: &mut Random, port: u16) -> [SocketAddr; 2] {
    let source = random.word(28_000) + 32_768;
    let (client, server) = (random.word(500), random.word(200));
    let is_inside = random.chance(40);
    let [client, server]: [IpAddr; 2] = if random.chance(20) {
        let net = if is_inside { 0xfd00 } else { 0x2600 };
        [
            Ipv6Addr::new(0xfd00, 0x20, 1, 0, 0, 0, 0, client + 1).into(),
            Ipv6Addr::new(net, 0x30, 7, 0, 0, 0, 0, server + 1).into(),
        ]
    } else {
        let [high, low] = client.to_be_bytes();
        let last = server.to_be_bytes()[1];
        let net = if is_inside { [10, 20, 30, last] } else { [198, 51, 100, last] };
        [Ipv4Addr::new(10, 20, high, low).into(), Ipv4Addr::from(net).into()]
    };
    [SocketAddr::new(client, source), SocketAddr::new(server, port)]
}
