use std::net::SocketAddr;

use enigma_test_support::packets::{Segment, ethernet, ethernet_vlan, flags, ip, tcp, udp, vxlan};

use super::*;

/// The machine by its description (McCanne and Jacobson; Linux Documentation/networking/filter.rst), as far as the
/// program uses it. Stricter than the kernel: a load beyond the end is a mistake here, not an answer.
fn run(program: &[Instruction], payload: &[u8]) -> u32 {
    let (mut a, mut x, mut cells, mut at) = (0_u32, 0_u32, [0_u32; 16], 0_usize);
    let load = |offset: u32, bytes: usize| {
        let offset = offset as usize;
        let found = payload.get(offset..offset + bytes).unwrap_or_else(|| {
            panic!("instruction reads {bytes} bytes at {offset} of a payload of {}", payload.len())
        });
        found.iter().fold(0_u32, |value, byte| value << 8 | u32::from(*byte))
    };
    loop {
        let Instruction { code, jt, jf, k } = program[at];
        at += 1;
        let mut branch = |condition: bool| at += usize::from(if condition { jt } else { jf });
        match u32::from(code) {
            LD_LENGTH => a = payload.len() as u32,
            LD_BYTE => a = load(x.wrapping_add(k), 1),
            LD_HALF => a = load(x.wrapping_add(k), 2),
            LD_WORD => a = load(x.wrapping_add(k), 4),
            LD_VALUE => a = k,
            LD_CELL => a = cells[k as usize],
            LDX_CELL => x = cells[k as usize],
            STORE => cells[k as usize] = a,
            TO_X => x = a,
            ADD => a = a.wrapping_add(k),
            ADD_X => a = a.wrapping_add(x),
            XOR_X => a ^= x,
            AND => a &= k,
            MULTIPLY => a = a.wrapping_mul(k),
            REMAINDER => a %= k,
            LEFT => a <<= k,
            RIGHT => a >>= k,
            IF_EQUAL => branch(a == k),
            IF_BITS => branch(a & k != 0),
            IF_AT_LEAST => branch(a >= k),
            IF_MORE_X => branch(a > x),
            ALWAYS => at += k as usize,
            RETURN => return k,
            RETURN_A => return a,
            other => panic!("unknown code {other:#x}"),
        }
    }
}

const WORKERS: u32 = 7;

fn steer(payload: &[u8]) -> u32 {
    run(&program(Wrapping::Vxlan, WORKERS), payload)
}

/// GENEVE with 32 bytes of options, as a Gateway Load Balancer sends it, around the datagram.
fn geneve(outer: [&str; 2], payload: &[u8]) -> Vec<u8> {
    let [from, to] = outer.map(|address| address.parse::<SocketAddr>().unwrap());
    let kind: [u8; 2] = if from.is_ipv4() { [0x08, 0x00] } else { [0x86, 0xdd] };
    [&[8, 0][..], &kind, &[0; 4], &[1; 32], &udp(from, to, payload)].concat()
}

/// What the same choice without the kernel says.
fn chosen(wrapping: Wrapping, payload: &[u8]) -> u32 {
    choose(wrapping, payload, WORKERS as usize).map_or(NO_CHOICE, |worker| worker as u32)
}

/// The packet with destination options in front of what it has, so many times; IPv4 as it is.
fn extended(packet: &[u8], times: u8) -> Vec<u8> {
    let mut whole = packet.to_vec();
    if packet[0] >> 4 == 6 {
        for units in 0..times {
            let header = [&[whole[6], units][..], &vec![0; 6 + usize::from(units) * 8]].concat();
            whole.splice(40..40, header);
            whole[6] = 60;
        }
    }
    whole
}

const PAIRS: [[&str; 2]; 4] = [
    ["10.1.0.1:40000", "10.1.0.2:53"],
    ["172.31.255.1:1", "10.0.0.2:65535"],
    ["[fd00::1]:40000", "[fd00::2]:53"],
    ["[2001:db8:1:2:3:4:5:6]:443", "[fe80::1]:50000"],
];

fn both_ways(pair: [&str; 2]) -> [[SocketAddr; 2]; 2] {
    let [from, to] = pair.map(|end| end.parse().unwrap());
    [[from, to], [to, from]]
}

#[test]
fn both_directions_of_a_flow_get_one_worker_however_they_are_wrapped() {
    for pair in PAIRS {
        let mut answers = Vec::new();
        for [from, to] in both_ways(pair) {
            let segment = Segment { seq: 1, ack: 0, flags: flags::SYN, payload: b"" };
            for packet in [udp(from, to, b"x"), tcp(from, to, &segment)] {
                let tagged = ethernet_vlan(7, &packet);
                let twice = [&tagged[..12], &[0x88, 0xa8, 0, 9], &tagged[12..]].concat();
                for frame in [ethernet(&packet), tagged, twice] {
                    for vni in [1, 0xff_ffff] {
                        let datagram = vxlan(vni, &frame);
                        answers.push(steer(&datagram));
                        answers.push(chosen(Wrapping::Vxlan, &datagram));
                        for outer in [["10.9.9.9:65400", "10.8.8.8:4789"], ["[fd09::9]:1", "[fd08::8]:4789"]]
                        {
                            let program = program(Wrapping::Geneve, WORKERS);
                            let inside = geneve(outer, &datagram);
                            answers.push(run(&program, &inside));
                            answers.push(chosen(Wrapping::Geneve, &inside));
                            // As whole packets, to either port.
                            let [from, to] = outer.map(|end| end.parse::<SocketAddr>().unwrap());
                            let program = self::program(Wrapping::Packet, WORKERS);
                            for (port, payload) in [(4789, &datagram), (6081, &inside)] {
                                let packet = udp(from, SocketAddr::new(to.ip(), port), payload);
                                for packet in [extended(&packet, 1), extended(&packet, 3), packet] {
                                    answers.push(run(&program, &packet));
                                    answers.push(chosen(Wrapping::Packet, &packet));
                                }
                            }
                        }
                    }
                }
            }
        }
        assert!(answers[0] < WORKERS, "{pair:?} has a worker");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{pair:?}: {answers:?}");
    }
}

#[test]
fn ip_options_do_not_hide_the_ports() {
    let [from, to] = both_ways(PAIRS[0])[0];
    let plain = udp(from, to, b"x");
    let mut with_options = plain.clone();
    with_options[0] = 0x47;
    with_options.splice(20..20, [1; 8]);
    assert_eq!(steer(&vxlan(5, &ethernet(&with_options))), steer(&vxlan(5, &ethernet(&plain))));
}

#[test]
fn fragments_and_other_protocols_go_by_addresses() {
    let [a, b] = PAIRS[0].map(|end| end.parse::<SocketAddr>().unwrap().ip());
    let expected = steer(&vxlan(5, &ethernet(&ip(a, b, 1, &[8, 0, 0, 0, 0, 1, 0, 1]))));
    assert!(expected < WORKERS);
    for (from, to) in [(a, b), (b, a)] {
        for (head, payload) in [(true, [1, 2, 3, 4, 0, 8, 0, 0]), (false, [9; 8])] {
            let mut fragment = ip(from, to, 17, &payload);
            fragment[6..8].copy_from_slice(&if head { [0x20, 0] } else { [0, 100] });
            assert_eq!(steer(&vxlan(5, &ethernet(&fragment))), expected);
            assert_eq!(chosen(Wrapping::Vxlan, &vxlan(5, &ethernet(&fragment))), expected);
        }
        assert_eq!(steer(&vxlan(5, &ethernet(&ip(from, to, 50, &[])))), expected);
        assert_eq!(chosen(Wrapping::Vxlan, &vxlan(5, &ethernet(&ip(from, to, 50, &[])))), expected);
    }
    // An IPv6 fragment header is no port, head or tail.
    let [a, b] = PAIRS[2].map(|end| end.parse::<SocketAddr>().unwrap().ip());
    let fragments: Vec<u32> = [0_u8, 1]
        .map(|word| steer(&vxlan(5, &ethernet(&ip(a, b, 44, &[17, 0, word, word, 1, 2, 3, 4])))))
        .to_vec();
    assert_eq!(fragments[0], fragments[1]);
}

/// `frame` in every wrapping, each with its program.
fn wrapped(frame: &[u8]) -> Vec<(Wrapping, Vec<u8>)> {
    let plain = vxlan(5, frame);
    let mut all = vec![(Wrapping::Vxlan, plain.clone())];
    for outer in [["10.9.9.9:65400", "10.8.8.8:4789"], ["[fd09::9]:1", "[fd08::8]:4789"]] {
        let inside = geneve(outer, &plain);
        let [from, to] = outer.map(|end| end.parse::<SocketAddr>().unwrap());
        all.push((Wrapping::Packet, udp(from, to, &plain)));
        all.push((Wrapping::Packet, udp(from, SocketAddr::new(to.ip(), 6081), &inside)));
        all.push((Wrapping::Geneve, inside));
    }
    all
}

/// What the program says, which must be what the choice without it says.
fn agreed(wrapping: Wrapping, program: &[Instruction], payload: &[u8]) -> u32 {
    let answer = run(program, payload);
    assert_eq!(answer, chosen(wrapping, payload), "{wrapping:?} {payload:02x?}");
    assert!(answer < WORKERS || answer == NO_CHOICE && wrapping != Wrapping::Packet);
    answer
}

#[test]
fn tunnels_with_a_source_port_of_their_own_go_by_addresses() {
    // What is inside is a flow of the table, too, and its two directions lie in two packets whose only common ground
    // is the pair of hosts.
    for port in [4789, 6081, 4754, 2152] {
        for pair in [["10.0.0.1", "10.0.0.2"], ["fd00::1", "fd00::2"]] {
            let [a, b] = pair.map(|host| host.parse::<std::net::IpAddr>().unwrap());
            let mut answers = Vec::new();
            for (from, to, source) in [(a, b, 51_234), (b, a, 60_011), (a, b, port)] {
                let packet = udp(SocketAddr::new(from, source), SocketAddr::new(to, port), b"inside");
                for (wrapping, payload) in wrapped(&ethernet(&packet)) {
                    answers.push(agreed(wrapping, &program(wrapping, WORKERS), &payload));
                }
            }
            assert!(answers.iter().all(|answer| *answer == answers[0]), "{port} {pair:?}: {answers:?}");
        }
    }
}

#[test]
fn what_is_not_ip_goes_by_its_ethernet_addresses() {
    let [one, two] = [[2, 0, 0, 0, 7, 1], [2, 0, 0, 9, 0, 2]];
    let labelled =
        [&[0, 1, 0x01, 64][..], &udp("10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap(), b"")];
    for (kind, payload) in
        [([0x88, 0x47], labelled.concat()), ([0x08, 0x06], vec![0; 46]), ([0x88, 0x64], vec![1; 9])]
    {
        let mut answers = Vec::new();
        for (from, to) in [(one, two), (two, one)] {
            for tags in 0..4 {
                let tags = [0x81, 0, 0, 7].repeat(tags);
                let frame = [&to[..], &from, &tags, &kind, &payload].concat();
                for (wrapping, payload) in wrapped(&frame) {
                    answers.push(agreed(wrapping, &program(wrapping, WORKERS), &payload));
                }
            }
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{kind:02x?}: {answers:?}");
    }
}

#[test]
fn what_ends_too_early_is_left_to_the_kernel_or_spread_by_its_outer_header() {
    for pair in PAIRS {
        let [from, to] = both_ways(pair)[0];
        for (wrapping, payload) in wrapped(&ethernet_vlan(3, &udp(from, to, b""))) {
            let program = program(wrapping, WORKERS);
            assert!(agreed(wrapping, &program, &payload) < WORKERS);
            // Ports end four bytes before the UDP header does.
            for cut in 0..payload.len() - 4 {
                let answer = agreed(wrapping, &program, &payload[..cut]);
                assert_eq!(answer == NO_CHOICE, wrapping != Wrapping::Packet, "{wrapping:?} cut at {cut}");
            }
        }
    }
    // Behind tags, too: as many as are stepped over, and one more.
    for tags in 1..4 {
        let frame = [&[2; 12][..], &[0x88, 0xa8, 0, 9].repeat(tags), &[0x08, 0], &[0x45; 40]].concat();
        for (wrapping, payload) in wrapped(&frame) {
            let program = program(wrapping, WORKERS);
            for cut in 0..=payload.len() {
                agreed(wrapping, &program, &payload[..cut]);
            }
        }
    }
    // One worker must not get all of it where the kernel takes the remainder.
    let program = program(Wrapping::Packet, WORKERS);
    let workers: std::collections::BTreeSet<u32> = (0..200_u8)
        .map(|host| {
            udp(format!("10.0.0.{host}:9").parse().unwrap(), "10.0.0.2:4789".parse().unwrap(), b"cut")
        })
        .map(|packet| agreed(Wrapping::Packet, &program, &packet))
        .collect();
    assert_eq!(workers.len(), WORKERS as usize);
}

#[test]
fn flows_spread_evenly() {
    // Clients of one resolver, connections of one pair of hosts, and hosts of one subnet that each talk once.
    let mut shapes: [Vec<Vec<u8>>; 3] = Default::default();
    for n in 0..2_000_u16 {
        let port = 20_000 + n;
        let host = format!("10.1.{}.{}", n / 250, n % 250 + 1);
        for (shape, from, to) in [
            (0, format!("{host}:{port}"), "10.1.0.2:53"),
            (1, format!("10.1.0.1:{port}"), "10.1.0.9:443"),
            (2, format!("{host}:123"), "10.2.0.1:123"),
        ] {
            shapes[shape].push(vxlan(5, &ethernet(&udp(from.parse().unwrap(), to.parse().unwrap(), b""))));
        }
    }
    for (number, payloads) in shapes.iter().enumerate() {
        for workers in [2, 4, 7, 64] {
            let program = program(Wrapping::Vxlan, workers);
            let mut counts = vec![0_u32; workers as usize];
            for payload in payloads {
                counts[run(&program, payload) as usize] += 1;
            }
            let fair = 2_000 / workers;
            let most = counts.iter().max().unwrap();
            // Five standard deviations of a fair throw.
            let allowed = fair + 5 * fair.isqrt() + 5;
            assert!(*most <= allowed, "shape {number}, {workers} workers: {counts:?}");
        }
    }
}

#[test]
fn no_payload_reads_beyond_itself_and_both_ways_of_choosing_agree_on_each() {
    // Every byte of a real packet set to values that mean lengths, versions and types.
    let [from, to] = both_ways(PAIRS[0])[0];
    for wrapping in Wrapping::ALL {
        let program = program(wrapping, WORKERS);
        let inner = vxlan(5, &ethernet_vlan(3, &udp(from, to, b"")));
        let inside = geneve(["10.9.9.9:1", "10.8.8.8:4789"], &inner);
        let whole = match wrapping {
            Wrapping::Vxlan => inner,
            Wrapping::Geneve => inside,
            Wrapping::Packet => udp("10.0.0.1:1".parse().unwrap(), "10.0.0.2:6081".parse().unwrap(), &inside),
        };
        let with_headers =
            extended(&udp("[fd00::1]:1".parse().unwrap(), "[fd00::2]:6081".parse().unwrap(), &whole), 3);
        let others = if wrapping == Wrapping::Packet { with_headers } else { Vec::new() };
        for (whole, at) in
            [&whole, &others].into_iter().flat_map(|whole| (0..whole.len()).map(move |at| (whole, at)))
        {
            for value in 0..=u8::MAX {
                let mut payload = whole.clone();
                payload[at] = value;
                agreed(wrapping, &program, &payload);
                // The second of two changes often decides what the first one means.
                payload.truncate(whole.len() - usize::from(value) % 24);
                agreed(wrapping, &program, &payload);
            }
        }
    }
}
