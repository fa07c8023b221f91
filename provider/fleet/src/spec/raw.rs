//! A fleet as written, before any check.

use std::collections::BTreeMap;

use crate::given::Given;

/// The resource's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawFleet {
    /// Identity. Required.
    pub name: Given<String>,
    /// Destinations by label. Required.
    pub targets: Given<BTreeMap<String, Given<RawTarget>>>,
    /// Filters by label; absent is one called `default` that mirrors everything and DNS.
    pub filters: Given<BTreeMap<String, Given<RawFilter>>>,
    /// Lists of CIDR blocks by name, to be written instead of them.
    pub cidr_lists: Given<BTreeMap<String, Given<Vec<Given<String>>>>>,
    /// Session settings.
    pub session: Given<RawSession>,
    /// Guards.
    pub safety: Given<RawSafety>,
    /// Tags of everything the fleet makes.
    pub tags: Given<BTreeMap<String, Given<String>>>,
}

/// One destination: exactly one of the first three.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawTarget {
    /// `eni-...`.
    pub network_interface_id: Given<String>,
    /// ARN.
    pub network_load_balancer_arn: Given<String>,
    /// `vpce-...`.
    pub gateway_load_balancer_endpoint_id: Given<String>,
    /// Zones served first.
    pub availability_zones: Given<Vec<Given<String>>>,
    /// VPCs whose sources may send to it; absent is every VPC.
    pub vpc_ids: Given<Vec<Given<String>>>,
    /// Most sources; 0 drains the target: its sources move to others.
    pub max_sessions: Given<i64>,
    /// Region; absent is the fleet's home.
    pub region: Given<String>,
    /// 12-digit id of the account that owns a Gateway Load Balancer endpoint; absent is the fleet's home. The other kinds
    /// live in the home account.
    pub account: Given<String>,
    /// Bytes that the interface of an interface target takes, its MTU; absent is 9001, the most there is in a VPC.
    pub mtu: Given<i64>,
    /// `peering` or `transit_gateway`: how packets of sources in other VPCs get there. Where absent nothing is assumed.
    pub path: Given<String>,
}

/// One filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawFilter {
    /// Mirror DNS to Amazon's resolver; `false` where absent.
    pub dns: Given<bool>,
    /// `ipv4` and `ipv6`; both where absent.
    pub ip_versions: Given<Vec<Given<String>>>,
    /// Whether traffic with `internal_cidrs` is mirrored; `true` where absent.
    pub east_west: Given<bool>,
    /// What is internal to `east_west`: blocks or names of lists.
    pub internal_cidrs: Given<Vec<Given<String>>>,
    /// Rules in order.
    pub rules: Given<Vec<Given<RawFilterRule>>>,
}

/// One rule of a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawFilterRule {
    /// `accept` or `reject`. Required.
    pub action: Given<String>,
    /// `all` (default), `tcp`, `udp`, `icmp`, `icmpv6` or a number.
    pub protocol: Given<String>,
    /// `both` (default), `ingress` or `egress`.
    pub direction: Given<String>,
    /// Ports of either side: `"443"`, `"6000-6010"`.
    pub ports: Given<Vec<Given<String>>>,
    /// Ports of the mirrored interface.
    pub local_ports: Given<Vec<Given<String>>>,
    /// Ports of the other side.
    pub remote_ports: Given<Vec<Given<String>>>,
    /// Networks of the mirrored interface: blocks or names of lists.
    pub local_cidrs: Given<Vec<Given<String>>>,
    /// Networks of the other side: blocks or names of lists.
    pub remote_cidrs: Given<Vec<Given<String>>>,
}

/// Session settings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawSession {
    /// First number to try.
    pub number: Given<i64>,
    /// Truncation.
    pub packet_length: Given<i64>,
    /// VNIs to use.
    pub vni: Given<RawVniRange>,
}

/// An inclusive range of VNIs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawVniRange {
    /// First.
    pub from: Given<i64>,
    /// Last.
    pub to: Given<i64>,
}

/// Guards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawSafety {
    /// `"25%"` or `"10"`.
    pub max_removals: Given<String>,
    /// `skip` (default) or `fail`.
    pub on_ineligible: Given<String>,
    /// `none` (default) or `matching`.
    pub adopt: Given<String>,
    /// Whether targets may be shared with accounts outside the organization; `true` where absent, as in AWS.
    pub share_outside_organization: Given<bool>,
}
