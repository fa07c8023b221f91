//! What flows say, against what tshark reads in the same captures (facts.jsonl).

use std::collections::BTreeSet;

use enigma_engine::FrameMode;
use serde_json::{Map, Value};

use crate::scorecard::Score;
use crate::{captures, differences, facts, fields, of_stream, reader, replay};

/// Lists in the index stop at so many entries.
const LIST_LIMIT: usize = 24;

/// Compares the values that `ours` finds in records of `streams` with the index's list `fact`.
fn compare(
    streams: &[&str],
    fact_name: &str,
    normal: fn(&str) -> String,
    ours: fn(&Map<String, Value>) -> Vec<String>,
) {
    let Some(folder) = captures() else { return };
    let (mut found, mut files, mut expected, mut equal) = (BTreeSet::new(), 0, 0, 0);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let listed = fact[fact_name].as_array().map_or(0, Vec::len);
        let theirs: BTreeSet<String> =
            fact[fact_name].as_array().into_iter().flatten().filter_map(Value::as_str).map(normal).collect();
        let (records, _) = replay(&reader::read(&folder.join(name)), FrameMode::Auto);
        let ours: BTreeSet<String> = streams
            .iter()
            .flat_map(|stream| of_stream(&records, stream))
            .flat_map(|record| ours(&fields(record)))
            .collect();
        files += 1;
        expected += theirs.len();
        for value in &theirs {
            if ours.contains(value) {
                equal += 1;
            } else {
                found.insert(format!("{name} only tshark {value:?}"));
            }
        }
        if listed < LIST_LIMIT {
            found.extend(ours.difference(&theirs).map(|value| format!("{name} only ours {value:?}")));
        }
    }
    assert!(equal > 10);
    let list = format!("tshark_{fact_name}.txt");
    let (stream, source, different) = (streams[0], "tshark", found.len());
    differences::compare(&list, &found);
    Score { stream, source, what: fact_name, files, expected, equal, different, list: &list }.report();
}

fn one(fields: &Map<String, Value>, name: &str) -> Vec<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned).into_iter().collect()
}

#[test]
fn dns_names_equal_those_of_tshark() {
    let normal = |name: &str| if name == "<Root>" { ".".to_owned() } else { name.to_ascii_lowercase() };
    compare(&["dns"], "dns", normal, |fields| one(fields, "query"));
}

#[test]
fn server_names_equal_those_of_tshark() {
    compare(&["ssl"], "sni", str::to_owned, |fields| one(fields, "server_name"));
}

#[test]
fn ja3_equals_that_of_tshark() {
    compare(&["ssl"], "ja3", str::to_owned, |fields| one(fields, "ja3"));
}

#[test]
fn http_hosts_equal_those_of_tshark() {
    compare(&["http"], "http_host", str::to_owned, |fields| one(fields, "host"));
}

#[test]
fn ssh_banners_equal_those_of_tshark() {
    compare(&["ssh"], "ssh", str::to_owned, |fields| [one(fields, "client"), one(fields, "server")].concat());
}

/// JA4's own tests: the client fingerprints of a capture.
#[test]
fn ja4_equals_the_baselines_of_its_authors() {
    let Some(folder) = captures() else { return };
    let (mut found, mut files, mut expected, mut equal) = (BTreeSet::new(), 0, 0, 0);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let baseline = folder.join(format!("{name}.ja4.json"));
        let Ok(text) = std::fs::read_to_string(&baseline) else { continue };
        let flows: Vec<Value> = serde_json::from_str(&text).expect("the baseline is JSON");
        let theirs: BTreeSet<String> = flows
            .iter()
            .flat_map(|flow| flow.as_object().into_iter().flatten())
            .filter(|(key, _)| key.starts_with("JA4."))
            .filter_map(|(_, value)| value.as_str().map(str::to_owned))
            .collect();
        let (records, _) = replay(&reader::read(&folder.join(name)), FrameMode::Auto);
        let ours: BTreeSet<String> = records.iter().flat_map(|record| one(&fields(record), "ja4")).collect();
        files += 1;
        expected += theirs.len();
        equal += theirs.intersection(&ours).count();
        found.extend(theirs.difference(&ours).map(|value| format!("{name} only JA4 {value}")));
        found.extend(ours.difference(&theirs).map(|value| format!("{name} only ours {value}")));
    }
    assert!(equal > 5, "{equal} equal");
    let (list, different) = ("ja4.txt", found.len());
    differences::compare(list, &found);
    let (stream, source, what) = ("ssl", "JA4", "JA4");
    Score { stream, source, what, files, expected, equal, different, list }.report();
}

/// nDPI prints JA4 of the clients it recognises, over TLS and QUIC. It writes `d` also where no name is sent, and the
/// first two letters of the protocol instead of the first and the last: these three are not compared.
#[test]
fn ja4_equals_ndpis() {
    let Some(folder) = captures() else { return };
    let (mut found, mut files, mut expected, mut equal) = (BTreeSet::new(), 0, 0, 0);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let Ok(text) = std::fs::read(folder.join(format!("{name}.ndpi.out"))) else { continue };
        let text = String::from_utf8_lossy(&text);
        let theirs: BTreeSet<String> = text
            .split("[JA4: ")
            .skip(1)
            .filter_map(|rest| rest.split(']').next())
            .map(without_name)
            .collect();
        let (records, _) = replay(&reader::read(&folder.join(name)), FrameMode::Auto);
        let ours = records.iter().flat_map(|record| one(&fields(record), "ja4"));
        let ours: BTreeSet<String> = ours.map(|ja4| without_name(&ja4)).collect();
        files += 1;
        expected += theirs.len();
        equal += theirs.intersection(&ours).count();
        found.extend(theirs.difference(&ours).map(|value| format!("{name} only nDPI {value}")));
        found.extend(ours.difference(&theirs).map(|value| format!("{name} only ours {value}")));
    }
    assert!(equal > 10, "{equal} equal");
    let (list, different) = ("ndpi_ja4.txt", found.len());
    differences::compare(list, &found);
    let (stream, source, what) = ("ssl", "nDPI", "JA4");
    Score { stream, source, what, files, expected, equal, different, list }.report();
}

/// A JA4 with dots for what nDPI writes in another way.
fn without_name(ja4: &str) -> String {
    let dotted = |(at, c)| if matches!(at, 3 | 8 | 9) { '.' } else { c };
    ja4.chars().enumerate().map(dotted).collect()
}
