//! More than the collector can take, and what is not for it: every packet is accounted for, health tells, and what comes
//! afterwards is recorded as ever. The kernel's scheduler makes the overload: the collector shares one processor with
//! senders that are nicer to nobody.

use std::process::Command;

use enigma_test_support::packets::{Capture, ethernet, udp};
use enigma_test_support::process::{Running, Signal, Stream};
use enigma_test_support::skip::skip;
use enigma_test_support::wait;
use serde_json::Value;

use crate::collector::{Collector, program};
use crate::records::read;
use crate::topology::{COLLECTOR, Host, Topology};
use crate::traffic::LIMIT;

/// A thousand packets of as many flows.
fn flows(from: &str) -> Capture {
    let mut capture = Capture::default();
    for n in 0..1_000_u16 {
        let [from, to] =
            [format!("{from}:{}", 40_000 + n), "10.2.0.1:9000".to_owned()].map(|end| end.parse().unwrap());
        capture.push(std::time::Duration::from_micros(n.into()), ethernet(&udp(from, to, &[7; 1_200])));
    }
    capture
}

/// The program's own sender on a workload, from the address that its session has.
fn sender(topology: &Topology, capture: &str, vni: &str, times: &str) -> Command {
    let to = format!("{COLLECTOR}:4789");
    let send = program();
    let args = ["send", capture, "--to", &to, "--vni", vni, "--source", "10.67.1.1", "--loop", times];
    topology.pinned(Host::A, send.to_str().unwrap(), &args)
}

/// Datagrams that `send` says it has sent.
fn sent_by(said: &str) -> u64 {
    let number = said.split_once("sent ").and_then(|(_, rest)| rest.split_once(" datagrams"));
    number.unwrap_or_else(|| panic!("no account: {said}")).0.parse().unwrap()
}

fn overload(mode: &str, rule: bool) {
    let topology = match Topology::quiet() {
        Ok(topology) => topology,
        Err(why) => return skip(why),
    };
    if rule {
        topology.stop_before_udp();
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flows.pcap");
    flows("10.1.0.1").write(&file).unwrap();
    let file = file.to_str().unwrap();
    let config = format!(
        "shutdown.drain = \"0s\"\nreceive.buffer = \"2MiB\"\nreceive.mode = \"{mode}\"\nhealth.window = \"3s\"\n\
         receive.allow.vnis = [7, 8]\n"
    );
    let kept = tempfile::tempdir().unwrap();
    // The least of the scheduler's weights, on the senders' processor: the senders get nearly all of it.
    let collector = Collector::start_in(&topology, 4789, &config, kept, |words| {
        let mut slow: Vec<String> = ["nice", "-n", "19", "taskset", "-c", "0"].map(str::to_owned).to_vec();
        slow.extend(words);
        slow
    });
    // They send until they are told to stop, and that is when somebody was told to send elsewhere: a collector that only
    // tells afterwards, when it has time again, keeps this waiting for ever.
    let mut senders: Vec<Running> =
        (0..2).map(|_| Running::start(sender(&topology, file, "7", "1000000")).unwrap()).collect();
    wait::until(LIMIT, "not ready while more comes than can be taken", || {
        collector.get("/health/ready").1.contains("dropping packets")
    });
    let status = collector.status();
    assert!(status["packets"]["kernel_drops"].as_u64().unwrap() > 0, "{status}");
    let mut sent = 0;
    for sender in &mut senders {
        assert!(sender.is_running().unwrap(), "it was to send until now: {}", sender.text(Stream::Stderr));
        sender.signal(Signal::INT).unwrap();
        assert_eq!(sender.wait(LIMIT).unwrap().code(), Some(3), "stopped in the middle");
        sent += sent_by(&sender.text(Stream::Stderr));
    }
    let status = collector.wait_status("every packet accounted for", |status| {
        let packets = &status["packets"];
        packets["received"].as_u64().unwrap() + packets["kernel_drops"].as_u64().unwrap() == sent
    });
    let received = status["packets"]["received"].as_u64().unwrap();
    assert!(received * 2 <= sent, "not an overload of two: {received} of {sent} received");
    assert_eq!(collector.get("/health/live").0, 200, "overload is not cured by a restart");
    wait::until(LIMIT, "ready once the window has passed", || collector.get("/health/ready").0 == 200);
    // Afterwards everything is as before.
    let after = dir.path().join("after.pcap");
    flows("10.3.0.1").write(&after).unwrap();
    let mut calm = sender(&topology, after.to_str().unwrap(), "8", "1");
    assert_eq!(calm.args(["--rate", "2000"]).output().unwrap().status.code(), Some(0));
    collector.wait_status("the packets after the overload", |status| {
        let packets = &status["packets"];
        packets["received"].as_u64().unwrap() + packets["kernel_drops"].as_u64().unwrap() == sent + 1_000
    });
    let ended = collector.stop();
    assert_eq!(ended.code, Some(3), "something was lost: {}", ended.said);
    assert_eq!(ended.number("received") + ended.number("kernel:  dropped"), sent + 1_000);
    assert_eq!(ended.number("received"), ended.number("decoded") + ended.number("+ dropped"));
    assert_eq!(ended.number("made"), ended.number("written") + ended.number("export_dropped"));
    let conn = &read(&ended.records())["conn"];
    let calm = conn.iter().filter(|record| record["enigma.vni"] == 8).count();
    // One packet is one flow here: what a busy machine still cost is counted, too.
    let lost = ended.number("kernel:  dropped") - status["packets"]["kernel_drops"].as_u64().unwrap();
    assert_eq!(calm as u64 + lost, 1_000, "the flows after the overload");
    assert!(lost < 500, "{lost} of a thousand packets in half a second were lost");
}

#[test]
fn overload_through_sockets_is_counted_told_and_over() {
    overload("udp", false);
}

#[test]
fn overload_through_a_ring_is_counted_told_and_over() {
    overload("ring", true);
}

#[test]
fn a_ring_without_the_firewall_rule_is_told_and_loses_nothing() {
    let topology = match Topology::quiet() {
        Ok(topology) => topology,
        Err(why) => return skip(why),
    };
    let collector = Collector::start(&topology, 4789, "shutdown.drain = \"0s\"\nreceive.mode = \"ring\"\n");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flows.pcap");
    flows("10.1.0.1").write(&file).unwrap();
    let mut send = sender(&topology, file.to_str().unwrap(), "7", "2");
    assert_eq!(send.args(["--rate", "10000"]).output().unwrap().status.code(), Some(0));
    wait::until(LIMIT, "the warning", || collector.said().contains("UDP stack"));
    assert!(collector.said().contains("nft add rule"), "{}", collector.said());
    let status = collector.wait_status("all packets", |status| status["packets"]["received"] == 2_000);
    assert_eq!(status["doors"]["ring"]["received"], 2_000);
    let ended = collector.stop();
    assert_eq!((ended.code, read(&ended.records())["conn"].len()), (Some(0), 1_000), "{}", ended.said);
}

#[test]
fn without_the_privilege_a_ring_becomes_sockets_and_one_warning() {
    let topology = match Topology::quiet() {
        Ok(topology) => topology,
        Err(why) => return skip(why),
    };
    let Ok(setpriv) = enigma_test_support::tools::tool("setpriv") else {
        return skip("setpriv (Debian: util-linux) is missing");
    };
    let kept = tempfile::tempdir().unwrap();
    let config = "shutdown.drain = \"0s\"\nreceive.mode = \"ring\"\n";
    let collector = Collector::start_in(&topology, 4789, config, kept, |words| {
        let mut less: Vec<String> =
            [setpriv.to_str().unwrap(), "--bounding-set", "-net_raw", "--inh-caps", "-net_raw"]
                .map(str::to_owned)
                .to_vec();
        less.extend(words);
        less
    });
    wait::until(LIMIT, "the warning", || collector.said().contains("CAP_NET_RAW"));
    let said = collector.said();
    assert_eq!(said.matches("CAP_NET_RAW").count(), 1, "{said}");
    assert!(said.contains("sockets are read instead"), "{said}");
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flows.pcap");
    flows("10.1.0.1").write(&file).unwrap();
    let mut send = sender(&topology, file.to_str().unwrap(), "7", "1");
    assert_eq!(send.args(["--rate", "10000"]).output().unwrap().status.code(), Some(0));
    let status = collector.wait_status("all packets", |status| status["packets"]["received"] == 1_000);
    assert_eq!(status["doors"]["vxlan"]["received"], 1_000);
    assert_eq!(collector.stop().code, Some(0));
}

#[test]
fn a_flood_of_what_is_not_ours_costs_counters_and_no_memory() {
    let topology = match Topology::quiet() {
        Ok(topology) => topology,
        Err(why) => return skip(why),
    };
    let config = "shutdown.drain = \"0s\"\nreceive.allow.sources = [\"10.67.1.1\"]\nflow.memory = \"8MiB\"\n";
    let collector = Collector::start(&topology, 4789, config);
    let memory = |collector: &Collector<'_>| -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", collector.running.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().split(' ').next().unwrap().parse().unwrap()
    };
    // Random bytes, mirror traffic of strangers, and every port of a neighbour as a flow of its own.
    let flood = "import os, socket\n\
                 s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
                 for n in range(60000):\n    s.sendto(os.urandom(n % 200), ('10.67.0.10', 4789))\n";
    topology.run(Host::B, "python3", &["-c", flood]);
    let scan = "import socket, struct\n\
                s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('10.67.1.1', 0))\n\
                eth = bytes(12) + b'\\x08\\0'\n\
                for n in range(60000):\n\
                \x20   ip = struct.pack('>BBHHHBBH4s4s', 0x45, 0, 28, 0, 0, 64, 17, 0, b'\\x0a\\1\\0\\1', b'\\x0a\\1\\0\\2')\n\
                \x20   udp = struct.pack('>4H', n + 1, 53, 8, 0)\n\
                \x20   s.sendto(b'\\x08\\0\\0\\0\\0\\0\\7\\0' + eth + ip + udp, ('10.67.0.10', 4789))\n";
    topology.run(Host::A, "python3", &["-c", scan]);
    let sent = 120_000;
    let status = collector.wait_status("every packet accounted for", |status| {
        let packets = &status["packets"];
        packets["received"].as_u64().unwrap() + packets["kernel_drops"].as_u64().unwrap() == sent
    });
    assert_eq!(status["packets"]["kernel_drops"], 0, "64 MiB hold this: {status}");
    let dropped: u64 =
        status["packets"]["dropped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(dropped, 60_000, "all of the stranger's, none of ours: {status}");
    assert_eq!(status["packets"]["decoded"], 60_000);
    assert!(status["flows"]["evictions"].as_u64().unwrap() > 0, "8 MiB do not hold 60,000 flows: {status}");
    let used = memory(&collector);
    assert!(used < 160 << 10, "{used} KiB: the tables have 8 MiB, the queue of records some 40");
    let ended = collector.stop();
    let conn = &read(&ended.records())["conn"];
    assert_eq!(conn.len(), 60_000, "a record for each flow, evicted or not");
    assert!(conn.iter().all(|record| record.get("orig_pkts") == Some(&Value::from(1))));
}
