//! SSH up to the end of its first key exchange, as Zeek's `ssh` record with HASSH. Nothing is decrypted.

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use enigma_wire::ssh::{self, Offer};
use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::{
    BUDGET, Sink,
    tcp::{Fed, Next},
};
use crate::{Record, SshRecord, Timestamp, key::Side};

const KEXINIT: u8 = 20;
const NEWKEYS: u8 = 21;
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
    /// Bytes behind that, until there were too many.
    encrypted: usize,
    packets: u8,
}

/// A connection until both sides encrypt.
#[derive(Clone, Debug, Default)]
pub(super) struct Ssh {
    halves: [Half; 2],
    began: Option<Timestamp>,
    host_key: Option<Box<str>>,
    group_host_key: Option<Box<str>>,
}

impl Ssh {
    pub(super) fn bytes(&self) -> usize {
        let offers: usize = self.halves.iter().map(|half| half.offer.len()).sum();
        size_of::<Self>() + offers
    }

    /// Reads what `side` sent.
    pub(super) fn data(&mut self, side: Side, data: &[u8], sink: &mut Sink<'_>) -> Fed {
        self.began.get_or_insert(sink.at);
        let mut at = 0;
        if self.halves[side as usize].line.is_none() {
            match ssh::identification(data) {
                Ok(Some((line, end))) => {
                    self.halves[side as usize].line = Some(line.into());
                    at = end;
                }
                Ok(None) => return Fed::more(0),
                Err(_) => return Fed::DONE,
            }
        }
        // Version 1 says nothing more that is told here.
        if self.version() == Some(1) {
            return Fed { consumed: at as u64, next: Next::Done };
        }
        loop {
            let half = &mut self.halves[side as usize];
            if half.is_encrypted {
                break;
            }
            let packet = match ssh::packet(&data[at..]) {
                Ok(Some(packet)) => packet,
                // Larger than what is kept: of no interest, or nonsense.
                Ok(None) if data.len() - at > BUDGET - 1500 => return Fed::DONE,
                Ok(None) => return Fed::more(at as u64),
                Err(_) => return Fed::DONE,
            };
            half.packets += 1;
            if half.packets > MAX_PACKETS {
                return Fed::DONE;
            }
            match packet.kind {
                KEXINIT if half.offer.is_empty() => half.offer = packet.body.into(),
                NEWKEYS => half.is_encrypted = true,
                REPLY => self.host_key = fingerprint(packet.body),
                GROUP_REPLY => self.group_host_key = fingerprint(packet.body),
                _ => {}
            }
            at += packet.len;
        }
        let half = &mut self.halves[side as usize];
        half.encrypted += data.len() - at;
        let is_alone = half.encrypted > MAX_ENCRYPTED;
        let is_over = is_alone || self.halves.iter().all(|half| half.is_encrypted);
        let next = if is_over { Next::Done } else { Next::More };
        // What is encrypted is not looked at.
        Fed { consumed: data.len() as u64, next }
    }

    fn version(&self) -> Option<u8> {
        let [low, high] = [&self.halves[0].line, &self.halves[1].line];
        let (low, high) = (low.as_deref()?, high.as_deref()?);
        let is_two = |line: &[u8]| line.starts_with(b"SSH-2.") || line.starts_with(b"SSH-1.99-");
        Some(if is_two(low) && is_two(high) { 2 } else { 1 })
    }

    /// Writes the record, once.
    pub(super) fn finish(&mut self, sink: &mut Sink<'_>) {
        let Some(began) = self.began.take() else { return };
        let version = self.version();
        let [low, high] = core::mem::take(&mut self.halves);
        let (client, server) = if sink.is_originator(Side::Low) { (low, high) } else { (high, low) };
        if client.line.is_none() && server.line.is_none() {
            return;
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
        let record = SshRecord {
            head: sink.head(began),
            version,
            direction: sink.direction(),
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
        };
        sink.push(Record::Ssh(Box::new(record)));
    }
}

/// As `ssh-keygen -l` writes it.
fn fingerprint(body: &[u8]) -> Option<Box<str>> {
    let (key, _) = ssh::string(body, 0).ok()?;
    Some(BASE64_STANDARD_NO_PAD.encode(Sha256::digest(key)).into())
}
