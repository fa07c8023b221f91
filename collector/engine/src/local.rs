//! Which addresses are ours: the answer to `local_orig` and `local_resp`.

use core::net::IpAddr;

use enigma_wire::IpVersion;

/// A set of networks. Asked twice per record, never per packet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LocalNets {
    v4: Vec<(u32, u8)>,
    v6: Vec<(u128, u8)>,
}

/// Zeek's private address space (`Site::private_address_space`): the blocks IANA's special-purpose registries
/// mark as not globally reachable, and those of IPv4 again as 6to4 (RFC 3056).
const PRIVATE_V4: [(u32, u8); 16] = [
    (0x0000_0000, 8),
    (0x0a00_0000, 8),
    (0x6440_0000, 10),
    (0x7f00_0000, 8),
    (0xa9fe_0000, 16),
    (0xac10_0000, 12),
    (0xc000_0000, 24),
    (0xc000_0200, 24),
    (0xc0a8_0000, 16),
    (0xc612_0000, 15),
    (0xc633_6400, 24),
    (0xcb00_7100, 24),
    (0xe000_0000, 24),
    (0xef00_0000, 8),
    (0xf000_0000, 4),
    (0xffff_ffff, 32),
];

const PRIVATE_V6: [(u128, u8); 10] = [
    (0, 128),
    (1, 128),
    (0x0064_ff9b_0001 << 80, 48),
    (0x0100 << 112, 64),
    (0x2001 << 112, 23),
    (0x2001_0002 << 96, 48),
    (0x2001_0db8 << 96, 32),
    (0xfc00 << 112, 7),
    (0xfe80 << 112, 10),
    (0xfec0 << 112, 10),
];

impl LocalNets {
    /// The networks given as address and prefix length; a prefix too long for its family is a host.
    pub fn new(nets: impl IntoIterator<Item = (IpAddr, u8)>) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (address, prefix) in nets {
            match address {
                IpAddr::V4(address) => v4.push((address.to_bits(), prefix.min(32))),
                IpAddr::V6(address) => v6.push((address.to_bits(), prefix.min(128))),
            }
        }
        Self { v4, v6 }
    }

    /// These and others, given as address and prefix length.
    #[must_use]
    pub fn with(mut self, nets: impl IntoIterator<Item = (IpAddr, u8)>) -> Self {
        let more = Self::new(nets);
        self.v4.extend(more.v4);
        self.v6.extend(more.v6);
        self
    }

    /// No networks at all: the two fields are then left out of records.
    pub fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    pub(crate) fn contains(&self, version: IpVersion, address: u128) -> bool {
        match version {
            IpVersion::V4 => self.v4.iter().any(|&(net, prefix)| {
                let shift = 32 - u32::from(prefix);
                (net ^ address as u32).checked_shr(shift).unwrap_or(0) == 0
            }),
            IpVersion::V6 => self.v6.iter().any(|&(net, prefix)| {
                let shift = 128 - u32::from(prefix);
                (net ^ address).checked_shr(shift).unwrap_or(0) == 0
            }),
        }
    }

    pub(crate) fn contains_ip(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.contains(IpVersion::V4, u128::from(address.to_bits())),
            IpAddr::V6(address) => self.contains(IpVersion::V6, address.to_bits()),
        }
    }
}

impl Default for LocalNets {
    fn default() -> Self {
        let six_to_four = PRIVATE_V4
            .iter()
            .map(|&(net, prefix)| ((0x2002_u128 << 112) | (u128::from(net) << 80), prefix + 16));
        Self { v4: PRIVATE_V4.to_vec(), v6: PRIVATE_V6.iter().copied().chain(six_to_four).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_local(nets: &LocalNets, address: &str) -> bool {
        nets.contains_ip(address.parse().unwrap())
    }

    #[test]
    fn private_space_is_local_by_default_also_as_6to4() {
        let nets = LocalNets::default();
        for local in [
            "10.255.0.1",
            "172.31.0.1",
            "192.168.0.1",
            "100.64.0.1",
            "fd00::1",
            "fe80::1",
            "::1",
            "2002:a00:1::1",
        ] {
            assert!(is_local(&nets, local), "{local}");
        }
        for remote in ["172.32.0.1", "100.128.0.1", "8.8.8.8", "2600::1", "2002:808:808::1"] {
            assert!(!is_local(&nets, remote), "{remote}");
        }
    }

    #[test]
    fn prefixes_from_nothing_to_everything() {
        let nets = LocalNets::new([("10.1.0.0".parse().unwrap(), 16), ("2001:db8::".parse().unwrap(), 32)]);
        assert!(is_local(&nets, "10.1.255.255") && !is_local(&nets, "10.2.0.0"));
        assert!(is_local(&nets, "2001:db8:ffff::1") && !is_local(&nets, "2001:db9::"));
        let more = LocalNets::default()
            .with([("203.0.113.0".parse().unwrap(), 24), ("2600:1f18::".parse().unwrap(), 36)]);
        assert!(
            is_local(&more, "203.0.113.9")
                && is_local(&more, "2600:1f18:1::9")
                && is_local(&more, "10.9.9.9")
        );
        assert!(!is_local(&more, "203.0.112.9") && !is_local(&more, "2600:1f19::9"));
        let all = LocalNets::new([("0.0.0.0".parse().unwrap(), 0)]);
        assert!(is_local(&all, "255.1.2.3") && !is_local(&all, "::1"));
        let host = LocalNets::new([("10.1.2.3".parse().unwrap(), 99)]);
        assert!(is_local(&host, "10.1.2.3") && !is_local(&host, "10.1.2.2"));
    }
}
