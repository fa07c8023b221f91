//! Full targets, full places and interfaces that change hands: who leaves goes before who comes, and AWS refuses
//! nobody on the way.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::actions::{Action, Ref};
use enigma_fleet::check::{self, Flaw};
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::expand::{Expansion, Facts, Prior, expand};
use enigma_fleet::finding::FindingKind;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{Label, MemberKey, Place, TargetId};
use enigma_fleet::plan::{Plan, Stage, Wave};
use enigma_fleet::selection::{self, Member, RawRule, RawSelection, select};
use enigma_fleet::spec::{FleetSpec, RawFleet, RawSafety, RawTarget, parse};
use proptest::prelude::*;
use world::{ARN, World, eni, home, key};

fn known(text: &str) -> Given<String> {
    Given::Known(text.to_owned())
}

/// Interface targets `a`, `b`, ... that take so many sources; one that takes none is a load balancer, which takes any number.
fn fleet(limits: &[usize]) -> FleetSpec {
    let target = |(index, limit): (usize, &usize)| {
        let number = u32::try_from(index).unwrap();
        let target = match limit {
            0 => RawTarget { network_load_balancer_arn: known(ARN), ..RawTarget::default() },
            _ => RawTarget {
                network_interface_id: known(eni(900 + number).as_str()),
                max_sessions: Given::Known(i64::try_from(*limit).unwrap()),
                ..RawTarget::default()
            },
        };
        (label(index).to_string(), Given::Known(target))
    };
    let raw = RawFleet {
        name: known("prod"),
        targets: Given::Known(limits.iter().enumerate().map(target).collect()),
        safety: Given::Known(RawSafety { max_removals: known("100%"), ..RawSafety::default() }),
        ..RawFleet::default()
    };
    let (spec, problems) = parse(&raw);
    assert_eq!(problems, []);
    spec.unwrap()
}

fn label(index: usize) -> Label {
    char::from(b'a' + u8::try_from(index).unwrap()).to_string().parse().unwrap()
}

/// Everybody, with the targets that a rule would admit to each.
fn members(world: &World, admitted: &BTreeMap<u32, Vec<usize>>) -> BTreeMap<MemberKey, Member> {
    let rules = [("everything".to_owned(), Given::Known(RawRule::default()))].into();
    let rules = RawSelection { rules: Given::Known(rules), ..RawSelection::default() };
    let mut members = select(&selection::parse(&rules).0.unwrap(), &world.inventory()).members;
    members.retain(|one, _| admitted.keys().any(|number| key(*number) == *one));
    for (number, targets) in admitted {
        if let Some(member) = members.get_mut(&key(*number)) {
            member.targets = targets.iter().map(|index| label(*index)).collect();
        }
    }
    members
}

/// What is wanted, where AWS lets no target have more than a person wrote.
fn wanted(world: &World, spec: &FleetSpec, admitted: &BTreeMap<u32, Vec<usize>>) -> Expansion {
    let prior = world.refresh(&Prior::default(), &spec.name).prior;
    let mut wanted = expand(spec, &home(), &members(world, admitted), &prior, &Facts::default());
    for target in wanted.targets.values_mut().filter(|target| target.limit.is_some()) {
        target.limit = target.capacity;
    }
    wanted
}

fn plan(world: &World, wanted: &Expansion) -> Plan {
    let owned = world.owned(&wanted.fleet);
    let plan = diff(wanted, &owned, &Circumstances::default());
    assert_eq!(check::plan(&plan, &owned, wanted), []);
    plan
}

/// Carries a plan out as badly as an execution may: in each wave everybody comes before anybody goes. AWS's limits
/// hold after every call.
fn carry_out(world: &mut World, plan: &Plan, wanted: &Expansion) {
    let mut limits: BTreeMap<TargetId, usize> = BTreeMap::new();
    for wave in &plan.waves {
        let mut actions: Vec<&Action> = wave.actions.iter().collect();
        actions.sort_by_key(|action| matches!(action, Action::DeleteSession { .. }));
        for action in actions {
            world.act(action);
            for target in world.seen.targets.iter().filter(|target| target.tags.contains_key("enigma:key")) {
                let key = wanted
                    .targets
                    .iter()
                    .find(|(_, one)| one.destination.known() == Some(&target.destination));
                if let Some(limit) = key.and_then(|(_, one)| one.limit) {
                    limits.insert(target.id.clone(), limit);
                }
            }
            // Within a wave nobody waits for another to have gone.
            for (target, limit) in &limits {
                let sources: BTreeSet<_> = world
                    .seen
                    .sessions
                    .iter()
                    .filter(|one| one.target == *target)
                    .map(|one| &one.interface)
                    .collect();
                assert!(
                    sources.len() <= *limit,
                    "TrafficMirrorSourcesPerTargetLimitExceeded {target}: {plan:#?}"
                );
            }
        }
    }
}

fn populate(numbers: impl IntoIterator<Item = u32>) -> World {
    let mut world = World::new();
    for number in numbers {
        world.launch(number, "m5.large", 0, &[]);
    }
    world
}

fn to(targets: &[(u32, &[usize])]) -> BTreeMap<u32, Vec<usize>> {
    targets.iter().map(|(number, targets)| (*number, targets.to_vec())).collect()
}

/// Where the actions of each round move whom.
fn moves(world: &World, plan: &Plan) -> Vec<Vec<String>> {
    let label = |id: &TargetId| {
        let target = world.seen.targets.iter().find(|one| one.id == *id).unwrap();
        target.tags["enigma:key"].clone()
    };
    let one = |action: &Action| match action {
        Action::ModifySession { key, change, .. } => match change.target.as_ref().unwrap() {
            Ref::Existing(id) => format!("{} to {}", key.interface, label(id)),
            Ref::Planned(key) => format!("{} to new {}", key, key.label),
        },
        other => format!("{other:?}"),
    };
    plan.waves.iter().map(|wave| wave.actions.iter().map(one).collect()).collect()
}

#[test]
fn a_chain_of_full_targets_moves_from_its_free_end() {
    let mut world = populate(1..=3);
    let spec = fleet(&[1, 1, 1, 1]);
    let first = wanted(&world, &spec, &to(&[(1, &[0]), (2, &[1]), (3, &[3])]));
    let made = plan(&world, &first);
    carry_out(&mut world, &made, &first);
    // c is free, so b's source goes there first, then a's to b, then d's to a.
    let second = wanted(&world, &spec, &to(&[(1, &[1]), (2, &[2]), (3, &[0])]));
    let plan = plan(&world, &second);
    assert_eq!(moves(&world, &plan), [["eni-00000002 to c"], ["eni-00000001 to b"], ["eni-00000003 to a"]]);
    carry_out(&mut world, &plan, &second);
}

#[test]
fn a_ring_of_full_targets_is_opened_by_way_of_another_that_its_rule_admits() {
    let mut world = populate(1..=4);
    let spec = fleet(&[2, 2, 0, 1]);
    let first = wanted(&world, &spec, &to(&[(1, &[0]), (2, &[0]), (3, &[1]), (4, &[1])]));
    let made = plan(&world, &first);
    carry_out(&mut world, &made, &first);
    // The interface d comes before the load balancer c, and only who may send there goes there.
    let mut second = wanted(&world, &spec, &to(&[(1, &[1]), (2, &[0]), (3, &[0, 2, 3]), (4, &[1])]));
    second.sessions.get_mut(&key(3)).unwrap().target.label = label(0);
    let ring = plan(&world, &second);
    assert_eq!(moves(&world, &ring), [["eni-00000003 to d"], ["eni-00000001 to b"], ["eni-00000003 to a"]],);
    carry_out(&mut world.clone(), &ring, &second);
    // By way of a load balancer AWS may set its own length, which is taken back.
    second.sessions.get_mut(&key(3)).unwrap().admitted = vec![label(0), label(2)];
    let ring = plan(&world, &second);
    assert_eq!(moves(&world, &ring)[0], ["eni-00000003 to c"]);
    let last = ring.waves.last().unwrap().actions.last().unwrap();
    assert!(
        matches!(last, Action::ModifySession { change, .. } if change.packet_length == Some(None)),
        "{last:?}"
    );
    // Where no rule admits another, nothing is done, and the finding says who cannot.
    second.sessions.get_mut(&key(3)).unwrap().admitted = vec![label(0)];
    let stuck = diff(&second, &world.owned(&spec.name), &Circumstances::default());
    assert!(stuck.has_errors() && stuck.is_empty());
    let told: Vec<String> =
        stuck.findings.iter().map(|one| format!("{}: {}", one.path, one.summary())).collect();
    assert_eq!(told, ["targets: Full targets a, b cannot exchange 2 interfaces"]);
}

#[test]
fn a_ring_is_opened_once_however_many_go_round_it() {
    let mut world = populate(1..=6);
    let spec = fleet(&[3, 3, 1]);
    let (a, b): (&[usize], &[usize]) = (&[0], &[1]);
    let first = wanted(&world, &spec, &to(&[(1, a), (2, a), (3, a), (4, b), (5, b), (6, b)]));
    let made = plan(&world, &first);
    carry_out(&mut world, &made, &first);
    let admitted: BTreeMap<u32, Vec<usize>> = (1..=6).map(|number| (number, vec![0, 1, 2])).collect();
    let mut second = wanted(&world, &spec, &admitted);
    for number in 1..=6 {
        second.sessions.get_mut(&key(number)).unwrap().target.label = label(usize::from(number <= 3));
    }
    let plan = plan(&world, &second);
    carry_out(&mut world.clone(), &plan, &second);
    let moves = moves(&world, &plan).concat();
    assert_eq!(moves.len(), 7, "six moves and one by way of c: {moves:?}");
}

#[test]
fn the_checker_finds_moves_that_wait_for_nobody() {
    let mut world = populate(1..=2);
    let spec = fleet(&[1, 1, 1]);
    let first = wanted(&world, &spec, &to(&[(1, &[0]), (2, &[1])]));
    let made = plan(&world, &first);
    carry_out(&mut world, &made, &first);
    let second = wanted(&world, &spec, &to(&[(1, &[1]), (2, &[2])]));
    let mut hasty = plan(&world, &second);
    assert_eq!(hasty.waves.len(), 2);
    let late = hasty.waves.pop().unwrap();
    hasty.waves[0].actions.extend(late.actions);
    let found =
        check::plan(&hasty, &world.owned(&spec.name), &second).into_iter().map(|finding| finding.kind);
    let found: Vec<_> = found.collect();
    assert!(
        matches!(
            &found[..],
            [FindingKind::PlanFlawed { flaw: Flaw::TooMany { what: "sources", count: 2, .. } }]
        ),
        "{found:?}"
    );
}

#[test]
fn where_the_places_quota_has_no_room_in_passing_removals_go_first() {
    let mut world = populate(1..=12);
    let spec = fleet(&[0]);
    let everyone = |numbers: std::ops::RangeInclusive<u32>| numbers.map(|number| (number, vec![])).collect();
    let first = wanted(&world, &spec, &everyone(1..=10));
    let made = plan(&world, &first);
    carry_out(&mut world, &made, &first);
    let second = wanted(&world, &spec, &everyone(3..=12));
    let stages =
        |plan: &Plan| plan.waves.iter().map(|wave| (wave.stage, wave.actions.len())).collect::<Vec<_>>();
    assert_eq!(stages(&plan(&world, &second)), [(Stage::NewSessions, 2), (Stage::RemovedSessions, 2)]);
    // Others fill the quota of 10,000 up to the last.
    world.launch(50, "m5.large", 0, &[]);
    let id = world.stranger(50, 1, 1);
    let one = world.seen.sessions.iter().find(|one| one.id == id).unwrap().clone();
    for number in 1..9_990_u32 {
        let mut other = one.clone();
        other.id = format!("tms-{:08x}", 0x1000_0000 + number).parse().unwrap();
        other.interface = eni(0x10_0000 + number);
        world.seen.sessions.push(other);
    }
    let full = plan(&world, &second);
    assert_eq!(stages(&full), [(Stage::FreedSources, 2), (Stage::NewSessions, 2)]);
    // The checker knows the other order for what it is.
    let mut hasty = full.clone();
    hasty.waves = vec![
        Wave { stage: Stage::NewSessions, actions: full.waves[1].actions.clone() },
        Wave { stage: Stage::RemovedSessions, actions: full.waves[0].actions.clone() },
    ];
    let found = check::plan(&hasty, &world.owned(&spec.name), &second);
    assert!(
        matches!(&found[..], [one] if matches!(one.kind, FindingKind::PlanFlawed { flaw: Flaw::TooMany { what: "sessions", count: 10_002, .. } })),
        "{found:?}"
    );
}

#[test]
fn an_interface_that_passes_to_another_account_is_released_before_it_is_taken() {
    let other = Place { account: "222222222222".parse().unwrap(), ..home() };
    let mut world = populate(1..=2);
    let spec = fleet(&[0]);
    let first = wanted(&world, &spec, &to(&[(1, &[]), (2, &[])]));
    let made = plan(&world, &first);
    carry_out(&mut world, &made, &first);
    let prior = world.refresh(&Prior::default(), &spec.name).prior;
    // Its owner joins the fleet and mirrors interface 1 itself.
    let mut members = members(&world, &to(&[(1, &[]), (2, &[])]));
    let member = Member { held: Vec::new(), ..members.remove(&key(1)).unwrap() };
    let taken = MemberKey { place: other, interface: eni(1) };
    members.insert(taken, member);
    let guarded = RawSafety { max_removals: known("0"), ..RawSafety::default() };
    let mut spec = spec;
    spec.safety = parse(&RawFleet { safety: Given::Known(guarded), ..raw_of(&spec) }).0.unwrap().safety;
    let second = expand(&spec, &home(), &members, &prior, &Facts::default());
    // It goes on being mirrored, so no guard holds it up, and a person is told of the moment between.
    assert!(!second.has_errors(), "{:?}", second.findings);
    let told: Vec<String> =
        second.findings.iter().map(|one| format!("{}: {}", one.path, one.summary())).collect();
    assert_eq!(told, ["members: 1 interface passes from account 111111111111 to account 222222222222"]);
    let owned = world.owned(&spec.name);
    let plan = diff(&second, &owned, &Circumstances::default());
    assert_eq!(check::plan(&plan, &owned, &second), []);
    let position = |stage: Stage| plan.waves.iter().position(|wave| wave.stage == stage);
    assert!(position(Stage::FreedSources) < position(Stage::NewSessions), "{plan:#?}");
    assert!(position(Stage::FreedSources).is_some() && position(Stage::RemovedSessions).is_none());
    let mut hasty = plan.clone();
    hasty.waves.retain(|wave| wave.stage != Stage::FreedSources);
    let found = check::plan(&hasty, &owned, &second);
    assert!(
        found
            .iter()
            .any(|one| matches!(&one.kind, FindingKind::PlanFlawed { flaw: Flaw::NumberTaken { .. } })),
        "{found:?}"
    );
}

/// The same fleet as written.
fn raw_of(spec: &FleetSpec) -> RawFleet {
    let target = RawTarget { network_load_balancer_arn: known(ARN), ..RawTarget::default() };
    RawFleet {
        name: known(spec.name.as_str()),
        targets: Given::Known([("a".to_owned(), Given::Known(target))].into()),
        ..RawFleet::default()
    }
}

fn admitted() -> impl Strategy<Value = BTreeMap<u32, Vec<usize>>> {
    let targets = prop::collection::btree_set(0..4_usize, 0..3).prop_map(|set| set.into_iter().collect());
    prop::collection::btree_map(1..12_u32, targets, 0..11)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_refused_for_want_of_room_and_only_true_rings_are_errors(
        limits in prop::collection::vec(1..4_usize, 4),
        has_balancer in any::<bool>(),
        rounds in prop::collection::vec(admitted(), 2..5),
    ) {
        let mut limits = limits;
        limits.extend(has_balancer.then_some(0));
        let spec = fleet(&limits);
        let mut world = populate(1..12);
        for admitted in &rounds {
            let wanted = wanted(&world, &spec, admitted);
            let owned = world.owned(&spec.name);
            let plan = diff(&wanted, &owned, &Circumstances::default());
            if plan.has_errors() {
                prop_assert!(plan.is_empty());
                let ring = plan.findings.iter().find_map(|one| match &one.kind {
                    FindingKind::RingOfFullTargets { targets, sources } => Some((targets, sources)),
                    _ => None,
                });
                let (targets, sources) = ring.unwrap();
                prop_assert!(!has_balancer || sources.examples.iter().all(|key| !wanted.sessions[key].admitted.is_empty()));
                for target in targets {
                    let last = wanted.sessions.values().filter(|one| one.target.label == *target).count();
                    let limit = wanted.targets.iter().find(|(key, _)| key.label == *target).unwrap().1.limit;
                    prop_assert_eq!(Some(last), limit, "{} is not full in the end", target);
                }
                continue;
            }
            prop_assert_eq!(check::plan(&plan, &owned, &wanted), vec![]);
            carry_out(&mut world, &plan, &wanted);
            let again = diff(&self::wanted(&world, &spec, admitted), &world.owned(&spec.name), &Circumstances::default());
            prop_assert!(again.is_empty(), "{:#?}", again);
        }
    }
}
