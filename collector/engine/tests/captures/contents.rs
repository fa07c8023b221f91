//! What flows say, against what tshark reads in the same captures: of each flow, by its Community ID, and as often as it is
//! said. The right name in the wrong flow differs, and so does one that is told twice.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use enigma_engine::FrameMode;
use serde_json::{Map, Value};

use crate::scorecard::Score;
use crate::{captures, differences, facts, fields, reader, replay};

/// One thing that flows say.
struct Content {
    stream: &'static str,
    what: &'static str,
    list: &'static str,
    /// Fields of records that hold it.
    ours: &'static [&'static str],
    /// tshark's fields; of protocols whose names in `frame.protocols` have the second part, if it is there.
    theirs: &'static [&'static str],
    within: Option<&'static str>,
}

const fn content(
    (stream, what, list): (&'static str, &'static str, &'static str),
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
) -> Content {
    Content { stream, what, list, ours, theirs, within: None }
}

const NAMES: &[&str] = &["tls.handshake.extensions_server_name", "dtls.handshake.extensions_server_name"];

const ALL: [Content; 8] = [
    content(("dns", "queries", "tshark_dns.txt"), &["query"], &["dns.qry.name"]),
    content(("ssl", "server names", "tshark_sni.txt"), &["server_name"], NAMES),
    content(("ssl", "JA3", "tshark_ja3.txt"), &["ja3"], &["tls.handshake.ja3", "dtls.handshake.ja3"]),
    content(("ssl", "JA3S", "tshark_ja3s.txt"), &["ja3s"], &["tls.handshake.ja3s", "dtls.handshake.ja3s"]),
    Content {
        within: Some("quic"),
        ..content(("quic", "server names", "tshark_quic.txt"), &["server_name"], NAMES)
    },
    content(("http", "hosts", "tshark_http_host.txt"), &["host"], &["http.host"]),
    content(("ssh", "identification", "tshark_ssh.txt"), &["client", "server"], &["ssh.protocol"]),
    content(
        ("ssh", "HASSH", "tshark_hassh.txt"),
        &["hassh", "hasshServer"],
        &["ssh.kex.hassh", "ssh.kex.hasshserver"],
    ),
];

/// Protocols, as the index names them, of which a capture has one if tshark reads any of that in it.
const PROTOCOLS: [&str; 11] =
    ["dns", "mdns", "llmnr", "nbns", "tls", "dtls", "quic", "gquic", "http", "ssdp", "ssh"];

/// How often something is said: by its place in [`ALL`], the flow, and the text.
type Said = BTreeMap<(usize, String, String), usize>;

/// What every packet is asked for beside the contents.
const COMMON: [&str; 4] = ["communityid", "frame.protocols", "dns.id", "dns.flags.response"];

/// What tshark reads. Packets that ICMP quotes are not those of the flow.
fn theirs(tshark: &Path, capture: &Path) -> Said {
    let asked: Vec<&str> =
        COMMON.iter().chain(ALL.iter().flat_map(|content| content.theirs)).copied().collect();
    let wanted: Vec<&str> = asked[COMMON.len()..].to_vec();
    let mut command = Command::new(tshark);
    command.args(["-n", "--enable-protocol", "communityid", "-T", "fields", "-E", "occurrence=a"]);
    // A separator that no value has.
    command.args([
        "-E",
        "aggregator=\u{1f}",
        "-Y",
        &format!("({}) && !icmp && !icmpv6", wanted.join(" || ")),
    ]);
    command.arg("-r").arg(capture);
    asked.iter().for_each(|field| _ = command.args(["-e", field]));
    let output = command.output().expect("tshark runs");
    let (mut said, mut queries) = (Said::new(), BTreeMap::<_, [usize; 2]>::new());
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let columns: BTreeMap<&str, Vec<&str>> = asked
            .iter()
            .zip(line.split('\t'))
            .map(|(field, text)| (*field, text.split('\u{1f}').filter(|value| !value.is_empty()).collect()))
            .collect();
        let flow = columns["communityid"].last().copied().unwrap_or("-").to_owned();
        let protocols = columns["frame.protocols"].first().copied().unwrap_or_default();
        for (place, content) in ALL.iter().enumerate() {
            if content.within.is_some_and(|protocol| !protocols.split(':').any(|name| name == protocol)) {
                continue;
            }
            let mut told = BTreeSet::new();
            for field in content.theirs.iter().filter(|field| told.insert(**field)) {
                for (index, value) in columns[field].iter().enumerate() {
                    if content.stream != "dns" {
                        *said.entry((place, flow.clone(), (*value).to_owned())).or_default() += 1;
                        continue;
                    }
                    // A question and its answer are one record.
                    let of_message = |field: &str| {
                        let all = &columns[field];
                        all.get(index).or_else(|| all.last()).copied().unwrap_or_default().to_owned()
                    };
                    let name = if *value == "<Root>" { ".".to_owned() } else { value.to_ascii_lowercase() };
                    let is_answer = matches!(&*of_message("dns.flags.response"), "1" | "True");
                    let query = queries.entry((place, flow.clone(), name, of_message("dns.id"))).or_default();
                    query[usize::from(is_answer)] += 1;
                }
            }
        }
    }
    for ((place, flow, name, _), [asked, answered]) in queries {
        // What tshark prints in place of a name that it cannot read is no name: one for all.
        let is_name = !name.starts_with('<');
        let count = said.entry((place, flow, name)).or_default();
        *count = if is_name { *count + asked.max(answered) } else { 1 };
    }
    said
}

fn ours(capture: &Path) -> Said {
    let (records, _) = replay(&reader::read(capture), FrameMode::Auto);
    let records: Vec<_> = records.iter().map(|record| (record.stream().name(), fields(record))).collect();
    let text = |record: &Map<String, Value>, field: &str| {
        record.get(field).and_then(Value::as_str).map(str::to_owned)
    };
    let flows: BTreeMap<String, String> = records
        .iter()
        .filter(|(stream, _)| *stream == "conn")
        .filter_map(|(_, conn)| Some((text(conn, "uid")?, text(conn, "community_id")?)))
        .collect();
    let mut said = Said::new();
    for (stream, record) in &records {
        let flow = text(record, "uid").and_then(|uid| flows.get(&uid).cloned());
        let flow = flow.unwrap_or_else(|| "-".to_owned());
        for (place, content) in ALL.iter().enumerate().filter(|(_, content)| content.stream == *stream) {
            for value in content.ours.iter().filter_map(|field| text(record, field)) {
                *said.entry((place, flow.clone(), value)).or_default() += 1;
            }
        }
    }
    said
}

#[test]
fn flows_say_what_tshark_reads_as_often() {
    let Some(folder) = captures() else { return };
    let tshark = match enigma_test_support::tools::tool("tshark") {
        Ok(tshark) => tshark,
        Err(missing) => return enigma_test_support::skip::skip(missing.to_string()),
    };
    let facts = facts(&folder);
    let (next, all) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    // Two at once: most of the time is tshark's, to begin.
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(fact) = facts.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let name = fact["file"].as_str().expect("a file name");
                    let path = folder.join(name);
                    let has = |protocol: &&str| fact["protocols"].get(*protocol).is_some();
                    let ours = ours(&path);
                    let is_asked = !ours.is_empty() || PROTOCOLS.iter().any(has);
                    let theirs = if is_asked { theirs(&tshark, &path) } else { Said::new() };
                    all.lock().expect("nobody panicked").insert(name, (theirs, ours));
                }
            });
        }
    });
    let all = all.into_inner().expect("nobody panicked");
    let mut rows: Vec<_> = ALL.iter().map(|content| (content, 0, 0, BTreeSet::new())).collect();
    for (name, (theirs, ours)) in &all {
        for key @ (place, flow, value) in theirs.keys().chain(ours.keys()) {
            let count = |said: &Said| said.get(key).copied().unwrap_or_default();
            let (said, told) = (count(theirs), count(ours));
            if said != told {
                rows[*place].3.insert(format!("{name} {flow} {value:?}: tshark {said} ours {told}"));
            }
        }
        for (key, said) in theirs {
            let (_, expected, equal, _) = &mut rows[key.0];
            *expected += said;
            *equal += (*said).min(ours.get(key).copied().unwrap_or_default());
        }
    }
    for (content, expected, equal, _) in &rows {
        assert!(*equal > 10, "{} of {}: {equal} of {expected}", content.what, content.stream);
    }
    differences::compare_all(rows.iter().map(|(content, .., found)| (content.list, found)));
    for (Content { stream, what, list, .. }, expected, equal, found) in rows {
        let (source, different) = ("tshark", found.len());
        Score { stream, source, what, files: facts.len(), expected, equal, different, list }.report();
    }
}

/// The record of a flow between two ends, whichever began it.
fn is_between(record: &Map<String, Value>, ends: [(&str, &str); 2]) -> bool {
    let end = |side: &str| {
        let host = record.get(&format!("id.{side}_h")).and_then(Value::as_str).unwrap_or_default();
        let port = record.get(&format!("id.{side}_p")).and_then(Value::as_u64).unwrap_or_default();
        (host.to_owned(), port.to_string())
    };
    let (orig, resp) = (end("orig"), end("resp"));
    let is = |ours: &(String, String), theirs: (&str, &str)| ours.0 == theirs.0 && ours.1 == theirs.1;
    is(&orig, ends[0]) && is(&resp, ends[1]) || is(&orig, ends[1]) && is(&resp, ends[0])
}

/// JA4's own tests: the client fingerprints of a capture, flow by flow.
#[test]
fn ja4_equals_the_baselines_of_its_authors() {
    let Some(folder) = captures() else { return };
    let (mut found, mut files, mut expected, mut equal) = (BTreeSet::new(), 0, 0, 0);
    for fact in facts(&folder) {
        let name = fact["file"].as_str().expect("a file name");
        let baseline = folder.join(format!("{name}.ja4.json"));
        let Ok(text) = std::fs::read_to_string(&baseline) else { continue };
        let flows: Vec<Value> = serde_json::from_str(&text).expect("the baseline is JSON");
        let (records, _) = replay(&reader::read(&folder.join(name)), FrameMode::Auto);
        let mut ours: Vec<_> =
            records.iter().map(fields).filter(|record| record.contains_key("ja4")).collect();
        files += 1;
        for flow in &flows {
            let text = |field: &str| flow[field].as_str().unwrap_or_default();
            let ends = [(text("src"), text("srcport")), (text("dst"), text("dstport"))];
            let flow = flow.as_object().expect("a flow is an object");
            for theirs in flow.iter().filter(|(key, _)| key.starts_with("JA4.")).map(|(_, value)| value) {
                expected += 1;
                let same = ours.iter().position(|our| our["ja4"] == *theirs && is_between(our, ends));
                match same {
                    Some(at) => {
                        ours.swap_remove(at);
                        equal += 1;
                    }
                    None => _ = found.insert(format!("{name} {ends:?} only JA4 {theirs}")),
                }
            }
        }
        found.extend(
            ours.iter().map(|our| {
                format!("{name} {}:{} only ours {}", our["id.orig_h"], our["id.orig_p"], our["ja4"])
            }),
        );
    }
    assert!(equal > 5, "{equal} equal");
    let (list, different) = ("ja4.txt", found.len());
    differences::compare(list, &found);
    let (stream, source, what) = ("ssl", "JA4", "JA4");
    Score { stream, source, what, files, expected, equal, different, list }.report();
}
