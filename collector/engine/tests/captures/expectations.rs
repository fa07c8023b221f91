//! Every capture of the collection is replayed, and every file of expectations is compared by a test or counted with the
//! reason why not: the sums are those of the folder.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use enigma_test_support::{
    scorecard::{PAGE, Row},
    workspace_root,
};
use serde_json::Value;

use crate::scorecard::LeftOut;
use crate::{captures, facts};

/// Files of expectations by the end of their names: whose they are, what they are, and who compares them.
const COMPARED: [(&[&str], &str, &str, &str); 12] = [
    (&[".conn.log", ".conn.cut"], "Zeek", "conn.log", "compared row by row"),
    (&[".dns.log"], "Zeek", "dns.log", "compared row by row"),
    (&[".http.log"], "Zeek", "http.log", "compared row by row"),
    (&[".ntp.log"], "Zeek", "ntp.log", "compared row by row"),
    (&[".quic.log"], "Zeek", "quic.log", "compared row by row"),
    (&[".ssh.log"], "Zeek", "ssh.log", "compared row by row"),
    (&[".ssl.log"], "Zeek", "ssl.log", "compared row by row"),
    (&[".tunnel.log"], "Zeek", "tunnel.log", "compared row by row"),
    (&[".x509.log"], "Zeek", "x509.log", "compared row by row"),
    (&[".ja4.json"], "JA4", "fingerprints", "compared one by one"),
    (&[".ndpi.out"], "nDPI", "results", "compared flow by flow"),
    (&[".suricata.yaml"], "Suricata", "tests", "compared check by check"),
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

/// Captures, and expectations that are of several captures or of none.
const NO_EXPECTATIONS: [&str; 9] = [
    ".pcap",
    ".pcapng",
    ".cap",
    "facts.jsonl",
    "INDEX.md",
    // Community IDs by the specification: the first two are compared in community_ids.rs; the third is the same digests in
    // hexadecimal, a form that records do not have.
    "baseline_deflt.json",
    "baseline_seed1.json",
    "baseline_nob64.json",
    ".txt",
];

/// Whether a file's name ends like this; some are cut to a few columns: `.conn.log.cut`, `.conn.cut`.
fn is_of(file: &str, end: &str) -> bool {
    file.ends_with(end) || file.strip_suffix(".cut").is_some_and(|file| file.ends_with(end))
}

/// How many files of expectations there are whose names end so.
pub(crate) fn count(folder: &Path, ends: &[&str]) -> usize {
    let facts = facts(folder);
    let files = facts.iter().flat_map(|fact| fact["expect"].as_array().into_iter().flatten());
    files.filter_map(Value::as_str).filter(|file| ends.iter().any(|end| is_of(file, end))).count()
}

fn files_below(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("the collection is readable") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.insert(path.to_string_lossy().into_owned());
        }
    }
}

#[test]
fn every_file_of_the_collection_is_compared_or_left_out_for_a_reason() {
    let Some(folder) = captures() else { return };
    let facts = facts(&folder);
    let mut on_disk = BTreeSet::new();
    files_below(&folder, &mut on_disk);
    let in_folder = |file: &Path| file.to_string_lossy().into_owned();
    let mut named = BTreeSet::new();
    let (mut left_out, mut compared) = (BTreeMap::<&str, usize>::new(), BTreeMap::<&str, usize>::new());
    for fact in &facts {
        let capture = folder.join(fact["file"].as_str().expect("a file name"));
        named.insert(in_folder(&capture));
        for file in fact["expect"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            named.insert(in_folder(&capture.with_file_name(file)));
            if let Some((_, _, what, _)) =
                COMPARED.iter().find(|(ends, ..)| ends.iter().any(|end| is_of(file, end)))
            {
                *compared.entry(what).or_default() += 1;
                continue;
            }
            let known = LEFT_OUT.iter().find(|(end, ..)| is_of(file, end));
            let (end, ..) = known.unwrap_or_else(|| panic!("nobody said what {file} is"));
            *left_out.entry(end).or_default() += 1;
        }
    }
    // The index names what is there, and what is there is named.
    let missing: Vec<_> = named.difference(&on_disk).collect();
    assert!(missing.is_empty(), "not there: {missing:#?}");
    let is_other = |file: &&&String| !NO_EXPECTATIONS.iter().any(|end| file.ends_with(end));
    let strange: Vec<_> = on_disk.difference(&named).filter(|file| is_other(&file)).collect();
    assert!(strange.is_empty(), "nobody said what these are: {strange:#?}");
    let is_capture = |file: &&String| [".pcap", ".pcapng", ".cap"].iter().any(|end| file.ends_with(end));
    let of_nobody: Vec<_> = on_disk.difference(&named).filter(is_capture).collect();
    assert!(of_nobody.is_empty(), "captures that the index does not name: {of_nobody:#?}");
    let row = |source: &str, what: &str, count: usize, used: &str| Row::Files {
        source: source.to_owned(),
        what: what.to_owned(),
        count: count as u64,
        used: used.to_owned(),
    };
    row(
        "everybody",
        "captures",
        facts.len(),
        "replayed plain and wrapped, cut, bent and on other ports; read by tshark",
    )
    .report();
    for (_, source, what, used) in COMPARED {
        row(source, what, compared.get(what).copied().unwrap_or_default(), used).report();
    }
    for (end, source, what, reason) in LEFT_OUT {
        let count = left_out.get(end).copied().unwrap_or_default();
        row(source, what, count, "not compared, see below").report();
        LeftOut { source, what, reason, count }.report();
    }
}

/// The rows of the page as cells.
fn page() -> Vec<Vec<String>> {
    let page = std::fs::read_to_string(workspace_root().join(PAGE)).expect("the page is readable");
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect()
    };
    page.lines().filter(|line| line.starts_with("| ")).map(cells).collect()
}

/// What no single comparison can see: that its row is not the only one that is left of something, and that all rows
/// together looked at all there is.
#[test]
fn the_page_has_a_list_for_every_row_and_sums_that_add_up() {
    // Reports are being collected for another page.
    if std::env::var_os(enigma_test_support::scorecard::REPORTS).is_some() {
        return;
    }
    let rows = page();
    let text = std::fs::read_to_string(workspace_root().join(PAGE)).expect("the page is readable");
    let lists = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differences");
    for entry in std::fs::read_dir(lists).expect("the lists are readable") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        // What two replays of ours tell: no row, but a list.
        let is_of_ours = name.starts_with("ports_");
        assert!(is_of_ours || text.contains(&format!("/{name})")), "no row of {PAGE} is of {name}");
    }
    let number = |cell: &str| cell.parse::<usize>().unwrap_or_default();
    let files = |source: &str, what: &str| -> usize {
        let is_of = |row: &&Vec<String>| row.len() == 4 && row[0] == source && row[1] == what;
        rows.iter().filter(is_of).map(|row| number(&row[2])).sum()
    };
    let captures = files("everybody", "captures");
    assert!(captures > 700, "{captures}");
    for row in rows.iter().filter(|row| row.len() == 8 && row[0].starts_with('`')) {
        let [stream, source, what, looked_at, expected, equal, ..] = &row[..] else { continue };
        assert!(number(equal) <= number(expected), "{row:?}");
        let (stream, looked_at) = (stream.trim_matches('`'), number(looked_at));
        let all = match &**source {
            "Zeek" => files("Zeek", &format!("{stream}.log")),
            "JA4" => files("JA4", "fingerprints"),
            // In every capture; what is excepted is read from captures that have the protocol.
            "tshark" if !matches!(&**what, "directions" | "clients, addresses, names") => captures,
            _ => looked_at,
        };
        assert_eq!(looked_at, all, "{row:?}");
    }
}
