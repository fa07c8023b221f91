//! Shares with more accounts than one call of RAM takes.

use std::collections::BTreeSet;

use enigma_fleet::calls::SHARE_PARTS;
use enigma_fleet::ids::{AccountId, ShareArn};
use enigma_fleet::inventory::ResourceShare;

use super::*;
use crate::ports::OrganizationAccount;

const ACCOUNTS: usize = 250;

fn accounts() -> BTreeSet<AccountId> {
    (0..ACCOUNTS).map(|index| format!("2222222{index:05}").parse().unwrap()).collect()
}

/// An AWS with all of them in home's organization.
fn company() -> MemoryAws {
    let aws = aws();
    let account = |id: AccountId| OrganizationAccount {
        id,
        name: String::new(),
        status: "ACTIVE".to_owned(),
        units: vec!["r-root".parse().unwrap()],
    };
    aws.set_organization(accounts().into_iter().chain([home().account]).map(account).collect());
    aws.set_sharing(true, Duration::ZERO);
    aws
}

/// A target, and a share of it with everybody.
fn creation() -> Plan {
    let share = Action::CreateShare {
        place: home(),
        name: "prod".to_owned(),
        principals: accounts(),
        targets: vec![Ref::Planned(key("t"))],
        allows_external: true,
        tags: Tags::new(),
    };
    plan(vec![(Stage::NewTargets, vec![create_target()]), (Stage::Shares, vec![share])])
}

fn addition(share: ShareArn, principals: BTreeSet<AccountId>) -> Plan {
    plan(vec![(
        Stage::Shares,
        vec![Action::AddToShare { place: home(), share, principals, targets: Vec::new() }],
    )])
}

/// A run after the first: of another generation, so that none of its calls is taken for one of that.
async fn run_again(aws: &MemoryAws, plan: &Plan) -> Outcomes {
    let options = Options::new(2, Arc::new(Pacer::new()));
    execute(plan, Arc::new(aws.clone()), &options, &CancellationToken::new()).await
}

fn share(aws: &MemoryAws) -> ResourceShare {
    let mut shares = aws.contents(&home()).shares;
    assert_eq!(shares.len(), 1);
    shares.remove(0)
}

fn missing(share: &ResourceShare) -> BTreeSet<AccountId> {
    accounts().into_iter().filter(|id| !share.principals.contains_key(id.as_str())).collect()
}

/// The share's calls since the last time.
fn writes(aws: &MemoryAws) -> Vec<&'static str> {
    let calls = aws.journal().into_iter().map(|call| call.operation);
    let made = calls.filter(|name| name.ends_with("ResourceShare")).collect();
    aws.forget_calls();
    made
}

#[tokio::test(start_paused = true)]
async fn more_accounts_than_one_call_takes_go_in_several() {
    let aws = company();
    let plan_of_all = creation();
    assert!(run(&aws, &plan_of_all).await.is_complete());
    let made = writes(&aws);
    assert_eq!(made, ["CreateResourceShare", "AssociateResourceShare", "AssociateResourceShare"]);
    let counted: Vec<_> = plan_of_all.waves[1].actions[0].calls().collect();
    assert_eq!(made, counted, "what is counted before is what is made");
    let all = share(&aws);
    assert_eq!((missing(&all).len(), all.targets.len()), (0, 1));

    let removal = Action::RemoveFromShare {
        place: home(),
        share: all.arn,
        principals: accounts().iter().map(ToString::to_string).collect(),
        targets: BTreeSet::new(),
    };
    let counted: Vec<_> = removal.calls().collect();
    assert!(run_again(&aws, &plan(vec![(Stage::WithdrawnShares, vec![removal])])).await.is_complete());
    assert_eq!(writes(&aws), counted);
    assert_eq!(counted, ["DisassociateResourceShare"; 3]);
    let left = share(&aws);
    assert_eq!((left.principals.len(), left.targets.len()), (0, 1));
    assert!(run_again(&aws, &addition(left.arn, accounts())).await.is_complete());
    assert_eq!(writes(&aws), ["AssociateResourceShare"; 3]);
    assert!(missing(&share(&aws)).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_run_that_ends_between_two_calls_is_finished_by_adding_what_is_missing() {
    for calls in 1..ACCOUNTS.div_ceil(SHARE_PARTS) {
        let aws = company();
        let stop = CancellationToken::new();
        // The target is the first call of all.
        aws.cancel_at(calls, stop.clone());
        let outcomes = execute(&creation(), Arc::new(aws.clone()), &options(), &stop).await;
        assert!(!outcomes.is_complete());
        assert_eq!(writes(&aws).len(), calls);
        let begun = share(&aws);
        let rest = missing(&begun);
        assert_eq!(rest.len(), ACCOUNTS - calls * SHARE_PARTS);
        assert!(run_again(&aws, &addition(begun.arn, rest)).await.is_complete());
        assert!(missing(&share(&aws)).is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_to_any_of_them_adds_nobody_twice() {
    for operation in ["CreateResourceShare", "AssociateResourceShare"] {
        let aws = company();
        aws.lose_replies(operation, 1);
        let outcomes = run(&aws, &creation()).await;
        assert!(outcomes.is_complete(), "{outcomes:#?}");
        assert_eq!(writes(&aws).len(), 4);
        assert!(missing(&share(&aws)).is_empty());
    }
}
