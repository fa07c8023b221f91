//! Records of a directory, by stream, ready to be compared.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value};

/// A record's fields.
pub(crate) type Fields = Map<String, Value>;

/// Every record of a directory by stream, rotated files first.
pub(crate) fn read(directory: &Path) -> BTreeMap<String, Vec<Fields>> {
    let mut files: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut all: BTreeMap<String, Vec<Fields>> = BTreeMap::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let stream = name.split(['.', '-']).next().unwrap().to_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{name} ends in half a line");
        let records = text.lines().map(|line| serde_json::from_str(line).unwrap());
        all.entry(stream).or_default().extend(records);
    }
    all
}

/// What must be equal live and offline, sorted: everything but identifiers and what is measured with a clock. Hosts look
/// for each other by themselves, so only records of the test's own traffic count.
pub(crate) fn comparable(records: &BTreeMap<String, Vec<Fields>>) -> BTreeMap<String, Vec<String>> {
    const OWN: [&str; 6] = ["ts", "uid", "duration", "rtt", "enigma.rtt_ms", "fuid"];
    let mut all = BTreeMap::new();
    for (stream, records) in records {
        let mut lines: Vec<String> = records
            .iter()
            .filter(|record| is_ours(record))
            .map(|record| {
                let fields = record.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
                Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect()).to_string()
            })
            .collect();
        lines.sort();
        if !lines.is_empty() {
            all.insert(stream.clone(), lines);
        }
    }
    all
}

fn is_ours(record: &Fields) -> bool {
    is_between_workloads(record)
        && ["10.66.0.2", "fd66::2"].iter().any(|server| record["id.resp_h"] == *server)
}

/// Whether a record is of the test's own traffic, whoever is called the originator.
pub(crate) fn is_between_workloads(record: &Fields) -> bool {
    const WORKLOADS: [&str; 4] = ["10.66.0.1", "10.66.0.2", "fd66::1", "fd66::2"];
    let ours = ["id.orig_h", "id.resp_h"]
        .iter()
        .all(|end| record.get(*end).and_then(Value::as_str).is_some_and(|end| WORKLOADS.contains(&end)));
    let is_icmp = record.get("proto").and_then(Value::as_str).is_some_and(|proto| proto.contains("icmp"));
    // Echo requests and answers of IPv4 and IPv6 (RFC 792, RFC 4443); neighbour discovery is ICMPv6, too.
    let is_echo = [0, 8, 128, 129].iter().any(|kind| record.get("id.orig_p") == Some(&Value::from(*kind)));
    ours && (!is_icmp || is_echo)
}

/// The sum of a number over records.
pub(crate) fn sum<'a>(records: impl IntoIterator<Item = &'a Fields>, field: &str) -> u64 {
    records.into_iter().map(|record| record.get(field).and_then(Value::as_u64).unwrap_or(0)).sum()
}
