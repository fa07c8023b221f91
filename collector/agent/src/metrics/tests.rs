use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::board::WorkerView;
use crate::export::ExportStats;

/// A strict reader of the text format: families with HELP and TYPE before their samples, samples of one family
/// together, names and labels of the allowed characters, no series twice. Gives the samples.
fn parse(page: &str) -> BTreeMap<String, u64> {
    let is_name = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut samples = BTreeMap::new();
    let mut families = BTreeSet::new();
    let mut family = (String::new(), String::new());
    let mut lines = page.lines().peekable();
    assert!(page.ends_with('\n'));
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(is_name(name) && !text.is_empty(), "{line}");
            assert!(families.insert(name.to_owned()), "{name} twice");
            let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE ")).expect("TYPE follows HELP");
            let (typed, kind) = kind.split_once(' ').unwrap();
            assert_eq!(typed, name);
            assert!(["counter", "gauge"].contains(&kind), "{kind}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
            family = (name.to_owned(), kind.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value in {line:?}"));
        let (name, labels) = series.split_once('{').map_or((series, None), |(name, rest)| (name, Some(rest)));
        assert_eq!(name, family.0, "a sample outside its family");
        if let Some(labels) = labels {
            for label in labels.strip_suffix('}').expect("closing brace").split(',') {
                let (label, text) = label.split_once('=').unwrap();
                assert!(is_name(label), "{line}");
                let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap();
                assert!(!text.is_empty() && !text.contains(['"', '\\']), "{line}");
            }
        }
        let value = value.parse().unwrap_or_else(|_| panic!("not a number: {line:?}"));
        assert!(samples.insert(series.to_owned(), value).is_none(), "{series} twice");
    }
    samples
}

#[test]
fn every_line_parses_and_carries_the_counters() {
    let mut view = WorkerView { kernel_drops: 3, records: 40, queue_dropped: 5, ..WorkerView::default() };
    view.engine.received = 100;
    view.engine.decoded = 90;
    (view.engine.truncated, view.engine.duplicates, view.engine.inner) = (6, 7, 8);
    let export = ExportStats {
        written: 30,
        bytes: 9_000,
        write_failed: 4,
        too_late: 1,
        unknown_sessions: 8,
        rotated: 2,
    };
    let totals = Totals::new(vec![view, view], export);
    let captures = on_demand::Totals { started: 11, packets: 12, bytes: 13, dropped: 14 };
    let gauges = Gauges {
        ready: true,
        queued: 6,
        directory: (9, 10),
        captures,
        capturing: true,
        certificate_until: Some(1_893_456_000),
        uptime: 77,
    };
    let plain = parse(&page(&totals, Gauges { certificate_until: None, ..gauges }));
    assert!(!plain.keys().any(|name| name.contains("certificate")));
    let samples = parse(&page(&totals, gauges));
    let get = |name: &str| samples[&format!("enigma_collector_{name}")];
    assert_eq!(get("received_packets_total{worker=\"0\"}"), 100);
    assert_eq!(get("received_packets_total{worker=\"1\"}"), 100);
    assert_eq!(get("kernel_dropped_packets_total{worker=\"1\"}"), 3);
    assert_eq!(get("decoded_packets_total"), 180);
    assert_eq!(
        (get("truncated_packets_total"), get("duplicate_packets_total"), get("tunnelled_packets_total")),
        (12, 14, 16)
    );
    assert_eq!(get("records_total"), 80);
    assert_eq!(get("written_records_total"), 30);
    assert_eq!(get("export_dropped_records_total{reason=\"queue_full\"}"), 10);
    assert_eq!(get("export_dropped_records_total{reason=\"write_failed\"}"), 4);
    assert_eq!(get("export_dropped_records_total{reason=\"write_limit\"}"), 1);
    assert_eq!((get("ready"), get("export_queue_batches"), get("uptime_seconds")), (1, 6, 77));
    assert_eq!(get("http_certificate_expiration_timestamp_seconds"), 1_893_456_000);
    assert_eq!((get("directory_sessions"), get("directory_failures_total")), (9, 10));
    assert_eq!(get("unknown_session_records_total"), 8);
    let captures = ["captures_running", "captures_total", "captured_packets_total", "captured_bytes_total"];
    assert_eq!(captures.map(get), [1, 11, 12, 13]);
    assert_eq!(get("capture_dropped_packets_total"), 14);
    let reasons = samples.keys().filter(|name| name.contains("_dropped_packets_total{reason=")).count();
    assert_eq!(reasons, enigma_engine::DropReason::ALL.len() + 2);
    assert_eq!(get("dropped_packets_total{reason=\"outer_fragment\"}"), 0);
}
