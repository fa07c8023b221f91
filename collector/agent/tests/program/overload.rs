//! More than the collector can take: what is lost is counted to the last packet, shown, and forgotten again.

use std::net::UdpSocket;

use enigma_test_support::packets::{ethernet, udp, vxlan};
use enigma_test_support::process::Signal;
use enigma_test_support::wait;

use super::collector::{Collector, LIMIT};

#[test]
fn sent_is_received_plus_dropped_and_health_recovers() {
    let collector =
        Collector::start("shutdown.drain = \"0s\"\nreceive.buffer = \"64KiB\"\nhealth.window = \"2s\"\n");
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
