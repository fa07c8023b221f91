//! A plan that is right has no flaws; each way to break it is found by its name.

use std::collections::BTreeMap;

use super::*;
use crate::actions::{Action, Ref, Resource, SessionChange, SessionSettings};
use crate::ids::{MemberKey, ObjectKey, Place};
use crate::inventory::Destination;
use crate::inventory::{
    Direction, FilterRule, MirrorFilter, MirrorSession, MirrorTarget, ObservedRule, PlaceInventory,
    RuleAction, Tags,
};
use crate::ownership::{FLEET_TAG, KEY_TAG, own};
use crate::plan::{HeldBack, Holder, Stage, Wave};

fn place() -> Place {
    Place { account: "111111111111".parse().unwrap(), region: "eu-west-1".parse().unwrap() }
}

fn object(label: &str) -> ObjectKey {
    ObjectKey { place: place(), label: label.parse().unwrap() }
}

fn member(number: u32) -> MemberKey {
    MemberKey { place: place(), interface: format!("eni-{number:08x}").parse().unwrap() }
}

fn ours(key: &str) -> Tags {
    [(FLEET_TAG, "prod"), (KEY_TAG, key)].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn rule(number: i64) -> FilterRule {
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

fn session(number: u32, session_number: i64, tags: Tags) -> MirrorSession {
    MirrorSession {
        id: format!("tms-{:08x}", number * 100 + u32::try_from(session_number).unwrap()).parse().unwrap(),
        owner: place().account,
        interface: member(number).interface,
        target: "tmt-00000001".parse().unwrap(),
        filter: "tmf-00000001".parse().unwrap(),
        number: session_number.try_into().unwrap(),
        vni: Some(number),
        packet_length: None,
        description: String::new(),
        tags,
    }
}

/// A target, a filter with a rule, sessions on interfaces 1 (beside a stranger's) and 2.
fn world() -> Owned {
    let target = |id: &str, tags: Tags| MirrorTarget {
        id: id.parse().unwrap(),
        owner: place().account,
        destination: Destination::Interface(member(90).interface),
        description: String::new(),
        tags,
    };
    let seen = PlaceInventory {
        targets: vec![target("tmt-00000001", ours("main")), target("tmt-00000009", Tags::new())],
        filters: vec![MirrorFilter {
            id: "tmf-00000001".parse().unwrap(),
            description: String::new(),
            amazon_dns: false,
            rules: vec![ObservedRule {
                id: "tmfr-00000001".parse().unwrap(),
                rule: rule(1),
                tags: Tags::new(),
            }],
            tags: ours("default"),
        }],
        sessions: vec![session(1, 5, ours("x")), session(1, 6, Tags::new()), session(2, 5, ours("y"))],
        ..PlaceInventory::default()
    };
    own(&"prod".parse().unwrap(), &BTreeMap::from([(place(), seen)]))
}

fn settings(number: i64, vni: i64) -> SessionSettings {
    SessionSettings {
        target: Ref::Existing("tmt-00000001".parse().unwrap()),
        filter: Ref::Existing("tmf-00000001".parse().unwrap()),
        number: number.try_into().unwrap(),
        vni: vni.try_into().unwrap(),
        packet_length: None,
        description: String::new(),
    }
}

fn create(number: u32, settings: SessionSettings) -> Action {
    Action::CreateSession { key: member(number), settings, tags: Tags::new() }
}

fn nothing() -> Expansion {
    Expansion::nothing("prod".parse().unwrap())
}

fn flaws(waves: Vec<(Stage, Vec<Action>)>) -> Vec<Flaw> {
    flaws_with(waves, BTreeMap::new())
}

fn flaws_with(waves: Vec<(Stage, Vec<Action>)>, held_back: BTreeMap<MemberKey, HeldBack>) -> Vec<Flaw> {
    let waves = waves.into_iter().map(|(stage, actions)| Wave { stage, actions }).collect();
    let fleet = "prod".parse().unwrap();
    let made = Plan { fleet, waves, source_gone: [].into(), held_back, findings: Vec::new() };
    let kinds = plan(&made, &world(), &nothing()).into_iter().map(|finding| {
        assert!(finding.is_error());
        finding.kind
    });
    kinds
        .map(|kind| match kind {
            FindingKind::PlanFlawed { flaw } => flaw,
            other => panic!("{other:?}"),
        })
        .collect()
}

fn delete(number: u32) -> Action {
    Action::DeleteSession { key: member(number), id: session(number, 5, Tags::new()).id }
}

#[test]
fn a_right_plan_has_no_flaws() {
    let replaced = SessionSettings { target: Ref::Planned(object("new")), ..settings(7, 30) };
    let target = Action::CreateTarget {
        key: object("new"),
        destination: Destination::Interface(member(91).interface),
        description: String::new(),
        tags: Tags::new(),
    };
    let rules = Action::DeleteRule { key: object("default"), id: "tmfr-00000001".parse().unwrap() };
    let found = flaws(vec![
        (Stage::NewTargets, vec![target]),
        (Stage::NewSessions, vec![create(3, replaced)]),
        (Stage::RemovedSessions, vec![delete(2)]),
        (Stage::UnusedFilters, vec![rules]),
    ]);
    assert_eq!(found, []);
}

#[test]
fn references_must_be_made_before() {
    let dangling = SessionSettings { filter: Ref::Planned(object("new")), ..settings(7, 30) };
    let found = flaws(vec![(Stage::NewSessions, vec![create(3, dangling)])]);
    assert!(matches!(found.as_slice(), [Flaw::ReferenceMissing { .. }]), "{found:?}");
    let strangers =
        SessionSettings { target: Ref::Existing("tmt-00000009".parse().unwrap()), ..settings(7, 30) };
    let found = flaws(vec![(Stage::NewSessions, vec![create(3, strangers)])]);
    assert!(matches!(found.as_slice(), [Flaw::ReferenceMissing { .. }]), "{found:?}");
}

#[test]
fn strangers_objects_are_not_touched() {
    let id = session(1, 6, Tags::new()).id;
    let key = member(1);
    for action in [
        Action::DeleteSession { key: key.clone(), id: id.clone() },
        Action::ModifySession { key, id: id.clone(), change: SessionChange::default() },
        Action::Retag {
            place: place(),
            resource: Resource::Session(id),
            set: Tags::new(),
            remove: Vec::new(),
        },
    ] {
        let found = flaws(vec![(Stage::ChangedSessions, vec![action])]);
        assert!(matches!(found.as_slice(), [Flaw::NotOurs { .. }]), "{found:?}");
    }
    let target = Action::DeleteTarget { key: object("x"), id: "tmt-00000009".parse().unwrap() };
    assert!(matches!(flaws(vec![(Stage::UnusedTargets, vec![target])]).as_slice(), [Flaw::NotOurs { .. }]));
}

#[test]
fn numbers_and_vnis_are_unique_and_slots_are_three() {
    let taken = flaws(vec![(Stage::NewSessions, vec![create(1, settings(6, 30))])]);
    assert_eq!(taken, [Flaw::NumberTaken { object: format!("interface {}", member(1)), number: 6 }]);
    let fourth =
        flaws(vec![(Stage::NewSessions, vec![create(1, settings(7, 30)), create(1, settings(8, 31))])]);
    assert!(matches!(fourth.as_slice(), [Flaw::TooMany { count: 4, .. }]), "{fourth:?}");
    let shared = flaws(vec![(Stage::NewSessions, vec![create(3, settings(7, 2))])]);
    assert!(matches!(shared.as_slice(), [Flaw::DuplicateVni { vni: 2, .. }]), "{shared:?}");
}

#[test]
fn who_is_held_back_has_a_reason_and_is_left_alone() {
    // On interface 1 number 5 is ours and 6 a stranger's; on 2 there is ours alone, on 3 nothing.
    let by = Holder::of(&session(1, 6, Tags::new()));
    let taken = |key: u32, number: i64, keeps: Option<i64>| {
        let number = number.try_into().unwrap();
        let keeps = keeps.map(|kept| kept.try_into().unwrap());
        (member(key), HeldBack::NumberTaken { number, by: by.clone(), keeps })
    };
    let slots = |key: u32| {
        (member(key), HeldBack::SlotsTaken { number: 9.try_into().unwrap(), by: vec![by.clone()] })
    };
    assert_eq!(flaws_with(Vec::new(), [taken(1, 6, Some(5))].into()), []);
    let why = |waves: Vec<(Stage, Vec<Action>)>, held_back: (MemberKey, HeldBack)| match flaws_with(
        waves,
        [held_back].into(),
    )
    .as_slice()
    {
        [Flaw::WronglyHeldBack { why, .. }] => *why,
        other => panic!("{other:?}"),
    };
    let needless = "nobody else has what it was to get";
    assert_eq!(why(Vec::new(), taken(1, 7, Some(5))), needless);
    assert_eq!(why(Vec::new(), taken(3, 6, None)), needless, "the stranger is on another interface");
    assert_eq!(why(Vec::new(), slots(1)), needless, "one slot is free");
    let all_the_same = "the plan makes or moves it all the same";
    let change = SessionChange { number: Some(8.try_into().unwrap()), ..SessionChange::default() };
    let moved = Action::ModifySession { key: member(1), id: session(1, 5, Tags::new()).id, change };
    assert_eq!(why(vec![(Stage::ChangedSessions, vec![moved])], taken(1, 6, Some(5))), all_the_same);
    assert_eq!(why(Vec::new(), taken(1, 6, None)), all_the_same, "there is a session");
    let created = vec![(Stage::NewSessions, vec![create(1, settings(7, 30))])];
    assert_eq!(why(created, taken(1, 6, Some(5))), all_the_same);
}

#[test]
fn used_things_are_not_deleted() {
    let filter = || Action::DeleteFilter { key: object("default"), id: "tmf-00000001".parse().unwrap() };
    let target = || Action::DeleteTarget { key: object("main"), id: "tmt-00000001".parse().unwrap() };
    let found = flaws(vec![(Stage::UnusedFilters, vec![filter()]), (Stage::UnusedTargets, vec![target()])]);
    // The filter by its rule and by sessions, the target by sessions.
    assert_eq!(found.iter().filter(|flaw| matches!(flaw, Flaw::StillUsed { .. })).count(), 3, "{found:?}");
}

#[test]
fn a_filter_keeps_ten_rules_with_numbers_of_their_own() {
    let add = |number| Action::CreateRule {
        key: object("default"),
        filter: Ref::Existing("tmf-00000001".parse().unwrap()),
        rule: rule(number),
        tags: Tags::new(),
    };
    let eleventh = flaws(vec![(Stage::Rules, (2..12).map(add).collect())]);
    assert!(matches!(eleventh.as_slice(), [Flaw::TooMany { count: 11, .. }]), "{eleventh:?}");
    let twice = flaws(vec![(Stage::Rules, vec![add(1)])]);
    assert!(matches!(twice.as_slice(), [Flaw::NumberTaken { number: 1, .. }]), "{twice:?}");
}

#[test]
fn waves_come_in_the_order_of_stages() {
    let found =
        flaws(vec![(Stage::RemovedSessions, vec![delete(1)]), (Stage::FreedSources, vec![delete(2)])]);
    assert_eq!(found, [Flaw::WavesOutOfOrder]);
}

#[test]
fn sessions_of_nobody_are_taken_over_only_with_their_own_key_and_on_the_way_to_the_fleet() {
    // Interface 5 has a session of nobody to the fleet's destination, 6 one to elsewhere, 7 another fleet's.
    let mut seen = PlaceInventory::default();
    for (id, destination) in [("tmt-00000001", 90), ("tmt-00000002", 90), ("tmt-00000003", 91)] {
        let tags = if id == "tmt-00000001" { ours("main") } else { Tags::new() };
        seen.targets.push(MirrorTarget {
            id: id.parse().unwrap(),
            owner: place().account,
            destination: Destination::Interface(member(destination).interface),
            description: String::new(),
            tags,
        });
    }
    let others = Tags::from([(FLEET_TAG.to_owned(), "other".to_owned())]);
    for (number, target, tags) in
        [(5, "tmt-00000002", Tags::new()), (6, "tmt-00000003", Tags::new()), (7, "tmt-00000002", others)]
    {
        seen.sessions.push(MirrorSession { target: target.parse().unwrap(), ..session(number, 1, tags) });
    }
    let owned = own(&"prod".parse().unwrap(), &[(place(), seen)].into());
    let id = |number: u32| -> crate::ids::SessionId { session(number, 1, Tags::new()).id };
    let adopt = |number: u32, key: u32| Action::Retag {
        place: place(),
        resource: Resource::Session(id(number)),
        set: ours(&member(key).to_string()),
        remove: Vec::new(),
    };
    let change = |number: u32| Action::ModifySession {
        key: member(number),
        id: id(number),
        change: SessionChange { number: Some(9.try_into().unwrap()), ..SessionChange::default() },
    };
    let flaws = |waves: Vec<(Stage, Vec<Action>)>| -> Vec<Flaw> {
        let waves = waves.into_iter().map(|(stage, actions)| Wave { stage, actions }).collect();
        let made = Plan {
            fleet: "prod".parse().unwrap(),
            waves,
            source_gone: [].into(),
            held_back: [].into(),
            findings: Vec::new(),
        };
        let found = plan(&made, &owned, &nothing()).into_iter().map(|finding| match finding.kind {
            FindingKind::PlanFlawed { flaw } => flaw,
            other => panic!("{other:?}"),
        });
        found.collect()
    };
    let tagged_first =
        flaws(vec![(Stage::Adoptions, vec![adopt(5, 5)]), (Stage::ChangedSessions, vec![change(5)])]);
    assert_eq!(tagged_first, []);
    let tagged_last =
        flaws(vec![(Stage::ChangedSessions, vec![change(5)]), (Stage::Tags, vec![adopt(5, 5)])]);
    assert!(matches!(tagged_last.as_slice(), [Flaw::NotOurs { .. }]), "{tagged_last:?}");
    let why = |action| match flaws(vec![(Stage::Adoptions, vec![action])]).as_slice() {
        [Flaw::WronglyAdopted { why, .. }] => *why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(adopt(5, 6)), "its key would not be that of its source");
    assert_eq!(why(adopt(6, 6)), "it sends to no destination of the fleet");
    assert_eq!(why(adopt(7, 7)), "another fleet's tag is on it");
    let mut unclaimed = adopt(5, 5);
    if let Action::Retag { set, .. } = &mut unclaimed {
        set.remove(FLEET_TAG);
    }
    let found = flaws(vec![(Stage::Adoptions, vec![unclaimed])]);
    assert!(matches!(found.as_slice(), [Flaw::NotOurs { .. }]), "{found:?}");
}

#[test]
fn an_interface_becomes_a_target_only_while_nothing_uses_it() {
    let target = |number: u32| Action::CreateTarget {
        key: object("new"),
        destination: Destination::Interface(member(number).interface),
        description: String::new(),
        tags: ours("new"),
    };
    let why = |waves| match flaws(waves).as_slice() {
        [Flaw::InterfaceTaken { by, .. }] => by.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(why(vec![(Stage::NewTargets, vec![target(2)])]), format!("the session of {}", member(2)));
    assert_eq!(
        flaws(vec![(Stage::FreedInterfaces, vec![delete(2)]), (Stage::NewTargets, vec![target(2)])]),
        []
    );
    assert_eq!(flaws(vec![(Stage::NewTargets, vec![target(3)])]), []);
    let twice = why(vec![(Stage::NewTargets, vec![target(3), target(3)])]);
    assert_eq!(twice, format!("target new {}", object("new")));
}
