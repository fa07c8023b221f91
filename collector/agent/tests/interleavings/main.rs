//! Every order in which the steps of two or three threads can fall (up to a number of preemptions, and with the memory
//! model's freedoms), tried by loom on the program's own modules: the handover between workers and its end, counters that
//! are published while somebody reads, and the order to stop. `crate::sync` is what these modules meet by, and here it is
//! loom's; of the ring, which is a library's with such tests of its own, a model stands in.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod receive;
mod ring;

mod sync {
    pub(crate) use std::sync::PoisonError;

    pub(crate) use loom::sync::Mutex;
    pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};

    pub(crate) use crate::ring::{ChunkError, Consumer, Producer, RingBuffer};
}

#[allow(dead_code, reason = "a model uses part of it")]
#[path = "../../src/board/slot.rs"]
mod slot;

#[path = "../../src/board/stop.rs"]
mod stop;

use std::time::Instant;

use loom::sync::Arc;
use loom::thread;

use receive::handover::{Full, Handed, Handover, rings};
use receive::steer::Wrapping;
use ring::RingBuffer;
use slot::Slot;
use stop::Stop;

/// Bytes of a ring that holds two of the datagrams below, and a third only after a read.
const SIZE: usize = 2 * (32 + 1) + 5;

/// More than two preemptions of a thread are tried nowhere: the number of orders grows with its power, and defects of
/// this kind show with one or two.
fn every_order(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(2);
    builder.check(model);
}

fn give(end: &mut Handover, to: usize, number: u8) -> Result<(), Full> {
    let source = "10.0.0.1".parse().unwrap();
    let payload = &[number];
    end.give(to, &Handed { wrapping: Wrapping::Vxlan, at: number.into(), source, source_port: 1, payload })
}

/// What a worker does at its end: says that it gives no more, then takes until nobody does.
fn close(mut end: Handover, mut got: Vec<u8>) -> Vec<u8> {
    end.close();
    loop {
        let over = end.is_over();
        end.take(|handed| got.extend(handed.payload));
        if over {
            return got;
        }
        thread::yield_now();
    }
}

#[test]
fn two_workers_that_stop_have_all_that_each_gave_the_other() {
    every_order(|| {
        let mut ends = rings(2, SIZE).into_iter();
        let (mut one, mut other) = (ends.next().unwrap(), ends.next().unwrap());
        let thread = thread::spawn(move || {
            give(&mut other, 0, 10).unwrap();
            close(other, Vec::new())
        });
        give(&mut one, 1, 1).unwrap();
        let mut got = Vec::new();
        one.take(|handed| got.extend(handed.payload));
        give(&mut one, 1, 2).unwrap();
        assert_eq!(close(one, got), [10]);
        assert_eq!(thread.join().unwrap(), [1, 2]);
    });
}

#[test]
fn a_worker_hears_every_other_to_its_end() {
    every_order(|| {
        let mut ends = rings(3, SIZE);
        let reader = ends.remove(0);
        let writers: Vec<_> = ends
            .into_iter()
            .map(|mut end| {
                thread::spawn(move || {
                    let number = end.index() as u8;
                    give(&mut end, 0, number).unwrap();
                    end.close();
                })
            })
            .collect();
        let mut got = close(reader, Vec::new());
        got.sort_unstable();
        assert_eq!(got, [1, 2]);
        for writer in writers {
            writer.join().unwrap();
        }
    });
}

#[test]
fn a_full_ring_loses_what_it_says_it_loses() {
    every_order(|| {
        let mut ends = rings(2, SIZE).into_iter();
        let (reader, mut writer) = (ends.next().unwrap(), ends.next().unwrap());
        let thread = thread::spawn(move || {
            let given: Vec<u8> = (1..=3).filter(|number| give(&mut writer, 0, *number) == Ok(())).collect();
            writer.close();
            given
        });
        let got = close(reader, Vec::new());
        let given = thread.join().unwrap();
        assert_eq!(got, given);
        assert!(given.starts_with(&[1, 2]), "there was room for two: {given:?}");
    });
}

/// The order that the program must not have: were it right as well, the models above would prove nothing.
#[test]
#[should_panic(expected = "lost")]
fn asking_whether_a_ring_is_empty_before_whether_it_has_ended_loses_a_datagram() {
    every_order(|| {
        let (mut producer, mut consumer) = RingBuffer::new::<u8>(SIZE);
        let writer = thread::spawn(move || producer.write_chunk(1).unwrap().commit_all());
        let mut got = 0;
        loop {
            let there = consumer.slots();
            consumer.read_chunk(there).unwrap().commit_all();
            got += there;
            if consumer.is_empty() && consumer.is_abandoned() {
                break;
            }
            thread::yield_now();
        }
        writer.join().unwrap();
        assert_eq!(got, 1, "lost");
    });
}

#[test]
fn a_published_value_is_whole_newer_than_the_last_and_at_the_end_the_last() {
    every_order(|| {
        let slot = Arc::new(Slot::<(u8, u8)>::default());
        let publisher = thread::spawn({
            let slot = Arc::clone(&slot);
            move || {
                slot.publish((1, 1));
                slot.publish((2, 2));
                slot.publish_last((3, 3));
            }
        });
        let mut before = 0;
        for _ in 0..2 {
            let (one, other) = slot.read();
            assert_eq!(one, other, "half of a copy");
            assert!(one >= before, "{one} after {before}");
            before = one;
        }
        publisher.join().unwrap();
        assert_eq!(slot.read(), (3, 3));
    });
}

#[test]
fn whoever_sees_the_order_to_stop_knows_until_when() {
    every_order(|| {
        let stop = Arc::new(Stop::new());
        let until = Instant::now();
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let stop = Arc::clone(&stop);
                thread::spawn(move || !stop.is_set() || stop.write_until() == Some(until))
            })
            .collect();
        stop.set(until);
        for thread in threads {
            assert!(thread.join().unwrap(), "a worker would wait for ever");
        }
        assert!(stop.is_set());
    });
}
