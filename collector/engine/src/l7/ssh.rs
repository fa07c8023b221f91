//! SSH as Zeek's `ssh` record with HASSH: the first key exchange, and what lengths tell of logins behind it. Nothing is
//! decrypted. The record comes when a login has succeeded, when the connection ends, or when enough was looked at.

mod logins;

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use enigma_wire::ssh::{self, Offer};
use md5::{Digest as _, Md5};
use sha2::Sha256;

use self::logins::Logins;
use super::{
    BUDGET, Sink,
    tcp::{Fed, Next},
};
use crate::{Record, SshRecord, Timestamp, key::Side};

const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
/// The client's key, or its wish for a group (RFC 4253 section 8, RFC 4419 section 5).
const INIT: u8 = 30;
const GROUP_REQUEST: u8 = 34;
/// The server's answer to the client's key, which holds the host key; with group exchange it is the one below.
const REPLY: u8 = 31;
const GROUP_REPLY: u8 = 33;

/// Encrypted bytes of one side behind which the other's keys are waited for no longer: it is not mirrored. Where it is,
/// its keys are at most a round trip behind.
const MAX_ENCRYPTED: usize = 64 << 10;

/// Packets of one side that are looked at. A key exchange has four; padding may be sent in others.
const MAX_PACKETS: u8 = 64;

/// What one side said.
#[derive(Clone, Debug, Default)]
struct Half {
    line: Option<Box<[u8]>>,
    /// The body of its KEXINIT.
    offer: Box<[u8]>,
    is_encrypted: bool,
    /// Bytes behind that.
    encrypted: usize,
    packets: u8,
}

/// A connection until its first login, or until nobody can tell that any more.
#[derive(Clone, Debug, Default)]
pub(super) struct Ssh {
    halves: [Half; 2],
    began: Option<Timestamp>,
    /// Who acts as client in the key exchange: that need not be who began the connection.
    client: Option<Side>,
    host_key: Option<Box<str>>,
    group_host_key: Option<Box<str>>,
    /// The record but for its end, once both sides encrypt: what it was made of is not kept any longer.
    told: Option<Box<SshRecord>>,
    logins: Logins,
}

impl Ssh {
    pub(super) fn bytes(&self) -> usize {
        let kept = |half: &Half| half.offer.len() + half.line.as_ref().map_or(0, |line| line.len());
        let told = self.told.as_ref().map_or(0, |told| size_of::<SshRecord>() + told.text_bytes());
        size_of::<Self>() + self.halves.iter().map(kept).sum::<usize>() + told
    }

    /// Reads what `side` sent.
    pub(super) fn data(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Fed {
        self.began.get_or_insert(sink.at);
        let at = match self.plain(side, data) {
            Ok(at) => at,
            Err(fed) => return fed,
        };
        let half = &mut self.halves[side as usize];
        half.encrypted = half.encrypted.saturating_add(data.len() - at);
        let is_alone = half.encrypted > MAX_ENCRYPTED;
        // What is encrypted is not looked at.
        let consumed = data.len() as u64;
        if self.told.is_none() && self.halves.iter().all(|half| half.is_encrypted) {
            self.told = self.exchange(sink).map(Box::new);
        }
        let next = match &self.told {
            None if is_alone => Next::Done,
            // Lengths of what is compressed tell nothing.
            Some(told) if told.version != Some(2) || told.compression.as_deref() != Some(b"none") => {
                Next::Done
            }
            _ if data.len() > at => self.encrypted(side, data.len() - at, sink),
            _ => Next::More,
        };
        Fed { consumed, next }
    }

    /// Reads `side`'s line and packets until it encrypts; returns where that is, or what to answer before.
    fn plain(&mut self, side: Side, data: &[u8]) -> Result<usize, Fed> {
        if self.halves[side as usize].is_encrypted {
            return Ok(0);
        }
        let mut at = 0;
        if self.halves[side as usize].line.is_none() {
            match ssh::identification(data) {
                Ok(Some((line, end))) => {
                    self.halves[side as usize].line = Some(line.into());
                    at = end;
                }
                Ok(None) => return Err(Fed::more(0)),
                Err(_) => return Err(Fed::DONE),
            }
        }
        // Version 1 says nothing more that is told here.
        if self.version() == Some(1) {
            return Err(Fed { consumed: at as u64, next: Next::Done });
        }
        loop {
            let half = &mut self.halves[side as usize];
            if half.is_encrypted {
                return Ok(at);
            }
            let packet = match ssh::packet(&data[at..]) {
                Ok(Some(packet)) => packet,
                // Larger than what is kept: of no interest, or nonsense.
                Ok(None) if data.len() - at > BUDGET - 1500 => return Err(Fed::DONE),
                Ok(None) => return Err(Fed::more(at as u64)),
                Err(_) => return Err(Fed::DONE),
            };
            half.packets += 1;
            if half.packets > MAX_PACKETS {
                return Err(Fed::DONE);
            }
            match packet.kind {
                KEXINIT if half.offer.is_empty() => half.offer = packet.body.into(),
                NEWKEYS => half.is_encrypted = true,
                INIT | GROUP_REQUEST => _ = self.client.get_or_insert(side),
                REPLY | GROUP_REPLY => {
                    self.client.get_or_insert_with(|| side.other());
                    let key =
                        if packet.kind == REPLY { &mut self.host_key } else { &mut self.group_host_key };
                    *key = fingerprint(packet.body);
                }
                _ => {}
            }
            at += packet.len;
        }
    }

    /// Looks at the length of what `side` sent encrypted in one segment.
    fn encrypted(&mut self, side: Side, len: usize, sink: &Sink<'_>) -> Next {
        let originator = if sink.is_originator(Side::Low) { Side::Low } else { Side::High };
        if side != self.client.unwrap_or(originator) {
            let client = &self.halves[side.other() as usize];
            // Answers are what is sent once the server has read something encrypted. That is told by what it
            // acknowledges, and not by the order of the packets: each direction is mirrored, and may be late, on its own.
            let (has_read, is_ahead) = sink.acknowledged.map_or((false, false), |ahead| {
                (client.is_encrypted && i64::from(ahead) + client.encrypted as i64 > 0, ahead > 0)
            });
            if sink.is_joined || is_ahead && !client.is_encrypted {
                self.logins.give_up();
            } else if has_read {
                self.logins.answer(len);
            }
        }
        if self.told.is_none() {
            return Next::More;
        }
        self.logins.count_segment();
        if self.logins.is_over() { Next::Done } else { Next::More }
    }

    /// Content is missing for good, or will not be looked at: logins behind it would go unseen.
    pub(super) fn lost(&mut self) {
        self.logins.give_up();
    }

    fn version(&self) -> Option<u8> {
        let [low, high] = [&self.halves[0].line, &self.halves[1].line];
        let (low, high) = (low.as_deref()?, high.as_deref()?);
        let is_two = |line: &[u8]| line.starts_with(b"SSH-2.") || line.starts_with(b"SSH-1.99-");
        Some(if is_two(low) && is_two(high) { 2 } else { 1 })
    }

    /// Writes the record, once.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        let told = self.told.take();
        let told = told.or_else(|| self.exchange(sink).map(Box::new));
        let (Some(began), Some(mut record)) = (self.began.take(), told) else { return };
        (record.head, record.direction) = (sink.head(began), sink.direction());
        (record.auth_success, record.auth_attempts) = self.logins.outcome();
        sink.push(Record::Ssh(record));
    }

    /// What both sides have said up to now, which is not kept here any longer; `None` if that is nothing.
    fn exchange(&mut self, sink: &Sink<'_>) -> Option<SshRecord> {
        let version = self.version();
        let [low, high] = self.halves.each_mut().map(|half| Half {
            line: half.line.take(),
            offer: core::mem::take(&mut half.offer),
            ..Half::default()
        });
        // Named after who began the connection, as everybody does, also where their parts are exchanged.
        let (client, server) = if sink.is_originator(Side::Low) { (low, high) } else { (high, low) };
        if client.line.is_none() && server.line.is_none() {
            return None;
        }
        let offers = (Offer::decode(&client.offer).ok(), Offer::decode(&server.offer).ok());
        let hassh = |offer: &Offer<'_>, direction: usize| -> [u8; 16] {
            let parts = [
                offer.key_exchange,
                offer.ciphers[direction],
                offer.macs[direction],
                offer.compressions[direction],
            ];
            Md5::digest(parts.join(&b';')).into()
        };
        let both = offers.0.zip(offers.1);
        let one = |list: for<'a> fn(&Offer<'a>) -> &'a [u8]| {
            both.and_then(|(client, server)| ssh::agreed(list(&client), list(&server))).map(Into::into)
        };
        let two = |list: for<'a> fn(&Offer<'a>) -> [&'a [u8]; 2]| {
            let (client, server) = both?;
            let to_server = ssh::agreed(list(&client)[0], list(&server)[0]);
            let to_client = ssh::agreed(list(&client)[1], list(&server)[1]);
            match (to_server, to_client) {
                (Some(a), Some(b)) if a == b => Some(a.into()),
                // Zeek's words for what differs.
                (Some(a), Some(b)) => Some([b"To server: ", a, b", to client: ", b].concat().into()),
                _ => None,
            }
        };
        let key_exchange: Option<Box<[u8]>> = one(|offer| offer.key_exchange);
        let is_group =
            key_exchange.as_deref().is_some_and(|name| name.starts_with(b"diffie-hellman-group-exchange"));
        Some(SshRecord {
            head: sink.head(self.began?),
            version,
            auth_success: None,
            auth_attempts: 0,
            direction: None,
            client: client.line,
            server: server.line,
            cipher: two(|offer| offer.ciphers),
            mac: two(|offer| offer.macs),
            compression: two(|offer| offer.compressions),
            host_key_algorithm: one(|offer| offer.host_keys),
            key_exchange,
            host_key: if is_group { self.group_host_key.take() } else { self.host_key.take() },
            hassh: offers.0.as_ref().map(|offer| hassh(offer, 0)),
            hassh_server: offers.1.as_ref().map(|offer| hassh(offer, 1)),
        })
    }
}

/// As `ssh-keygen -l` writes it.
fn fingerprint(body: &[u8]) -> Option<Box<str>> {
    let (key, _) = ssh::string(body, 0).ok()?;
    Some(BASE64_STANDARD_NO_PAD.encode(Sha256::digest(key)).into())
}
