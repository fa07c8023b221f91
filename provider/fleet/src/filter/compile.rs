//! Intents to AWS's rules, within AWS's budget.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use serde::{Deserialize, Serialize};

use crate::filter::intent::{Intent, IpVersion, Ports, join_nets, join_ranges};
use crate::filter::space::{Region, without_effectless};
use crate::ids::RuleNumber;
use crate::inventory::{Direction, FilterRule, PortRange};
use crate::quota::RULES_PER_FILTER;

/// The distance between the numbers of two intents: a change inside one renumbers no other. Ten rules at most fit a filter,
/// so a block is never full.
const BLOCK: usize = 100;

/// Most rules of one direction that are compared: which of them are without effect takes a look at every pair. A
/// person's rules come to a dozen; what comes to a thousand will not come to ten.
const MOST_COMPARED: usize = 1_000;

/// A compiled filter: rules that fit, and how many each intent became.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compiled {
    /// At most ten, sorted by direction and number.
    pub rules: Vec<FilterRule>,
    /// Rules of each intent, in the order of intents; 0 where an intent has no effect of its own.
    pub costs: Vec<usize>,
}

/// The intents need more rules than a filter may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// Rules of each intent, in the order of intents.
    pub costs: Vec<usize>,
    /// Whether these are only the most it can be: there were too many to find those without effect.
    pub is_bound: bool,
}

impl OverBudget {
    /// All rules together.
    #[must_use]
    pub fn total(&self) -> usize {
        self.costs.iter().fold(0, |sum, cost| sum.saturating_add(*cost))
    }
}

/// Compiles intents, tried in order, to rules for the given IP versions.
///
/// Ranges and networks are joined only where the meaning is exactly kept; rules without effect are left out.
///
/// # Errors
/// [`OverBudget`] when more than ten rules remain.
pub fn compile(intents: &[Intent], versions: &[IpVersion]) -> Result<Compiled, OverBudget> {
    if let Some(over) = count(intents, versions) {
        return Err(over);
    }
    let mut kept: Vec<(usize, FilterRule)> = Vec::new();
    for direction in [Direction::Ingress, Direction::Egress] {
        let mut rules = Vec::new();
        for (position, intent) in intents.iter().enumerate() {
            for version in versions {
                rules.extend(expand(intent, direction, *version).into_iter().map(|rule| (position, rule)));
            }
        }
        without_effectless(&mut rules, |(_, rule)| (rule.action, Region::of(rule)));
        number(&mut rules);
        kept.append(&mut rules);
    }
    let mut costs = vec![0; intents.len()];
    for (position, _) in &kept {
        costs[*position] += 1;
    }
    if kept.len() > RULES_PER_FILTER {
        return Err(OverBudget { costs, is_bound: false });
    }
    let mut rules: Vec<FilterRule> = kept.into_iter().map(|(_, rule)| rule).collect();
    rules.sort_by_key(|rule| (rule.direction, rule.number));
    Ok(Compiled { rules, costs })
}

/// The rules of intents that are too many to be made: every network with every other and every port.
fn count(intents: &[Intent], versions: &[IpVersion]) -> Option<OverBudget> {
    let mut costs = vec![0_usize; intents.len()];
    let mut is_over = false;
    for direction in [Direction::Ingress, Direction::Egress] {
        let mut all = 0_usize;
        for (intent, cost) in intents.iter().zip(&mut costs) {
            let spoken = versions.iter().filter(|version| applies(intent, direction, **version));
            let of_version = |version: &IpVersion| {
                let pairs = networks(&intent.local, *version).len();
                let pairs = pairs.saturating_mul(networks(&intent.remote, *version).len());
                pairs.saturating_mul(port_count(&intent.ports))
            };
            let rules = spoken.map(of_version).fold(0, usize::saturating_add);
            *cost = cost.saturating_add(rules);
            all = all.saturating_add(rules);
        }
        is_over |= all > MOST_COMPARED;
    }
    is_over.then_some(OverBudget { costs, is_bound: true })
}

fn applies(intent: &Intent, direction: Direction, version: IpVersion) -> bool {
    intent.directions.includes(direction) && intent.speaks_of(version)
}

/// How many pairs [`port_pairs`] gives.
fn port_count(ports: &Ports) -> usize {
    match ports {
        Ports::Any => 1,
        Ports::Either(ranges) => sides(ranges).len().saturating_mul(2),
        Ports::Sides { local, remote } => sides(local).len().saturating_mul(sides(remote).len()),
    }
}

fn number(rules: &mut [(usize, FilterRule)]) {
    let mut previous = None;
    let mut offset = 0;
    for (position, rule) in rules {
        offset = if previous == Some(*position) { offset + 1 } else { 0 };
        previous = Some(*position);
        // Over budget the number is never used; the fallback only keeps this function total.
        let wanted = i64::try_from((*position + 1) * BLOCK + offset).unwrap_or(i64::MAX);
        rule.number = RuleNumber::try_from(wanted).unwrap_or(RuleNumber::MAX);
    }
}

fn expand(intent: &Intent, direction: Direction, version: IpVersion) -> Vec<FilterRule> {
    if !applies(intent, direction, version) {
        return Vec::new();
    }
    let mut description = intent.to_string();
    // AWS documents no bound for rule descriptions; its other EC2 descriptions end at 255 characters. ASCII only.
    description.truncate(255);
    let mut rules = Vec::new();
    for local in networks(&intent.local, version) {
        for remote in networks(&intent.remote, version) {
            for (source_ports, destination_ports) in port_pairs(&intent.ports, direction) {
                let (source, destination) = match direction {
                    Direction::Egress => (local, remote),
                    Direction::Ingress => (remote, local),
                };
                rules.push(FilterRule {
                    direction,
                    number: RuleNumber::MIN,
                    action: intent.action,
                    protocol: intent.protocol,
                    source,
                    destination,
                    source_ports,
                    destination_ports,
                    description: description.clone(),
                });
            }
        }
    }
    rules
}

/// The networks of a version, joined; every address where none are written.
fn networks(written: &[IpNet], version: IpVersion) -> Vec<IpNet> {
    if written.is_empty() {
        return vec![match version {
            IpVersion::Ipv4 => IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0)),
            IpVersion::Ipv6 => IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::UNSPECIFIED, 0)),
        }];
    }
    let of_version: Vec<IpNet> =
        written.iter().map(IpNet::trunc).filter(|net| IpVersion::of(net) == version).collect();
    join_nets(&of_version)
}

/// Pairs of source and destination ports; `None` is every port.
fn port_pairs(ports: &Ports, direction: Direction) -> Vec<(Option<PortRange>, Option<PortRange>)> {
    match ports {
        Ports::Any => vec![(None, None)],
        Ports::Either(ranges) => sides(ranges)
            .into_iter()
            .flatten()
            .flat_map(|range| [(Some(range), None), (None, Some(range))])
            .collect(),
        Ports::Sides { local, remote } => {
            let (source, destination) = match direction {
                Direction::Egress => (local, remote),
                Direction::Ingress => (remote, local),
            };
            let destinations = sides(destination);
            sides(source)
                .into_iter()
                .flat_map(|from| destinations.iter().map(move |to| (from, *to)))
                .collect()
        }
    }
}

fn sides(ranges: &[PortRange]) -> Vec<Option<PortRange>> {
    let joined = join_ranges(ranges.to_vec());
    // Rules with and without a port range that is all ports would mean the same at different cost of attention.
    if joined.is_empty() || joined == [PortRange { from: 0, to: u16::MAX }] {
        return vec![None];
    }
    joined.into_iter().map(Some).collect()
}
