//! The hellos of SSL 2 as borrowed views (Hickman, "The SSL Protocol", Netscape 1995; RFC 5246 appendix E.2).
//!
//! Nobody should speak it (RFC 6176), yet clients that would take TLS, too, sent their first hello in this form until
//! about 2011, and some still do. The server then answers in the form of the version it chose.

use crate::error::Malformed;

/// The version that has this form for everything; hellos of clients may name a later one.
pub const VERSION: u16 = 2;

/// Bytes in front of a client's lists: record, kind, version and three lengths.
pub const HEADER: usize = 11;

const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 4;

/// A client's hello.
#[derive(Clone, Copy, Debug)]
pub struct ClientHello<'a> {
    /// The highest version it would speak: 2, or one of SSL 3 and TLS.
    pub version: u16,
    /// Session it would resume.
    pub session_id: &'a [u8],
    /// 16 to 32 random bytes.
    pub challenge: &'a [u8],
    ciphers: &'a [u8],
}

/// A server's hello; only of servers that chose SSL 2.
#[derive(Clone, Copy, Debug)]
pub struct ServerHello<'a> {
    /// It takes up the session the client named, and repeats neither certificate nor ciphers.
    pub is_same_session: bool,
    /// Its certificate in DER.
    pub certificate: &'a [u8],
    ciphers: &'a [u8],
}

/// The length of the record that `data` begins with, header included. Headers have two bytes, or three with the length
/// of a padding, which nothing that is not encrypted has.
pub fn record_len(data: &[u8]) -> Option<usize> {
    let &[first, second, ..] = data else { return None };
    let low = usize::from(second);
    Some(match first & 0x80 {
        0 => 3 + (usize::from(first & 0x3f) << 8 | low),
        _ => 2 + (usize::from(first & 0x7f) << 8 | low),
    })
}

/// Whether these are the first bytes of a record with a client's hello: it is told by lengths that fit each other.
pub fn is_client_hello(header: &[u8; HEADER]) -> bool {
    let word = |at: usize| usize::from(u16::from_be_bytes([header[at], header[at + 1]]));
    let (ciphers, session, challenge) = (word(5), word(7), word(9));
    header[0] & 0x80 != 0
        && header[2] == CLIENT_HELLO
        && matches!(word(3), 2 | 0x0300..=0x0303)
        && ciphers > 0
        && ciphers.is_multiple_of(3)
        && matches!(session, 0 | 16 | 32)
        && (16..=32).contains(&challenge)
        && record_len(header) == Some(HEADER + ciphers + session + challenge)
}

/// Whether a record begins as a server's hello does.
pub fn is_server_hello(data: &[u8]) -> bool {
    matches!(data, [0x80..=0xff, _, SERVER_HELLO, ..])
}

impl<'a> ClientHello<'a> {
    /// Reads the record.
    ///
    /// # Errors
    /// When it is not whole, or something else.
    pub fn decode(record: &'a [u8]) -> Result<Self, Malformed> {
        let header = record.first_chunk::<HEADER>().ok_or(Malformed { at: record.len() })?;
        if !is_client_hello(header) {
            return Err(Malformed { at: 0 });
        }
        let [ciphers, session_id, challenge] = lists(record, HEADER, [5, 7, 9])?;
        Ok(Self { version: u16::from_be_bytes([header[3], header[4]]), session_id, challenge, ciphers })
    }

    /// Ciphers in the client's order: 24 bits, those of SSL 3 and TLS with eight zeros in front.
    pub fn ciphers(&self) -> impl Iterator<Item = u32> + use<'a> {
        ciphers(self.ciphers)
    }
}

impl<'a> ServerHello<'a> {
    /// Reads the record.
    ///
    /// # Errors
    /// When it is not whole, or something else.
    pub fn decode(record: &'a [u8]) -> Result<Self, Malformed> {
        let header = record.first_chunk::<13>().ok_or(Malformed { at: record.len() })?;
        if !is_server_hello(record) || u16::from_be_bytes([header[5], header[6]]) != VERSION {
            return Err(Malformed { at: 0 });
        }
        let [certificate, ciphers, _connection] = lists(record, 13, [7, 9, 11])?;
        Ok(Self { is_same_session: header[3] != 0, certificate, ciphers })
    }

    /// The ciphers it leaves the client to choose from.
    pub fn ciphers(&self) -> impl Iterator<Item = u32> + use<'a> {
        ciphers(self.ciphers)
    }
}

/// Three lists that follow each other from `at` on, and whose lengths stand at `places`.
fn lists(record: &[u8], at: usize, places: [usize; 3]) -> Result<[&[u8]; 3], Malformed> {
    let mut at = at;
    let mut lists = [&[][..]; 3];
    for (list, place) in lists.iter_mut().zip(places) {
        let len = record.get(place..place + 2).ok_or(Malformed { at: place })?;
        let end = at + usize::from(u16::from_be_bytes([len[0], len[1]]));
        *list = record.get(at..end).ok_or(Malformed { at })?;
        at = end;
    }
    Ok(lists)
}

fn ciphers(data: &[u8]) -> impl Iterator<Item = u32> + use<'_> {
    data.chunks_exact(3).map(|number| u32::from_be_bytes([0, number[0], number[1], number[2]]))
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn client() -> Vec<u8> {
        let lists = [&[1, 0, 0x80, 0, 0, 0x2f][..], &[7; 16]].concat();
        [&[0x80, 31, 1, 3, 1, 0, 6, 0, 0, 0, 16][..], &lists].concat()
    }

    fn server() -> Vec<u8> {
        [&[0x80, 11 + 4 + 3 + 2, 4, 0, 1, 0, 2, 0, 4, 0, 3, 0, 2][..], b"cert", &[1, 0, 0x80], b"id"].concat()
    }

    #[test]
    fn hellos_are_read() {
        let bytes = client();
        let hello = ClientHello::decode(&bytes).unwrap();
        assert_eq!((hello.version, hello.session_id, hello.challenge), (0x0301, &[][..], &[7; 16][..]));
        assert_eq!(hello.ciphers().collect::<Vec<_>>(), [0x01_0080, 0x2f]);
        let bytes = server();
        let hello = ServerHello::decode(&bytes).unwrap();
        assert_eq!((hello.is_same_session, hello.certificate), (false, &b"cert"[..]));
        assert_eq!(hello.ciphers().next(), Some(0x01_0080));
        assert_eq!(record_len(&bytes), Some(bytes.len()));
        assert_eq!(record_len(&[0x01, 0x02, 9]), Some(3 + 0x102));
    }

    #[test]
    fn lengths_that_do_not_fit_are_no_hello() {
        let bytes = client();
        // Record, kind, version and the three lengths; which ciphers there are may be anything.
        for at in [0, 1, 2, 5, 6, 7, 8, 9, 10] {
            let mut bent = bytes.clone();
            bent[at] ^= 0x04;
            assert!(ClientHello::decode(&bent).is_err(), "{at}");
        }
        assert!((0..bytes.len()).all(|len| ClientHello::decode(&bytes[..len]).is_err()));
        let bytes = server();
        assert!((0..bytes.len()).all(|len| ServerHello::decode(&bytes[..len]).is_err()));
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(
            mut bytes in prop::collection::vec(prop_oneof![Just(0_u8), Just(3), Just(16), any::<u8>()], 0..80),
            kind in prop_oneof![Just(1_u8), Just(4)],
        ) {
            if bytes.len() > 2 {
                (bytes[0], bytes[2]) = (bytes[0] | 0x80, kind);
            }
            if let Ok(hello) = ClientHello::decode(&bytes) {
                prop_assert!(hello.ciphers().count() * 3 + hello.challenge.len() <= bytes.len());
            }
            if let Ok(hello) = ServerHello::decode(&bytes) {
                prop_assert!(hello.ciphers().count() * 3 + hello.certificate.len() <= bytes.len());
            }
        }
    }
}
