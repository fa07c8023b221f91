//! DHCP for IPv4 (RFC 2131 section 2, RFC 2132), as borrowed views.

use core::net::Ipv4Addr;

use crate::error::Malformed;

/// Where options begin: behind the fixed part and the cookie that says so.
const OPTIONS: usize = 240;

const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// A message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    data: &'a [u8],
    /// From a server, and not from a client.
    pub is_reply: bool,
    /// The client's number for this transaction.
    pub transaction: u32,
    /// The address the client has.
    pub client: Ipv4Addr,
    /// The address it is given.
    pub yours: Ipv4Addr,
    /// The client's hardware address, if it is Ethernet's.
    pub hardware: Option<[u8; 6]>,
}

impl<'a> Message<'a> {
    /// Reads the fixed part.
    ///
    /// # Errors
    /// When it is not whole, or plain BOOTP.
    pub fn decode(data: &'a [u8]) -> Result<Self, Malformed> {
        let fixed = data.first_chunk::<OPTIONS>().ok_or(Malformed { at: data.len() })?;
        if !matches!(fixed[0], 1 | 2) || fixed[236..] != COOKIE {
            return Err(Malformed { at: 0 });
        }
        let word = |at: usize| u32::from_be_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
        let hardware = fixed[28..].first_chunk::<6>().copied();
        Ok(Self {
            data,
            is_reply: fixed[0] == 2,
            transaction: word(4),
            client: word(12).into(),
            yours: word(16).into(),
            hardware: hardware.filter(|_| (fixed[1], fixed[2]) == (1, 6)),
        })
    }

    /// Options in their order, up to the end or to the first that is cut; those that overflow into the fields for names
    /// (RFC 2132 section 9.3) behind them.
    pub fn options(&self) -> impl Iterator<Item = (u8, &'a [u8])> + use<'a> {
        let overload =
            options(&self.data[OPTIONS..]).find(|(kind, _)| *kind == 52).and_then(|(_, data)| data.first());
        let overload = overload.copied().unwrap_or(0);
        let file = if overload & 1 != 0 { &self.data[108..236] } else { &[] };
        let server = if overload & 2 != 0 { &self.data[44..108] } else { &[] };
        options(&self.data[OPTIONS..]).chain(options(file)).chain(options(server))
    }
}

fn options(data: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    let mut rest = data;
    core::iter::from_fn(move || {
        loop {
            let (&kind, behind) = rest.split_first()?;
            match kind {
                0 => rest = behind,
                255 => return None,
                _ => {
                    let (&len, behind) = behind.split_first()?;
                    let (data, behind) = behind.split_at_checked(usize::from(len))?;
                    rest = behind;
                    return Some((kind, data));
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn message(options: &[u8]) -> Vec<u8> {
        let mut bytes = [0; OPTIONS].to_vec();
        (bytes[0], bytes[1], bytes[2]) = (1, 1, 6);
        bytes[4..8].copy_from_slice(&[1, 2, 3, 4]);
        bytes[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 9]);
        bytes[108..112].copy_from_slice(&[15, 2, b'o', b'k']);
        bytes[236..].copy_from_slice(&COOKIE);
        [&bytes, options].concat()
    }

    #[test]
    fn options_are_read_also_where_they_overflow() {
        let bytes = message(&[53, 1, 3, 0, 52, 1, 1, 255, 7]);
        let read = Message::decode(&bytes).unwrap();
        assert_eq!(
            (read.transaction, read.is_reply, read.hardware),
            (0x0102_0304, false, Some([2, 0, 0, 0, 0, 9]))
        );
        let options: Vec<_> = read.options().collect();
        assert_eq!(options, [(53, &[3][..]), (52, &[1]), (15, b"ok")]);
        let cut = message(&[53, 1, 3, 12, 9, b'x']);
        assert_eq!(Message::decode(&cut).unwrap().options().count(), 1);
        assert!(Message::decode(&cut[..200]).is_err() && Message::decode(&[1; 300]).is_err());
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(options in prop::collection::vec(prop_oneof![Just(52_u8), any::<u8>()], 0..80)) {
            let bytes = message(&options);
            let read = Message::decode(&bytes).unwrap();
            prop_assert!(read.options().count() <= bytes.len());
        }
    }
}
