//! What comes in live is what a replay of tcpdump's capture of the same packets gives, record by record, whether it came
//! through sockets or through a ring.

use enigma_test_support::skip::skip;

use crate::collector::{Collector, replay};
use crate::records::{comparable, read};
use crate::topology::{Outer, Topology};
use crate::traffic::{Dump, ask, serve};

#[test]
fn through_sockets() {
    compare("receive.mode = \"udp\"\n", Outer::V4, false);
}

#[test]
fn through_a_ring_with_the_udp_stack_left_out() {
    let Some(said) = compare("receive.mode = \"ring\"\n", Outer::V4, true) else { return };
    assert!(!said.contains("UDP stack"), "the rule stops packets before the socket: {said}");
    assert!(!said.contains("through a ring"), "{said}");
}

#[test]
fn through_two_rings_that_share_by_flow() {
    compare("receive.mode = \"ring\"\nreceive.workers = 2\n", Outer::V4, true);
}

#[test]
fn through_sockets_from_sessions_over_ipv6() {
    compare("receive.listen = \"[::]:4789\"\n", Outer::V6, false);
}

#[test]
fn through_a_ring_from_sessions_over_ipv6() {
    compare("receive.listen = \"[::]:4789\"\nreceive.mode = \"ring\"\n", Outer::V6, true);
}

/// What the collector said.
fn compare(config: &str, outer: Outer, rule: bool) -> Option<String> {
    let topology = match Topology::up(outer) {
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
    let dump = Dump::start(&topology, &capture, outer);
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
    // Three exchanges and two connections of each family at each end.
    assert_eq!((live["http"].len(), live["ssl"].len()), (2 * 2 * 3, 2 * 2 * 2));
    for (stream, text, times) in
        [("http", "/missing", 4), ("ssl", "tlsv1-3.example.test", 4), ("ssl", "tlsv1-2.example.test", 4)]
    {
        let found = live[stream].iter().filter(|record| record.contains(text)).count();
        assert_eq!(found, times, "{text}: {:#?}", live[stream]);
    }
    let source = match outer {
        Outer::V4 => "10.67.1.1",
        Outer::V6 => "fd67:1::1",
    };
    assert!(live["conn"].iter().any(|record| record.contains(&format!("\"{source}\""))), "{live:#?}");
    assert_eq!(live.keys().collect::<Vec<_>>(), replayed.keys().collect::<Vec<_>>());
    for (stream, records) in &live {
        let different: Vec<_> =
            records.iter().zip(&replayed[stream]).filter(|(live, replayed)| live != replayed).collect();
        assert!(different.is_empty(), "{stream}: {different:#?}");
        assert_eq!(records.len(), replayed[stream].len(), "{stream}");
    }
    Some(ended.said)
}
