//! Community IDs against tshark's (facts.jsonl) and the specification's own baselines.

use std::collections::BTreeSet;

use enigma_engine::{EngineConfig, FrameMode, Pipeline, RecordBatch};
use serde_json::Value;

use crate::scorecard::Score;
use crate::{captures, conns, differences, facts, fields, reader, replay};

/// Lists in the index stop at so many entries.
const LIST_LIMIT: usize = 24;

#[test]
fn identifiers_equal_those_of_tshark() {
    let Some(folder) = captures() else { return };
    let (mut found, mut files, mut expected, mut equal) = (BTreeSet::new(), 0, 0, 0);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let theirs: BTreeSet<&str> =
            fact["community_id"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let (records, _) = replay(&reader::read(&folder.join(name)), FrameMode::Auto);
        let fields: Vec<_> = conns(&records).iter().map(|record| fields(record)).collect();
        let ours: BTreeSet<&str> =
            fields.iter().filter_map(|fields| fields["community_id"].as_str()).collect();
        files += 1;
        expected += theirs.len();
        for id in &theirs {
            if ours.contains(id) {
                equal += 1;
            } else {
                found.insert(format!("{name} only tshark {id}"));
            }
        }
        if theirs.len() < LIST_LIMIT {
            for id in ours.difference(&theirs) {
                found.insert(format!("{name} only ours {id}"));
            }
        }
    }
    let (list, different) = ("community_ids.txt", found.len());
    differences::compare(list, &found);
    let (stream, source, what) = ("conn", "tshark", "Community IDs");
    Score { stream, source, what, files, expected, equal, different, list }.report();
}

/// The specification's own captures and expectations, with seeds 0 and 1.
#[test]
fn identifiers_equal_the_baselines_of_the_specification() {
    let Some(folder) = captures() else { return };
    let folder = folder.join("community-id");
    for (seed, baseline) in [(0, "baseline_deflt.json"), (1, "baseline_seed1.json")] {
        let text = std::fs::read_to_string(folder.join(baseline)).expect("the baseline is readable");
        let expected: Vec<Value> = serde_json::from_str(&text).expect("the baseline is JSON");
        let expected: BTreeSet<&str> =
            expected.iter().filter_map(|flow| flow["communityid"].as_str()).collect();
        let config =
            EngineConfig { community_id_seed: seed, flow_memory: 1 << 20, ..EngineConfig::default() };
        let (mut pipeline, mut out) = (Pipeline::new(config), RecordBatch::new());
        for name in ["icmp", "icmp6", "ipv6", "rsvp", "sctp", "tcp", "udp"] {
            for frame in reader::read(&folder.join(format!("{name}.pcap"))) {
                let mode = FrameMode::Plain;
                pipeline.frame(frame.at, frame.link, &frame.data, frame.wire_len, mode, &mut out);
            }
        }
        pipeline.finish(&mut out);
        let fields: Vec<_> = conns(&out.take()).iter().map(|record| fields(record)).collect();
        let ours: BTreeSet<&str> =
            fields.iter().filter_map(|fields| fields["community_id"].as_str()).collect();
        assert_eq!(ours, expected, "{baseline}");
    }
}
