//! Keys of Initial packets and the removal of their protection (RFC 9001 section 5, RFC 9369 section 3.3).

use aws_lc_rs::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey, quic},
    hkdf,
};
use enigma_wire::quic::VERSION_2;

/// Longest packet that is read: a datagram of Ethernet, or of a jumbo frame.
const MAX_PACKET: usize = 9216;

const SALT_1: &[u8] = b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
const SALT_2: &[u8] = b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9";
/// Drafts 29 to 32.
const SALT_29: &[u8] = b"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99";
/// Drafts 23 to 28.
const SALT_23: &[u8] = b"\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02";
/// Drafts 21 and 22.
const SALT_21: &[u8] = b"\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a";

/// The salt of a version. Versions of the fleets that deployed drafts first are among them.
fn salt(version: u32) -> Option<&'static [u8]> {
    Some(match version {
        1 | 0xff00_0021 | 0xff00_0022 => SALT_1,
        VERSION_2 => SALT_2,
        0xff00_001d..=0xff00_0020 => SALT_29,
        // Drafts, and Facebook's versions made of them.
        0xff00_0017..=0xff00_001c | 0xface_b002 | 0xface_b00e => SALT_23,
        0xff00_0015 | 0xff00_0016 | 0xface_b001 => SALT_21,
        _ => return None,
    })
}

/// Whether packets of this version can be read.
pub(super) fn is_known(version: u32) -> bool {
    salt(version).is_some()
}

/// Both directions' keys.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) client: Half,
    pub(super) server: Half,
    version: u32,
    /// The identifier they follow from.
    destination: Box<[u8]>,
}

/// One direction's keys.
#[derive(Clone, Debug)]
pub(super) struct Half {
    key: [u8; 16],
    iv: [u8; 12],
    header: [u8; 16],
}

/// A length for `hkdf`.
struct Len(usize);

impl hkdf::KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label of TLS 1.3 (RFC 8446 section 7.1), without context.
fn expand<const N: usize>(secret: &hkdf::Prk, label: &str) -> Option<[u8; N]> {
    let mut out = [0; N];
    let begin = [(N >> 8) as u8, N as u8, 6 + label.len() as u8];
    let info = [&begin[..], b"tls13 ", label.as_bytes(), &[0]];
    secret.expand(&info, Len(N)).and_then(|okm| okm.fill(&mut out)).ok()?;
    Some(out)
}

impl Keys {
    /// The keys that follow from the client's first destination identifier.
    pub(super) fn new(version: u32, destination: &[u8]) -> Option<Self> {
        let initial = hkdf::Salt::new(hkdf::HKDF_SHA256, salt(version)?).extract(destination);
        let half = |label: &str| {
            let secret: [u8; 32] = expand(&initial, label)?;
            let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA256, &secret);
            let [key, iv, header] = if version == VERSION_2 {
                ["quicv2 key", "quicv2 iv", "quicv2 hp"]
            } else {
                ["quic key", "quic iv", "quic hp"]
            };
            Some(Half {
                key: expand(&secret, key)?,
                iv: expand(&secret, iv)?,
                header: expand(&secret, header)?,
            })
        };
        let (client, server) = (half("client in")?, half("server in")?);
        Some(Self { client, server, version, destination: destination.into() })
    }

    /// Those that follow from the same identifier in another version; `None` if it is the same or not known.
    pub(super) fn of_version(&self, version: u32) -> Option<Self> {
        (version != self.version).then(|| Self::new(version, &self.destination))?
    }
}

impl Half {
    /// The frames of a whole packet whose protected number begins at `number_at`; `None` if it is of other keys.
    pub(super) fn open(&self, packet: &[u8], number_at: usize) -> Option<Vec<u8>> {
        // The sample begins as if the number had four bytes (RFC 9001 section 5.4.2).
        let sample = packet.get(number_at + 4..number_at + 20)?;
        if packet.len() > MAX_PACKET {
            return None;
        }
        let mask =
            quic::HeaderProtectionKey::new(&quic::AES_128, &self.header).ok()?.new_mask(sample).ok()?;
        let mut bytes = packet.to_vec();
        bytes[0] ^= mask[0] & 0x0f;
        let number_len = usize::from(bytes[0] & 3) + 1;
        let mut iv = self.iv;
        for index in 0..number_len {
            bytes[number_at + index] ^= mask[1 + index];
            iv[12 - number_len + index] ^= bytes[number_at + index];
        }
        let (header, payload) = bytes.split_at_mut(number_at + number_len);
        let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &self.key).ok()?);
        let nonce = Nonce::assume_unique_for_key(iv);
        let len = key.open_in_place(nonce, Aad::from(&*header), payload).ok()?.len();
        let begin = number_at + number_len;
        bytes.truncate(begin + len);
        bytes.drain(..begin);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    impl Half {
        /// A packet of `header`, which ends with a number of four bytes, and `payload`.
        pub(in crate::l7::quic) fn seal(&self, header: &[u8], payload: &[u8]) -> Vec<u8> {
            let number_at = header.len() - 4;
            let mut iv = self.iv;
            iv.iter_mut().skip(8).zip(&header[number_at..]).for_each(|(byte, number)| *byte ^= number);
            let key = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &self.key).unwrap());
            let mut sealed = payload.to_vec();
            let nonce = Nonce::assume_unique_for_key(iv);
            key.seal_in_place_append_tag(nonce, Aad::from(header), &mut sealed).unwrap();
            let protection = quic::HeaderProtectionKey::new(&quic::AES_128, &self.header).unwrap();
            let mask = protection.new_mask(&sealed[..16]).unwrap();
            let mut packet = [header, &sealed].concat();
            packet[0] ^= mask[0] & 0x0f;
            packet[number_at..number_at + 4]
                .iter_mut()
                .zip(&mask[1..])
                .for_each(|(byte, mask)| *byte ^= mask);
            packet
        }
    }

    /// The server's Initial packet of RFC 9369 appendix A.3, to a client that began with version 1.
    #[test]
    fn keys_of_a_compatible_version_follow_from_the_same_identifier() {
        let packet = bytes(concat!(
            "dc6b3343cf0008f067a5502a4262b5004075d92faaf16f05d8a4398c47089698baeea26b91eb761d9b89237bbf8726301791",
            "5358230035f7fd3945d88965cf17f9af6e16886c61bfc703106fbaf3cb4cfa52382dd16a393e42757507698075b2c984c707",
            "f0a0812d8cd5a6881eaf21ceda98f4bd23f6fe1a3e2c43edd9ce7ca84bed8521e2e140"
        ));
        let one = Keys::new(1, &bytes("8394c8f03e515708")).unwrap();
        assert_eq!(one.server.open(&packet, 18), None);
        let two = one.of_version(VERSION_2).unwrap();
        assert_eq!(two.server.open(&packet, 18).unwrap()[..9], bytes("02000000000600405a"));
        assert!(one.of_version(1).is_none() && one.of_version(0x0a0a_0a0a).is_none());
    }

    /// RFC 9001 appendix A.1 and RFC 9369 appendix A.1.
    #[test]
    fn keys_are_those_of_the_examples() {
        let id = bytes("8394c8f03e515708");
        let one = Keys::new(1, &id).unwrap();
        assert_eq!(one.client.key[..], bytes("1f369613dd76d5467730efcbe3b1a22d"));
        assert_eq!(one.client.iv[..], bytes("fa044b2f42a3fd3b46fb255c"));
        assert_eq!(one.client.header[..], bytes("9f50449e04a0e810283a1e9933adedd2"));
        assert_eq!(one.server.key[..], bytes("cf3a5331653c364c88f0f379b6067e37"));
        let two = Keys::new(VERSION_2, &id).unwrap();
        assert_eq!(two.client.key[..], bytes("8b1a0bc121284290a29e0971b5cd045d"));
        assert_eq!(two.client.header[..], bytes("45b95e15235d6f45a6b19cbcb0294ba9"));
        assert!(Keys::new(0x0a0a_0a0a, &id).is_none());
    }

    /// The server's Initial packet of RFC 9001 appendix A.3.
    #[test]
    fn a_protected_packet_is_read_with_the_right_keys_only() {
        let packet = bytes(concat!(
            "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a9",
            "9f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd",
            "93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee"
        ));
        let keys = Keys::new(1, &bytes("8394c8f03e515708")).unwrap();
        let read = keys.server.open(&packet, 18).unwrap();
        assert_eq!(read[..9], bytes("02000000000600405a"));
        assert_eq!(keys.client.open(&packet, 18), None);
        for at in 0..packet.len() {
            let mut bent = packet.clone();
            bent[at] ^= 1;
            assert_eq!(keys.server.open(&bent, 18), None, "{at}");
        }
        for len in 0..packet.len() {
            assert_eq!(keys.server.open(&packet[..len], 18), None, "{len}");
        }
    }
}
