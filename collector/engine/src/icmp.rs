//! Which ICMP message answers which: the pairs that make an exchange out of two one-way messages.
//!
//! The pairs are those of the Community ID specification (version 1) and of Zeek, which agree.

use enigma_wire::IpVersion;

/// The type that answers `kind`, or `None` for messages that are sent and not answered (errors, reports).
pub(crate) const fn counterpart(version: IpVersion, kind: u8) -> Option<u8> {
    Some(match (version, kind) {
        // RFC 792: echo, timestamp, information; RFC 1256: router discovery; RFC 950: address mask.
        (IpVersion::V4, 8) => 0,
        (IpVersion::V4, 0) => 8,
        (IpVersion::V4, 13) => 14,
        (IpVersion::V4, 14) => 13,
        (IpVersion::V4, 15) => 16,
        (IpVersion::V4, 16) => 15,
        (IpVersion::V4, 10) => 9,
        (IpVersion::V4, 9) => 10,
        (IpVersion::V4, 17) => 18,
        (IpVersion::V4, 18) => 17,
        // RFC 4443: echo; RFC 4861: router and neighbor discovery; RFC 2710: listener query and report;
        // RFC 4620: node information; RFC 6275: home agent discovery.
        (IpVersion::V6, 128) => 129,
        (IpVersion::V6, 129) => 128,
        (IpVersion::V6, 133) => 134,
        (IpVersion::V6, 134) => 133,
        (IpVersion::V6, 135) => 136,
        (IpVersion::V6, 136) => 135,
        (IpVersion::V6, 130) => 131,
        (IpVersion::V6, 131) => 130,
        (IpVersion::V6, 139) => 140,
        (IpVersion::V6, 140) => 139,
        (IpVersion::V6, 144) => 145,
        (IpVersion::V6, 145) => 144,
        _ => return None,
    })
}
