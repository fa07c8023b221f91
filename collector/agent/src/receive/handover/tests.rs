use std::collections::VecDeque;

use super::handover::*;
use super::steer::Wrapping;

fn handed<'a>(number: i64, payload: &'a [u8]) -> Handed<'a> {
    let source = if number % 2 == 0 { "10.0.0.7" } else { "fd00::7" };
    Handed {
        wrapping: Wrapping::ALL[number as usize % Wrapping::ALL.len()],
        at: number,
        source: source.parse().unwrap(),
        source_port: number as u16,
        payload,
    }
}

/// A pair of workers whose rings have `size` bytes.
fn pair(size: usize) -> [Handover; 2] {
    let mut ends = rings(2, size);
    let (one, other) = (ends.pop(), ends.pop());
    [other.unwrap(), one.unwrap()]
}

fn payload(number: i64, length: usize) -> Vec<u8> {
    (0..length).map(|at| (number as usize * 31 + at) as u8).collect()
}

/// Every sequence of nine steps (give a datagram of one of three sizes, or take all), on a ring in which two or three
/// have room, against a queue that counts bytes. Which step comes when decides where each datagram meets the ring's
/// end, so all ways around it are walked.
#[test]
fn every_order_of_giving_and_taking_gives_what_a_queue_gives() {
    const STEPS: u32 = 9;
    const SIZE: usize = 101;
    const SIZES: [usize; 3] = [0, 1, 17];
    let mut full = 0_u32;
    for code in 0..4_u32.pow(STEPS) {
        let [mut sender, mut reader] = pair(SIZE);
        let mut model: VecDeque<(i64, usize)> = VecDeque::new();
        let mut digits = code;
        for step in 0..i64::from(STEPS) {
            let digit = digits % 4;
            digits /= 4;
            if let Some(&length) = SIZES.get(digit as usize) {
                let used: usize = model.iter().map(|(_, length)| HEADER + length).sum();
                let expected = if used + HEADER + length <= SIZE { Ok(()) } else { Err(Full) };
                let bytes = payload(step, length);
                assert_eq!(sender.give(1, &handed(step, &bytes)), expected, "{code:#x} at {step}");
                match expected {
                    Ok(()) => model.push_back((step, length)),
                    Err(Full) => full += 1,
                }
            } else {
                let taken = reader.take(|got| {
                    let (number, length) = model.pop_front().expect("as much as was given");
                    assert_eq!(*got, handed(number, &payload(number, length)), "{code:#x} at {step}");
                });
                assert!(model.is_empty(), "{code:#x} at {step}: {taken} taken");
            }
        }
    }
    assert!(full > 1_000, "the ring was full {full} times only");
}

#[test]
fn threads_lose_nothing_and_keep_the_order_of_each_sender() {
    const EACH: i64 = 20_000;
    let mut ends = between(3, 1);
    let mut reader = ends.pop().unwrap();
    let senders: Vec<_> = ends
        .into_iter()
        .map(|mut end| {
            std::thread::spawn(move || {
                let mut full = 0_u64;
                for number in 0..EACH {
                    let mut bytes = payload(number, number as usize % 1_500);
                    bytes.insert(0, end.index() as u8);
                    while end.give(2, &handed(number, &bytes)) == Err(Full) {
                        full += 1;
                        std::thread::yield_now();
                    }
                }
                end.close();
                full
            })
        })
        .collect();
    let mut next = [0_i64; 2];
    loop {
        // Asked before the rings are emptied: then the answer also holds for what was in them.
        let over = reader.is_over();
        reader.take(|got| {
            let sender = usize::from(got.payload[0]);
            assert_eq!(got.at, next[sender]);
            assert_eq!(got.payload[1..], payload(got.at, got.at as usize % 1_500));
            next[sender] += 1;
        });
        if over {
            break;
        }
    }
    assert_eq!(next, [EACH; 2]);
    for sender in senders {
        sender.join().unwrap();
    }
}

#[test]
fn the_largest_datagram_fits_the_smallest_ring_and_there_is_none_to_oneself() {
    let mut ends = between(64, 1);
    let bytes = vec![7; 65_507];
    assert_eq!(ends[0].give(1, &handed(2, &bytes)), Ok(()));
    assert_eq!(ends[0].give(1, &handed(2, &bytes)), Err(Full));
    assert_eq!(ends[0].give(0, &handed(2, b"")), Err(Full));
    assert_eq!(ends[0].give(64, &handed(2, b"")), Err(Full));
    let mut got = 0;
    assert_eq!(ends[1].take(|handed| got = handed.payload.len()), 1);
    assert_eq!(got, bytes.len());
    assert_eq!(ends[1].workers(), 64);
}
