use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use enigma_test_support::packets::udp;

use super::super::batch::wait_readable;
use super::*;

const LIMIT: Duration = Duration::from_secs(10);

/// The machine of classic BPF as far as the filter uses it; a load beyond the end refuses, as in the kernel.
fn run(program: &[libc::sock_filter], packet: &[u8]) -> u32 {
    let (mut a, mut x, mut aside, mut at) = (0_u32, 0_u32, 0_u32, 0);
    loop {
        let step = program[at];
        at += 1;
        let load = |offset: u32, bytes: usize| {
            if offset == (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE) as u32 {
                // To this host.
                return Some(0);
            }
            let found = packet.get(offset as usize..offset as usize + bytes)?;
            Some(found.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte)))
        };
        let loaded = match u32::from(step.code) {
            code if code == libc::BPF_LD | libc::BPF_B | libc::BPF_ABS => load(step.k, 1),
            code if code == libc::BPF_LD | libc::BPF_H | libc::BPF_ABS => load(step.k, 2),
            code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => load(step.k, 4),
            code if code == libc::BPF_LD | libc::BPF_B | libc::BPF_IND => load(x + step.k, 1),
            code if code == libc::BPF_LD | libc::BPF_H | libc::BPF_IND => load(x + step.k, 2),
            code if code == libc::BPF_LD | libc::BPF_MEM => Some(aside),
            code if code == libc::BPF_ST => {
                aside = a;
                continue;
            }
            code if code == libc::BPF_LDX | libc::BPF_IMM => {
                x = step.k;
                continue;
            }
            code if code == libc::BPF_MISC | libc::BPF_TAX => {
                x = a;
                continue;
            }
            code if code == libc::BPF_ALU | libc::BPF_ADD | libc::BPF_K => Some(a + step.k),
            code if code == libc::BPF_ALU | libc::BPF_ADD | libc::BPF_X => Some(a + x),
            code if code == libc::BPF_ALU | libc::BPF_LSH | libc::BPF_K => Some(a << step.k),
            code if code == libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH => {
                let Some(byte) = load(step.k, 1) else { return 0 };
                x = (byte & 0xf) * 4;
                continue;
            }
            code if code == libc::BPF_ALU | libc::BPF_RSH | libc::BPF_K => Some(a >> step.k),
            code if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => {
                at += usize::from(if a == step.k { step.jt } else { step.jf });
                continue;
            }
            code if code == libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K => {
                at += usize::from(if a & step.k != 0 { step.jt } else { step.jf });
                continue;
            }
            code if code == libc::BPF_RET | libc::BPF_K => return step.k,
            other => panic!("unknown code {other:#x}"),
        };
        let Some(value) = loaded else { return 0 };
        a = value;
    }
}

fn to(destination: &str) -> Vec<u8> {
    let to: SocketAddr = destination.parse().unwrap();
    let from = if to.is_ipv4() { "10.0.0.9:4789" } else { "[fd00::9]:4789" };
    udp(from.parse().unwrap(), to, b"x")
}

fn at(address: IpAddr, ports: &[u16]) -> Vec<libc::sock_filter> {
    let doors: Vec<SocketAddr> = ports.iter().map(|port| SocketAddr::new(address, *port)).collect();
    filter::program(&doors)
}

#[test]
fn each_door_has_an_address_of_its_own() {
    let addresses =
        ["::", "0.0.0.0", "10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"].map(|text| text.parse().unwrap());
    let takes = |door: IpAddr, packet: &str| {
        let to: SocketAddr = packet.parse().unwrap();
        let is_wide = door.is_unspecified() && (door.is_ipv6() || to.is_ipv4());
        is_wide || door == to.ip()
    };
    for (vxlan, geneve) in addresses.iter().flat_map(|one| addresses.iter().map(move |two| (*one, *two))) {
        let program = filter::program(&[SocketAddr::new(vxlan, 4789), SocketAddr::new(geneve, 6081)]);
        assert!(program.len() < 255, "as far as a jump reaches: {}", program.len());
        for host in ["10.0.0.1", "10.0.0.2", "10.0.0.3", "[fd00::1]", "[fd00::2]", "[fd00::3]"] {
            for (port, door) in [(4789, Some(vxlan)), (6081, Some(geneve)), (4790, None)] {
                let destination = format!("{host}:{port}");
                let expected = door.is_some_and(|door| takes(door, &destination));
                let packet = to(&destination);
                let found = run(&program, &packet) > 65_535;
                assert_eq!(found, expected, "{vxlan} {geneve}: {destination}");
                if packet[0] >> 4 == 6 {
                    let found = run(&program, &extended(&packet, &[(0, 0), (60, 1)])) > 65_535;
                    assert_eq!(found, expected, "{vxlan} {geneve}: {destination} behind extension headers");
                }
            }
        }
    }
}

#[test]
fn the_filter_takes_whole_datagrams_to_its_ports_and_address_only() {
    let any: IpAddr = "::".parse().unwrap();
    let cases = [
        (any, "10.0.0.1:4789", true),
        (any, "10.0.0.1:6081", true),
        (any, "10.0.0.1:4788", false),
        (any, "[fd00::1]:4789", true),
        (any, "[fd00::1]:6081", true),
        (any, "[fd00::1]:53", false),
        ("0.0.0.0".parse().unwrap(), "10.0.0.1:4789", true),
        ("0.0.0.0".parse().unwrap(), "[fd00::1]:4789", false),
        ("10.0.0.1".parse().unwrap(), "10.0.0.1:4789", true),
        ("10.0.0.1".parse().unwrap(), "10.0.0.2:4789", false),
        ("10.0.0.1".parse().unwrap(), "[fd00::1]:4789", false),
        ("fd00::1".parse().unwrap(), "[fd00::1]:4789", true),
        ("fd00::1".parse().unwrap(), "[fd01::1]:4789", false),
        ("fd00::1".parse().unwrap(), "10.0.0.1:4789", false),
    ];
    for (address, destination, expected) in cases {
        let program = at(address, &[4789, 6081]);
        let packet = to(destination);
        assert_eq!(run(&program, &packet) > 65_535, expected, "{address} {destination}");
        for cut in 0..packet.len() - 5 {
            assert_eq!(run(&program, &packet[..cut]), 0, "{destination} cut at {cut}");
        }
    }
    let vxlan_only = at(any, &[4789]);
    assert_eq!(run(&vxlan_only, &to("10.0.0.1:6081")), 0);
    // Options move the ports; fragments and other protocols are left out.
    let mut packet = to("10.0.0.1:4789");
    packet[0] = 0x46;
    packet.splice(20..20, [1; 4]);
    assert!(run(&vxlan_only, &packet) > 0);
    for (at, value) in [(6, 0x20), (7, 1), (9, 6)] {
        let mut packet = to("10.0.0.1:4789");
        packet[at] = value;
        assert_eq!(run(&vxlan_only, &packet), 0, "byte {at}");
    }
    assert_eq!(run(&[filter::REFUSE], &to("10.0.0.1:4789")), 0);
    // Of IPv6 fragments the first is taken, to be counted; of the others nobody can tell the port.
    let whole = to("[fd00::1]:4789");
    for (offset, port, protocol, expected) in
        [(0, 4789_u16, 17, true), (0, 4790, 17, false), (0, 4789, 6, false), (8, 4789, 17, false)]
    {
        let mut fragment = [&whole[..40], &[protocol, 0, 0, offset | 1, 1, 2, 3, 4], &whole[40..]].concat();
        fragment[6] = 44;
        fragment[50..52].copy_from_slice(&port.to_be_bytes());
        for address in [any, "fd00::1".parse().unwrap()] {
            let program = at(address, &[4789]);
            assert_eq!(run(&program, &fragment) > 65_535, expected, "{offset} {port} {protocol} {address}");
            assert!(is_fragment(&fragment) && !is_fragment(&whole));
        }
        assert_eq!(run(&at("fd00::2".parse().unwrap(), &[4789]), &fragment), 0);
    }
    assert!(!is_fragment(&to("10.0.0.1:4789")) && !is_fragment(b""));
}

/// An IPv6 packet with these extension headers, kind and length in units of eight bytes, in front of what it had.
fn extended(packet: &[u8], headers: &[(u8, u8)]) -> Vec<u8> {
    let mut whole = packet[..40].to_vec();
    let mut kinds = headers.iter().map(|header| header.0).chain([packet[6]]);
    whole[6] = kinds.next().unwrap();
    for ((_, units), next) in headers.iter().zip(kinds) {
        whole.extend([next, *units]);
        whole.extend(vec![0; 6 + usize::from(*units) * 8]);
    }
    whole.extend(&packet[40..]);
    whole
}

#[test]
fn the_filter_steps_over_three_extension_headers_and_cut_ones_are_left_out() {
    let any: IpAddr = "::".parse().unwrap();
    let program = at(any, &[4789, 6081]);
    let whole = to("[fd00::1]:6081");
    let mut fragment = [&whole[..40], &[17, 0, 0, 1, 1, 2, 3, 4], &whole[40..]].concat();
    fragment[6] = 44;
    for headers in [&[(0, 0)][..], &[(60, 3)], &[(43, 255), (60, 0)], &[(0, 1), (43, 2), (60, 4)]] {
        for (packet, is_first) in [(&whole, false), (&fragment, true)] {
            let packet = extended(packet, headers);
            assert!(run(&program, &packet) > 65_535, "{headers:?}");
            assert_eq!(is_fragment(&packet), is_first, "{headers:?}");
            for cut in 0..packet.len() - 5 {
                assert_eq!(run(&program, &packet[..cut]), 0, "{headers:?} cut at {cut}");
                is_fragment(&packet[..cut]);
            }
            assert_eq!(run(&at("fd00::2".parse().unwrap(), &[6081]), &packet), 0);
        }
        let elsewhere = extended(&to("[fd00::1]:53"), headers);
        assert_eq!(run(&program, &elsewhere), 0);
    }
    // Four of them, and kinds that are not stepped over: no next header, mobility, encryption.
    let four = extended(&whole, &[(0, 0), (60, 0), (43, 0), (60, 0)]);
    assert_eq!(run(&program, &four), 0);
    assert!(!is_fragment(&extended(&fragment, &[(0, 0), (60, 0), (43, 0), (60, 0)])));
    for kind in [59, 135, 50, 51] {
        assert_eq!(run(&program, &extended(&whole, &[(kind, 0)])), 0, "{kind}");
    }
}

/// A block with these packets, as the kernel lays it out.
fn block(packets: &[&[u8]]) -> Vec<u8> {
    let mut block = vec![0; 48];
    block[12..16].copy_from_slice(&(packets.len() as u32).to_ne_bytes());
    block[16..20].copy_from_slice(&48_u32.to_ne_bytes());
    for (number, packet) in packets.iter().enumerate() {
        let next = (48 + packet.len()).next_multiple_of(8);
        let mut header = vec![0; next];
        let words = [next as u32, 100 + number as u32, 7, packet.len() as u32, packet.len() as u32 + 3];
        for (at, value) in words.iter().enumerate() {
            header[at * 4..at * 4 + 4].copy_from_slice(&value.to_ne_bytes());
        }
        header[26..28].copy_from_slice(&48_u16.to_ne_bytes());
        header[48..48 + packet.len()].copy_from_slice(packet);
        block.extend(header);
    }
    block
}

fn read(block: &[u8]) -> Vec<(i64, Vec<u8>, u32)> {
    let mut all = Vec::new();
    let count =
        frames(block, &mut |frame: Frame<'_>| all.push((frame.at, frame.data.to_vec(), frame.wire_len)));
    assert_eq!(count, all.len() as u64);
    all
}

#[test]
fn blocks_are_read_by_their_headers_and_never_beyond_their_end() {
    let whole = block(&[b"one", b"", b"three three three"]);
    let expected = [(100, &b"one"[..]), (101, b""), (102, b"three three three")];
    let expected: Vec<_> = expected
        .iter()
        .map(|(at, data)| (*at * 1_000_000_000 + 7, data.to_vec(), data.len() as u32 + 3))
        .collect();
    assert_eq!(read(&whole), expected);
    assert_eq!(read(&block(&[])), []);
    for cut in 0..whole.len() {
        let some = read(&whole[..cut]);
        assert_eq!(some[..], expected[..some.len()]);
    }
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            drop(read(&damaged));
        }
    }
}

#[test]
fn what_comes_in_by_an_interface_is_in_the_ring_once_and_whole() {
    let tap = Tap { interface: "lo", doors: &["127.0.0.1:4789".parse().unwrap()], buffer: 8 << 20 };
    let mut rings = match open(&tap, 1) {
        Ok(rings) => rings,
        Err(RingError::NotAllowed) => {
            enigma_test_support::skip::skip("packet sockets need CAP_NET_RAW");
            return;
        }
        Err(error) => panic!("{error:?}"),
    };
    let ring = &mut rings[0];
    // The port of nobody: a ring sees packets whether or not a socket listens. A mark of our own tells them from those
    // of other tests on this host.
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mark = sender.local_addr().unwrap().port();
    for number in 0..100_u16 {
        let payload =
            [&mark.to_be_bytes()[..], &number.to_be_bytes(), &vec![7; usize::from(number) * 90]].concat();
        drop(sender.send_to(&payload, "127.0.0.1:4789"));
        drop(sender.send_to(&payload, "127.0.0.1:4790"));
    }
    let mut seen = Vec::new();
    while seen.len() < 100 && wait_readable([ring.fd()], LIMIT).unwrap() {
        ring.take(|frame| {
            let ours = frame.data.get(28..30) == Some(&mark.to_be_bytes()[..]);
            if ours && frame.data[20..22] == mark.to_be_bytes() {
                assert_eq!(frame.wire_len as usize, frame.data.len());
                assert!(frame.at > 1_700_000_000_000_000_000);
                seen.push((u16::from_be_bytes([frame.data[30], frame.data[31]]), frame.data.len()));
            }
        });
    }
    let expected: Vec<_> = (0..100_u16).map(|number| (number, 28 + 4 + usize::from(number) * 90)).collect();
    assert_eq!(seen, expected);
    // Behind a closed gate nothing comes any more.
    ring.close_gate().unwrap();
    drop(sender.send_to(&mark.to_be_bytes(), "127.0.0.1:4789"));
    while wait_readable([ring.fd()], Duration::from_millis(50)).unwrap() {
        ring.take(|frame| assert_ne!(frame.data[20..22], mark.to_be_bytes()));
    }
    assert_eq!(ring.drops(), 0);
}

#[test]
fn an_interface_that_is_not_there_is_a_mistake() {
    let tap = Tap { interface: "nobody0", doors: &["[::]:4789".parse().unwrap()], buffer: 1 << 20 };
    let Err(error) = open(&tap, 1) else { panic!("no such interface") };
    assert!(error.is_mistake() && error.to_string().contains("nobody0"), "{error}");
}
