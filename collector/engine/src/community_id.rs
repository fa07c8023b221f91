//! Community ID, version 1: the flow identifier many tools agree on
//! (<https://github.com/corelight/community-id-spec>).
//!
//! SHA-1 over seed, addresses, protocol, a zero byte and ports, smaller end first, in base64 behind `1:`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use enigma_wire::IpVersion;
use sha1::{Digest, Sha1};

/// Length of the text: `1:` and 20 bytes in base64.
pub(crate) const TEXT_LEN: usize = 30;

/// The two ends of a flow; for ICMP the "ports" are type and answering type (or code).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) version: IpVersion,
    pub(crate) source: (u128, u16),
    pub(crate) destination: (u128, u16),
    pub(crate) protocol: u8,
    /// The flow has a direction that its identifier keeps: ICMP messages without an answer.
    pub(crate) one_way: bool,
}

/// Protocols whose ports are part of the identifier: ICMP, TCP, UDP, ICMPv6, SCTP.
const WITH_PORTS: [u8; 5] = [1, 6, 17, 58, 132];

pub(crate) fn compute(seed: u16, ends: &Ends) -> [u8; TEXT_LEN] {
    let in_order = ends.one_way || ends.source <= ends.destination;
    let (first, second) =
        if in_order { (ends.source, ends.destination) } else { (ends.destination, ends.source) };
    let mut input = [0; 2 + 16 + 16 + 2 + 4];
    let mut len = 0;
    let mut put = |bytes: &[u8]| {
        input[len..len + bytes.len()].copy_from_slice(bytes);
        len += bytes.len();
    };
    put(&seed.to_be_bytes());
    for (address, _) in [first, second] {
        match ends.version {
            IpVersion::V4 => put(&(address as u32).to_be_bytes()),
            IpVersion::V6 => put(&address.to_be_bytes()),
        }
    }
    put(&[ends.protocol, 0]);
    if WITH_PORTS.contains(&ends.protocol) {
        put(&first.1.to_be_bytes());
        put(&second.1.to_be_bytes());
    }
    let digest = Sha1::digest(&input[..len]);
    let mut text = [b'='; TEXT_LEN];
    text[..2].copy_from_slice(b"1:");
    // 20 bytes make exactly the 28 characters left; a failure would leave padding, not a panic.
    let _written = STANDARD.encode_slice(digest, &mut text[2..]);
    text
}
