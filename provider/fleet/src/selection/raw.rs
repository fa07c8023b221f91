//! A selection as written, before any check.

use std::collections::BTreeMap;

use crate::given::Given;

/// The data source's arguments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawSelection {
    /// Rules by the name a person gave them. Required.
    pub rules: Given<BTreeMap<String, Given<RawRule>>>,
    /// Instance types, families or wildcards that count as supported although AWS's list lacks them.
    pub eligible_instance_types: Given<Vec<Given<String>>>,
}

/// One rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawRule {
    /// Lower is tried first; 100 where absent.
    pub priority: Given<i64>,
    /// `false` leaves what matches unmirrored.
    pub mirror: Given<bool>,
    /// `all` (default) or `primary`.
    pub interfaces: Given<String>,
    /// Names of targets of the fleet; all of them where absent.
    pub targets: Given<Vec<Given<String>>>,
    /// Name of a filter of the fleet; its default where absent.
    pub filter: Given<String>,
    /// First session number to try; the fleet's where absent.
    pub session_number: Given<i64>,
    /// Truncation; the fleet's where absent.
    pub packet_length: Given<i64>,
    /// What the rule matches.
    pub selector: RawSelector,
    /// What it leaves to later rules although `selector` matches.
    pub exclude: Given<RawSelector>,
}

/// Conditions: values of one key are alternatives, keys are conjunctive, an absent key matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawSelector {
    /// 12-digit account ids, or keys of the provider's `accounts` once [`crate::reach::Reach::resolve`] has replaced them.
    pub accounts: Given<Vec<Given<String>>>,
    /// Region codes.
    pub regions: Given<Vec<Given<String>>>,
    /// VPC ids.
    pub vpc_ids: Given<Vec<Given<String>>>,
    /// Subnet ids.
    pub subnet_ids: Given<Vec<Given<String>>>,
    /// Zone names.
    pub availability_zones: Given<Vec<Given<String>>>,
    /// Instance ids.
    pub instance_ids: Given<Vec<Given<String>>>,
    /// Auto scaling group names, `*` allowed.
    pub auto_scaling_group_names: Given<Vec<Given<String>>>,
    /// Interface ids.
    pub network_interface_ids: Given<Vec<Given<String>>>,
    /// Instance types, `*` allowed.
    pub instance_types: Given<Vec<Given<String>>>,
    /// AWS interface types.
    pub interface_types: Given<Vec<Given<String>>>,
    /// AWS services that manage the interface: `rds`, `elasticache`.
    pub services: Given<Vec<Given<String>>>,
    /// Instance tags: key to accepted values, `*` allowed.
    pub tags: Given<BTreeMap<String, Given<Vec<Given<String>>>>>,
    /// Tags of the interface itself.
    pub interface_tags: Given<BTreeMap<String, Given<Vec<Given<String>>>>>,
}
