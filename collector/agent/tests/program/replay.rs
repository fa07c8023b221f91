//! `replay`: self-made captures in every packing, in every mode.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use enigma_test_support::packets::{Capture, Exchange, ethernet, tcp_conversation, udp, udp_exchange, vxlan};
use serde_json::{Value, json};

use super::collector::{number, output, program, records};

const START: Duration = Duration::from_secs(1_700_000_000);

/// One HTTP-like connection and one question with answer.
pub(crate) fn traffic() -> Capture {
    let exchange = |client: &str, server: &str, start| Exchange {
        client: client.parse().unwrap(),
        server: server.parse().unwrap(),
        request: &[b'q'; 100],
        response: &[b'r'; 5_000],
        start,
        gap: Duration::from_millis(1),
    };
    let mut capture = Capture::default();
    capture.extend(tcp_conversation(&exchange("10.0.0.1:40000", "10.0.0.2:80", START)));
    let question = Exchange {
        response: &[b'r'; 200],
        ..exchange("[fd00::1]:5353", "[fd00::2]:53", START + Duration::from_secs(1))
    };
    capture.extend(udp_exchange(&question));
    capture
}

/// The same frames as a mirror session's traffic, as its collector's interface would capture them.
fn mirrored(plain: &Capture, vni: u32) -> Capture {
    let mut capture = Capture::default();
    for (time, frame) in plain.packets() {
        let datagram =
            udp("10.9.0.1:65500".parse().unwrap(), "10.9.0.9:4789".parse().unwrap(), &vxlan(vni, frame));
        capture.push(time, ethernet(&datagram));
    }
    capture
}

fn replay(capture: &Path, args: &[&str]) -> (Option<i32>, Vec<Value>, String) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("records");
    let all = [&["replay", capture.to_str().unwrap(), "--output", out.to_str().unwrap()], args].concat();
    let output = output(all);
    (output.status.code(), records(&out), String::from_utf8(output.stderr).unwrap())
}

/// What both ends of the test know about the two flows.
fn check(records: &[Value]) {
    let by_proto: BTreeMap<&str, &Value> =
        records.iter().map(|record| (record["proto"].as_str().unwrap(), record)).collect();
    assert_eq!((records.len(), by_proto.len()), (2, 2), "{records:?}");
    let tcp = by_proto["tcp"];
    for (field, value) in [
        ("id.orig_h", json!("10.0.0.1")),
        ("id.orig_p", json!(40_000)),
        ("id.resp_h", json!("10.0.0.2")),
        ("id.resp_p", json!(80)),
        ("conn_state", json!("SF")),
        ("orig_bytes", json!(100)),
        ("resp_bytes", json!(5_000)),
        ("ts", json!(1_700_000_000.0)),
    ] {
        assert_eq!(tcp[field], value, "{field} of {tcp}");
    }
    let udp = by_proto["udp"];
    assert_eq!(
        (&udp["id.orig_h"], &udp["orig_bytes"], &udp["resp_bytes"]),
        (&json!("fd00::1"), &json!(100), &json!(200))
    );
}

#[test]
fn plain_and_mirrored_traffic_give_the_same_flows_in_every_packing() {
    let dir = tempfile::tempdir().unwrap();
    let plain = traffic();
    for (capture, vni) in [(plain.clone(), None), (mirrored(&plain, 77), Some(77))] {
        let bytes = capture.to_pcap();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gzip.write_all(&bytes).unwrap();
        let packed = [
            bytes.clone(),
            gzip.finish().unwrap(),
            zstd::encode_all(&bytes[..], 3).unwrap(),
            pcapng(&capture),
        ];
        let mut first = None;
        for bytes in packed {
            let file = dir.path().join("capture");
            std::fs::write(&file, bytes).unwrap();
            let (code, records, said) = replay(&file, &[]);
            assert_eq!(code, Some(0), "{said}");
            check(&records);
            for record in &records {
                assert_eq!(record.get("enigma.vni"), vni.map(|vni| json!(vni)).as_ref());
                assert_eq!(record.get("enigma.source_ip"), vni.map(|_| json!("10.9.0.1")).as_ref());
            }
            assert_eq!(number(&said, "received"), capture.len() as u64);
            assert_eq!(number(&said, "decoded"), capture.len() as u64);
            assert_eq!((number(&said, "made"), number(&said, "written")), (2, 2));
            // The same packets give the same records to the last byte, however they are packed.
            assert_eq!(first.get_or_insert_with(|| records.clone()), &records);
        }
    }
}

/// Records of many captures may lie in one index: only those of the same packets have the same identifiers.
#[test]
fn identifiers_are_those_of_the_capture() {
    let dir = tempfile::tempdir().unwrap();
    let uids = |seconds: u64| {
        let mut later = Capture::default();
        for (time, frame) in traffic().packets() {
            later.push(time + Duration::from_secs(seconds), frame.to_vec());
        }
        let file = dir.path().join("capture");
        later.write(&file).unwrap();
        let (code, records, said) = replay(&file, &[]);
        assert_eq!((code, records.len()), (Some(0), 2), "{said}");
        records.iter().map(|record| record["uid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (first, again, later) = (uids(0), uids(0), uids(1));
    assert_eq!(first, again);
    assert!(first.iter().all(|uid| !later.contains(uid)), "{first:?} {later:?}");
}

/// What the records cannot tell is in the account.
#[test]
fn the_account_tells_of_copies_of_cut_packets_and_of_contents_nobody_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let mut capture = Capture::default();
    let request = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let from = "10.0.0.1:40000".parse().unwrap();
    let frame = ethernet(&udp(from, "10.0.0.2:9000".parse().unwrap(), request));
    for (micros, source, length) in [(0, 1, frame.len()), (40, 2, frame.len()), (80, 1, frame.len() - 9)] {
        let outer = format!("10.9.0.{source}:65500").parse().unwrap();
        let datagram = udp(outer, "10.9.0.9:4789".parse().unwrap(), &vxlan(5, &frame[..length]));
        capture.push(START + Duration::from_micros(micros), ethernet(&datagram));
    }
    let (file, config) = (dir.path().join("capture"), dir.path().join("c.toml"));
    capture.write(&file).unwrap();
    std::fs::write(&config, "flow.duplicates = \"mark\"\n").unwrap();
    let (code, _, said) = replay(&file, &["--config", config.to_str().unwrap(), "--flows-only"]);
    assert_eq!(code, Some(0), "{said}");
    for line in ["1 were cut by their session", "1 were copies", "2 not looked at"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    let (_, _, said) = replay(&file, &[]);
    assert!(said.contains("were cut") && !said.contains("copies") && !said.contains("content"), "{said}");
}

/// Content is not looked at: nothing is said of it, and all that is told of a flow is the same.
#[test]
fn flows_alone_are_those_of_the_whole_run() {
    let mut capture = traffic();
    capture.extend(tcp_conversation(&Exchange {
        client: "10.0.0.3:40001".parse().unwrap(),
        server: "10.0.0.2:8000".parse().unwrap(),
        request: b"GET /a HTTP/1.1\r\nHost: a.example\r\n\r\n",
        response: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        start: START + Duration::from_secs(2),
        gap: Duration::from_millis(1),
    }));
    let dir = tempfile::tempdir().unwrap();
    for (name, capture) in [("plain.pcap", capture.clone()), ("mirrored.pcap", mirrored(&capture, 5))] {
        let file = dir.path().join(name);
        capture.write(&file).unwrap();
        let run = |args: &[&str]| {
            let to = dir.path().join(format!("{name}-{}", args.len()));
            let all = [&["replay", file.to_str().unwrap(), "--output", to.to_str().unwrap()], args].concat();
            let said = String::from_utf8(output(all).stderr).unwrap();
            let stream = |name: &str| std::fs::read(to.join(name)).unwrap_or_default();
            let mut conns = lines(&stream("conn.log"));
            let services: Vec<Value> = conns
                .iter_mut()
                .filter_map(|conn| conn.as_object_mut().unwrap().shift_remove("service"))
                .collect();
            (conns, services, lines(&stream("http.log")).len(), number(&said, "made"))
        };
        let (whole, services, exchanges, made) = run(&[]);
        assert_eq!((whole.len(), services, exchanges, made), (3, vec![json!("http")], 1, 4));
        let (flows, services, exchanges, made) = run(&["--flows-only"]);
        assert_eq!((services, exchanges, made), (Vec::<Value>::new(), 0, 3));
        assert_eq!(flows, whole, "{name}");
    }
}

#[test]
fn modes_decide_what_a_frame_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mirrored.pcap");
    mirrored(&traffic(), 9).write(&file).unwrap();
    let (code, records, _) = replay(&file, &["--mode", "plain"]);
    assert_eq!((code, records.len()), (Some(0), 3), "the tunnel itself, and the two conversations inside");
    let (outside, inside): (Vec<_>, Vec<_>) =
        records.iter().partition(|record| record["tunnel_parents"].is_null());
    assert_eq!(outside.len(), 1);
    assert_eq!(outside[0]["id.resp_p"], 4789);
    for record in &inside {
        assert_eq!(record["tunnel_parents"], json!([outside[0]["uid"]]));
        assert_eq!(record.get("enigma.vni"), None, "nothing was mirrored");
    }
    let file = dir.path().join("plain.pcap");
    traffic().write(&file).unwrap();
    let (code, records, said) = replay(&file, &["--mode", "vxlan"]);
    assert_eq!((code, records.len()), (Some(0), 0));
    let frames = traffic().len() as u64;
    assert_eq!(
        (number(&said, "received"), number(&said, "decoded"), number(&said, "not_mirrored")),
        (frames, 0, frames)
    );
}

#[test]
fn flows_go_on_from_one_file_to_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let whole = traffic();
    let files = ["first.pcap", "second.pcap"].map(|name| dir.path().join(name));
    for (number, file) in files.iter().enumerate() {
        let mut part = Capture::default();
        part.extend(
            whole
                .packets()
                .skip(number * 7)
                .take(if number == 0 { 7 } else { 1000 })
                .map(|(t, f)| (t, f.to_vec())),
        );
        part.write(file).unwrap();
    }
    let output = output(["replay", files[0].to_str().unwrap(), files[1].to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    check(&lines(&output.stdout));
}

/// Records from standard output.
fn lines(stdout: &[u8]) -> Vec<Value> {
    std::str::from_utf8(stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_capture_can_come_through_a_pipe() {
    let mut child = program()
        .args(["replay", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&zstd::encode_all(&traffic().to_pcap()[..], 3).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let records = lines(&output.stdout);
    check(&records);
    // All streams come through one pipe: each line says first of which it is.
    assert!(output.stdout.starts_with(b"{\"_path\":\"conn\",\"ts\":"));
    assert!(records.iter().all(|record| record["_path"] == "conn"), "{records:?}");
}

#[test]
fn what_cannot_be_read_is_named_and_what_was_read_counts() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cut.pcap");
    let bytes = traffic().to_pcap();
    std::fs::write(&file, &bytes[..bytes.len() - 10]).unwrap();
    let (code, records, said) = replay(&file, &[]);
    assert_eq!((code, records.len()), (Some(3), 2));
    assert!(said.contains("cut.pcap ends in the middle of a record"), "{said}");
    assert_eq!(number(&said, "received"), traffic().len() as u64 - 1);

    let (code, _, said) = replay(Path::new("/nowhere.pcap"), &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("cannot open /nowhere.pcap: No such file"), "{said}");

    std::fs::write(&file, "not a capture at all").unwrap();
    let (code, _, said) = replay(&file, &[]);
    assert_eq!(code, Some(1));
    assert!(said.contains("is not a capture"), "{said}");
}

/// A pcapng file with nanoseconds, as tcpdump and Wireshark write it today.
fn pcapng(capture: &Capture) -> Vec<u8> {
    fn block(kind: u32, mut body: Vec<u8>) -> Vec<u8> {
        body.resize(body.len().next_multiple_of(4), 0);
        let length = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &length, &body, &length].concat()
    }
    let mut file =
        block(0x0a0d_0d0a, [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &[0xff; 8]].concat());
    // Ethernet, no snap length, if_tsresol (9) of one byte: 10^-9.
    file.extend(block(1, [&[1, 0, 0, 0][..], &[0; 4], &[9, 0, 1, 0, 9, 0, 0, 0], &[0; 4]].concat()));
    for (time, frame) in capture.packets() {
        let time = u64::try_from(time.as_nanos()).unwrap();
        let length = u32::try_from(frame.len()).unwrap();
        let numbers = [0, (time >> 32) as u32, time as u32, length, length];
        file.extend(block(6, [&numbers.map(u32::to_le_bytes).concat()[..], frame].concat()));
    }
    file
}
