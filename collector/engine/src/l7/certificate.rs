//! Certificates of a handshake: what a record tells of them, and which have been told already.

use core::net::IpAddr;

use enigma_wire::x509::{Attribute, Certificate, Name};
use sha2::{Digest as _, Sha256};

use super::{Sink, names};
use crate::{Record, Timestamp, X509Record, record::Head};

/// Certificates of a chain that are read. Chains have two to four; more is somebody's mistake.
const MAX_CHAIN: usize = 8;

/// Alternative names that are kept: large sites list a few hundred.
const MAX_NAMES: usize = 512;

/// Text of one name.
const MAX_TEXT: usize = 1024;

/// One side's certificates, its own first.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain(Vec<X509Record>);

impl Chain {
    pub(super) fn bytes(&self) -> usize {
        // The texts of one are some 300 bytes.
        self.0.capacity() * (size_of::<X509Record>() + 300)
    }

    /// Reads the certificates, of which the first message counts.
    pub(super) fn take<'a>(&mut self, certificates: impl Iterator<Item = &'a [u8]>) {
        if self.0.is_empty() {
            self.0.extend(certificates.take(MAX_CHAIN).map(read));
        }
    }

    /// The certificate of the side itself, if it could be read.
    pub(super) fn host(&self) -> Option<&X509Record> {
        self.0.first().filter(|host| host.version > 0)
    }

    pub(super) fn fingerprints(&self) -> Box<[[u8; 32]]> {
        self.0.iter().map(|certificate| certificate.fingerprint).collect()
    }

    /// Writes those that have not been written lately.
    pub(super) fn write(self, is_client: bool, head: &Head, sink: &mut Sink<'_>) {
        for (index, mut certificate) in self.0.into_iter().enumerate() {
            if certificate.version == 0 || !sink.memory.known.is_news(&certificate.fingerprint, head.ts) {
                continue;
            }
            (certificate.ts, certificate.vantage) = (head.ts, head.vantage);
            certificate.is_host = index == 0;
            certificate.is_client = is_client;
            sink.push(Record::X509(Box::new(certificate)));
        }
    }
}

/// Fingerprints that have a record already. A table of slots that push each other out: bounded, and in the worst case
/// a certificate is told twice.
#[derive(Default)]
pub(crate) struct Known {
    slots: Vec<([u8; 8], Timestamp)>,
}

/// Slots: a company talks to a few hundred certificates a day.
const SLOTS: usize = 4096;

/// After this a certificate is told again: Zeek's `X509::relog_known_certificates_after`.
const AGAIN: core::time::Duration = core::time::Duration::from_secs(86_400);

impl Known {
    fn is_news(&mut self, fingerprint: &[u8; 32], at: Timestamp) -> bool {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, ([0; 8], Timestamp::MIN));
        }
        let (Some(&key), Some(&place)) = (fingerprint.first_chunk::<8>(), fingerprint.last_chunk::<2>())
        else {
            return true;
        };
        let place = usize::from(u16::from_be_bytes(place)) % SLOTS;
        let (known, told) = &mut self.slots[place];
        if *known == key && *told != Timestamp::MIN && at.since(*told) < AGAIN {
            return false;
        }
        (*known, *told) = (key, at);
        true
    }
}

/// What a record tells of a certificate; of one that cannot be read only the fingerprint, and version 0.
fn read(der: &[u8]) -> X509Record {
    let mut record = X509Record { fingerprint: Sha256::digest(der).into(), ..X509Record::default() };
    let Ok(certificate) = Certificate::decode(der) else { return record };
    record.version = certificate.version;
    let serial = certificate.serial;
    record.serial = serial.strip_prefix(&[0]).filter(|rest| !rest.is_empty()).unwrap_or(serial).into();
    record.subject = name_text(&certificate.subject);
    record.issuer = name_text(&certificate.issuer);
    record.not_before = certificate.not_before;
    record.not_after = certificate.not_after;
    record.key_algorithm = names::algorithm(certificate.key_algorithm.kind);
    record.signature_algorithm = names::algorithm(certificate.signature.kind);
    let bits = |bytes: &[u8]| {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        let first = bytes.get(zeros).map_or(0, |byte| byte.leading_zeros());
        (bytes.len() - zeros) as u32 * 8 - first
    };
    match &*record.key_algorithm.clone() {
        "rsaEncryption" => {
            record.key_type = "rsa".into();
            if let Some((modulus, exponent)) = certificate.rsa_key() {
                (record.key_length, record.exponent) = (Some(bits(modulus)), Some(exponent));
            }
        }
        "id-ecPublicKey" => {
            record.key_type = "ecdsa".into();
            let curve =
                certificate.key_algorithm.parameters.and_then(|parameters| names::curve(parameters.data));
            (record.curve, record.key_length) = curve.unzip();
        }
        "dsaEncryption" => record.key_type = "dsa".into(),
        other if other.starts_with("ML-DSA") => {
            record.key_length = Some(certificate.key.len() as u32 * 8);
            record.key_type = other.to_owned().into();
        }
        _ => record.key_type = "unknown".into(),
    }
    for name in certificate.alternative_names().take(MAX_NAMES) {
        let text = || name.data[..name.data.len().min(MAX_TEXT)].into();
        match name.tag {
            0x81 => record.mail_names.push(text()),
            0x82 => record.dns_names.push(text()),
            0x86 => record.uris.push(text()),
            0x87 => record.addresses.extend(match *name.data {
                [a, b, c, d] => Some(IpAddr::from([a, b, c, d])),
                ref data => data.first_chunk::<16>().filter(|_| data.len() == 16).map(|ip| IpAddr::from(*ip)),
            }),
            _ => {}
        }
    }
    record.common_name = certificate.subject.common_name().map(Into::into);
    record.constraints = certificate.constraints();
    record
}

/// Whether a certificate is for `host`: by its DNS names, or without any by its common name. A `*` stands for the
/// whole of the first label (RFC 9525 section 6.3).
pub(super) fn is_for(certificate: &X509Record, host: &[u8]) -> bool {
    let is_match = |pattern: &[u8]| {
        if pattern.eq_ignore_ascii_case(host) {
            return true;
        }
        let Some(parent) = pattern.strip_prefix(b"*.") else { return false };
        let dot = host.iter().position(|byte| *byte == b'.');
        dot.is_some_and(|dot| dot > 0 && host[dot + 1..].eq_ignore_ascii_case(parent))
    };
    if certificate.dns_names.is_empty() {
        certificate.common_name.as_deref().is_some_and(is_match)
    } else {
        certificate.dns_names.iter().any(|name| is_match(name))
    }
}

/// A name as RFC 2253 writes it: the last part first.
fn name_text(name: &Name<'_>) -> Box<[u8]> {
    let parts: Vec<Attribute<'_>> = name.attributes().take(64).collect();
    let mut text = Vec::with_capacity(64);
    let mut end = parts.len();
    while let Some(start) = parts[..end].iter().rposition(|part| !part.is_joined) {
        for part in &parts[start..end] {
            if !text.is_empty() {
                text.push(if part.is_joined { b'+' } else { b',' });
            }
            push_part(&mut text, part);
        }
        end = start;
    }
    text.truncate(MAX_TEXT);
    text.into()
}

fn push_part(text: &mut Vec<u8>, part: &Attribute<'_>) {
    text.extend_from_slice(names::attribute(part.kind).as_bytes());
    text.push(b'=');
    let value = part.value;
    let owned: Vec<u8> = match value.tag {
        // UTF-8, numeric, printable, IA5 and visible strings.
        0x0c | 0x12 | 0x13 | 0x16 | 0x1a => value.data.to_vec(),
        // Teletex: read as Latin-1, which is what is in it.
        0x14 => value.data.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes(),
        0x1e => {
            let units = value.data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect::<String>().into_bytes()
        }
        _ => {
            text.push(b'#');
            let hex = value.data.iter().take(256).map(|byte| format!("{byte:02X}"));
            return text.extend(hex.collect::<String>().into_bytes());
        }
    };
    for (index, &byte) in owned.iter().enumerate() {
        let is_edge = index == 0 || index + 1 == owned.len();
        let is_special = matches!(byte, b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';')
            || (byte == b' ' && is_edge)
            || (byte == b'#' && index == 0);
        if is_special {
            text.push(b'\\');
        }
        text.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_matched_label_by_label() {
        let certificate = |dns: &[&str], common: &str| X509Record {
            dns_names: dns.iter().map(|name| name.as_bytes().into()).collect(),
            common_name: Some(common.as_bytes().into()),
            ..X509Record::default()
        };
        let is = |dns: &[&str], host: &str| is_for(&certificate(dns, "common.example"), host.as_bytes());
        assert!(is(&["*.gstatic.com"], "SSL.gstatic.com") && is(&["a.b", "c.d"], "c.d"));
        assert!(!is(&["*.gstatic.com"], "gstatic.com") && !is(&["*.gstatic.com"], "a.b.gstatic.com"));
        assert!(!is(&["a.b"], "common.example") && is(&[], "common.example") && !is(&["*."], "."));
    }

    #[test]
    fn a_certificate_is_told_once_a_day() {
        let mut known = Known::default();
        let at = |seconds: i64| Timestamp::from_parts(1_700_000_000 + seconds, 0);
        assert!(known.is_news(&[7; 32], at(0)));
        assert!(!known.is_news(&[7; 32], at(86_399)));
        assert!(known.is_news(&[8; 32], at(86_399)));
        assert!(known.is_news(&[7; 32], at(86_400)));
    }

    #[test]
    fn what_is_no_certificate_has_a_fingerprint_and_nothing_else() {
        let record = read(b"no certificate");
        assert_eq!((record.version, record.subject.len()), (0, 0));
        assert_ne!(record.fingerprint, [0; 32]);
    }
}
