//! Killed, restarted, and told to stop under load.

use std::process::Command;

use enigma_test_support::packets::{Capture, ethernet, udp};
use enigma_test_support::process::{Running, Signal, Stream};
use enigma_test_support::skip::skip;
use enigma_test_support::wait;

use crate::collector::{Collector, program};
use crate::records::read;
use crate::topology::{COLLECTOR, Host, Topology};
use crate::traffic::LIMIT;

fn flows(host: u8) -> Capture {
    let mut capture = Capture::default();
    for n in 0..500_u16 {
        let [from, to] = [format!("10.1.0.{host}:{}", 40_000 + n), "10.2.0.1:9000".to_owned()]
            .map(|end| end.parse().unwrap());
        capture.push(std::time::Duration::from_micros(n.into()), ethernet(&udp(from, to, b"mirrored")));
    }
    capture
}

fn sender(topology: &Topology, capture: &str, rate: &str, times: &str) -> Command {
    let to = format!("{COLLECTOR}:4789");
    let send = program();
    let args = [
        "send",
        capture,
        "--to",
        &to,
        "--vni",
        "7",
        "--source",
        "10.67.1.1",
        "--loop",
        times,
        "--rate",
        rate,
    ];
    topology.command(Host::A, send.to_str().unwrap(), &args)
}

#[test]
fn what_was_written_before_a_kill_stays_and_the_next_one_goes_on() {
    let topology = match Topology::quiet() {
        Ok(topology) => topology,
        Err(why) => return skip(why),
    };
    let dir = tempfile::tempdir().unwrap();
    let files = [1, 2].map(|host| {
        let file = dir.path().join(format!("{host}.pcap"));
        flows(host).write(&file).unwrap();
        file.to_str().unwrap().to_owned()
    });
    let config = "shutdown.drain = \"0s\"\nflow.udp = \"1s\"\n";
    let mut first = Collector::start(&topology, 4789, config);
    assert!(sender(&topology, &files[0], "20000", "1").status().unwrap().success());
    let records = first.dir.path().join("records");
    wait::until(LIMIT, "the records of flows that went silent", || {
        std::fs::read_to_string(records.join("conn.log")).is_ok_and(|text| text.lines().count() == 500)
    });
    // Live flows, and records on their way, when it ends without a word.
    assert!(sender(&topology, &files[1], "20000", "1").status().unwrap().success());
    first.running.signal(Signal::KILL).unwrap();
    first.running.wait(LIMIT).unwrap();
    let Collector { dir: kept, .. } = first;
    let second = Collector::start_in(&topology, 4789, config, kept, |words| words);
    assert!(sender(&topology, &files[1], "20000", "1").status().unwrap().success());
    second.wait_status("the packets", |status| status["packets"]["received"] == 500);
    let ended = second.stop();
    assert_eq!(ended.code, Some(0), "{}", ended.said);
    let conn = &read(&ended.records())["conn"];
    let of = |host: &str| conn.iter().filter(|record| record["id.orig_h"] == host).count();
    assert_eq!(of("10.1.0.1"), 500, "written before the kill");
    assert!(of("10.1.0.2") >= 500, "all of those after it, and what the first had written of them");
    let mut uids: Vec<&str> = conn.iter().map(|record| record["uid"].as_str().unwrap()).collect();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), conn.len(), "no two runs give one identifier to two flows");
}

#[test]
fn told_to_stop_under_load_it_takes_what_still_comes_and_loses_nothing() {
    let topology = match Topology::quiet() {
        Ok(topology) => topology,
        Err(why) => return skip(why),
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("flows.pcap");
    flows(1).write(&file).unwrap();
    let mut collector = Collector::start(&topology, 4789, "shutdown.drain = \"1h\"\nreceive.workers = 2\n");
    let mut load = Running::start(sender(&topology, file.to_str().unwrap(), "20000", "60")).unwrap();
    collector.wait_status("some packets", |status| status["packets"]["received"].as_u64().unwrap() > 2_000);
    collector.running.signal(Signal::TERM).unwrap();
    // A load balancer sees this and moves the traffic; until it has, packets still come.
    wait::until(LIMIT, "not ready", || collector.get("/health/ready").0 == 503);
    assert!(load.is_running().unwrap(), "the load ended before the stop");
    assert_eq!(load.wait(LIMIT).unwrap().code(), Some(0));
    let sent = 500 * 60;
    collector.wait_status("all packets of the drain", |status| status["packets"]["received"] == sent);
    collector.running.signal(Signal::TERM).unwrap();
    let status = collector.running.wait(LIMIT).unwrap();
    let said = collector.running.text(Stream::Stderr);
    assert_eq!(status.code(), Some(0), "{said}");
    let conn = &read(&collector.dir.path().join("records"))["conn"];
    let packets: u64 = conn.iter().map(|record| record["orig_pkts"].as_u64().unwrap()).sum();
    assert_eq!((conn.len(), packets), (500, sent), "{said}");
}
