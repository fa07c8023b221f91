//! The sweep at company scale: three accounts in two Regions, three targets, shares inside and outside the organization; a create,
//! an update in which an account leaves, and a destroy. Every fault is followed by an attempt without one, and judged.

mod rig;

use std::collections::BTreeSet;

use crate::memory::When;
use crate::outcome::Outcome;
use crate::pacing::Bucket;
use crate::ports::ErrorKind;
use rig::{Attempt, Company, Verdict, ready_for};

use super::Wish;

const WISHES: [(Wish, &str); 3] =
    [(Wish::Before, "create"), (Wish::After, "update"), (Wish::Nothing, "destroy")];

/// Every write that some attempt makes.
const WRITES: [&str; 17] = [
    "AcceptResourceShareInvitation",
    "AssociateResourceShare",
    "CreateResourceShare",
    "CreateTags",
    "CreateTrafficMirrorFilter",
    "CreateTrafficMirrorFilterRule",
    "CreateTrafficMirrorSession",
    "CreateTrafficMirrorTarget",
    "DeleteResourceShare",
    "DeleteTrafficMirrorFilter",
    "DeleteTrafficMirrorFilterRule",
    "DeleteTrafficMirrorSession",
    "DeleteTrafficMirrorTarget",
    "DisassociateResourceShare",
    "ModifyTrafficMirrorFilterNetworkServices",
    "ModifyTrafficMirrorFilterRule",
    "ModifyTrafficMirrorSession",
];

/// One line of the table.
struct Row {
    attempt: &'static str,
    fault: &'static str,
    calls: usize,
    points: usize,
    total: Verdict,
}

impl Row {
    fn new(attempt: &'static str, fault: &'static str, calls: usize) -> Self {
        Self { attempt, fault, calls, points: 0, total: Verdict::default() }
    }

    /// A fault happened; an attempt without it must end well.
    async fn judge(&mut self, mut company: Company, wish: Wish, is_saved: bool, what: &str) {
        company.aws.heal();
        if is_saved {
            company.remember(wish);
        }
        let verdict = company.finish(wish).await;
        assert!(verdict.is_good(), "{} {}, {what}: {verdict:#?}", self.attempt, self.fault);
        self.points += 1;
        self.total.add(&verdict);
    }
}

async fn calls_of(wish: Wish) -> usize {
    let company = ready_for(wish).await;
    let attempt = company.attempt(wish).await.expect("everything can be read");
    assert!(attempt.outcomes.is_complete(), "{:#?}", attempt.outcomes.incomplete().collect::<Vec<_>>());
    company.aws.journal().len()
}

async fn kills(wish: Wish, name: &'static str) -> Row {
    let calls = calls_of(wish).await;
    let mut row = Row::new(name, "killed before and after each call", calls);
    for index in 0..calls {
        for when in [When::Before, When::After] {
            let company = ready_for(wish).await;
            company.aws.kill_at(index, when);
            if let Some(Attempt { outcomes, .. }) = company.attempt(wish).await {
                // Within reads nothing is left; a kill after the last call leaves nothing undone.
                assert!(!outcomes.is_complete(), "the kill at {index} {when:?} hit nothing");
            }
            // The state was not saved: the next attempt has the old memory and the same generation.
            row.judge(company, wish, false, &format!("call {index} of {calls} {when:?}")).await;
        }
    }
    row
}

async fn cancellations(wish: Wish, name: &'static str) -> Row {
    let calls = calls_of(wish).await;
    let mut row = Row::new(name, "cancelled at each call", calls);
    for index in 0..calls {
        let company = ready_for(wish).await;
        company.aws.cancel_at(index, company.cancel.clone());
        if let Some(Attempt { outcomes, .. }) = company.attempt(wish).await {
            let cut = outcomes.steps.iter().find(|step| matches!(step.outcome, Outcome::Failed(_)));
            assert!(cut.is_none(), "cancelled at {index}: no call is cut in half: {cut:#?}");
        }
        row.judge(company, wish, true, &format!("cancelled at call {index}")).await;
    }
    row
}

async fn expiries(wish: Wish, name: &'static str) -> Row {
    let calls = calls_of(wish).await;
    let mut row = Row::new(name, "credentials of an account end at each call", calls);
    for index in 0..calls {
        for account in ["111111111111", "222222222222"] {
            let company = ready_for(wish).await;
            company.aws.expire_at(index, &account.parse().unwrap());
            let _attempt = company.attempt(wish).await;
            row.judge(company, wish, true, &format!("{account} ended at call {index}")).await;
        }
    }
    row
}

/// Each write in turn is refused, loses its reply, or is throttled.
async fn failures(wish: Wish, name: &'static str, hit: &mut BTreeSet<&'static str>) -> Row {
    let calls = calls_of(wish).await;
    let mut row = Row::new(name, "each kind of write fails, loses replies, is throttled", calls);
    for operation in WRITES {
        for fault in 0..4 {
            let company = ready_for(wish).await;
            match fault {
                0 => company.aws.fail_next(operation, 1, ErrorKind::Unavailable),
                1 => company.aws.fail_every(operation, 2, ErrorKind::Quota),
                2 => company.aws.lose_replies(operation, 2),
                _ => company.aws.fail_every(operation, 2, ErrorKind::Throttled),
            }
            let attempt = company.attempt(wish).await.expect("everything can be read");
            if !attempt.outcomes.is_complete() {
                assert_ne!(fault, 3, "throttling never surfaces: {:#?}", attempt.outcomes);
                hit.insert(operation);
            }
            row.judge(company, wish, true, &format!("{operation}, fault {fault}")).await;
        }
    }
    row
}

/// The next attempt after a kill does not see yet what was made.
async fn stale_reads(wish: Wish, name: &'static str) -> Row {
    let calls = calls_of(wish).await;
    let mut row = Row::new(name, "killed, and the next attempt reads the past", calls);
    for index in 0..calls {
        let company = ready_for(wish).await;
        let past = company.aws.freeze();
        company.aws.kill_at(index, When::After);
        let _killed = company.attempt(wish).await;
        company.aws.heal();
        // As many reads as an observation makes.
        company.aws.show(&past, 32);
        let _stale = company.attempt(wish).await;
        row.judge(company, wish, true, &format!("killed at {index}, then stale")).await;
    }
    row
}

async fn storm(wish: Wish, name: &'static str) -> Row {
    let mut row = Row::new(name, "another program drains AWS's buckets", calls_of(wish).await);
    let company = ready_for(wish).await;
    let slow = Bucket { burst: 2.0, per_second: 0.5 };
    company.aws.throttle(slow, slow);
    let attempt = company.attempt(wish).await.unwrap();
    assert!(attempt.outcomes.is_complete(), "throttling never surfaces: {:#?}", attempt.outcomes);
    row.judge(company, wish, true, "storm").await;
    row
}

/// One account answers nothing; the others get theirs.
async fn lost_accounts(wish: Wish, name: &'static str) -> Row {
    let mut row = Row::new(name, "a member account refuses everything", calls_of(wish).await);
    for account in ["222222222222", "333333333333"] {
        let company = ready_for(wish).await;
        for place in rig::places().iter().filter(|place| place.account.as_str() == account) {
            company.aws.deny(place);
        }
        let attempt = company.attempt(wish).await.expect("home can be read");
        let stopped = attempt.outcomes.steps.iter().filter(|step| {
            step.action.place().account.as_str() != account
                && matches!(step.outcome, Outcome::Failed(_))
                && wish != Wish::Nothing
        });
        assert_eq!(stopped.count(), 0, "{name} without {account}: {:#?}", attempt.outcomes);
        row.judge(company, wish, true, account).await;
    }
    row
}

/// The world changes between the plan that a person reviewed and its apply.
async fn vanished(wish: Wish, name: &'static str) -> Row {
    let mut row = Row::new(name, "each source is deleted between plan and apply", calls_of(wish).await);
    for number in 0..rig::SOURCES {
        let mut company = ready_for(wish).await;
        let reviewed = company.aws.all_contents();
        company.delete_source(number);
        let _attempt = company.attempt_on(wish, &reviewed).await;
        row.judge(company, wish, true, &format!("source {number}")).await;
    }
    row
}

/// Two applies at once, of one generation and of two.
async fn two_writers(wish: Wish, name: &'static str) -> Row {
    let mut row = Row::new(name, "another apply of the same fleet at the same time", calls_of(wish).await);
    for apart in [0, 1] {
        let company = ready_for(wish).await;
        let mut other = company.clone();
        other.generation += apart;
        for place in rig::places() {
            // So that both see the world before either has changed it.
            company.aws.delay(&place, "DescribeTrafficMirrorSessions", std::time::Duration::from_millis(10));
        }
        let _both = tokio::join!(company.attempt(wish), other.attempt(wish));
        row.judge(company, wish, true, &format!("{apart} generations apart")).await;
    }
    row
}

/// Runs every fault and prints the table of the documentation:
/// `cargo nextest run -p enigma-reconcile the_sweep_of_a_company --no-capture`.
#[tokio::test(start_paused = true)]
async fn the_sweep_of_a_company() {
    let mut rows = Vec::new();
    let mut hit = BTreeSet::new();
    for (wish, name) in WISHES {
        rows.push(kills(wish, name).await);
        rows.push(cancellations(wish, name).await);
        rows.push(expiries(wish, name).await);
        rows.push(failures(wish, name, &mut hit).await);
        rows.push(stale_reads(wish, name).await);
        rows.push(storm(wish, name).await);
        rows.push(lost_accounts(wish, name).await);
        rows.push(vanished(wish, name).await);
        rows.push(two_writers(wish, name).await);
    }
    println!(
        "| Attempt | Fault | Calls | Points | Converged | Duplicates | Orphans | Strangers touched | Second plans not empty |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for row in &rows {
        let Row { attempt, fault, calls, points, total } = row;
        println!(
            "| {attempt} | {fault} | {calls} | {points} | {} | {} | {} | {} | {} |",
            points - total.unfinished,
            total.duplicates,
            total.orphans,
            total.strangers,
            total.not_empty
        );
    }
    let missed: Vec<&str> = WRITES.iter().filter(|one| !hit.contains(*one)).copied().collect();
    assert_eq!(missed, Vec::<&str>::new(), "writes that no attempt made");
}
