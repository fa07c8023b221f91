//! The whole resource killed at every call of create, update and destroy, on both sides of the call's effect, with the state lost
//! (the process died) and with it stored (only the network died), and told to stop at every call; then Terraform's
//! sequence again.

use enigma_reconcile::memory::When;
use enigma_tfplugin::CancellationToken;
use serde_json::{Value as Json, json};

use super::company::{COMPANY, accounts, company, company_fleet, without};
use super::lab::{ARN, Lab, OTHER_ARN, fleet, fleet_with, key};
use crate::mirror_fleet::applying::COMPLETE_TAG;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Add,
    Remove,
    Retarget,
    Refilter,
    Destroy,
    /// Two accounts in two Regions begin, the targets shared.
    Found,
    /// One of them leaves.
    Leave,
    /// All of it goes.
    Dissolve,
}

impl Step {
    fn is_create(self) -> bool {
        matches!(self, Self::Create | Self::Found)
    }

    fn is_destroy(self) -> bool {
        matches!(self, Self::Destroy | Self::Dissolve)
    }
}

/// Whether Terraform lived to store the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Lost,
    Stored,
}

#[derive(Debug, Default)]
struct Tally {
    calls: usize,
    kills: usize,
    converged: usize,
    imported: usize,
}

/// A world just before the step, and the arguments of the step.
async fn ready(step: Step) -> (Lab, Json) {
    let with_two = json!({ "targets": {
        "main": { "network_load_balancer_arn": ARN },
        "second": { "network_load_balancer_arn": OTHER_ARN },
    } });
    if step == Step::Create {
        return (Lab::new().await, fleet_with(&with_two));
    }
    if matches!(step, Step::Found | Step::Leave | Step::Dissolve) {
        let mut lab = company();
        lab.terms = accounts(&COMPANY[..2]);
        if step != Step::Found {
            lab.settle(&company_fleet()).await;
        }
        if step == Step::Leave {
            lab.members = Some(without(&lab.discover().await, COMPANY[1].1));
        }
        lab.aws.forget_calls();
        return (lab, company_fleet());
    }
    let mut lab = Lab::applied(&fleet()).await;
    let arguments = match step {
        Step::Add => {
            lab.launch();
            lab.launch();
            fleet_with(&with_two)
        }
        Step::Remove => {
            let members = lab.discover().await;
            let gone = [1, 2].map(|index| key(&lab.sources[index]).to_string());
            let left = members.as_map().unwrap().clone().into_iter().filter(|(key, _)| !gone.contains(key));
            lab.members = Some(enigma_tfplugin::Dynamic::map(left));
            fleet()
        }
        Step::Retarget => {
            fleet_with(&json!({ "targets": { "main": { "network_load_balancer_arn": OTHER_ARN } } }))
        }
        Step::Refilter => fleet_with(&json!({
            "filters": { "web": { "dns": true, "rules": [
                { "action": "reject", "protocol": "tcp", "local_ports": ["22"] },
                { "action": "accept" },
            ] } },
            "session": { "packet_length": 256 },
            "tags": { "team": "secops" },
        })),
        _ => fleet(),
    };
    lab.aws.forget_calls();
    (lab, arguments)
}

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    /// Nothing gets through any more.
    Kill(When),
    /// Terraform passes Ctrl-C on while the call is under way.
    Stop,
}

/// Carries the step out, with a blow at that call if any.
async fn attempt(lab: &mut Lab, step: Step, arguments: &Json, blow: Option<(usize, Blow)>, answer: Answer) {
    drop(lab.refresh().await);
    let reviewed = if step.is_destroy() { None } else { Some(lab.plan(arguments).await.unwrap()) };
    lab.aws.forget_calls();
    match blow {
        Some((index, Blow::Kill(when))) => lab.aws.kill_at(index, when),
        Some((index, Blow::Stop)) => lab.aws.cancel_at(index, lab.stop.clone()),
        None => {}
    }
    let (stored, _) = match &reviewed {
        Some(reviewed) => lab.carry_out(reviewed).await,
        None => lab.carry_out_destroy(&lab.stored.clone().unwrap()).await,
    };
    if answer == Answer::Stored {
        lab.stored = stored;
    }
}

async fn sweep(step: Step, answer: Answer) -> Tally {
    let (mut lab, arguments) = ready(step).await;
    attempt(&mut lab, step, &arguments, None, Answer::Stored).await;
    let mut tally = Tally { calls: lab.aws.journal().len(), ..Tally::default() };
    assert!(tally.calls >= 5, "only {} calls: the sweep would prove little", tally.calls);
    for index in 0..tally.calls {
        for when in [When::Before, When::After] {
            let (mut lab, arguments) = ready(step).await;
            let strangers = lab.strangers();
            attempt(&mut lab, step, &arguments, Some((index, Blow::Kill(when))), answer).await;
            lab.aws.heal();
            tally.kills += 1;
            let at = format!(
                "{step:?} killed at call {index} of {}, {when:?} its effect, answer {answer:?}",
                tally.calls
            );
            let everything = lab.aws.all_contents();
            let mut targets = everything.values().flat_map(|seen| &seen.targets);
            println!("{at}");
            let is_marked = targets.any(|target| target.tags.contains_key(COMPLETE_TAG));
            if step.is_destroy() {
                let told = lab.destroy().await;
                assert!(!told.has_errors() && lab.stored.is_none(), "{at}: {told:?}");
                lab.expect_nothing_left();
            } else if step.is_create() && lab.stored.is_none() && is_marked {
                let why = lab.run(&arguments).await.unwrap_err();
                assert!(why.iter().any(|d| d.detail.contains("terraform import")), "{at}: {why:?}");
                lab.import("prod").await.unwrap();
                // Import reads what the targets' tags describe, so nothing is left to change.
                lab.expect_settled(&arguments).await;
                tally.imported += 1;
            } else {
                lab.settle(&arguments).await;
            }
            assert_eq!(lab.strangers(), strangers, "{at}: strangers are untouched");
            tally.converged += 1;
        }
    }
    tally
}

/// Told to stop at every call: the state tells the world at once, and the next apply finishes.
async fn interrupt(step: Step) {
    let (mut lab, arguments) = ready(step).await;
    attempt(&mut lab, step, &arguments, None, Answer::Stored).await;
    let calls = lab.aws.journal().len();
    assert!(calls >= 5, "only {calls} calls: the sweep would prove little");
    let mut unfinished = 0;
    for index in 0..calls {
        let (mut lab, arguments) = ready(step).await;
        let strangers = lab.strangers();
        attempt(&mut lab, step, &arguments, Some((index, Blow::Stop)), Answer::Stored).await;
        println!("{step:?} told to stop at call {index} of {calls}");
        assert!(lab.stop.is_cancelled(), "{step:?}: call {index} was made");
        lab.expect_state_tells_the_world();
        assert!(lab.aws.journal().len() <= calls, "{step:?} at {index}: a stop asks for nothing more");
        unfinished += usize::from(lab.aws.journal().len() < calls);
        lab.aws.heal();
        lab.stop = CancellationToken::new();
        if step.is_destroy() {
            let told = lab.destroy().await;
            assert!(!told.has_errors() && lab.stored.is_none(), "{step:?} at {index}: {told:?}");
            lab.expect_nothing_left();
        } else {
            lab.settle(&arguments).await;
        }
        assert_eq!(lab.strangers(), strangers, "{step:?} at {index}: strangers are untouched");
    }
    println!("{step:?}: {calls} stops, {unfinished} of them left something to the next apply");
    assert!(unfinished * 2 > calls, "{step:?}: only {unfinished} of {calls} stops stopped anything");
}

async fn report(step: Step) -> [Tally; 2] {
    let tallies = [sweep(step, Answer::Lost).await, sweep(step, Answer::Stored).await];
    for (tally, answer) in tallies.iter().zip(["lost", "stored"]) {
        println!(
            "{step:?}, state {answer}: {} calls, {} kill points, {} converged, {} of them by import, 0 duplicates, 0 orphans",
            tally.calls, tally.kills, tally.converged, tally.imported
        );
        assert_eq!(tally.kills, tally.converged);
    }
    tallies
}

#[tokio::test(start_paused = true)]
async fn a_create_killed_at_every_call_converges_and_only_a_marked_one_asks_for_an_import() {
    let [lost, stored] = report(Step::Create).await;
    // Two targets: after the first mark, before the second, after the second.
    assert_eq!((lost.imported, stored.imported), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn an_addition_killed_at_every_call_converges() {
    assert!(report(Step::Add).await.iter().all(|tally| tally.imported == 0));
}

#[tokio::test(start_paused = true)]
async fn a_removal_killed_at_every_call_converges() {
    assert!(report(Step::Remove).await.iter().all(|tally| tally.imported == 0));
}

#[tokio::test(start_paused = true)]
async fn a_retargeting_killed_at_every_call_converges() {
    assert!(report(Step::Retarget).await.iter().all(|tally| tally.imported == 0));
}

#[tokio::test(start_paused = true)]
async fn a_change_of_filters_killed_at_every_call_converges() {
    assert!(report(Step::Refilter).await.iter().all(|tally| tally.imported == 0));
}

#[tokio::test(start_paused = true)]
async fn a_destroy_killed_at_every_call_converges() {
    assert!(report(Step::Destroy).await.iter().all(|tally| tally.imported == 0));
}

#[tokio::test(start_paused = true)]
async fn a_fleet_told_to_stop_at_any_call_tells_the_truth_and_goes_on_with_the_next_apply() {
    for step in [Step::Create, Step::Add, Step::Remove, Step::Retarget, Step::Refilter, Step::Destroy] {
        interrupt(step).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_company_told_to_stop_at_any_call_tells_the_truth_and_goes_on_with_the_next_apply() {
    for step in [Step::Found, Step::Leave, Step::Dissolve] {
        interrupt(step).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_company_killed_at_every_call_of_its_founding_converges() {
    let [lost, stored] = report(Step::Found).await;
    assert_eq!((lost.imported, stored.imported), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_leaves_a_company_leaves_wholly_wherever_it_is_killed() {
    assert!(report(Step::Leave).await.iter().all(|tally| tally.imported == 0));
}

#[tokio::test(start_paused = true)]
async fn a_company_killed_at_every_call_of_its_end_converges() {
    assert!(report(Step::Dissolve).await.iter().all(|tally| tally.imported == 0));
}
