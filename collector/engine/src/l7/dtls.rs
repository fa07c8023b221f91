//! DTLS up to the end of its handshake (RFC 6347, RFC 9147). Nothing is decrypted.
//!
//! Messages come in pieces, in any order and more than once. Each side's are put in order here, within a bound, and
//! read as those of TLS are.

use enigma_wire::dtls::{self, Piece};

use super::{BUDGET, Progress, Service, Sink, handshake::Handshake, named::Guess};
use crate::key::Side;

/// Datagrams of a handshake that are looked at: flights take a dozen, repeated ones some more.
const MAX_DATAGRAMS: u8 = 64;

/// Pieces held that came before their turn. Beyond these, or [`BUDGET`] bytes, what is missing is taken for lost.
const MAX_HELD: usize = 16;

const CHANGE_CIPHER: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;

/// What a datagram is: a handshake to be followed (`Yes`), records of one that is over (`Maybe`), or no DTLS.
pub(super) fn looks_like(data: &[u8]) -> Guess {
    let Some(first) = dtls::records(data).next() else { return Guess::No };
    let is_whole_message = |piece: Piece<'_>| piece.kind <= 24 && piece.len < 1 << 17;
    if first.kind == HANDSHAKE && first.epoch == 0 {
        let begins = dtls::pieces(first.payload).next().is_some_and(is_whole_message);
        return if begins { Guess::Yes } else { Guess::No };
    }
    // Nothing but the header tells encrypted records: they have to fill the datagram.
    let filled: usize = dtls::records(data).map(|record| 13 + record.payload.len()).sum();
    let is_whole = dtls::records(data).all(|record| record.missing == 0 && !record.payload.is_empty());
    if is_whole && filled == data.len() && first.kind <= APPLICATION { Guess::Maybe } else { Guess::No }
}

#[derive(Clone, Debug)]
struct Held {
    sequence: u16,
    offset: usize,
    kind: u8,
    len: usize,
    data: Box<[u8]>,
}

/// One side's messages.
#[derive(Clone, Debug, Default)]
struct Half {
    /// The message that is read and how much of it has been, once there was one.
    next: Option<(u16, usize)>,
    held: Vec<Held>,
    has_changed_cipher: bool,
    has_sent_data: bool,
}

impl Half {
    fn held_bytes(&self) -> usize {
        self.held.iter().map(|held| held.data.len()).sum()
    }
}

/// An association until its handshake is over.
#[derive(Clone, Debug, Default)]
pub(super) struct Dtls {
    halves: [Half; 2],
    handshake: Handshake,
    datagrams: u8,
}

impl Dtls {
    pub(super) fn bytes(&self) -> usize {
        let held: usize =
            self.halves.iter().map(|half| half.held_bytes() + half.held.capacity() * size_of::<Held>()).sum();
        size_of::<Self>() + held + self.handshake.bytes()
    }

    /// Reads a datagram.
    pub(super) fn datagram(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Progress {
        if dtls::is_unified(data) {
            self.halves[side as usize].has_sent_data = true;
        } else if dtls::records(data).next().is_some() {
            sink.confirm(Service::Dtls);
        }
        for record in dtls::records(data) {
            let half = &mut self.halves[side as usize];
            match record.kind {
                HANDSHAKE if record.epoch == 0 => {
                    for piece in dtls::pieces(record.payload) {
                        if !self.piece(side, piece, sink) {
                            sink.stats.l7_lost += 1;
                            self.finish(sink);
                            return Progress::Done;
                        }
                    }
                }
                ALERT if record.epoch == 0 => {
                    if let [_, description] = *record.payload {
                        self.handshake.alert(side, description, sink);
                    }
                }
                // Repeated with its flight.
                CHANGE_CIPHER if !half.has_changed_cipher => {
                    half.has_changed_cipher = true;
                    self.handshake.change_cipher(side);
                }
                APPLICATION => half.has_sent_data = true,
                _ => {}
            }
        }
        self.datagrams += 1;
        if self.is_established() || self.datagrams >= MAX_DATAGRAMS {
            self.finish(sink);
            return Progress::Done;
        }
        Progress::More
    }

    /// Takes a piece, and those that waited for it; false when there is no room to wait for what is missing.
    fn piece(&mut self, side: Side, piece: Piece<'_>, sink: &Sink<'_>) -> bool {
        let half = &mut self.halves[side as usize];
        let next = *half.next.get_or_insert((piece.sequence, 0));
        if (piece.sequence, piece.offset) > next {
            let data = piece.data.into();
            let Piece { sequence, offset, kind, len, .. } = piece;
            // A cut piece tells nothing once others are between.
            if piece.missing == 0 {
                half.held.push(Held { sequence, offset, kind, len, data });
            }
            return half.held.len() <= MAX_HELD && half.held_bytes() <= BUDGET;
        }
        self.append(side, &piece, sink);
        loop {
            let half = &mut self.halves[side as usize];
            let in_turn = |held: &Held| half.next.is_some_and(|next| (held.sequence, held.offset) <= next);
            let Some(index) = half.held.iter().position(in_turn) else { return true };
            let Held { sequence, offset, kind, len, data } = half.held.swap_remove(index);
            self.append(side, &Piece { kind, len, sequence, offset, data: &data, missing: 0 }, sink);
        }
    }

    /// Hands on what is new of a piece that begins where nothing is missing.
    fn append(&mut self, side: Side, piece: &Piece<'_>, sink: &Sink<'_>) {
        let half = &mut self.halves[side as usize];
        let Some((sequence, at)) = half.next else { return };
        if piece.sequence != sequence {
            return;
        }
        let new = at.checked_sub(piece.offset).and_then(|known| piece.data.get(known..)).unwrap_or_default();
        let is_repeated = new.is_empty() && piece.len > 0 && piece.missing == 0;
        if is_repeated {
            return;
        }
        if at == 0 {
            // TLS's header, which is the beginning of that of DTLS.
            let len = (piece.len as u32).to_be_bytes();
            self.handshake.take(side, &[piece.kind, len[1], len[2], len[3]], b'd', sink);
        }
        self.handshake.take(side, new, b'd', sink);
        let at = at + new.len();
        let is_over = at >= piece.len || piece.missing > 0;
        if piece.missing > 0 {
            // Every copy of it is cut at the same place.
            self.handshake.cut(side, usize::MAX);
        }
        let next = if is_over { (sequence.wrapping_add(1), 0) } else { (sequence, at) };
        self.halves[side as usize].next = Some(next);
    }

    fn is_established(&self) -> bool {
        let both = |has: fn(&Half) -> bool| self.halves.iter().all(has);
        let is_13 = self.handshake.is_13();
        self.handshake.has_server()
            && (both(|half| half.has_sent_data) || (!is_13 && both(|half| half.has_changed_cipher)))
    }

    /// Writes the record, once.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        let is_established = self.is_established();
        self.handshake.finish(is_established, sink);
    }
}

#[cfg(test)]
mod tests;
