use std::collections::BTreeMap;

use crate::filter::IpVersion;
use crate::given::Given;
use crate::spec::{
    DestinationKind, MaxRemovals, RawFilter, RawFilterRule, RawFleet, RawSafety, RawSession, RawTarget,
    RawVniRange, parse,
};

const ARN: &str =
    "arn:aws-us-gov:elasticloadbalancing:us-gov-west-1:111111111111:loadbalancer/net/x/0123456789abcdef";

fn known(text: &str) -> Given<String> {
    Given::Known(text.to_owned())
}

fn map<T>(items: Vec<(&str, T)>) -> Given<BTreeMap<String, Given<T>>> {
    Given::Known(items.into_iter().map(|(key, item)| (key.to_owned(), Given::Known(item))).collect())
}

fn good() -> RawFleet {
    let target = RawTarget { network_load_balancer_arn: known(ARN), ..RawTarget::default() };
    RawFleet { name: known("prod"), targets: map(vec![("main", target)]), ..RawFleet::default() }
}

fn paths(raw: &RawFleet) -> Vec<String> {
    parse(raw).1.iter().map(|problem| problem.path.to_string()).collect()
}

fn with_rule(rule: RawFilterRule) -> RawFleet {
    let rules = Given::Known(vec![Given::Known(rule)]);
    RawFleet { filters: map(vec![("f", RawFilter { rules, ..RawFilter::default() })]), ..good() }
}

#[test]
fn a_fleet_needs_a_name_and_a_target_and_nothing_else() {
    let (spec, problems) = parse(&good());
    assert_eq!(problems, []);
    let spec = spec.unwrap();
    assert_eq!(spec.session.number.get(), 100);
    assert_eq!(spec.safety.max_removals, MaxRemovals::Percent(25));
    let Given::Known(rules) = &spec.filters[spec.default_filter().unwrap()].rules else {
        panic!("unknown rules")
    };
    assert_eq!(rules.compiled.rules.len(), 4);
    assert_eq!(paths(&RawFleet::default()), ["name", "targets"]);
}

#[test]
fn unknown_values_are_no_mistakes_and_do_not_hide_them() {
    let target = RawTarget { network_load_balancer_arn: Given::Unknown, ..RawTarget::default() };
    let raw = RawFleet { targets: map(vec![("main", target)]), tags: Given::Unknown, ..good() };
    let (spec, problems) = parse(&raw);
    assert_eq!(problems, []);
    let spec = spec.expect("a destination and tags decide nothing about sessions");
    assert_eq!(spec.targets.values().next().unwrap().kind, Some(DestinationKind::NetworkLoadBalancer));
    let raw = RawFleet {
        name: Given::Unknown,
        session: Given::Known(RawSession { number: Given::Known(0), ..RawSession::default() }),
        ..good()
    };
    let (spec, problems) = parse(&raw);
    assert_eq!((spec, problems.len()), (None, 1));
    // An unknown network makes the rules unknown, not the fleet.
    let rule = RawFilterRule {
        action: known("accept"),
        remote_cidrs: Given::Known(vec![Given::Unknown]),
        ..RawFilterRule::default()
    };
    let (spec, problems) = parse(&with_rule(rule));
    assert_eq!(problems, []);
    assert!(spec.unwrap().filters.values().all(|filter| filter.rules == Given::Unknown));
}

#[test]
fn every_mistake_is_told_at_once_with_its_path() {
    let interface = RawTarget { network_interface_id: known("eni-12345678"), ..RawTarget::default() };
    let raw = RawFleet {
        name: known("-bad"),
        targets: map(vec![
            ("a", interface.clone()),
            ("b", RawTarget { max_sessions: Given::Known(-1), ..interface }),
            ("c", RawTarget::default()),
            (
                "d e",
                RawTarget {
                    network_load_balancer_arn: known("arn:aws:elasticloadbalancing:x"),
                    ..RawTarget::default()
                },
            ),
            ("f", RawTarget { gateway_load_balancer_endpoint_id: known("vpce-1"), ..RawTarget::default() }),
        ]),
        filters: map(vec![("f", RawFilter::default())]),
        session: Given::Known(RawSession {
            vni: Given::Known(RawVniRange { from: Given::Known(9), to: Given::Known(3) }),
            ..RawSession::default()
        }),
        safety: Given::Known(RawSafety {
            max_removals: known("101%"),
            on_ineligible: known("skipp"),
            ..RawSafety::default()
        }),
        tags: map(vec![("enigma:fleet", "x".to_owned()), ("AWS:x", String::new()), ("", "y".repeat(257))]),
    };
    let expected = [
        "name",
        "targets[\"b\"].max_sessions",
        "targets[\"b\"]",
        "targets[\"c\"]",
        "targets[\"d e\"]",
        "targets[\"d e\"].network_load_balancer_arn",
        "targets[\"f\"].gateway_load_balancer_endpoint_id",
        "filters[\"f\"].rules",
        "session.vni",
        "safety.max_removals",
        "safety.on_ineligible",
        "tags[\"\"]",
        "tags[\"\"]",
        "tags[\"AWS:x\"]",
        "tags[\"enigma:fleet\"]",
    ];
    assert_eq!(paths(&raw), expected);
}

#[test]
fn a_rule_of_two_ip_versions_matches_no_packet() {
    let rule = RawFilterRule {
        action: known("accept"),
        local_cidrs: Given::Known(vec![known("10.0.0.0/8")]),
        remote_cidrs: Given::Known(vec![known("2001:db8::/32")]),
        ..RawFilterRule::default()
    };
    assert_eq!(paths(&with_rule(rule)), ["filters[\"f\"].rules[0]"]);
    let icmpv6 = RawFilterRule {
        action: known("accept"),
        protocol: known("icmpv6"),
        local_cidrs: Given::Known(vec![known("10.0.0.0/8")]),
        ..RawFilterRule::default()
    };
    assert_eq!(paths(&with_rule(icmpv6)), ["filters[\"f\"].rules[0]"]);
}

#[test]
fn a_filter_that_accepts_nothing_is_a_mistake_unless_it_is_for_dns() {
    let reject = RawFilterRule { action: known("reject"), ..RawFilterRule::default() };
    assert_eq!(paths(&with_rule(reject)), ["filters[\"f\"].rules"]);
    let dns = RawFilter { dns: Given::Known(true), ..RawFilter::default() };
    assert_eq!(paths(&RawFleet { filters: map(vec![("f", dns)]), ..good() }), Vec::<String>::new());
}

#[test]
fn the_eleventh_rule_is_refused_at_the_dearest() {
    let rule = |action: &str, ports: &[&str]| {
        Given::Known(RawFilterRule {
            action: known(action),
            protocol: if ports.is_empty() { Given::Absent } else { known("udp") },
            ports: if ports.is_empty() {
                Given::Absent
            } else {
                Given::Known(ports.iter().map(|port| known(port)).collect())
            },
            ..RawFilterRule::default()
        })
    };
    let filter = |versions: &[IpVersion]| RawFilter {
        ip_versions: Given::Known(versions.iter().map(|version| known(version.as_str())).collect()),
        rules: Given::Known(vec![rule("reject", &["1", "3"]), rule("accept", &[])]),
        ..RawFilter::default()
    };
    let raw = |filter| RawFleet { filters: map(vec![("f", filter)]), ..good() };
    assert_eq!(paths(&raw(filter(&IpVersion::ALL))), ["filters[\"f\"].rules[0]"]);
    assert_eq!(paths(&raw(filter(&[IpVersion::Ipv4]))), Vec::<String>::new());
}

#[test]
fn a_percentage_admits_one_removal_unless_it_is_none() {
    assert_eq!(MaxRemovals::Percent(25).limit(3), 1);
    assert_eq!(MaxRemovals::Percent(25).limit(9), 2);
    assert_eq!(MaxRemovals::Percent(0).limit(9), 0);
    assert_eq!(MaxRemovals::Percent(100).limit(9), 9);
    assert_eq!(MaxRemovals::Count(0).limit(9), 0);
}
