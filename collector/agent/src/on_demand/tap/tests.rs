use std::time::SystemTime;

use enigma_engine::Vni;
use enigma_test_support::packets::{ethernet, udp, vxlan};
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::on_demand::request::Request;
use crate::on_demand::{Hold, QUEUE, Refusal};

fn frame(port: u16, payload: usize) -> Vec<u8> {
    let (from, to) = ("10.1.0.1:40000".parse().unwrap(), format!("10.1.0.2:{port}").parse().unwrap());
    ethernet(&udp(from, to, &vec![7; payload]))
}

fn handed<'a>(wrapping: Wrapping, source: [u8; 4], payload: &'a [u8]) -> Handed<'a> {
    Handed { wrapping, at: 5, source: source.into(), source_port: 65_000, payload }
}

fn begin(captures: &Arc<Captures>, text: &str) -> (Hold, Receiver<Chunk>) {
    captures.begin(&Request::parse(text.as_bytes()).unwrap(), SystemTime::UNIX_EPOCH).unwrap()
}

fn drain(chunks: &mut Receiver<Chunk>) -> Vec<(Head, Vec<u8>)> {
    let mut all = Vec::new();
    while let Ok(chunk) = chunks.try_recv() {
        all.extend(chunk.frames().map(|(head, frame)| (head, frame.to_vec())));
    }
    all
}

#[test]
fn what_the_filter_takes_is_copied_whatever_is_around_it() {
    let captures = Arc::new(Captures::default());
    let everybody = Arc::new(Admission::default());
    let mut listener = Listener::default();
    listener.look(&captures, &everybody);
    let wanted = frame(53, 100);
    let datagram = vxlan(7, &wanted);
    // Before anything is asked for.
    listener.datagram(&handed(Wrapping::Vxlan, [10, 9, 9, 9], &datagram));
    let (hold, mut chunks) = begin(&captures, r#"{"filter": "port 53", "snaplen": 60}"#);
    listener.look(&captures, &everybody);
    listener.datagram(&handed(Wrapping::Vxlan, [10, 9, 9, 9], &datagram));
    listener.datagram(&handed(Wrapping::Vxlan, [10, 9, 9, 9], &vxlan(7, &frame(80, 1))));
    listener.datagram(&handed(Wrapping::Vxlan, [10, 9, 9, 9], b"\0\0\0"));
    let outer = udp("10.9.9.9:65000".parse().unwrap(), "10.8.8.8:4789".parse().unwrap(), &datagram);
    // A version and no option, IPv4 inside, and a virtual network.
    let geneve = [&[0, 0, 0x08, 0, 0, 0, 0, 0][..], &outer].concat();
    listener.datagram(&handed(Wrapping::Geneve, [10, 1, 1, 1], &geneve));
    listener.datagram(&handed(Wrapping::Packet, [0; 4], &outer));
    // A session that sends only the beginning: the length is that of the whole packet.
    listener.datagram(&handed(Wrapping::Vxlan, [10, 9, 9, 9], &vxlan(7, &wanted[..60])));
    listener.packet(6, &outer, outer.len() as u32);
    listener.flush();
    let vantage = Vantage { vni: Vni::new(7).unwrap(), source: [10, 9, 9, 9].into() };
    let head = Head { at: 5, vantage, length: 60, wire_len: wanted.len() as u32 };
    let cut = wanted[..60].to_vec();
    let expected = [
        (head, cut.clone()),
        (head, cut.clone()),
        (head, cut.clone()),
        (head, cut.clone()),
        (Head { at: 6, ..head }, cut),
    ];
    assert_eq!(drain(&mut chunks), expected);
    hold.end();
    listener.look(&captures, &everybody);
    listener.datagram(&handed(Wrapping::Vxlan, [10, 9, 9, 9], &datagram));
    assert!(drain(&mut chunks).is_empty() && chunks.blocking_recv().is_none());
    let tally = hold.tally();
    let counts = Counts { received: 6, accepted: 5, dropped: 0 };
    assert_eq!((tally.vantages, tally.elsewhere), (HashMap::from([(vantage, counts)]), 0));
}

#[test]
fn who_is_not_admitted_is_in_no_capture_also_after_a_reload() {
    let captures = Arc::new(Captures::default());
    let only = |vnis: &[u32], net: [u8; 4]| {
        Arc::new(Admission { vnis: vnis.to_vec(), sources: vec![(net.into(), 24)] })
    };
    let (mut listener, admission) = (Listener::default(), only(&[7], [10, 9, 9, 0]));
    let (hold, mut chunks) = begin(&captures, "{}");
    listener.look(&captures, &admission);
    let (seven, eight) = (vxlan(7, &frame(1, 1)), vxlan(8, &frame(1, 1)));
    let mut send = |listener: &mut Listener| {
        for (datagram, source) in [(&seven, [10, 9, 9, 9]), (&eight, [10, 9, 9, 9]), (&seven, [10, 9, 8, 9])]
        {
            listener.datagram(&handed(Wrapping::Vxlan, source, datagram));
        }
        listener.flush();
        let taken = drain(&mut chunks);
        taken.iter().map(|(head, _)| (head.vantage.vni.get(), head.vantage.source)).collect::<Vec<_>>()
    };
    assert_eq!(send(&mut listener), [(7, [10, 9, 9, 9].into())]);
    listener.look(&captures, &only(&[], [10, 9, 8, 0]));
    assert_eq!(send(&mut listener), [(7, [10, 9, 8, 9].into())]);
    listener.stop();
    assert_eq!(hold.tally().all(), Counts { received: 2, accepted: 2, dropped: 0 });
}

#[test]
fn a_client_that_reads_nothing_costs_packets_of_the_capture_and_every_one_is_counted() {
    let captures = Arc::new(Captures::default());
    let everybody = Arc::new(Admission::default());
    let (hold, mut chunks) = begin(&captures, "{}");
    let mut listeners = [Listener::default(), Listener::default()];
    listeners.iter_mut().for_each(|listener| listener.look(&captures, &everybody));
    let datagram = vxlan(7, &frame(1, 60_000));
    let mut sent = 0_u64;
    // Batches of four; two such frames fit into a chunk.
    for _ in 0..QUEUE {
        for listener in &mut listeners {
            for _ in 0..4 {
                listener.datagram(&handed(Wrapping::Vxlan, [10, 9, 9, 9], &datagram));
                sent += 1;
            }
            listener.flush();
        }
    }
    hold.end();
    listeners.iter_mut().for_each(|listener| listener.look(&captures, &everybody));
    let taken = drain(&mut chunks).len() as u64;
    assert_eq!(taken, 2 * QUEUE as u64, "a queue holds what it says");
    let all = hold.tally().all();
    assert_eq!((all.received, all.accepted, all.dropped), (sent, sent, sent - taken));
    assert_eq!(captures.totals().dropped, all.dropped);
}

#[test]
fn there_is_one_at_a_time_until_the_client_has_all_of_it_and_none_after_a_close() {
    let captures = Arc::new(Captures::default());
    let request = Request::parse(br#"{"filter": "tcp"}"#).unwrap();
    let begin = || captures.begin(&request, SystemTime::UNIX_EPOCH);
    let (first, _chunks) = begin().unwrap();
    first.end();
    match begin() {
        Err(Refusal::Busy(running)) => assert_eq!((running.number, running.request), (1, request.clone())),
        other => panic!("{other:?}"),
    }
    assert_eq!(captures.status()["running"]["filter"], "tcp");
    drop(first);
    let (second, _chunks) = begin().unwrap();
    assert_eq!((second.number(), captures.totals().started), (2, 2));
    captures.close();
    drop(second);
    assert!(matches!(begin(), Err(Refusal::Closed)));
    assert_eq!(captures.status()["running"], serde_json::Value::Null);
}
