//! TLS over TCP up to the end of its handshake, or as much of one side as a handshake takes. Nothing is decrypted.
//!
//! Records (RFC 8446 section 5.1) are taken as their bytes come; what is encrypted is skipped without being kept. The
//! first hello may have the form of SSL 2, and where the server chose that version everything has.

use enigma_wire::ssl2;

use super::{
    Sink,
    handshake::Handshake,
    named::{Guess, when},
    tcp::{Fed, Next},
};
use crate::key::Side;

/// A record's payload, with what TLS 1.2 allows compression and ciphers to add.
const MAX_RECORD: usize = (1 << 14) + 2048;

/// Encrypted records of one side behind which the other's are waited for no longer: it is not mirrored, or a part of its
/// handshake was lost. Where both are seen the other side has changed its cipher long before.
const MAX_ENCRYPTED: u8 = 32;

/// Records of one side that are looked at. A handshake has a dozen; small ones, as some stacks send, make some more.
const MAX_RECORDS: u16 = 256;

const CHANGE_CIPHER: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION: u8 = 23;

/// Whether a direction begins with a hello.
pub(super) fn looks_like(data: &[u8]) -> Guess {
    let is_prefix = |at: usize, is_right: fn(u8) -> bool| data.get(at).is_none_or(|&byte| is_right(byte));
    let is_right = is_prefix(0, |kind| kind == HANDSHAKE)
        && is_prefix(1, |major| major == 3)
        && is_prefix(2, |minor| minor <= 4)
        && is_prefix(5, |kind| matches!(kind, 1 | 2))
        && is_prefix(6, |length| length == 0);
    match (is_right, data.len()) {
        (false, _) => looks_old(data),
        (true, 0..7) => Guess::Maybe,
        (true, _) => Guess::Yes,
    }
}

/// Whether a direction begins with a client's hello in the form of SSL 2.
fn looks_old(data: &[u8]) -> Guess {
    let is_prefix = |at: usize, is_right: fn(u8) -> bool| data.get(at).is_none_or(|&byte| is_right(byte));
    let is_right = is_prefix(0, |length| length >= 0x80)
        && is_prefix(2, |kind| kind == 1)
        && is_prefix(3, |version| matches!(version, 0 | 3))
        && is_prefix(9, |challenge| challenge == 0);
    match data.first_chunk() {
        _ if !is_right => Guess::No,
        Some(header) => when(ssl2::is_client_hello(header)),
        None => Guess::Maybe,
    }
}

/// One direction's place in its records.
#[derive(Clone, Debug, Default)]
struct Half {
    /// What is missing of the handshake record that is being read.
    left: usize,
    has_changed_cipher: bool,
    /// Records of application data.
    encrypted: u8,
    /// Records.
    seen: u16,
}

impl Half {
    const fn has_sent_data(&self) -> bool {
        self.encrypted > 0
    }
}

/// A connection until its handshake is over.
#[derive(Clone, Debug, Default)]
pub(super) struct Ssl {
    halves: [Half; 2],
    handshake: Handshake,
    /// The server chose SSL 2.
    is_old: bool,
}

/// What a record in the form of SSL 2 was.
enum Old {
    /// It has another form.
    Not,
    /// It is not whole.
    Short,
    /// It has so many bytes.
    Read(usize),
}

impl Ssl {
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.handshake.bytes()
    }

    /// Reads what `side` sent.
    pub(super) fn data(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Fed {
        let mut at = 0;
        while at < data.len() {
            let half = &mut self.halves[side as usize];
            if half.left > 0 {
                let len = half.left.min(data.len() - at);
                half.left -= len;
                let missing = half.left;
                self.handshake.take(side, &data[at..at + len], b't', sink);
                at += len;
                if sink.is_cut && missing > 0 {
                    // The mirror session let no more of this packet through; what follows the record may be whole.
                    half.left = 0;
                    self.handshake.cut(side, missing);
                    return Fed::more((at + missing) as u64);
                }
                continue;
            }
            match self.old(side, &data[at..], sink) {
                Old::Not => {}
                Old::Short => break,
                Old::Read(len) => {
                    at += len;
                    if self.is_established() || self.halves[side as usize].seen > MAX_RECORDS {
                        return Fed { consumed: at as u64, next: Next::Done };
                    }
                    continue;
                }
            }
            let half = &mut self.halves[side as usize];
            let Some(header) = data[at..].first_chunk::<5>() else { break };
            let len = usize::from(u16::from_be_bytes([header[3], header[4]]));
            let kind = header[0];
            if header[1] != 3 || len > MAX_RECORD || !(CHANGE_CIPHER..=24).contains(&kind) {
                return Fed::DONE;
            }
            half.seen += 1;
            if half.seen > MAX_RECORDS {
                return Fed::DONE;
            }
            // With TLS 1.3 the message is there for old boxes in between, and means nothing.
            let is_plain = !half.has_changed_cipher || self.handshake.is_13();
            match kind {
                HANDSHAKE if is_plain => {
                    half.left = len;
                    at += 5;
                    continue;
                }
                ALERT if is_plain && len == 2 => {
                    let Some(alert) = data.get(at + 5..at + 7) else { break };
                    self.handshake.alert(side, alert[1], sink);
                }
                CHANGE_CIPHER => {
                    half.has_changed_cipher = true;
                    self.handshake.change_cipher(side);
                }
                APPLICATION => half.encrypted += 1,
                _ => {}
            }
            // Encrypted, or read already.
            at += 5 + len;
            if self.is_established() || self.halves[side as usize].encrypted >= MAX_ENCRYPTED {
                return Fed { consumed: at as u64, next: Next::Done };
            }
        }
        Fed::more(at as u64)
    }

    /// Reads a record in the form of SSL 2: a hello, or once the server chose that version anything, of which only the
    /// length is read.
    fn old(&mut self, side: Side, data: &[u8], sink: &Sink<'_>) -> Old {
        let (is_first, is_client) = (self.halves[side as usize].seen == 0, looks_old(data));
        let is_hello = is_first && (is_client != Guess::No || ssl2::is_server_hello(data));
        if !(is_hello || self.is_old) {
            return Old::Not;
        }
        let Some(len) = ssl2::record_len(data) else { return Old::Short };
        if is_hello {
            let Some(record) = data.get(..len) else { return Old::Short };
            if let Ok(hello) = ssl2::ClientHello::decode(record) {
                self.handshake.old_client(side, &hello, sink);
            } else if let Ok(hello) = ssl2::ServerHello::decode(record) {
                self.is_old = true;
                self.handshake.old_server(side, &hello, sink);
            } else {
                return Old::Not;
            }
        }
        self.halves[side as usize].seen += 1;
        Old::Read(len)
    }

    fn is_established(&self) -> bool {
        if self.is_old {
            // The client's key, and the server's proof that it has it, which is encrypted.
            return self.halves.iter().all(|half| half.seen > 1);
        }
        let both = |has: fn(&Half) -> bool| self.halves.iter().all(has);
        let is_13 = self.handshake.is_13();
        self.handshake.has_server()
            && (both(Half::has_sent_data) || (!is_13 && both(|half| half.has_changed_cipher)))
    }

    /// Writes the record, once.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        let is_established = self.is_established();
        self.handshake.finish(is_established, sink);
    }
}
