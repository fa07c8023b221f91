use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, SystemTime};

use super::super::batch::{Arena, BATCH, wait_readable};
use super::*;

const LIMIT: Duration = Duration::from_secs(10);

fn wishes(buffer: usize) -> Wishes {
    Wishes { buffer, steer: true, gro: false }
}

fn receive_all(
    socket: &ReceiveSocket,
    arena: &mut Arena,
    expected: usize,
) -> Vec<(IpAddr, u16, Vec<u8>, Option<i64>)> {
    let mut all = Vec::new();
    while all.len() < expected && wait_readable([socket.fd()], LIMIT).unwrap() {
        let count = arena.receive(socket.fd()).unwrap();
        all.extend(arena.datagrams(count).map(|d| (d.source, d.source_port, d.payload.to_vec(), d.at)));
    }
    all
}

#[test]
fn datagrams_of_both_families_and_every_size_arrive_whole_with_source_and_time() {
    let Ok((sockets, address, _)) = bind(Wrapping::Vxlan, "[::]:0".parse().unwrap(), 1, wishes(8 << 20))
    else {
        enigma_test_support::skip::skip("no UDP socket can be bound here");
        return;
    };
    let mut arena = Arena::new();
    let sizes = [0usize, 1, 8, 1500, 9_001, 65_000, 65_507];
    for source in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(sender) = UdpSocket::bind(source) else {
            enigma_test_support::skip::skip("host has no IPv6 loopback");
            continue;
        };
        let target = SocketAddr::new(sender.local_addr().unwrap().ip(), address.port());
        let before = SystemTime::now();
        for size in sizes {
            sender.send_to(&vec![size as u8; size], target).unwrap();
        }
        let all = receive_all(&sockets[0], &mut arena, sizes.len());
        assert_eq!(all.len(), sizes.len());
        for ((from, port, payload, at), size) in all.iter().zip(sizes) {
            assert_eq!(
                (*from, *port),
                (sender.local_addr().unwrap().ip(), sender.local_addr().unwrap().port())
            );
            assert_eq!(payload, &vec![size as u8; size]);
            let at =
                SystemTime::UNIX_EPOCH + Duration::from_nanos(at.expect("kernel time").try_into().unwrap());
            assert!(at + Duration::from_secs(1) > before && at < SystemTime::now() + Duration::from_secs(1));
        }
    }
}

#[test]
fn a_datagram_over_ipv6_needs_no_checksum() {
    let Ok(sender) = UdpSocket::bind("[::1]:0") else {
        enigma_test_support::skip::skip("host has no IPv6 loopback");
        return;
    };
    let (sockets, address, shortfalls) =
        bind(Wrapping::Vxlan, "[::1]:0".parse().unwrap(), 1, wishes(1 << 20)).unwrap();
    assert!(!shortfalls.contains(&Shortfall::ZeroChecksums));
    batch::set_option(sender.as_fd(), libc::SOL_UDP, libc::UDP_NO_CHECK6_TX, 1).unwrap();
    sender.send_to(b"without", address).unwrap();
    let all = receive_all(&sockets[0], &mut Arena::new(), 1);
    assert_eq!(all.len(), 1, "the kernel dropped it");
    assert_eq!(all[0].2, b"without");
}

#[test]
fn a_batch_is_full_then_short_then_empty() {
    let (sockets, address, _) =
        bind(Wrapping::Vxlan, "127.0.0.1:0".parse().unwrap(), 1, wishes(8 << 20)).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..=BATCH {
        sender.send_to(&[number as u8], address).unwrap();
    }
    let mut arena = Arena::new();
    assert!(wait_readable([sockets[0].fd()], LIMIT).unwrap());
    assert_eq!(arena.receive(sockets[0].fd()).unwrap(), BATCH);
    assert_eq!(
        arena.datagrams(BATCH).map(|d| d.payload[0]).collect::<Vec<_>>(),
        (0..BATCH as u8).collect::<Vec<_>>()
    );
    assert_eq!(arena.receive(sockets[0].fd()).unwrap(), 1);
    assert_eq!(arena.receive(sockets[0].fd()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    assert!(!wait_readable([sockets[0].fd()], Duration::from_millis(1)).unwrap());
}

#[test]
fn what_the_kernel_drops_is_counted_exactly_by_both_ways() {
    let (sockets, address, _) =
        bind(Wrapping::Vxlan, "127.0.0.1:0".parse().unwrap(), 1, wishes(64 << 10)).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let sent = 500u64;
    for _ in 0..sent {
        sender.send_to(&[0; 1400], address).unwrap();
    }
    let mut arena = Arena::new();
    let mut received = 0;
    while let Ok(count) = arena.receive(sockets[0].fd()) {
        received += count as u64;
    }
    let mut drops = DropCounter::default();
    drops.observe(batch::kernel_drops(sockets[0].fd()).unwrap());
    assert!(drops.total() > 0, "64 KiB cannot hold 500 datagrams of 1400 bytes");
    assert_eq!(received + drops.total(), sent);
    // The next datagram carries the same number.
    sender.send_to(&[0], address).unwrap();
    assert!(wait_readable([sockets[0].fd()], LIMIT).unwrap());
    let count = arena.receive(sockets[0].fd()).unwrap();
    assert_eq!(arena.datagrams(count).next().unwrap().drops.map(u64::from), Some(drops.total()));
}

#[test]
fn workers_share_the_port_and_a_second_collector_is_refused() {
    let (sockets, address, _) =
        bind(Wrapping::Vxlan, "127.0.0.1:0".parse().unwrap(), 3, wishes(1 << 20)).unwrap();
    assert_eq!(sockets.len(), 3);
    let error = bind(Wrapping::Vxlan, address, 1, wishes(1 << 20)).unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error:?}");
    assert!(error.to_string().contains(&address.to_string()));
}

#[test]
fn the_drop_counter_survives_wrapping_and_late_readings() {
    let mut drops = DropCounter::default();
    for (reading, total) in
        [(0, 0), (5, 5), (3, 5), (5, 5), (u32::MAX / 2, 0x7fff_ffff), (u32::MAX - 2, 0xffff_fffd)]
    {
        drops.observe(reading);
        assert_eq!(drops.total(), total);
    }
    drops.observe(1);
    assert_eq!(drops.total(), 0x1_0000_0001);
}

/// How many of `pairs` of datagrams, each pair from two outer ports, had both taken by one socket of the group.
fn kept_together(sockets: &[ReceiveSocket], address: SocketAddr, pairs: &[[Vec<u8>; 2]]) -> usize {
    let senders: Vec<UdpSocket> = (0..16).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let mut arena = Arena::new();
    let mut together = 0;
    for (number, pair) in pairs.iter().enumerate() {
        let mut takers = Vec::new();
        for (direction, payload) in pair.iter().enumerate() {
            senders[(number * 3 + direction * 7) % senders.len()].send_to(payload, address).unwrap();
            let taker = sockets.iter().position(|socket| arena.receive(socket.fd()).is_ok());
            takers.push(taker.expect("a datagram over the loopback is there once it is sent"));
        }
        together += usize::from(takers[0] == takers[1]);
    }
    together
}

#[test]
fn both_directions_of_a_flow_reach_one_socket_only_when_steered() {
    use enigma_test_support::packets::{ethernet, udp, vxlan};
    let pairs: Vec<[Vec<u8>; 2]> = (0..100)
        .map(|n| {
            let (a, b) = (format!("10.1.0.{n}:{}", 2000 + n), format!("[fd00::{n}]:{}", 2000 + n));
            let ends =
                if n % 2 == 0 { [a, "10.2.0.1:53".to_owned()] } else { [b, "[fd00:1::]:53".to_owned()] };
            let [from, to] = ends.map(|end| end.parse().unwrap());
            [[from, to], [to, from]].map(|[from, to]| vxlan(5, &ethernet(&udp(from, to, b"x"))))
        })
        .collect();
    let geneve: Vec<[Vec<u8>; 2]> = pairs
        .iter()
        .map(|pair| {
            pair.each_ref().map(|payload| {
                let inside =
                    udp("10.9.9.9:65400".parse().unwrap(), "10.8.8.8:4789".parse().unwrap(), payload);
                [&[0, 0, 8, 0, 0, 0, 0, 0][..], &inside].concat()
            })
        })
        .collect();
    let listen = "127.0.0.1:0".parse().unwrap();
    for (wrapping, pairs) in [(Wrapping::Vxlan, &pairs), (Wrapping::Geneve, &geneve)] {
        let (sockets, address, shortfalls) = bind(wrapping, listen, 4, wishes(1 << 20)).unwrap();
        if shortfalls.contains(&Shortfall::Steering) {
            enigma_test_support::skip::skip("kernel refuses SO_ATTACH_REUSEPORT_CBPF");
            return;
        }
        assert_eq!(kept_together(&sockets, address, pairs), pairs.len());
    }
    // The same traffic to a group without the program: this is what steering is for.
    let first = open(listen, true).unwrap();
    let address = first.local_addr().unwrap().as_socket().unwrap();
    let rest = (1..4).map(|_| open(address, true).unwrap());
    let sockets: Vec<ReceiveSocket> = std::iter::once(first)
        .chain(rest)
        .map(|socket| ReceiveSocket { socket, wrapping: Wrapping::Vxlan })
        .collect();
    let together = kept_together(&sockets, address, &pairs);
    assert!(together < pairs.len(), "without steering the kernel parted no flow");
}

#[test]
fn joined_datagrams_are_told_apart_again() {
    let wishes = Wishes { gro: true, ..wishes(8 << 20) };
    let (sockets, address, shortfalls) =
        bind(Wrapping::Vxlan, "127.0.0.1:0".parse().unwrap(), 1, wishes).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    // The sender's side of the same: one call, cut into datagrams of 1000 bytes on the way (udp(7), UDP_SEGMENT).
    let cut = batch::set_option(sender.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, 1_000);
    if shortfalls.contains(&Shortfall::Gro) || cut.is_err() {
        enigma_test_support::skip::skip("kernel without UDP GRO");
        return;
    }
    let sent: Vec<u8> = (0..4_321_u32).map(|n| n as u8).collect();
    sender.send_to(&sent, address).unwrap();
    batch::set_option(sender.as_fd(), libc::SOL_UDP, libc::UDP_SEGMENT, 0).unwrap();
    sender.send_to(b"", address).unwrap();
    let mut arena = Arena::new();
    let (mut slots, mut datagrams) = (0, Vec::new());
    while datagrams.len() < 6 && wait_readable([sockets[0].fd()], LIMIT).unwrap() {
        let count = arena.receive(sockets[0].fd()).unwrap();
        slots += count;
        for received in arena.datagrams(count) {
            datagrams.extend(received.datagrams().map(<[u8]>::to_vec));
        }
    }
    let expected: Vec<Vec<u8>> = sent.chunks(1_000).map(<[u8]>::to_vec).chain([Vec::new()]).collect();
    assert_eq!(datagrams, expected);
    assert_eq!(slots, 2, "five datagrams came in one slot, and the empty one in another");
}

#[test]
fn packets_gather_as_long_as_the_buffer_has_room_for_them() {
    // What is granted without a privilege, what overloads are tested with, and the default.
    for (buffer, expected) in [(212_992, 184), (2 << 20, 1_820), (64 << 20, 58_254)] {
        assert_eq!(longest_wait(buffer).as_micros(), expected, "{buffer}");
    }
    assert_eq!(longest_wait(0), Duration::ZERO);
    let wishes = Wishes { buffer: 64 << 10, steer: false, gro: false };
    let (sockets, _, _) = bind(Wrapping::Vxlan, "127.0.0.1:0".parse().unwrap(), 1, wishes).unwrap();
    assert!(sockets[0].longest_wait() < Duration::from_micros(60), "{:?}", sockets[0].longest_wait());
}
