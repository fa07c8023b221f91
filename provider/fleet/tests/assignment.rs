//! Which target each source sends to, through changes of members and targets: who must move moves in place, and nobody else does.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::actions::Action;
use enigma_fleet::check;
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::expand::{Expansion, Facts, Prior, expand};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{Label, MemberKey, Place};
use enigma_fleet::selection::{self, Member, RawRule, RawSelection, select};
use enigma_fleet::spec::{FleetSpec, RawFleet, RawSafety, RawTarget, parse};
use proptest::prelude::*;
use world::{World, home};

/// Targets by number: zones it serves first (a, b, both, none said) and the most sources it takes.
type Targets = BTreeMap<u8, (u8, Option<i64>)>;

fn known(text: &str) -> Given<String> {
    Given::Known(text.to_owned())
}

fn fleet(targets: &Targets) -> FleetSpec {
    let one = |(number, (zones, most)): (&u8, &(u8, Option<i64>))| {
        let arn = format!(
            "arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/net/t{number}/0123456789abcdef"
        );
        let zones: Vec<Given<String>> = ["a", "b"]
            .iter()
            .enumerate()
            .filter(|(bit, _)| zones >> bit & 1 == 1)
            .map(|(_, zone)| known(&format!("eu-west-1{zone}")))
            .collect();
        let target = RawTarget {
            network_load_balancer_arn: known(&arn),
            availability_zones: if zones.is_empty() { Given::Absent } else { Given::Known(zones) },
            max_sessions: (*most).into(),
            ..RawTarget::default()
        };
        (format!("t{number}"), Given::Known(target))
    };
    let raw = RawFleet {
        name: known("prod"),
        targets: Given::Known(targets.iter().map(one).collect()),
        safety: Given::Known(RawSafety { max_removals: known("100%"), ..RawSafety::default() }),
        ..RawFleet::default()
    };
    let (spec, problems) = parse(&raw);
    assert_eq!(problems, []);
    spec.unwrap()
}

/// Members with an odd number are in zone b.
fn populate(world: &mut World, numbers: &BTreeSet<u32>) {
    let is_there =
        |world: &World, number: u32| world.seen.interfaces.iter().any(|one| one.id == world::eni(number));
    for number in 1..64 {
        match (numbers.contains(&number), is_there(world, number)) {
            (true, false) => {
                world.launch(number, "m5.large", usize::from(!number.is_multiple_of(2)), &[]);
            }
            (false, true) => world.terminate(number),
            _ => {}
        }
    }
}

fn members(world: &World) -> BTreeMap<MemberKey, Member> {
    let rules = [("everything".to_owned(), Given::Known(RawRule::default()))].into();
    let rules = RawSelection { rules: Given::Known(rules), ..RawSelection::default() };
    select(&selection::parse(&rules).0.unwrap(), &world.inventory()).members
}

fn wanted(world: &World, spec: &FleetSpec) -> Expansion {
    let prior = world.refresh(&Prior::default(), &spec.name).prior;
    expand(spec, &home(), &members(world), &prior, &Facts::default())
}

fn targets() -> impl Strategy<Value = Targets> {
    prop::collection::btree_map(0..5_u8, (0..4_u8, prop::option::of(0..12_i64)), 1..5)
}

fn assigned(plan: &Expansion) -> BTreeMap<&MemberKey, &Label> {
    plan.sessions.iter().map(|(key, session)| (key, &session.target.label)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_those_move_who_must_and_they_move_in_place(
        first in (targets(), prop::collection::btree_set(1..64_u32, 0..40)),
        second in (targets(), prop::collection::btree_set(1..64_u32, 0..40)),
        keeps_members in any::<bool>(),
        keeps_targets in any::<bool>(),
    ) {
        let mut world = World::new();
        populate(&mut world, &first.1);
        let spec = fleet(&first.0);
        let before = wanted(&world, &spec);
        let plan = diff(&before, &world.owned(&spec.name), &Circumstances::default());
        world.apply(&plan, usize::MAX);

        let targets = if keeps_targets { &first.0 } else { &second.0 };
        populate(&mut world, if keeps_members { &first.1 } else { &second.1 });
        let spec = fleet(targets);
        let after = wanted(&world, &spec);
        let (was, is) = (assigned(&before), assigned(&after));
        let capacity = |label: &Label| spec.targets.get(label).map(|target| target.capacity());
        let present: BTreeSet<&MemberKey> = is.keys().copied().chain(after.not_mirrored.keys()).collect();

        // From each target exactly those go who have no room there any more.
        let mut stayed: BTreeMap<&Label, (usize, usize)> = BTreeMap::new();
        for (key, label) in was.iter().filter(|(key, _)| present.contains(*key)) {
            let count = stayed.entry(label).or_default();
            count.0 += 1;
            count.1 += usize::from(is.get(key) == Some(label));
        }
        for (label, (members, staying)) in stayed {
            let room = match capacity(label) {
                None => 0,
                Some(None) => members,
                Some(Some(most)) => most.min(members),
            };
            prop_assert_eq!(staying, room, "of {} members of {}", members, label);
        }
        // No target takes more than it may, nobody is left out while there is room, and zones come first.
        let mut load: BTreeMap<&Label, usize> = BTreeMap::new();
        is.values().for_each(|label| *load.entry(label).or_default() += 1);
        let has_room = |label: &Label| {
            capacity(label).is_some_and(|most| most.is_none_or(|most| load.get(label).copied().unwrap_or_default() < most))
        };
        for (label, used) in &load {
            prop_assert!(capacity(label).flatten().is_none_or(|most| *used <= most));
        }
        prop_assert!(after.not_mirrored.is_empty() || !spec.targets.keys().any(has_room));
        let zone_of = |key: &MemberKey| {
            let odd = world.seen.interfaces.iter().find(|one| one.id == key.interface);
            odd.unwrap().zone.clone()
        };
        for (key, label) in is.iter().filter(|(key, label)| was.get(*key) != Some(*label)) {
            let zone = zone_of(key);
            if !spec.targets[*label].zones.contains(&zone) {
                let mut near = spec.targets.iter().filter(|(_, target)| target.zones.contains(&zone));
                prop_assert!(near.all(|(label, _)| !has_room(label)), "{} could send within {}", key, zone);
            }
        }

        // Whoever moves is changed in place: its session is neither deleted nor made again.
        let owned = world.owned(&spec.name);
        let plan = diff(&after, &owned, &Circumstances::default());
        prop_assert_eq!(check::plan(&plan, &owned, &after), vec![]);
        for action in plan.actions() {
            match action {
                Action::CreateSession { key, .. } => prop_assert!(!was.contains_key(key) || !owned.sessions.contains_key(key)),
                Action::DeleteSession { key, .. } => prop_assert!(!is.contains_key(key)),
                _ => {}
            }
        }
        world.apply(&plan, usize::MAX);
        let again = wanted(&world, &spec);
        prop_assert!(diff(&again, &world.owned(&spec.name), &Circumstances::default()).is_empty());
        prop_assert_eq!(assigned(&again), is);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// A create that was killed, and a state that was lost: whoever comes between then and the next plan moves nobody.
    #[test]
    fn sessions_that_only_aws_remembers_stay_where_they_are(
        targets in targets(),
        first in prop::collection::btree_set(1..64_u32, 1..40),
        late in prop::collection::btree_set(1..64_u32, 0..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut world = World::new();
        populate(&mut world, &first);
        let spec = fleet(&targets);
        let plan = diff(&wanted(&world, &spec), &world.owned(&spec.name), &Circumstances::default());
        world.apply(&plan, cut.index(plan.actions().count() + 1));
        populate(&mut world, &first.union(&late).copied().collect());
        let owned = world.owned(&spec.name);
        let inventory = world.inventory();
        let facts = Facts::of(&spec, &home(), &inventory.places);
        let after = expand(&spec, &home(), &members(&world), &Prior::default(), &facts);
        for (key, list) in &owned.sessions {
            let session = &after.sessions[key];
            prop_assert_eq!(Some(&session.target.label), facts.labels.get(&list[0].target), "{} moves", key);
            prop_assert_eq!((session.number, Some(session.vni.get())), (list[0].number, list[0].vni));
        }
        // For a reviewer they are no new ones.
        prop_assert_eq!(after.changes.added, after.sessions.len() - owned.sessions.len());
        prop_assert_eq!((after.changes.changed, after.changes.removed), (0, 0));
        let plan = diff(&after, &owned, &Circumstances::default());
        let touches = |action: &Action| matches!(action, Action::ModifySession { .. } | Action::DeleteSession { .. });
        prop_assert!(!plan.actions().any(touches), "{:?}", plan);
    }
}

#[test]
fn a_drained_target_gives_its_sources_away_one_by_one_and_stays() {
    let mut world = World::new();
    populate(&mut world, &(1..=6).collect());
    let both: Targets = [(0, (0, None)), (1, (0, None))].into();
    let spec = fleet(&both);
    let first = wanted(&world, &spec);
    world.apply(&diff(&first, &world.owned(&spec.name), &Circumstances::default()), usize::MAX);
    let drained = fleet(&[(0, (0, Some(0))), (1, (0, None))].into());
    let plan = diff(&wanted(&world, &drained), &world.owned(&spec.name), &Circumstances::default());
    let moves = plan.actions().filter(|action| matches!(action, Action::ModifySession { .. })).count();
    assert_eq!((moves, plan.actions().count()), (3, 3));
    world.apply(&plan, usize::MAX);
    // Then it can go without touching a session.
    let alone = fleet(&[(1, (0, None))].into());
    let plan = diff(&wanted(&world, &alone), &world.owned(&spec.name), &Circumstances::default());
    assert!(plan.actions().all(|action| matches!(action, Action::DeleteTarget { .. })));
    assert_eq!(plan.actions().count(), 1);
}

/// Accounts have names of their own for the same zones.
#[test]
fn sources_of_another_account_prefer_the_target_of_their_zone_and_not_of_its_name() {
    let mut company = world::company::Company::new();
    let there = Place { account: "222222222222".parse().unwrap(), ..home() };
    for (account, ids) in [(home(), ["euw1-az1", "euw1-az2"]), (there.clone(), ["euw1-az2", "euw1-az1"])] {
        let seen = &mut company.worlds.get_mut(&account).unwrap().seen;
        for (subnet, id) in seen.subnets.iter_mut().zip(ids) {
            subnet.zone_id = Some(id.parse().unwrap());
        }
    }
    // All are in what their account calls zone a.
    company.launch(&home(), 1);
    company.launch(&there, 2);
    let sends = |targets: &[(&str, &str)]| -> Vec<(u32, String)> {
        let one = |(label, zone): &(&str, &str)| {
            let target = RawTarget {
                network_load_balancer_arn: known(&world::company::arn("eu-west-1", label)),
                availability_zones: Given::Known(vec![known(zone)]),
                ..RawTarget::default()
            };
            ((*label).to_owned(), Given::Known(target))
        };
        let raw = RawFleet {
            name: known("prod"),
            targets: Given::Known(targets.iter().map(one).collect()),
            ..RawFleet::default()
        };
        let plan = company.wanted(&parse(&raw).0.unwrap());
        let number = |key: &MemberKey| (1..=2).find(|number| key.interface == world::eni(*number)).unwrap();
        plan.sessions.iter().map(|(key, session)| (number(key), session.target.label.to_string())).collect()
    };
    let expected = [(1, "first".to_owned()), (2, "second".to_owned())];
    assert_eq!(
        sends(&[("first", "eu-west-1a"), ("second", "eu-west-1b")]),
        expected,
        "by the home account's names"
    );
    assert_eq!(sends(&[("first", "euw1-az1"), ("second", "euw1-az2")]), expected, "by ids");
}
