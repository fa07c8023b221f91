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

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::*;

    fn id(seed: u16, protocol: u8, source: (&str, u16), destination: (&str, u16), one_way: bool) -> String {
        let end = |(address, port): (&str, u16)| match address.parse().unwrap() {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), port),
            IpAddr::V6(v6) => (v6.to_bits(), port),
        };
        let version = if source.0.contains(':') { IpVersion::V6 } else { IpVersion::V4 };
        let ends = Ends { version, source: end(source), destination: end(destination), protocol, one_way };
        String::from_utf8(compute(seed, &ends).to_vec()).unwrap()
    }

    /// From the specification's baselines: either direction, every kind of protocol, another seed.
    #[test]
    fn identifiers_of_the_specification() {
        let (a, b) = (("128.232.110.120", 34855), ("66.35.250.204", 80));
        assert_eq!(id(0, 6, a, b, false), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(id(0, 6, b, a, false), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(id(1, 6, a, b, false), "1:3V71V58M3Ksw/yuFALMcW0LAHvc=");
        let (a, b) = (("192.168.1.52", 54585), ("8.8.8.8", 53));
        assert_eq!(id(0, 17, a, b, false), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        let (a, b) = (("192.168.170.8", 7), ("192.168.170.56", 7));
        assert_eq!(id(0, 132, a, b, false), "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=");
        let (a, b) = (("192.168.0.89", 8), ("192.168.0.1", 0));
        assert_eq!(id(0, 1, a, b, false), "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=");
        // RSVP has no ports; ICMP redirects and the like keep their direction.
        assert_eq!(id(0, 46, ("10.1.12.1", 0), ("10.1.12.2", 0), false), "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw=");
        assert_eq!(id(0, 1, ("10.0.0.1", 11), ("10.0.0.2", 0), true), "1:YHxtAirCG//0OzkcVAukqKQN9xM=");
        let (a, b) = (("3ffe:501:1800:2345::2", 3), ("3ffe:507:0:1:200:86ff:fe05:80da", 0));
        assert_eq!(id(0, 58, a, b, true), "1:2ObVBgIn28oZvibYZhZMBgh7WdQ=");
    }
}
