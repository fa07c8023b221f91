//! More than the collector can take: what is lost is counted to the last packet, shown, and forgotten again.

use std::net::UdpSocket;

use enigma_test_support::packets::{ethernet, udp, vxlan};
use enigma_test_support::process::Signal;
use enigma_test_support::wait;
use serde_json::Value;

use super::collector::{Collector, LIMIT};

#[test]
fn sent_is_received_plus_dropped_and_health_recovers() {
    let collector =
        Collector::start("shutdown.drain = \"0s\"\nreceive.buffer = \"64KiB\"\nhealth.window = \"5s\"\n");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let frame =
        ethernet(&udp("10.1.0.1:1024".parse().unwrap(), "10.1.0.2:9000".parse().unwrap(), &[0; 1000]));
    let datagram = vxlan(5, &frame);
    // Stopped by the job control of the kernel, the collector cannot read: the socket overflows for certain.
    collector.running.signal(Signal::STOP).unwrap();
    let sent = 5_000_u64;
    for _ in 0..sent {
        sender.send_to(&datagram, &collector.receive).unwrap();
    }
    collector.running.signal(Signal::CONT).unwrap();
    let status = collector.wait_status("every packet accounted for", |status| {
        let packets = &status["packets"];
        packets["received"].as_u64().unwrap() + packets["kernel_drops"].as_u64().unwrap() == sent
    });
    assert!(status["packets"]["kernel_drops"].as_u64().unwrap() > sent / 2, "{status}");
    wait::until(LIMIT, "not ready while dropping", || {
        let (code, body) = collector.get("/health/ready");
        code == 503 && body.contains("dropping packets")
    });
    assert_eq!(collector.get("/health/live").0, 200);
    wait::until(LIMIT, "ready once the window has passed", || collector.get("/health/ready").0 == 200);
    let ended = collector.stop();
    assert_eq!(ended.status.code(), Some(3), "something was lost: {}", ended.said);
    assert_eq!(ended.number("received") + ended.number("kernel:  dropped"), sent);
    assert_eq!(ended.number("received"), ended.number("decoded") + ended.number("+ dropped"));
    assert_eq!(ended.number("made"), ended.number("written") + ended.number("export_dropped"));
    let packets: u64 = ended.conn().iter().map(|record| record["orig_pkts"].as_u64().unwrap()).sum();
    assert_eq!(packets, ended.number("decoded"));
}

#[test]
fn a_reader_that_stops_reading_costs_records_and_never_packets() {
    // Standard output is a pipe that nobody reads: the writer is stuck for good once it is full.
    let config = "shutdown.drain = \"0s\"\nshutdown.write_limit = \"200ms\"\nexport.to = \"stdout\"\nexport.queue = 2\n\
                  flow.udp = \"1s\"\n";
    let fifo = tempfile::tempdir().unwrap();
    let path = fifo.path().join("records");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let collector = Collector::start_in(config, "127.0.0.1:0", |_, command| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "fifo=$1; shift; exec \"$@\" 1<>\"$fifo\"", "sh"]).arg(&path);
        shell.arg(command.get_program()).args(command.get_args());
        shell
    });
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let received = |status: &Value| status["packets"]["received"].as_u64().unwrap();
    let mut sent = 0;
    for round in 0..6_u16 {
        for flow in 0..1_000 {
            let from = format!("10.1.0.{round}:{}", 1_024 + flow).parse().unwrap();
            let frame = ethernet(&udp(from, "10.1.0.250:9000".parse().unwrap(), b"mirrored"));
            sender.send_to(&vxlan(5, &frame), &collector.receive).unwrap();
            sent += 1;
        }
        collector.wait_status("the packets of a round", |status| received(status) == sent);
    }
    // Flows that are over stay in the table while nobody takes their records.
    let status =
        collector.wait_status("a full queue", |status| status["records"]["made"].as_u64().unwrap() >= 1_000);
    assert_eq!(
        (&status["packets"]["kernel_drops"], &status["records"]["export_dropped"]),
        (&0.into(), &0.into())
    );
    assert!(status["flows"]["now"].as_u64().unwrap() > 0, "{status}");
    let ended = collector.stop();
    assert_eq!(ended.status.code(), Some(3), "{}", ended.said);
    assert_eq!((ended.number("received"), ended.number("decoded"), ended.number("made")), (sent, sent, sent));
    assert_eq!(ended.number("made"), ended.number("written") + ended.number("export_dropped"));
    assert!(ended.number("export_dropped") > 0, "{}", ended.said);
}

#[test]
fn flows_that_end_all_at_once_lose_no_record_to_a_short_queue() {
    let collector = Collector::start("shutdown.drain = \"0s\"\nexport.queue = 2\nflow.udp = \"3s\"\n");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let datagram = |host: u8, port: u16| {
        let from = format!("10.1.0.{host}:{port}").parse().unwrap();
        vxlan(5, &ethernet(&udp(from, "10.1.0.250:9000".parse().unwrap(), b"mirrored")))
    };
    let sent = std::cell::Cell::new(0_u64);
    for port in 0..20_000 {
        sender.send_to(&datagram(1, 1_024 + port), &collector.receive).unwrap();
        sent.set(sent.get() + 1);
        if sent.get().is_multiple_of(1_000) {
            collector.wait_status("a thousand packets", |status| status["packets"]["received"] == sent.get());
        }
    }
    // Packets go on while those flows end.
    let status = collector.wait_status("all records", |status| {
        for port in 0..100 {
            sender.send_to(&datagram(2, 1_024 + port), &collector.receive).unwrap();
            sent.set(sent.get() + 1);
        }
        status["records"]["written"].as_u64().unwrap() >= 20_000
    });
    assert_eq!(status["records"]["export_dropped"], 0, "{status}");
    let ended = collector.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    assert_eq!((ended.number("received"), ended.number("decoded")), (sent.get(), sent.get()));
    assert_eq!(ended.number("made"), ended.number("written"));
}

/// What `/proc` says under `name` of a running collector, in KiB.
fn memory(collector: &Collector, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", collector.running.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn a_stop_with_a_full_table_needs_little_memory_beyond_it() {
    // Nobody reads the records, so the worker stays in the middle of ending its flows and can be looked at there.
    let config = "shutdown.drain = \"0s\"\nshutdown.write_limit = \"10m\"\nexport.to = \"stdout\"\nexport.queue = 2\n\
                  flow.memory = \"64MiB\"\n";
    let fifo = tempfile::tempdir().unwrap();
    let path = fifo.path().join("records");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let mut collector = Collector::start_in(config, "127.0.0.1:0", |_, command| {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", "fifo=$1; shift; exec \"$@\" 1<>\"$fifo\"", "sh"]).arg(&path);
        shell.arg(command.get_program()).args(command.get_args());
        shell
    });
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sent = 0_u64;
    for host in 0..6 {
        for port in 0..20_000 {
            let from = format!("10.1.0.{host}:{}", 1_024 + port).parse().unwrap();
            let frame = ethernet(&udp(from, "10.1.0.250:9000".parse().unwrap(), b"x"));
            sender.send_to(&vxlan(5, &frame), &collector.receive).unwrap();
            sent += 1;
        }
        collector.wait_status("the packets of a round", |status| status["packets"]["received"] == sent);
    }
    assert_eq!(collector.status()["flows"]["now"], sent);
    let before = memory(&collector, "VmRSS");
    collector.running.signal(Signal::TERM).unwrap();
    let status = collector
        .wait_status("some flows to have ended", |status| status["flows"]["now"].as_u64().unwrap() < sent);
    let left = status["flows"]["now"].as_u64().unwrap();
    assert!(left > sent / 2, "{left} flows still wait for room in the queue");
    let peak = memory(&collector, "VmHWM");
    // All records at once would be some 40 MiB, and as much again while their vector grows.
    assert!(
        peak < before + (16 << 10),
        "{before} KiB before the stop, {peak} KiB while it ends {sent} flows"
    );
    collector.running.signal(Signal::KILL).unwrap();
    collector.running.wait(LIMIT).unwrap();
}
