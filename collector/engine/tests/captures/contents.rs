//! What flows say, against what tshark reads in the same captures (facts.jsonl).

use std::collections::BTreeSet;

use enigma_engine::FrameMode;
use serde_json::{Map, Value};

use crate::{captures, differences, facts, fields, of_stream, reader, replay};

/// Lists in the index stop at so many entries.
const LIST_LIMIT: usize = 24;

/// Compares the values that `ours` finds in records of `stream` with the index's list `fact`.
fn compare(
    stream: &str,
    fact_name: &str,
    normal: fn(&str) -> String,
    ours: fn(&Map<String, Value>) -> Vec<String>,
) {
    let Some(folder) = captures() else { return };
    let (mut found, mut equal) = (BTreeSet::new(), 0);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let listed = fact[fact_name].as_array().map_or(0, Vec::len);
        let theirs: BTreeSet<String> =
            fact[fact_name].as_array().into_iter().flatten().filter_map(Value::as_str).map(normal).collect();
        let (records, _) = replay(&reader::read(&folder.join(name)), FrameMode::Auto);
        let ours: BTreeSet<String> =
            of_stream(&records, stream).iter().flat_map(|record| ours(&fields(record))).collect();
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
    differences::compare(&format!("tshark_{fact_name}.txt"), &found);
}

fn one(fields: &Map<String, Value>, name: &str) -> Vec<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned).into_iter().collect()
}

#[test]
fn dns_names_equal_those_of_tshark() {
    let normal = |name: &str| if name == "<Root>" { ".".to_owned() } else { name.to_ascii_lowercase() };
    compare("dns", "dns", normal, |fields| one(fields, "query"));
}
