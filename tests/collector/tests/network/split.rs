//! Two collectors behind a load balancer that parts the directions of a flow: between them, everything is there.

use std::collections::BTreeMap;

use enigma_test_support::skip::skip;

use crate::collector::{Collector, replay};
use crate::records::{Fields, comparable, is_between_workloads, read, sum};
use crate::topology::{Outer, Topology};
use crate::traffic::{Dump, ask, serve};

#[test]
fn the_union_of_two_collectors_is_complete() {
    let topology = match Topology::up(Outer::V4) {
        Ok(topology) => topology,
        Err(why) => return skip(why),
    };
    topology.spread_over_two();
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("mirror.pcap");
    let server = serve(&topology, dir.path());
    let config = "shutdown.drain = \"0s\"\n";
    let collectors = [4789, 4790].map(|port| Collector::start(&topology, port, config));
    let dump = Dump::start(&topology, &capture, Outer::V4);
    ask(&topology);
    dump.finish();
    let ended = collectors.map(Collector::stop);
    drop(server);
    let mut parts = Vec::new();
    for ended in &ended {
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        assert!(ended.number("received") > 100, "one of the two got nothing: {}", ended.said);
        parts.push(read(&ended.records()));
    }
    let replayed = dir.path().join("replayed");
    replay(&capture, &replayed);
    let whole = read(&replayed);
    let union: Vec<&Fields> = parts.iter().flat_map(|part| &part["conn"]).collect();
    let (found, expected) = (by_flow(union.iter().copied()), by_flow(&whole["conn"]));
    assert_eq!(found, expected, "packets and bytes of each flow at each vantage");
    // The load balancer does part flows, or this proves nothing.
    let pieces = comparable(&parts[0])["conn"].len() + comparable(&parts[1])["conn"].len();
    let flows = comparable(&whole)["conn"].len();
    assert!(pieces > flows, "{pieces} records of {flows} flows");
}

/// Packets and bytes of each flow at each vantage, whoever is called its originator.
fn by_flow<'a>(records: impl IntoIterator<Item = &'a Fields>) -> BTreeMap<String, (u64, u64)> {
    let mut all: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for record in records.into_iter().filter(|record| is_between_workloads(record)) {
        let key = ["community_id", "enigma.vni", "enigma.source_ip"]
            .map(|field| record[field].to_string())
            .join(" ");
        let entry = all.entry(key).or_default();
        entry.0 += sum([record], "orig_pkts") + sum([record], "resp_pkts");
        entry.1 += sum([record], "orig_ip_bytes") + sum([record], "resp_ip_bytes");
    }
    all
}
