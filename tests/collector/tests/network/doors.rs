//! Both doors of rings: VXLAN, and GENEVE around it as a Gateway Load Balancer sends it, each at an address of its own.

use std::net::SocketAddr;

use enigma_test_support::packets::{ethernet, udp, vxlan};
use enigma_test_support::skip::skip;

use crate::collector::Collector;
use crate::records::read;
use crate::topology::{COLLECTOR, Host, Topology};

/// Another address of the collector's host.
const BESIDE: &str = "10.67.1.254";

const FLOWS: u16 = 20;

/// Both directions of the flows of a session, as datagrams to the VXLAN door or the GENEVE door.
fn datagrams(vni: u32, is_geneve: bool) -> Vec<Vec<u8>> {
    let end = |text: String| text.parse::<SocketAddr>().unwrap();
    (0..FLOWS)
        .flat_map(|flow| {
            let ends = [end(format!("10.1.0.1:{}", 2_000 + flow)), end("10.2.0.1:9000".to_owned())];
            [(ends[0], ends[1]), (ends[1], ends[0])]
        })
        .map(|(from, to)| {
            let datagram = vxlan(vni, &ethernet(&udp(from, to, b"mirrored")));
            if !is_geneve {
                return datagram;
            }
            // The load balancer keeps the mirrored interface's own packet: IP, UDP and VXLAN are inside.
            let inside = udp(end("10.9.9.9:65400".to_owned()), end("10.8.8.8:4789".to_owned()), &datagram);
            [&[8, 0, 8, 0, 0, 0, 0, 0][..], &[1; 32], &inside].concat()
        })
        .collect()
}

#[test]
fn each_door_of_two_rings_takes_what_is_sent_to_its_own_address() {
    let topology = match Topology::quiet() {
        Ok(topology) => topology,
        Err(why) => return skip(why),
    };
    topology.stop_before_udp();
    let config = format!(
        "shutdown.drain = \"0s\"\nreceive.mode = \"ring\"\nreceive.workers = 2\nreceive.listen = \"{COLLECTOR}:4789\"\n\
         receive.geneve = \"{BESIDE}:6081\"\n"
    );
    let collector = Collector::start(&topology, 4789, &config);
    // First what nobody asked for, then what both doors are for.
    let mut lines = String::new();
    for (address, port, vni, is_geneve) in [
        (BESIDE, 4789, 1, false),
        (COLLECTOR, 6081, 2, true),
        (COLLECTOR, 4789, 7, false),
        (BESIDE, 6081, 8, true),
    ] {
        for datagram in datagrams(vni, is_geneve) {
            let bytes: String = datagram.iter().map(|byte| format!("{byte:02x}")).collect();
            lines += &format!("{address} {port} {bytes}\n");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("datagrams");
    std::fs::write(&file, lines).unwrap();
    let script = "import socket, sys\n\
                  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                  for line in open(sys.argv[1]):\n    \
                  address, port, data = line.split()\n    \
                  s.sendto(bytes.fromhex(data), (address, int(port)))\n";
    topology.run(Host::A, "python3", &["-c", script, file.to_str().unwrap()]);
    let all = 2 * 2 * u64::from(FLOWS);
    collector.wait_status("both doors' packets", |status| status["packets"]["received"] == all);
    let ended = collector.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    assert!(!ended.said.contains("through a ring"), "rings, and not sockets: {}", ended.said);
    assert_eq!((ended.number("received"), ended.number("decoded")), (all, all), "{}", ended.said);
    let records = &read(&ended.records())["conn"];
    for (vni, source) in [(7, "10.67.1.1"), (8, "10.9.9.9")] {
        let flows: Vec<_> = records.iter().filter(|record| record["enigma.vni"] == vni).collect();
        assert_eq!(flows.len(), usize::from(FLOWS), "both directions in one record: {records:?}");
        for flow in flows {
            assert_eq!((&flow["orig_pkts"], &flow["resp_pkts"]), (&1.into(), &1.into()), "{flow:?}");
            assert_eq!(flow["enigma.source_ip"], source);
        }
    }
    assert_eq!(records.len(), 2 * usize::from(FLOWS));
}
