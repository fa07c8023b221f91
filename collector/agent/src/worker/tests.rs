use std::net::UdpSocket;

use enigma_engine::EngineConfig;
use enigma_test_support::packets::{ethernet, udp, vxlan};

use super::*;
use crate::export::queue::{Inbox, queue};
use crate::on_demand::Captures;
use crate::on_demand::request::Request;
use crate::receive::ring::{PacketRing, RingError, Tap};
use crate::receive::socket::{ReceiveSocket, Wishes, bind};

/// More than the ring below holds.
const FLOOD: u64 = 2_000;

fn ring() -> Option<PacketRing> {
    let tap = Tap { interface: "lo", doors: &["127.0.0.1:4789".parse().unwrap()], buffer: 1 << 20 };
    match ring::open(&tap, 1) {
        Ok(mut rings) => rings.pop(),
        Err(RingError::NotAllowed) => {
            enigma_test_support::skip::skip("packet sockets need CAP_NET_RAW");
            None
        }
        Err(error) => panic!("{error:?}"),
    }
}

/// Packets that all pass the ring while nobody reads it. Other tests of this host may add theirs.
fn flood() {
    let frame =
        ethernet(&udp("10.1.0.1:1024".parse().unwrap(), "10.1.0.2:9000".parse().unwrap(), &[0; 1_200]));
    let (sender, datagram) = (UdpSocket::bind("127.0.0.1:0").unwrap(), vxlan(5, &frame));
    for _ in 0..FLOOD {
        // Nobody need listen there.
        drop(sender.send_to(&datagram, "127.0.0.1:4789"));
    }
}

/// A worker's turn with these doors, and the end of its queue, which keeps that open.
fn turn(sources: Vec<Source>) -> (Turn, Inbox<Batch>) {
    let (outbox, inbox) = queue(4);
    let turn = Turn {
        doors: sources.into_iter().map(Door::new).collect(),
        arena: Arena::new(),
        handover: None,
        pipeline: Pipeline::new(EngineConfig::default()),
        shipping: Shipping::new(outbox),
        listener: Listener::default(),
        drops_read: None,
    };
    (turn, inbox)
}

#[test]
fn a_ring_that_is_never_empty_tells_its_drops_all_the_same() {
    let Some(ring) = ring() else { return };
    let (mut turn, _inbox) = turn(vec![Source::Ring(ring)]);
    let mut told = 0;
    for round in 0..3 {
        flood();
        // The worker does not wait between two turns in which there was more than it takes in one.
        assert_eq!(turn.take().unwrap(), Pace::Busy, "round {round}");
        turn.account();
        let now_told = turn.shipping.view.kernel_drops;
        assert!(now_told > told, "round {round}: {now_told} drops told, {told} before");
        told = now_told;
        // The next turn comes when the reading has got old.
        turn.drops_read = turn.drops_read.map(|read| Timestamp::from_nanos(read.as_nanos() - 200_000_000));
    }
}

#[test]
fn packets_of_a_ring_and_of_a_socket_come_into_a_capture() {
    let captures = Arc::new(Captures::default());
    let admission = Arc::new(Admission::default());
    let request = Request::parse(br#"{"filter": "vni 4711"}"#).unwrap();
    let wishes = Wishes { buffer: 1 << 20, steer: false, gro: false };
    let (mut sockets, address, _) = bind(Wrapping::Vxlan, "127.0.0.1:0".parse().unwrap(), 1, wishes).unwrap();
    let frame = ethernet(&udp("10.1.0.1:1".parse().unwrap(), "10.1.0.2:2".parse().unwrap(), b"wanted"));
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let doors = [
        Some((Source::Socket(sockets.pop().unwrap()), address)),
        ring().map(|ring| (Source::Ring(ring), "127.0.0.1:4789".parse().unwrap())),
    ];
    for (source, address) in doors.into_iter().flatten() {
        let (hold, mut chunks) = captures.begin(&request, SystemTime::now()).unwrap();
        let (mut turn, _inbox) = turn(vec![source]);
        turn.listener.look(&captures, &admission);
        // Nobody need listen at the ring's port.
        drop(sender.send_to(&vxlan(4711, &frame), address));
        drop(sender.send_to(&vxlan(4712, &frame), address));
        let deadline = Instant::now() + Duration::from_secs(20);
        let chunk = loop {
            turn.wait(Duration::from_millis(1));
            turn.take().unwrap();
            if let Ok(chunk) = chunks.try_recv() {
                break chunk;
            }
            assert!(Instant::now() < deadline, "no packet from {address}");
        };
        let frames: Vec<&[u8]> = chunk.frames().map(|(_, frame)| frame).collect();
        assert_eq!(frames, [&frame[..]], "{address}");
        drop(hold);
    }
}

#[test]
fn what_a_ring_drops_behind_the_last_reading_is_in_its_account_at_the_end() {
    let Some(ring) = ring() else { return };
    let mut door = Door::new(Source::Ring(ring));
    flood();
    door.read_drops();
    let read = door.view().kernel_drops;
    flood();
    door.close_gate().unwrap();
    assert_eq!(door.settle(), 0);
    // The ring was full before the second flood began.
    assert!(door.view().kernel_drops >= read + FLOOD, "{read}, then {:?}", door.view());
}

#[test]
fn a_door_that_fails_at_the_stop_does_not_cost_what_waits_at_another() {
    let wishes = Wishes { buffer: 1 << 20, steer: false, gro: false };
    let (mut sockets, address, _) = bind(Wrapping::Vxlan, "127.0.0.1:0".parse().unwrap(), 1, wishes).unwrap();
    let frame = ethernet(&udp("10.1.0.1:1024".parse().unwrap(), "10.1.0.2:9000".parse().unwrap(), b"x"));
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    // More than one batch.
    let sent = 3 * BATCH as u64;
    for _ in 0..sent {
        sender.send_to(&vxlan(5, &frame), address).unwrap();
    }
    let sound = Source::Socket(sockets.pop().unwrap());
    let (mut turn, inbox) = turn(vec![Source::Socket(ReceiveSocket::broken()), sound]);
    let board = Board::new(1);
    board.stop(Instant::now() + Duration::from_secs(2));
    turn.close(&board, 0);
    assert_eq!(turn.shipping.view.received(), sent);
    assert!(turn.shipping.view.receive_errors > 0);
    drop(turn);
    assert_eq!(inbox.receiver.iter().map(|batch| batch.len()).sum::<usize>(), 1);
}
