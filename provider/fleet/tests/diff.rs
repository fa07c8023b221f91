//! Plans on a small world, where the order of actions or what is left alone matters.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod world;

use std::collections::BTreeMap;

use enigma_fleet::actions::{Action, Resource};
use enigma_fleet::check;
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::expand::{Expansion, Facts, Prior, expand};
use enigma_fleet::finding::FindingKind;
use enigma_fleet::given::Given;
use enigma_fleet::ids::ObjectKey;
use enigma_fleet::ownership::{Known, own_known};
use enigma_fleet::plan::{HeldBack, Lane, Plan, Stage};
use enigma_fleet::selection::{self, RawRule, RawSelection, select};
use enigma_fleet::spec::{self, FleetSpec, RawFleet, RawSafety, RawTarget};
use world::{ARN, World, eni, home, key};

fn known(text: &str) -> Given<String> {
    Given::Known(text.to_owned())
}

fn fleet(target: RawTarget, tags: &[(&str, &str)]) -> FleetSpec {
    fleet_of(vec![("main", target)], tags)
}

fn fleet_of(targets: Vec<(&str, RawTarget)>, tags: &[(&str, &str)]) -> FleetSpec {
    let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), known(value))).collect();
    let targets = targets.into_iter().map(|(label, target)| (label.to_owned(), Given::Known(target)));
    let raw = RawFleet {
        name: known("prod"),
        targets: Given::Known(targets.collect()),
        safety: Given::Known(RawSafety { max_removals: known("100%"), ..RawSafety::default() }),
        tags: Given::Known(tags),
        ..RawFleet::default()
    };
    let (spec, problems) = spec::parse(&raw);
    assert_eq!(problems, []);
    spec.unwrap()
}

fn nlb() -> RawTarget {
    RawTarget { network_load_balancer_arn: known(ARN), ..RawTarget::default() }
}

fn interface(number: u32) -> RawTarget {
    RawTarget { network_interface_id: known(eni(number).as_str()), ..RawTarget::default() }
}

fn wanted(world: &World, spec: &FleetSpec) -> Expansion {
    let rules = [("everything".to_owned(), Given::Known(RawRule::default()))].into();
    let selection = RawSelection { rules: Given::Known(rules), ..RawSelection::default() };
    let members = select(&selection::parse(&selection).0.unwrap(), &world.inventory()).members;
    let prior = world.refresh(&Prior::default(), &spec.name).prior;
    expand(spec, &home(), &members, &prior, &Facts::default())
}

fn plan(world: &World, spec: &FleetSpec, around: &Circumstances) -> Plan {
    let owned = world.owned(&spec.name);
    let wanted = wanted(world, spec);
    let plan = diff(&wanted, &owned, around);
    assert_eq!(check::plan(&plan, &owned, &wanted), []);
    plan
}

fn apply(world: &mut World, spec: &FleetSpec) {
    let plan = plan(world, spec, &Circumstances::default());
    world.apply(&plan, usize::MAX);
}

fn stages(plan: &Plan) -> Vec<(Stage, usize)> {
    plan.waves.iter().map(|wave| (wave.stage, wave.actions.len())).collect()
}

fn with_instances(numbers: impl IntoIterator<Item = u32>) -> World {
    let mut world = World::new();
    for number in numbers {
        world.launch(number, "m5.large", 0, &[]);
    }
    world
}

/// The keys of everything that the only wave of a plan tags, and with what.
fn retagged(plan: &Plan) -> Vec<(Resource, String)> {
    assert_eq!(stages(plan).len(), 1, "{plan:#?}");
    let one = |action: &Action| match action {
        Action::Retag { resource, set, .. } => (resource.clone(), set["enigma:key"].clone()),
        other => panic!("{other:?}"),
    };
    plan.actions().map(one).collect()
}

#[test]
fn a_target_keeps_its_sessions_under_another_label() {
    for target in [interface(900), nlb()] {
        let mut world = with_instances(1..=3);
        apply(&mut world, &fleet(target.clone(), &[]));
        let before = (world.seen.sessions.clone(), world.seen.targets[0].id.clone());
        let renamed = fleet_of(vec![("collectors", target)], &[]);
        let told = plan(&world, &renamed, &Circumstances::default());
        assert_eq!(retagged(&told), [(Resource::Target(before.1.clone()), "collectors".to_owned())]);
        world.apply(&told, usize::MAX);
        assert_eq!((world.seen.sessions.clone(), world.seen.targets[0].id.clone()), before);
        assert_eq!(world.seen.targets[0].tags["Name"], "prod collectors");
        assert!(plan(&world, &renamed, &Circumstances::default()).is_empty());
    }
}

#[test]
fn two_labels_of_interfaces_may_be_exchanged() {
    let mut world = with_instances(1..=4);
    let both = |a, b| fleet_of(vec![("a", interface(a)), ("b", interface(b))], &[]);
    apply(&mut world, &both(900, 901));
    let sends =
        |world: &World| -> Vec<_> { world.seen.sessions.iter().map(|one| one.target.clone()).collect() };
    let before = sends(&world);
    apply(&mut world, &both(901, 900));
    assert_eq!(world.seen.targets.len(), 2);
    // A label says where its sources go.
    let after = sends(&world);
    assert!(before.iter().zip(&after).all(|(before, after)| before != after));
    assert!(plan(&world, &both(901, 900), &Circumstances::default()).is_empty());
}

#[test]
fn a_target_without_its_key_is_taken_for_what_it_is() {
    let mut world = with_instances(1..=2);
    let spec = fleet(interface(900), &[]);
    apply(&mut world, &spec);
    let id = world.seen.targets[0].id.clone();
    for lost in [None, Some("somebody's")] {
        let tags = &mut world.seen.targets[0].tags;
        match lost {
            None => drop(tags.remove("enigma:key")),
            Some(other) => drop(tags.insert("enigma:key".to_owned(), other.to_owned())),
        }
        let told = plan(&world, &spec, &Circumstances::default());
        assert_eq!(retagged(&told), [(Resource::Target(id.clone()), "main".to_owned())]);
        world.apply(&told, usize::MAX);
    }
    assert_eq!(world.seen.targets.len(), 1);
}

#[test]
fn what_lost_the_tag_of_its_fleet_is_tagged_again_and_never_doubled() {
    let mut world = with_instances(1..=2);
    let spec = fleet(nlb(), &[]);
    apply(&mut world, &spec);
    let id = (
        world.seen.targets[0].id.clone(),
        world.seen.filters[0].id.clone(),
        world.seen.sessions[0].id.clone(),
    );
    let at = |label: &str| ObjectKey { place: home(), label: label.parse().unwrap() };
    let known = Known {
        targets: [(id.0.clone(), at("main"))].into(),
        filters: [(id.1.clone(), at("default"))].into(),
        sessions: [id.2].into(),
    };
    let prior = world.refresh(&Prior::default(), &spec.name).prior;
    let before = wanted(&world, &spec);
    // A cleaner takes every tag that it does not know.
    world.seen.targets[0].tags.clear();
    world.seen.filters[0].tags.clear();
    world.seen.sessions[0].tags.clear();
    let rules = [("everything".to_owned(), Given::Known(RawRule::default()))].into();
    let selection = RawSelection { rules: Given::Known(rules), ..RawSelection::default() };
    let members = select(&selection::parse(&selection).0.unwrap(), &world.inventory()).members;
    let again = expand(&spec, &home(), &members, &prior, &Facts::default());
    assert_eq!(again.sessions, before.sessions, "number and VNI stay");
    let owned = own_known(&spec.name, &[(home(), world.seen.clone())].into(), &known);
    assert_eq!(owned.mistagged(&spec.name).len(), 3);
    let told = diff(&again, &owned, &Circumstances::default());
    assert_eq!(check::plan(&told, &owned, &again), []);
    assert_eq!(stages(&told), [(Stage::Adoptions, 3)], "{told:#?}");
    world.apply(&told, usize::MAX);
    let healed = world.owned(&spec.name);
    assert_eq!(healed.mistagged(&spec.name), Vec::<String>::new());
    assert_eq!((healed.targets.len(), healed.filters.len(), healed.sessions.len()), (1, 1, 2));
    assert!(plan(&world, &spec, &Circumstances::default()).is_empty());
    // Another fleet's tag is another fleet's, whoever knows the id.
    world.seen.sessions[0].tags.insert("enigma:fleet".to_owned(), "web".to_owned());
    let owned = own_known(&spec.name, &[(home(), world.seen.clone())].into(), &known);
    assert_eq!((owned.sessions.len(), owned.strangers.len()), (1, 1));
}

#[test]
fn a_source_stops_being_one_before_it_becomes_a_target() {
    let mut world = with_instances(1..=3);
    apply(&mut world, &fleet(nlb(), &[]));
    let spec = fleet_of(vec![("main", nlb()), ("probe", interface(2))], &[]);
    let told = plan(&world, &spec, &Circumstances::default());
    assert_eq!(
        stages(&told),
        [(Stage::FreedInterfaces, 1), (Stage::NewTargets, 1)],
        "the session on the interface goes first"
    );
    world.apply(&told, usize::MAX);
    assert!(plan(&world, &spec, &Circumstances::default()).is_empty());
}

#[test]
fn an_interface_that_others_use_becomes_no_target() {
    let findings = |world: &World| {
        let spec = fleet(interface(2), &[]);
        let told = plan(world, &spec, &Circumstances::default());
        assert!(told.is_empty(), "nothing is done");
        let lines = told.findings.iter().map(ToString::to_string);
        lines.collect::<Vec<_>>()
    };
    let mut world = with_instances(1..=2);
    let session = world.stranger(2, 5, 7);
    let told = findings(&world);
    assert_eq!(told.len(), 1, "{told:#?}");
    let words = ["error: ", "targets[\"main\"].network_interface_id", "target main", session.as_str()];
    assert!(words.iter().all(|word| told[0].contains(word)), "{told:#?}");

    let mut world = with_instances(1..=2);
    let target = world.add_target(enigma_fleet::inventory::Destination::Interface(eni(2)), BTreeMap::new());
    let told = findings(&world);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(
        ["error: ", "target main", target.as_str()].iter().all(|word| told[0].contains(word)),
        "{told:#?}"
    );
}

#[test]
fn a_full_interface_target_is_freed_before_it_is_filled() {
    let mut world = with_instances(1..=10);
    let spec = fleet(interface(900), &[]);
    apply(&mut world, &spec);
    for number in 1..=3 {
        world.seen.instances.retain(|one| one.id != world::instance_id(number));
        world.seen.interfaces.iter_mut().find(|one| one.id == eni(number)).unwrap().attachment = None;
        world.launch(number + 100, "m5.large", 0, &[]);
    }
    let plan = plan(&world, &spec, &Circumstances::default());
    assert_eq!(stages(&plan), [(Stage::FreedSources, 3), (Stage::NewSessions, 3)]);
}

#[test]
fn with_room_for_all_coverage_comes_before_removal() {
    let mut world = with_instances(1..=3);
    let spec = fleet(nlb(), &[]);
    apply(&mut world, &spec);
    world.seen.interfaces.iter_mut().find(|one| one.id == eni(1)).unwrap().attachment = None;
    world.launch(9, "m5.large", 0, &[]);
    let plan = plan(&world, &spec, &Circumstances::default());
    assert_eq!(stages(&plan), [(Stage::NewSessions, 1), (Stage::RemovedSessions, 1)]);
}

#[test]
fn a_source_that_is_gone_is_said_and_not_tried() {
    let world = with_instances(1..=2);
    let spec = fleet(nlb(), &[]);
    let around = Circumstances { source_gone: [key(2)].into(), ..Circumstances::default() };
    let plan = plan(&world, &spec, &around);
    assert_eq!(plan.source_gone, [key(2)].into());
    let made = plan.actions().filter(|action| matches!(action, Action::CreateSession { .. })).count();
    assert_eq!(made, 1);
}

/// A plan that was reviewed before others did what they did.
fn belated(world: &World, reviewed: &Expansion) -> Plan {
    let owned = world.owned(&reviewed.fleet);
    let plan = diff(reviewed, &owned, &Circumstances::default());
    assert_eq!(check::plan(&plan, &owned, reviewed), []);
    plan
}

#[test]
fn who_others_were_quicker_than_waits_alone() {
    let mut world = with_instances(1..=3);
    let spec = fleet(nlb(), &[]);
    let reviewed = wanted(&world, &spec);
    let taker = world.stranger(2, 100, 9);
    for (session_number, vni) in [(1, 21), (2, 22), (3, 23)] {
        world.stranger(3, session_number, vni);
    }
    let plan = belated(&world, &reviewed);
    let held: Vec<_> = plan.held_back.iter().collect();
    let [(second, number), (third, slots)] = held[..] else { panic!("{held:?}") };
    assert_eq!((second, third), (&key(2), &key(3)));
    assert!(
        matches!(number, HeldBack::NumberTaken { by, keeps: None, .. } if by.session == taker),
        "{number:?}"
    );
    assert_eq!(
        number.sentence(second),
        format!(
            "The session of {} is left out, because session {taker} (\"someone else's\", of no fleet) has its number 100 by now: \
             plan again, and it gets a free one.",
            key(2)
        )
    );
    assert!(matches!(slots, HeldBack::SlotsTaken { by, .. } if by.len() == 3), "{slots:?}");
    world.apply(&plan, usize::MAX);
    let made = world.owned(&spec.name).sessions;
    assert_eq!(made.keys().collect::<Vec<_>>(), [&key(1)]);

    // Planned again the second gets a free number, and the third none.
    let again = wanted(&world, &spec);
    assert_eq!(again.sessions.keys().collect::<Vec<_>>(), [&key(1), &key(2)]);
    let plan = belated(&world, &again);
    assert!(plan.held_back.is_empty(), "{plan:?}");
    world.apply(&plan, usize::MAX);
    assert_eq!(world.owned(&spec.name).sessions[&key(2)][0].number.get(), 101);
}

#[test]
fn a_number_that_others_took_holds_up_nothing_else_of_its_session() {
    let mut world = with_instances(1..=2);
    apply(&mut world, &fleet(nlb(), &[]));
    let mut spec = fleet(interface(900), &[]);
    spec.session.number = 1.try_into().unwrap();
    let reviewed = wanted(&world, &spec);
    world.stranger(1, 1, 9);
    let plan = belated(&world, &reviewed);
    let kept: Vec<_> =
        plan.held_back.iter().map(|(key, held)| (key, held.keeps().map(|kept| kept.get()))).collect();
    assert_eq!(kept, [(&key(1), Some(100))]);
    // Both move to the new target, so the old one can go.
    assert_eq!(
        stages(&plan),
        [(Stage::NewTargets, 1), (Stage::ChangedSessions, 2), (Stage::UnusedTargets, 1)]
    );
    world.apply(&plan, usize::MAX);
    let numbers = |world: &World| -> Vec<u16> {
        world.owned(&spec.name).sessions.values().map(|list| list[0].number.get()).collect()
    };
    assert_eq!(numbers(&world), [100, 1]);
    let plan = belated(&world, &wanted(&world, &spec));
    assert_eq!(stages(&plan), [(Stage::ChangedSessions, 1)]);
    world.apply(&plan, usize::MAX);
    assert_eq!(numbers(&world), [2, 1]);
}

#[test]
fn tags_follow_the_person_and_others_tags_stay() {
    let mut world = with_instances(1..=1);
    apply(&mut world, &fleet(nlb(), &[("team", "secops"), ("stage", "prod")]));
    world.seen.sessions[0].tags.insert("cost-center".to_owned(), "42".to_owned());
    let spec = fleet(nlb(), &[("team", "blue")]);
    let around = Circumstances {
        former_tags: ["team", "stage"].map(str::to_owned).into(),
        ..Circumstances::default()
    };
    let changed = plan(&world, &spec, &around);
    // Target, filter, four rules and the session.
    assert_eq!(stages(&changed), [(Stage::Tags, 7)]);
    world.apply(&changed, usize::MAX);
    let tags: BTreeMap<&str, &str> =
        world.seen.sessions[0].tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!((tags["team"], tags["cost-center"], tags.get("stage")), ("blue", "42", None));
    assert!(plan(&world, &spec, &around).is_empty());
}

#[test]
fn objects_that_others_use_stay_and_are_named() {
    let mut world = with_instances(1..=1);
    let spec = fleet(nlb(), &[]);
    apply(&mut world, &spec);
    let id = world.stranger(1, 1, 5);
    let (target, filter) = (world.seen.targets[0].id.clone(), world.seen.filters[0].id.clone());
    let session = world.seen.sessions.iter_mut().find(|one| one.id == id).unwrap();
    (session.target, session.filter) = (target, filter);
    let owned = world.owned(&spec.name);
    let nothing = Expansion::nothing(spec.name.clone());
    let destroy = diff(&nothing, &owned, &Circumstances::default());
    assert_eq!(check::plan(&destroy, &owned, &nothing), []);
    assert_eq!(stages(&destroy), [(Stage::RemovedSessions, 1)]);
    let in_use =
        destroy.findings.iter().filter(|one| matches!(one.kind, FindingKind::ObjectInUseByOthers { .. }));
    assert_eq!(in_use.count(), 2);
}

#[test]
fn duplicates_and_objects_without_a_key_go() {
    let mut world = with_instances(1..=1);
    let spec = fleet(nlb(), &[]);
    apply(&mut world, &spec);
    let mut twin = world.seen.targets[0].clone();
    twin.id = "tmt-ffffffff".parse().unwrap();
    let mut keyless = world.seen.filters[0].clone();
    keyless.id = "tmf-ffffffff".parse().unwrap();
    keyless.rules.clear();
    keyless.tags.remove("enigma:key");
    world.seen.targets.push(twin);
    world.seen.filters.push(keyless);
    let plan = plan(&world, &spec, &Circumstances::default());
    assert_eq!(stages(&plan), [(Stage::UnusedFilters, 1), (Stage::UnusedTargets, 1)]);
}

#[test]
fn a_tag_of_ours_that_someone_removed_is_set_again() {
    let mut world = with_instances(1..=1);
    let spec = fleet(nlb(), &[]);
    apply(&mut world, &spec);
    world.seen.sessions[0].tags.remove("enigma:rule");
    let plan = plan(&world, &spec, &Circumstances::default());
    let [action] = plan.actions().collect::<Vec<_>>()[..] else { panic!("{plan:?}") };
    let Action::Retag { resource: Resource::Session(_), set, remove, .. } = action else {
        panic!("{action:?}")
    };
    assert_eq!((set["enigma:rule"].as_str(), set.len(), remove.len()), ("everything", 1, 0));
}

#[test]
fn steps_of_one_filter_are_one_lane() {
    let world = with_instances(1..=1);
    let plan = plan(&world, &fleet(nlb(), &[]), &Circumstances::default());
    let rules = plan.waves.iter().find(|wave| wave.stage == Stage::Rules).unwrap();
    let lanes: Vec<Lane> = rules.actions.iter().map(Action::lane).collect();
    assert!(lanes.len() > 4 && lanes.windows(2).all(|pair| pair[0] == pair[1]), "{lanes:?}");
}
