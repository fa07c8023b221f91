//! Records of protocols against the logs Zeek's own tests expect of the same captures.

use std::collections::BTreeSet;

use enigma_engine::FrameMode;
use serde_json::{Map, Value};

use crate::scorecard::Score;
use crate::zeek_conn::{Row, rows, zeek_text};
use crate::{captures, differences, facts, fields, of_stream, reader, replay};

/// Times and identifiers are masked or random in the baselines.
const MASKED: [&str; 2] = ["ts", "uid"];

fn differing(row: &Row, ours: &Map<String, Value>, skipped: &[&str]) -> Vec<(String, String, String)> {
    row.iter()
        .filter(|(name, _)| !skipped.contains(&name.as_str()) && !MASKED.contains(&name.as_str()))
        .filter_map(|(name, theirs)| {
            let ours = zeek_text(ours.get(name), theirs);
            // QUIC's: Zeek goes on with letters for some of the data packets.
            let begin = if name == "history" { theirs.get(..ours.len()) } else { None };
            (ours != begin.unwrap_or(theirs)).then(|| (name.clone(), theirs.clone(), ours))
        })
        .collect()
}

/// Compares every log of `stream` row by row; `skipped` are columns that only scripts of Zeek's can fill.
fn compare(stream: &str, skipped: &[&str], title_fields: &[&str], at_least: usize) {
    let Some(folder) = captures() else { return };
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
            let label = log.trim_end_matches(".cut").trim_end_matches(&suffix);
            let title = |text: &dyn Fn(&str) -> String| {
                title_fields.iter().map(|field| text(field)).collect::<Vec<_>>().join(" ")
            };
            while !theirs.is_empty() && !ours.is_empty() {
                let pairs = theirs.iter().enumerate().flat_map(|(row, their)| {
                    ours.iter().enumerate().map(move |(record, our)| {
                        let distance = differing(their, our, skipped).len();
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
                let different = differing(&their, &our, skipped);
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
}

#[test]
fn dns_records_equal_zeeks() {
    compare("dns", &["auth", "addl"], &["id.orig_p", "trans_id", "query", "qtype"], 11);
}

/// Whether a chain of certificates is trusted is not for a sensor to say.
#[test]
fn ssl_records_equal_zeeks() {
    compare("ssl", &["validation_status"], &["id.orig_p", "server_name"], 20);
}

/// The algorithm that is named inside the certificate is told by an optional script.
#[test]
fn x509_records_equal_zeeks() {
    compare("x509", &["certificate.tbs_sig_alg"], &["fingerprint"], 7);
}

#[test]
fn quic_records_equal_zeeks() {
    compare("quic", &[], &["id.orig_p", "server_name"], 9);
}

#[test]
fn ntp_records_equal_zeeks() {
    compare("ntp", &[], &["id.orig_p", "mode", "xmt_time"], 3);
}

/// File identifiers are of a stream that does not exist here, and passwords are never kept.
#[test]
fn http_records_equal_zeeks() {
    compare("http", &["orig_fuids", "resp_fuids", "password"], &["id.orig_p", "trans_depth", "uri"], 20);
}

/// Zeek guesses from the lengths of encrypted packets whether somebody logged in.
#[test]
fn ssh_records_equal_zeeks() {
    compare("ssh", &["auth_success", "auth_attempts"], &["id.orig_p", "client", "server"], 4);
}

#[test]
fn tunnel_records_equal_zeeks() {
    compare("tunnel", &[], &["id.orig_h", "id.orig_p", "tunnel_type", "action"], 10);
}
