use std::collections::BTreeMap;

use super::*;
use crate::given::Given;
use crate::selection::HeldSession;
use crate::spec::{RawFleet, RawSafety, RawSession, RawTarget, RawVniRange, parse};

const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/net/x/0123456789abcdef";

fn place(account: &str) -> Place {
    Place { account: account.parse().unwrap(), region: "eu-west-1".parse().unwrap() }
}

fn home() -> Place {
    place("111111111111")
}

fn key(number: u32) -> MemberKey {
    MemberKey { place: home(), interface: format!("eni-{number:08x}").parse().unwrap() }
}

fn member() -> Member {
    Member {
        instance: None,
        instance_type: None,
        name: Some("web".to_owned()),
        vpc: "vpc-00000001".parse().unwrap(),
        subnet: "subnet-00000001".parse().unwrap(),
        zone: "eu-west-1a".parse().unwrap(),
        rule: "everything".parse().unwrap(),
        targets: Vec::new(),
        filter: None,
        number: None,
        packet_length: None,
        held: Vec::new(),
    }
}

fn held(number: i64, fleet: Option<&str>, vni: u32) -> HeldSession {
    HeldSession {
        session: format!("tms-{vni:08x}").parse().unwrap(),
        fleet: fleet.map(str::to_owned),
        target: None,
        number: number.try_into().unwrap(),
        vni: Some(vni),
    }
}

fn raw() -> RawFleet {
    let target =
        RawTarget { network_load_balancer_arn: Given::Known(ARN.to_owned()), ..RawTarget::default() };
    RawFleet {
        name: Given::Known("prod".to_owned()),
        targets: Given::Known([("main".to_owned(), Given::Known(target))].into()),
        ..RawFleet::default()
    }
}

fn spec() -> FleetSpec {
    parse(&raw()).0.unwrap()
}

fn with_session(session: RawSession) -> FleetSpec {
    parse(&RawFleet { session: Given::Known(session), ..raw() }).0.unwrap()
}

fn prior(number: i64, vni: i64, state: PriorState) -> PriorSession {
    PriorSession {
        session: None,
        target: Some("main".parse().unwrap()),
        filter: Some("default".parse().unwrap()),
        number: number.try_into().unwrap(),
        vni: vni.try_into().ok(),
        packet_length: None,
        rule: None,
        state,
    }
}

fn remembering(sessions: &[(u32, PriorSession)]) -> Prior {
    let sessions = sessions.iter().map(|(number, session)| (key(*number), session.clone())).collect();
    Prior { sessions, ..Prior::default() }
}

fn one(spec: &FleetSpec, member: Member, prior: &Prior) -> Expansion {
    expand(spec, &home(), &BTreeMap::from([(key(1), member)]), prior, &Facts::default())
}

#[test]
fn a_deleted_session_comes_back_with_its_number_and_vni() {
    let plan = one(&spec(), member(), &remembering(&[(1, prior(101, 77, PriorState::Missing))]));
    let session = &plan.sessions[&key(1)];
    assert_eq!((session.number.get(), session.vni.get()), (101, 77));
    assert_eq!(plan.changes.to_string(), "+1 -0 ~0");
    // Unless a stranger took the number meanwhile.
    let crowded = Member { held: vec![held(101, None, 5)], ..member() };
    let plan = one(&spec(), crowded, &remembering(&[(1, prior(101, 77, PriorState::Missing))]));
    assert_eq!(plan.sessions[&key(1)].number.get(), 100);
}

#[test]
fn a_session_that_memory_does_not_know_keeps_what_it_has() {
    let seen = Member { held: vec![held(102, Some("prod"), 4242)], ..member() };
    let session = &one(&spec(), seen, &Prior::default()).sessions[&key(1)];
    assert_eq!((session.number.get(), session.vni.get()), (102, 4242));
}

#[test]
fn another_fleets_sessions_are_strangers() {
    let crowded =
        Member { held: vec![held(1, Some("a"), 1), held(2, Some("b"), 2), held(3, None, 3)], ..member() };
    let plan = one(&spec(), crowded, &Prior::default());
    assert_eq!(plan.not_mirrored[&key(1)].reason, SkipReason::NoSessionSlot);
}

#[test]
fn a_live_vni_that_a_stranger_took_later_stays_with_a_word() {
    let mut before = remembering(&[(1, prior(100, 77, PriorState::Active))]);
    before.stranger_vnis.insert(77);
    let plan = one(&spec(), member(), &before);
    assert_eq!(plan.sessions[&key(1)].vni.get(), 77);
    assert!(plan.findings.iter().any(|finding| matches!(finding.kind, FindingKind::VniShared { .. })));
    // One that must be made anyway avoids it.
    before.sessions.get_mut(&key(1)).unwrap().state = PriorState::Missing;
    assert_ne!(one(&spec(), member(), &before).sessions[&key(1)].vni.get(), 77);
}

#[test]
fn of_two_sources_with_one_vni_the_first_keeps_it() {
    let members = BTreeMap::from([(key(1), member()), (key(2), member())]);
    let both = prior(100, 77, PriorState::Active);
    let plan =
        expand(&spec(), &home(), &members, &remembering(&[(1, both.clone()), (2, both)]), &Facts::default());
    assert_eq!(plan.sessions[&key(1)].vni.get(), 77);
    assert_ne!(plan.sessions[&key(2)].vni.get(), 77);
    assert_eq!(plan.changes.to_string(), "+0 -0 ~1");
}

#[test]
fn the_last_number_is_the_last() {
    let last = with_session(RawSession { number: Given::Known(32766), ..RawSession::default() });
    let crowded = Member { held: vec![held(32766, None, 5)], ..member() };
    let plan = one(&last, crowded, &Prior::default());
    assert!(plan.has_errors());
    assert!(plan.findings.iter().any(|finding| matches!(finding.kind, FindingKind::NumbersExhausted { .. })));
    assert!(one(&last, member(), &Prior::default()).sessions.contains_key(&key(1)));
}

#[test]
fn a_whole_range_of_vnis_can_be_used() {
    let range = RawVniRange { from: Given::Known(16_777_206), to: Given::Known(16_777_215) };
    let spec = with_session(RawSession { vni: Given::Known(range), ..RawSession::default() });
    let members = (1..=10).map(|number| (key(number), member())).collect();
    let plan = expand(&spec, &home(), &members, &Prior::default(), &Facts::default());
    let vnis: BTreeSet<u32> = plan.sessions.values().map(|session| session.vni.get()).collect();
    assert_eq!(vnis, (16_777_206..=16_777_215).collect());
}

#[test]
fn places_that_could_not_be_read_keep_their_sessions() {
    let mut before =
        remembering(&[(1, prior(100, 77, PriorState::Active)), (2, prior(100, 78, PriorState::Active))]);
    before.unread.insert(home());
    let plan = expand(&spec(), &home(), &BTreeMap::new(), &before, &Facts::default());
    assert_eq!((plan.kept.len(), plan.removed.len(), plan.has_errors()), (2, 0, false));
    assert_eq!(plan.filters.len(), 1, "their filter stays wanted");
}

#[test]
fn ineligible_members_can_be_an_error() {
    let safety = RawSafety { on_ineligible: Given::Known("fail".to_owned()), ..RawSafety::default() };
    let spec = parse(&RawFleet { safety: Given::Known(safety), ..raw() }).0.unwrap();
    let crowded = Member { held: vec![held(1, None, 1), held(2, None, 2), held(3, None, 3)], ..member() };
    assert!(one(&spec, crowded, &Prior::default()).has_errors());
    assert!(!one(&spec, member(), &Prior::default()).has_errors());
}

#[test]
fn each_account_gets_a_copy_of_the_filter_and_targets_stay_at_home() {
    let away = MemberKey { place: place("222222222222"), interface: key(2).interface };
    let members = BTreeMap::from([(key(1), member()), (away.clone(), member())]);
    let plan = expand(&spec(), &home(), &members, &Prior::default(), &Facts::default());
    let places: Vec<&Place> = plan.filters.keys().map(|key| &key.place).collect();
    assert_eq!(places, [&home(), &away.place]);
    assert_eq!(plan.sessions[&away].target.place, home());
    assert_eq!(plan.sessions[&away].filter.place, away.place);
}

#[test]
fn mirroring_stays_within_a_region() {
    let elsewhere = Place { region: "us-east-1".parse().unwrap(), ..home() };
    let plan = expand(
        &spec(),
        &elsewhere,
        &BTreeMap::from([(key(1), member())]),
        &Prior::default(),
        &Facts::default(),
    );
    assert_eq!(plan.not_mirrored[&key(1)].reason, SkipReason::NoTarget);
    let found = plan
        .findings
        .iter()
        .find(|one| matches!(one.kind, FindingKind::DestinationElsewhere { .. }))
        .unwrap();
    assert!(found.is_error());
    assert_eq!(found.path.to_string(), "targets[\"main\"].network_load_balancer_arn");
}

#[test]
fn tags_carry_ownership_rule_and_name_within_aws_limits() {
    let long = Member { name: Some("ü".repeat(300)), ..member() };
    let plan = one(&spec(), long, &Prior::default());
    let Given::Known(tags) = &plan.sessions[&key(1)].tags else { panic!("tags are known") };
    assert_eq!(tags["enigma:fleet"], "prod");
    assert_eq!(tags["enigma:key"], key(1).to_string());
    assert_eq!(tags["enigma:rule"], "everything");
    assert_eq!(tags["Name"].chars().count(), 256);
}

#[test]
fn the_summary_stays_while_nothing_changes() {
    let first = one(&spec(), member(), &Prior::default());
    let session = &first.sessions[&key(1)];
    let before = prior(session.number.into(), session.vni.into(), PriorState::Active);
    let second = one(&spec(), member(), &remembering(&[(1, before)]));
    assert_eq!(first.summary, second.summary);
    assert_eq!(first.summary, "prod: 1 of 1 interfaces mirrored");
    assert_eq!(second.headline, "prod: 1 of 1 interfaces mirrored (+0 -0 ~0)");
}

#[test]
fn the_size_of_a_receiver_decides_how_many_it_takes_and_strangers_count() {
    let target =
        RawTarget { network_interface_id: Given::Known("eni-0000ffff".to_owned()), ..RawTarget::default() };
    let raw = RawFleet {
        name: Given::Known("prod".to_owned()),
        targets: Given::Known([("main".to_owned(), Given::Known(target))].into()),
        ..RawFleet::default()
    };
    let spec = parse(&raw).0.unwrap();
    let members: BTreeMap<_, _> = (1..=120).map(|number| (key(number), member())).collect();
    let strange = |keys: &[u32]| -> BTreeMap<MemberKey, BTreeSet<crate::ids::SessionId>> {
        keys.iter().map(|number| (key(*number), ["tms-00000001".parse().unwrap()].into())).collect()
    };
    let mirrored = |instance_type: Option<&str>, strangers: &[u32]| {
        let facts = TargetFacts {
            instance: None,
            instance_type: instance_type.map(str::to_owned),
            strangers: strange(strangers),
        };
        let facts = Facts { targets: [("main".parse().unwrap(), facts)].into(), ..Facts::default() };
        let plan = expand(&spec, &home(), &members, &Prior::default(), &facts);
        (plan.sessions.len(), plan.targets.values().next().unwrap().capacity)
    };
    assert_eq!(mirrored(None, &[]), (10, Some(10)));
    assert_eq!(mirrored(Some("m5.large"), &[]), (10, Some(10)));
    assert_eq!(mirrored(Some("m5.24xlarge"), &[]), (100, Some(100)));
    assert_eq!(mirrored(None, &[500, 501, 502]), (7, Some(10)));
    // Members that strangers send there already are sources already.
    assert_eq!(mirrored(None, &[1, 2, 119, 120]), (10, Some(10)));
}

#[test]
fn taking_over_keeps_what_fits_and_leaves_the_vnis_of_others_alone() {
    let safety = RawSafety { adopt: Given::Known("matching".to_owned()), ..RawSafety::default() };
    let spec = parse(&RawFleet { safety: Given::Known(safety), ..raw() }).0.unwrap();
    let one = |number: i64, vni: u32| Adoptable {
        session: format!("tms-{vni:08x}").parse().unwrap(),
        target: "main".parse().unwrap(),
        number: number.try_into().unwrap(),
        vni: Some(vni),
        packet_length: None,
    };
    let crowded = |held| Member { held, ..member() };
    let members = BTreeMap::from([
        // The adopted one holds the third slot: without adoption there would be no room.
        (key(1), crowded(vec![held(1, None, 7), held(101, None, 8), held(102, Some("other"), 9)])),
        // Its VNI is that of a stranger elsewhere, which keeps it.
        (key(2), crowded(vec![held(100, None, 50)])),
        // A newer look saw a fleet's tag on it.
        (key(3), crowded(vec![held(100, Some("other"), 60)])),
    ]);
    let adoptable = [(key(1), one(101, 8)), (key(2), one(100, 50)), (key(3), one(100, 60))].into();
    let facts = Facts { adoptable, stranger_vnis: [50].into(), ..Facts::default() };
    let before = Prior { stranger_vnis: [7, 8, 9, 50].into(), ..Prior::default() };
    let plan = expand(&spec, &home(), &members, &before, &facts);
    assert_eq!(plan.adopted.keys().collect::<Vec<_>>(), [&key(1), &key(2)]);
    let session = &plan.sessions[&key(1)];
    assert_eq!((session.number.get(), session.vni.get()), (101, 8));
    // It is live and its VNI shared: it stays, and a person is told.
    assert_eq!(plan.sessions[&key(2)].vni.get(), 50);
    let is_shared = |finding: &&Finding| matches!(finding.kind, FindingKind::VniShared { .. });
    assert_eq!(plan.findings.iter().filter(is_shared).count(), 1);
    assert!(plan.sessions.contains_key(&key(3)));
    assert!(plan.headline.contains("2 taken over"), "{}", plan.headline);
    // Without being asked nothing is taken over, whatever was seen.
    let plan = expand(&self::spec(), &home(), &members, &before, &facts);
    assert!(plan.adopted.is_empty());
    assert_eq!(plan.not_mirrored[&key(1)].reason, SkipReason::NoSessionSlot);
}

#[test]
fn resting_vnis_wait_until_no_other_is_left() {
    let range = RawVniRange { from: Given::Known(1), to: Given::Known(4) };
    let spec = with_session(RawSession { vni: Given::Known(range), ..RawSession::default() });
    let vnis = |members: u32, resting: &[u32]| -> BTreeSet<u32> {
        let members = (1..=members).map(|number| (key(number), member())).collect();
        let prior = Prior { resting: resting.iter().copied().collect(), ..Prior::default() };
        let plan = expand(&spec, &home(), &members, &prior, &Facts::default());
        plan.sessions.values().map(|session| session.vni.get()).collect()
    };
    assert_eq!(vnis(2, &[1, 3]), [2, 4].into());
    assert_eq!(vnis(4, &[1, 3]).len(), 4, "nobody stays out for a VNI that rests");
}

#[test]
fn the_guard_holds_for_each_account_and_names_its_override() {
    // One of five accounts loses all it has: 2 of 20 sessions, which the fleet as a whole allows.
    let account = |number: u32| format!("{number:012}");
    let source = |number: u32| MemberKey { place: place(&account(number % 5 + 1)), ..key(number) };
    let sessions: BTreeMap<MemberKey, PriorSession> = (0..20)
        .map(|number| (source(number), prior(100, i64::from(number) + 1, PriorState::Active)))
        .collect();
    let before = Prior { sessions, ..Prior::default() };
    let members = |gone: &[u32]| -> BTreeMap<MemberKey, Member> {
        (0..20).filter(|number| !gone.contains(number)).map(|number| (source(number), member())).collect()
    };
    let errors = |spec: &FleetSpec, gone: &[u32], prior: &Prior| -> Vec<Finding> {
        let plan = expand(spec, &home(), &members(gone), prior, &Facts::default());
        plan.findings.into_iter().filter(Finding::is_error).collect()
    };
    assert_eq!(errors(&spec(), &[0, 1, 2, 3, 4], &before), [], "a quarter here and there is an ordinary day");
    let emptied = errors(&spec(), &[0, 5, 10, 15], &before);
    assert_eq!(emptied.len(), 1);
    assert_eq!(emptied[0].path.to_string(), "safety.max_removals");
    assert_eq!(emptied[0].summary(), "4 of 4 sessions in account 000000000001 would be removed");
    let detail = emptied[0].detail();
    assert!(
        detail.contains("\"100%\" allows any") && detail.contains("000000000001/eu-west-1/eni-"),
        "{detail}"
    );
    let safety = RawSafety { max_removals: Given::Known("100%".to_owned()), ..RawSafety::default() };
    let meant = parse(&RawFleet { safety: Given::Known(safety), ..raw() }).0.unwrap();
    assert_eq!(errors(&meant, &[0, 5, 10, 15], &before), []);
    // Over the fleet's limit the fleet is told once, and not its accounts again.
    assert_eq!(errors(&spec(), &[0, 1, 2, 3, 4, 5], &before).len(), 1);
    // An account that could not be read loses nothing, and a reviewer is told why nothing changes there.
    let unread = Prior { unread: [place(&account(1))].into(), ..before };
    let plan = expand(&spec(), &home(), &members(&[0, 5, 10, 15]), &unread, &Facts::default());
    assert_eq!((plan.kept.len(), plan.removed.len(), plan.has_errors()), (4, 0, false));
    let told: Vec<String> = plan.findings.iter().map(Finding::summary).collect();
    assert!(told.contains(&"4 sessions stay as they are".to_owned()), "{told:?}");
}

#[test]
fn sessions_that_stay_unread_keep_their_room() {
    let mut spec = spec();
    spec.targets.values_mut().next().unwrap().max_sessions = Some(2);
    let elsewhere = MemberKey { place: place("222222222222"), ..key(9) };
    let before = Prior {
        sessions: [(elsewhere.clone(), prior(100, 1, PriorState::Active))].into(),
        unread: [elsewhere.place].into(),
        ..Prior::default()
    };
    let members = (1..=2).map(|number| (key(number), member())).collect();
    let plan = expand(&spec, &home(), &members, &before, &Facts::default());
    assert_eq!((plan.kept.len(), plan.sessions.len()), (1, 1));
    assert!(plan.not_mirrored.values().all(|one| one.reason == SkipReason::TargetFull));
}

#[test]
fn what_an_account_out_of_sight_mirrors_waits_for_it() {
    let theirs = MemberKey { place: place("333333333333"), ..key(1) };
    let safety = RawSafety { on_ineligible: Given::Known("fail".to_owned()), ..RawSafety::default() };
    let spec = parse(&RawFleet { safety: Given::Known(safety), ..raw() }).0.unwrap();
    let mut before = Prior {
        sessions: [(theirs.clone(), prior(100, 77, PriorState::Active))].into(),
        unread: [theirs.place].into(),
        ..Prior::default()
    };
    // The owner of the subnet sees the interface too.
    let members = BTreeMap::from([(key(1), member()), (key(2), member())]);
    let keys = |plan: &Expansion| plan.sessions.keys().cloned().collect::<Vec<_>>();
    let plan = expand(&spec, &home(), &members, &before, &Facts::default());
    assert_eq!((keys(&plan), plan.kept.len()), (vec![key(2)], 1));
    let waits = &plan.not_mirrored[&key(1)];
    assert_eq!(waits.reason, SkipReason::KeptElsewhere);
    assert!(waits.detail.contains("333333333333/eu-west-1"), "{}", waits.detail);
    assert!(!plan.has_errors(), "it is mirrored, so nothing fails: {:?}", plan.findings);
    // A session of its own stays, and so does one that nobody needs to wait for.
    before.sessions.insert(key(1), prior(101, 78, PriorState::Active));
    let plan = expand(&spec, &home(), &members, &before, &Facts::default());
    assert_eq!((keys(&plan), plan.kept.len()), (vec![key(1), key(2)], 1));
    before.sessions.remove(&key(1));
    before.unread.clear();
    let plan = expand(&spec, &home(), &members, &before, &Facts::default());
    assert_eq!((keys(&plan), plan.kept.len(), plan.removed.len()), (vec![key(1), key(2)], 0, 1));
}
