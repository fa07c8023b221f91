//! Three of ten flows mirrored at both ends: with `drop`, the records of one end.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use enigma_test_support::bin;
use serde_json::Value;

use super::{capture, packets, read};

/// Enough for the whole collection once.
const SIZE: [&str; 3] = ["--vxlan", "--target-mb", "1"];

/// The second end's outer source is 10.21.x.x, the first's 10.20.x.x.
fn is_second(frame: &[u8]) -> bool {
    frame[27] == 21
}

/// The lines of each stream, sorted, and the program's last words.
fn replay(capture: &Path, duplicates: &str) -> (BTreeMap<String, Vec<String>>, String) {
    let out = tempfile::tempdir().unwrap();
    let config = out.path().join("collector.toml");
    std::fs::write(&config, format!("flow.duplicates = \"{duplicates}\"\n")).unwrap();
    let records = out.path().join("records");
    let run = Command::new(bin("enigma-collector").unwrap())
        .env_remove("ENIGMA_LOG")
        .args(["replay", "--config"])
        .arg(&config)
        .arg(capture)
        .arg("--output")
        .arg(&records)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    assert_eq!(run.status.code(), Some(0), "{said}");
    let mut streams = BTreeMap::new();
    for entry in std::fs::read_dir(&records).unwrap() {
        let path = entry.unwrap().path();
        let stream = path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut lines: Vec<String> =
            std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        lines.sort_unstable();
        streams.insert(stream, lines);
    }
    (streams, said)
}

/// The records of flows that only the first has, without their identifiers, which count flows.
fn only_first(first: &BTreeMap<String, Vec<String>>, second: &BTreeMap<String, Vec<String>>) -> Vec<Value> {
    let told = |streams: &BTreeMap<String, Vec<String>>| -> Vec<String> {
        let lines = streams.iter().flat_map(|(stream, lines)| lines.iter().map(move |line| (stream, line)));
        let mut told: Vec<String> = lines
            .map(|(stream, line)| {
                let mut record: Value = serde_json::from_str(line).unwrap();
                for name in ["uid", "uids", "tunnel_parents"] {
                    record.as_object_mut().unwrap().remove(name);
                }
                record["stream"] = stream.as_str().into();
                record.to_string()
            })
            .collect();
        told.sort_unstable();
        told
    };
    let (first, mut second) = (told(first), told(second));
    let mut only = Vec::new();
    for record in first {
        match second.binary_search(&record) {
            Ok(found) => {
                second.remove(found);
            }
            Err(_) => only.push(serde_json::from_str(&record).unwrap()),
        }
    }
    only
}

/// The first lines that only one side has.
fn assert_same(theirs: &BTreeMap<String, Vec<String>>, ours: &BTreeMap<String, Vec<String>>, what: &str) {
    for (stream, lines) in theirs {
        let others = &ours[stream];
        let missing: Vec<&String> =
            lines.iter().filter(|line| others.binary_search(line).is_err()).take(5).collect();
        let more: Vec<&String> =
            others.iter().filter(|line| lines.binary_search(line).is_err()).take(5).collect();
        assert!(
            missing.is_empty() && more.is_empty(),
            "{what}: {stream}: missing {missing:#?} more {more:#?}"
        );
        assert_eq!(lines.len(), others.len(), "{what}: {stream}");
    }
    assert_eq!(theirs.len(), ours.len());
}

fn number(said: &str, name: &str) -> u64 {
    let from = said.find(&format!("{name} ")).unwrap_or_else(|| panic!("{name} in {said}")) + name.len() + 1;
    said[from..].split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

#[test]
fn dropped_copies_leave_the_records_of_one_end_to_the_last_byte() {
    let Some(once) = capture("once", &SIZE) else { return };
    let Some(twice) = capture("twice", &[&SIZE[..], &["--dup", "0.3"]].concat()) else { return };
    let (expected, said_once) = replay(&once, "drop");
    assert!(expected["conn"].len() > 1_500 && expected["dns"].len() > 300, "{said_once}");

    // One end alone has one packet that looks like a copy: the same ping, sent on three VLANs within 4 ms, of which the
    // script gives the one with three tags another source. Nothing else is missing of what is told without `drop`.
    let (whole, _) = replay(&once, "off");
    let missing = only_first(&whole, &expected);
    assert!(only_first(&expected, &whole).is_empty());
    assert_eq!((missing.len(), number(&said_once, "duplicate")), (1, 1), "{missing:#?}");
    let ping = &missing[0];
    assert!(
        ping["id.resp_h"] == "255.255.255.255" && ping["proto"] == "icmp" && ping["inner_vlan"] == 10,
        "{ping}"
    );

    let (found, said) = replay(&twice, "drop");
    let copies = number(&said, "received") - number(&said_once, "received");
    assert!(copies * 10 > number(&said_once, "received"), "{copies} copies");
    assert_same(&expected, &found, "both ends whole");
    // Copies of what cannot be decoded are counted as that.
    println!("{copies} copies: {said}");

    // The second end loses every third packet.
    let bytes = read(&twice);
    let mut lossy = bytes[..24].to_vec();
    let mut seconds = 0;
    for (header, frame) in packets(&bytes) {
        seconds += u32::from(is_second(frame));
        if !is_second(frame) || seconds % 3 != 0 {
            lossy.extend(header);
            lossy.extend(frame);
        }
    }
    assert!(seconds > 5_000 && lossy.len() < bytes.len());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lossy.pcap");
    std::fs::write(&file, lossy).unwrap();
    assert_same(&expected, &replay(&file, "drop").0, "the second end with losses");

    // Without it the copies are flows of their own, so that the comparison above proves something.
    let (with_copies, _) = replay(&twice, "off");
    assert!(with_copies["conn"].len() > expected["conn"].len() + 300);
}
