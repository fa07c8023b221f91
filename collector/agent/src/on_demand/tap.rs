//! A worker's side of a capture: takes mirrored packets out of what is around them once more, holds them against the
//! filter, and copies those it takes into chunks. Nothing here waits or is shared but the queue: where that is full the
//! worker goes on filling its own chunk, and where that is full too, packets are dropped and counted.
//!
//! What is captured is what the collector was sent by admitted sessions: copies that records leave out and packets
//! beyond a vantage's budget are in it too.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use enigma_engine::{Admission, LinkType, Vantage};
use enigma_wire::{decap, outline, vxlan};
use tokio::sync::mpsc::error::TrySendError;

use super::{Captures, Order};
use crate::receive::handover::Handed;
use crate::receive::steer::Wrapping;

/// Bytes of frames in a chunk: the longest frame there is fits into an empty one, and a hundred usual ones.
pub(crate) const CHUNK: usize = 128 << 10;

/// Frames of a chunk: of the shortest ones, 128 bytes each with what is noted of them.
const CHUNK_FRAMES: usize = 1_024;

/// Vantages that a worker tells apart: as many as its pipeline does. Packets of others are dropped from the capture.
const MOST_VANTAGES: usize = 65_535;

/// A captured frame, without its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    /// Nanoseconds since 1970.
    pub(crate) at: i64,
    pub(crate) vantage: Vantage,
    /// Bytes in the chunk.
    pub(crate) length: u32,
    /// Bytes on the wire.
    pub(crate) wire_len: u32,
}

/// Frames of one worker, in the order it received them.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    heads: Vec<Head>,
    bytes: Vec<u8>,
}

impl Chunk {
    fn push(&mut self, head: Head, frame: &[u8]) -> bool {
        let fits = self.heads.len() < CHUNK_FRAMES && self.bytes.len() + frame.len() <= CHUNK;
        if fits {
            if self.bytes.capacity() - self.bytes.len() < frame.len() {
                // Doubling, but never beyond what a chunk may hold.
                let more = self.bytes.len().max(frame.len()).min(CHUNK - self.bytes.len());
                self.bytes.reserve_exact(more);
            }
            self.heads.push(head);
            self.bytes.extend_from_slice(frame);
        }
        fits
    }

    /// The frames.
    pub(crate) fn frames(&self) -> impl Iterator<Item = (Head, &[u8])> {
        let mut rest = &self.bytes[..];
        self.heads.iter().map(move |head| {
            let (frame, behind) = rest.split_at(head.length as usize);
            rest = behind;
            (*head, frame)
        })
    }
}

/// What became of the packets of a vantage. Those that were accepted and not dropped were given to the stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Mirrored packets that came.
    pub(crate) received: u64,
    /// Those that the filter took.
    pub(crate) accepted: u64,
    /// Those of them that found no room.
    pub(crate) dropped: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.received += other.received;
        self.accepted += other.accepted;
        self.dropped += other.dropped;
    }
}

/// The counts of one worker, or of all.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) vantages: HashMap<Vantage, Counts>,
    /// Packets of vantages beyond those that can be told apart.
    pub(crate) elsewhere: u64,
}

impl Tally {
    pub(crate) fn sum<'a>(tallies: impl Iterator<Item = &'a Self>) -> Self {
        let mut sum = Self::default();
        for tally in tallies {
            sum.elsewhere += tally.elsewhere;
            for (vantage, counts) in &tally.vantages {
                sum.vantages.entry(*vantage).or_default().add(*counts);
            }
        }
        sum
    }

    /// All vantages together; what could not be told apart was received and dropped.
    pub(crate) fn all(&self) -> Counts {
        let mut all = Counts { received: self.elsewhere, accepted: 0, dropped: 0 };
        self.vantages.values().for_each(|counts| all.add(*counts));
        all
    }
}

/// What a worker knows of captures.
#[derive(Default)]
pub(crate) struct Listener {
    edition: u32,
    tap: Option<Tap>,
}

impl Listener {
    /// Once a batch: begins or ends what was ordered since. One load where nothing changed.
    pub(crate) fn look(&mut self, captures: &Arc<Captures>, admission: &Arc<Admission>) {
        let edition = captures.edition.load(Ordering::Relaxed);
        if edition != self.edition {
            self.edition = edition;
            // Of two captures close to each other the first one's counts go before the second is begun.
            self.tap = None;
            let order = captures.desk().order.clone();
            self.tap = order.map(|order| Tap::new(Arc::clone(captures), order, Arc::clone(admission)));
        }
        if let Some(tap) = &mut self.tap
            && !Arc::ptr_eq(&tap.admission, admission)
        {
            tap.admit(admission);
        }
    }

    /// A datagram as it was received.
    #[inline]
    pub(crate) fn datagram(&mut self, handed: &Handed<'_>) {
        if let Some(tap) = &mut self.tap {
            tap.datagram(handed);
        }
    }

    /// A packet of a ring, which begins with its IP header.
    #[inline]
    pub(crate) fn packet(&mut self, at: i64, data: &[u8], wire_len: u32) {
        if let Some(tap) = &mut self.tap {
            tap.packet(at, data, wire_len);
        }
    }

    /// Behind a batch: lets go of what was copied.
    pub(crate) fn flush(&mut self) {
        if let Some(tap) = &mut self.tap {
            tap.flush();
        }
    }

    /// No packet comes any more.
    pub(crate) fn stop(&mut self) {
        self.tap = None;
    }
}

struct Seat {
    vantage: Vantage,
    is_admitted: bool,
    counts: Counts,
}

/// One capture as one worker has it.
struct Tap {
    captures: Arc<Captures>,
    order: Arc<Order>,
    admission: Arc<Admission>,
    chunk: Chunk,
    seats: Vec<Seat>,
    places: HashMap<Vantage, usize>,
    /// The latest: sessions send in bursts.
    recent: usize,
    elsewhere: u64,
    /// Dropped since the last flush.
    dropped: u64,
}

impl Tap {
    fn new(captures: Arc<Captures>, order: Arc<Order>, admission: Arc<Admission>) -> Self {
        let (chunk, seats, places) = (Chunk::default(), Vec::new(), HashMap::new());
        Self { captures, order, admission, chunk, seats, places, recent: 0, elsewhere: 0, dropped: 0 }
    }

    fn admit(&mut self, admission: &Arc<Admission>) {
        self.admission = Arc::clone(admission);
        for seat in &mut self.seats {
            seat.is_admitted = admission.admits(seat.vantage);
        }
    }

    fn datagram(&mut self, handed: &Handed<'_>) {
        let Handed { wrapping, at, source, payload, .. } = *handed;
        let length = payload.len() as u32;
        match wrapping {
            Wrapping::Vxlan => {
                if let Ok((vni, frame)) = vxlan::decode(payload) {
                    self.take(at, Vantage { vni, source }, frame, frame.len() as u32);
                }
            }
            Wrapping::Geneve => {
                if let Ok(inner) = decap::geneve(payload, length) {
                    let vantage = Vantage { vni: inner.vni, source: inner.source };
                    self.take(at, vantage, inner.frame, inner.wire_len);
                }
            }
            Wrapping::Packet => self.packet(at, payload, length),
        }
    }

    fn packet(&mut self, at: i64, data: &[u8], wire_len: u32) {
        if let Ok(inner) = decap::frame(data, LinkType::RawIp, wire_len) {
            let source: IpAddr = inner.source;
            self.take(at, Vantage { vni: inner.vni, source }, inner.frame, inner.wire_len);
        }
    }

    fn take(&mut self, at: i64, vantage: Vantage, frame: &[u8], wire_len: u32) {
        let Some(place) = self.place(vantage) else {
            self.elsewhere += 1;
            return;
        };
        let Self { order, seats, chunk, .. } = self;
        let seat = &mut seats[place];
        if !seat.is_admitted {
            return;
        }
        seat.counts.received += 1;
        let outline = outline::read(frame, LinkType::Ethernet);
        // A session that cuts packets does not say how long they were; their headers do.
        let wire_len = wire_len.max(outline.length);
        if !order.filter.takes(vantage.vni, &outline, wire_len) {
            return;
        }
        seat.counts.accepted += 1;
        let kept = frame.get(..order.snaplen as usize).unwrap_or(frame);
        let head = Head { at, vantage, length: kept.len() as u32, wire_len };
        if chunk.push(head, kept) {
            return;
        }
        // A batch may hold more than a chunk.
        self.flush();
        if !self.chunk.push(head, kept) {
            self.seats[place].counts.dropped += 1;
            self.dropped += 1;
        }
    }

    fn place(&mut self, vantage: Vantage) -> Option<usize> {
        if self.seats.get(self.recent).is_some_and(|seat| seat.vantage == vantage) {
            return Some(self.recent);
        }
        let place = match self.places.get(&vantage) {
            Some(place) => *place,
            None if self.seats.len() >= MOST_VANTAGES => return None,
            None => {
                let is_admitted = self.admission.admits(vantage);
                self.seats.push(Seat { vantage, is_admitted, counts: Counts::default() });
                self.places.insert(vantage, self.seats.len() - 1);
                self.seats.len() - 1
            }
        };
        self.recent = place;
        Some(place)
    }

    fn flush(&mut self) {
        if self.dropped > 0 {
            self.captures.dropped.fetch_add(std::mem::take(&mut self.dropped), Ordering::Relaxed);
        }
        if self.chunk.heads.is_empty() {
            return;
        }
        match self.order.queue.try_send(std::mem::take(&mut self.chunk)) {
            // A client that has gone needs nothing any more.
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(chunk)) => self.chunk = chunk,
        }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.flush();
        // What found no room to the very last.
        for head in &self.chunk.heads {
            if let Some(place) = self.places.get(&head.vantage) {
                self.seats[*place].counts.dropped += 1;
                self.dropped += 1;
            }
        }
        self.chunk = Chunk::default();
        self.flush();
        let seen = self.seats.iter().filter(|seat| seat.counts.received > 0);
        let vantages = seen.map(|seat| (seat.vantage, seat.counts)).collect();
        let tally = Tally { vantages, elsewhere: self.elsewhere };
        // Before the queue's end that the order holds: who sees that nothing comes any more finds all counts.
        self.order.tallies.lock().unwrap_or_else(PoisonError::into_inner).push(tally);
    }
}
