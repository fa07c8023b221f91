//! Mirror traffic made by the kernel: two workloads in namespaces whose interfaces are mirrored as VXLAN to a third, in
//! which the collector and tcpdump listen side by side. What came in live must be what a replay of the capture gives.

use std::path::PathBuf;
use std::process::Command;

use enigma_test_support::process::{Running, Signal, Stream};
use enigma_test_support::{tools, wait};
use serde_json::Value;

use super::collector::{Collector, LIMIT, program, records};

/// The topology; taken down when dropped, also by a failing test.
struct Topology {
    script: PathBuf,
    prefix: String,
}

impl Topology {
    fn up(script: PathBuf) -> Result<Self, String> {
        // Unique on this machine, and short: interface names hold 15 characters.
        let topology = Self { script, prefix: format!("em{}", std::process::id()) };
        let output = topology.command("up", &[]).output().map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(topology)
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// `place` is a workload (`a`, `b`), the `collector`, or `up` and `down`.
    fn command(&self, place: &str, args: &[&str]) -> Command {
        let mut command = Command::new("bash");
        command.arg(&self.script).arg(place).args(args).env("NETNS_MIRROR_PREFIX", &self.prefix);
        command
    }

    /// A command of a workload, on one processor: with several, mirrored packets of the two directions overtake each
    /// other between tcpdump's place in the kernel and the socket's, and a history tells of their order.
    fn workload(&self, place: &str, args: &[&str]) -> Command {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
        let first = allowed.split(['-', ',']).next().unwrap();
        self.command(place, &[&["taskset", "-c", first], args].concat())
    }

    fn run(&self, place: &str, args: &[&str]) {
        let output = self.workload(place, args).output().unwrap();
        assert!(output.status.success(), "{args:?} in {place}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Topology {
    fn drop(&mut self) {
        drop(self.command("down", &[]).output());
    }
}

/// TCP and UDP servers that say when they are up; each answers more than it is asked.
const SERVER: &str = r#"
import socket, threading
def tcp(family, address):
    s = socket.socket(family); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind((address, 8080)); s.listen()
    def serve():
        while True:
            c, _ = s.accept(); c.recv(100); c.sendall(b"r" * 100000); c.close()
    threading.Thread(target=serve, daemon=True).start()
tcp(socket.AF_INET, "10.66.0.2"); tcp(socket.AF_INET6, "fd66::2")
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("10.66.0.2", 9000))
print("up", flush=True)
while True:
    d, a = u.recvfrom(2000); u.sendto(d * 2, a)
"#;

const CLIENT: &str = r#"
import socket
for family, address in ((socket.AF_INET, "10.66.0.2"), (socket.AF_INET6, "fd66::2")):
    for n in range(5):
        c = socket.socket(family); c.settimeout(10); c.connect((address, 8080)); c.sendall(b"q")
        while c.recv(65536): pass
        c.close()
for n in range(5):
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(10); u.sendto(b"q" * 100, ("10.66.0.2", 9000)); u.recv(2000)
"#;

/// The last exchange of all, and how to know it.
const MARK: &[u8] = b"the last packet of the test";
const LAST: &str = r#"
import socket
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.settimeout(10); u.sendto(b"the last packet of the test", ("10.66.0.2", 9000)); u.recv(2000)
"#;

/// What must be equal of one flow. Neighbour discovery and the like go on by themselves, so only the test's own
/// traffic counts.
fn flows(records: &[Value]) -> Vec<String> {
    let ours = |record: &&Value| match record["proto"].as_str() {
        Some("tcp") => record["id.resp_p"] == 8080,
        Some("udp") => record["id.resp_p"] == 9000,
        Some("icmp") => record["id.orig_h"] == "10.66.0.1",
        _ => false,
    };
    let fields = [
        "enigma.vni",
        "enigma.source_ip",
        "community_id",
        "id.orig_h",
        "id.orig_p",
        "id.resp_h",
        "id.resp_p",
        "proto",
        "conn_state",
        "history",
        "orig_bytes",
        "resp_bytes",
        "orig_pkts",
        "resp_pkts",
        "orig_ip_bytes",
        "resp_ip_bytes",
    ];
    let mut flows: Vec<String> = records
        .iter()
        .filter(ours)
        .map(|record| fields.map(|field| format!("{field}={}", record[field])).join(" "))
        .collect();
    flows.sort();
    flows
}

#[test]
fn live_records_are_those_of_a_replay_of_the_same_packets() {
    let needed = [
        tools::namespaces().err(),
        tools::tool("tcpdump").err(),
        tools::tool("python3").err(),
        tools::tool("tc").err(),
        tools::tool("taskset").err(),
    ];
    if let Some(missing) = needed.into_iter().flatten().next() {
        enigma_test_support::skip::skip(missing);
        return;
    }
    let Some(script) =
        enigma_test_support::shared().map(|shared| shared.join("tools/netns-mirror/netns-mirror.sh"))
    else {
        enigma_test_support::skip::skip("no topology script (set ENIGMA_SHARED)");
        return;
    };
    let topology = match Topology::up(script) {
        Ok(topology) => topology,
        Err(why) => {
            enigma_test_support::skip::skip(format!("the kernel does not make the topology: {why}"));
            return;
        }
    };
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("mirror.pcap");
    let dump = topology.command(
        "collector",
        &[
            "tcpdump",
            "-i",
            "any",
            "-s",
            "0",
            "-B",
            "65536",
            "-U",
            "-w",
            capture.to_str().unwrap(),
            "udp",
            "port",
            "4789",
        ],
    );
    let mut dump = Running::start(dump).unwrap();
    dump.line(Stream::Stderr, LIMIT, |line| line.contains("listening on").then_some(())).unwrap();
    let collector = Collector::start_in("shutdown.drain = \"0s\"\n", "10.67.0.10:4789", |_, command| {
        let mut inside = topology.command("collector", &[]);
        inside.arg(command.get_program()).args(command.get_args());
        inside
    });
    let server = Running::start(topology.workload("b", &["python3", "-c", SERVER])).unwrap();
    server.line(Stream::Stdout, LIMIT, |line| (line == "up").then_some(())).unwrap();
    topology.run("a", &["python3", "-c", CLIENT]);
    topology.run("a", &["ping", "-q", "-c", "3", "-i", "0.2", "10.66.0.2"]);

    topology.run("a", &["python3", "-c", LAST]);

    // tcpdump has seen everything when its file holds the last question and its answer (twice as long) from both ends.
    wait::until(LIMIT, "tcpdump to have written the last packets", || {
        let bytes = std::fs::read(&capture).unwrap();
        bytes.windows(MARK.len()).filter(|window| *window == MARK).count() >= 6
    });
    let ended = collector.stop();
    dump.signal(Signal::INT).unwrap();
    dump.wait(LIMIT).unwrap();
    let dump = dump.text(Stream::Stderr);
    assert!(dump.contains("\n0 packets dropped by kernel"), "tcpdump itself lost packets: {dump}");

    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    let out = dir.path().join("replayed");
    let replay = program().arg("replay").arg(&capture).arg("--output").arg(&out).output().unwrap();
    assert_eq!(replay.status.code(), Some(0), "{}", String::from_utf8_lossy(&replay.stderr));
    let (live, replayed) = (flows(&ended.conn()), flows(&records(&out)));
    // Ten TCP and six UDP flows and one ping, each seen from both ends.
    assert_eq!(live.len(), 34, "{live:#?}");
    let different: Vec<_> = live.iter().zip(&replayed).filter(|(live, replayed)| live != replayed).collect();
    assert!(different.is_empty() && replayed.len() == live.len(), "{different:#?}");
}
