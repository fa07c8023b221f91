//! How long mirrored packets may be on each way to a target, as data.
//!
//! Mirroring adds bytes to a packet, and the ways differ in what they carry. AWS says what it adds (54 bytes over IPv4, 74 over
//! IPv6) and what each way's MTU is; limits that follow from the two by arithmetic are marked so. Which way a source takes is
//! a matter of routes, which are not known here: a person may say it of a target.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::filter::IpVersion;

/// What AWS says mirroring adds to a packet: by the version of the outer header.
/// <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-network-limitations.html>
const ADDED: (u16, u16) = (54, 74);
/// MTU of a transit gateway's VPC attachments. <https://docs.aws.amazon.com/vpc/latest/tgw/transit-gateway-quotas.html>
/// Less outer IP, UDP and VXLAN headers (36 or 56 bytes) that is the largest `packet_length` that fits; what becomes of longer
/// packets AWS does not say.
const TRANSIT_GATEWAY: (u16, u16) = (8464, 8444);
/// Largest packet that a Gateway Load Balancer endpoint delivers whole.
/// <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-network-limitations.html>
const GATEWAY_LOAD_BALANCER: (u16, u16) = (8446, 8426);

/// How mirrored packets get from a source to its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PathKind {
    /// Through a Gateway Load Balancer endpoint in the source's VPC.
    GatewayLoadBalancerEndpoint,
    /// Over a peering connection of two VPCs in one Region.
    Peering,
    /// Within one VPC.
    SameVpc,
    /// Through a transit gateway.
    TransitGateway,
}

impl fmt::Display for PathKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GatewayLoadBalancerEndpoint => "a Gateway Load Balancer endpoint",
            Self::Peering => "a VPC peering connection",
            Self::SameVpc => "inside the VPC",
            Self::TransitGateway => "a transit gateway",
        })
    }
}

/// What one way carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathLimits {
    /// Largest `packet_length` that the way carries whole; `None` where only the MTUs at both ends limit it.
    pub packet_length: Option<u16>,
    /// What a source's MTU must be below a target interface's, or packets are cut.
    pub added: u16,
}

impl PathKind {
    /// The ways between VPCs that a person may name, because AWS's answers do not show them, as they are written.
    pub const BETWEEN_VPCS: [(&str, Self); 2] =
        [("peering", Self::Peering), ("transit_gateway", Self::TransitGateway)];

    /// The limits with an outer header of this version: that of the target's address.
    #[must_use]
    pub fn limits(self, outer: IpVersion) -> PathLimits {
        let pick = |(ipv4, ipv6): (u16, u16)| match outer {
            IpVersion::Ipv4 => ipv4,
            IpVersion::Ipv6 => ipv6,
        };
        let packet_length = match self {
            Self::GatewayLoadBalancerEndpoint => Some(pick(GATEWAY_LOAD_BALANCER)),
            // Peering in one Region carries jumbo frames, as a VPC itself does.
            // <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html>
            Self::Peering | Self::SameVpc => None,
            Self::TransitGateway => Some(pick(TRANSIT_GATEWAY)),
        };
        PathLimits { packet_length, added: pick(ADDED) }
    }
}
