//! AWS's limits on traffic mirroring, as data.
//!
//! None of them can be raised. Source of all but the lengths of tags:
//! <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-quotas.html>. Counting against them is done elsewhere.

mod sources;

pub use sources::{SOURCES_AS_OF, sources_of_interface_target};

/// Sessions in one account; counted here per account and Region, as EC2 quotas are unless said otherwise.
pub const SESSIONS_PER_PLACE: usize = 10_000;
/// Targets in one account.
pub const TARGETS_PER_PLACE: usize = 10_000;
/// Filters in one account.
pub const FILTERS_PER_PLACE: usize = 10_000;
/// Rules of one filter, both directions together.
pub const RULES_PER_FILTER: usize = 10;
/// Sessions on one source interface, of everybody together.
pub const SESSIONS_PER_SOURCE: usize = 3;
/// Sources of an interface target, unless its instance is one of the listed largest sizes (then 100).
pub const SOURCES_PER_INTERFACE_TARGET: usize = 10;
/// Sources of an interface target on the listed largest instance sizes.
pub const SOURCES_PER_LARGE_INTERFACE_TARGET: usize = 100;
/// Largest packet length with a Network Load Balancer target.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateTrafficMirrorSession.html>
pub const NLB_PACKET_LENGTH: u16 = 8500;
/// Smallest packet length where IPv6 traffic is mirrored.
/// <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-sessions.html>
pub const IPV6_PACKET_LENGTH: u16 = 55;
/// Tags of one resource. <https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html>
pub const TAGS_PER_RESOURCE: usize = 50;
/// Characters of a tag key.
pub const TAG_KEY_LENGTH: usize = 128;
/// Characters of a tag value.
pub const TAG_VALUE_LENGTH: usize = 256;
