//! The `x509` record: a certificate that was seen in a handshake, with Zeek's fields.

use core::net::IpAddr;
use std::borrow::Cow;

use super::json::Object;
use crate::{Timestamp, key::Vantage};

/// A certificate, told once a day. It belongs to no flow: `ssl` records name it by its fingerprint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct X509Record {
    /// Begin of the handshake in which it was seen.
    pub ts: Timestamp,
    /// SHA-256 of the certificate in DER.
    pub fingerprint: [u8; 32],
    /// 1, 2 or 3.
    pub version: u8,
    /// Serial number, big-endian.
    pub serial: Box<[u8]>,
    /// Whose it is, as RFC 2253 writes names.
    pub subject: Box<[u8]>,
    /// Who signed it.
    pub issuer: Box<[u8]>,
    /// Valid from, in seconds since 1970.
    pub not_before: Option<i64>,
    /// Valid until.
    pub not_after: Option<i64>,
    /// Algorithm of the key, by OpenSSL's name.
    pub key_algorithm: Cow<'static, str>,
    /// Algorithm of the signature.
    pub signature_algorithm: Cow<'static, str>,
    /// `rsa`, `ecdsa`, `dsa`, the name of a newer algorithm, or `unknown`.
    pub key_type: Cow<'static, str>,
    /// Bits of the key.
    pub key_length: Option<u32>,
    /// RSA's public exponent.
    pub exponent: Option<u64>,
    /// Name of the curve.
    pub curve: Option<&'static str>,
    /// Alternative names: DNS.
    pub dns_names: Vec<Box<[u8]>>,
    /// Alternative names: URIs.
    pub uris: Vec<Box<[u8]>>,
    /// Alternative names: mail addresses.
    pub mail_names: Vec<Box<[u8]>>,
    /// Alternative names: IP addresses.
    pub addresses: Vec<IpAddr>,
    /// The subject's common name.
    pub common_name: Option<Box<[u8]>>,
    /// Whether it is an authority, and how many may be below it; `None` if it does not say.
    pub constraints: Option<(bool, Option<u64>)>,
    /// It is that of the side that sent it, and not of an authority above.
    pub is_host: bool,
    /// The client sent it.
    pub is_client: bool,
    /// From where it was seen.
    pub vantage: Option<Vantage>,
}

impl X509Record {
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(out);
        object.time("ts", self.ts);
        object.hexadecimal("fingerprint", &self.fingerprint);
        object.number("certificate.version", u64::from(self.version));
        let serial: String = self.serial.iter().map(|byte| format!("{byte:02X}")).collect();
        object.plain("certificate.serial", serial.as_bytes());
        object.text("certificate.subject", &self.subject);
        object.text("certificate.issuer", &self.issuer);
        let seconds = |at: i64| Timestamp::from_parts(at, 0);
        if let Some(at) = self.not_before {
            object.time("certificate.not_valid_before", seconds(at));
        }
        if let Some(at) = self.not_after {
            object.time("certificate.not_valid_after", seconds(at));
        }
        object.plain("certificate.key_alg", self.key_algorithm.as_bytes());
        object.plain("certificate.sig_alg", self.signature_algorithm.as_bytes());
        object.plain("certificate.key_type", self.key_type.as_bytes());
        if let Some(bits) = self.key_length {
            object.number("certificate.key_length", u64::from(bits));
        }
        if let Some(exponent) = self.exponent {
            // Zeek's log has it as text: it may be larger than any number there.
            object.plain("certificate.exponent", exponent.to_string().as_bytes());
        }
        if let Some(curve) = self.curve {
            object.plain("certificate.curve", curve.as_bytes());
        }
        for (name, values) in
            [("san.dns", &self.dns_names), ("san.uri", &self.uris), ("san.email", &self.mail_names)]
        {
            if !values.is_empty() {
                object.texts(name, values.iter().map(|value| &**value));
            }
        }
        if !self.addresses.is_empty() {
            let texts: Vec<String> = self.addresses.iter().map(IpAddr::to_string).collect();
            object.texts("san.ip", texts.iter().map(String::as_bytes));
        }
        if let Some((is_authority, below)) = self.constraints {
            object.flag("basic_constraints.ca", is_authority);
            if let Some(below) = below {
                object.number("basic_constraints.path_len", below);
            }
        }
        object.flag("host_cert", self.is_host);
        object.flag("client_cert", self.is_client);
        object.vantage(self.vantage);
        object.end();
    }
}
