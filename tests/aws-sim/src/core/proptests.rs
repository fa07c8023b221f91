//! Whatever calls come in whatever order, what exists never breaks AWS's rules. The domain is small on purpose: ids
//! collide, quotas are reached, deletions hit what is in use.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;

use super::Core;
use crate::change::{self, Change};
use crate::state::{Destination, Space};
use crate::world::World;

const WORLD: &str = r#"
    accounts = [{ id = "111111111111", access_keys = ["test"] }]
    quotas = { sources_per_interface_target = 3, targets = 4, rules_per_filter = 3 }
    vpcs = [{ name = "v", cidr = "10.0.0.0/16" }]
    subnets = [{ name = "s", vpc = "v", cidr = "10.0.0.0/24" }]
    instances = [{ name = "m", count = 6, type = "m5.large", subnet = "s" }]
    load_balancers = [{ name = "b" }]
"#;

/// A call or change with small numbers where the world has ids; they pick among what exists.
#[derive(Debug, Clone)]
struct Step {
    action: usize,
    picks: [usize; 4],
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step =
        (0..12usize, proptest::array::uniform4(0..6usize)).prop_map(|(action, picks)| Step { action, picks });
    proptest::collection::vec(step, 1..80)
}

fn place() -> (String, String) {
    ("111111111111".to_owned(), "us-east-1".to_owned())
}

fn pick<'a>(ids: impl Iterator<Item = &'a String>, number: usize) -> String {
    let ids: Vec<&String> = ids.collect();
    if ids.is_empty() { "none-1".to_owned() } else { ids[number % ids.len()].clone() }
}

fn take(core: &mut Core, step: &Step) {
    let space = &core.state.spaces[&place()];
    let [a, b, c, d] = step.picks;
    let interface = World::id_of("eni", &format!("m-{}", a + 1));
    let target = pick(space.targets.iter().map(|(id, _)| id), b);
    let filter = pick(space.filters.iter().map(|(id, _)| id), c);
    let session = pick(space.sessions.iter().map(|(id, _)| id), a);
    let rule = pick(space.filter_rules.iter().map(|(id, _)| id), a);
    let balancer = pick(space.load_balancers.keys(), 0);
    let number = (d + 1).to_string();
    let cidr = if b % 2 == 0 { "10.0.0.0/8" } else { "::/0" };
    let (action, parameters): (&str, Vec<(&str, &str)>) = match step.action {
        0 => ("CreateTrafficMirrorTarget", vec![("NetworkInterfaceId", &interface)]),
        1 => ("CreateTrafficMirrorTarget", vec![("NetworkLoadBalancerArn", &balancer)]),
        2 => ("CreateTrafficMirrorFilter", vec![]),
        3..=5 => (
            "CreateTrafficMirrorSession",
            vec![
                ("NetworkInterfaceId", &interface),
                ("TrafficMirrorTargetId", &target),
                ("TrafficMirrorFilterId", &filter),
                ("SessionNumber", &number),
            ],
        ),
        6 => (
            "ModifyTrafficMirrorSession",
            vec![
                ("TrafficMirrorSessionId", &session),
                ("TrafficMirrorTargetId", &target),
                ("SessionNumber", &number),
            ],
        ),
        7 => (
            "CreateTrafficMirrorFilterRule",
            vec![
                ("TrafficMirrorFilterId", &filter),
                ("TrafficDirection", if a % 2 == 0 { "ingress" } else { "egress" }),
                ("RuleNumber", &number),
                ("RuleAction", "accept"),
                ("SourceCidrBlock", cidr),
                ("DestinationCidrBlock", if c % 2 == 0 { "0.0.0.0/0" } else { "::/0" }),
            ],
        ),
        8 => (
            "ModifyTrafficMirrorFilterRule",
            vec![("TrafficMirrorFilterRuleId", &rule), ("RuleNumber", &number), ("SourceCidrBlock", cidr)],
        ),
        9 => ("DeleteTrafficMirrorTarget", vec![("TrafficMirrorTargetId", &target)]),
        10 => ("DeleteTrafficMirrorFilter", vec![("TrafficMirrorFilterId", &filter)]),
        _ if d == 0 => {
            // An interface may be gone already; then nothing changes.
            change::apply(core, Change::DeleteInterface { interface }, Timestamp::UNIX_EPOCH).ok();
            return;
        }
        _ => ("DeleteTrafficMirrorSession", vec![("TrafficMirrorSessionId", &session)]),
    };
    let parameters: BTreeMap<String, String> =
        parameters.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    // Most calls are refused in so small a world; the rules below hold either way.
    core.call_behind(place(), action, parameters, Timestamp::UNIX_EPOCH).ok();
}

fn check(space: &Space) -> Result<(), TestCaseError> {
    let mut numbers = BTreeSet::new();
    let mut per_interface: BTreeMap<&String, usize> = BTreeMap::new();
    let mut sources: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
    let mut vnis = BTreeSet::new();
    for session in space.sessions.values() {
        prop_assert!(space.targets.get(&session.target).is_some(), "session without target");
        prop_assert!(space.filters.get(&session.filter).is_some(), "session without filter");
        prop_assert!(space.interfaces.contains_key(&session.interface), "session without source");
        prop_assert!(space.target_on(&session.interface).is_none(), "source is a target");
        prop_assert!(numbers.insert((&session.interface, session.number)), "number twice on an interface");
        prop_assert!(vnis.insert(session.vni), "drawn id twice");
        *per_interface.entry(&session.interface).or_default() += 1;
        sources.entry(&session.target).or_default().insert(&session.interface);
    }
    prop_assert!(per_interface.values().all(|count| *count <= 3), "more than three sessions on an interface");
    prop_assert!(space.targets.len() <= 4, "more targets than the quota");
    for (id, target) in space.targets.iter() {
        if matches!(target.destination, Destination::NetworkInterface(_)) {
            prop_assert!(
                sources.get(id).is_none_or(|sources| sources.len() <= 3),
                "more sources than the quota"
            );
        }
    }
    let mut rules: BTreeMap<&String, usize> = BTreeMap::new();
    let mut rule_numbers = BTreeSet::new();
    for rule in space.filter_rules.values() {
        prop_assert!(space.filters.get(&rule.filter).is_some(), "rule without filter");
        prop_assert_eq!(rule.source_cidr.addr().is_ipv4(), rule.destination_cidr.addr().is_ipv4());
        prop_assert!(rule_numbers.insert((&rule.filter, &rule.direction, rule.number)), "rule number twice");
        *rules.entry(&rule.filter).or_default() += 1;
    }
    prop_assert!(rules.values().all(|count| *count <= 3), "more rules than the quota");
    Ok(())
}

proptest! {
    #[test]
    fn no_sequence_of_calls_breaks_a_rule(steps in steps()) {
        let world = World::parse(WORLD).unwrap();
        let mut core = Core::new(world.build(Timestamp::UNIX_EPOCH).unwrap(), false);
        for step in &steps {
            take(&mut core, step);
            check(&core.state.spaces[&place()])?;
        }
    }
}

#[test]
fn the_steps_reach_sessions_rules_and_refusals() {
    // A property over calls that are all refused would hold of anything.
    let world = World::parse(WORLD).unwrap();
    let mut core = Core::new(world.build(Timestamp::UNIX_EPOCH).unwrap(), false);
    for (action, picks) in
        [(0, [0; 4]), (2, [0; 4]), (3, [1, 0, 0, 0]), (3, [2, 0, 0, 0]), (7, [0; 4]), (0, [1; 4])]
    {
        take(&mut core, &Step { action, picks });
    }
    let space = &core.state.spaces[&place()];
    assert_eq!((space.targets.len(), space.sessions.len(), space.filter_rules.len()), (1, 2, 1));
}
