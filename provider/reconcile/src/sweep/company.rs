//! The sweep at company scale: three accounts in two Regions, three targets, shares inside and outside the
//! organization; a create, an update in which an account leaves, and a destroy. Every fault is followed by an attempt
//! without one, and judged.

mod rig;

use std::collections::BTreeSet;

use crate::memory::When;
use crate::outcome::Outcome;
use crate::pacing::Bucket;
use crate::ports::ErrorKind;
use rig::{Attempt, Company, Verdict, ready_for};

use super::Wish;

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

/// A world just before an attempt, and how many calls the attempt makes.
struct Start {
    wish: Wish,
    name: &'static str,
    company: Company,
    calls: usize,
}

async fn start(wish: Wish, name: &'static str) -> Start {
    let base = ready_for(wish).await;
    let company = base.fork();
    let attempt = company.attempt(wish).await.expect("everything can be read");
    assert!(attempt.outcomes.is_complete(), "{:#?}", attempt.outcomes.incomplete().collect::<Vec<_>>());
    let calls = company.aws.journal().len();
    assert!(calls > 100, "only {calls} calls: the sweep would prove little");
    Start { wish, name, company: base, calls }
}

async fn kills(start: &Start) -> Row {
    let Start { wish, name, calls, .. } = *start;
    let mut row = Row::new(name, "killed before and after each call", calls);
    for index in 0..calls {
        for when in [When::Before, When::After] {
            let company = start.company.fork();
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

async fn cancellations(start: &Start) -> Row {
    let Start { wish, name, calls, .. } = *start;
    let mut row = Row::new(name, "cancelled at each call", calls);
    for index in 0..calls {
        let company = start.company.fork();
        company.aws.cancel_at(index, company.cancel.clone());
        if let Some(Attempt { outcomes, .. }) = company.attempt(wish).await {
            let cut = outcomes.steps.iter().find(|step| matches!(step.outcome, Outcome::Failed(_)));
            assert!(cut.is_none(), "cancelled at {index}: no call is cut in half: {cut:#?}");
        }
        row.judge(company, wish, true, &format!("cancelled at call {index}")).await;
    }
    row
}

async fn expiries(start: &Start) -> Row {
    let Start { wish, name, calls, .. } = *start;
    let mut row = Row::new(name, "credentials of an account end at each call", calls);
    for index in 0..calls {
        for account in ["111111111111", "222222222222"] {
            let company = start.company.fork();
            company.aws.expire_at(index, &account.parse().unwrap());
            let _attempt = company.attempt(wish).await;
            row.judge(company, wish, true, &format!("{account} ended at call {index}")).await;
        }
    }
    row
}

/// Each write in turn is refused, loses its reply, or is throttled.
async fn failures(start: &Start, hit: &mut BTreeSet<&'static str>) -> Row {
    let Start { wish, name, calls, .. } = *start;
    let mut row = Row::new(name, "each kind of write fails, loses replies, is throttled", calls);
    for operation in WRITES {
        for fault in 0..4 {
            let company = start.company.fork();
            match fault {
                0 => company.aws.fail_next(operation, 1, ErrorKind::Unauthorized),
                1 => company.aws.fail_every(operation, 2, ErrorKind::Quota),
                2 => company.aws.lose_replies(operation, usize::MAX),
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
async fn stale_reads(start: &Start) -> Row {
    let Start { wish, name, calls, .. } = *start;
    let mut row = Row::new(name, "killed, and the next attempt reads the past", calls);
    for index in 0..calls {
        let company = start.company.fork();
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

async fn storm(start: &Start) -> Row {
    let Start { wish, name, calls, .. } = *start;
    let mut row = Row::new(name, "another program drains AWS's buckets", calls);
    let company = start.company.fork();
    let slow = Bucket { burst: 2.0, per_second: 0.5 };
    company.aws.throttle(slow, slow);
    let attempt = company.attempt(wish).await.unwrap();
    assert!(attempt.outcomes.is_complete(), "throttling never surfaces: {:#?}", attempt.outcomes);
    row.judge(company, wish, true, "storm").await;
    row
}

/// One account answers nothing; the others get theirs.
async fn lost_accounts(start: &Start) -> Row {
    let Start { wish, name, calls, .. } = *start;
    let mut row = Row::new(name, "a member account refuses everything", calls);
    for account in ["222222222222", "333333333333"] {
        let company = start.company.fork();
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
async fn vanished(start: &Start) -> Row {
    let Start { wish, name, calls, .. } = *start;
    let mut row = Row::new(name, "each source is deleted between plan and apply", calls);
    for number in 0..rig::SOURCES {
        let mut company = start.company.fork();
        let reviewed = company.aws.all_contents();
        company.delete_source(number);
        let _attempt = company.attempt_on(wish, &reviewed).await;
        row.judge(company, wish, true, &format!("source {number}")).await;
    }
    row
}

/// Two applies at once, of one generation and of two.
async fn two_writers(start: &Start) -> Row {
    let Start { wish, name, calls, .. } = *start;
    let mut row = Row::new(name, "another apply of the same fleet at the same time", calls);
    for apart in [0, 1] {
        let company = start.company.fork();
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

/// Runs every fault and prints the rows of the documentation's table: `cargo nextest run -p enigma-reconcile
/// sweep::company --no-capture`.
async fn sweep(wish: Wish, name: &'static str) -> BTreeSet<&'static str> {
    let start = start(wish, name).await;
    let mut hit = BTreeSet::new();
    let rows = [
        kills(&start).await,
        cancellations(&start).await,
        expiries(&start).await,
        failures(&start, &mut hit).await,
        stale_reads(&start).await,
        storm(&start).await,
        lost_accounts(&start).await,
        vanished(&start).await,
        two_writers(&start).await,
    ];
    println!(
        "| Attempt | Fault | Calls | Points | Converged | Duplicates | Orphans | Strangers | Not empty |"
    );
    for Row { attempt, fault, calls, points, total } in &rows {
        println!(
            "| {attempt} | {fault} | {calls} | {points} | {} | {} | {} | {} | {} |",
            points - total.unfinished,
            total.duplicates,
            total.orphans,
            total.strangers,
            total.not_empty
        );
    }
    hit
}

#[tokio::test(start_paused = true)]
async fn a_create_survives_every_fault() {
    let missed = writes_but(&sweep(Wish::Before, "create").await);
    assert!(!missed.iter().any(|one| one.starts_with("Create") && *one != "CreateTags"), "{missed:?}");
    assert!(!missed.contains(&"AcceptResourceShareInvitation"), "{missed:?}");
}

#[tokio::test(start_paused = true)]
async fn an_update_survives_every_fault() {
    let missed = writes_but(&sweep(Wish::After, "update").await);
    let only_elsewhere = [
        "AcceptResourceShareInvitation",
        "CreateResourceShare",
        "CreateTrafficMirrorFilter",
        "DeleteResourceShare",
        "DeleteTrafficMirrorTarget",
    ];
    let missed: Vec<_> = missed.into_iter().filter(|one| !only_elsewhere.contains(one)).collect();
    assert_eq!(missed, Vec::<&str>::new(), "writes that the update did not make");
}

#[tokio::test(start_paused = true)]
async fn a_destroy_survives_every_fault() {
    let missed = writes_but(&sweep(Wish::Nothing, "destroy").await);
    assert!(!missed.iter().any(|one| one.starts_with("Delete")), "{missed:?}");
}

/// The writes that were not made.
fn writes_but(made: &BTreeSet<&'static str>) -> Vec<&'static str> {
    WRITES.iter().filter(|one| !made.contains(*one)).copied().collect()
}
