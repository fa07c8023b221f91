//! `run`: packets over the loopback, what HTTP says meanwhile, and what is left at the end.

use std::collections::BTreeSet;
use std::net::UdpSocket;
use std::path::PathBuf;

use enigma_test_support::packets::{ethernet, udp, vxlan};
use enigma_test_support::process::{Signal, Stream};
use enigma_test_support::wait;
use serde_json::{Value, json};

use super::collector::{Collector, LIMIT, program, records, send};
use super::replay::traffic;

/// No drain: most tests are done when they say stop.
const AT_ONCE: &str = "shutdown.drain = \"0s\"\n";

/// The two flows of `traffic` as a capture file.
fn capture() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("traffic.pcap");
    traffic().write(&file).unwrap();
    (dir, file)
}

/// A mirrored UDP packet of a flow of its own.
fn datagram(vni: u32, flow: u16) -> Vec<u8> {
    let from = format!("10.1.0.1:{}", 1_024 + flow).parse().unwrap();
    vxlan(vni, &ethernet(&udp(from, "10.1.0.2:9000".parse().unwrap(), b"mirrored")))
}

fn received(status: &Value) -> u64 {
    status["packets"]["received"].as_u64().unwrap()
}

#[test]
fn mirrored_packets_become_records_and_every_one_is_accounted_for() {
    let (_dir, file) = capture();
    let collector = Collector::start(AT_ONCE);
    send(&file, &collector.receive, 1001, "127.0.0.5", &["--rate", "20000"]);
    send(&file, &collector.receive, 1002, "127.0.0.6", &["--rate", "20000", "--loop", "3"]);
    let sent = 4 * traffic().len() as u64;
    let status = collector.wait_status("all packets", |status| received(status) == sent);
    assert_eq!(
        (&status["phase"], &status["ready"], &status["flows"]["now"]),
        (&json!("serving"), &json!(true), &json!(4))
    );
    let ended = collector.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    assert_eq!(ended.number("received") + ended.number("kernel:  dropped"), sent);
    assert_eq!(ended.number("decoded"), sent);
    let records = ended.conn();
    assert_eq!((ended.number("made"), ended.number("written")), (records.len() as u64, records.len() as u64));
    let seen: BTreeSet<(u64, &str, &str)> = records
        .iter()
        .map(|record| {
            let text = |field: &str| record[field].as_str().unwrap();
            (record["enigma.vni"].as_u64().unwrap(), text("enigma.source_ip"), text("proto"))
        })
        .collect();
    let expected = [(1001, "127.0.0.5"), (1002, "127.0.0.6")];
    let expected =
        expected.iter().flat_map(|(vni, source)| [(*vni, *source, "tcp"), (*vni, *source, "udp")]).collect();
    assert_eq!(seen, expected);
    // The same flow seen from two vantages: two records, one Community ID.
    let ids: BTreeSet<&str> = records.iter().map(|record| record["community_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    let uids: BTreeSet<&str> = records.iter().map(|record| record["uid"].as_str().unwrap()).collect();
    assert_eq!(uids.len(), records.len());
}

#[test]
fn draining_is_not_ready_but_alive_and_still_receives_until_a_second_signal() {
    let collector = Collector::start("shutdown.drain = \"1h\"\n");
    assert_eq!(collector.get("/health/live"), (200, "live\n".to_owned()));
    assert_eq!(collector.get("/health/ready"), (200, "ready\n".to_owned()));
    assert_eq!(collector.get("/api/2.0/status").0, 200);
    collector.running.signal(Signal::TERM).unwrap();
    collector.wait_status("draining", |status| status["phase"] == "draining");
    let (code, body) = collector.get("/health/ready");
    assert_eq!((code, body.as_str()), (503, "not ready\ndraining: told to stop\n"));
    assert_eq!(collector.get("/api/2.0/status").0, 503);
    assert_eq!(collector.get("/health/live").0, 200);
    let (_dir, file) = capture();
    send(&file, &collector.receive, 7, "127.0.0.1", &["--rate", "20000"]);
    collector.wait_status("packets of the drain", |status| received(status) == traffic().len() as u64);
    collector.running.signal(Signal::INT).unwrap();
    let ended = collector.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    assert_eq!(ended.conn().len(), 2);
}

#[test]
fn only_admitted_sessions_and_sources_are_believed() {
    let collector = Collector::start(&format!(
        "{AT_ONCE}receive.allow.vnis = [7]\nreceive.allow.sources = [\"127.0.0.2\"]\n"
    ));
    let (_dir, file) = capture();
    for (vni, source) in [(7, "127.0.0.2"), (8, "127.0.0.2"), (7, "127.0.0.3")] {
        send(&file, &collector.receive, vni, source, &["--rate", "20000"]);
    }
    let one = traffic().len() as u64;
    collector.wait_status("all packets", |status| received(status) == 3 * one);
    let ended = collector.stop();
    assert_eq!((ended.number("received"), ended.number("decoded")), (3 * one, one));
    assert_eq!((ended.number("vni_not_admitted"), ended.number("source_not_admitted")), (one, one));
    assert!(
        ended
            .conn()
            .iter()
            .all(|record| record["enigma.source_ip"] == "127.0.0.2" && record["enigma.vni"] == 7)
    );
}

#[test]
fn what_is_not_mirror_traffic_is_counted_by_reason_and_metrics_agree() {
    let collector = Collector::start(AT_ONCE);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let short: &[u8] = &[8, 0, 0];
    let no_flag: &[u8] = &[0; 60];
    let arp = vxlan(5, &[&[0xff; 12][..], &[0x08, 0x06], &[0; 46]].concat());
    let cut = &datagram(5, 1)[..8 + 14 + 10];
    for bytes in [short, no_flag, &arp, cut, &[], &datagram(5, 2)] {
        sender.send_to(bytes, &collector.receive).unwrap();
    }
    let status = collector.wait_status("six datagrams", |status| received(status) == 6);
    let dropped = status["packets"]["dropped"].as_object().unwrap();
    assert_eq!(dropped["vxlan_short"], 2);
    assert_eq!(
        (&dropped["vxlan_flags"], &dropped["arp"], &dropped["ip_header"]),
        (&json!(1), &json!(1), &json!(1))
    );
    assert_eq!(status["packets"]["decoded"], 1);
    let metrics = collector.get("/metrics").1;
    for line in [
        "enigma_collector_received_packets_total{worker=\"0\"} 6",
        "enigma_collector_kernel_dropped_packets_total{worker=\"0\"} 0",
        "enigma_collector_decoded_packets_total 1",
        "enigma_collector_dropped_packets_total{reason=\"vxlan_short\"} 2",
        "enigma_collector_flows 1",
        "enigma_collector_ready 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} is not in\n{metrics}");
    }
    let ended = collector.stop();
    assert_eq!(ended.number("received"), ended.number("decoded") + ended.number("+ dropped"));
}

#[test]
fn a_silent_flow_becomes_a_record_while_the_collector_runs() {
    let collector = Collector::start(&format!("{AT_ONCE}flow.udp = \"1s\"\n"));
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&datagram(5, 1), &collector.receive).unwrap();
    let directory = collector.dir.path().join("records");
    wait::until(LIMIT, "the record of a flow that went silent", || records(&directory).len() == 1);
    collector.wait_status("an empty flow table", |status| status["flows"]["now"] == 0);
    assert_eq!(collector.stop().conn().len(), 1);
}

#[test]
fn several_workers_lose_nothing_between_them() {
    let collector = Collector::start(&format!("{AT_ONCE}receive.workers = 3\n"));
    let senders: Vec<UdpSocket> = (0..16).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
    let sent = 1_600;
    for flow in 0..sent {
        senders[usize::from(flow) % senders.len()].send_to(&datagram(5, flow), &collector.receive).unwrap();
    }
    let status = collector.wait_status("all packets", |status| received(status) == u64::from(sent));
    let workers = status["workers"].as_array().unwrap();
    assert_eq!(workers.len(), 3);
    let busy = workers.iter().filter(|worker| worker["received"].as_u64().unwrap() > 0).count();
    assert!(busy > 1, "sixteen senders and one worker took all: {status}");
    let ended = collector.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    assert_eq!(ended.conn().len(), usize::from(sent));
}

#[test]
fn rotated_files_hold_every_record_once() {
    let collector =
        Collector::start(&format!("{AT_ONCE}flow.udp = \"1s\"\nexport.file.rotate_size = \"4KiB\"\n"));
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let directory = collector.dir.path().join("records");
    for round in 0..3 {
        for flow in 0..100 {
            sender.send_to(&datagram(5, round * 100 + flow), &collector.receive).unwrap();
        }
        let so_far = usize::from(round + 1) * 100;
        wait::until(LIMIT, "the records of a round", || records(&directory).len() == so_far);
    }
    let files = std::fs::read_dir(&directory).unwrap().count();
    assert!(files >= 4, "{files} files for three rounds of far more than 4 KiB");
    let ended = collector.stop();
    let ports: BTreeSet<u64> =
        ended.conn().iter().map(|record| record["id.orig_p"].as_u64().unwrap()).collect();
    assert_eq!((ended.conn().len(), ports.len()), (300, 300));
}

#[test]
fn records_can_go_to_standard_output() {
    let collector = Collector::start(&format!("{AT_ONCE}export.to = \"stdout\"\n"));
    UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&datagram(5, 1), &collector.receive).unwrap();
    collector.wait_status("the packet", |status| received(status) == 1);
    collector.running.signal(Signal::TERM).unwrap();
    let line = collector.running.line(Stream::Stdout, LIMIT, |line| Some(line.to_owned())).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["enigma.vni"], 5);
    assert_eq!(collector.wait().status.code(), Some(0));
}

#[test]
fn a_disk_that_is_full_costs_records_and_is_told_but_not_the_collector() {
    if !std::path::Path::new("/dev/full").exists() {
        enigma_test_support::skip::skip("no /dev/full on this system");
        return;
    }
    let config = format!("{AT_ONCE}flow.udp = \"1s\"\nhealth.window = \"600s\"\n");
    let collector = Collector::start_in(&config, "127.0.0.1:0", |records, command| {
        std::fs::create_dir(records).unwrap();
        std::os::unix::fs::symlink("/dev/full", records.join("conn.log")).unwrap();
        command
    });
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for flow in 0..200 {
        sender.send_to(&datagram(5, flow), &collector.receive).unwrap();
    }
    wait::until(LIMIT, "not ready", || collector.get("/health/ready").1.contains("dropping records"));
    assert_eq!(collector.get("/health/live").0, 200);
    let ended = collector.stop();
    assert_eq!(ended.status.code(), Some(3), "{}", ended.said);
    assert_eq!(
        (ended.number("made"), ended.number("written"), ended.number("export_dropped")),
        (200, 0, 200)
    );
    assert!(ended.said.contains("No space left on device"), "{}", ended.said);
}

#[test]
fn a_second_collector_on_the_same_directory_or_port_is_refused() {
    let first = Collector::start(AT_ONCE);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("second.toml");
    let records = first.dir.path().join("records");
    for (listen, why) in
        [(first.receive.as_str(), "another program listens"), ("127.0.0.1:0", "another collector writes")]
    {
        let config = format!(
            "receive.listen = \"{listen}\"\nhttp.listen = \"127.0.0.1:0\"\nexport.file.directory = {records:?}\n"
        );
        std::fs::write(&file, config).unwrap();
        let output = program().args(["run", "--config"]).arg(&file).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(first.stop().status.code(), Some(0));
}
