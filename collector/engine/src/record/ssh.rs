//! The `ssh` record: one connection, with Zeek's fields and those of its HASSH package.

use super::{Head, json::Object};

/// What both sides of an SSH connection agreed on before it is encrypted, and whether a login seems to have succeeded.
#[derive(Clone, Debug, PartialEq)]
pub struct SshRecord {
    /// The flow; `ts` is the time of its first content.
    pub head: Head,
    /// Protocol version: 1 or 2, once both sides have said theirs.
    pub version: Option<u8>,
    /// Whether a login succeeded, as lengths of encrypted packets tell; `Some(false)` when there were attempts and none
    /// did up to the end, `None` when nothing can be said.
    pub auth_success: Option<bool>,
    /// Attempts to log in that were answered, the successful one included; the first failure of a connection is not
    /// counted: most clients ask with it which methods there are.
    pub auth_attempts: u32,
    /// `OUTBOUND` from local networks, `INBOUND` to them, if it is either.
    pub direction: Option<&'static str>,
    /// The client's identification line.
    pub client: Option<Box<[u8]>>,
    /// The server's identification line.
    pub server: Option<Box<[u8]>>,
    /// Cipher from client to server.
    pub cipher: Option<Box<[u8]>>,
    /// Message authentication from client to server.
    pub mac: Option<Box<[u8]>>,
    /// Compression from client to server.
    pub compression: Option<Box<[u8]>>,
    /// Key exchange.
    pub key_exchange: Option<Box<[u8]>>,
    /// Algorithm of the host key.
    pub host_key_algorithm: Option<Box<[u8]>>,
    /// SHA-256 of the host key, in base64 without padding.
    pub host_key: Option<Box<str>>,
    /// HASSH of the client: an MD5 digest of what it offers.
    pub hassh: Option<[u8; 16]>,
    /// HASSH of the server.
    pub hassh_server: Option<[u8; 16]>,
}

impl SshRecord {
    /// Bytes of the texts it holds.
    pub(crate) fn text_bytes(&self) -> usize {
        let texts = [
            &self.client,
            &self.server,
            &self.cipher,
            &self.mac,
            &self.compression,
            &self.key_exchange,
            &self.host_key_algorithm,
        ];
        let host_key = self.host_key.as_ref().map_or(0, |key| key.len());
        texts.into_iter().flatten().map(|text| text.len()).sum::<usize>() + host_key
    }

    pub(super) fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = Object::new(out);
        self.head.begin(&mut object);
        if let Some(version) = self.version {
            object.number("version", u64::from(version));
        }
        if let Some(success) = self.auth_success {
            object.flag("auth_success", success);
        }
        object.number("auth_attempts", u64::from(self.auth_attempts));
        if let Some(direction) = self.direction {
            object.plain("direction", direction.as_bytes());
        }
        object.optional_text("client", self.client.as_deref());
        object.optional_text("server", self.server.as_deref());
        object.optional_text("cipher_alg", self.cipher.as_deref());
        object.optional_text("mac_alg", self.mac.as_deref());
        object.optional_text("compression_alg", self.compression.as_deref());
        object.optional_text("kex_alg", self.key_exchange.as_deref());
        object.optional_text("host_key_alg", self.host_key_algorithm.as_deref());
        if let Some(digest) = &self.host_key {
            object.plain("host_key_fingerprint", format!("SHA256:{digest}").as_bytes());
        }
        if let Some(hassh) = &self.hassh {
            object.hexadecimal("hassh", hassh);
        }
        if let Some(hassh) = &self.hassh_server {
            object.hexadecimal("hasshServer", hassh);
        }
        self.head.end(object);
    }
}
