//! What comes in live is what a replay of tcpdump's capture of the same packets gives, record by record, whether it came
//! through sockets or through a ring.

use enigma_test_support::skip::skip;

use crate::collector::{Collector, replay};
use crate::records::{comparable, read};
use crate::topology::Topology;
use crate::traffic::{Dump, ask, serve};

#[test]
fn through_sockets() {
    compare("receive.mode = \"udp\"\n", false);
}

#[test]
fn through_a_ring_with_the_udp_stack_left_out() {
    let Some(said) = compare("receive.mode = \"ring\"\n", true) else { return };
    assert!(!said.contains("UDP stack"), "the rule stops packets before the socket: {said}");
    assert!(!said.contains("through a ring"), "{said}");
}

#[test]
fn through_two_rings_that_share_by_flow() {
    compare("receive.mode = \"ring\"\nreceive.workers = 2\n", true);
}

/// What the collector said.
fn compare(config: &str, rule: bool) -> Option<String> {
    let topology = match Topology::up() {
        Ok(topology) => topology,
        Err(why) => {
            skip(why);
            return None;
        }
    };
    if rule {
        topology.stop_before_udp();
    }
    let dir = tempfile::tempdir().unwrap();
    let capture = dir.path().join("mirror.pcap");
    let server = serve(&topology, dir.path());
    let collector = Collector::start(&topology, 4789, &format!("shutdown.drain = \"0s\"\n{config}"));
    let dump = Dump::start(&topology, &capture);
    ask(&topology);
    dump.finish();
    let ended = collector.stop();
    drop(server);
    assert_eq!(ended.code, Some(0), "{}", ended.said);

    let replayed = dir.path().join("replayed");
    replay(&capture, &replayed);
    let (live, replayed) = (comparable(&read(&ended.records())), comparable(&read(&replayed)));
    // Each family from both ends: 2 + 1 DNS, HTTP, 2 TLS, bulk and ping; and the mark.
    assert_eq!(live["conn"].len(), 2 * (2 * 8 + 1), "{:#?}", live["conn"]);
    assert_eq!(live["dns"].len(), 2 * 2 * 3);
    for (stream, text) in [("http", "/missing"), ("ssl", "tlsv1-3.example.test")] {
        // Streams that this build knows of.
        if let Some(records) = live.get(stream) {
            assert!(records.iter().any(|record| record.contains(text)), "{records:#?}");
        }
    }
    assert_eq!(live.keys().collect::<Vec<_>>(), replayed.keys().collect::<Vec<_>>());
    for (stream, records) in &live {
        let different: Vec<_> =
            records.iter().zip(&replayed[stream]).filter(|(live, replayed)| live != replayed).collect();
        assert!(different.is_empty(), "{stream}: {different:#?}");
        assert_eq!(records.len(), replayed[stream].len(), "{stream}");
    }
    Some(ended.said)
}
