//! A company's fleet: several accounts and Regions, targets shared from one account, one plan for all.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod world;

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::expand::{Expansion, Facts, Prior, expand};
use enigma_fleet::finding::FindingKind;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{AccountId, MemberKey, Place};
use enigma_fleet::inventory::{Destination, Inventory, Tags};
use enigma_fleet::selection::{self, RawRule, RawSelection, SkipReason, select};
use enigma_fleet::spec::{RawFleet, RawSafety, RawTarget, parse};
use proptest::prelude::*;
use world::company::{Company, arn, fleet, known, places};
use world::{eni, home};

#[test]
fn members_send_to_their_region_and_a_region_without_target_is_told() {
    let mut company = Company::new();
    for (number, place) in (1..).zip(places()) {
        company.launch(&place, number);
    }
    let narrow = company.wanted(&fleet(&[("eu", None)], false));
    assert_eq!(narrow.sessions.len(), 2);
    assert!(narrow.not_mirrored.values().all(|one| one.reason == SkipReason::NoTarget));
    let told: Vec<_> = narrow
        .findings
        .iter()
        .filter_map(|finding| match &finding.kind {
            FindingKind::RegionWithoutTarget { region, targets, sources } => {
                Some((finding.path.to_string(), region.to_string(), targets.clone(), sources.count))
            }
            _ => None,
        })
        .collect();
    let home_region = vec!["eu-west-1".parse().unwrap()];
    assert_eq!(told, [("targets".to_owned(), "us-east-1".to_owned(), home_region, 3)]);
    let wide = company.wanted(&fleet(&[("eu", None), ("us", Some("us-east-1"))], false));
    assert_eq!((wide.sessions.len(), wide.findings.len()), (5, 0), "{:?}", wide.findings);
    for (key, session) in &wide.sessions {
        assert_eq!(session.target.place, Place { region: key.place.region.clone(), ..home() });
        assert_eq!(session.filter.place, key.place, "filters are copies in the source's place");
    }
    let made: Vec<_> = wide.targets.keys().map(ToString::to_string).collect();
    assert_eq!(made, ["111111111111/eu-west-1/eu", "111111111111/us-east-1/us"]);
}

#[test]
fn a_rule_may_name_targets_that_are_not_where_its_members_are() {
    let mut company = Company::new();
    company.launch(&places()[3], 1);
    let spec = fleet(&[("eu", None), ("us", Some("us-east-1"))], false);
    let inventory = Inventory { places: company.seen(), unread: BTreeMap::new() };
    let rule = RawRule { targets: Given::Known(vec![known("eu")]), ..RawRule::default() };
    let rules = [("everything".to_owned(), Given::Known(rule))].into();
    let raw = RawSelection { rules: Given::Known(rules), ..RawSelection::default() };
    let members = select(&selection::parse(&raw).0.unwrap(), &inventory).members;
    let plan = expand(&spec, &home(), &members, &Prior::default(), &Facts::default());
    let skipped: Vec<_> = plan.not_mirrored.values().map(|one| one.detail.as_str()).collect();
    assert_eq!(
        skipped,
        ["the targets its rule names are in eu-west-1, and AWS mirrors within a Region only"]
    );
    assert_eq!(plan.findings.len(), 1, "{:?}", plan.findings);
}

#[test]
fn a_load_balancer_outside_its_targets_region_is_an_error() {
    let errors = |region: &str| {
        let spec = parse(&one_target(region, Given::Absent)).0.unwrap();
        expand(&spec, &home(), &BTreeMap::new(), &Prior::default(), &Facts::default()).has_errors()
    };
    assert!(errors("eu-west-1"));
    assert!(!errors("us-east-1"));
}

/// A load balancer of us-east-1 in `region`.
fn one_target(region: &str, adopt: Given<String>) -> RawFleet {
    let target = RawTarget {
        network_load_balancer_arn: known(&arn("us-east-1", "x")),
        region: if region.is_empty() { Given::Unknown } else { known(region) },
        ..RawTarget::default()
    };
    RawFleet {
        name: known("prod"),
        targets: Given::Known([("x".to_owned(), Given::Known(target))].into()),
        safety: Given::Known(RawSafety { adopt, ..RawSafety::default() }),
        ..RawFleet::default()
    }
}

#[test]
fn mistakes_in_regions_and_adoption_have_the_paths_of_their_blocks() {
    let (spec, problems) = parse(&one_target("Ireland", known("all")));
    assert!(spec.is_none());
    let paths: Vec<_> = problems.iter().map(|one| one.path.to_string()).collect();
    assert_eq!(paths, ["targets[\"x\"].region", "safety.adopt"]);
    // A Region that is not known yet decides who goes where, so there is nothing to plan.
    let (spec, problems) = parse(&one_target("", Given::Absent));
    assert!(spec.is_none() && problems.is_empty());
}

#[test]
fn another_accounts_view_of_a_session_never_makes_it_adoptable() {
    let mut company = Company::new();
    let spec = fleet(&[("eu", None)], true);
    company.launch(&places()[2], 1);
    company.by_hand(&places()[2], 1, "eu", 42);
    // The owner tagged it for another fleet; the target's account sees the session and no tags.
    let session = company.worlds.get_mut(&places()[2]).unwrap().seen.sessions.last_mut().unwrap();
    session.tags.insert("enigma:fleet".to_owned(), "other".to_owned());
    let mut seen = company.seen();
    let target = seen[&places()[2]].targets.last().unwrap().clone();
    let mut view = seen[&places()[2]].sessions.last().unwrap().clone();
    view.tags = Tags::new();
    let collector = seen.get_mut(&home()).unwrap();
    collector.targets.push(target);
    collector.sessions.push(view);
    assert_eq!(Facts::of(&spec, &home(), &seen).adoptable, BTreeMap::new());
    assert_eq!(company.wanted(&spec).adopted, BTreeMap::new());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn one_plan_serves_all_places_and_the_second_is_empty(
        launched in prop::collection::btree_map(1..60_u32, 0..5_usize, 0..24),
        by_hand in prop::collection::btree_map(1..60_u32, (any::<bool>(), 1..9_u32), 0..12),
        later in prop::collection::btree_map(60..80_u32, 0..5_usize, 0..6),
        adopt in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let spec = fleet(&[("eu", None), ("us", Some("us-east-1")), ("us2", Some("us-east-1"))], adopt);
        let mut company = Company::new();
        for (number, at) in &launched {
            company.launch(&places()[*at], *number);
        }
        let mut adoptable = BTreeSet::new();
        for (number, (to_ours, vni)) in &by_hand {
            let Some(at) = launched.get(number) else { continue };
            let at = &places()[*at];
            let label = match (to_ours, at.region.as_str()) {
                (false, _) => "elsewhere",
                (true, "eu-west-1") => "eu",
                (true, _) => "us2",
            };
            company.by_hand(at, *number, label, *vni);
            if *to_ours && adopt {
                adoptable.insert(MemberKey { place: at.clone(), interface: eni(*number) });
            }
        }
        let nobodys = company.of_nobody();
        let first = company.wanted(&spec);
        prop_assert_eq!(first.adopted.keys().cloned().collect::<BTreeSet<_>>(), adoptable.clone());
        prop_assert_eq!(first.sessions.len(), launched.len());
        // Cut off somewhere, then finish, then nothing is left.
        let plan = company.plan(&first, &spec);
        company.apply(&plan, cut.index(plan.actions().count() + 1));
        let second = company.wanted(&spec);
        let plan = company.plan(&second, &spec);
        company.apply(&plan, usize::MAX);
        let again = company.wanted(&spec);
        prop_assert!(company.plan(&again, &spec).is_empty());
        prop_assert!(again.adopted.is_empty() && again.changes.is_empty(), "{}", again.headline);
        // Every member has one session of the fleet, in its Region, and no VNI is used twice in any place.
        let owned = company.owned(&spec);
        prop_assert_eq!(owned.sessions.len(), launched.len());
        let mut vnis = BTreeSet::new();
        for (key, list) in &owned.sessions {
            prop_assert_eq!(list.len(), 1, "{}", key);
            prop_assert!(vnis.insert(list[0].vni), "the VNI of {} is not unique", key);
            let destination = &owned.destinations[&list[0].target];
            let Destination::NetworkLoadBalancer(arn) = destination else { panic!("{destination:?}") };
            prop_assert_eq!(arn.split(':').nth(3).unwrap(), key.place.region.as_str());
        }
        // Each Region's targets are shared with exactly the other accounts that send there.
        for (place, list) in &owned.shares {
            prop_assert_eq!(list.len(), 1, "one share in {}", place);
            let there = owned.sessions.keys().filter(|key| key.place.region == place.region);
            let others: BTreeSet<AccountId> =
                there.map(|key| key.place.account.clone()).filter(|id| *id != place.account).collect();
            let held: BTreeSet<AccountId> = list[0].principals.keys().map(|id| id.parse().unwrap()).collect();
            prop_assert_eq!(held, others);
        }
        let abroad: BTreeSet<&str> = owned
            .sessions
            .keys()
            .filter(|key| key.place.account != home().account)
            .map(|key| key.place.region.as_str())
            .collect();
        prop_assert_eq!(owned.shares.keys().map(|place| place.region.as_str()).collect::<BTreeSet<_>>(), abroad);
        // What was not asked for is as it was.
        let left = company.of_nobody();
        prop_assert_eq!(left.len() + adoptable.len(), nobodys.len());
        prop_assert!(left.is_subset(&nobodys));
        // New members anywhere move nobody.
        for (number, at) in &later {
            company.launch(&places()[*at], *number);
        }
        let grown = company.wanted(&spec);
        for (key, session) in &again.sessions {
            prop_assert_eq!(grown.sessions.get(key), Some(session));
        }
        // Everything leaves.
        let plan = company.plan(&Expansion::nothing(spec.name.clone()), &spec);
        company.apply(&plan, usize::MAX);
        prop_assert!(company.owned(&spec).is_empty());
        prop_assert_eq!(company.of_nobody(), left);
    }
}
