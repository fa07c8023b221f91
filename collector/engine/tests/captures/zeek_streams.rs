//! Records of protocols against the logs Zeek's own tests expect of the same captures.

use std::collections::{BTreeMap, BTreeSet};

use enigma_engine::FrameMode;
use serde_json::{Map, Value};

use crate::scorecard::{LeftOut, Score};
use crate::zeek_conn::{Row, rows, zeek_text};
use crate::{captures, differences, facts, fields, of_stream, reader, replay};

/// Columns that are not compared in any stream, and why.
pub(crate) const MASKED: [(&str, &str); 2] =
    [("ts", "times are masked in the baselines"), ("uid", "identifiers are random")];

const NO_FILES: &str = "there is no stream of files that it could point to";

/// A column that is not compared, and why.
type Skipped = (&'static str, &'static str);

/// Columns of a stream that are not compared, with the rows that have a value there.
pub(crate) struct Uncompared {
    reasons: BTreeMap<&'static str, &'static str>,
    values: BTreeMap<&'static str, usize>,
}

impl Uncompared {
    pub(crate) fn new(skipped: &[Skipped]) -> Self {
        let reasons = MASKED.iter().chain(skipped).copied().collect();
        Self { reasons, values: BTreeMap::new() }
    }

    pub(crate) fn contains(&self, column: &str) -> bool {
        self.reasons.contains_key(column)
    }

    /// Counts what a row says there.
    pub(crate) fn row(&mut self, row: &Row) {
        for (column, _) in
            self.reasons.iter().filter(|(column, _)| row.get(**column).is_some_and(|v| v != "-"))
        {
            *self.values.entry(column).or_default() += 1;
        }
    }

    /// Tells the columns with values; a reason for a column that never has one is not needed.
    pub(crate) fn report(&self, stream: &str) {
        for (column, reason) in &self.reasons {
            let count = self.values.get(column).copied().unwrap_or_default();
            let is_masked = MASKED.iter().any(|(masked, _)| masked == column);
            assert!(count > 0 || is_masked, "no row of {stream} has a value in {column}: compare it");
            if count > 0 {
                let what = format!("field of {stream}: {column}");
                LeftOut { source: "Zeek", what: &what, reason, count }.report();
            }
        }
    }
}

/// Whether a value is what Zeek's log has; `ours` as the log would write it.
fn is_equal(stream: &str, name: &str, theirs: &str, ours: &str) -> bool {
    // QUIC's history: Zeek goes on with letters for some of the data packets.
    let goes_on = |rest: &str| rest.bytes().all(|letter| letter.eq_ignore_ascii_case(&b'o'));
    match theirs.strip_prefix(ours) {
        Some(rest) if stream == "quic" && name == "history" => goes_on(rest),
        _ => theirs == ours,
    }
}

fn differing(
    stream: &str,
    row: &Row,
    ours: &Map<String, Value>,
    skipped: &Uncompared,
) -> Vec<(String, String, String)> {
    row.iter()
        .filter(|(name, _)| !skipped.contains(name))
        .filter_map(|(name, theirs)| {
            let ours = zeek_text(ours.get(name), theirs);
            (!is_equal(stream, name, theirs, &ours)).then(|| (name.clone(), theirs.clone(), ours))
        })
        .collect()
}

/// Compares every log of `stream` row by row, but for the columns `skipped`.
fn compare(stream: &'static str, skipped: &[Skipped], title_fields: &[&str], at_least: usize) {
    let Some(folder) = captures() else { return };
    let mut skipped = Uncompared::new(skipped);
    let mut found = BTreeSet::new();
    let (mut logs, mut expected, mut compared, mut equal) = (0, 0, 0, 0);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let expectations = fact["expect"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let suffix = format!(".{stream}.log");
        for log in expectations.filter(|log| log.contains(&suffix)) {
            let mut theirs = rows(&folder.join(name).with_file_name(log));
            let (records, _) = replay(&reader::read(&folder.join(name)), FrameMode::Auto);
            let mut ours: Vec<_> = of_stream(&records, stream).iter().map(|record| fields(record)).collect();
            logs += 1;
            expected += theirs.len();
            theirs.iter().for_each(|row| skipped.row(row));
            let label = log.trim_end_matches(".cut").trim_end_matches(&suffix);
            let title = |text: &dyn Fn(&str) -> String| {
                title_fields.iter().map(|field| text(field)).collect::<Vec<_>>().join(" ")
            };
            while !theirs.is_empty() && !ours.is_empty() {
                let skipped = &skipped;
                let pairs = theirs.iter().enumerate().flat_map(|(row, their)| {
                    ours.iter().enumerate().map(move |(record, our)| {
                        let distance = differing(stream, their, our, skipped).len();
                        // What names a record counts more than what it says.
                        let strange = title_fields.iter().filter(|field| {
                            their
                                .get(**field)
                                .is_some_and(|theirs| zeek_text(our.get(**field), theirs) != *theirs)
                        });
                        (distance + 10 * strange.count(), row, record)
                    })
                });
                let Some((_, row, record)) = pairs.min() else { break };
                let (their, our) = (theirs.remove(row), ours.remove(record));
                compared += 1;
                let different = differing(stream, &their, &our, skipped);
                equal += usize::from(different.is_empty());
                for (field, theirs, ours) in different {
                    let title = title(&|name| zeek_text(our.get(name), ""));
                    found.insert(format!("{label} | {title} | {field}: zeek {theirs} ours {ours}"));
                }
            }
            for row in theirs {
                let title = title(&|name| row.get(name).cloned().unwrap_or_default());
                found.insert(format!("{label} | {title} | only zeek"));
            }
            for record in ours {
                let title = title(&|name| zeek_text(record.get(name), ""));
                found.insert(format!("{label} | {title} | only ours"));
            }
        }
    }
    assert!(logs >= at_least && equal > 0, "{logs} logs of {stream}, {equal} of {compared} records equal");
    let list = format!("zeek_{stream}.txt");
    let (what, different) = ("records", found.len());
    differences::compare(&list, &found);
    Score { stream, source: "Zeek", what, files: logs, expected, equal, different, list: &list }.report();
    skipped.report(stream);
}

#[test]
fn only_quic_may_go_on_with_letters_of_data() {
    assert!(is_equal("quic", "history", "ISisHhOoo", "ISisHh") && is_equal("quic", "history", "IS", "IS"));
    assert!(!is_equal("quic", "history", "ISisHhOoo", "IS") && !is_equal("quic", "history", "IS", "ISo"));
    assert!(!is_equal("conn", "history", "ShADoo", "ShAD") && !is_equal("quic", "server_name", "oo", "o"));
}

#[test]
fn dns_records_equal_zeeks() {
    compare(
        "dns",
        &[("auth", "told by an optional script of Zeek's: the authority section")],
        &["id.orig_p", "trans_id", "query", "qtype"],
        11,
    );
}

#[test]
fn ssl_records_equal_zeeks() {
    compare(
        "ssl",
        &[("validation_status", "whether a chain is trusted is not for a sensor to say")],
        &["id.orig_p", "server_name"],
        20,
    );
}

#[test]
fn x509_records_equal_zeeks() {
    compare(
        "x509",
        &[("certificate.tbs_sig_alg", "told by an optional script of Zeek's")],
        &["fingerprint"],
        7,
    );
}

#[test]
fn quic_records_equal_zeeks() {
    compare("quic", &[], &["id.orig_p", "server_name"], 9);
}

#[test]
fn ntp_records_equal_zeeks() {
    compare("ntp", &[], &["id.orig_p", "mode", "xmt_time"], 3);
}

#[test]
fn http_records_equal_zeeks() {
    compare(
        "http",
        &[("orig_fuids", NO_FILES), ("resp_fuids", NO_FILES), ("password", "passwords are never kept")],
        &["id.orig_p", "trans_depth", "uri"],
        20,
    );
}

#[test]
fn ssh_records_equal_zeeks() {
    compare("ssh", &[], &["id.orig_p", "client", "server"], 4);
}

#[test]
fn tunnel_records_equal_zeeks() {
    compare("tunnel", &[], &["id.orig_h", "id.orig_p", "tunnel_type", "action"], 10);
}
