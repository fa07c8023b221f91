//! QUIC's hellos, as Zeek's `quic` record and the `ssl` record of the handshake in it.
//!
//! Initial packets are protected by keys that follow from their first identifier (RFC 9001 section 5.2), so that anybody
//! who sees it can read them. A hello may come in pieces, in any order and over several datagrams. Everything else
//! stays encrypted and is only counted as letters of the history.

mod crypto;
mod keys;

use enigma_wire::quic::{self, Frame, Kind, Long};

use self::{crypto::Crypto, keys::Keys};
use super::{Progress, Service, Sink, handshake::Handshake};
use crate::{QuicRecord, Record, Timestamp, key::Side};

/// Datagrams of a connection that are looked at. Handshakes take a dozen, with losses some more.
const MAX_DATAGRAMS: u16 = 64;

/// Datagrams of a version nobody knows, before the ends agree on another: the client's first flight, the server's refusal
/// and what is sent again meanwhile.
const MAX_UNKNOWN: u16 = 8;

/// Attempts to remove protection, which cost some microseconds each. As many as hellos of a few kilobytes need.
const MAX_ATTEMPTS: u8 = 24;

/// Letters of the history that are kept.
const MAX_HISTORY: usize = 64;

/// A connection until both sides send data.
#[derive(Clone, Debug)]
pub(super) struct Quic {
    began: Timestamp,
    version: u32,
    client_side: Side,
    /// The identifier all keys follow from, and the client's own.
    destination: Box<[u8]>,
    source: Box<[u8]>,
    server_source: Option<Box<[u8]>>,
    keys: Option<Box<Keys>>,
    streams: [Crypto; 2],
    handshake: Handshake,
    history: Vec<u8>,
    datagrams: u16,
    attempts: u8,
    has_client_hello: bool,
    has_server_hello: bool,
    has_data: [bool; 2],
    /// The server knows other versions, and the client has not begun anew.
    was_refused: bool,
}

/// Whether a datagram begins a connection: a client's first packet that can be read, or on the usual port one of a
/// version nobody knows.
pub(super) fn begins(side: Side, data: &[u8], ports: [u16; 2], at: Timestamp) -> Option<Quic> {
    // The bit that must be one of the known versions (RFC 9000 section 17.2).
    if !quic::is_long(data) || data[0] & 0x40 == 0 {
        return None;
    }
    let (version, destination, source) = Long::invariant(data).ok()?;
    let begun = |keys| Quic {
        began: at,
        version,
        client_side: side,
        destination: destination.into(),
        source: source.into(),
        server_source: None,
        keys,
        streams: Default::default(),
        handshake: Handshake::default(),
        history: Vec::new(),
        datagrams: 0,
        attempts: 0,
        has_client_hello: false,
        has_server_hello: false,
        has_data: [false; 2],
        was_refused: false,
    };
    if !keys::is_known(version) {
        // `ports` are the sender's and the receiver's.
        return (version != 0 && ports[1] == 443).then(|| begun(None));
    }
    Some(begun(Some(first_keys(data)?)))
}

/// The keys that follow from a client's first packet, if they open it.
fn first_keys(data: &[u8]) -> Option<Box<Keys>> {
    let long = Long::decode(data).ok().filter(|long| long.kind == Kind::Initial)?;
    let keys = Keys::new(long.version, long.destination)?;
    keys.client.open(&data[..long.end], long.number_at)?;
    Some(Box::new(keys))
}

impl Quic {
    pub(super) fn bytes(&self) -> usize {
        let streams: usize = self.streams.iter().map(Crypto::bytes).sum();
        size_of::<Self>() + size_of::<Keys>() + streams + self.handshake.bytes() + self.history.capacity()
    }

    /// Reads a datagram.
    pub(super) fn datagram(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Progress {
        self.datagrams += 1;
        let mut rest = data;
        while !rest.is_empty() {
            let Some(len) = self.packet(side, rest, sink) else { break };
            rest = &rest[len.min(rest.len())..];
        }
        let most = if self.keys.is_some() {
            sink.confirm(Service::Quic);
            MAX_DATAGRAMS
        } else {
            MAX_UNKNOWN
        };
        let is_over = self.has_data == [true; 2] && self.has_server_hello;
        if is_over || self.datagrams >= most {
            self.finish(sink);
            return Progress::Done;
        }
        Progress::More
    }

    /// Reads a packet; returns its length, or nothing when the rest of the datagram is none.
    fn packet(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Option<usize> {
        let is_client = side == self.client_side;
        if !quic::is_long(data) {
            if data[0] & 0x40 == 0 {
                // Zeros behind the last packet, mostly.
                self.write(is_client, b'x');
                return None;
            }
            self.has_data[usize::from(is_client)] = true;
            self.write(is_client, b'o');
            return None;
        }
        if self.keys.is_none() {
            if !(is_client && self.begin_anew(data)) {
                self.write(is_client, b'u');
                return None;
            }
            self.was_refused = false;
        }
        let Ok(long) = Long::decode(data) else {
            self.write(is_client, b'x');
            return None;
        };
        let letter = match long.kind {
            Kind::Initial => b'i',
            Kind::ZeroRtt => b'z',
            Kind::Handshake => b'h',
            Kind::Retry => b'r',
            // A refusal names the client's own identifiers (RFC 8999 section 6); behind a hello it means nothing.
            Kind::Negotiation => {
                self.was_refused |= !is_client && !self.has_server_hello && long.destination == &*self.source;
                self.write(is_client, b'u');
                return None;
            }
        };
        self.write(is_client, letter);
        if !is_client && long.kind != Kind::Retry {
            self.server_source.get_or_insert_with(|| long.source.into());
        }
        if long.kind == Kind::Initial && self.attempts < MAX_ATTEMPTS {
            if is_client && self.was_refused && long.version != self.version {
                self.attempts += 1;
                self.was_refused = !self.begin_anew(data);
            }
            self.initial(side, is_client, data, &long, sink);
        }
        Some(long.end)
    }

    /// Takes a client's first packet in place of one of a version that its server refused or nobody knows, if it can be
    /// read: another connection (RFC 9000 section 6.2).
    fn begin_anew(&mut self, data: &[u8]) -> bool {
        let Some(keys) = first_keys(data) else { return false };
        let Ok((version, destination, source)) = Long::invariant(data) else { return false };
        (self.version, self.destination, self.source) = (version, destination.into(), source.into());
        self.keys = Some(keys);
        (self.streams, self.handshake) = Default::default();
        self.server_source = None;
        self.has_client_hello = false;
        true
    }

    fn initial(&mut self, side: Side, is_client: bool, data: &[u8], long: &Long<'_>, sink: &mut Sink<'_>) {
        self.attempts += 1;
        let packet = &data[..long.end];
        let open = |keys: &Keys| {
            let half = if is_client { &keys.client } else { &keys.server };
            half.open(packet, long.number_at)
        };
        let mut payload = self.keys.as_deref().and_then(open);
        // A server may go on in a version that is compatible with the client's, and the client then does: the keys follow
        // from the same identifier (RFC 9369 section 4.1).
        if payload.is_none()
            && let Some(keys) = self.keys.as_deref().and_then(|keys| keys.of_version(long.version))
        {
            self.attempts += 1;
            payload = open(&keys);
            if payload.is_some() {
                self.keys = Some(Box::new(keys));
            }
        }
        if payload.is_none() && is_client {
            // After a retry the client begins anew.
            self.attempts += 1;
            if let Some(keys) = Keys::new(long.version, long.destination)
                && let Some(read) = open(&keys)
            {
                payload = Some(read);
                self.keys = Some(Box::new(keys));
                self.streams[side as usize] = Crypto::default();
            }
        }
        let Some(payload) = payload else { return };
        let (mut is_closed, own) = (false, side as usize);
        for frame in quic::frames(&payload) {
            match frame {
                Frame::Crypto { offset, data } => self.streams[own].take(offset, data),
                Frame::Close => is_closed = true,
                Frame::Other => {}
            }
        }
        while let Some(bytes) = self.streams[own].next() {
            self.handshake.take(side, &bytes, b'q', sink);
        }
        if is_client && !self.has_client_hello && self.handshake.client().is_some() {
            self.has_client_hello = true;
            sink.confirm(Service::Ssl);
            self.write(true, b's');
        }
        if !is_client && !self.has_server_hello && self.handshake.has_server() {
            self.has_server_hello = true;
            self.write(false, b's');
        }
        if is_closed {
            self.write(is_client, b'c');
        }
    }

    /// Zeek's letters, those of the client in upper case.
    fn write(&mut self, is_client: bool, letter: u8) {
        if self.history.len() < MAX_HISTORY {
            self.history.push(if is_client { letter.to_ascii_uppercase() } else { letter });
        }
    }

    /// Writes the records, once.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        if self.history.is_empty() {
            return;
        }
        self.handshake.salvage();
        let client = self.handshake.client();
        let record = QuicRecord {
            head: sink.head(self.began),
            version: self.version,
            client_initial_dcid: core::mem::take(&mut self.destination),
            client_scid: core::mem::take(&mut self.source),
            server_scid: self.server_source.take(),
            server_name: client.and_then(|client| client.server_name.clone()),
            client_protocol: client.and_then(|client| client.protocol.clone()),
            history: core::mem::take(&mut self.history).into(),
        };
        // What comes after the hellos is encrypted: nobody sees whether it succeeds.
        self.handshake.finish(false, sink);
        sink.push(Record::Quic(Box::new(record)));
    }
}

#[cfg(test)]
mod tests;
