use std::collections::BTreeSet;

use super::*;
use crate::actions::Resource;
use crate::ids::MemberKey;
use crate::inventory::Tags;
use crate::plan::{Stage, Wave};

fn place(account: &str) -> Place {
    Place { account: account.parse().unwrap(), region: "eu-west-1".parse().unwrap() }
}

fn deletes(place: &Place, count: usize) -> Vec<Action> {
    let delete = |number| Action::DeleteSession {
        key: MemberKey { place: place.clone(), interface: format!("eni-{number:08x}").parse().unwrap() },
        id: format!("tms-{number:08x}").parse().unwrap(),
    };
    (0..count).map(delete).collect()
}

fn retags(place: &Place, count: usize) -> Vec<Action> {
    let retag = |number| Action::Retag {
        place: place.clone(),
        resource: Resource::Session(format!("tms-{number:08x}").parse().unwrap()),
        set: Tags::from([("a".to_owned(), "b".to_owned())]),
        remove: vec!["c".to_owned()],
    };
    (0..count).map(retag).collect()
}

fn of(waves: Vec<(Stage, Vec<Action>)>) -> Estimate {
    let waves = waves.into_iter().map(|(stage, actions)| Wave { stage, actions }).collect();
    estimate(&Plan {
        fleet: "prod".parse().unwrap(),
        waves,
        source_gone: BTreeSet::new(),
        held_back: [].into(),
        findings: Vec::new(),
    })
}

#[test]
fn what_a_full_bucket_holds_takes_no_time() {
    assert_eq!(of(Vec::new()), Estimate::default());
    let small = of(vec![(Stage::RemovedSessions, deletes(&place("111111111111"), 50))]);
    assert_eq!(small, Estimate { calls: 50, ..Estimate::default() });
}

/// 50 at once and 5 a second: AWS's page makes it 190 seconds for a thousand calls and 33 minutes for ten thousand.
#[test]
fn beyond_the_bucket_five_a_second() {
    let home = place("111111111111");
    for (count, seconds) in [(51, 0.2), (1_000, 190.0), (10_000, 1990.0)] {
        let found = of(vec![(Stage::RemovedSessions, deletes(&home, count))]);
        assert_eq!(found.time, Duration::from_secs_f64(seconds), "{count} calls");
        assert_eq!(found.slowest.as_ref(), Some(&home));
    }
}

#[test]
fn places_go_on_side_by_side_and_the_slowest_decides() {
    let (one, other) = (place("111111111111"), place("222222222222"));
    let mut actions = deletes(&one, 100);
    actions.extend(deletes(&other, 150));
    let found = of(vec![(Stage::RemovedSessions, actions)]);
    assert_eq!((found.calls, found.time, found.slowest), (250, Duration::from_secs(20), Some(other)));
}

#[test]
fn actions_have_buckets_of_their_own_that_fill_again_between_waves() {
    let home = place("111111111111");
    // 100 deletions: 10 s. Meanwhile nothing was tagged; 200 tags set and 200 removed then take (200 - 100) / 10 s side by side.
    let found = of(vec![(Stage::RemovedSessions, deletes(&home, 100)), (Stage::Tags, retags(&home, 200))]);
    assert_eq!((found.calls, found.time), (500, Duration::from_secs(20)));
    // In those 10 s the bucket of deletions got 50 tokens back.
    let found = of(vec![
        (Stage::FreedSources, deletes(&home, 100)),
        (Stage::Tags, retags(&home, 200)),
        (Stage::RemovedSessions, deletes(&home, 50)),
    ]);
    assert_eq!(found.time, Duration::from_secs(20));
}

#[test]
fn what_is_left_is_counted_from_a_full_bucket_and_falls_with_every_action() {
    let (home, other) = (place("111111111111"), place("222222222222"));
    let mut actions = deletes(&home, 100);
    actions.extend(retags(&home, 120));
    let plan = Plan {
        fleet: "prod".parse().unwrap(),
        waves: vec![Wave { stage: Stage::RemovedSessions, actions }],
        source_gone: BTreeSet::new(),
        held_back: [].into(),
        findings: Vec::new(),
    };
    let mut backlog = Backlog::of(&plan);
    // 100 deletions less 50 at 5 a second; 120 tags less 100 at 10 a second go on beside them.
    assert_eq!((backlog.least(&home), backlog.least(&other)), (Duration::from_secs(10), Duration::ZERO));
    for action in &plan.waves[0].actions[..45] {
        backlog.remove(action);
    }
    assert_eq!(backlog.least(&home), Duration::from_secs(2));
    plan.actions().for_each(|action| backlog.remove(action));
    assert_eq!(backlog.least(&home), Duration::ZERO);
}
