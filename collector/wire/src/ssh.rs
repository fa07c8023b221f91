//! SSH before it is encrypted: identification lines (RFC 4253 section 4.2), packets (section 6) and the lists of
//! algorithms that both sides offer (section 7.1), as borrowed views.

use crate::error::Malformed;

/// The longest identification line, RFC 4253 section 4.2.
const MAX_LINE: usize = 255;

/// An identification line and where it ends; `None` while there is no whole one. Lines a server may send before it are
/// passed over.
///
/// # Errors
/// When there is a line that is too long.
pub fn identification(data: &[u8]) -> Result<Option<(&[u8], usize)>, Malformed> {
    let mut at = 0;
    loop {
        let rest = data.get(at..).unwrap_or_default();
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            return if rest.len() > MAX_LINE { Err(Malformed { at }) } else { Ok(None) };
        };
        if end > MAX_LINE {
            return Err(Malformed { at });
        }
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        // Some devices pad theirs with zeros.
        let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
        at += end + 1;
        if line.starts_with(b"SSH-") {
            return Ok(Some((line, at)));
        }
    }
}

/// A packet of version 2 that is not encrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet<'a> {
    /// Number of the message.
    pub kind: u8,
    /// What is behind the number, without padding.
    pub body: &'a [u8],
    /// Length of the packet, its own length bytes included.
    pub len: usize,
}

/// The packet at the beginning of `data`; `None` while it is not whole.
///
/// # Errors
/// When its lengths contradict each other, or it is longer than 35,000 bytes (RFC 4253 section 6.1).
pub fn packet(data: &[u8]) -> Result<Option<Packet<'_>>, Malformed> {
    let Some(header) = data.first_chunk::<6>() else { return Ok(None) };
    let len = u32::from_be_bytes([header[0], header[1], header[2], header[3]]) as usize;
    let padding = usize::from(header[4]);
    if len > 35_000 || len < padding + 2 {
        return Err(Malformed { at: 0 });
    }
    let body = data.get(6..4 + len - padding).filter(|_| data.len() >= 4 + len);
    Ok(body.map(|body| Packet { kind: header[5], body, len: 4 + len }))
}

/// What one side offers, in its order of preference: lists of names joined by commas.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Offer<'a> {
    /// Key exchange.
    pub key_exchange: &'a [u8],
    /// Host keys.
    pub host_keys: &'a [u8],
    /// Ciphers from client to server, and from server to client.
    pub ciphers: [&'a [u8]; 2],
    /// Message authentication, likewise.
    pub macs: [&'a [u8]; 2],
    /// Compression, likewise.
    pub compressions: [&'a [u8]; 2],
}

impl<'a> Offer<'a> {
    /// Reads the body of SSH_MSG_KEXINIT.
    ///
    /// # Errors
    /// When a list is not whole.
    pub fn decode(body: &'a [u8]) -> Result<Self, Malformed> {
        let mut at = 16;
        let mut list = || {
            let (text, end) = string(body, at)?;
            at = end;
            Ok(text)
        };
        Ok(Self {
            key_exchange: list()?,
            host_keys: list()?,
            ciphers: [list()?, list()?],
            macs: [list()?, list()?],
            compressions: [list()?, list()?],
        })
    }
}

/// The string at `at` and the position behind it.
///
/// # Errors
/// When it is not whole.
pub fn string(data: &[u8], at: usize) -> Result<(&[u8], usize), Malformed> {
    let wrong = Malformed { at };
    let rest = data.get(at..).ok_or(wrong)?;
    let (len, rest) = rest.split_first_chunk::<4>().ok_or(wrong)?;
    let len = u32::from_be_bytes(*len) as usize;
    Ok((rest.get(..len).ok_or(wrong)?, at + 4 + len))
}

/// The first of the client's names that the server has too (RFC 4253 section 7.1).
pub fn agreed<'a>(client: &'a [u8], server: &[u8]) -> Option<&'a [u8]> {
    client
        .split(|byte| *byte == b',')
        .find(|name| server.split(|byte| *byte == b',').any(|other| other == *name))
}

#[cfg(test)]
mod tests;
