//! QUIC's long headers and the frames of Initial packets, as borrowed views (RFC 8999, RFC 9000 sections 17 and 19,
//! RFC 9369 section 3.2). Protection is removed elsewhere: see [`Long::number_at`].

use crate::error::Malformed;

/// Longest connection identifier of the versions that are known.
const MAX_ID: usize = 20;

/// QUIC version 2, RFC 9369: the same but for numbers.
pub const VERSION_2: u32 = 0x6b33_43cf;

/// What a long header begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// Hellos, protected by keys that anybody can compute.
    Initial,
    /// A client's data before the handshake is over.
    ZeroRtt,
    /// The rest of the handshake, encrypted.
    Handshake,
    /// The server wants the client to begin again.
    Retry,
    /// The server knows other versions.
    Negotiation,
}

/// A packet with a long header.
#[derive(Clone, Copy, Debug)]
pub struct Long<'a> {
    /// Version; 0 in version negotiation.
    pub version: u32,
    /// What it is, if its version numbers kinds as 1 or 2 do.
    pub kind: Kind,
    /// Identifier the receiver chose.
    pub destination: &'a [u8],
    /// Identifier the sender chose.
    pub source: &'a [u8],
    /// Where the protected packet number begins.
    pub number_at: usize,
    /// Where the packet ends; another may follow in the datagram.
    pub end: usize,
}

/// Whether a datagram begins with a long header of any version.
pub fn is_long(data: &[u8]) -> bool {
    data.first().is_some_and(|first| first & 0x80 != 0)
}

impl<'a> Long<'a> {
    /// Reads the header. Of kinds without a length everything up to the end of the datagram is the packet's.
    ///
    /// # Errors
    /// When it is cut, the identifiers are too long, or the packet is longer than the datagram.
    pub fn decode(data: &'a [u8]) -> Result<Self, Malformed> {
        let mut cursor = Cursor { data, at: 0 };
        let first = cursor.take(1)?[0];
        if first & 0x80 == 0 {
            return Err(Malformed { at: 0 });
        }
        let version = u32::from_be_bytes(*cursor.array()?);
        let destination = cursor.identifier()?;
        let source = cursor.identifier()?;
        // Version 2 counts from the retry on.
        let number = (first >> 4).wrapping_sub(u8::from(version == VERSION_2)) & 3;
        let kind = match number {
            _ if version == 0 => Kind::Negotiation,
            0 => Kind::Initial,
            1 => Kind::ZeroRtt,
            2 => Kind::Handshake,
            _ => Kind::Retry,
        };
        if kind == Kind::Initial {
            let len = cursor.number()?;
            cursor.take(usize::try_from(len).unwrap_or(usize::MAX))?;
        }
        let end = match kind {
            Kind::Initial | Kind::ZeroRtt | Kind::Handshake => {
                let len = usize::try_from(cursor.number()?).unwrap_or(usize::MAX);
                let number_at = cursor.at;
                cursor.take(len)?;
                return Ok(Self { version, kind, destination, source, number_at, end: number_at + len });
            }
            Kind::Retry | Kind::Negotiation => data.len(),
        };
        Ok(Self { version, kind, destination, source, number_at: cursor.at, end })
    }

    /// The version and identifiers alone, which every version has (RFC 8999 section 5.1).
    ///
    /// # Errors
    /// When they are not whole, or longer than those of the known versions.
    pub fn invariant(data: &'a [u8]) -> Result<(u32, &'a [u8], &'a [u8]), Malformed> {
        let mut cursor = Cursor { data, at: 1 };
        Ok((u32::from_be_bytes(*cursor.array()?), cursor.identifier()?, cursor.identifier()?))
    }
}

/// A frame of an Initial packet, as far as it matters here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Frame<'a> {
    /// Handshake bytes and their place in the stream.
    Crypto {
        /// Position of the first byte.
        offset: u64,
        /// The bytes.
        data: &'a [u8],
    },
    /// The end of the connection.
    Close,
    /// Padding, pings and acknowledgements.
    Other,
}

/// The frames of a packet without its protection, up to the first that is not readable.
pub fn frames(payload: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    let mut cursor = Cursor { data: payload, at: 0 };
    core::iter::from_fn(move || {
        // Padding is most of a packet: passed over in one go.
        let padding = cursor.data.get(cursor.at..)?.iter().take_while(|byte| **byte == 0).count();
        cursor.at += padding;
        frame(&mut cursor).ok()
    })
}

fn frame<'a>(cursor: &mut Cursor<'a>) -> Result<Frame<'a>, Malformed> {
    let at = cursor.at;
    match cursor.number()? {
        1 => Ok(Frame::Other),
        kind @ (2 | 3) => {
            // Largest, delay, count, first range; then pairs, and three counts with kind 3.
            let (_largest, _delay, ranges, _first) =
                (cursor.number()?, cursor.number()?, cursor.number()?, cursor.number()?);
            let numbers = ranges.saturating_mul(2).saturating_add(if kind == 3 { 3 } else { 0 });
            for _ in 0..numbers {
                cursor.number()?;
            }
            Ok(Frame::Other)
        }
        6 => {
            let offset = cursor.number()?;
            let len = usize::try_from(cursor.number()?).unwrap_or(usize::MAX);
            Ok(Frame::Crypto { offset, data: cursor.take(len)? })
        }
        0x1c => {
            let (_code, _frame, len) = (cursor.number()?, cursor.number()?, cursor.number()?);
            cursor.take(usize::try_from(len).unwrap_or(usize::MAX))?;
            Ok(Frame::Close)
        }
        _ => Err(Malformed { at }),
    }
}

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

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let at = self.at;
        self.take(N)?.first_chunk().ok_or(Malformed { at })
    }

    fn identifier(&mut self) -> Result<&'a [u8], Malformed> {
        let at = self.at;
        let len = usize::from(self.take(1)?[0]);
        if len > MAX_ID { Err(Malformed { at }) } else { self.take(len) }
    }

    /// RFC 9000 section 16: two bits say how many bytes the number has.
    fn number(&mut self) -> Result<u64, Malformed> {
        let first = *self.data.get(self.at).ok_or(Malformed { at: self.at })?;
        let bytes = self.take(1 << (first >> 6))?;
        let rest = bytes[1..].iter();
        Ok(rest.fold(u64::from(first & 0x3f), |number, byte| number << 8 | u64::from(*byte)))
    }
}

#[cfg(test)]
mod tests;
