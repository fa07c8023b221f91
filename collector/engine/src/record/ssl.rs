//! The `ssl` record: one TLS handshake, with Zeek's fields and those of its JA3 and JA4 packages.

use super::{Head, json::Object};
use crate::l7::names;

/// A TLS handshake as far as it can be read without keys.
#[derive(Clone, Debug, PartialEq)]
pub struct SslRecord {
    /// The flow; `ts` is the time of the first hello.
    pub head: Head,
    /// The version the server chose; `None` without its hello, as all of the server's.
    pub version: Option<u16>,
    /// The cipher suite the server chose; three bytes in SSL 2, where it is the first of those it left to choose from.
    pub cipher: Option<u32>,
    /// The group of the key exchange.
    pub curve: Option<u16>,
    /// The host name the client asked for.
    pub server_name: Option<Box<[u8]>>,
    /// An earlier session was resumed.
    pub is_resumed: bool,
    /// The last alert that was not encrypted.
    pub last_alert: Option<u8>,
    /// The application protocol the server chose; encrypted since TLS 1.3.
    pub next_protocol: Option<Box<[u8]>>,
    /// Both sides went on to encrypted data.
    pub is_established: bool,
    /// Messages in their order, Zeek's letters: those of the client in upper case.
    pub history: Box<[u8]>,
    /// SHA-256 of the server's certificates, its own first; encrypted since TLS 1.3.
    pub server_chain: Box<[[u8; 32]]>,
    /// SHA-256 of the client's certificates.
    pub client_chain: Box<[[u8; 32]]>,
    /// Whose the server's certificate is, as RFC 2253 writes names.
    pub subject: Option<Box<[u8]>>,
    /// Who signed it.
    pub issuer: Option<Box<[u8]>>,
    /// Whose the client's certificate is.
    pub client_subject: Option<Box<[u8]>>,
    /// Who signed it.
    pub client_issuer: Option<Box<[u8]>>,
    /// Whether the server's certificate is for the name the client asked for.
    pub name_matches: Option<bool>,
    /// JA3 of the client, an MD5 digest.
    pub ja3: Option<[u8; 16]>,
    /// JA3S of the server, an MD5 digest.
    pub ja3s: Option<[u8; 16]>,
    /// JA4 of the client.
    pub ja4: Option<Box<str>>,
}

impl SslRecord {
    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(out);
        self.head.begin(&mut object);
        if let Some(version) = self.version {
            object.plain("version", names::tls_version(version).as_bytes());
        }
        if let Some(cipher) = self.cipher {
            object.plain("cipher", names::tls_cipher(cipher).as_bytes());
        }
        if let Some(curve) = self.curve {
            object.plain("curve", names::tls_curve(curve).as_bytes());
        }
        object.optional_text("server_name", self.server_name.as_deref());
        object.flag("resumed", self.is_resumed);
        if let Some(alert) = self.last_alert {
            object.plain("last_alert", names::tls_alert(alert).as_bytes());
        }
        object.optional_text("next_protocol", self.next_protocol.as_deref());
        object.flag("established", self.is_established);
        object.plain("ssl_history", &self.history);
        // Zeek lists the client's as soon as there are any.
        if !(self.server_chain.is_empty() && self.client_chain.is_empty()) {
            for (name, chain) in
                [("cert_chain_fps", &self.server_chain), ("client_cert_chain_fps", &self.client_chain)]
            {
                object.hexadecimals(name, chain);
            }
        }
        object.optional_text("subject", self.subject.as_deref());
        object.optional_text("issuer", self.issuer.as_deref());
        object.optional_text("client_subject", self.client_subject.as_deref());
        object.optional_text("client_issuer", self.client_issuer.as_deref());
        if let Some(matches) = self.name_matches {
            object.flag("sni_matches_cert", matches);
        }
        if let Some(ja3) = &self.ja3 {
            object.hexadecimal("ja3", ja3);
        }
        if let Some(ja3s) = &self.ja3s {
            object.hexadecimal("ja3s", ja3s);
        }
        if let Some(ja4) = &self.ja4 {
            object.text("ja4", ja4.as_bytes());
        }
        self.head.end(object);
    }
}
