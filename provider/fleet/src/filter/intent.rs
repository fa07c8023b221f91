//! The intent of one filter rule, already valid.

use std::fmt;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::inventory::{Direction, PortRange, RuleAction};

/// Which directions a rule speaks of, relative to the mirrored interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Directions {
    /// Both: what a person means who does not say.
    #[default]
    Both,
    /// From the interface only.
    Egress,
    /// Towards the interface only.
    Ingress,
}

impl Directions {
    /// Whether `direction` is one of them.
    #[must_use]
    pub fn includes(self, direction: Direction) -> bool {
        match self {
            Self::Both => true,
            Self::Egress => direction == Direction::Egress,
            Self::Ingress => direction == Direction::Ingress,
        }
    }
}

/// A version of the Internet protocol. AWS needs a rule for each: `0.0.0.0/0` does not match IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpVersion {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl IpVersion {
    /// Both, in the order rules are written.
    pub const ALL: [Self; 2] = [Self::Ipv4, Self::Ipv6];

    /// The version of a network.
    #[must_use]
    pub fn of(net: &IpNet) -> Self {
        match net {
            IpNet::V4(_) => Self::Ipv4,
            IpNet::V6(_) => Self::Ipv6,
        }
    }

    /// As people write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }
}

/// The ports of a rule. Every list is sorted, disjoint and not adjacent; only TCP and UDP have ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Ports {
    /// Every port, and protocols without ports.
    #[default]
    Any,
    /// The packet's source *or* destination port is in the list: the connection concerns the service whoever offers it.
    /// Costs two rules per range and direction.
    Either(Vec<PortRange>),
    /// The interface's own port is in `local` *and* the other side's is in `remote`; an empty list is every port. Costs one
    /// rule per pair of ranges and direction.
    Sides {
        /// Ports of the mirrored interface: destination on ingress, source on egress.
        local: Vec<PortRange>,
        /// Ports of the other side.
        remote: Vec<PortRange>,
    },
}

/// One rule as intended. An ordered list of these is a filter: the first that matches a packet decides, and what none matches
/// is not mirrored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Intent {
    /// Mirror or not.
    pub action: RuleAction,
    /// IANA protocol number; `None` is every protocol. 1 (ICMP) speaks of IPv4 only, 58 (ICMPv6) of IPv6 only.
    pub protocol: Option<u8>,
    /// Towards the interface, from it, or both.
    pub directions: Directions,
    /// Which ports.
    pub ports: Ports,
    /// Networks of the interface's own address; empty is every address.
    pub local: Vec<IpNet>,
    /// Networks of the other side's address; empty is every address.
    pub remote: Vec<IpNet>,
}

impl Intent {
    /// Whether the rule says anything about packets of a version.
    #[must_use]
    pub fn speaks_of(&self, version: IpVersion) -> bool {
        let protocol = match self.protocol {
            Some(1) => version == IpVersion::Ipv4,
            Some(58) => version == IpVersion::Ipv6,
            _ => true,
        };
        let has = |nets: &[IpNet]| nets.is_empty() || nets.iter().any(|net| IpVersion::of(net) == version);
        protocol && has(&self.local) && has(&self.remote)
    }
}

/// Sorts ranges and joins those that overlap or touch; matches exactly the same ports.
#[must_use]
pub(crate) fn join_ranges(mut ranges: Vec<PortRange>) -> Vec<PortRange> {
    ranges.sort_unstable();
    let mut joined: Vec<PortRange> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if u32::from(range.from) <= u32::from(last.to) + 1 => last.to = last.to.max(range.to),
            _ => joined.push(range),
        }
    }
    joined
}

/// Removes networks inside others and joins neighbours; matches exactly the same addresses.
#[must_use]
pub(crate) fn join_nets(nets: &[IpNet]) -> Vec<IpNet> {
    let mut joined = IpNet::aggregate(&nets.to_vec());
    joined.sort_unstable();
    joined
}

/// A protocol as people write it.
pub(crate) fn protocol_name(protocol: Option<u8>) -> String {
    match protocol {
        None => "all".to_owned(),
        Some(1) => "icmp".to_owned(),
        Some(6) => "tcp".to_owned(),
        Some(17) => "udp".to_owned(),
        Some(58) => "icmpv6".to_owned(),
        Some(number) => format!("protocol {number}"),
    }
}

struct Ranges<'a>(&'a [PortRange]);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, range) in self.0.iter().enumerate() {
            let comma = if position == 0 { "" } else { "," };
            if range.from == range.to {
                write!(f, "{comma}{}", range.from)?;
            } else {
                write!(f, "{comma}{}-{}", range.from, range.to)?;
            }
        }
        Ok(())
    }
}

/// Short text for consoles and messages, such as `reject tcp ports 3260,6000-6010`.
impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            RuleAction::Accept => "accept",
            RuleAction::Reject => "reject",
        };
        write!(f, "{action} {}", protocol_name(self.protocol))?;
        match self.directions {
            Directions::Both => {}
            Directions::Egress => f.write_str(" egress")?,
            Directions::Ingress => f.write_str(" ingress")?,
        }
        match &self.ports {
            Ports::Any => {}
            Ports::Either(ranges) => write!(f, " ports {}", Ranges(ranges))?,
            Ports::Sides { local, remote } => {
                if !local.is_empty() {
                    write!(f, " local ports {}", Ranges(local))?;
                }
                if !remote.is_empty() {
                    write!(f, " remote ports {}", Ranges(remote))?;
                }
            }
        }
        for (side, nets) in [("local", &self.local), ("remote", &self.remote)] {
            if let Some((first, rest)) = nets.split_first() {
                write!(f, " {side} {first}")?;
                for net in rest {
                    write!(f, ",{net}")?;
                }
            }
        }
        Ok(())
    }
}
