//! What a fleet costs a month for its sessions, and how much of its traffic leaves its zone.
//!
//! AWS charges every session by the hour until it is deleted, stopped sources included. Traffic between zones, load balancers
//! and collectors are charged too, by volumes that nobody knows before: of those only the sessions that cross zones are counted.
//! Money is counted in millionths of a dollar, so that sums are exact.

use std::collections::BTreeMap;
use std::fmt;

use crate::expand::Expansion;
use crate::ids::MemberKey;
use crate::selection::Member;
use crate::spec::FleetSpec;

/// Hours of an average month, as AWS's own price examples count.
pub const HOURS_PER_MONTH: u64 = 730;

/// US dollars in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(pub u64);

/// A session's hour where nobody says another price: USD 0.015, AWS's example for US East (Ohio) as read on 2026-09-20; other
/// Regions differ. <https://aws.amazon.com/vpc/pricing/> (Network Analysis)
pub const DEFAULT_HOURLY_PRICE: Usd = Usd(15_000);

impl fmt::Display for Usd {
    /// Dollars and cents, half a cent rounded up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.0.saturating_add(5_000) / 10_000;
        write!(f, "{}.{:02}", cents / 100, cents % 100)
    }
}

/// What a fleet costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Sessions that are charged, those kept in unread places included.
    pub sessions: u64,
    /// All of them for a month.
    pub monthly: Usd,
    /// Sessions whose target is in none of the zones it serves first: their copies cross zones, which AWS charges by volume.
    pub crossing: u64,
    /// Sessions whose target names no zones, so that nothing can be said.
    pub zone_unknown: u64,
}

/// Counts what shall exist.
#[must_use]
pub fn estimate(
    spec: &FleetSpec,
    members: &BTreeMap<MemberKey, Member>,
    expansion: &Expansion,
    hourly: Usd,
) -> Cost {
    let mut cost = Cost::default();
    for (key, session) in &expansion.sessions {
        cost.sessions += 1;
        let zones = spec.targets.get(&session.target.label).map_or(&[][..], |target| &target.zones);
        match members.get(key) {
            Some(member) if !zones.is_empty() => cost.crossing += u64::from(!zones.contains(&member.zone)),
            _ => cost.zone_unknown += 1,
        }
    }
    for _kept in &expansion.kept {
        cost.sessions += 1;
        cost.zone_unknown += 1;
    }
    cost.monthly = Usd(cost.sessions.saturating_mul(HOURS_PER_MONTH).saturating_mul(hourly.0));
    cost
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "about USD {} a month for {} sessions", self.monthly, self.sessions)?;
        if self.crossing > 0 {
            write!(f, ", and traffic of {} between zones", self.crossing)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
