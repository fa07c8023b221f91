//! What must hold for every world, every fleet and every interruption. Domains are small, so that collisions happen.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::check;
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::drift::refresh;
use enigma_fleet::expand::{Expansion, Facts, Prior, expand};
use enigma_fleet::given::Given;
use enigma_fleet::inventory::{MirrorFilter, MirrorSession, MirrorTarget, Tags};
use enigma_fleet::ownership::{self, Known, Owned};
use enigma_fleet::selection::{self, RawRule, RawSelection, Selection, select};
use enigma_fleet::spec::{
    self, FleetSpec, RawFilter, RawFilterRule, RawFleet, RawSafety, RawSession, RawTarget, RawVniRange,
};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::FileFailurePersistence;
use world::{ARN, World, eni, home, key};

fn known(text: &str) -> Given<String> {
    Given::Known(text.to_owned())
}

/// A fleet to choose from a few shapes: which filter, which targets, which number, how many VNIs.
#[derive(Clone, Debug)]
struct Shape {
    filter: usize,
    targets: usize,
    number: i64,
    vnis: i64,
    packet_length: Option<i64>,
}

fn shape() -> impl Strategy<Value = Shape> {
    (
        0..4_usize,
        0..7_usize,
        1..5_i64,
        prop_oneof![Just(24_i64), Just(40), Just(1000)],
        prop::option::of(60..70_i64),
    )
        .prop_map(|(filter, targets, number, vnis, packet_length)| Shape {
            filter,
            targets,
            number,
            vnis,
            packet_length,
        })
}

fn rule(action: &str, local_ports: &[&str]) -> Given<RawFilterRule> {
    let ports = local_ports.iter().map(|port| known(port)).collect();
    let is_tcp = !local_ports.is_empty();
    Given::Known(RawFilterRule {
        action: known(action),
        protocol: if is_tcp { known("tcp") } else { Given::Absent },
        local_ports: if is_tcp { Given::Known(ports) } else { Given::Absent },
        ..RawFilterRule::default()
    })
}

/// An instance that is a source while it is no target, and the shape in which it is one.
const RECEIVER: u32 = 30;
const RECEIVING: usize = 5;

fn fleet(shape: &Shape) -> FleetSpec {
    let rules = match shape.filter {
        0 => vec![rule("accept", &[])],
        1 => vec![rule("reject", &["22"]), rule("accept", &[])],
        2 => vec![rule("accept", &["443", "80"])],
        _ => vec![rule("reject", &["1000-2000"]), rule("accept", &["1-3000"])],
    };
    let filter = RawFilter {
        dns: Given::Known(shape.filter == 0),
        rules: Given::Known(rules),
        ..RawFilter::default()
    };
    let nlb = RawTarget { network_load_balancer_arn: known(ARN), ..RawTarget::default() };
    let interface = |number, zone: &str| RawTarget {
        network_interface_id: known(eni(number).as_str()),
        availability_zones: Given::Known(vec![known(zone)]),
        ..RawTarget::default()
    };
    let targets = match shape.targets {
        0 => vec![("main", nlb)],
        1 => vec![("a", interface(900, "eu-west-1a")), ("b", interface(901, "eu-west-1b"))],
        2 => vec![("a", interface(900, "eu-west-1a")), ("main", nlb)],
        // The same receivers under other labels.
        3 => vec![("b", interface(900, "eu-west-1b")), ("a", interface(901, "eu-west-1a"))],
        4 => vec![("left", interface(900, "eu-west-1a")), ("right", nlb)],
        RECEIVING => vec![("a", interface(RECEIVER, "eu-west-1a")), ("main", nlb)],
        _ => vec![("a", interface(901, "eu-west-1b"))],
    };
    let raw = RawFleet {
        cidr_lists: Given::Absent,
        name: known("prod"),
        targets: Given::Known(
            targets.into_iter().map(|(label, target)| (label.to_owned(), Given::Known(target))).collect(),
        ),
        filters: Given::Known([("default".to_owned(), Given::Known(filter))].into()),
        session: Given::Known(RawSession {
            number: Given::Known(shape.number),
            packet_length: shape.packet_length.into(),
            vni: Given::Known(RawVniRange { from: Given::Known(1), to: Given::Known(shape.vnis) }),
        }),
        safety: Given::Known(RawSafety { max_removals: known("100%"), ..RawSafety::default() }),
        tags: Given::Absent,
    };
    let (spec, problems) = spec::parse(&raw);
    assert_eq!(problems, []);
    spec.unwrap()
}

/// What happens to a world between two plans.
#[derive(Clone, Debug)]
enum Event {
    Launch(u32, usize),
    Terminate(u32),
    Stranger(u32, i64),
    DeleteSession(Index),
    ChangeSession(Index, i64),
    DuplicateSession(Index),
    DeleteRule(Index),
    StrangerUsesOurs(u32, i64),
    UntagTarget(Index),
    /// Somebody removes the tag that says whose it is, from a target, a filter or a session.
    Disown(usize, Index),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1..30_u32, 0..2_usize).prop_map(|(number, zone)| Event::Launch(number, zone)),
        2 => (1..30_u32).prop_map(Event::Terminate),
        2 => (1..30_u32, 1..6_i64).prop_map(|(number, session)| Event::Stranger(number, session)),
        1 => any::<Index>().prop_map(Event::DeleteSession),
        1 => (any::<Index>(), 1..50_i64).prop_map(|(index, number)| Event::ChangeSession(index, number)),
        1 => any::<Index>().prop_map(Event::DuplicateSession),
        1 => any::<Index>().prop_map(Event::DeleteRule),
        1 => any::<Index>().prop_map(Event::UntagTarget),
        2 => (0..3_usize, any::<Index>()).prop_map(|(kind, index)| Event::Disown(kind, index)),
        1 => (1..30_u32, 1..6_i64).prop_map(|(number, session)| Event::StrangerUsesOurs(number, session)),
    ]
}

fn happen(world: &mut World, event: &Event) {
    let ours = |world: &World| -> Vec<usize> {
        let is_ours = |(position, one): (usize, &MirrorSession)| {
            one.tags.contains_key("enigma:fleet").then_some(position)
        };
        world.seen.sessions.iter().enumerate().filter_map(is_ours).collect()
    };
    let is_free = |world: &World, number: u32, session: i64| {
        let held: Vec<_> = world.seen.sessions.iter().filter(|one| one.interface == eni(number)).collect();
        world.seen.interfaces.iter().any(|one| one.id == eni(number))
            && held.len() < 3
            && held.iter().all(|one| i64::from(one.number) != session)
    };
    match event {
        Event::Launch(number, zone) => {
            if !world.seen.interfaces.iter().any(|one| one.id == eni(*number)) {
                world.launch(*number, "m5.large", *zone, &[]);
            }
        }
        Event::Terminate(number) => world.terminate(*number),
        Event::Stranger(number, session) => {
            if is_free(world, *number, *session) {
                world.stranger(*number, *session, *number);
            }
        }
        Event::StrangerUsesOurs(number, session) => {
            if is_free(world, *number, *session) {
                let (target, filter) =
                    (world.seen.targets.first().cloned(), world.seen.filters.first().cloned());
                let id = world.stranger(*number, *session, 7);
                let made = world.seen.sessions.iter_mut().find(|one| one.id == id).unwrap();
                made.target = target.map_or_else(|| made.target.clone(), |one| one.id);
                made.filter = filter.map_or_else(|| made.filter.clone(), |one| one.id);
            }
        }
        Event::DeleteSession(index) => {
            let ours = ours(world);
            if !ours.is_empty() {
                world.seen.sessions.remove(*index.get(&ours));
            }
        }
        Event::ChangeSession(index, number) => {
            let ours = ours(world);
            if !ours.is_empty() {
                let session = &mut world.seen.sessions[*index.get(&ours)];
                session.vni = u32::try_from(*number).ok();
                session.packet_length = (*number + 40).try_into().ok();
            }
        }
        Event::DuplicateSession(index) => {
            let ours = ours(world);
            if !ours.is_empty() {
                let mut copy = world.seen.sessions[*index.get(&ours)].clone();
                let number = i64::from(copy.number) + 10;
                let held = world.seen.sessions.iter().filter(|one| one.interface == copy.interface);
                let numbers: Vec<i64> = held.map(|one| one.number.into()).collect();
                if numbers.len() < 3 && !numbers.contains(&number) {
                    copy.id = format!("tms-{:08x}", 0xd000_0000 + world.seen.sessions.len()).parse().unwrap();
                    copy.number = number.try_into().unwrap();
                    let is_new = world.seen.sessions.iter().all(|one| one.id != copy.id);
                    world.seen.sessions.extend(is_new.then_some(copy));
                }
            }
        }
        Event::Disown(kind, index) => {
            let seen = &mut world.seen;
            let tags: Vec<&mut Tags> = match kind {
                0 => seen.targets.iter_mut().map(|one| &mut one.tags).collect(),
                1 => seen.filters.iter_mut().map(|one| &mut one.tags).collect(),
                _ => seen.sessions.iter_mut().map(|one| &mut one.tags).collect(),
            };
            let mut ours: Vec<_> =
                tags.into_iter().filter(|tags| tags.contains_key("enigma:fleet")).collect();
            if !ours.is_empty() {
                let position = index.index(ours.len());
                ours[position].remove("enigma:fleet");
            }
        }
        Event::UntagTarget(index) => {
            let mut ours: Vec<_> =
                world.seen.targets.iter_mut().filter(|one| one.tags.contains_key("enigma:fleet")).collect();
            if !ours.is_empty() {
                let position = index.index(ours.len());
                ours[position].tags.remove("enigma:key");
            }
        }
        Event::DeleteRule(index) => {
            let mut rules: Vec<_> = world
                .seen
                .filters
                .iter_mut()
                .filter(|one| one.tags.contains_key("enigma:fleet") && !one.rules.is_empty())
                .collect();
            if !rules.is_empty() {
                let position = index.index(rules.len());
                rules[position].rules.pop();
            }
        }
    }
}

fn everybody(world: &World) -> Selection {
    let rules = [("everything".to_owned(), Given::Known(RawRule::default()))].into();
    let (spec, problems) =
        selection::parse(&RawSelection { rules: Given::Known(rules), ..RawSelection::default() });
    assert_eq!(problems, []);
    select(&spec.unwrap(), &world.inventory())
}

/// What Terraform would store.
#[derive(Clone, Default)]
struct State {
    prior: Prior,
    known: Known,
}

/// What there is of the fleet, as far as tags and the state tell.
fn look(world: &World, spec: &FleetSpec, known: &Known) -> Owned {
    let mut owned = ownership::own_known(&spec.name, &[(home(), world.seen.clone())].into(), known);
    owned.relabel(&ownership::labels(spec));
    owned
}

/// What a state that was written now would know.
fn known_of(owned: &Owned) -> Known {
    let targets =
        owned.targets.iter().flat_map(|(key, list)| list.iter().map(|one| (one.id.clone(), key.clone())));
    let filters =
        owned.filters.iter().flat_map(|(key, list)| list.iter().map(|one| (one.id.clone(), key.clone())));
    Known {
        targets: targets.collect(),
        filters: filters.collect(),
        sessions: owned.sessions.values().flatten().map(|one| one.id.clone()).collect(),
    }
}

/// Everything that is not the fleet's.
fn others(world: &World, known: &Known) -> (Vec<MirrorTarget>, Vec<MirrorFilter>, Vec<MirrorSession>) {
    let (mut targets, mut filters, mut sessions) = world.strangers();
    targets.retain(|one| !known.targets.contains_key(&one.id));
    filters.retain(|one| !known.filters.contains_key(&one.id));
    sessions.retain(|one| !known.sessions.contains(&one.id));
    (targets, filters, sessions)
}

/// One attempt: observe, plan, check, carry out the first `most` actions. Returns what was wanted and how much there was to do.
fn attempt(
    world: &mut World,
    spec: &FleetSpec,
    state: &mut State,
    most: usize,
) -> Result<(Expansion, usize), TestCaseError> {
    let owned = look(world, spec, &state.known);
    state.prior = refresh(&state.prior, &owned, &world.gone(state.prior.sessions.keys())).prior;
    let selection = everybody(world);
    let wanted = expand(spec, &home(), &selection.members, &state.prior, &Facts::default());
    // Terraform asks twice and demands one answer.
    prop_assert_eq!(&expand(spec, &home(), &selection.members, &state.prior, &Facts::default()), &wanted);
    let around =
        Circumstances { source_gone: world.gone(wanted.sessions.keys()), ..Circumstances::default() };
    let plan = diff(&wanted, &owned, &around);
    prop_assert_eq!(check::plan(&plan, &owned, &wanted), vec![]);
    prop_assert!(!plan.has_errors());
    let strangers = others(world, &state.known);
    world.apply(&plan, most);
    prop_assert_eq!(others(world, &state.known), strangers);
    state.known = known_of(&look(world, spec, &state.known));
    if most == usize::MAX {
        // A state holds what was applied, so what left is not remembered as deleted by someone.
        state.prior.sessions.retain(|key, _| wanted.sessions.contains_key(key));
    }
    Ok((wanted, plan.actions().count()))
}

/// After a whole apply: everything wanted exists once, and nothing else of the fleet but what strangers use.
fn is_converged(world: &World, spec: &FleetSpec, wanted: &Expansion) -> Result<(), TestCaseError> {
    let owned = world.owned(&spec.name);
    let have: Vec<_> = owned.sessions.keys().collect();
    let want: Vec<_> = wanted.sessions.keys().collect();
    prop_assert_eq!(have, want);
    let mut vnis = BTreeSet::new();
    for (key, list) in &owned.sessions {
        prop_assert_eq!(list.len(), 1, "duplicates of {}", key);
        prop_assert!(vnis.insert(list[0].vni), "VNI of {} is not unique", key);
    }
    let idle_targets =
        owned.targets.values().flatten().filter(|one| !owned.targets_of_strangers.contains(&one.id)).count();
    prop_assert!(idle_targets <= wanted.targets.len());
    let idle_filters =
        owned.filters.values().flatten().filter(|one| !owned.filters_of_strangers.contains(&one.id)).count();
    prop_assert!(idle_filters <= wanted.filters.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 192,
        // Found inputs are kept beside this file and tried first.
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn plans_converge_through_events_and_interruptions(
        launched in prop::collection::btree_set(1..30_u32, 0..24),
        steps in prop::collection::vec((shape(), prop::collection::vec(event(), 0..6), any::<Index>()), 1..4),
    ) {
        let mut world = World::new();
        for number in launched {
            world.launch(number, "m5.large", usize::from(number.is_multiple_of(2)), &[]);
        }
        world.launch(RECEIVER, "m5.large", 0, &[]);
        let mut prior = State::default();
        let mut received = false;
        for (shape, events, cut) in &steps {
            let spec = fleet(shape);
            for event in events {
                happen(&mut world, event);
            }
            // Cut off somewhere, then finish.
            let mut dry = world.clone();
            let (_, all) = attempt(&mut dry, &spec, &mut prior.clone(), 0)?;
            let _cut_off = attempt(&mut world, &spec, &mut prior, cut.index(all + 1))?;
            let (wanted, _) = attempt(&mut world, &spec, &mut prior, usize::MAX)?;
            is_converged(&world, &spec, &wanted)?;
            let receives = shape.targets == RECEIVING;
            if std::mem::replace(&mut received, receives) && !receives {
                // What is no target any more is a source from the next look on.
                let _joined = attempt(&mut world, &spec, &mut prior, usize::MAX)?;
            }
            let (again, left) = attempt(&mut world, &spec, &mut prior, usize::MAX)?;
            prop_assert_eq!(left, 0, "the second plan is not empty");
            prop_assert!(again.changes.is_empty(), "the second plan shows {}", again.changes);
        }
        // Destroy leaves nothing but what strangers use.
        let name = fleet(&steps[0].0).name;
        let owned = world.owned(&name);
        let nothing = Expansion::nothing(name.clone());
        let plan = diff(&nothing, &owned, &Circumstances::default());
        prop_assert_eq!(check::plan(&plan, &owned, &nothing), vec![]);
        world.apply(&plan, usize::MAX);
        let left = world.owned(&name);
        prop_assert!(left.sessions.is_empty());
        prop_assert!(left.targets.values().flatten().all(|one| left.targets_of_strangers.contains(&one.id)));
        prop_assert!(left.filters.values().flatten().all(|one| left.filters_of_strangers.contains(&one.id)));
    }

    #[test]
    fn who_others_were_quicker_than_waits_and_nobody_else_does(
        launched in prop::collection::btree_set(1..10_u32, 1..10),
        strangers in prop::collection::vec((1..10_u32, 1..6_i64), 0..8),
        shapes in (shape(), shape()),
        late in prop::collection::vec((1..10_u32, 1..6_i64), 0..20),
    ) {
        let mut world = World::new();
        for number in launched {
            world.launch(number, "m5.large", usize::from(number.is_multiple_of(2)), &[]);
        }
        for (number, session) in strangers {
            happen(&mut world, &Event::Stranger(number, session));
        }
        let mut prior = State::default();
        let _first = attempt(&mut world, &fleet(&shapes.0), &mut prior, usize::MAX)?;
        let spec = fleet(&shapes.1);
        prior.prior = world.refresh(&prior.prior, &spec.name).prior;
        let reviewed = expand(&spec, &home(), &everybody(&world).members, &prior.prior, &Facts::default());
        // Between review and apply.
        for (number, session) in late {
            happen(&mut world, &Event::Stranger(number, session));
        }
        let before = world.owned(&spec.name);
        let plan = diff(&reviewed, &before, &Circumstances::default());
        prop_assert_eq!(check::plan(&plan, &before, &reviewed), vec![]);
        world.apply(&plan, usize::MAX);
        let after = world.owned(&spec.name);
        for (key, session) in &reviewed.sessions {
            let others = before.strangers.get(key).map_or(&[][..], Vec::as_slice);
            let was = before.sessions.get(key).map(|list| list[0].number);
            let is_taken = others.iter().any(|one| one.number == session.number)
                || (was.is_none() && others.len() == 3);
            prop_assert_eq!(plan.held_back.contains_key(key), is_taken, "{}", key);
            let is = after.sessions.get(key).map(|list| list[0].number);
            prop_assert_eq!(is, if is_taken { was } else { Some(session.number) }, "{}", key);
        }
        let (wanted, _) = attempt(&mut world, &spec, &mut prior, usize::MAX)?;
        is_converged(&world, &spec, &wanted)?;
    }

    #[test]
    fn order_of_observation_never_matters(
        launched in prop::collection::btree_set(1..30_u32, 0..24),
        strangers in prop::collection::vec((1..30_u32, 1..6_i64), 0..8),
        shape in shape(),
        seed in any::<u64>(),
    ) {
        let mut world = World::new();
        for number in launched {
            world.launch(number, "m5.large", usize::from(number.is_multiple_of(2)), &[]);
        }
        for (number, session) in strangers {
            happen(&mut world, &Event::Stranger(number, session));
        }
        let spec = fleet(&shape);
        let before = everybody(&world);
        let mut shuffled = world.clone();
        shuffle(&mut shuffled.seen.interfaces, seed);
        shuffle(&mut shuffled.seen.instances, seed);
        shuffle(&mut shuffled.seen.sessions, seed);
        shuffle(&mut shuffled.seen.targets, seed);
        let after = everybody(&shuffled);
        prop_assert_eq!(&after, &before);
        let plan = |world: &World, selection: &Selection| {
            let wanted = expand(&spec, &home(), &selection.members, &Prior::default(), &Facts::default());
            let plan = diff(&wanted, &world.owned(&spec.name), &Circumstances::default());
            (wanted, plan)
        };
        prop_assert_eq!(plan(&world, &before), plan(&shuffled, &after));
    }

    #[test]
    fn new_members_never_move_old_ones(
        old in prop::collection::btree_set(1..40_u32, 0..20),
        new in prop::collection::btree_set(1..40_u32, 0..20),
        shape in shape(),
    ) {
        let mut world = World::new();
        let launch = |world: &mut World, number: u32| {
            if !world.seen.interfaces.iter().any(|one| one.id == eni(number)) {
                world.launch(number, "m5.large", usize::from(number.is_multiple_of(2)), &[]);
            }
        };
        old.iter().for_each(|number| launch(&mut world, *number));
        let spec = fleet(&shape);
        let mut prior = State::default();
        let (before, _) = attempt(&mut world, &spec, &mut prior, usize::MAX)?;
        new.iter().for_each(|number| launch(&mut world, *number));
        let (after, _) = attempt(&mut world, &spec, &mut prior, usize::MAX)?;
        for (key, session) in &before.sessions {
            prop_assert_eq!(after.sessions.get(key), Some(session));
        }
        prop_assert_eq!(after.changes.changed + after.changes.removed, 0);
    }

    #[test]
    fn allocation_never_collides_and_never_reuses_at_once(
        launched in prop::collection::btree_set(1..60_u32, 0..30),
        leaving in prop::collection::btree_set(1..60_u32, 0..10),
        strangers in prop::collection::btree_set(1..30_u32, 0..6),
        vnis in 1..40_i64,
    ) {
        let shape = Shape { filter: 0, targets: 0, number: 1, vnis, packet_length: None };
        let spec = fleet(&shape);
        let mut world = World::new();
        for number in &launched {
            world.launch(*number, "m5.large", 0, &[]);
        }
        let prior = Prior { stranger_vnis: strangers.clone(), ..Prior::default() };
        let first = expand(&spec, &home(), &everybody(&world).members, &prior, &Facts::default());
        let mut remembered = prior;
        for (key, session) in &first.sessions {
            remembered.sessions.insert(key.clone(), enigma_fleet::expand::PriorSession {
                session: None,
                target: Some(session.target.label.clone()),
                filter: Some(session.filter.label.clone()),
                number: session.number,
                vni: Some(session.vni),
                packet_length: None,
                rule: None,
                state: enigma_fleet::expand::PriorState::Active,
            });
        }
        let mut used: BTreeMap<u32, _> = BTreeMap::new();
        for (key, session) in &first.sessions {
            let vni = session.vni.get();
            prop_assert!(i64::from(vni) <= vnis && !strangers.contains(&vni));
            prop_assert_eq!(used.insert(vni, key.clone()), None);
        }
        let free = usize::try_from(vnis).unwrap() - strangers.iter().filter(|vni| i64::from(**vni) <= vnis).count();
        prop_assert_eq!(first.sessions.len(), launched.len().min(free));
        prop_assert_eq!(first.has_errors(), launched.len() > free);
        for number in &leaving {
            world.terminate(*number);
        }
        world.launch(100, "m5.large", 0, &[]);
        let second = expand(&spec, &home(), &everybody(&world).members, &remembered, &Facts::default());
        if let Some(session) = second.sessions.get(&key(100)) {
            prop_assert_eq!(used.get(&session.vni.get()), None, "a freed VNI was handed on at once");
        }
    }
}

/// A permutation that depends on nothing but the seed.
fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for position in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(seed >> 33).unwrap_or_default() % (position + 1);
        items.swap(position, other);
    }
}
