//! What the tests of this crate share: names, tags and plans in few words.

use enigma_fleet::actions::{Action, Ref, SessionSettings};
use enigma_fleet::ids::{FilterId, InterfaceId, MemberKey, ObjectKey, Place, TargetId};
use enigma_fleet::inventory::{Destination, Direction, FilterRule, RuleAction, Tags};
use enigma_fleet::plan::{Plan, Stage, Wave};

use crate::memory::MemoryAws;

pub(crate) const ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/c/0123456789abcdef";

pub(crate) fn place(text: &str) -> Place {
    let (account, region) = text.split_once('/').unwrap();
    Place { account: account.parse().unwrap(), region: region.parse().unwrap() }
}

pub(crate) fn home() -> Place {
    place("111111111111/us-east-1")
}

/// An AWS with a load balancer at home.
pub(crate) fn aws() -> MemoryAws {
    let aws = MemoryAws::new(home());
    aws.add_load_balancer(&home(), ARN);
    aws
}

/// An AWS with a load balancer and so many mirrorable interfaces at home.
pub(crate) fn aws_with(interfaces: usize) -> (MemoryAws, Vec<InterfaceId>) {
    let aws = aws();
    let ids = (0..interfaces).map(|_| aws.launch(&home(), "m5.large", &Tags::new()).1).collect();
    (aws, ids)
}

pub(crate) fn key(label: &str) -> ObjectKey {
    ObjectKey { place: home(), label: label.parse().unwrap() }
}

pub(crate) fn member(interface: &InterfaceId) -> MemberKey {
    MemberKey { place: home(), interface: interface.clone() }
}

pub(crate) fn plan(waves: Vec<(Stage, Vec<Action>)>) -> Plan {
    Plan {
        fleet: "prod".parse().unwrap(),
        waves: waves.into_iter().map(|(stage, actions)| Wave { stage, actions }).collect(),
        source_gone: std::collections::BTreeSet::new(),
        held_back: [].into(),
        findings: Vec::new(),
    }
}

pub(crate) fn create_target() -> Action {
    Action::CreateTarget {
        key: key("t"),
        destination: Destination::NetworkLoadBalancer(ARN.to_owned()),
        description: String::new(),
        tags: Tags::new(),
    }
}

pub(crate) fn create_filter(label: &str) -> Action {
    Action::CreateFilter { key: key(label), description: String::new(), tags: Tags::new() }
}

pub(crate) fn rule(number: i64) -> FilterRule {
    FilterRule {
        direction: Direction::Ingress,
        number: number.try_into().unwrap(),
        action: RuleAction::Accept,
        protocol: None,
        source: "0.0.0.0/0".parse().unwrap(),
        destination: "0.0.0.0/0".parse().unwrap(),
        source_ports: None,
        destination_ports: None,
        description: String::new(),
    }
}

pub(crate) fn create_rule(label: &str, number: i64) -> Action {
    Action::CreateRule {
        key: key(label),
        filter: Ref::Planned(key(label)),
        rule: rule(number),
        tags: Tags::new(),
    }
}

pub(crate) fn settings(target: Ref<TargetId>, filter: Ref<FilterId>, vni: i64) -> SessionSettings {
    SessionSettings {
        target,
        filter,
        number: 1.try_into().unwrap(),
        vni: vni.try_into().unwrap(),
        packet_length: None,
        description: String::new(),
    }
}

/// A session of the planned target and the planned filter of that label.
pub(crate) fn create_session(interface: &InterfaceId, filter: &str) -> Action {
    Action::CreateSession {
        key: member(interface),
        settings: settings(Ref::Planned(key("t")), Ref::Planned(key(filter)), 7),
        tags: Tags::from([("enigma:fleet".to_owned(), "prod".to_owned())]),
    }
}

/// Target, filter with one rule, and a session on each interface.
pub(crate) fn whole(interfaces: &[InterfaceId]) -> Plan {
    plan(vec![
        (Stage::NewTargets, vec![create_target()]),
        (Stage::NewFilters, vec![create_filter("f")]),
        (Stage::Rules, vec![create_rule("f", 10)]),
        (Stage::NewSessions, interfaces.iter().map(|i| create_session(i, "f")).collect()),
    ])
}
