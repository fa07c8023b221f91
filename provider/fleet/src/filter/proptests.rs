//! The compiler against an evaluation of intents that shares none of its steps, and transitions against their
//! promise. Small domains of ports and networks, so that rules meet; packets at and beside every boundary.

use std::net::IpAddr;

use ipnet::IpNet;
use proptest::prelude::*;
use proptest::sample::subsequence;

use crate::filter::intent::join_ranges;
use crate::filter::tests::observed;
use crate::filter::{
    Directions, Intent, IpVersion, Packet, Ports, RuleStep, compile, evaluate, intends, transition,
};
use crate::inventory::{Direction, FilterRule, PortRange, RuleAction};

const NETS: [&str; 8] = [
    "10.0.0.0/8",
    "10.0.0.0/9",
    "10.128.0.0/9",
    "10.1.0.0/16",
    "192.168.0.0/16",
    "2001:db8::/32",
    "2001:db8::/33",
    "2001:db8:8000::/33",
];
const ADDRESSES: [&str; 11] = [
    "9.255.255.255",
    "10.0.0.0",
    "10.1.2.3",
    "10.127.255.255",
    "10.128.0.0",
    "11.0.0.0",
    "192.168.1.1",
    "2001:db7:ffff::",
    "2001:db8::1",
    "2001:db8:8000::",
    "2001:db9::",
];
const PORTS: [u16; 10] = [0, 1, 9, 10, 11, 20, 21, 30, 31, 65535];

fn nets() -> impl Strategy<Value = Vec<IpNet>> {
    prop_oneof![
        3 => Just(Vec::new()),
        2 => subsequence(NETS.to_vec(), 1..3)
            .prop_map(|nets| nets.iter().map(|net| net.parse().unwrap()).collect()),
    ]
}

fn ranges() -> impl Strategy<Value = Vec<PortRange>> {
    prop::collection::vec((0..6_u16, 0..3_u16), 1..3).prop_map(|pairs| {
        let range = |(from, size): (u16, u16)| PortRange { from: from * 10, to: from * 10 + size * 10 };
        join_ranges(pairs.into_iter().map(range).collect())
    })
}

fn intent() -> impl Strategy<Value = Intent> {
    let ports = prop_oneof![
        2 => Just(Ports::Any),
        1 => ranges().prop_map(Ports::Either),
        1 => ranges().prop_map(|local| Ports::Sides { local, remote: Vec::new() }),
        1 => (ranges(), ranges()).prop_map(|(local, remote)| Ports::Sides { local, remote }),
    ];
    let action = prop_oneof![Just(RuleAction::Accept), Just(RuleAction::Reject)];
    let protocol =
        prop_oneof![Just(None), Just(Some(6)), Just(Some(17)), Just(Some(1)), Just(Some(58)), Just(Some(47))];
    let directions = prop_oneof![3 => Just(Directions::Both), 1 => Just(Directions::Ingress), 1 => Just(Directions::Egress)];
    (action, protocol, directions, ports, nets(), nets()).prop_map(
        |(action, protocol, directions, ports, local, remote)| {
            let has_ports = matches!(protocol, Some(6 | 17));
            Intent {
                action,
                protocol,
                directions,
                ports: if has_ports { ports } else { Ports::Any },
                local,
                remote,
            }
        },
    )
}

fn versions() -> impl Strategy<Value = Vec<IpVersion>> {
    subsequence(IpVersion::ALL.to_vec(), 1..=2)
}

/// Every combination of boundary values.
fn packets() -> Vec<Packet> {
    let addresses: Vec<IpAddr> = ADDRESSES.iter().map(|address| address.parse().unwrap()).collect();
    let mut packets = Vec::new();
    for source in &addresses {
        for destination in addresses.iter().filter(|other| other.is_ipv4() == source.is_ipv4()) {
            for direction in [Direction::Ingress, Direction::Egress] {
                let packet = Packet {
                    direction,
                    protocol: 1,
                    source: *source,
                    destination: *destination,
                    ports: None,
                };
                packets.extend([1, 47, 58].map(|protocol| Packet { protocol, ..packet }));
                for from in PORTS {
                    for to in PORTS {
                        packets.extend([6, 17].map(|protocol| Packet {
                            protocol,
                            ports: Some((from, to)),
                            ..packet
                        }));
                    }
                }
            }
        }
    }
    packets
}

fn apply(rules: &mut Vec<(String, FilterRule)>, step: &RuleStep, index: usize) {
    match step {
        RuleStep::Create(rule) => rules.push((format!("new {index}"), rule.clone())),
        RuleStep::Delete(gone) => rules.retain(|(id, _)| id != gone.as_str()),
        RuleStep::Modify { id: changed, before, after } => {
            let rule = rules.iter_mut().find(|(id, _)| id == changed.as_str()).unwrap();
            assert_eq!(rule.1, *before);
            rule.1 = after.clone();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn compiled_rules_mean_what_was_intended(
        intents in prop::collection::vec(intent(), 1..5),
        versions in versions(),
    ) {
        // What does not fit ten rules is refused, and proves nothing here: others are made in its place.
        let compiled = compile(&intents, &versions);
        prop_assume!(compiled.is_ok());
        let compiled = compiled.unwrap();
        for packet in packets() {
            prop_assert_eq!(
                evaluate(&compiled.rules, &packet),
                intends(&intents, &versions, &packet),
                "{:?} by {:?}", packet, compiled.rules
            );
        }
    }

    #[test]
    fn a_transition_arrives_and_never_loses_what_both_want(
        before in prop::collection::vec(intent(), 0..4),
        after in prop::collection::vec(intent(), 1..4),
        versions in versions(),
    ) {
        let (before, after) = (compile(&before, &versions), compile(&after, &versions));
        prop_assume!(before.is_ok() && after.is_ok());
        let (before, after) = (before.unwrap(), after.unwrap());
        let current = observed(&before.rules);
        let transition = transition(&current, &after.rules);
        let mut rules: Vec<(String, FilterRule)> =
            current.iter().map(|one| (one.id.to_string(), one.rule.clone())).collect();
        let packets = packets();
        let both: Vec<&Packet> = packets
            .iter()
            .filter(|packet| evaluate(&before.rules, packet) && evaluate(&after.rules, packet))
            .collect();
        for (index, step) in transition.steps.iter().enumerate() {
            apply(&mut rules, step, index);
            let now: Vec<FilterRule> = rules.iter().map(|(_, rule)| rule.clone()).collect();
            prop_assert!(now.len() <= 10);
            let mut numbers: Vec<_> = now.iter().map(|rule| (rule.direction, rule.number)).collect();
            numbers.sort();
            numbers.dedup();
            prop_assert_eq!(numbers.len(), now.len(), "a number twice");
            if !transition.is_narrower_for_a_moment {
                for packet in &both {
                    prop_assert!(evaluate(&now, packet), "{:?} is lost at step {}", packet, index);
                }
            }
        }
        let mut arrived: Vec<FilterRule> = rules.into_iter().map(|(_, rule)| rule).collect();
        arrived.sort_by_key(|rule| (rule.direction, rule.number));
        prop_assert_eq!(arrived, after.rules);
    }
}
