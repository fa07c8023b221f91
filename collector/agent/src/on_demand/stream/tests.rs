use std::path::Path;

use enigma_engine::Admission;
use enigma_test_support::packets::{ethernet, udp, vxlan};

use super::*;
use crate::capture::{self, Summary as Read};
use crate::on_demand::tap::Listener;
use crate::receive::handover::Handed;
use crate::receive::steer::Wrapping;

struct Bench {
    captures: Arc<Captures>,
    admission: Arc<Admission>,
    listener: Listener,
    frame: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let (from, to) = ("10.1.0.1:1".parse().unwrap(), "10.1.0.2:2".parse().unwrap());
        Self {
            captures: Arc::default(),
            admission: Arc::default(),
            listener: Listener::default(),
            frame: vxlan(7, &ethernet(&udp(from, to, &[7; 1_000]))),
        }
    }

    fn begin(&self, seconds: u64) -> mpsc::Receiver<Bytes> {
        let request = Request::parse(format!("{{\"seconds\": {seconds}}}").as_bytes()).unwrap();
        begin(&self.captures, &request, Arc::default()).unwrap().1
    }

    /// A worker's turn with some packets, each in a chunk of its own.
    fn turns(&mut self, packets: usize) {
        for _ in 0..packets {
            self.listener.look(&self.captures, &self.admission);
            let source = [10, 9, 9, 9].into();
            let payload = &self.frame[..];
            self.listener.datagram(&Handed {
                wrapping: Wrapping::Vxlan,
                at: 1,
                source,
                source_port: 1,
                payload,
            });
            self.listener.flush();
        }
    }
}

/// The file to its end: its packets.
async fn read(mut pieces: mpsc::Receiver<Bytes>) -> u64 {
    let mut file = Vec::new();
    while let Some(piece) = pieces.recv().await {
        file.extend_from_slice(&piece);
    }
    let mut summary = Read::default();
    capture::read_from(&file[..], Path::new("x"), &mut summary, |_| {}).unwrap();
    summary.frames
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_has_nothing_copied_after_its_time() {
    let mut bench = Bench::new();
    let start = Instant::now();
    let pieces = bench.begin(30);
    bench.turns(50);
    sleep_until(start + Duration::from_secs(29)).await;
    bench.turns(1);
    sleep_until(start + Duration::from_secs(31)).await;
    bench.turns(50);
    // What was copied in time is still there for it, and until it has it nobody else has a turn.
    assert!(bench.captures.running().is_some());
    assert_eq!(read(pieces).await, 51);
    assert!(bench.captures.running().is_none());
    assert_eq!(bench.captures.totals().packets, 51);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_stands_still_does_not_keep_a_file_from_its_end() {
    let mut bench = Bench::new();
    let start = Instant::now();
    let pieces = bench.begin(5);
    bench.turns(3);
    assert_eq!(read(pieces).await, 3);
    let took = start.elapsed();
    assert!(took >= Duration::from_secs(5) && took <= Duration::from_secs(5) + 2 * LAST_PACKETS, "{took:?}");
    assert!(bench.captures.running().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_makes_room_for_the_next() {
    let mut bench = Bench::new();
    drop(bench.begin(3_600));
    while bench.captures.running().is_some() {
        tokio::task::yield_now().await;
    }
    let pieces = bench.begin(1);
    bench.turns(2);
    let file = tokio::spawn(read(pieces));
    tokio::time::sleep(Duration::from_secs(2)).await;
    bench.turns(2);
    assert_eq!(file.await.unwrap(), 2);
}
