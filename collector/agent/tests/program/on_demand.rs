//! Captures on demand as an analyst asks for them: with curl, while packets come, read by tshark and replayed.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use enigma_test_support::packets::{Capture, ethernet, udp, vxlan};
use enigma_test_support::process::Signal;
use enigma_test_support::{skip, tools, wait};
use serde_json::{Value, json};

use super::collector::{Collector, LIMIT, program, records, send};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

const URL: &str = "/api/v1/captures";

/// A collector with a token, and what knows it.
struct Watched {
    collector: Collector,
    _dir: tempfile::TempDir,
}

impl Watched {
    fn start(more: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
        let collector = Collector::start(&format!("http.token_file = {file:?}\n{more}"));
        Self { collector, _dir: dir }
    }

    fn status(&self) -> Value {
        let (code, text) = self.collector.get_with("/api/v1/status", &format!("Bearer {TOKEN}"));
        assert_eq!(code, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    fn wait_status(&self, what: &str, condition: impl Fn(&Value) -> bool) -> Value {
        wait::value(LIMIT, what, || {
            let status = self.status();
            if condition(&status) { Ok(status) } else { Err(status) }
        })
    }

    /// Status code and text of an answer that is no capture.
    fn ask(&self, body: &str, token: Option<&str>) -> (u16, String) {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(LIMIT))
            .build()
            .into();
        let mut request = agent.post(format!("http://{}{URL}", self.collector.http));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut response = request.send(body).unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }

    /// A capture into `file` with curl, as the guide says; it has begun when this returns. `None` where there is no curl.
    fn capture(&self, body: &Value, file: &Path) -> Option<Child> {
        let curl = match tools::tool("curl") {
            Ok(curl) => curl,
            Err(missing) => {
                skip::skip(missing);
                return None;
            }
        };
        let before = self.status()["captures"]["started"].as_u64().unwrap();
        let child = Command::new(curl)
            .args(["--silent", "--show-error", "--fail", "--no-buffer", "-H"])
            .arg(format!("Authorization: Bearer {TOKEN}"))
            .args(["-d", &body.to_string(), "-o"])
            .arg(file)
            .arg(format!("http://{}{URL}", self.collector.http))
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        self.wait_status("the capture", |status| {
            status["captures"]["started"] == before + 1 && status["captures"]["running"].is_object()
        });
        Some(child)
    }
}

/// Waits for curl: whether it had a whole answer.
fn ended(mut child: Child) -> bool {
    wait::value(LIMIT, "curl", || match child.try_wait() {
        Ok(Some(status)) => Ok(status.success()),
        Ok(None) => Err("it runs".to_owned()),
        Err(error) => panic!("{error}"),
    })
}

/// Records as text and in order, without what only mirrored packets have and what differs from run to run.
fn comparable<'a>(all: impl Iterator<Item = &'a Value>) -> Vec<String> {
    let text = |record: &Value| {
        assert_ne!(record.get("enigma.truncated"), Some(&Value::Bool(true)));
        let mut fields = record.as_object().unwrap().clone();
        fields.retain(|name, _| name != "uid" && !name.starts_with("enigma."));
        Value::Object(fields).to_string()
    };
    let mut all: Vec<String> = all.map(text).collect();
    all.sort();
    all
}

fn replayed(capture: &Path, out: &Path) -> Vec<Value> {
    let output = program().arg("replay").arg(capture).arg("--output").arg(out).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    records(out)
}

/// Twenty flows of some packets each; every fifth is to port 53.
fn traffic(file: &Path) -> u64 {
    let mut capture = Capture::default();
    for round in 0..5_u64 {
        for flow in 0..20_u64 {
            let port = if flow % 5 == 0 { 53 } else { 9_000 };
            let (from, to) = (format!("10.1.0.{flow}:40000"), format!("10.2.0.1:{port}"));
            let payload = vec![flow as u8; 10 + round as usize * 300];
            let packet = ethernet(&udp(from.parse().unwrap(), to.parse().unwrap(), &payload));
            capture.push(std::time::Duration::from_millis(round * 20 + flow), packet);
        }
    }
    capture.write(file).unwrap();
    capture.len() as u64
}

#[test]
fn a_replay_of_the_file_gives_the_records_that_were_made_live() {
    same_records("auto");
}

#[test]
fn a_replay_gives_them_also_where_workers_hand_packets_to_each_other() {
    same_records("rings");
}

fn same_records(steering: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str| -> PathBuf { dir.path().join(name) };
    let names = file("names.json");
    let known = json!({ "version": 1, "sessions": [{ "vni": 5, "eni": "eni-5", "name": "web-1" }] });
    std::fs::write(&names, known.to_string()).unwrap();
    let watched = Watched::start(&format!(
        "shutdown.drain = \"0s\"\nreceive.workers = 2\nreceive.steering = \"{steering}\"\nenrich.file = {names:?}\n"
    ));
    let packets = traffic(&file("traffic.pcap"));
    let wanted = json!({ "filter": "udp and not port 53", "seconds": 3_600 });
    let Some(curl) = watched.capture(&wanted, &file("x.pcapng")) else { return };
    // Who comes second is told about the first.
    let (code, text) = watched.ask("{}", Some(TOKEN));
    assert_eq!(code, 409);
    assert!(text.contains("capture 1 runs") && text.contains("udp and not port 53"), "{text}");
    send(&file("traffic.pcap"), &watched.collector.receive, 5, "127.0.0.1", &[]);
    send(&file("traffic.pcap"), &watched.collector.receive, 6, "127.0.0.2", &[]);
    let status = watched.wait_status("all packets", |status| {
        status["packets"]["received"] == 2 * packets && status["captures"]["packets"] == 2 * packets * 4 / 5
    });
    assert_eq!(status["captures"]["dropped"], 0);
    // The stop of the collector ends the file as it should be ended.
    let stopped = watched.collector.stop();
    assert_eq!(stopped.status.code(), Some(0), "{}", stopped.said);
    assert!(ended(curl), "{}", stopped.said);
    assert!(
        stopped.said.contains(
            "capture 1 ended because the collector stops: 200 mirrored packets received, 160 taken"
        ) && stopped.said.contains("160 in this file, 0 dropped"),
        "{}",
        stopped.said
    );
    let live: Vec<Value> = stopped.conn().into_iter().filter(|record| record["id.resp_p"] != 53).collect();
    assert_eq!(live.len(), 32);
    let tshark = match tools::tool("tshark") {
        Ok(tshark) => tshark,
        Err(missing) => return skip::skip(missing),
    };
    for (vni, interface) in [(5, "eni-5"), (6, "vni-6-127.0.0.2")] {
        // One vantage: what it saw, and at the times it saw it.
        let part = file(&format!("{vni}.pcapng"));
        let only = format!("frame.interface_name == \"{interface}\"");
        let mut command = Command::new(&tshark);
        command.arg("-r").arg(file("x.pcapng")).args(["-Y", &only, "-w"]).arg(&part);
        assert!(command.status().unwrap().success());
        let ours = comparable(replayed(&part, &file(&format!("out-{vni}"))).iter());
        let live = comparable(live.iter().filter(|record| record["enigma.vni"] == vni));
        assert_eq!(ours.len(), 16);
        assert_eq!(ours, live, "{interface}");
    }
}

#[test]
fn a_capture_ends_with_its_time_with_its_size_and_with_its_client() {
    let dir = tempfile::tempdir().unwrap();
    let watched = Watched::start("shutdown.drain = \"0s\"\n");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let frame = ethernet(&udp("10.1.0.1:1".parse().unwrap(), "10.1.0.2:2".parse().unwrap(), &[7; 900]));
    let idle = |what: &str| {
        watched.wait_status(what, |status| status["captures"]["running"].is_null())["captures"].clone()
    };
    // Time: a second of nothing that was asked for.
    let silent = dir.path().join("silent.pcapng");
    let Some(curl) = watched.capture(&json!({ "filter": "tcp", "seconds": 1 }), &silent) else { return };
    sender.send_to(&vxlan(5, &frame), &watched.collector.receive).unwrap();
    assert!(ended(curl));
    idle("the end of the time");
    assert_eq!(replayed(&silent, &dir.path().join("silent")).len(), 0);
    // Size.
    let full = dir.path().join("full.pcapng");
    let wanted = json!({ "max_bytes": 16_384, "seconds": 3_600 });
    let curl = watched.capture(&wanted, &full).unwrap();
    for _ in 0..40 {
        sender.send_to(&vxlan(5, &frame), &watched.collector.receive).unwrap();
    }
    assert!(ended(curl));
    let after = idle("the end of the file");
    let length = std::fs::metadata(&full).unwrap().len();
    assert!((15_000..=16_384).contains(&length), "{length}");
    assert_eq!(replayed(&full, &dir.path().join("full"))[0]["orig_pkts"], after["packets"]);
    // A client that goes.
    let mut curl = watched.capture(&json!({ "seconds": 3_600 }), &dir.path().join("gone.pcapng")).unwrap();
    curl.kill().unwrap();
    curl.wait().unwrap();
    idle("the end of a client");
    let metrics = watched.collector.get("/metrics").1;
    for line in ["captures_running 0", "captures_total 3", "capture_dropped_packets_total 0"] {
        assert!(metrics.contains(&format!("enigma_collector_{line}\n")), "{line}");
    }
    let stopped = watched.collector.stop();
    for said in [
        "1 ended because its seconds are over",
        "2 ended because max_bytes is reached",
        "3 ended because its client has gone",
    ] {
        assert!(stopped.said.contains(&format!("capture {said}")), "{}", stopped.said);
    }
}

#[test]
fn packets_are_shown_to_who_has_the_token_and_asks_properly() {
    let watched = Watched::start("shutdown.drain = \"0s\"\n");
    assert_eq!(watched.ask("{}", None).0, 401);
    assert_eq!(watched.ask("{}", Some("0123456789abcdef0123456789abcdee")).0, 401);
    let (code, text) = watched.ask("{\"seconds\": 0, \"filter\": \"tcp prot 80\"}", Some(TOKEN));
    assert_eq!(code, 400);
    assert_eq!(
        text,
        "seconds: found 0, allowed: a whole number from 1 to 3600\n\
         filter: at character 5 found \"prot\", expected port, portrange, and, or, or the end behind tcp\n"
    );
    assert_eq!(watched.ask(&format!("{{\"filter\": \"{}\"}}", " ".repeat(40_000)), Some(TOKEN)).0, 413);
    assert_eq!(watched.collector.get_with(URL, &format!("Bearer {TOKEN}")).0, 405);
    assert_eq!(watched.status()["captures"]["started"], 0);
    // Without a token there are no packets for anybody.
    let open = Collector::start("shutdown.drain = \"0s\"\n");
    let without = Watched { collector: open, _dir: tempfile::tempdir().unwrap() };
    let (code, text) = without.ask("{}", Some(TOKEN));
    assert!(code == 403 && text.contains("http.token_file"), "{code} {text}");
    watched.collector.running.signal(Signal::TERM).unwrap();
    assert_eq!(watched.collector.wait().status.code(), Some(0));
}
