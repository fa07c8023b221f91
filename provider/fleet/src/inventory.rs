//! What was seen in AWS, in our words: plain data with no behaviour.
//!
//! An observation may be old or incomplete; [`Inventory::unread`] says what could not be seen, so that "not there" and
//! "not visible" never look alike. Field names follow the EC2 API. How the data was fetched is not known here.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::ids::{
    AccountId, FilterId, FilterRuleId, InstanceId, InterfaceId, PacketLength, Place, RuleNumber, SessionId,
    SessionNumber, ShareArn, SubnetId, TargetId, VpcId, ZoneId, ZoneName,
};

/// AWS resource tags, sorted by key so that everything derived from them has one order.
pub type Tags = BTreeMap<String, String>;

/// One elastic network interface (`DescribeNetworkInterfaces`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Account and Region it was seen in.
    pub place: Place,
    /// Its id.
    pub id: InterfaceId,
    /// The account that owns it; with VPC sharing not always the account that sees it.
    pub owner: AccountId,
    /// AWS's `InterfaceType`, verbatim: `interface`, `lambda`, `natGateway`, `trunk`, ...
    pub kind: String,
    /// Whether an AWS service manages it.
    pub is_requester_managed: bool,
    /// `RequesterId`: the account or alias that asked for it.
    pub requester: Option<String>,
    /// Free text; some services are only recognisable by it.
    pub description: String,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its subnet.
    pub subnet: SubnetId,
    /// Its availability zone.
    pub zone: ZoneName,
    /// Primary private IPv4 address: the outer source address of its mirrored packets.
    pub ipv4: Option<Ipv4Addr>,
    /// Its other private IPv4 addresses. Packets to and from them are mirrored too; the copies come from the primary one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secondary_ipv4: Vec<Ipv4Addr>,
    /// IPv6 addresses.
    pub ipv6: Vec<Ipv6Addr>,
    /// What it is attached to, if anything.
    pub attachment: Option<Attachment>,
    /// Tags of the interface itself.
    pub tags: Tags,
}

impl Interface {
    /// All its addresses: the primary IPv4 address first, then the others of IPv4 and those of IPv6, each in order.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let mut others: Vec<Ipv4Addr> = self.secondary_ipv4.clone();
        let mut ipv6 = self.ipv6.clone();
        others.sort_unstable();
        ipv6.sort_unstable();
        let ipv4 = self.ipv4.into_iter().chain(others).map(IpAddr::V4);
        ipv4.chain(ipv6.into_iter().map(IpAddr::V6)).collect()
    }
}

/// The attachment of an interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The instance, where it is one of the caller's; absent for service-managed attachments.
    pub instance: Option<InstanceId>,
    /// 0 is the primary interface.
    pub device_index: u32,
    /// AWS's attachment status: `attaching`, `attached`, `detaching`, `detached`.
    pub status: String,
}

/// One instance (`DescribeInstances`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its id.
    pub id: InstanceId,
    /// Instance type such as `m5.large`.
    pub instance_type: String,
    /// AWS's state name: `pending`, `running`, `shutting-down`, `terminated`, `stopping`, `stopped`.
    pub state: String,
    /// Tags of the instance; the auto scaling group is `aws:autoscaling:groupName`.
    pub tags: Tags,
}

/// One subnet (`DescribeSubnets`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// The account that owns it; with VPC sharing not always one that sees it.
    pub owner: AccountId,
    /// Its VPC.
    pub vpc: VpcId,
    /// Its zone.
    pub zone: ZoneName,
    /// The id of that zone, which is the same for every account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone_id: Option<ZoneId>,
    /// Whether it has no IPv4 at all (`Ipv6Native`): AWS mirrors nothing from such subnets.
    pub is_ipv6_only: bool,
    /// Tags of the subnet.
    pub tags: Tags,
}

/// Where a Traffic Mirror target sends: exactly one of AWS's three kinds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Destination {
    /// An elastic network interface.
    Interface(InterfaceId),
    /// A Network Load Balancer, by ARN.
    NetworkLoadBalancer(String),
    /// A Gateway Load Balancer endpoint, by VPC endpoint id.
    GatewayLoadBalancerEndpoint(String),
}

/// One Traffic Mirror target as it exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorTarget {
    /// Its id.
    pub id: TargetId,
    /// The owning account; another account's targets are visible when shared.
    pub owner: AccountId,
    /// Where it sends.
    pub destination: Destination,
    /// Its description, immutable in AWS.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
}

/// Towards the source interface or away from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the interface.
    Egress,
    /// Towards the interface.
    Ingress,
}

/// What a matching rule does with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleAction {
    /// Mirror it.
    Accept,
    /// Do not mirror it; a later session may.
    Reject,
}

/// Inclusive range of ports; only with protocols 6 and 17.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PortRange {
    /// First port.
    pub from: u16,
    /// Last port, not below `from`.
    pub to: u16,
}

/// The matching part of one filter rule, as AWS evaluates it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FilterRule {
    /// Which list it belongs to.
    pub direction: Direction,
    /// Position in that list; ascending, first match decides.
    pub number: RuleNumber,
    /// Mirror or not.
    pub action: RuleAction,
    /// IANA protocol number; `None` matches all.
    pub protocol: Option<u8>,
    /// Source network, without host bits, of the same family as `destination`.
    pub source: IpNet,
    /// Destination network.
    pub destination: IpNet,
    /// Source ports; `None` matches all.
    pub source_ports: Option<PortRange>,
    /// Destination ports; `None` matches all.
    pub destination_ports: Option<PortRange>,
    /// Its description.
    pub description: String,
}

/// One filter rule as it exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedRule {
    /// Its id.
    pub id: FilterRuleId,
    /// What it matches.
    pub rule: FilterRule,
    /// Its tags.
    pub tags: Tags,
}

/// One Traffic Mirror filter as it exists, with its rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorFilter {
    /// Its id. AWS reports no owner for filters: they are visible only in their own account.
    pub id: FilterId,
    /// Its description, immutable in AWS.
    pub description: String,
    /// Whether the network service `amazon-dns` is mirrored.
    pub amazon_dns: bool,
    /// All rules of both directions.
    pub rules: Vec<ObservedRule>,
    /// Its tags.
    pub tags: Tags,
}

/// One Traffic Mirror session as it exists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirrorSession {
    /// Its id.
    pub id: SessionId,
    /// The owning account. A target's owner also sees the sessions of others: filter on this.
    pub owner: AccountId,
    /// The source.
    pub interface: InterfaceId,
    /// Where it sends.
    pub target: TargetId,
    /// Which packets.
    pub filter: FilterId,
    /// Its number on the source.
    pub number: SessionNumber,
    /// Its VNI. Plain integer because strangers may hold values we would not give.
    pub vni: Option<u32>,
    /// Truncation in bytes; absent means whole packets. NLB targets report 8500.
    pub packet_length: Option<PacketLength>,
    /// Its description.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
}

/// How far RAM is with one principal or target of a share.
/// <https://docs.aws.amazon.com/ram/latest/APIReference/API_ResourceShareAssociation.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AssociationStatus {
    /// In effect.
    Associated,
    /// On its way, `RESTORING` included.
    Associating,
    /// No longer in effect; RAM shows it for a while.
    Disassociated,
    /// On its way out.
    Disassociating,
    /// RAM gave up on it.
    Failed,
    /// `SUSPENDED` or `SUSPENDING`: RAM took it out of effect by itself.
    Suspended,
}

impl AssociationStatus {
    /// Whether it is in effect or becomes so without another call of the share's owner.
    #[must_use]
    pub fn is_held(self) -> bool {
        matches!(self, Self::Associated | Self::Associating)
    }
}

/// One resource share of RAM as its owner sees it; shares that are deleted or being deleted are not listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceShare {
    /// Its ARN.
    pub arn: ShareArn,
    /// Its name, which need not be unique.
    pub name: String,
    /// AWS's status: `PENDING`, `ACTIVE`, `FAILED`.
    pub status: String,
    /// Whether accounts outside the organization may be principals (`allowExternalPrincipals`).
    pub allows_external: bool,
    /// Its tags.
    pub tags: Tags,
    /// With whom, verbatim: account ids, and what others may have added (ARNs of organizations and their units).
    pub principals: BTreeMap<String, AssociationStatus>,
    /// Which mirror targets.
    pub targets: BTreeMap<TargetId, AssociationStatus>,
    /// ARNs of whatever else someone put into it.
    pub other_resources: Vec<String>,
}

/// Everything seen in one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceInventory {
    /// Network interfaces.
    pub interfaces: Vec<Interface>,
    /// Instances.
    pub instances: Vec<Instance>,
    /// Subnets.
    pub subnets: Vec<Subnet>,
    /// Targets, own and those that others share with the place, told apart by [`MirrorTarget::owner`].
    pub targets: Vec<MirrorTarget>,
    /// Filters with rules.
    pub filters: Vec<MirrorFilter>,
    /// Sessions, own and (on our targets) of other accounts.
    pub sessions: Vec<MirrorSession>,
    /// Resource shares that the place owns.
    pub shares: Vec<ResourceShare>,
}

/// Everything that was seen, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// What each place showed.
    pub places: BTreeMap<Place, PlaceInventory>,
    /// Places that could not be read, with the reason in words for people. Members there are kept, never dropped.
    pub unread: BTreeMap<Place, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interfaces_primary_address_comes_first_and_the_others_in_order() {
        let text = r#"{"place":{"account":"111111111111","region":"eu-west-1"},"id":"eni-00000001","owner":"111111111111",
            "kind":"interface","is_requester_managed":false,"requester":null,"description":"","vpc":"vpc-00000001",
            "subnet":"subnet-00000001","zone":"eu-west-1a","ipv4":"10.0.0.7","secondary_ipv4":["10.0.0.9","10.0.0.8"],
            "ipv6":["fd00::2","fd00::1"],"attachment":null,"tags":{}}"#;
        let interface: Interface = serde_json::from_str(text).unwrap();
        let shown: Vec<String> = interface.addresses().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["10.0.0.7", "10.0.0.8", "10.0.0.9", "fd00::1", "fd00::2"]);
    }
}
