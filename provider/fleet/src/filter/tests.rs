use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use crate::filter::{Directions, Intent, IpVersion, Ports, RuleStep, compile, transition};
use crate::inventory::{Direction, FilterRule, ObservedRule, PortRange, RuleAction, Tags};

fn accept_all() -> Intent {
    Intent {
        action: RuleAction::Accept,
        protocol: None,
        directions: Directions::Both,
        ports: Ports::Any,
        local: Vec::new(),
        remote: Vec::new(),
    }
}

fn range(from: u16, to: u16) -> PortRange {
    PortRange { from, to }
}

pub(super) fn observed(rules: &[FilterRule]) -> Vec<ObservedRule> {
    let observe = |(index, rule): (usize, &FilterRule)| ObservedRule {
        id: format!("tmfr-{index:08x}").parse().unwrap(),
        rule: rule.clone(),
        tags: Tags::new(),
    };
    rules.iter().enumerate().map(observe).collect()
}

#[test]
fn everything_is_four_rules() {
    let compiled = compile(&[accept_all()], &IpVersion::ALL).unwrap();
    let rules: Vec<(Direction, u16, String)> = compiled
        .rules
        .iter()
        .map(|rule| (rule.direction, rule.number.get(), rule.source.to_string()))
        .collect();
    let expected = [
        (Direction::Egress, 100, "0.0.0.0/0"),
        (Direction::Egress, 101, "::/0"),
        (Direction::Ingress, 100, "0.0.0.0/0"),
        (Direction::Ingress, 101, "::/0"),
    ];
    assert_eq!(rules, expected.map(|(direction, number, source)| (direction, number, source.to_owned())));
}

#[test]
fn local_ports_are_destinations_on_ingress_and_sources_on_egress() {
    let intent = Intent {
        protocol: Some(6),
        ports: Ports::Sides { local: vec![range(443, 443)], remote: Vec::new() },
        ..accept_all()
    };
    let compiled = compile(&[intent], &[IpVersion::Ipv4]).unwrap();
    let [egress, ingress] = compiled.rules.as_slice() else { panic!("{compiled:?}") };
    assert_eq!((egress.source_ports, egress.destination_ports), (Some(range(443, 443)), None));
    assert_eq!((ingress.source_ports, ingress.destination_ports), (None, Some(range(443, 443))));
}

#[test]
fn neighbours_are_joined_and_effectless_rules_left_out() {
    let web = Intent {
        protocol: Some(6),
        ports: Ports::Sides { local: vec![range(80, 80), range(81, 90)], remote: Vec::new() },
        remote: vec!["10.0.0.0/9".parse().unwrap(), "10.128.0.0/9".parse().unwrap()],
        ..accept_all()
    };
    let compiled = compile(std::slice::from_ref(&web), &IpVersion::ALL).unwrap();
    assert_eq!(compiled.costs, [2]);
    assert_eq!(compiled.rules[0].destination.to_string(), "10.0.0.0/8");
    let reject = Intent { action: RuleAction::Reject, ..accept_all() };
    // Repeated by the second, and after the second nothing is left to reject.
    assert_eq!(compile(&[web, accept_all(), reject], &IpVersion::ALL).unwrap().costs, [0, 4, 0]);
}

#[test]
fn icmp_is_ipv4_and_icmpv6_is_ipv6() {
    let icmp = Intent { protocol: Some(1), ..accept_all() };
    let icmpv6 = Intent { protocol: Some(58), ..accept_all() };
    assert_eq!(compile(&[icmp, icmpv6], &IpVersion::ALL).unwrap().costs, [2, 2]);
}

#[test]
fn over_budget_says_what_each_intent_costs() {
    let reject = Intent {
        action: RuleAction::Reject,
        protocol: Some(6),
        ports: Ports::Either(vec![range(3260, 3260), range(6000, 6010)]),
        ..accept_all()
    };
    let over = compile(&[reject, accept_all()], &IpVersion::ALL).unwrap_err();
    assert_eq!((over.costs.as_slice(), over.total()), ([16, 4].as_slice(), 20));
}

#[test]
fn equal_rule_sets_need_no_step() {
    let rules = compile(&[accept_all()], &IpVersion::ALL).unwrap().rules;
    assert_eq!(transition(&observed(&rules), &rules).steps, []);
}

#[test]
fn two_rules_that_want_each_others_number_are_untangled() {
    let base = compile(&[accept_all()], &[IpVersion::Ipv4]).unwrap().rules;
    let rule = |number: i64, port: u16| FilterRule {
        number: number.try_into().unwrap(),
        protocol: Some(6),
        destination_ports: Some(range(port, port)),
        ..base[0].clone()
    };
    let found = transition(&observed(&[rule(1, 80), rule(2, 443)]), &[rule(2, 80), rule(1, 443)]);
    assert!(!found.is_narrower_for_a_moment);
    // One steps aside, the other takes its number, the first takes the other's.
    assert!(found.steps.iter().all(|step| matches!(step, RuleStep::Modify { .. })), "{:?}", found.steps);
    assert_eq!(found.steps.len(), 3);
}

#[test]
fn a_full_filter_says_that_it_narrows_for_a_moment() {
    let base = compile(&[accept_all()], &[IpVersion::Ipv4]).unwrap().rules;
    let rule = |number: i64, source: PortRange, destination: Option<PortRange>| FilterRule {
        number: number.try_into().unwrap(),
        protocol: Some(6),
        source_ports: Some(source),
        destination_ports: destination,
        ..base[0].clone()
    };
    // The same packets, cut by source port before and by destination port after: neither half can be replaced alone.
    let before = [rule(1, range(0, 9), None), rule(2, range(10, 19), None)];
    let after = [rule(1, range(0, 19), Some(range(0, 99))), rule(2, range(0, 19), Some(range(100, 65535)))];
    let others: Vec<FilterRule> =
        (0..8).map(|index| rule(i64::from(index) + 10, range(1000 + index, 1000 + index), None)).collect();
    let changed = |others: &[FilterRule]| {
        transition(&observed(&[&before[..], others].concat()), &[&after[..], others].concat())
    };
    assert!(changed(&others).is_narrower_for_a_moment);
    // With room it goes without: an old half steps aside and goes once the new ones are there.
    assert!(!changed(&others[..6]).is_narrower_for_a_moment);
}

#[test]
fn networks_that_multiply_are_counted_and_not_compared() {
    // 2,000 by 2,000 blocks that nothing joins: 8 million rules, told at once.
    let blocks: Vec<IpNet> = (0..2_000_u32)
        .map(|number| IpNet::from(Ipv4Net::new(Ipv4Addr::from(number << 9), 24).unwrap()))
        .collect();
    let wide = Intent { local: blocks.clone(), remote: blocks, ..accept_all() };
    let over = compile(&[wide, accept_all()], &IpVersion::ALL).unwrap_err();
    assert_eq!(
        (over.costs.as_slice(), over.total(), over.is_bound),
        ([8_000_000, 4].as_slice(), 8_000_004, true)
    );
    // Neighbours that join cost nothing.
    let neighbours =
        (0..2_048_u32).map(|number| IpNet::from(Ipv4Net::new(Ipv4Addr::from(number << 8), 24).unwrap()));
    let joined = Intent { local: neighbours.collect(), ..accept_all() };
    assert_eq!(compile(&[joined], &[IpVersion::Ipv4]).unwrap().costs, [2]);
}
