//! Every file of expectations in the collection is compared by a test, or counted with the reason why not.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::scorecard::LeftOut;
use crate::{captures, facts};

/// What compares files whose names end like this.
const COMPARED: [&str; 12] = [
    // zeek_conn.rs and zeek_streams.rs
    ".conn.log",
    ".dns.log",
    ".http.log",
    ".ntp.log",
    ".quic.log",
    ".ssh.log",
    ".ssl.log",
    ".tunnel.log",
    ".x509.log",
    // contents.rs, ndpi.rs, suricata.rs
    ".ja4.json",
    ".ndpi.out",
    ".suricata.yaml",
];

/// Files that nothing is compared with.
const LEFT_OUT: [(&str, &str, &str, &str); 2] = [
    (
        ".tcpdump.out",
        "tcpdump",
        "printed lines",
        "text about single packets; Community IDs, lengths and names are compared with tshark's",
    ),
    (
        ".weird.log",
        "Zeek",
        "weird records",
        "no such stream: what is odd counts as a drop reason or stands in the history",
    ),
];

#[test]
fn every_file_of_expectations_is_compared_or_left_out_for_a_reason() {
    let Some(folder) = captures() else { return };
    let mut left_out: BTreeMap<&str, usize> = BTreeMap::new();
    for fact in facts(&folder) {
        for file in fact["expect"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            // Some are cut to a few columns: `.conn.log.cut`, `.conn.cut`.
            let whole = file.trim_end_matches(".cut").trim_end_matches(".log");
            let whole = format!("{whole}.log");
            if COMPARED.iter().any(|end| file.ends_with(end) || whole.ends_with(end)) {
                continue;
            }
            let known = LEFT_OUT.iter().find(|(end, ..)| file.ends_with(end));
            let (end, ..) = known.unwrap_or_else(|| panic!("nobody said what {file} is"));
            *left_out.entry(end).or_default() += 1;
        }
    }
    for (end, source, what, reason) in LEFT_OUT {
        LeftOut { source, what, reason, count: left_out.get(end).copied().unwrap_or_default() }.report();
    }
}
