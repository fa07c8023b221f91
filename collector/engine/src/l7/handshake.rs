//! The handshake of TLS as far as it is plain, whatever carries it: records of TCP, datagrams of DTLS, frames of QUIC.
//!
//! Takes the handshake bytes of each side in order, keeps a message until it is whole, and makes Zeek's `ssl` and
//! `x509` records of what was said. Who is the client is told by the hellos and not by the flow. Hellos whose end was
//! cut off by a mirror session, or never came, tell what there is of them, and have no fingerprints.

use enigma_wire::{
    ssl2,
    tls::{self, ClientHello, ServerHello},
};

use super::{
    Sink,
    certificate::{self, Chain},
    fingerprint,
};
use crate::{Record, SslRecord, Timestamp, key::Side};

/// The longest message that is read. Chains of certificates have been seen to need 10 KiB.
const MAX_MESSAGE: usize = 16 << 10;

/// Letters of the history that are kept; a full handshake has fifteen.
const MAX_HISTORY: usize = 64;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const SESSION_TICKET: u8 = 4;
const ENCRYPTED_EXTENSIONS: u8 = 8;
const CERTIFICATE: u8 = 11;
const SERVER_KEYS: u8 = 12;
const CERTIFICATE_REQUEST: u8 = 13;
const SERVER_DONE: u8 = 14;
const CLIENT_KEYS: u8 = 16;
const CERTIFICATE_STATUS: u8 = 22;

/// One side's messages.
#[derive(Clone, Debug, Default)]
struct Half {
    /// Bytes not yet a whole message.
    rest: Vec<u8>,
    /// Bytes to come of a message that is of no interest.
    ignore: usize,
}

/// A handshake.
#[derive(Clone, Debug, Default)]
pub(super) struct Handshake {
    halves: [Half; 2],
    /// What carries it, as JA4 calls it: `t`, `q` or `d`.
    transport: u8,
    began: Option<Timestamp>,
    /// Which side is the client, once a hello has told.
    client_side: Option<Side>,
    client: Option<fingerprint::Client>,
    server: Option<Server>,
    has_client_keys: bool,
    /// The server's certificates and the client's.
    chains: [Chain; 2],
    history: Vec<u8>,
    last_alert: Option<u8>,
}

#[derive(Clone, Debug)]
struct Server {
    version: u16,
    /// 24 bits in SSL 2.
    cipher: u32,
    curve: Option<u16>,
    next_protocol: Option<Box<[u8]>>,
    is_same_session: bool,
    has_psk: bool,
    /// `None` of a hello that was not seen to its end.
    ja3s: Option<fingerprint::Digest>,
}

impl Handshake {
    /// Memory it holds beyond itself.
    pub(super) fn bytes(&self) -> usize {
        let rests: usize = self.halves.iter().map(|half| half.rest.capacity()).sum();
        rests + self.chains.iter().map(Chain::bytes).sum::<usize>() + self.history.capacity()
    }

    /// Whether the server chose TLS 1.3 or one of its drafts and experiments, where all but hellos is encrypted.
    pub(super) fn is_13(&self) -> bool {
        self.server.as_ref().is_some_and(|server| is_13(server.version))
    }

    pub(super) fn has_server(&self) -> bool {
        self.server.is_some()
    }

    /// What the client asked for: its name for the server, and the first protocol it offers.
    pub(super) fn client(&self) -> Option<&fingerprint::Client> {
        self.client.as_ref()
    }

    /// Takes the next handshake bytes of `side`. `transport` is what JA4 calls it: `t`, `q` or `d`.
    pub(super) fn take(&mut self, side: Side, data: &[u8], transport: u8, sink: &Sink<'_>) {
        self.began.get_or_insert(sink.at);
        self.transport = transport;
        let mut rest = core::mem::take(&mut self.halves[side as usize].rest);
        if rest.is_empty() {
            let read = self.messages(side, data);
            rest.extend_from_slice(&data[read..]);
        } else {
            rest.extend_from_slice(data);
            let read = self.messages(side, &rest);
            rest.drain(..read);
        }
        self.halves[side as usize].rest = rest;
    }

    /// Reads the whole messages at the beginning of `data`; returns how much that was.
    fn messages(&mut self, side: Side, data: &[u8]) -> usize {
        let mut at = 0;
        loop {
            let half = &mut self.halves[side as usize];
            let ignored = half.ignore.min(data.len() - at);
            half.ignore -= ignored;
            at += ignored;
            let Some(header) = data[at..].first_chunk::<4>() else { return at };
            let len = usize::from(header[1]) << 16 | usize::from(header[2]) << 8 | usize::from(header[3]);
            let kind = header[0];
            let is_wanted =
                matches!(kind, CLIENT_HELLO | SERVER_HELLO | SERVER_KEYS | CERTIFICATE) && len <= MAX_MESSAGE;
            if !is_wanted {
                half.ignore = 4 + len;
                self.note_sender(side, kind);
                self.has_client_keys |= kind == CLIENT_KEYS;
                self.write(side, letter(kind));
                continue;
            }
            let Some(body) = data.get(at + 4..at + 4 + len) else { return at };
            self.message(side, kind, body);
            at += 4 + len;
        }
    }

    fn note_sender(&mut self, side: Side, kind: u8) {
        let client = match kind {
            CLIENT_HELLO | CLIENT_KEYS => side,
            SERVER_HELLO | SESSION_TICKET | ENCRYPTED_EXTENSIONS | SERVER_KEYS | CERTIFICATE_REQUEST
            | SERVER_DONE | CERTIFICATE_STATUS => side.other(),
            _ => return,
        };
        self.client_side.get_or_insert(client);
    }

    fn message(&mut self, side: Side, kind: u8, body: &[u8]) {
        self.note_sender(side, kind);
        let mut letter = letter(kind);
        match kind {
            // A second hello answers a HelloRetryRequest, with the key share that the server asked for and without early
            // data (RFC 8446 section 4.1.2). What the client is the first one says, which it sends unprompted: JA3 and JA4
            // are of that one. The history has a letter for both.
            CLIENT_HELLO if self.client.is_none() => {
                let hello = self.client_hello(body);
                self.client = hello.map(|hello| fingerprint::Client::new(&hello, self.transport));
            }
            SERVER_HELLO => {
                if let Ok(hello) = ServerHello::decode(body) {
                    let session_id = self.client.as_ref().map_or(&[][..], |client| &client.session_id);
                    if hello.is_retry() {
                        letter = b'j';
                    }
                    self.server = Some(Server::new(&hello, session_id));
                }
            }
            SERVER_KEYS => {
                // Kind 3 is a named curve, RFC 8422 section 5.4.
                if let (Some(server), Some(&[3, high, low])) = (&mut self.server, body.first_chunk::<3>()) {
                    server.curve.get_or_insert_with(|| u16::from_be_bytes([high, low]));
                }
            }
            CERTIFICATE => {
                let chain = &mut self.chains[usize::from(self.client_side == Some(side))];
                chain.take(tls::certificates(body));
            }
            _ => {}
        }
        self.write(side, letter);
    }

    /// Takes a client's hello in the form of SSL 2, which has no fingerprints: JA3 and JA4 are of what TLS has.
    pub(super) fn old_client(&mut self, side: Side, hello: &ssl2::ClientHello<'_>, sink: &Sink<'_>) {
        self.began.get_or_insert(sink.at);
        self.client_side.get_or_insert(side);
        self.client.get_or_insert_with(|| fingerprint::Client::old(hello));
        self.write(side, b'c');
    }

    /// Takes the hello of a server that chose SSL 2. It names several ciphers; Zeek tells the first.
    pub(super) fn old_server(&mut self, side: Side, hello: &ssl2::ServerHello<'_>, sink: &Sink<'_>) {
        self.began.get_or_insert(sink.at);
        self.client_side.get_or_insert_with(|| side.other());
        self.server = Some(Server {
            version: ssl2::VERSION,
            cipher: hello.ciphers().next().unwrap_or(0),
            curve: None,
            next_protocol: None,
            is_same_session: hello.is_same_session,
            has_psk: false,
            ja3s: None,
        });
        if !hello.certificate.is_empty() {
            self.chains[0].take(core::iter::once(hello.certificate));
        }
        self.write(side, b's');
    }

    fn client_hello<'a>(&self, body: &'a [u8]) -> Option<ClientHello<'a>> {
        let hello =
            if self.transport == b'd' { ClientHello::decode_dtls(body) } else { ClientHello::decode(body) };
        hello.ok()
    }

    /// The next `missing` bytes of `side` will never be seen: reads what there is of the message they belong to. When
    /// they are more than that, the next message is taken to begin behind them.
    pub(super) fn cut(&mut self, side: Side, missing: usize) {
        let half = &mut self.halves[side as usize];
        half.ignore = half.ignore.saturating_sub(missing);
        let rest = core::mem::take(&mut half.rest);
        let Some((header, body)) = rest.split_first_chunk::<4>() else { return };
        let len = usize::from(header[1]) << 16 | usize::from(header[2]) << 8 | usize::from(header[3]);
        half.ignore = len.saturating_sub(body.len()).saturating_sub(missing);
        self.part(side, header[0], body);
    }

    /// What has come of messages whose rest has not.
    pub(super) fn salvage(&mut self) {
        for side in [Side::Low, Side::High] {
            self.cut(side, usize::MAX);
        }
    }

    /// Reads the beginning of a message.
    fn part(&mut self, side: Side, kind: u8, body: &[u8]) {
        match kind {
            CLIENT_HELLO if self.client.is_none() => {
                let Some(hello) = self.client_hello(body) else { return };
                self.client = Some(fingerprint::Client::cut(&hello, self.transport));
            }
            SERVER_HELLO if self.server.is_none() => {
                let Ok(hello) = ServerHello::decode(body) else { return };
                let session_id = self.client.as_ref().map_or(&[][..], |client| &client.session_id);
                self.server = Some(Server::cut(&hello, session_id));
            }
            _ => return,
        }
        self.note_sender(side, kind);
        self.write(side, letter(kind));
    }

    /// The sender's next records are encrypted.
    pub(super) fn change_cipher(&mut self, side: Side) {
        self.write(side, b'i');
    }

    /// An alert that is not encrypted.
    pub(super) fn alert(&mut self, side: Side, description: u8, sink: &Sink<'_>) {
        self.began.get_or_insert(sink.at);
        self.last_alert = Some(description);
        self.write(side, b'l');
    }

    /// Writes what the client did in upper case, as Zeek does.
    fn write(&mut self, side: Side, letter: u8) {
        if self.history.len() < MAX_HISTORY {
            let is_client = self.client_side.is_none_or(|client| client == side);
            self.history.push(if is_client { letter.to_ascii_uppercase() } else { letter });
        }
    }

    /// Writes the records, once, if there was anything of a handshake. `version` is what records said where no server
    /// hello was seen.
    pub(super) fn finish(&mut self, is_established: bool, sink: &mut Sink<'_>) {
        let Some(began) = self.began.take() else { return };
        self.salvage();
        let (client, server) = (self.client.take(), self.server.take());
        if client.is_none() && server.is_none() {
            return;
        }
        let is_resumed = self.is_resumed(client.as_ref(), server.as_ref());
        let mut history = core::mem::take(&mut self.history);
        if self.client_side.is_some_and(|client| !sink.is_originator(client)) {
            history.insert(0, b'^');
        }
        let [server_chain, client_chain] = core::mem::take(&mut self.chains);
        let server_name = client.as_ref().and_then(|client| client.server_name.clone());
        let name_matches = match (&server_name, server_chain.host()) {
            (Some(name), Some(host)) => Some(certificate::is_for(host, name)),
            _ => None,
        };
        let head = sink.head(began);
        let record = SslRecord {
            head,
            version: server.as_ref().map(|server| server.version),
            cipher: server.as_ref().map(|server| server.cipher),
            curve: server.as_ref().and_then(|server| server.curve),
            server_name,
            is_resumed,
            last_alert: self.last_alert,
            next_protocol: server.as_ref().and_then(|server| server.next_protocol.clone()),
            is_established,
            history: history.into(),
            server_chain: server_chain.fingerprints(),
            client_chain: client_chain.fingerprints(),
            subject: server_chain.host().map(|host| host.subject.clone()),
            issuer: server_chain.host().map(|host| host.issuer.clone()),
            client_subject: client_chain.host().map(|host| host.subject.clone()),
            client_issuer: client_chain.host().map(|host| host.issuer.clone()),
            name_matches,
            ja3: client.as_ref().and_then(|client| client.ja3),
            ja3s: server.and_then(|server| server.ja3s),
            ja4: client.and_then(|client| client.ja4),
        };
        server_chain.write(false, &head, sink);
        client_chain.write(true, &head, sink);
        sink.push(Record::Ssl(Box::new(record)));
    }

    /// Zeek's rules (`scripts/base/protocols/ssl/main.zeek`): both sides named a key they had before, the server took
    /// up the client's session, or there was a ticket and no exchange of keys.
    fn is_resumed(&self, client: Option<&fingerprint::Client>, server: Option<&Server>) -> bool {
        let (Some(client), Some(server)) = (client, server) else { return false };
        if is_13(server.version) {
            return client.offers_psk && server.has_psk;
        }
        let has_changed = self.history.contains(&b'I');
        server.is_same_session || (client.has_ticket && has_changed && !self.has_client_keys)
    }
}

const fn is_13(version: u16) -> bool {
    matches!(version, 0x0304 | 0xfefc) || matches!(version >> 8, 0x7e | 0x7f)
}

/// Zeek's letter for a message.
const fn letter(kind: u8) -> u8 {
    match kind {
        0 => b'h',
        CLIENT_HELLO => b'c',
        SERVER_HELLO => b's',
        3 => b'v',
        SESSION_TICKET => b't',
        5 => b'e',
        6 => b'j',
        ENCRYPTED_EXTENSIONS => b'o',
        CERTIFICATE => b'x',
        SERVER_KEYS => b'k',
        CERTIFICATE_REQUEST => b'r',
        SERVER_DONE => b'n',
        15 => b'y',
        CLIENT_KEYS => b'g',
        20 => b'f',
        21 => b'w',
        CERTIFICATE_STATUS => b'u',
        23 => b'a',
        24 => b'p',
        254 => b'm',
        _ => b'z',
    }
}

impl Server {
    /// What is told by a hello whose end is missing, which may be where it says that it is of TLS 1.3. Its suites are
    /// for that version alone (RFC 8446 appendix B.4).
    fn cut(hello: &ServerHello<'_>, session_id: &[u8]) -> Self {
        let mut server = Self { ja3s: None, ..Self::new(hello, session_id) };
        server.version = match (server.version, server.cipher >> 8) {
            (0x0303, 0x13) => 0x0304,
            (0xfefd, 0x13) => 0xfefc,
            (version, _) => version,
        };
        server
    }

    fn new(hello: &ServerHello<'_>, session_id: &[u8]) -> Self {
        let mut server = Self {
            version: hello.version,
            cipher: hello.cipher.into(),
            curve: None,
            next_protocol: None,
            is_same_session: !session_id.is_empty() && hello.session_id == session_id,
            has_psk: false,
            ja3s: Some(fingerprint::server(hello)),
        };
        for extension in hello.extensions() {
            match extension.kind {
                16 => server.next_protocol = extension.first_protocol().map(Into::into),
                41 => server.has_psk = true,
                43 => server.version = extension.words(0).next().unwrap_or(server.version),
                // 40 in drafts before the 23rd.
                40 | 51 => server.curve = extension.words(0).next(),
                _ => {}
            }
        }
        server
    }
}
