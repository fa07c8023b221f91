//! Quotas of traffic mirroring; a world may set them low so that tests reach them.
//!
//! Values: <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-quotas.html>. "Per account" is
//! taken as per account and Region, as EC2's quotas normally are.

use serde::{Deserialize, Serialize};

/// How many of what one account may have in one Region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quotas {
    /// Filters per account.
    pub filters: usize,
    /// Rules per filter, ingress and egress together: the stricter reading of "per filter".
    pub rules_per_filter: usize,
    /// Sessions per account.
    pub sessions: usize,
    /// Sessions on one source interface.
    pub sessions_per_interface: usize,
    /// Sessions that may use one target; AWS publishes none, so it is unlimited unless a world sets it.
    pub sessions_per_target: usize,
    /// Source interfaces of an interface target on an ordinary instance.
    pub sources_per_interface_target: usize,
    /// The same where the target's instance is one of the listed largest sizes.
    pub sources_per_large_interface_target: usize,
    /// Targets per account.
    pub targets: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            filters: 10_000,
            rules_per_filter: 10,
            sessions: 10_000,
            sessions_per_interface: 3,
            sessions_per_target: usize::MAX,
            sources_per_interface_target: 10,
            sources_per_large_interface_target: 100,
            targets: 10_000,
        }
    }
}
