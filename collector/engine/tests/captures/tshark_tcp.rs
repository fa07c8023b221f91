//! How TCP went, against tshark's analysis of the same segments: handshake times, and data sent again or overtaken.
//!
//! tshark names every segment with nothing new; it calls it sent again, sent again fast, sent again in vain, or out of
//! order, the latter by the time and the acknowledgements that were seen around it. Records count data only: a SYN or
//! FIN that is repeated, or an empty keep-alive, is in neither sum here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::path::Path;
use std::process::Command;

use enigma_engine::{FrameMode, Proto, Record};

use crate::{captures, differences, facts, reader, replay, scorecard::Score};

const FIELDS: [&str; 14] = [
    "ip.src",
    "ipv6.src",
    "tcp.srcport",
    "ip.dst",
    "ipv6.dst",
    "tcp.dstport",
    "tcp.len",
    "tcp.analysis.retransmission",
    "tcp.analysis.fast_retransmission",
    "tcp.analysis.spurious_retransmission",
    "tcp.analysis.out_of_order",
    "tcp.analysis.initial_rtt",
    "tcp.stream",
    "tcp.flags.syn",
];

/// What is known of one direction between two ports, over all connections of a capture.
#[derive(Default)]
struct Course {
    retransmits: u64,
    out_of_order: u64,
    /// Handshakes in microseconds, by who began.
    round_trips: BTreeSet<u64>,
}

type Courses = BTreeMap<String, Course>;

fn direction(from: impl Display, from_port: &str, to: impl Display, to_port: &str) -> String {
    format!("{from}:{from_port} > {to}:{to_port}")
}

/// tshark's view; of several layers the innermost.
fn theirs(tshark: &Path, capture: &Path) -> Courses {
    let mut command = Command::new(tshark);
    command.args(["-n", "-2", "-Y", "tcp && !icmp && !icmpv6", "-T", "fields", "-E", "occurrence=l"]);
    command.arg("-r").arg(capture);
    FIELDS.iter().for_each(|field| {
        command.args(["-e", field]);
    });
    let output = command.output().expect("tshark runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut courses = Courses::new();
    // The beginner of each stream: whoever sent the SYN without an answer in it comes first.
    let mut streams: BTreeMap<String, String> = BTreeMap::new();
    for line in text.lines() {
        let values: Vec<&str> = line.split('\t').collect();
        let [v4, v6, port, to4, to6, to_port, len, again, fast, spurious, swapped, rtt, stream, _] =
            values[..]
        else {
            continue;
        };
        let (from, to) = if v4.is_empty() { (v6, to6) } else { (v4, to4) };
        let name = direction(from, port, to, to_port);
        let beginner = streams.entry(stream.to_owned()).or_insert_with(|| name.clone()).clone();
        if let Ok(seconds) = rtt.parse::<f64>() {
            courses.entry(beginner).or_default().round_trips.insert((seconds * 1e6).round() as u64);
        }
        let course = courses.entry(name).or_default();
        if len.parse::<u64>().is_ok_and(|len| len > 0) {
            let is_again = [again, fast, spurious].iter().any(|flag| !flag.is_empty());
            course.retransmits += u64::from(is_again);
            course.out_of_order += u64::from(!is_again && !swapped.is_empty());
        }
    }
    courses
}

fn ours(capture: &Path) -> Courses {
    let (records, _) = replay(&reader::read(capture), FrameMode::Auto);
    let mut courses = Courses::new();
    for conn in records.iter().filter_map(Record::as_conn).filter(|conn| conn.proto == Proto::Tcp) {
        let (originator, responder) = (conn.originator, conn.responder);
        for (from, to) in [(originator, responder), (responder, originator)] {
            let name = direction(from.address, &from.port.to_string(), to.address, &to.port.to_string());
            let course = courses.entry(name).or_default();
            course.retransmits += from.retransmits;
            course.out_of_order += from.out_of_order;
            if from == originator {
                course.round_trips.extend(conn.rtt.map(|rtt| rtt.as_micros() as u64));
            }
        }
    }
    courses
}

/// Where the two tell something else of `name`.
fn differing(name: &str, theirs: &Course, ours: &Course) -> Vec<String> {
    let mut found = Vec::new();
    for (what, theirs, ours) in [
        ("retransmits", theirs.retransmits, ours.retransmits),
        ("out_of_order", theirs.out_of_order, ours.out_of_order),
    ] {
        if theirs != ours {
            found.push(format!("{name} | {what}: tshark {theirs} ours {ours}"));
        }
    }
    // Times are rounded once by us and twice by tshark.
    let is_near = |a: &u64, b: &u64| a.abs_diff(*b) <= 1;
    let has = |set: &BTreeSet<u64>, time: &u64| set.iter().any(|other| is_near(other, time));
    let only = |these: &BTreeSet<u64>, those: &BTreeSet<u64>| -> Vec<u64> {
        these.iter().filter(|time| !has(those, time)).copied().collect()
    };
    let (not_ours, not_theirs) =
        (only(&theirs.round_trips, &ours.round_trips), only(&ours.round_trips, &theirs.round_trips));
    if !not_ours.is_empty() || !not_theirs.is_empty() {
        found.push(format!("{name} | round trips: tshark {not_ours:?} ours {not_theirs:?}"));
    }
    found
}

#[test]
fn the_course_of_connections_equals_tsharks() {
    let Some(folder) = captures() else { return };
    let tshark = match enigma_test_support::tools::tool("tshark") {
        Ok(tshark) => tshark,
        Err(missing) => return enigma_test_support::skip::skip(missing.to_string()),
    };
    let with_tcp: Vec<String> = facts(&folder)
        .iter()
        .filter(|fact| fact["tcp_streams"].as_u64().is_some_and(|streams| streams > 0))
        .filter_map(|fact| fact["file"].as_str().map(str::to_owned))
        .collect();
    let (mut found, mut expected, mut equal, mut round_trips, mut repeated) = (BTreeSet::new(), 0, 0, 0, 0);
    for name in &with_tcp {
        let (theirs, ours) = (theirs(&tshark, &folder.join(name)), ours(&folder.join(name)));
        let none = Course::default();
        let all: BTreeSet<&String> = theirs.keys().chain(ours.keys()).collect();
        for direction in all {
            let pair = (theirs.get(direction).unwrap_or(&none), ours.get(direction).unwrap_or(&none));
            let different = differing(&format!("{name} {direction}"), pair.0, pair.1);
            expected += 1;
            equal += usize::from(different.is_empty());
            round_trips += pair.1.round_trips.len();
            repeated += pair.1.retransmits;
            found.extend(different);
        }
    }
    assert!(round_trips > 100 && repeated > 20);
    let (list, different) = ("tshark_tcp.txt", found.len());
    differences::compare(list, &found);
    let (stream, source, what, files) = ("conn", "tshark", "directions", with_tcp.len());
    Score { stream, source, what, files, expected, equal, different, list }.report();
}
