//! Traffic of a made-up company, as captures: what a build guided by a profile is trained with.
//!
//! A profile is as good as what was read while it was taken: short flows and long ones, every protocol whose content is
//! read and every one that is only recognised, the weather of networks, plain and as mirror sessions send it, some of
//! it twice. All of it is made here, from nothing but this code and the inputs that fuzzing found (`tests/fuzz/corpus`), so
//! that whoever has the checkout has the captures, and the same ones.
//!
//! The shares are those of an office and its servers: names are asked for most often, then TLS and HTTP. What the
//! bytes mean is up to whoever reads them; a test of `enigma-collector-tests` sees to it that all of it is read.

mod company;
mod datagram;
mod dns;
mod quic;
mod random;
mod scripted;
mod services;
mod ssh;
mod stream;
mod tls;
mod web;
mod x509;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

pub use scripted::{odd, tcp_content, udp_content};

use crate::packets::{Capture, ethernet, ethernet_vlan, udp, vxlan};

/// What one side says at once; `true` is the side that answers.
type Turn = (bool, Vec<u8>);

/// An IP packet and when it is seen, from the begin of its conversation on.
type Timed = (Duration, Vec<u8>);

/// When the captures begin, since 1970 (UTC).
const BEGIN: Duration = Duration::from_secs(1_700_000_000);

/// Conversations of a capture, and the time over which they begin: many at once, and long enough for flows to end by
/// their silence. Some 43,000 packets, which an instrumented program reads in a second.
const CONVERSATIONS: usize = 2_500;
const WINDOW: Duration = Duration::from_secs(300);

/// Which of a hundred conversations is mirrored at both its ends.
const TWICE: usize = 30;

/// How much later the second copy is seen.
const LATER: Duration = Duration::from_micros(40);

/// Returns the traffic of the company as somebody sees it who listens on its network.
#[must_use]
pub fn plain() -> Capture {
    let mut capture = Capture::default();
    for (at, number, packet) in packets() {
        // One segment in thirty is a VLAN's.
        let is_tagged = number % 30 == 7;
        capture.push(at, if is_tagged { ethernet_vlan(42, &packet) } else { ethernet(&packet) });
    }
    capture
}

/// Returns the same traffic as mirror sessions send it: in VXLAN, three conversations of ten from both ends.
#[must_use]
pub fn mirrored() -> Capture {
    let mut frames = Vec::new();
    for (at, number, packet) in packets() {
        let frame = ethernet(&packet);
        frames.push((at, session(number % 64, number, &frame)));
        if number % 100 < TWICE {
            frames.push((at + LATER, session(100 + number % 50, number, &frame)));
        }
    }
    frames.sort_by_key(|(at, _)| *at);
    let mut capture = Capture::default();
    capture.extend(frames);
    capture
}

/// Every packet of every conversation in the order of time, with the number of its conversation.
fn packets() -> Vec<(Duration, usize, Vec<u8>)> {
    let mut random = random::Random::new(7);
    let mut by_time: BTreeMap<(Duration, usize, usize), Vec<u8>> = BTreeMap::new();
    let window = u64::try_from(WINDOW.as_micros()).unwrap_or(u64::MAX);
    for number in 0..CONVERSATIONS {
        let start = BEGIN + Duration::from_micros(random.number() % window);
        for (index, (after, packet)) in company::conversation(&mut random, number).into_iter().enumerate() {
            by_time.insert((start + after, number, index), packet);
        }
    }
    by_time.into_iter().map(|((at, number, _), packet)| (at, number, packet)).collect()
}

/// A frame as the mirror session of one interface sends it: no outer checksum, a port by the flow.
fn session(interface: usize, flow: usize, frame: &[u8]) -> Vec<u8> {
    let last = u8::try_from(interface % 250).unwrap_or(0);
    let vni = u32::try_from(1_000 + interface).unwrap_or(0);
    let port = 65_408 + u16::try_from(flow % 128).unwrap_or(0);
    let from = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 20, 200, last)), port);
    let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 20, 255, 10)), 4_789);
    let mut packet = udp(from, to, &vxlan(vni, frame));
    packet[26..28].fill(0);
    ethernet(&packet)
}

#[cfg(test)]
mod tests;
