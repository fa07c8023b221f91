//! NTP's time messages (RFC 5905 section 7.3), as plain values.

use crate::error::Malformed;

/// A message of modes 1 to 5.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Message {
    /// Version.
    pub version: u8,
    /// Mode: 3 is a client, 4 a server.
    pub mode: u8,
    /// Distance from a clock, in servers.
    pub stratum: u8,
    /// Interval between messages, as an exponent of two in seconds.
    pub poll: i8,
    /// Precision of the clock, likewise.
    pub precision: i8,
    /// Delay to the reference clock, in units of 2^-16 seconds.
    pub root_delay: u32,
    /// Dispersion to the reference clock, likewise.
    pub root_dispersion: u32,
    /// Which clock or server it follows.
    pub reference: [u8; 4],
    /// When it was last set, when the request left, came in and the answer left: seconds since 1900 and their fractions,
    /// 32 bits each. 0 is unknown.
    pub times: [u64; 4],
    /// Bytes behind the message: extensions and authentication.
    pub rest: usize,
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// When it is not whole, or of another mode (6 and 7 are commands).
    pub fn decode(data: &[u8]) -> Result<Self, Malformed> {
        let fixed = data.first_chunk::<48>().ok_or(Malformed { at: data.len() })?;
        let (version, mode) = (fixed[0] >> 3 & 7, fixed[0] & 7);
        if !(1..=5).contains(&mode) || !(1..=4).contains(&version) {
            return Err(Malformed { at: 0 });
        }
        let word = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let time = |at: usize| u64::from(word(at)) << 32 | u64::from(word(at + 4));
        Ok(Self {
            version,
            mode,
            stratum: fixed[1],
            poll: fixed[2] as i8,
            precision: fixed[3] as i8,
            root_delay: word(4),
            root_dispersion: word(8),
            reference: [fixed[12], fixed[13], fixed[14], fixed[15]],
            times: [time(16), time(24), time(32), time(40)],
            rest: data.len() - 48,
        })
    }

    /// Extension fields behind the message (RFC 7822): each has a length of at least 16; what is left is a MAC.
    pub fn extensions(data: &[u8]) -> u32 {
        let mut rest = data.get(48..).unwrap_or_default();
        let mut count = 0;
        // A MAC has at most 24 bytes.
        while rest.len() > 24 {
            let len = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
            if len < 16 || len % 4 != 0 || len > rest.len() {
                break;
            }
            rest = &rest[len..];
            count += 1;
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_message_is_read() {
        let mut bytes = vec![0; 48];
        (bytes[0], bytes[1], bytes[2], bytes[3]) = (0b00_100_011, 2, 6, 0xe9);
        bytes[40..48].copy_from_slice(&[0x83, 0xaa, 0x7e, 0x80, 0x80, 0, 0, 0]);
        let read = Message::decode(&bytes).unwrap();
        assert_eq!((read.version, read.mode, read.stratum, read.poll, read.precision), (4, 3, 2, 6, -23));
        assert_eq!(read.times, [0, 0, 0, 2_208_988_800 << 32 | 1 << 31]);
        assert!(Message::decode(&bytes[..47]).is_err());
        bytes[0] = 0b00_100_110;
        assert!(Message::decode(&bytes).is_err());
    }

    #[test]
    fn extensions_are_counted_and_a_mac_is_none() {
        let mut bytes = vec![0; 48 + 28 + 16 + 20];
        bytes[51] = 28;
        bytes[79] = 16;
        assert_eq!(Message::extensions(&bytes), 2);
        assert_eq!((Message::extensions(&bytes[..48]), Message::extensions(&[0; 48 + 20])), (0, 0));
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..140)) {
            prop_assert_eq!(Message::decode(&bytes).is_ok_and(|read| read.rest + 48 != bytes.len()), false);
            prop_assert!(Message::extensions(&bytes) <= 6);
        }
    }
}
