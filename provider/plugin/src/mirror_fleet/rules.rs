//! Filter rules as one line of text each, for plans and states.
//!
//! Keys are `account/region/filter/direction/number`, so that a change of one rule is a change of one line.

use std::collections::BTreeMap;

use enigma_fleet::actions::Action;
use enigma_fleet::expand::Expansion;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{FilterRuleId, ObjectKey};
use enigma_fleet::inventory::{Direction, FilterRule, PortRange, RuleAction};
use enigma_fleet::ownership::Owned;
use enigma_reconcile::outcome::{Outcome, Outcomes};

/// The rules that shall be; `None` while some filter's are unknown.
pub(super) fn planned(expansion: &Expansion) -> Option<BTreeMap<String, String>> {
    let mut lines = BTreeMap::new();
    for (key, filter) in &expansion.filters {
        let (Given::Known(rules), Given::Known(amazon_dns)) = (&filter.rules, &filter.amazon_dns) else {
            return None;
        };
        add(&mut lines, key, rules, *amazon_dns);
    }
    Some(lines)
}

/// The rules that are, but for those of filters that do not count.
pub(super) fn observed(owned: &Owned, counts: impl Fn(&ObjectKey) -> bool) -> BTreeMap<String, String> {
    let mut lines = BTreeMap::new();
    for (key, filters) in owned.filters.iter().filter(|(key, _)| counts(key)) {
        // The first by id is the one in use; others are duplicates that the next apply removes.
        if let Some(filter) = filters.first() {
            add(&mut lines, key, filter.rules.iter().map(|observed| &observed.rule), filter.amazon_dns);
        }
    }
    lines
}

/// The rules of one filter once what was done is done: those that were, and every change that took effect.
pub(super) fn done(key: &ObjectKey, owned: &Owned, outcomes: &Outcomes) -> BTreeMap<String, String> {
    let before = owned.filters.get(key).and_then(|filters| filters.first());
    let mut amazon_dns = before.is_some_and(|filter| filter.amazon_dns);
    let mut rules: Vec<(Option<&FilterRuleId>, &FilterRule)> = before
        .into_iter()
        .flat_map(|filter| &filter.rules)
        .map(|observed| (Some(&observed.id), &observed.rule))
        .collect();
    for step in outcomes.steps.iter().filter(|step| matches!(step.outcome, Outcome::Done(_))) {
        match &step.action {
            Action::SetAmazonDns { key: of, enabled, .. } if of == key => amazon_dns = *enabled,
            Action::CreateRule { key: of, rule, .. } if of == key => rules.push((None, rule)),
            Action::ModifyRule { key: of, id, after, .. } if of == key => {
                rules.retain(|(known, _)| *known != Some(id));
                rules.push((Some(id), after));
            }
            Action::DeleteRule { key: of, id } if of == key => rules.retain(|(known, _)| *known != Some(id)),
            _ => {}
        }
    }
    let mut lines = BTreeMap::new();
    add(&mut lines, key, rules.into_iter().map(|(_, rule)| rule), amazon_dns);
    lines
}

fn add<'a>(
    lines: &mut BTreeMap<String, String>,
    key: &ObjectKey,
    rules: impl IntoIterator<Item = &'a FilterRule>,
    amazon_dns: bool,
) {
    for rule in rules {
        let direction = match rule.direction {
            Direction::Egress => "egress",
            Direction::Ingress => "ingress",
        };
        lines.insert(format!("{key}/{direction}/{}", rule.number), line(rule));
    }
    if amazon_dns {
        lines.insert(format!("{key}/amazon-dns"), "accept".to_owned());
    }
}

/// Such as `accept tcp from 10.0.0.0/8 to 0.0.0.0/0 port 443`.
fn line(rule: &FilterRule) -> String {
    let action = match rule.action {
        RuleAction::Accept => "accept",
        RuleAction::Reject => "reject",
    };
    let protocol = match rule.protocol {
        None => "all".to_owned(),
        Some(1) => "icmp".to_owned(),
        Some(6) => "tcp".to_owned(),
        Some(17) => "udp".to_owned(),
        Some(58) => "icmpv6".to_owned(),
        Some(number) => format!("protocol {number}"),
    };
    format!(
        "{action} {protocol} from {}{} to {}{}",
        rule.source,
        ports(rule.source_ports),
        rule.destination,
        ports(rule.destination_ports)
    )
}

fn ports(range: Option<PortRange>) -> String {
    match range {
        None => String::new(),
        Some(PortRange { from, to }) if from == to => format!(" port {from}"),
        Some(PortRange { from, to }) => format!(" ports {from}-{to}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_reads_as_a_sentence() {
        let rule = FilterRule {
            direction: Direction::Ingress,
            number: 10.try_into().unwrap(),
            action: RuleAction::Accept,
            protocol: Some(6),
            source: "10.0.0.0/8".parse().unwrap(),
            destination: "0.0.0.0/0".parse().unwrap(),
            source_ports: None,
            destination_ports: Some(PortRange { from: 443, to: 443 }),
            description: String::new(),
        };
        assert_eq!(line(&rule), "accept tcp from 10.0.0.0/8 to 0.0.0.0/0 port 443");
        let rule =
            FilterRule { protocol: None, destination_ports: Some(PortRange { from: 1, to: 9 }), ..rule };
        assert_eq!(line(&rule), "accept all from 10.0.0.0/8 to 0.0.0.0/0 ports 1-9");
    }
}
