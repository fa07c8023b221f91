//! The pipeline over hundreds of real and hostile captures, judged by other tools' opinions of them.
//!
//! The captures belong to others and are not part of this repository: they are found beside it (`ENIGMA_SHARED`)
//! or the tests are skipped. Where records differ from the expectations, the difference stands in
//! `tests/differences/` with its reason; one that is not listed fails, and so does a listed one that is gone.

mod accounting;
mod community_ids;
mod contents;
mod cut;
mod differences;
mod duplicates;
mod expectations;
mod hostile;
mod late;
mod ndpi;
mod ports;
mod reader;
mod scorecard;
mod services;
mod ssh_logins;
mod suricata;
mod tshark_contents;
mod tshark_tcp;
mod wrapped;
mod zeek_conn;
mod zeek_streams;

use std::path::PathBuf;

use enigma_engine::{EngineConfig, FrameMode, Pipeline, Record, RecordBatch, Stats};

/// The folder of captures, or `None` after saying why the test is skipped.
fn captures() -> Option<PathBuf> {
    let folder = enigma_test_support::shared().map(|shared| shared.join("pcaps"));
    match folder {
        Some(folder) if folder.join("facts.jsonl").is_file() => Some(folder),
        _ => {
            enigma_test_support::skip::skip("no captures: ENIGMA_SHARED names no folder that has pcaps/");
            None
        }
    }
}

/// What others say of each capture: one JSON object a line.
fn facts(folder: &std::path::Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("facts.jsonl")).expect("facts.jsonl is readable");
    text.lines().map(|line| serde_json::from_str(line).expect("facts are JSON")).collect()
}

/// The default configuration with little memory.
fn config() -> EngineConfig {
    EngineConfig { flow_memory: 16 << 20, ..EngineConfig::default() }
}

/// All records and the counters of a capture.
fn replay(frames: &[reader::Frame], mode: FrameMode) -> (Vec<Record>, Stats) {
    replay_as(config(), frames, mode)
}

fn replay_as(config: EngineConfig, frames: &[reader::Frame], mode: FrameMode) -> (Vec<Record>, Stats) {
    let mut pipeline = Pipeline::new(config);
    let mut out = RecordBatch::new();
    for frame in frames {
        pipeline.frame(frame.at, frame.link, &frame.data, frame.wire_len, mode, &mut out);
    }
    pipeline.finish(&mut out);
    (out.take(), *pipeline.stats())
}

/// The records of flows alone.
fn conns(records: &[Record]) -> Vec<&Record> {
    of_stream(records, "conn")
}

/// The records of one stream.
fn of_stream<'a>(records: &'a [Record], stream: &str) -> Vec<&'a Record> {
    records.iter().filter(|record| record.stream().name() == stream).collect()
}

/// A record as the fields a reader of its JSON sees.
fn fields(record: &Record) -> serde_json::Map<String, serde_json::Value> {
    let mut line = Vec::new();
    record.write_json(&mut line);
    serde_json::from_slice(&line).expect("a record is one JSON object")
}
