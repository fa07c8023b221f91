//! One plan at a time against the memory AWS: order, references, failures, cancellation, pacing. Time is tokio's, paused.

mod company;
mod pace;
mod shares;
mod tries;

use std::sync::Arc;
use std::time::Duration;

use enigma_fleet::actions::{Action, Ref, SessionChange};
use enigma_fleet::inventory::Tags;
use enigma_fleet::plan::{Plan, Stage};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use enigma_fleet::calls::{MUTATING, TAGGING};

use super::*;
use crate::kit::*;
use crate::memory::MemoryAws;
use crate::outcome::{Because, Counts, Outcome};
use crate::pacing::Bucket;
use crate::ports::ErrorKind;

fn options() -> Options {
    Options::new(1, Arc::new(Pacer::new()))
}

async fn run(aws: &MemoryAws, plan: &Plan) -> Outcomes {
    execute(plan, Arc::new(aws.clone()), &options(), &CancellationToken::new()).await
}

fn outcomes_of(outcomes: &Outcomes, stage: Stage) -> Vec<&Outcome> {
    outcomes.steps.iter().filter(|step| step.stage == stage).map(|step| &step.outcome).collect()
}

#[tokio::test(start_paused = true)]
async fn a_whole_plan_is_carried_out_and_references_are_resolved() {
    let (aws, interfaces) = aws_with(3);
    let outcomes = run(&aws, &whole(&interfaces)).await;
    assert!(outcomes.is_complete(), "{:?}", outcomes.incomplete().collect::<Vec<_>>());
    let seen = aws.contents(&home());
    assert_eq!((seen.targets.len(), seen.filters.len(), seen.sessions.len()), (1, 1, 3));
    assert_eq!(seen.filters[0].rules.len(), 1);
    for session in &seen.sessions {
        assert_eq!((&session.target, &session.filter), (&seen.targets[0].id, &seen.filters[0].id));
        assert_eq!(outcomes.session_made_for(&member(&session.interface)), Some(&session.id));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_filter_rule_keeps_sessions_off_that_filter_and_nothing_else() {
    let (aws, interfaces) = aws_with(2);
    let mut plan = whole(&interfaces[..1]);
    plan.waves[1].actions.push(create_filter("g"));
    plan.waves[2].actions.extend([create_rule("g", 10), create_rule("g", 20)]);
    plan.waves[3].actions.push(create_session(&interfaces[1], "g"));
    // Filter f's rule and then filter g's first: the second call is the one that fails.
    aws.fail_every("CreateTrafficMirrorFilterRule", 2, ErrorKind::Quota);
    let outcomes = run(&aws, &plan).await;
    let rules = outcomes_of(&outcomes, Stage::Rules);
    assert!(matches!(rules[0], Outcome::Done(_)), "{rules:?}");
    assert!(matches!(rules[1], Outcome::Failed(e) if e.kind == ErrorKind::Quota), "{rules:?}");
    assert!(matches!(rules[2], Outcome::Skipped(Because::DependsOn(4))), "{rules:?}");
    let sessions = outcomes_of(&outcomes, Stage::NewSessions);
    assert!(matches!(sessions[0], Outcome::Done(_)), "{sessions:?}");
    assert!(matches!(sessions[1], Outcome::Skipped(Because::DependsOn(4))), "{sessions:?}");
    let (_, step) = outcomes.incomplete().last().unwrap();
    let why = outcomes.why_skipped(step).unwrap();
    assert!(why.contains("creating ingress rule 10 of filter 111111111111/us-east-1/g"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn old_rules_stay_when_the_new_one_is_refused() {
    let (aws, _) = aws_with(0);
    assert!(run(&aws, &whole(&[])).await.is_complete());
    let filter = aws.contents(&home()).filters[0].clone();
    let change = plan(vec![(
        Stage::Rules,
        vec![
            Action::CreateRule {
                key: key("f"),
                filter: Ref::Existing(filter.id.clone()),
                rule: rule(5),
                tags: Tags::new(),
            },
            Action::DeleteRule { key: key("f"), id: filter.rules[0].id.clone() },
        ],
    )]);
    aws.fail_next("CreateTrafficMirrorFilterRule", 1, ErrorKind::Quota);
    let outcomes = run(&aws, &change).await;
    assert!(matches!(outcomes.steps[1].outcome, Outcome::Skipped(Because::DependsOn(0))));
    assert_eq!(aws.contents(&home()).filters[0].rules, filter.rules);
}

#[tokio::test(start_paused = true)]
async fn a_vanished_source_is_told_apart_from_a_failure() {
    let (aws, interfaces) = aws_with(2);
    aws.delete_interface(&home(), &interfaces[0]);
    let outcomes = run(&aws, &whole(&interfaces)).await;
    let sessions = outcomes_of(&outcomes, Stage::NewSessions);
    assert!(matches!(sessions[0], Outcome::SourceGone(_)), "{sessions:?}");
    assert!(matches!(sessions[1], Outcome::Done(_)), "{sessions:?}");
    assert_eq!(outcomes.counts(), Counts { done: 4, source_gone: 1, ..Counts::default() });
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_a_session_keeps_in_use_is_skipped_with_the_session_as_reason() {
    let (aws, interfaces) = aws_with(1);
    assert!(run(&aws, &whole(&interfaces)).await.is_complete());
    let seen = aws.contents(&home());
    let destroy = plan(vec![
        (
            Stage::RemovedSessions,
            vec![Action::DeleteSession { key: member(&interfaces[0]), id: seen.sessions[0].id.clone() }],
        ),
        (Stage::UnusedTargets, vec![Action::DeleteTarget { key: key("t"), id: seen.targets[0].id.clone() }]),
    ]);
    aws.fail_next("DeleteTrafficMirrorSession", 1, ErrorKind::Unauthorized);
    let outcomes = run(&aws, &destroy).await;
    assert!(matches!(outcomes.steps[1].outcome, Outcome::Skipped(Because::StillUsed(0))), "{outcomes:?}");
    assert!(run(&aws, &destroy).await.is_complete(), "the second time nothing stands in the way");
    assert!(aws.contents(&home()).targets.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_reference_that_nothing_makes_is_a_skip_that_says_so() {
    let (aws, interfaces) = aws_with(1);
    let outcomes =
        run(&aws, &plan(vec![(Stage::NewSessions, vec![create_session(&interfaces[0], "f")])])).await;
    assert!(
        matches!(&outcomes.steps[0].outcome, Outcome::Skipped(Because::NothingMakes(what)) if what.contains("target"))
    );
    assert_eq!(aws.journal().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn cancelling_lets_begun_calls_finish_and_begins_no_other() {
    let (aws, interfaces) = aws_with(40);
    aws.delay(&home(), "CreateTrafficMirrorSession", Duration::from_secs(2));
    let cancel = CancellationToken::new();
    let plan = whole(&interfaces);
    let options = Options { concurrency: 4.try_into().unwrap(), ..options() };
    let run = execute(&plan, Arc::new(aws.clone()), &options, &cancel);
    let stop = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        cancel.cancel();
    };
    let (outcomes, ()) = tokio::join!(run, stop);
    // Two rounds of four had begun by then; the second was still in flight.
    assert_eq!(outcomes.counts(), Counts { done: 3 + 8, cancelled: 32, ..Counts::default() });
    assert_eq!(aws.contents(&home()).sessions.len(), 8, "exactly the sessions with an outcome exist");
}

#[tokio::test(start_paused = true)]
async fn dropping_the_future_cuts_no_call_and_begins_no_other() {
    let (aws, interfaces) = aws_with(8);
    aws.delay(&home(), "CreateTrafficMirrorSession", Duration::from_secs(2));
    let cancel = CancellationToken::new();
    let plan = whole(&interfaces);
    let options = Options { concurrency: 2.try_into().unwrap(), ..options() };
    let run = execute(&plan, Arc::new(aws.clone()), &options, &cancel);
    assert!(tokio::time::timeout(Duration::from_secs(1), run).await.is_err());
    assert_eq!(aws.contents(&home()).sessions.len(), 0);
    // The two calls in flight end after another second; nothing comes after them.
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(aws.contents(&home()).sessions.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_cannot_be_opened_does_not_stop_the_others() {
    let (aws, interfaces) = aws_with(1);
    let mut plan = whole(&interfaces);
    let elsewhere = place("222222222222/us-east-1");
    let denied = Action::CreateFilter {
        key: enigma_fleet::ids::ObjectKey { place: elsewhere, label: "f".parse().unwrap() },
        description: String::new(),
        tags: Tags::new(),
    };
    plan.waves[1].actions.push(denied);
    let outcomes = run(&aws, &plan).await;
    assert_eq!(outcomes.counts(), Counts { done: 4, failed: 1, ..Counts::default() });
    assert!(
        outcomes
            .incomplete()
            .all(|(_, s)| matches!(&s.outcome, Outcome::Failed(e) if e.kind == ErrorKind::Credentials))
    );
}

#[tokio::test(start_paused = true)]
async fn a_slow_place_does_not_hold_back_the_waves_of_another() {
    let (aws, interfaces) = aws_with(1);
    let slow = place("222222222222/us-east-1");
    aws.add_place(&slow);
    aws.delay(&slow, "CreateTrafficMirrorFilter", Duration::from_secs(3600));
    let mut plan = whole(&interfaces);
    plan.waves[1].actions.push(Action::CreateFilter {
        key: enigma_fleet::ids::ObjectKey { place: slow.clone(), label: "f".parse().unwrap() },
        description: String::new(),
        tags: Tags::new(),
    });
    let began = Instant::now();
    let watch = async {
        while aws.contents(&home()).sessions.is_empty() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        began.elapsed()
    };
    let (outcomes, first_session) = tokio::join!(run(&aws, &plan), watch);
    assert!(outcomes.is_complete());
    assert!(first_session < Duration::from_secs(60), "{first_session:?}");
    assert!(began.elapsed() >= Duration::from_secs(3600));
}

#[tokio::test(start_paused = true)]
async fn a_target_is_deleted_after_the_sessions_of_every_place() {
    let (aws, _) = aws_with(0);
    let slow = place("222222222222/us-east-1");
    let (_, interface) = aws.launch(&slow, "m5.large", &Tags::new());
    aws.delay(&slow, "DeleteTrafficMirrorSession", Duration::from_secs(600));
    let plan = plan(vec![
        (
            Stage::RemovedSessions,
            vec![Action::DeleteSession {
                key: enigma_fleet::ids::MemberKey { place: slow.clone(), interface },
                id: "tms-00000000000000009".parse().unwrap(),
            }],
        ),
        (
            Stage::UnusedTargets,
            vec![Action::DeleteTarget { key: key("t"), id: "tmt-00000000000000009".parse().unwrap() }],
        ),
    ]);
    assert!(run(&aws, &plan).await.is_complete());
    let order: Vec<&str> = aws.journal().iter().map(|call| call.operation).collect();
    assert_eq!(order, ["DeleteTrafficMirrorSession", "DeleteTrafficMirrorTarget"]);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_that_somebody_else_drains_slows_us_down_but_fails_nothing() {
    let (aws, interfaces) = aws_with(60);
    // Half the rate and hardly any burst: what another tool in the account leaves of AWS's bucket.
    let left = Bucket { burst: 3.0, per_second: 2.5 };
    aws.throttle(left, left);
    let began = Instant::now();
    let outcomes = run(&aws, &whole(&interfaces)).await;
    assert!(outcomes.is_complete(), "{:?}", outcomes.counts());
    let calls = aws.journal();
    let throttled = calls.iter().filter(|call| call.error == Some(ErrorKind::Throttled)).count();
    assert!(throttled > 0, "the test would prove nothing");
    assert!(throttled < calls.len() / 2, "{throttled} of {} calls were thrown away", calls.len());
    let bound = (60.0 - left.burst) / left.per_second;
    let took = began.elapsed().as_secs_f64();
    assert!(took < bound * 3.0, "{took} s where {bound} s are possible");
}

#[tokio::test(start_paused = true)]
async fn endless_throttling_is_reported_when_patience_ends() {
    let (aws, _) = aws_with(0);
    aws.fail_every("CreateTrafficMirrorTarget", 1, ErrorKind::Throttled);
    let began = Instant::now();
    let outcomes = run(&aws, &plan(vec![(Stage::NewTargets, vec![create_target()])])).await;
    assert!(matches!(&outcomes.steps[0].outcome, Outcome::Failed(e) if e.kind == ErrorKind::Throttled));
    let took = began.elapsed();
    assert!((THROTTLE_PATIENCE..THROTTLE_PATIENCE * 2).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_new_object_that_is_not_visible_yet_is_waited_for_an_old_one_is_not() {
    let (aws, interfaces) = aws_with(1);
    aws.fail_next("CreateTrafficMirrorSession", 3, ErrorKind::NotFound);
    let began = Instant::now();
    assert!(run(&aws, &whole(&interfaces)).await.is_complete());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    let session = aws.contents(&home()).sessions[0].clone();
    let change = SessionChange {
        filter: Some(Ref::Existing("tmf-0000000000000dead".parse().unwrap())),
        ..SessionChange::default()
    };
    let change = plan(vec![(
        Stage::ChangedSessions,
        vec![Action::ModifySession { key: member(&interfaces[0]), id: session.id, change }],
    )]);
    aws.forget_calls();
    let outcomes = run(&aws, &change).await;
    assert!(matches!(&outcomes.steps[0].outcome, Outcome::Failed(e) if e.kind == ErrorKind::NotFound));
    assert_eq!(aws.journal().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn repeating_an_attempt_makes_nothing_twice_a_new_generation_does() {
    let (aws, interfaces) = aws_with(2);
    let plan = whole(&interfaces);
    aws.lose_replies("CreateTrafficMirrorSession", usize::MAX);
    let first = run(&aws, &plan).await;
    assert_eq!(first.counts(), Counts { done: 3, failed: 2, ..Counts::default() });
    aws.heal();
    let second = run(&aws, &plan).await;
    assert!(second.is_complete());
    let seen = aws.contents(&home());
    assert_eq!((seen.targets.len(), seen.filters.len(), seen.sessions.len()), (1, 1, 2));
    let options = Options { generation: 2, ..options() };
    let third = execute(&plan, Arc::new(aws.clone()), &options, &CancellationToken::new()).await;
    assert_eq!(aws.contents(&home()).targets.len(), 2, "{:?}", third.counts());
}

#[tokio::test(start_paused = true)]
async fn tags_are_set_before_any_is_removed() {
    let (aws, interfaces) = aws_with(1);
    assert!(run(&aws, &whole(&interfaces)).await.is_complete());
    let session = aws.contents(&home()).sessions[0].clone();
    let retag = plan(vec![(
        Stage::Tags,
        vec![Action::Retag {
            place: home(),
            resource: enigma_fleet::actions::Resource::Session(session.id),
            set: Tags::from([("a".to_owned(), "b".to_owned())]),
            remove: vec!["enigma:fleet".to_owned()],
        }],
    )]);
    aws.forget_calls();
    assert!(run(&aws, &retag).await.is_complete());
    let order: Vec<&str> = aws.journal().iter().map(|call| call.operation).collect();
    assert_eq!(order, ["CreateTags", "DeleteTags"]);
    assert_eq!(aws.contents(&home()).sessions[0].tags, Tags::from([("a".to_owned(), "b".to_owned())]));
}

#[tokio::test(start_paused = true)]
async fn tags_that_do_not_fit_beside_the_old_ones_are_set_once_these_are_gone() {
    let (aws, interfaces) = aws_with(1);
    assert!(run(&aws, &whole(&interfaces)).await.is_complete());
    let session = aws.contents(&home()).sessions[0].clone();
    let many = |letter: char| (0..40).map(move |n| (format!("{letter}{n}"), String::new())).collect::<Tags>();
    for (set, remove) in [(many('a'), Tags::new()), (many('b'), many('a'))] {
        let resource = enigma_fleet::actions::Resource::Session(session.id.clone());
        let remove = remove.into_keys().collect();
        let retag = plan(vec![(Stage::Tags, vec![Action::Retag { place: home(), resource, set, remove }])]);
        let outcomes = run(&aws, &retag).await;
        assert!(outcomes.is_complete(), "{outcomes:?}");
    }
    let mut wanted = session.tags;
    wanted.extend(many('b'));
    assert_eq!(aws.contents(&home()).sessions[0].tags, wanted);
}
