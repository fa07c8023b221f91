//! Fingerprints of TLS hellos: JA3 and JA3S (<https://github.com/salesforce/ja3>, BSD-3-Clause) and JA4, the part of
//! JA4+ for TLS clients (<https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>, BSD-3-Clause).

use std::fmt::Write as _;

use enigma_wire::tls::{ClientHello, ServerHello, is_grease};
use md5::{Digest as _, Md5};
use sha2::Sha256;

/// An MD5 digest; hexadecimal when written.
pub(super) type Digest = [u8; 16];

/// What a ClientHello tells of its client.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) session_id: Box<[u8]>,
    pub(super) server_name: Option<Box<[u8]>>,
    /// The application protocol it likes best.
    pub(super) protocol: Option<Box<[u8]>>,
    /// It offers a ticket of an earlier session.
    pub(super) has_ticket: bool,
    /// It offers keys of an earlier session.
    pub(super) offers_psk: bool,
    /// `None` of a hello that was not seen to its end: a fingerprint of a part is one of another client.
    pub(super) ja3: Option<Digest>,
    /// The same.
    pub(super) ja4: Option<Box<str>>,
}

impl Client {
    /// What is told by a hello whose end is missing.
    pub(super) fn cut(hello: &ClientHello<'_>, transport: u8) -> Self {
        Self { ja3: None, ja4: None, ..Self::new(hello, transport) }
    }

    /// `transport` is `t` for TCP, `q` for QUIC, `d` for DTLS.
    pub(super) fn new(hello: &ClientHello<'_>, transport: u8) -> Self {
        let ciphers: Vec<u16> = hello.ciphers().filter(|number| !is_grease(*number)).collect();
        let (mut kinds, mut curves, mut signatures) = (Vec::new(), Vec::new(), Vec::new());
        let (mut formats, mut version) = (String::new(), None);
        let (mut server_name, mut protocol, mut has_name) = (None, None, false);
        let (mut has_ticket, mut offers_psk) = (false, false);
        for extension in hello.extensions().filter(|extension| !is_grease(extension.kind)) {
            kinds.push(extension.kind);
            let numbers = |skip: usize| extension.words(skip).filter(|number| !is_grease(*number));
            match extension.kind {
                0 => {
                    has_name = true;
                    server_name = extension.server_name().map(Into::into);
                }
                10 => curves = numbers(2).collect(),
                11 => {
                    let listed = extension.data.get(1..).unwrap_or_default().iter();
                    formats = join(listed.map(|format| u16::from(*format)));
                }
                13 => signatures = numbers(2).collect(),
                35 => has_ticket = !extension.data.is_empty(),
                41 => offers_psk = true,
                16 => protocol = extension.first_protocol(),
                // The numbers of DTLS go down.
                43 if transport == b'd' => version = numbers(1).min(),
                43 => version = numbers(1).max(),
                _ => {}
            }
        }
        let text = format!(
            "{},{},{},{},{formats}",
            hello.version,
            join(ciphers.iter().copied()),
            join(kinds.iter().copied()),
            join(curves.iter().copied())
        );
        let ja4 = format!(
            "{}{}{}{:02}{:02}{}_{}_{}",
            char::from(transport),
            version_name(version.unwrap_or(hello.version)),
            if has_name { 'd' } else { 'i' },
            ciphers.len().min(99),
            kinds.len().min(99),
            protocol_name(protocol),
            cipher_hash(ciphers),
            extension_hash(kinds, &signatures)
        );
        let (session_id, protocol) = (hello.session_id.into(), protocol.map(Into::into));
        Self {
            session_id,
            server_name,
            protocol,
            has_ticket,
            offers_psk,
            ja3: Some(Md5::digest(text).into()),
            ja4: Some(ja4.into()),
        }
    }
}

/// JA3S.
pub(super) fn server(hello: &ServerHello<'_>) -> Digest {
    let kinds = join(hello.extensions().map(|extension| extension.kind));
    Md5::digest(format!("{},{},{kinds}", hello.version, hello.cipher)).into()
}

fn join(numbers: impl Iterator<Item = u16>) -> String {
    let mut text = String::new();
    for number in numbers {
        let dash = if text.is_empty() { "" } else { "-" };
        // Writing to memory does not fail.
        write!(text, "{dash}{number}").unwrap_or_default();
    }
    text
}

const fn version_name(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        0xfeff => "d1",
        0xfefd => "d2",
        0xfefc => "d3",
        _ => "00",
    }
}

/// First and last character of the first protocol; of its hexadecimal form where they are no letters or digits.
fn protocol_name(protocol: Option<&[u8]>) -> String {
    let Some((&first, &last)) = protocol.and_then(|name| Some((name.first()?, name.last()?))) else {
        return "00".to_owned();
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [char::from(first), char::from(last)].iter().collect();
    }
    format!("{:x}{:x}", first >> 4, last & 15)
}

fn cipher_hash(mut ciphers: Vec<u16>) -> String {
    ciphers.sort_unstable();
    if ciphers.is_empty() { NOTHING.to_owned() } else { short_hash(&hexadecimal(&ciphers)) }
}

/// Of the extensions in order of their numbers, without server name and protocols, and the signature algorithms in
/// the client's order.
fn extension_hash(mut kinds: Vec<u16>, signatures: &[u16]) -> String {
    kinds.retain(|kind| !matches!(kind, 0 | 16));
    if kinds.is_empty() && signatures.is_empty() {
        return NOTHING.to_owned();
    }
    kinds.sort_unstable();
    let mut text = hexadecimal(&kinds);
    if !signatures.is_empty() {
        text.push('_');
        text.push_str(&hexadecimal(signatures));
    }
    short_hash(&text)
}

/// In place of the hash of an empty list.
const NOTHING: &str = "000000000000";

fn hexadecimal(numbers: &[u16]) -> String {
    let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:04x}")).collect();
    numbers.join(",")
}

fn short_hash(text: &str) -> String {
    Sha256::digest(text)[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}
