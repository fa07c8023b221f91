//! What is told of connections that are seen from the middle, against what is told of them as a whole, which other tests
//! hold against other tools.

use std::collections::BTreeSet;

use enigma_engine::FrameMode;
use serde_json::{Map, Value};

use crate::{captures, differences, facts, fields, of_stream, reader, replay};

/// What a record says, without what its place in the connection says.
fn content(record: &Map<String, Value>) -> Map<String, Value> {
    let mut content = record.clone();
    content.retain(|name, _| !matches!(name.as_str(), "uid" | "trans_depth" | "tunnel_parents"));
    content
}

/// From the packet on that brings a request which is not its connection's first: that exchange is told as if the
/// connection had been seen from its beginning.
#[test]
fn exchanges_are_told_from_the_middle_as_from_the_beginning() {
    let Some(folder) = captures() else { return };
    let (mut found, mut compared) = (BTreeSet::new(), 0);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        if fact["http_host"].as_array().is_none_or(Vec::is_empty) {
            continue;
        }
        let frames = reader::read(&folder.join(name));
        let (records, _) = replay(&frames, FrameMode::Auto);
        let all: Vec<_> = of_stream(&records, "http").iter().map(|record| fields(record)).collect();
        let later = all
            .iter()
            .filter(|record| record["trans_depth"].as_u64() > Some(1) && record.contains_key("method"));
        for record in later {
            let begin = record["ts"].as_f64().expect("a time");
            let seconds = |frame: &reader::Frame| frame.at.as_nanos() as f64 / 1e9;
            let first =
                frames.iter().position(|frame| seconds(frame) > begin - 0.000_000_5).unwrap_or(frames.len());
            let (records, _) = replay(&frames[first..], FrameMode::Auto);
            let told =
                of_stream(&records, "http").iter().any(|late| content(&fields(late)) == content(record));
            compared += 1;
            if !told {
                found.insert(format!(
                    "{name} {} {} {}",
                    record["id.orig_p"], record["trans_depth"], record["uri"]
                ));
            }
        }
    }
    println!("{compared} exchanges");
    assert!(compared > 20, "{compared}");
    differences::compare("late_http.txt", &found);
}
