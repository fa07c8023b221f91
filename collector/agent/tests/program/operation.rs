//! What an operator does with a running collector: name its sessions, have its configuration read again, watch over it
//! with a service manager.

use std::net::UdpSocket;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use enigma_test_support::packets::{Capture, ethernet, udp, vxlan};
use enigma_test_support::process::{Signal, Stream};
use enigma_test_support::wait;
use serde_json::{Value, json};

use super::collector::{Collector, LIMIT, output, program, records};

const AT_ONCE: &str = "shutdown.drain = \"0s\"\n";

fn datagram(vni: u32, flow: u16) -> Vec<u8> {
    let from = format!("10.1.0.1:{}", 1_024 + flow).parse().unwrap();
    vxlan(vni, &ethernet(&udp(from, "10.1.0.2:9000".parse().unwrap(), b"mirrored")))
}

/// Replaces a file as a whole.
fn put(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, path).unwrap();
}

fn sessions(list: &Value) -> String {
    json!({ "version": 1, "sessions": list }).to_string()
}

#[test]
fn records_carry_who_is_behind_their_vni_and_follow_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("directory.json");
    let collector = Collector::start(&format!(
        "{AT_ONCE}flow.udp = \"1s\"\nenrich.file = {file:?}\nenrich.interval = \"100ms\"\n"
    ));
    // It is not there yet: that costs names, not records.
    collector.wait_status("a failed reading", |status| status["directory"]["failures"].as_u64() > Some(0));
    put(
        &file,
        &sessions(&json!([{ "vni": 5, "eni": "eni-5", "name": "first", "tags": { "team": "shop" } }])),
    );
    collector.wait_status("the directory", |status| status["directory"]["sessions"] == 1);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let directory = collector.dir.path().join("records");
    let record_of = |vni: u32, port: u16, count: usize| {
        sender.send_to(&datagram(vni, port), &collector.receive).unwrap();
        wait::until(LIMIT, "the record", || records(&directory).len() == count);
        records(&directory).pop().unwrap()
    };
    let first = record_of(5, 1, 1);
    assert_eq!(
        (&first["enigma.eni"], &first["enigma.name"], &first["enigma.tags"]),
        (&json!("eni-5"), &json!("first"), &json!({ "team": "shop" }))
    );
    let unknown = record_of(6, 2, 2);
    assert_eq!((&unknown["enigma.vni"], unknown.get("enigma.eni")), (&json!(6), None));
    put(
        &file,
        &sessions(&json!([
            { "vni": 5, "eni": "eni-5", "name": "renamed" },
            { "vni": 6, "source_ip": "127.0.0.1", "eni": "eni-6" },
        ])),
    );
    collector.wait_status("the new directory", |status| status["directory"]["sessions"] == 2);
    assert_eq!(record_of(5, 3, 3)["enigma.name"], "renamed");
    let failures = collector.status()["directory"]["failures"].as_u64();
    put(&file, "{\"version\": 1, \"sessions\": [{\"vni\": 5");
    collector.wait_status("a broken file", |status| status["directory"]["failures"].as_u64() > failures);
    assert_eq!(record_of(6, 4, 4)["enigma.eni"], "eni-6", "a broken file changes nothing");
    let status = collector.wait_status("the count", |status| status["records"]["written"] == 4);
    assert_eq!(status["records"]["unknown_sessions"], 1);
    let ended = collector.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    assert_eq!(ended.said.matches("is broken").count(), 1, "told once: {}", ended.said);
}

#[test]
fn a_replay_names_its_sessions_too() {
    let dir = tempfile::tempdir().unwrap();
    let [file, config, capture] = ["d.json", "c.toml", "t.pcap"].map(|name| dir.path().join(name));
    std::fs::write(&file, sessions(&json!([{ "vni": 5, "source_ip": "10.9.9.9", "eni": "eni-5" }]))).unwrap();
    std::fs::write(&config, format!("enrich.file = {file:?}\n")).unwrap();
    let mut traffic = Capture::default();
    for (number, source) in ["10.9.9.9", "10.9.9.8"].into_iter().enumerate() {
        let outer = format!("{source}:65400").parse().unwrap();
        let packet = udp(outer, "10.8.8.8:4789".parse().unwrap(), &datagram(5, 1));
        traffic.push(std::time::Duration::from_secs(number as u64), ethernet(&packet));
    }
    // The records of protocols too: a question for the address of a.test.
    let question = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01";
    let asked = ethernet(&udp("10.1.0.1:4000".parse().unwrap(), "10.1.0.2:53".parse().unwrap(), question));
    let mirror = "10.9.9.9:65401".parse().unwrap();
    let packet = udp(mirror, "10.8.8.8:4789".parse().unwrap(), &vxlan(5, &asked));
    traffic.push(std::time::Duration::from_secs(2), ethernet(&packet));
    traffic.write(&capture).unwrap();
    let out = dir.path().join("out");
    let replay = || {
        let mut command = program();
        command.arg("replay").arg(&capture).arg("--config").arg(&config).arg("--output").arg(&out);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(replay().0, Some(0));
    let enis: Vec<(String, Option<Value>)> = records(&out)
        .iter()
        .map(|r| (r["enigma.source_ip"].as_str().unwrap().to_owned(), r.get("enigma.eni").cloned()))
        .collect();
    assert_eq!(enis.len(), 3);
    let dns: Value = serde_json::from_str(&std::fs::read_to_string(out.join("dns.log")).unwrap()).unwrap();
    assert_eq!((&dns["query"], &dns["enigma.eni"]), (&json!("a.test"), &json!("eni-5")));
    assert!(enis.contains(&("10.9.9.9".to_owned(), Some("eni-5".into()))), "{enis:?}");
    assert!(enis.contains(&("10.9.9.8".to_owned(), None)), "{enis:?}");
    std::fs::write(&file, "{}").unwrap();
    let (code, said) = replay();
    assert_eq!(code, Some(1));
    assert!(said.contains("nothing was replayed: the directory of sessions"), "{said}");
}

#[test]
fn a_hangup_reloads_what_can_be_reloaded_and_names_the_rest() {
    let collector = Collector::start("shutdown.drain = \"1h\"\n");
    let path = collector.dir.path().join("collector.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let names = collector.dir.path().join("names.json");
    std::fs::write(&names, sessions(&json!([{ "vni": 5, "eni": "eni-5" }]))).unwrap();
    let said = |what: &str| {
        collector.running.signal(Signal::HUP).unwrap();
        wait::until(LIMIT, what, || collector.running.text(Stream::Stderr).contains(what));
    };
    std::fs::write(&path, "receive.workers = 0\n").unwrap();
    said("everything stays as it is");
    std::fs::write(&path, &config).unwrap();
    said("nothing has changed");
    let changed = config.replace("drain = \"1h\"", "drain = \"0s\"")
        + &format!(
            "receive.workers = 3\nflow.udp = \"9s\"\nenrich.file = {names:?}\n[log]\nlevel = \"debug\"\n"
        );
    std::fs::write(&path, changed).unwrap();
    said("enrich, shutdown, log.level changed");
    said("receive, flow only change with a restart");
    collector.wait_status("the sessions of the new file", |status| status["directory"]["sessions"] == 1);
    let status = collector.status();
    assert_eq!((&status["phase"], status["workers"].as_array().unwrap().len()), (&json!("serving"), 1));
    // An hour of drain became none.
    assert_eq!(collector.stop().status.code(), Some(0));
}

#[test]
fn a_hangup_opens_the_log_file_again() {
    let dir = tempfile::tempdir().unwrap();
    let (log, moved) = (dir.path().join("log"), dir.path().join("log.1"));
    let collector = Collector::start(&format!("{AT_ONCE}log.file = {log:?}\n"));
    let text = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
    wait::until(LIMIT, "the first message", || text(&log).contains("receiving"));
    std::fs::rename(&log, &moved).unwrap();
    collector.running.signal(Signal::HUP).unwrap();
    wait::until(LIMIT, "messages in a new file", || text(&log).contains("nothing has changed"));
    // Where it cannot be opened, messages go on where they went.
    std::fs::remove_file(&log).unwrap();
    std::fs::create_dir(&log).unwrap();
    collector.running.signal(Signal::HUP).unwrap();
    collector.running.signal(Signal::TERM).unwrap();
    let ended = collector.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    assert!(!text(&moved).contains("nothing has changed"), "{}", text(&moved));
}

#[test]
fn a_hangup_swaps_the_lists_of_who_may_send_and_ends_no_flow() {
    let collector = Collector::start(&format!("{AT_ONCE}receive.workers = 2\nreceive.allow.vnis = [5]\n"));
    let path = collector.dir.path().join("collector.toml");
    let config = std::fs::read_to_string(&path).unwrap();
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let send = |vni: u32| {
        for flow in 0..40 {
            let from = format!("10.1.0.1:{}", 2_000 + flow).parse().unwrap();
            let frame = ethernet(&udp(from, "10.1.0.2:9000".parse().unwrap(), b"mirrored"));
            sender.send_to(&vxlan(vni, &frame), &collector.receive).unwrap();
        }
    };
    let status = |received: u64| {
        collector.wait_status("the packets", |status| status["packets"]["received"] == received)
    };
    send(5);
    send(6);
    let before = status(80);
    assert_eq!(
        (&before["packets"]["dropped"]["vni_not_admitted"], &before["packets"]["decoded"]),
        (&json!(40), &json!(40))
    );
    let reload = |to: &str| {
        std::fs::write(&path, config.replace("receive.allow.vnis = [5]", to)).unwrap();
        collector.running.signal(Signal::HUP).unwrap();
    };
    reload("receive.allow.vnis = [5, 6]");
    wait::until(LIMIT, "the reload", || {
        collector.running.text(Stream::Stderr).contains("configuration reloaded: receive.allow changed")
    });
    // Every worker takes the lists over between two of its batches, of which it has ten a second at the least.
    let mut received = 80;
    wait::until(LIMIT, "packets of the new session", || {
        send(6);
        received += 40;
        status(received)["flows"]["now"] == 80
    });
    send(5);
    received += 40;
    let after = status(received);
    // The flows of the old session are the same ones, the new session's are its own.
    assert_eq!(after["flows"]["now"], 80, "{after}");
    // A network that the sender is not in.
    reload("receive.allow.sources = [\"192.0.2.0/24\"]");
    wait::until(LIMIT, "the sender to be refused", || {
        send(5);
        received += 40;
        status(received)["packets"]["dropped"]["source_not_admitted"]
            .as_u64()
            .is_some_and(|count| count >= 40)
    });
    let ended = collector.stop();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    assert_eq!(ended.conn().len(), 80, "no flow was ended by a reload");
}

#[test]
fn the_service_manager_is_told_ready_alive_reloading_and_stopping() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(LIMIT)).unwrap();
    let collector = Collector::start_in(AT_ONCE, "127.0.0.1:0", |_, mut command| {
        command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "1500000");
        command
    });
    let told = |line: &str| {
        let mut buffer = [0; 4096];
        loop {
            let length =
                manager.recv(&mut buffer).unwrap_or_else(|error| panic!("never told {line}: {error}"));
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.lines().any(|found| found == line) {
                return text;
            }
        }
    };
    assert!(told("READY=1").contains("STATUS=receiving on {"));
    told("WATCHDOG=1");
    told("WATCHDOG=1");
    collector.running.signal(Signal::HUP).unwrap();
    assert!(told("RELOADING=1").contains("MONOTONIC_USEC="));
    told("READY=1");
    collector.running.signal(Signal::TERM).unwrap();
    told("STOPPING=1");
    let ended = collector.wait();
    assert_eq!(ended.status.code(), Some(0), "{}", ended.said);
    assert!(
        ended.said.contains("set at least twice that"),
        "a watchdog that is too short is told: {}",
        ended.said
    );
}

#[test]
fn slow_clients_are_cut_off_and_do_not_keep_the_health_check_out() {
    use std::io::{Read as _, Write as _};
    let collector = Collector::start(AT_ONCE);
    // As many as are served at a time, and more: some say half a request, some nothing.
    let mut slow: Vec<std::net::TcpStream> =
        (0..80).map(|_| std::net::TcpStream::connect(&collector.http).unwrap()).collect();
    for stream in slow.iter_mut().step_by(2) {
        stream.write_all(b"GET /health/live HTTP/1.1\r\nHost:").unwrap();
    }
    assert_eq!(collector.get("/health/live").0, 200);
    for mut stream in slow {
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let mut answer = Vec::new();
        // Closed or reset; a timeout would be an error of another kind.
        if let Err(error) = stream.read_to_end(&mut answer) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(collector.stop().status.code(), Some(0));
}

#[test]
fn the_api_asks_for_the_token_and_health_does_not() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let names = dir.path().join("directory.json");
    put(&names, &sessions(&json!([{ "vni": 5, "eni": "eni-5", "tags": { "team": "shop" } }])));
    let collector = Collector::start(&format!(
        "shutdown.drain = \"0s\"\nhttp.token_file = {file:?}\nenrich.file = {names:?}\n"
    ));
    for path in ["/health/live", "/health/ready", "/api/2.0/status", "/metrics"] {
        assert_eq!(collector.get(path).0, 200, "{path}");
    }
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for host in 1..=3 {
        let from = format!("10.1.0.{host}:40000").parse().unwrap();
        let payload = vec![0; 100 * host];
        let frame = ethernet(&udp(from, "10.1.0.9:9000".parse().unwrap(), &payload));
        sender.send_to(&vxlan(5, &frame), &collector.receive).unwrap();
    }
    let bearer = format!("Bearer {TOKEN}");
    wait::until(LIMIT, "three packets", || {
        let status: Value = serde_json::from_str(&collector.get_with("/api/v1/status", &bearer).1).unwrap();
        status["packets"]["received"] == 3 && status["directory"]["sessions"] == 1
    });
    for path in ["/api/v1/status", "/api/v1/flows/top?limit=2"] {
        assert_eq!(collector.get(path).0, 401, "{path}");
        assert_eq!(collector.get_with(path, "Bearer 0123456789abcdef0123456789abcdee").0, 401, "{path}");
        assert_eq!(collector.get_with(path, &bearer).0, 200, "{path}");
    }
    let top: Value =
        serde_json::from_str(&collector.get_with("/api/v1/flows/top?limit=2", &bearer).1).unwrap();
    let heaviest: Vec<&str> =
        top["flows"].as_array().unwrap().iter().map(|flow| flow["id.orig_h"].as_str().unwrap()).collect();
    assert_eq!(heaviest, ["10.1.0.3", "10.1.0.2"], "{top}");
    let first = &top["flows"][0];
    assert_eq!(
        (&first["enigma.vni"], &first["enigma.eni"], &first["enigma.tags"]["team"]),
        (&json!(5), &json!("eni-5"), &json!("shop"))
    );
    for limit in ["0", "1001", "many"] {
        assert_eq!(
            collector.get_with(&format!("/api/v1/flows/top?limit={limit}"), &bearer).0,
            400,
            "{limit}"
        );
    }
    assert_eq!(collector.stop().status.code(), Some(0));
}

#[test]
fn without_a_token_counters_are_for_everybody_and_flows_for_nobody() {
    let collector = Collector::start("shutdown.drain = \"0s\"\n");
    assert_eq!(collector.get("/api/v1/status").0, 200);
    let (code, text) = collector.get("/api/v1/flows/top");
    assert!(code == 403 && text.contains("http.token_file"), "{code} {text}");
    assert_eq!(collector.stop().status.code(), Some(0));
}

#[test]
fn a_token_that_can_be_guessed_or_is_not_there_starts_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (config, token) = (dir.path().join("c.toml"), dir.path().join("token"));
    std::fs::write(&config, format!("receive.listen = \"127.0.0.1:0\"\nhttp.token_file = {token:?}\n"))
        .unwrap();
    for text in [None, Some("guess")] {
        if let Some(text) = text {
            std::fs::write(&token, text).unwrap();
        }
        let output = output(["run", "--config", config.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("nothing was received") && said.contains("token"), "{said}");
        assert!(!said.contains("guess"), "{said}");
    }
}
