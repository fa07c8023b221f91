//! Geometry of rules: each is a box over protocol, addresses and ports.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::filter::IpVersion;
use crate::inventory::{Direction, FilterRule, PortRange, RuleAction};

/// The packets a rule matches, as inclusive ranges; rules of different direction or version never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Region {
    pub(super) direction: Direction,
    pub(super) version: IpVersion,
    /// Protocol, source, destination, source port, destination port.
    pub(super) ranges: [(u128, u128); 5],
}

impl Region {
    pub(super) fn of(rule: &FilterRule) -> Self {
        Self {
            direction: rule.direction,
            version: IpVersion::of(&rule.source),
            ranges: [
                rule.protocol.map_or((0, 255), |number| (u128::from(number), u128::from(number))),
                addresses(&rule.source),
                addresses(&rule.destination),
                ports(rule.source_ports),
                ports(rule.destination_ports),
            ],
        }
    }

    fn meets(&self, other: &Self) -> bool {
        self.direction == other.direction && self.version == other.version
    }

    /// Whether every packet of `other` is one of these.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.meets(other) && self.ranges.iter().zip(&other.ranges).all(|(a, b)| a.0 <= b.0 && b.1 <= a.1)
    }

    /// Whether some packet is in both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.meets(other) && self.ranges.iter().zip(&other.ranges).all(|(a, b)| a.0 <= b.1 && b.0 <= a.1)
    }

    pub(super) fn contains(&self, point: &[u128; 5]) -> bool {
        self.ranges.iter().zip(point).all(|(range, value)| range.0 <= *value && *value <= range.1)
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    }
}

fn addresses(net: &IpNet) -> (u128, u128) {
    (number(net.network()), number(net.broadcast()))
}

fn ports(range: Option<PortRange>) -> (u128, u128) {
    range.map_or((0, 0xffff), |range| (u128::from(range.from), u128::from(range.to)))
}

/// Removes rules that change nothing: never reached, repeated by a later one, or rejecting what would not be accepted anyway.
/// `rules` are in order of evaluation, of any directions and versions.
pub(super) fn without_effectless<T>(rules: &mut Vec<T>, parts: impl Fn(&T) -> (RuleAction, Region)) {
    while let Some(position) = effectless(rules, &parts) {
        rules.remove(position);
    }
}

fn effectless<T>(rules: &[T], parts: &impl Fn(&T) -> (RuleAction, Region)) -> Option<usize> {
    let rules: Vec<_> = rules.iter().map(parts).collect();
    (0..rules.len()).find(|&position| {
        let (action, region) = rules[position];
        let never_reached = rules[..position].iter().any(|(_, earlier)| earlier.covers(&region));
        let mut later = rules[position + 1..].iter();
        // The next later rule that covers this one decides the same, and no rule on the way decides otherwise.
        let repeated = later
            .find(|(other, later)| later.covers(&region) || (*other != action && later.overlaps(&region)))
            .is_some_and(|(other, later)| *other == action && later.covers(&region));
        let rejects_nothing = action == RuleAction::Reject
            && !rules[position + 1..]
                .iter()
                .any(|(other, later)| *other == RuleAction::Accept && later.overlaps(&region));
        never_reached || repeated || rejects_nothing
    })
}

/// One bit per rule for every distinguishable class of packets: bit `i` is set where `regions[i]` matches. Exact: every packet
/// falls in one of the classes. `None` where the classes would exceed `limit`.
pub(super) fn classes(regions: &[Region], limit: usize) -> Option<Vec<u64>> {
    let mut found = Vec::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        for version in IpVersion::ALL {
            let here: Vec<(usize, &Region)> = regions
                .iter()
                .enumerate()
                .filter(|(_, region)| region.direction == direction && region.version == version)
                .collect();
            // Classes change only where some range begins or has just ended.
            let cuts: Vec<Vec<u128>> = (0..5)
                .map(|axis| {
                    let mut cuts = vec![0];
                    for (_, region) in &here {
                        cuts.push(region.ranges[axis].0);
                        cuts.extend(region.ranges[axis].1.checked_add(1));
                    }
                    cuts.sort_unstable();
                    cuts.dedup();
                    cuts
                })
                .collect();
            let count = cuts.iter().try_fold(1_usize, |count, axis| count.checked_mul(axis.len()))?;
            if count > limit {
                return None;
            }
            for index in 0..count {
                let mut rest = index;
                let point: [u128; 5] = std::array::from_fn(|axis| {
                    let value = cuts[axis][rest % cuts[axis].len()];
                    rest /= cuts[axis].len();
                    value
                });
                let mask = here
                    .iter()
                    .filter(|(_, region)| region.contains(&point))
                    .fold(0_u64, |mask, (bit, _)| mask | 1 << bit);
                found.push(mask);
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Some(found)
}
