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
    let status = collector.wait_status("a full queue", |status| {
        status["records"]["made"] == sent && status["records"]["export_dropped"].as_u64().unwrap() > 0
    });
    assert_eq!(status["packets"]["kernel_drops"], 0);
    let ended = collector.stop();
    assert_eq!(ended.status.code(), Some(3), "{}", ended.said);
    assert_eq!((ended.number("received"), ended.number("decoded"), ended.number("made")), (sent, sent, sent));
    assert_eq!(ended.number("made"), ended.number("written") + ended.number("export_dropped"));
}
