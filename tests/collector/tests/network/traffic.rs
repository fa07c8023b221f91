//! What the two workloads say to each other: DNS over UDP and TCP, HTTP, TLS 1.2 and 1.3, bulk data, echoes, each over
//! IPv4 and IPv6, by programs of the system (Python's sockets and OpenSSL, ping) and not by our own code.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use enigma_test_support::process::{Running, Signal, Stream};
use enigma_test_support::wait;

use crate::topology::{B4, B6, Host, Outer, Topology};

/// Longest wait for anything that should take moments, on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// What the last packet says.
const MARK: &[u8] = b"the last packet of the test";

const SCRIPT: &str = include_str!("traffic.py");

/// Starts the answering side; it has a certificate of its own making.
pub(crate) fn serve(topology: &Topology, dir: &Path) -> Running {
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| dir.join(name));
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=shop.example.test",
        ])
        .args(["-addext", "subjectAltName=DNS:shop.example.test"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let args = ["-c", SCRIPT, "serve", certificate.to_str().unwrap(), key.to_str().unwrap()];
    let server = Running::start(topology.pinned(Host::B, "python3", &args)).unwrap();
    server.line(Stream::Stdout, LIMIT, |line| (line == "up").then_some(())).unwrap();
    server
}

/// All of it, once.
pub(crate) fn ask(topology: &Topology) {
    topology.run(Host::A, "python3", &["-c", SCRIPT, "ask"]);
    for address in [B4, B6] {
        topology.run(Host::A, "ping", &["-q", "-c", "3", "-i", "0.2", address]);
    }
    topology.run(Host::A, "python3", &["-c", SCRIPT, "mark"]);
}

/// tcpdump at the collector's interfaces.
pub(crate) struct Dump<'a> {
    running: Running,
    file: &'a Path,
}

impl<'a> Dump<'a> {
    /// Starts it; what comes from now on is in the file.
    pub(crate) fn start(topology: &Topology, file: &'a Path, outer: Outer) -> Self {
        let filter = format!("udp dst port 4789 and dst host {}", outer.collector());
        let path = file.to_str().unwrap();
        let args = ["-i", "any", "-Q", "in", "-s", "0", "-B", "65536", "-U", "-w", path, &filter];
        let running = Running::start(topology.command(Host::Collector, "tcpdump", &args)).unwrap();
        running.line(Stream::Stderr, LIMIT, |line| line.contains("listening on").then_some(())).unwrap();
        Self { running, file }
    }

    /// Ends it once the last packets are in the file: the mark from both ends, and its answer, which is twice as long.
    pub(crate) fn finish(mut self) {
        wait::until(LIMIT, "tcpdump to have written the last packets", || {
            let bytes = std::fs::read(self.file).unwrap();
            // The mark stands at the end; earlier bytes are bulk.
            let tail = &bytes[bytes.len().saturating_sub(1 << 20)..];
            tail.windows(MARK.len()).filter(|window| *window == MARK).count() >= 6
        });
        self.running.signal(Signal::INT).unwrap();
        self.running.wait(LIMIT).unwrap();
        let said = self.running.text(Stream::Stderr);
        assert!(said.contains("\n0 packets dropped by kernel"), "tcpdump itself lost packets: {said}");
    }
}
