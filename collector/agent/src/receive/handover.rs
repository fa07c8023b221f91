//! Datagrams from the worker that received them to the worker whose flows they belong to, where the kernel does not
//! steer: a ring of bytes for each ordered pair of workers, one writer and one reader each, nothing allocated and
//! nobody waited for. A full ring drops the datagram and its sender counts it. What one worker hands to another stays
//! in order, and so does every direction of a flow, which comes through one socket.

use std::net::{IpAddr, Ipv6Addr};

use super::steer::Wrapping;
use crate::sync::{ChunkError, Consumer, Producer, RingBuffer};

/// Least bytes of a ring: one datagram of the largest size must fit, or it could never be handed over.
const SMALLEST: usize = 128 << 10;

/// Most bytes of a ring: 5 ms of full-sized packets at half a million a second, which is longer than the reader sleeps.
const LARGEST: usize = 4 << 20;

/// Bytes in front of each payload: length, time, address, port, wrapping, and what the address is.
pub(crate) const HEADER: usize = 32;

/// A received datagram, borrowed, with what a worker has to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handed<'a> {
    pub(crate) wrapping: Wrapping,
    /// When it was received, in nanoseconds since the epoch.
    pub(crate) at: i64,
    pub(crate) source: IpAddr,
    pub(crate) source_port: u16,
    pub(crate) payload: &'a [u8],
}

/// One worker's ends of all rings.
pub(crate) struct Handover {
    index: usize,
    /// By worker; none to itself.
    to: Vec<Option<Producer<u8>>>,
    from: Vec<Consumer<u8>>,
    /// Where a payload that goes around the ring's end is put together.
    whole: Vec<u8>,
}

/// The ring had no room; the datagram is lost.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// Rings between `workers`, at least two. What can wait for one worker in all its rings together is `budget` bytes, as
/// far as the bounds of a ring allow.
pub(crate) fn between(workers: usize, budget: usize) -> Vec<Handover> {
    rings(workers, (budget / workers.saturating_sub(1).max(1)).clamp(SMALLEST, LARGEST))
}

/// The same with rings of `size` bytes.
pub(crate) fn rings(workers: usize, size: usize) -> Vec<Handover> {
    let mut ends: Vec<Handover> = (0..workers)
        .map(|index| Handover { index, to: Vec::new(), from: Vec::new(), whole: Vec::new() })
        .collect();
    for sender in 0..workers {
        for reader in 0..workers {
            let producer = (sender != reader).then(|| {
                let (producer, consumer) = RingBuffer::new(size);
                ends[reader].from.push(consumer);
                producer
            });
            ends[sender].to.push(producer);
        }
    }
    ends
}

impl Handover {
    /// How many workers share the traffic.
    pub(crate) fn workers(&self) -> usize {
        self.from.len() + 1
    }

    /// Whose ends these are.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Copies a datagram into the ring to `worker`. Never waits.
    pub(crate) fn give(&mut self, worker: usize, handed: &Handed<'_>) -> Result<(), Full> {
        let Some(Some(ring)) = self.to.get_mut(worker) else { return Err(Full) };
        let header = header(handed);
        let room = ring.write_chunk(HEADER + handed.payload.len());
        let mut room = room.map_err(|ChunkError::TooFewSlots(_)| Full)?;
        let (first, second) = room.as_mut_slices();
        let mut at = 0;
        for part in [&header[..], handed.payload] {
            let (begin, end) = part.split_at(first.len().saturating_sub(at).min(part.len()));
            let place = at.min(first.len());
            first[place..place + begin.len()].copy_from_slice(begin);
            let place = (at + begin.len()).saturating_sub(first.len());
            second[place..place + end.len()].copy_from_slice(end);
            at += part.len();
        }
        // One store makes header and payload visible together: a reader never sees half a datagram.
        room.commit_all();
        Ok(())
    }

    /// Hands out what is in the rings to this worker now, each ring in its order; the number of datagrams. What is
    /// added meanwhile waits for the next call, so that the call ends.
    pub(crate) fn take(&mut self, mut each: impl FnMut(&Handed<'_>)) -> usize {
        let Self { from, whole, .. } = self;
        let mut taken = 0;
        for ring in from {
            let there = ring.slots();
            let Ok(chunk) = ring.read_chunk(there) else { continue };
            let (first, second) = chunk.as_slices();
            let mut bytes = Around { first, second };
            while let Some(header) = bytes.next(HEADER, whole) {
                let Some((handed, length)) = parse(header) else { break };
                let Some(payload) = bytes.next(length, whole) else { break };
                each(&Handed { payload, ..handed });
                taken += 1;
            }
            chunk.commit_all();
        }
        taken
    }

    /// Nothing will be given any more. Readers see that their rings are complete.
    pub(crate) fn close(&mut self) {
        self.to.clear();
    }

    /// Every other worker has closed and all rings are empty.
    pub(crate) fn is_over(&self) -> bool {
        // In this order: what was written before the writer left is seen by the second look.
        self.from.iter().all(|ring| ring.is_abandoned() && ring.is_empty())
    }
}

/// Two slices as one run of bytes.
struct Around<'a> {
    first: &'a [u8],
    second: &'a [u8],
}

impl<'a> Around<'a> {
    /// The next `count` bytes, put together in `whole` where they lie in both slices.
    fn next<'b>(&mut self, count: usize, whole: &'b mut Vec<u8>) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        if let Some((taken, rest)) = self.first.split_at_checked(count) {
            self.first = rest;
            return Some(taken);
        }
        let missing = count - self.first.len();
        let (taken, rest) = self.second.split_at_checked(missing)?;
        let begin = std::mem::take(&mut self.first);
        self.second = rest;
        if begin.is_empty() {
            return Some(taken);
        }
        whole.clear();
        whole.extend_from_slice(begin);
        whole.extend_from_slice(taken);
        Some(whole)
    }
}

fn header(handed: &Handed<'_>) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    // A datagram is at most 64 KiB.
    bytes[..4].copy_from_slice(&(handed.payload.len() as u32).to_ne_bytes());
    bytes[4..12].copy_from_slice(&handed.at.to_ne_bytes());
    let (address, is_v4) = match handed.source {
        IpAddr::V4(address) => (address.to_ipv6_mapped(), true),
        IpAddr::V6(address) => (address, false),
    };
    bytes[12..28].copy_from_slice(&address.octets());
    bytes[28..30].copy_from_slice(&handed.source_port.to_ne_bytes());
    bytes[30] = handed.wrapping as u8;
    bytes[31] = u8::from(is_v4);
    bytes
}

/// The datagram of a header, without its payload, and the payload's length.
fn parse(header: &[u8]) -> Option<(Handed<'static>, usize)> {
    let length = u32::from_ne_bytes(*header.first_chunk()?) as usize;
    let at = i64::from_ne_bytes(*header.get(4..)?.first_chunk()?);
    let address = Ipv6Addr::from(*header.get(12..)?.first_chunk::<16>()?);
    let source_port = u16::from_ne_bytes(*header.get(28..)?.first_chunk()?);
    let wrapping = *Wrapping::ALL.get(usize::from(*header.get(30)?))?;
    let source = match address.to_ipv4_mapped() {
        Some(address) if header.get(31) == Some(&1) => IpAddr::V4(address),
        _ => IpAddr::V6(address),
    };
    Some((Handed { wrapping, at, source, source_port, payload: &[] }, length))
}
