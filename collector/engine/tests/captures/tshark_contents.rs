//! What leases say, against tshark. The messages of one come in several flows, so this is not compared flow by flow.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use enigma_engine::FrameMode;
use serde_json::{Map, Value};

use crate::scorecard::Score;
use crate::{captures, differences, facts, fields, of_stream, reader, replay};

/// A comparison of one field: the captures it concerns, what tshark calls it, and what we do.
struct Compared {
    stream: &'static str,
    what: &'static str,
    list: &'static str,
    /// Protocols (tshark's) of which a capture has one.
    protocols: &'static [&'static str],
    /// Which packets have the fields, and the fields.
    filter: &'static str,
    fields: &'static [(&'static str, &'static str)],
}

const ALL: [Compared; 1] = [Compared {
    stream: "dhcp",
    what: "clients, addresses, names",
    list: "tshark_dhcp.txt",
    protocols: &["dhcp"],
    filter: "dhcp && !icmp",
    fields: &[
        ("dhcp.hw.mac_addr", "mac"),
        ("dhcp.ip.your", "assigned_addr"),
        ("dhcp.option.hostname", "host_name"),
        ("dhcp.option.domain_name", "domain"),
        ("dhcp.option.requested_ip_address", "requested_addr"),
        ("dhcp.option.ip_address_lease_time", "lease_time"),
        ("dhcp.option.dhcp", "msg_types"),
    ],
}];

/// Message types by number (RFC 2132 section 9.6 and later ones), as records name them.
const DHCP_TYPES: [&str; 9] =
    ["", "DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"];

/// A field's value as both sides write it.
fn normal(field: &str, value: &str) -> Option<String> {
    Some(match field {
        "msg_types" => DHCP_TYPES.get(value.parse::<usize>().ok()?)?.to_string(),
        "assigned_addr" if value == "0.0.0.0" => return None,
        "mac" if value == "00:00:00:00:00:00" => return None,
        "lease_time" => value.split('.').next()?.to_owned(),
        _ => value.to_owned(),
    })
}

fn theirs(tshark: &Path, capture: &Path, compared: &Compared) -> BTreeSet<String> {
    let mut command = Command::new(tshark);
    // A separator that no value has.
    command.args([
        "-n",
        "-2",
        "-T",
        "fields",
        "-E",
        "occurrence=a",
        "-E",
        "aggregator=\u{1f}",
        "-Y",
        compared.filter,
    ]);
    command.arg("-r").arg(capture);
    for (name, _) in compared.fields {
        command.args(["-e", name]);
    }
    let output = command.output().expect("tshark runs");
    let mut found = BTreeSet::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        for ((_, ours), values) in compared.fields.iter().zip(line.split('\t')) {
            for value in values.split('\u{1f}').filter(|value| !value.is_empty()) {
                found.extend(normal(ours, value).map(|value| format!("{ours} {value}")));
            }
        }
    }
    found
}

fn ours(records: &[&enigma_engine::Record], compared: &Compared) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut add = |record: &Map<String, Value>| {
        for (_, field) in compared.fields {
            let texts = match record.get(*field) {
                Some(Value::Array(list)) => {
                    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
                }
                Some(Value::String(text)) => vec![text.clone()],
                Some(Value::Number(number)) => {
                    vec![format!("{}", number.as_f64().unwrap_or_default() as u64)]
                }
                _ => Vec::new(),
            };
            found.extend(texts.iter().map(|text| format!("{field} {text}")));
        }
    };
    records.iter().for_each(|record| add(&fields(record)));
    found
}

#[test]
fn fields_equal_those_that_tshark_reads() {
    let Some(folder) = captures() else { return };
    let tshark = match enigma_test_support::tools::tool("tshark") {
        Ok(tshark) => tshark,
        Err(missing) => return enigma_test_support::skip::skip(missing.to_string()),
    };
    let facts = facts(&folder);
    let mut lists = Vec::new();
    for compared in &ALL {
        let (mut found, mut expected, mut equal, mut files) = (BTreeSet::new(), 0, 0, 0);
        for fact in &facts {
            let name = fact["file"].as_str().expect("a file name");
            let has = |protocol: &&str| fact["protocols"].get(*protocol).is_some();
            if !compared.protocols.iter().any(has) {
                continue;
            }
            files += 1;
            let path = folder.join(name);
            let theirs = theirs(&tshark, &path, compared);
            let (records, _) = replay(&reader::read(&path), FrameMode::Auto);
            let ours = ours(&of_stream(&records, compared.stream), compared);
            expected += theirs.len();
            equal += theirs.intersection(&ours).count();
            found.extend(theirs.difference(&ours).map(|value| format!("{name} only tshark {value}")));
            found.extend(ours.difference(&theirs).map(|value| format!("{name} only ours {value}")));
        }
        assert!(equal > 10, "{}: {equal} of {expected} equal", compared.what);
        lists.push((compared, files, expected, equal, found));
    }
    differences::compare_all(lists.iter().map(|(compared, .., found)| (compared.list, found)));
    for (Compared { stream, what, list, .. }, files, expected, equal, found) in &lists {
        let (source, different) = ("tshark", found.len());
        let (files, expected, equal) = (*files, *expected, *equal);
        Score { stream, source, what, files, expected, equal, different, list }.report();
    }
}
