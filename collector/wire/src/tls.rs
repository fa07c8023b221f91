//! The two hellos of TLS (RFC 8446 section 4.1, RFC 5246 section 7.4.1) as borrowed views.
//!
//! Read by hand: fingerprints need every number in the order it was sent, unknown and reserved ones too, where
//! parsers for clients and servers sort, check and drop.

use crate::error::Malformed;

/// SHA-256 of "HelloRetryRequest".
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A ClientHello behind its four bytes of handshake header.
#[derive(Clone, Copy, Debug)]
pub struct ClientHello<'a> {
    /// `legacy_version`.
    pub version: u16,
    /// 32 random bytes.
    pub random: &'a [u8],
    /// Session the client would resume; TLS 1.3 clients send random bytes.
    pub session_id: &'a [u8],
    ciphers: &'a [u8],
    extensions: &'a [u8],
}

/// A ServerHello behind its four bytes of handshake header.
#[derive(Clone, Copy, Debug)]
pub struct ServerHello<'a> {
    /// `legacy_version`: 1.2 also where 1.3 was chosen.
    pub version: u16,
    /// 32 random bytes, or those that make it a HelloRetryRequest.
    pub random: &'a [u8],
    /// Session that is resumed or begun; TLS 1.3 repeats the client's.
    pub session_id: &'a [u8],
    /// The chosen cipher suite.
    pub cipher: u16,
    extensions: &'a [u8],
}

/// An extension.
#[derive(Clone, Copy, Debug)]
pub struct Extension<'a> {
    /// Its number.
    pub kind: u16,
    /// What it holds.
    pub data: &'a [u8],
}

/// Reads forwards and remembers where.
#[derive(Clone, Copy)]
struct Cursor<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.saturating_add(len);
        let taken = self.data.get(self.at..end).ok_or(Malformed { at: self.at })?;
        self.at = end;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<usize, Malformed> {
        Ok(usize::from(self.take(1)?[0]))
    }

    fn word(&mut self) -> Result<u16, Malformed> {
        let bytes = self.take(2)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// The rest, if there is an extension block at all: SSL 3.0 has none. A cut block is read as far as it goes.
    fn extensions(&mut self) -> &'a [u8] {
        let Ok(len) = self.word() else { return &[] };
        let rest = &self.data[self.at..];
        rest.get(..usize::from(len)).unwrap_or(rest)
    }
}

impl<'a> ClientHello<'a> {
    /// Reads the message.
    ///
    /// # Errors
    /// When it ends before its extensions.
    pub fn decode(data: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(data, false)
    }

    /// Reads the message as DTLS has it, with the server's cookie in it (RFC 6347 section 4.2.1).
    ///
    /// # Errors
    /// When it ends before its extensions.
    pub fn decode_dtls(data: &'a [u8]) -> Result<Self, Malformed> {
        Self::read(data, true)
    }

    fn read(data: &'a [u8], has_cookie: bool) -> Result<Self, Malformed> {
        let mut cursor = Cursor { data, at: 0 };
        let version = cursor.word()?;
        let random = cursor.take(32)?;
        let len = cursor.byte()?;
        let session_id = cursor.take(len)?;
        if has_cookie {
            let len = cursor.byte()?;
            cursor.take(len)?;
        }
        let len = cursor.word()?;
        let ciphers = cursor.take(usize::from(len))?;
        let len = cursor.byte()?;
        cursor.take(len)?;
        Ok(Self { version, random, session_id, ciphers, extensions: cursor.extensions() })
    }

    /// Cipher suites in the client's order.
    pub fn ciphers(&self) -> impl Iterator<Item = u16> + use<'a> {
        words(self.ciphers)
    }

    /// Extensions in the client's order, up to the first that is not whole.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        extensions(self.extensions)
    }
}

impl<'a> ServerHello<'a> {
    /// Reads the message.
    ///
    /// # Errors
    /// When it ends before its extensions.
    pub fn decode(data: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor { data, at: 0 };
        let version = cursor.word()?;
        let random = cursor.take(32)?;
        // Until draft 22 of TLS 1.3 a server's hello had neither a session nor a compression.
        if matches!(version, 0x7f00..=0x7f15) {
            let cipher = cursor.word()?;
            return Ok(Self { version, random, session_id: &[], cipher, extensions: cursor.extensions() });
        }
        let len = cursor.byte()?;
        let session_id = cursor.take(len)?;
        let cipher = cursor.word()?;
        cursor.take(1)?;
        Ok(Self { version, random, session_id, cipher, extensions: cursor.extensions() })
    }

    /// Whether it asks for another hello instead of going on (RFC 8446 section 4.1.3).
    pub fn is_retry(&self) -> bool {
        self.random == RETRY
    }

    /// Extensions in the server's order, up to the first that is not whole.
    pub fn extensions(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        extensions(self.extensions)
    }
}

impl<'a> Extension<'a> {
    /// The host name in a client's `server_name` (RFC 6066 section 3).
    pub fn server_name(&self) -> Option<&'a [u8]> {
        let mut cursor = Cursor { data: self.data, at: 2 };
        (cursor.byte().ok()? == 0).then_some(())?;
        let len = cursor.word().ok()?;
        cursor.take(usize::from(len)).ok()
    }

    /// The first protocol in `application_layer_protocol_negotiation` (RFC 7301 section 3.1).
    pub fn first_protocol(&self) -> Option<&'a [u8]> {
        let mut cursor = Cursor { data: self.data, at: 2 };
        let len = cursor.byte().ok()?;
        cursor.take(len).ok()
    }

    /// Its data as numbers behind `skip` bytes of lengths.
    pub fn words(&self, skip: usize) -> impl Iterator<Item = u16> + use<'a> {
        words(self.data.get(skip..).unwrap_or(&[]))
    }
}

/// The certificates of a Certificate message before TLS 1.3 (RFC 5246 section 7.4.2), each in DER, up to the first that
/// is not whole.
pub fn certificates(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut cursor = Cursor { data: body, at: 3 };
    core::iter::from_fn(move || {
        let high = cursor.byte().ok()?;
        let low = cursor.word().ok()?;
        cursor.take(high << 16 | usize::from(low)).ok()
    })
}

/// Whether a number is reserved to keep servers tolerant of unknown ones (GREASE, RFC 8701).
pub const fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

fn words(data: &[u8]) -> impl Iterator<Item = u16> + use<'_> {
    data.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}

fn extensions(data: &[u8]) -> impl Iterator<Item = Extension<'_>> + use<'_> {
    let mut cursor = Cursor { data, at: 0 };
    core::iter::from_fn(move || {
        let kind = cursor.word().ok()?;
        let len = cursor.word().ok()?;
        Some(Extension { kind, data: cursor.take(usize::from(len)).ok()? })
    })
}

#[cfg(test)]
mod tests;
