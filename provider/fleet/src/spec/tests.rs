use std::collections::BTreeMap;

use crate::filter::{IpVersion, Packet, evaluate, intends};
use crate::given::Given;
use crate::inventory::Direction;
use crate::problem::Problem;
use crate::spec::{
    DestinationKind, FleetSpec, MaxRemovals, RawFilter, RawFilterRule, RawFleet, RawSafety, RawSession,
    RawTarget, RawVniRange, parse,
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
        cidr_lists: Given::Absent,
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
            (
                "g",
                RawTarget {
                    gateway_load_balancer_endpoint_id: known("vpce-12345678"),
                    path: known("peering"),
                    ..RawTarget::default()
                },
            ),
            (
                "h",
                RawTarget {
                    network_interface_id: known("eni-87654321"),
                    path: known("same_vpc"),
                    ..RawTarget::default()
                },
            ),
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
        "targets[\"g\"].path",
        "targets[\"h\"].path",
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

fn block_list(blocks: &[&str]) -> Given<Vec<Given<String>>> {
    Given::Known(blocks.iter().map(|block| known(block)).collect())
}

fn one_filter(filter: RawFilter, lists: &[(&str, &[&str])]) -> (Option<FleetSpec>, Vec<Problem>) {
    let target = RawTarget { network_interface_id: known("eni-00000001"), ..RawTarget::default() };
    parse(&RawFleet {
        name: known("prod"),
        targets: Given::Known([("main".to_owned(), Given::Known(target))].into()),
        filters: Given::Known([("x".to_owned(), Given::Known(filter))].into()),
        cidr_lists: Given::Known(
            lists.iter().map(|(name, blocks)| ((*name).to_owned(), block_list(blocks))).collect(),
        ),
        ..RawFleet::default()
    })
}

fn accept() -> Given<Vec<Given<RawFilterRule>>> {
    Given::Known(vec![Given::Known(RawFilterRule { action: known("accept"), ..RawFilterRule::default() })])
}

#[test]
fn a_filter_without_east_west_mirrors_what_crosses_the_border_alone() {
    let filter = RawFilter {
        east_west: Given::Known(false),
        internal_cidrs: block_list(&["vpcs", "10.9.0.0/16"]),
        rules: accept(),
        ..RawFilter::default()
    };
    let (spec, problems) = one_filter(filter, &[("vpcs", &["10.8.0.0/16", "fd00::/8"])]);
    assert_eq!(problems, []);
    let spec = spec.unwrap();
    let Given::Known(rules) = &spec.filters.values().next().unwrap().rules else { panic!("known") };
    assert_eq!(rules.compiled.rules.len(), 8, "two neighbours are one block: {:?}", rules.compiled.rules);
    for (remote, is_mirrored) in
        [("10.8.1.1", false), ("10.9.255.255", false), ("10.10.0.1", true), ("8.8.8.8", true)]
    {
        for direction in [Direction::Egress, Direction::Ingress] {
            let (inside, outside) = ("10.8.0.1".parse().unwrap(), remote.parse().unwrap());
            let (source, destination) =
                if direction == Direction::Egress { (inside, outside) } else { (outside, inside) };
            let packet = Packet { direction, protocol: 6, source, destination, ports: Some((1000, 443)) };
            assert_eq!(evaluate(&rules.compiled.rules, &packet), is_mirrored, "{remote} {direction:?}");
            assert_eq!(intends(&rules.intents, &IpVersion::ALL, &packet), is_mirrored);
        }
    }
}

#[test]
fn mistakes_with_lists_and_internal_networks_have_paths_and_words() {
    let paths = |filter: RawFilter, lists: &[(&str, &[&str])]| -> Vec<String> {
        one_filter(filter, lists).1.iter().map(ToString::to_string).collect()
    };
    let lists: &[(&str, &[&str])] = &[("offices", &["192.0.2.0/24"])];
    let rule = RawFilterRule {
        action: known("accept"),
        remote_cidrs: block_list(&["ofices", "10.0.0.1/8"]),
        ..RawFilterRule::default()
    };
    let told =
        paths(RawFilter { rules: Given::Known(vec![Given::Known(rule)]), ..RawFilter::default() }, lists);
    assert_eq!(told.len(), 2);
    assert!(told[0].starts_with("filters[\"x\"].rules[0].remote_cidrs[0]: There is no CIDR list \"ofices\""));
    assert!(told[0].ends_with("Did you mean \"offices\"?"), "{}", told[0]);
    let bare = RawFilter { east_west: Given::Known(false), rules: accept(), ..RawFilter::default() };
    assert!(paths(bare.clone(), &[])[0].starts_with("filters[\"x\"].internal_cidrs: No internal networks"));
    let idle =
        RawFilter { internal_cidrs: block_list(&["offices"]), rules: accept(), ..RawFilter::default() };
    assert!(paths(idle, lists)[0].contains("Internal networks without effect"));
    let empty: &[(&str, &[&str])] = &[("none", &[])];
    assert!(
        paths(RawFilter { rules: accept(), ..RawFilter::default() }, empty)[0]
            .starts_with("cidr_lists[\"none\"]")
    );
    // Too many networks: the cost is the east_west argument's.
    let many = RawFilter {
        internal_cidrs: block_list(&["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"]),
        ..bare.clone()
    };
    let told = paths(many, &[]);
    assert!(told[0].starts_with("filters[\"x\"].internal_cidrs: The filter needs 12 rules"), "{told:?}");
    assert!(told[0].contains("east_west = false"), "{}", told[0]);
    // A list that is not known yet leaves the filter's rules unknown and the fleet known.
    let filter = RawFilter { internal_cidrs: Given::Known(vec![Given::Unknown]), ..bare };
    let (spec, problems) = one_filter(filter, &[]);
    assert_eq!(problems, []);
    assert!(spec.unwrap().filters.values().all(|filter| filter.rules.is_unknown()));
}

#[test]
fn a_specification_survives_its_json() {
    let filter = RawFilter {
        east_west: Given::Known(false),
        internal_cidrs: block_list(&["10.8.0.0/16"]),
        dns: Given::Known(true),
        rules: accept(),
        ..RawFilter::default()
    };
    for (spec, problems) in [one_filter(filter, &[]), parse(&good())] {
        assert_eq!(problems, []);
        let spec = spec.unwrap();
        let json = spec.to_json();
        assert_eq!(FleetSpec::from_json(&json).unwrap(), spec);
        assert_eq!(spec.to_json(), json);
    }
    assert!(FleetSpec::from_json("{\"name\":\"no spaces please\"}").is_err());
}

#[test]
fn lists_of_networks_are_bounded_before_they_multiply() {
    let blocks = |count: u32| -> Vec<Given<String>> {
        (0..count).map(|number| known(&format!("{}/24", std::net::Ipv4Addr::from(number << 9)))).collect()
    };
    let raw = |count: u32, copies: usize| {
        let rule = RawFilterRule {
            action: known("accept"),
            local_cidrs: Given::Known(vec![known("offices"); copies]),
            remote_cidrs: Given::Known(vec![known("offices")]),
            ..RawFilterRule::default()
        };
        let lists = [("offices".to_owned(), Given::Known(blocks(count)))].into();
        RawFleet { cidr_lists: Given::Known(lists), ..with_rule(rule) }
    };
    let told = |raw: &RawFleet| -> Vec<String> {
        parse(raw).1.iter().map(|problem| format!("{}: {}", problem.path, problem.summary)).collect()
    };
    assert_eq!(told(&raw(1_001, 1)), ["cidr_lists[\"offices\"]: 1001 networks"]);
    assert_eq!(told(&raw(501, 2)), ["filters[\"f\"].rules[0].local_cidrs: 1002 networks"]);
    // Within both bounds they still multiply.
    let told = parse(&raw(500, 1)).1;
    assert_eq!(told[0].summary, "The filter needs up to 500000 rules and AWS allows 10");
    assert!(told[0].detail.len() < 1_000, "{}", told[0].detail);
}

#[test]
fn an_mtu_is_that_of_an_interface() {
    let interface = RawTarget { network_interface_id: known("eni-12345678"), ..RawTarget::default() };
    let told = |target: RawTarget| -> Vec<String> {
        let problems = parse(&RawFleet { targets: map(vec![("main", target)]), ..good() }).1;
        problems.iter().map(|problem| format!("{}: {}", problem.path, problem.summary)).collect()
    };
    let with = |mtu: i64| RawTarget { mtu: Given::Known(mtu), ..interface.clone() };
    assert_eq!(told(with(9001)), [""; 0]);
    assert_eq!(told(with(575)), ["targets[\"main\"].mtu: MTU 575 is out of range"]);
    assert_eq!(told(with(9002)), ["targets[\"main\"].mtu: MTU 9002 is out of range"]);
    let endpoint = RawTarget {
        network_interface_id: Given::Absent,
        gateway_load_balancer_endpoint_id: known("vpce-12345678"),
        ..with(1500)
    };
    assert_eq!(told(endpoint), ["targets[\"main\"].mtu: An MTU for a target that is no network interface"]);
}
