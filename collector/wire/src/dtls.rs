//! DTLS records and pieces of handshake messages as borrowed views (RFC 6347 section 4, RFC 9147 section 4).
//!
//! A datagram holds records, a record of the handshake holds pieces of messages. What a mirror session cut off is
//! told apart from what was never sent. Encrypted records of DTLS 1.3 have a header of their own; they end the walk.

/// Bytes before a record's payload.
const RECORD_HEADER: usize = 13;

/// Bytes before a piece of a handshake message.
const PIECE_HEADER: usize = 12;

/// A record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record<'a> {
    /// Content type: 20 change of cipher, 21 alert, 22 handshake, 23 data.
    pub kind: u8,
    /// Counts the changes of keys; what is in the first, 0, is not encrypted.
    pub epoch: u16,
    /// As far as it was captured.
    pub payload: &'a [u8],
    /// Bytes of it that were not captured, or not sent.
    pub missing: usize,
}

/// A piece of a handshake message, often the whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Piece<'a> {
    /// The message's type.
    pub kind: u8,
    /// The message's length, without header.
    pub len: usize,
    /// The message's number among those of its sender.
    pub sequence: u16,
    /// Where in the message it begins.
    pub offset: usize,
    /// As far as it was captured.
    pub data: &'a [u8],
    /// Bytes of it that were not captured.
    pub missing: usize,
}

/// Whether a header can be that of a record: 1.0, 1.2 (and what 1.3 calls itself in plain), and OpenSSL's version
/// before the standard.
const fn is_header(kind: u8, version: u16) -> bool {
    matches!(kind, 20..=25) && matches!(version, 0xfeff | 0xfefd | 0x0100)
}

/// Whether a datagram begins with an encrypted record of DTLS 1.3 (RFC 9147 section 4).
pub const fn is_unified(data: &[u8]) -> bool {
    matches!(data, [first, ..] if *first >> 5 == 1)
}

/// The records of a datagram, up to the first that is none. The last may be cut.
pub fn records(datagram: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = datagram;
    core::iter::from_fn(move || {
        let header = rest.first_chunk::<RECORD_HEADER>()?;
        let word = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
        is_header(header[0], word(1)).then_some(())?;
        let len = usize::from(word(11));
        let behind = &rest[RECORD_HEADER..];
        let payload = &behind[..len.min(behind.len())];
        rest = &behind[payload.len()..];
        Some(Record { kind: header[0], epoch: word(3), payload, missing: len - payload.len() })
    })
}

/// The pieces in the payload of a handshake record that is not encrypted, up to the first that contradicts itself.
pub fn pieces(payload: &[u8]) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = payload;
    core::iter::from_fn(move || {
        let header = rest.first_chunk::<PIECE_HEADER>()?;
        let number = |at: usize| {
            usize::from(header[at]) << 16 | usize::from(header[at + 1]) << 8 | usize::from(header[at + 2])
        };
        let (len, offset, here) = (number(1), number(6), number(9));
        (offset + here <= len).then_some(())?;
        let behind = &rest[PIECE_HEADER..];
        let data = &behind[..here.min(behind.len())];
        rest = &behind[data.len()..];
        let sequence = u16::from_be_bytes([header[4], header[5]]);
        Some(Piece { kind: header[0], len, sequence, offset, data, missing: here - data.len() })
    })
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn record(kind: u8, payload: &[u8]) -> Vec<u8> {
        let len = (payload.len() as u16).to_be_bytes();
        [&[kind, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1][..], &len, payload].concat()
    }

    #[test]
    fn records_and_pieces_are_walked_and_cuts_are_told() {
        let piece = [1, 0, 0, 9, 0, 2, 0, 0, 4, 0, 0, 3, 7, 8, 9];
        let datagram = [record(22, &piece), record(20, &[1]), record(23, &[5; 4])].concat();
        let kinds: Vec<_> = records(&datagram).map(|record| (record.kind, record.missing)).collect();
        assert_eq!(kinds, [(22, 0), (20, 0), (23, 0)]);
        let whole = Piece { kind: 1, len: 9, sequence: 2, offset: 4, data: &[7, 8, 9], missing: 0 };
        assert_eq!(pieces(&piece).collect::<Vec<_>>(), [whole]);
        let cut: Vec<_> = pieces(&piece[..14]).collect();
        assert_eq!(cut, [Piece { data: &[7, 8], missing: 1, ..whole }]);
        assert_eq!(records(&datagram[..datagram.len() - 3]).last().map(|record| record.missing), Some(3));
        // A piece that ends behind its message.
        assert_eq!(pieces(&[1, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 2, 7, 8]).count(), 0);
        assert!(is_unified(&[0x2f]) && !is_unified(&[0x16]) && !is_unified(&[]));
    }

    proptest! {
        #[test]
        fn anything_is_walked_within_its_bounds(bytes in prop::collection::vec(prop_oneof![0_u8..30, any::<u8>()], 0..200)) {
            let mut datagram = record(22, &bytes);
            datagram.extend_from_slice(&bytes);
            let read: usize = records(&datagram).map(|record| record.payload.len()).sum();
            prop_assert!(read >= bytes.len() && read <= datagram.len());
            let read: usize = pieces(&bytes).map(|piece| piece.data.len() + 12).sum();
            prop_assert!(read <= bytes.len());
        }
    }
}
