//! World files: what exists before the first call. The format is described in the README.
//!
//! Everything in a world has a name, unique among its kind; entries refer to each other by name, ids follow from
//! names unless given. `build` turns the description into state.

mod balancers;
mod build;
mod company;
mod machines;
mod scale;

pub use balancers::{ListenerEntry, LoadBalancerEntry, RegisteredEntry, ScalingGroupEntry, TargetGroupEntry};
pub(crate) use balancers::{add_zone, is_health};
pub(crate) use build::names_of;
pub(crate) use company::parent_of;
pub use company::{OrganizationEntry, UnitEntry};
pub(crate) use machines::{add_instances, add_interfaces};
pub use scale::Scale;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::quota::Quotas;
use crate::state::State;

/// Why a world cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The file cannot be read.
    #[error("world file {path} cannot be read")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The text is not a world.
    #[error("world is not valid: {0}")]
    Syntax(#[from] toml::de::Error),
    /// An entry contradicts another or points at nothing.
    #[error("world entry {entry}: {problem}")]
    Entry {
        /// The entry, as `kind "name"`.
        entry: String,
        /// What is wrong and what would be right.
        problem: String,
    },
}

/// A description of accounts, networks and machines.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct World {
    /// Partition of all ARNs; `aws` when empty.
    pub partition: String,
    /// Account of entries that name none; the only one of `accounts` when absent.
    pub account: Option<String>,
    /// Region of entries that name none; `us-east-1` when absent.
    pub region: Option<String>,
    /// Regions enabled beside those that entries use. Calls to any other Region are refused.
    pub regions: Vec<String>,
    /// Instance types that may be mirrored beside AWS's list; wildcards allowed.
    pub extra_source_types: Vec<String>,
    /// Whether an interface of a stopped instance is refused as a source (AWS's behaviour is not known).
    pub refuse_stopped_sources: bool,
    /// Quotas that differ from AWS's.
    pub quotas: Quotas,
    /// Accounts with their access keys and roles.
    pub accounts: Vec<AccountEntry>,
    /// VPCs.
    pub vpcs: Vec<VpcEntry>,
    /// Subnets.
    pub subnets: Vec<SubnetEntry>,
    /// Security groups.
    pub security_groups: Vec<SecurityGroupEntry>,
    /// Instances with their interfaces.
    pub instances: Vec<InstanceEntry>,
    /// Interfaces without an instance of ours.
    pub interfaces: Vec<InterfaceEntry>,
    /// Milliseconds that an association of a resource share takes to come and to go; none when 0.
    pub sharing_milliseconds: u64,
    /// The organization some of the accounts belong to.
    pub organization: Option<OrganizationEntry>,
    /// Auto scaling groups.
    pub auto_scaling_groups: Vec<ScalingGroupEntry>,
    /// Target groups.
    pub target_groups: Vec<TargetGroupEntry>,
    /// Load balancers.
    pub load_balancers: Vec<LoadBalancerEntry>,
    /// Gateway load balancer endpoints.
    pub gateway_endpoints: Vec<GatewayEndpointEntry>,
}

/// An account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountEntry {
    /// Twelve digits.
    pub id: String,
    /// Name; made from the id when empty.
    pub name: String,
    /// Address of its root user; made from the id when empty.
    pub email: String,
    /// `ACTIVE` when empty.
    pub status: String,
    /// Unit of the organization by name, `Root` for the root itself; outside of it when absent.
    pub unit: Option<String>,
    /// Access key ids that belong to the account.
    pub access_keys: Vec<String>,
    /// Access key -> the only actions it may use, as `ec2:Describe*`; a key without an entry may use all.
    pub allowed_actions: BTreeMap<String, Vec<String>>,
    /// Access key -> its IAM policy, as JSON text; a key without an entry has none.
    pub policies: BTreeMap<String, String>,
    /// Roles that can be assumed in it.
    pub roles: Vec<RoleEntry>,
}

/// A role that AssumeRole knows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleEntry {
    /// Name without path.
    pub name: String,
    /// External id that callers must present; none is asked for when absent.
    pub external_id: Option<String>,
    /// Accounts that may assume it; all of the world when absent.
    pub trusted_accounts: Option<Vec<String>>,
    /// Longest session in seconds; 3600 when absent.
    pub max_duration: Option<i64>,
    /// Its sessions end so early although AssumeRole promises more: a revoked session, a clock that is off.
    pub ends_after_milliseconds: Option<i64>,
    /// Actions refused to its sessions, with or without the service; wildcards allowed.
    pub denied_actions: Vec<String>,
    /// The only actions its sessions may use, as `ec2:Describe*`; all when absent.
    pub allowed_actions: Option<Vec<String>>,
    /// Its IAM policy, as JSON text; none when absent.
    pub policy: Option<String>,
    /// The policy that says who may assume it, as JSON text; any account that `trusted_accounts` lets when absent.
    pub trust_policy: Option<String>,
}

/// A VPC.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VpcEntry {
    /// Name; becomes the `Name` tag unless `tags` has one.
    pub name: String,
    /// Id; derived from the name when absent.
    pub id: Option<String>,
    /// Owner.
    pub account: Option<String>,
    /// Region.
    pub region: Option<String>,
    /// IPv4 block.
    pub cidr: String,
    /// IPv6 block.
    pub ipv6_cidr: Option<String>,
    /// Whether it is the account's default VPC.
    pub default: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A subnet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SubnetEntry {
    /// Name; becomes the `Name` tag unless `tags` has one.
    pub name: String,
    /// Id; derived from the name when absent.
    pub id: Option<String>,
    /// Name of its VPC, which also gives account and Region.
    pub vpc: String,
    /// Accounts that may put instances and interfaces into it.
    pub shared_with: Vec<String>,
    /// Availability zone; a letter is enough. `a` when absent.
    pub zone: Option<String>,
    /// IPv4 block; leave out for an IPv6-only subnet.
    pub cidr: Option<String>,
    /// IPv6 block.
    pub ipv6_cidr: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A security group.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SecurityGroupEntry {
    /// Group name.
    pub name: String,
    /// Id; derived from the name when absent.
    pub id: Option<String>,
    /// Name of its VPC.
    pub vpc: String,
    /// Description.
    pub description: String,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// One instance, or many alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InstanceEntry {
    /// Name; `{n}` becomes the number, which is appended when `count` is given without it. Also the `Name` tag.
    pub name: String,
    /// Id; derived from the name when absent. Not with `count`.
    pub id: Option<String>,
    /// Owner, where the subnet is shared with it; that of the subnet when absent.
    pub account: Option<String>,
    /// How many.
    pub count: Option<usize>,
    /// Instance type, as `m5.large`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `running` (when empty) or `stopped`.
    pub state: String,
    /// Subnets of the primary interface, in turn.
    pub subnets: Vec<String>,
    /// Subnet of the primary interface, where there is only one.
    pub subnet: Option<String>,
    /// Security groups of all its interfaces.
    pub security_groups: Vec<String>,
    /// Tags of the instance.
    pub tags: BTreeMap<String, String>,
    /// Tags of the primary interface.
    pub interface_tags: BTreeMap<String, String>,
    /// Id of the primary interface. Not with `count`.
    pub interface_id: Option<String>,
    /// Further interfaces.
    pub interfaces: Vec<FurtherInterface>,
}

/// An interface of an instance beside the primary one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FurtherInterface {
    /// Id; derived when absent.
    pub id: Option<String>,
    /// Subnet; that of the primary interface when absent.
    pub subnet: Option<String>,
    /// AWS's `InterfaceType`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Description.
    pub description: String,
    /// Whether it goes with the instance.
    pub delete_on_termination: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

impl Default for FurtherInterface {
    fn default() -> Self {
        Self {
            id: None,
            subnet: None,
            kind: "interface".to_owned(),
            description: String::new(),
            delete_on_termination: true,
            tags: BTreeMap::new(),
        }
    }
}

/// An interface that no instance of the world holds, or several alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct InterfaceEntry {
    /// Name; `{n}` as for instances. Not a tag: services do not name their interfaces.
    pub name: String,
    /// Id; derived from the name when absent. Not with `count`.
    pub id: Option<String>,
    /// Owner, where the subnet is shared with it; that of the subnet when absent.
    pub account: Option<String>,
    /// How many.
    pub count: Option<usize>,
    /// Subnet.
    pub subnet: String,
    /// AWS's `InterfaceType`; `interface` when empty.
    #[serde(rename = "type")]
    pub kind: String,
    /// Description.
    pub description: String,
    /// Service that asked for it, for example `amazon-rds`.
    pub requester_id: Option<String>,
    /// Whether a service manages it. Managed interfaces are attached to their service.
    pub requester_managed: bool,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// A gateway load balancer endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayEndpointEntry {
    /// Name.
    pub name: String,
    /// Id; derived from the name when absent.
    pub id: Option<String>,
    /// Owner.
    pub account: Option<String>,
    /// Region.
    pub region: Option<String>,
}

impl World {
    /// Reads a world from TOML text and checks that it can be built.
    pub fn parse(text: &str) -> Result<Self, WorldError> {
        let world: Self = toml::from_str(text)?;
        world.build(jiff::Timestamp::UNIX_EPOCH)?;
        Ok(world)
    }

    /// Reads a world file.
    pub fn load(path: &Path) -> Result<Self, WorldError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| WorldError::Read { path: path.display().to_string(), source })?;
        Self::parse(&text)
    }

    /// The state this world begins with; `now` is when its instances were launched.
    pub(crate) fn build(&self, now: jiff::Timestamp) -> Result<State, WorldError> {
        build::build(self, now)
    }

    /// The id an entry gets when it names none: the same in every run. `prefix` is AWS's, without the hyphen (`i`,
    /// `eni`, `subnet`, `vpc`, `sg`); an instance's primary interface is named like the instance.
    pub fn id_of(prefix: &str, name: &str) -> String {
        crate::id::derive(prefix, name)
    }
}
