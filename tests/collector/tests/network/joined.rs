//! Outer datagrams that the kernel does not hand over as they were sent: in fragments, or several joined into one.

use std::time::Duration;

use enigma_test_support::packets::{Capture, ethernet, udp};
use enigma_test_support::skip::skip;
use serde_json::Value;

use crate::collector::{Collector, program};
use crate::records::{read, sum};
use crate::topology::{Host, Outer, Topology};

/// A hundred flows of one packet that is larger than the network's MTU.
fn large() -> Capture {
    let mut capture = Capture::default();
    for n in 0..100_u16 {
        let [from, to] =
            [format!("10.1.0.1:{}", 40_000 + n), "10.2.0.1:9000".to_owned()].map(|end| end.parse().unwrap());
        capture.push(Duration::from_micros(n.into()), ethernet(&udp(from, to, &[7; 4_000])));
    }
    capture
}

/// Sends them in fragments; what the collector counted, and the bytes of all packets in its records.
fn in_fragments(outer: Outer, config: &str, rule: bool) -> Option<(Value, u64)> {
    let topology = match Topology::quiet() {
        Ok(topology) => topology,
        Err(why) => {
            skip(why);
            return None;
        }
    };
    if rule {
        topology.stop_before_udp();
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("large.pcap");
    large().write(&file).unwrap();
    let config = format!("shutdown.drain = \"0s\"\nreceive.listen = \"[::]:4789\"\n{config}");
    let collector = Collector::start(&topology, 4789, &config);
    let (to, source) = match outer {
        Outer::V4 => (format!("{}:4789", outer.collector()), "10.67.1.1"),
        Outer::V6 => (format!("[{}]:4789", outer.collector()), "fd67:1::1"),
    };
    let (send, file) = (program(), file.to_str().unwrap());
    let args = ["send", file, "--to", &to, "--vni", "7", "--source", source, "--rate", "2000"];
    topology.run(Host::A, send.to_str().unwrap(), &args);
    let status = collector.wait_status("all datagrams", |status| status["packets"]["received"] == 100);
    let ended = collector.stop();
    // A reason that nothing was dropped for is not named.
    let lost = status["packets"]["dropped"]["outer_fragment"].as_u64().unwrap_or(0);
    assert_eq!(ended.code, Some(if lost == 0 { 0 } else { 3 }), "what was lost is told: {}", ended.said);
    assert_eq!(ended.number("received"), ended.number("decoded") + ended.number("+ dropped"));
    let records = read(&ended.records());
    let bytes = records.get("conn").map_or(0, |conn| sum(conn, "orig_ip_bytes"));
    Some((status["packets"].clone(), bytes))
}

#[test]
fn fragments_are_put_together_for_sockets() {
    for outer in [Outer::V4, Outer::V6] {
        let Some((packets, bytes)) = in_fragments(outer, "", false) else { return };
        assert_eq!((&packets["decoded"], bytes), (&Value::from(100), 100 * 4_028), "{outer:?}: {packets}");
    }
}

#[test]
fn ipv4_fragments_are_put_together_for_rings() {
    for workers in [1, 2] {
        let config = format!("receive.mode = \"ring\"\nreceive.workers = {workers}\n");
        let Some((packets, bytes)) = in_fragments(Outer::V4, &config, true) else { return };
        assert_eq!((&packets["decoded"], bytes), (&Value::from(100), 100 * 4_028), "{workers}: {packets}");
    }
}

#[test]
fn ipv6_fragments_of_a_ring_are_counted_once_a_datagram() {
    let Some((packets, bytes)) = in_fragments(Outer::V6, "receive.mode = \"ring\"\n", true) else { return };
    assert_eq!((&packets["decoded"], bytes), (&Value::from(0), 0), "{packets}");
    assert_eq!(packets["dropped"]["outer_fragment"], 100);
}

#[test]
fn datagrams_that_the_kernel_joined_count_one_by_one() {
    let topology = match Topology::quiet() {
        Ok(topology) => topology,
        Err(why) => return skip(why),
    };
    let config = "shutdown.drain = \"0s\"\nreceive.gro = true\n";
    let collector = Collector::start(&topology, 4789, config);
    if collector.said().contains("no UDP GRO") {
        return skip("kernel has no UDP GRO (Linux 5.0)");
    }
    // 200 times 20 datagrams in one system call (UDP_SEGMENT), which travel and arrive as one packet of the kernel's.
    let script = "import socket, struct\n\
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.67.1.1', 0))\n\
        def one(n):\n\
        \x20   ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 128, 0, 0, 64, 17, 0, b'\\x0a\\1\\0\\1', b'\\x0a\\1\\0\\2')\n\
        \x20   udp = struct.pack('>4H', 1024 + n, 53, 108, 0)\n\
        \x20   return b'\\x08\\0\\0\\0\\0\\0\\7\\0' + bytes(12) + b'\\x08\\0' + ip + udp + bytes(100)\n\
        size = len(one(0))\n\
        for call in range(200):\n\
        \x20   data = b''.join(one(call * 20 + n) for n in range(20))\n\
        \x20   s.sendmsg([data], [(17, 103, struct.pack('=H', size))], 0, ('10.67.0.10', 4789))\n";
    topology.run(Host::A, "python3", &["-c", script]);
    let status = collector.wait_status("every datagram", |status| status["packets"]["received"] == 4_000);
    assert_eq!(
        (&status["packets"]["decoded"], &status["flows"]["now"]),
        (&4_000.into(), &4_000.into()),
        "{status}"
    );
    // What the socket was given: as many as there were calls, or nothing was joined and nothing is proved.
    let snmp = topology.run(Host::Collector, "cat", &["/proc/net/snmp"]);
    let udp: Vec<&str> = snmp.lines().filter(|line| line.starts_with("Udp:")).collect();
    let column = udp[0].split(' ').position(|name| name == "InDatagrams").unwrap();
    let given: u64 = udp[1].split(' ').nth(column).unwrap().parse().unwrap();
    assert!(given < 1_000, "4,000 datagrams came as {given}");
    let ended = collector.stop();
    assert_eq!((ended.code, read(&ended.records())["conn"].len()), (Some(0), 4_000), "{}", ended.said);
}

#[test]
fn extension_headers_around_ipv6_mirror_traffic_part_no_flow() {
    let topology = match Topology::quiet() {
        Ok(topology) => topology,
        Err(why) => return skip(why),
    };
    topology.stop_before_udp();
    let config = "shutdown.drain = \"0s\"\nreceive.listen = \"[::]:4789\"\nreceive.mode = \"ring\"\nreceive.workers = 2\n";
    let collector = Collector::start(&topology, 4789, config);
    // Both directions of a hundred flows, behind destination options, hop-by-hop options, both and none.
    let script = "import socket, struct\n\
        HOP, DST = 54, 59\n\
        pad = lambda units: bytes([0, units, 1, units * 8 + 4]) + bytes(units * 8 + 4)\n\
        def inner(n, back):\n\
        \x20   ends = [(b'\\x0a\\1\\0\\1', 1024 + n), (b'\\x0a\\1\\0\\2', 53)][::-1 if back else 1]\n\
        \x20   ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 28, 0, 0, 64, 17, 0, ends[0][0], ends[1][0])\n\
        \x20   return b'\\x08\\0\\0\\0\\0\\0\\7\\0' + bytes(12) + b'\\x08\\0' + ip + struct.pack('>4H', ends[0][1], ends[1][1], 8, 0)\n\
        for options in [[], [(DST, pad(0))], [(HOP, pad(2))], [(HOP, pad(0)), (DST, pad(1))]]:\n\
        \x20   s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); s.bind(('fd67:1::1', 0))\n\
        \x20   for option, value in options: s.setsockopt(socket.IPPROTO_IPV6, option, value)\n\
        \x20   for n in range(100):\n\
        \x20       for back in [False, True]: s.sendto(inner(n, back), ('fd67::10', 4789))\n";
    let script = script.replace("fd67::10", Outer::V6.collector());
    topology.run(Host::A, "python3", &["-c", &script]);
    let status = collector.wait_status("all datagrams", |status| status["packets"]["received"] == 800);
    assert_eq!(status["packets"]["decoded"], 800, "{status}");
    let ended = collector.stop();
    let conn = &read(&ended.records())["conn"];
    // A flow whose packets went to two workers would be two records.
    assert_eq!(
        (ended.code, conn.len(), sum(conn, "orig_pkts"), sum(conn, "resp_pkts")),
        (Some(0), 100, 400, 400)
    );
}
