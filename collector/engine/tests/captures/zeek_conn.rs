//! `conn` records against the logs Zeek's own tests expect of the same captures.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use enigma_engine::FrameMode;
use serde_json::Value;

use crate::scorecard::Score;
use crate::zeek_streams::Uncompared;
use crate::{captures, conns, differences, facts, fields, reader, replay};

/// Fields that are compared when the baseline has them.
const COMPARED: [&str; 22] = [
    "id.orig_h",
    "id.orig_p",
    "id.resp_h",
    "id.resp_p",
    "proto",
    "service",
    "duration",
    "orig_bytes",
    "resp_bytes",
    "conn_state",
    "local_orig",
    "local_resp",
    "missed_bytes",
    "history",
    "orig_pkts",
    "orig_ip_bytes",
    "resp_pkts",
    "resp_ip_bytes",
    "ip_proto",
    "vlan",
    "inner_vlan",
    "id.ctx.inner_vlan",
];

/// Fields that are not, and why; beside them those that no stream compares.
const NOT_COMPARED: [(&str, &str); 6] = [
    ("failed_service", "a parser of Zeek's that gave up"),
    ("tunnel_parents", "identifiers are random; the tunnels are compared as records"),
    ("orig_l2_addr", "told by an optional script of Zeek's"),
    ("resp_l2_addr", "told by an optional script of Zeek's"),
    ("id.ctx.vlan", "told by an optional script of Zeek's"),
    ("pppoe_session_id", "told by an optional script of Zeek's"),
];

pub(crate) type Row = BTreeMap<String, String>;

/// The rows of a Zeek log: tab-separated, the columns named by `#fields` or, in cut logs, by the first line.
pub(crate) fn rows(path: &Path) -> Vec<Row> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut columns: Vec<&str> = Vec::new();
    let mut rows = Vec::new();
    for line in text.lines() {
        if let Some(names) = line.strip_prefix("#fields\t") {
            columns = names.split('\t').collect();
        } else if line.starts_with('#') || line.is_empty() {
        } else if columns.is_empty() {
            columns = line.split('\t').collect();
        } else if !line.split('\t').eq(columns.iter().copied()) {
            let names = columns.iter().map(|name| renamed(name).to_owned());
            rows.push(names.zip(line.split('\t').map(str::to_owned)).collect());
        }
    }
    rows
}

/// One baseline is of a test that renames columns.
fn renamed(column: &str) -> &str {
    match column {
        "src_ip" => "id.orig_h",
        "src_port" => "id.orig_p",
        "dst_ip" => "id.resp_h",
        "dst_port" => "id.resp_p",
        other => other,
    }
}

/// A value as Zeek's log writes it.
pub(crate) fn zeek_text(value: Option<&Value>, raw: &str) -> String {
    match value {
        None => "-".to_owned(),
        Some(Value::Bool(flag)) => if *flag { "T" } else { "F" }.to_owned(),
        Some(Value::String(text)) if text.is_empty() => "(empty)".to_owned(),
        Some(Value::String(text)) => escaped(text),
        Some(Value::Array(values)) if values.is_empty() => "(empty)".to_owned(),
        Some(Value::Array(values)) => {
            values.iter().map(|value| zeek_text(Some(value), raw)).collect::<Vec<_>>().join(",")
        }
        Some(Value::Number(number)) if raw.contains('.') && number.is_f64() => {
            format!("{:.6}", number.as_f64().unwrap_or_default())
        }
        Some(other) => other.to_string(),
    }
}

/// Control characters as Zeek's log writes them.
fn escaped(text: &str) -> String {
    let escape = |c: char| if c < ' ' { format!("\\x{:02x}", c as u32) } else { c.to_string() };
    text.chars().map(escape).collect()
}

/// Sets of services in the order that Zeek's log happens to have.
fn sorted(ours: &str, theirs: &str) -> String {
    let set = |text: &str| text.split(',').map(str::to_owned).collect::<BTreeSet<_>>();
    if set(ours) == set(theirs) { theirs.to_owned() } else { ours.to_owned() }
}

fn differing<'a>(row: &'a Row, ours: &serde_json::Map<String, Value>) -> Vec<(&'a str, String, String)> {
    row.iter()
        .filter(|(name, _)| COMPARED.contains(&name.as_str()))
        .filter_map(|(name, theirs)| {
            let ours = zeek_text(ours.get(name), theirs);
            let ours = if name == "service" { sorted(&ours, theirs) } else { ours };
            (ours != *theirs).then(|| (name.as_str(), theirs.clone(), ours))
        })
        .collect()
}

fn title(text: impl Fn(&str) -> String) -> String {
    let field = |name: &str| text(name);
    format!(
        "{} {}:{} > {}:{} {}",
        field("proto"),
        field("id.orig_h"),
        field("id.orig_p"),
        field("id.resp_h"),
        field("id.resp_p"),
        field("history")
    )
}

#[test]
fn records_equal_zeeks() {
    let Some(folder) = captures() else { return };
    let (mut found, mut skipped) = (BTreeSet::new(), Uncompared::new(&NOT_COMPARED));
    let (mut logs, mut expected, mut equal, mut compared) = (0, 0, 0, 0);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let expectations = fact["expect"].as_array().into_iter().flatten().filter_map(Value::as_str);
        // Some tests call a cut log `conn.cut`.
        for log in expectations.filter(|log| log.contains(".conn.log") || log.ends_with(".conn.cut")) {
            let path = folder.join(name).with_file_name(log);
            let (records, _) = replay(&reader::read(&folder.join(name)), FrameMode::Auto);
            let mut ours: Vec<_> = conns(&records).iter().map(|record| fields(record)).collect();
            let mut theirs = rows(&path);
            assert!(!theirs.is_empty(), "{log} has no rows");
            logs += 1;
            expected += theirs.len();
            theirs.iter().for_each(|row| skipped.row(row));
            let label = log.trim_start_matches(name.split('/').next_back().unwrap_or_default());
            let label = format!(
                "{name}{}",
                label.trim_end_matches(".cut").trim_end_matches(".log").trim_end_matches(".conn")
            );
            for column in theirs.iter().flat_map(|row| row.keys()) {
                let known = COMPARED.contains(&column.as_str()) || skipped.contains(column);
                assert!(known, "{log}: column {column} is neither compared nor left out on purpose");
            }
            // The most similar pairs first, so that one odd record does not displace the others.
            while !theirs.is_empty() && !ours.is_empty() {
                let pairs = theirs.iter().enumerate().flat_map(|(row, their)| {
                    ours.iter().enumerate().map(move |(record, our)| (distance(their, our), row, record))
                });
                let Some((distance, row, record)) = pairs.min() else { break };
                if distance >= NO_MATCH {
                    break;
                }
                let (their, our) = (theirs.remove(row), ours.remove(record));
                compared += 1;
                let different = differing(&their, &our);
                equal += usize::from(different.is_empty());
                let title = title(|name| zeek_text(our.get(name), ""));
                for (field, theirs, ours) in different {
                    found.insert(format!("{label} | {title} | {field}: zeek {theirs} ours {ours}"));
                }
            }
            for row in theirs {
                let title = title(|name| row.get(name).cloned().unwrap_or_default());
                found.insert(format!("{label} | {title} | only zeek"));
            }
            for record in ours {
                let title = title(|name| zeek_text(record.get(name), ""));
                found.insert(format!("{label} | {title} | only ours"));
            }
        }
    }
    println!("{logs} logs, {compared} records compared");
    assert!(logs > 80);
    let (list, different) = ("zeek_conn.txt", found.len());
    differences::compare(list, &found);
    let (stream, source, what) = ("conn", "Zeek", "records");
    Score { stream, source, what, files: logs, expected, equal, different, list }.report();
    skipped.report(stream);
}

const NO_MATCH: usize = 1000;

/// How unlike two records are: the number of fields that differ, or no match if they are of other hosts.
fn distance(row: &Row, ours: &serde_json::Map<String, Value>) -> usize {
    let ends = |side: &str| -> Option<(String, String)> {
        let port = row.get(&format!("id.{side}_p")).cloned().unwrap_or_default();
        Some((row.get(&format!("id.{side}_h"))?.clone(), port))
    };
    let our = |side: &str| {
        let with_port = row.contains_key(&format!("id.{side}_p"));
        let port = if with_port { zeek_text(ours.get(&format!("id.{side}_p")), "") } else { String::new() };
        (zeek_text(ours.get(&format!("id.{side}_h")), ""), port)
    };
    if let (Some(orig), Some(resp)) = (ends("orig"), ends("resp")) {
        let same = (our("orig"), our("resp")) == (orig.clone(), resp.clone());
        let flipped = our("orig").0 == resp.0 && our("resp").0 == orig.0;
        let same_hosts = our("orig").0 == orig.0 && our("resp").0 == resp.0;
        if !(same || flipped || same_hosts) {
            return NO_MATCH;
        }
    }
    differing(row, ours).len()
}
