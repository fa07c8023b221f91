//! TCP connections as a mirror of one end sees them: delayed acknowledgments, segments that come again, early or
//! never, and every way to end.

use std::net::SocketAddr;
use std::time::Duration;

use super::random::Random;
use super::{Timed, Turn};
use crate::packets::{Segment, flags, tcp_with_options};

/// Data of a segment on an Ethernet of 1,500 bytes with timestamps.
const SEGMENT: usize = 1_448;

/// How a connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// Both sides say that they are done.
    Orderly,
    /// The client gives it up.
    Reset,
    /// It goes on behind the end of the capture.
    Open,
}

/// The packets of a connection in which `turns` are said, with their times from its begin on.
pub(super) fn connection(random: &mut Random, ends: [SocketAddr; 2], turns: &[Turn], end: End) -> Vec<Timed> {
    let mut wire = Wire::new(random, ends);
    // Some connections are older than the capture.
    if !wire.random.chance(3) {
        wire.say(0, flags::SYN, &[]);
        wire.say(1, flags::SYN | flags::ACK, &[]);
        wire.say(0, flags::ACK, &[]);
    }
    for (is_answer, data) in turns {
        wire.transfer(usize::from(*is_answer), data);
    }
    match end {
        End::Orderly => {
            let first = wire.random.below(2);
            wire.say(first, flags::FIN | flags::ACK, &[]);
            if wire.random.chance(30) {
                wire.say(1 - first, flags::ACK, &[]);
            }
            wire.say(1 - first, flags::FIN | flags::ACK, &[]);
            wire.say(first, flags::ACK, &[]);
        }
        End::Reset => wire.say(0, flags::RST | flags::ACK, &[]),
        End::Open => {}
    }
    wire.packets
}

/// A client that asks a port in vain: nobody answers, or somebody says no.
pub(super) fn in_vain(random: &mut Random, ends: [SocketAddr; 2]) -> Vec<Timed> {
    let mut wire = Wire::new(random, ends);
    wire.say(0, flags::SYN, &[]);
    if wire.random.chance(50) {
        wire.say(1, flags::RST | flags::ACK, &[]);
    } else {
        wire.next[0] -= 1;
        wire.at += Duration::from_secs(1);
        wire.say(0, flags::SYN, &[]);
    }
    wire.packets
}

struct Wire<'a> {
    random: &'a mut Random,
    ends: [SocketAddr; 2],
    next: [u32; 2],
    at: Duration,
    trip: Duration,
    packets: Vec<Timed>,
}

impl<'a> Wire<'a> {
    fn new(random: &'a mut Random, ends: [SocketAddr; 2]) -> Self {
        let next = [random.number(), random.number()].map(|number| (number >> 40) as u32 + 1);
        let trip = Duration::from_micros(random.number() % 40_000 + 200);
        Self { random, ends, next, at: Duration::ZERO, trip, packets: Vec::new() }
    }

    /// One segment of `side`, half a round trip behind the last one that the other side said.
    fn say(&mut self, side: usize, flags: u8, payload: &[u8]) {
        self.at += if payload.is_empty() { self.trip / 2 } else { Duration::from_micros(30) };
        let packet = self.segment(side, flags, self.next[side], payload);
        self.packets.push((self.at, packet));
        let counted = u32::from(flags & (flags::SYN | flags::FIN) != 0);
        let len = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        self.next[side] = self.next[side].wrapping_add(counted + len);
    }

    fn segment(&self, side: usize, flags: u8, seq: u32, payload: &[u8]) -> Vec<u8> {
        let is_first = flags & (flags::SYN | flags::ACK) == flags::SYN;
        let ack = if is_first || flags & flags::ACK == 0 { 0 } else { self.next[1 - side] };
        let clock = u32::try_from(self.at.as_millis()).unwrap_or(u32::MAX).to_be_bytes();
        // RFC 7323: no-operation twice, then the timestamps; in a SYN the largest segment, SACK and the window's scale.
        let times = [&[8, 10][..], &clock, &clock].concat();
        let options = if flags & flags::SYN == 0 {
            [&[1, 1][..], &times].concat()
        } else {
            [&[2, 4, 5, 0xb4, 4, 2][..], &times, &[1, 3, 3, 7]].concat()
        };
        let segment = Segment { seq, ack, flags, payload };
        tcp_with_options(self.ends[side], self.ends[1 - side], &segment, &options)
    }

    /// Says `data`, every second segment acknowledged; now and then as networks and mirrors are.
    fn transfer(&mut self, side: usize, data: &[u8]) {
        let count = data.len().div_ceil(SEGMENT);
        self.at += self.trip / 2;
        for (index, part) in data.chunks(SEGMENT).enumerate() {
            let is_last = index + 1 == count;
            let flags = flags::ACK | if is_last { flags::PSH } else { 0 };
            let before = self.next[side];
            self.say(side, flags, part);
            match self.random.below(200) {
                // Sent again, though it had come.
                0 | 1 => {
                    let again = self.segment(side, flags, before, part);
                    self.packets.push((self.at + self.trip, again));
                }
                // Overtaken by the one behind it.
                2 | 3 => {
                    if let [.., (early, _), (late, _)] = self.packets.as_mut_slice() {
                        core::mem::swap(early, late);
                    }
                }
                // Lost on the way to whoever mirrors; the ends have it.
                4 if !is_last => {
                    self.packets.pop();
                }
                _ => {}
            }
            if index % 2 == 1 || is_last {
                self.say(1 - side, flags::ACK, &[]);
            }
        }
    }
}
