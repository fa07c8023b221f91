//! Calls without a reply: how often they are made, and how long anybody waits for them.

use super::*;

fn calls(aws: &MemoryAws, operation: &str) -> usize {
    aws.journal().iter().filter(|call| call.operation == operation).count()
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_reply_is_made_again_and_makes_one_object() {
    let (aws, interfaces) = aws_with(2);
    aws.lose_replies("CreateTrafficMirrorSession", 2);
    aws.fail_next("CreateTrafficMirrorFilter", 3, ErrorKind::Unavailable);
    assert!(run(&aws, &whole(&interfaces)).await.is_complete());
    assert_eq!(calls(&aws, "CreateTrafficMirrorSession"), 4);
    assert_eq!(calls(&aws, "CreateTrafficMirrorFilter"), 4);
    let seen = aws.contents(&home());
    assert_eq!((seen.filters.len(), seen.sessions.len()), (1, 2));

    let delete = |id| Action::DeleteSession { key: member(&interfaces[0]), id };
    let id = seen.sessions[0].id.clone();
    aws.lose_replies("DeleteTrafficMirrorSession", 1);
    assert!(run(&aws, &plan(vec![(Stage::RemovedSessions, vec![delete(id)])])).await.is_complete());
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_the_try_under_way_and_for_no_other() {
    let (aws, interfaces) = aws_with(1);
    aws.lose_replies("CreateTrafficMirrorSession", usize::MAX);
    // Swallowed by a firewall: each try takes what the adapter allows it.
    aws.delay(&home(), "CreateTrafficMirrorSession", Duration::from_secs(30));
    let cancel = CancellationToken::new();
    let plan = whole(&interfaces);
    let options = options();
    let run = execute(&plan, Arc::new(aws.clone()), &options, &cancel);
    let stop = async {
        tokio::time::sleep(Duration::from_secs(10)).await;
        cancel.cancel();
    };
    let began = Instant::now();
    let (outcomes, ()) = tokio::join!(run, stop);
    assert_eq!(began.elapsed().as_secs(), 30);
    assert_eq!(calls(&aws, "CreateTrafficMirrorSession"), 1);
    // It was tried and may exist, so nobody may say that it was not.
    let [session] = outcomes_of(&outcomes, Stage::NewSessions)[..] else { panic!("{outcomes:#?}") };
    assert!(matches!(session, Outcome::Failed(error) if error.kind == ErrorKind::NoReply), "{session:?}");
    assert_eq!(aws.contents(&home()).sessions.len(), 1);
}

/// One call of RAM of each kind, with the operation: of a share that exists, but for the first.
async fn share_actions(aws: &MemoryAws) -> Vec<(&'static str, Action)> {
    let create = |name: &str| Action::CreateShare {
        place: home(),
        name: name.to_owned(),
        principals: ["222222222222".parse().unwrap()].into(),
        targets: Vec::new(),
        allows_external: true,
        tags: Tags::new(),
    };
    assert!(run(aws, &plan(vec![(Stage::Shares, vec![create("known")])])).await.is_complete());
    let share = aws.contents(&home()).shares[0].arn.clone();
    let account = |id: &str| id.parse().unwrap();
    let modify = |allows_external, set: Tags, remove: &[&str]| Action::ModifyShare {
        place: home(),
        share: share.clone(),
        allows_external,
        set,
        remove: remove.iter().map(ToString::to_string).collect(),
    };
    let add = Action::AddToShare {
        place: home(),
        share: share.clone(),
        principals: [account("333333333333")].into(),
        targets: Vec::new(),
    };
    let remove = Action::RemoveFromShare {
        place: home(),
        share: share.clone(),
        principals: ["333333333333".to_owned()].into(),
        targets: [].into(),
    };
    let tags = Tags::from([("team".to_owned(), "blue".to_owned())]);
    vec![
        ("CreateResourceShare", create("another")),
        ("UpdateResourceShare", modify(Some(true), Tags::new(), &[])),
        ("TagResource", modify(None, tags, &[])),
        ("UntagResource", modify(None, Tags::new(), &["team"])),
        ("AssociateResourceShare", add),
        ("DisassociateResourceShare", remove),
        ("DeleteResourceShare", Action::DeleteShare { place: home(), share }),
    ]
}

#[tokio::test(start_paused = true)]
async fn stopping_waits_for_one_try_of_a_share_as_well() {
    let aws = aws();
    for (operation, action) in share_actions(&aws).await {
        aws.lose_replies(operation, usize::MAX);
        aws.delay(&home(), operation, Duration::from_secs(30));
        aws.forget_calls();
        let cancel = CancellationToken::new();
        let (plan, options) = (plan(vec![(Stage::Shares, vec![action])]), options());
        let run = execute(&plan, Arc::new(aws.clone()), &options, &cancel);
        let stop = async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            cancel.cancel();
        };
        let began = Instant::now();
        let (outcomes, ()) = tokio::join!(run, stop);
        assert_eq!((began.elapsed().as_secs(), aws.journal().len()), (30, 1), "{operation}");
        assert_eq!(outcomes.counts().failed, 1, "{operation}: it may have been done");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_share_without_a_reply_is_made_again_and_done_once() {
    let aws = aws();
    for (operation, action) in share_actions(&aws).await {
        aws.lose_replies(operation, 1);
        aws.forget_calls();
        let outcomes = run(&aws, &plan(vec![(Stage::Shares, vec![action])])).await;
        assert!(outcomes.is_complete(), "{operation}: {outcomes:#?}");
        assert_eq!(calls(&aws, operation), 2, "{operation}");
    }
    let left = aws.contents(&home()).shares;
    assert_eq!(left.iter().map(|share| share.name.as_str()).collect::<Vec<_>>(), ["another"]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_between_two_tries() {
    let (aws, interfaces) = aws_with(1);
    aws.fail_every("CreateTrafficMirrorSession", 1, ErrorKind::Unavailable);
    let options = Options { deadline: Some(Duration::from_millis(500)), ..options() };
    let began = Instant::now();
    let cancel = CancellationToken::new();
    let outcomes = execute(&whole(&interfaces), Arc::new(aws.clone()), &options, &cancel).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!(calls(&aws, "CreateTrafficMirrorSession"), 2);
    let [session] = outcomes_of(&outcomes, Stage::NewSessions)[..] else { panic!("{outcomes:#?}") };
    assert!(matches!(session, Outcome::Failed(error) if error.kind == ErrorKind::Unavailable), "{session:?}");
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_gone_is_not_waited_for_a_hundred_times_over() {
    let (aws, interfaces) = aws_with(100);
    let other = place("222222222222/us-east-1");
    aws.add_place(&other);
    aws.fail_every("CreateTrafficMirrorSession", 1, ErrorKind::NoReply);
    let outcomes = run(&aws, &whole(&interfaces)).await;
    assert_eq!(outcomes.counts(), Counts { done: 3, failed: 100, ..Counts::default() });
    // Those that were under way together each tried as often as one may, all others once.
    assert_eq!(calls(&aws, "CreateTrafficMirrorSession"), 100 + CONCURRENCY.get() * 3);

    aws.heal();
    aws.forget_calls();
    aws.lose_replies("CreateTrafficMirrorSession", 1);
    assert!(run(&aws, &whole(&interfaces)).await.is_complete(), "the next attempt begins anew");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_share_ends_when_the_run_does() {
    let (aws, _) = aws_with(0);
    let member = place("222222222222/us-east-1");
    aws.add_place(&member);
    aws.delay(&member, "DescribeTrafficMirrorTargets", Duration::from_secs(3600));
    let join = Action::JoinShare {
        place: member,
        share: Ref::Existing("arn:aws:ram:us-east-1:111111111111:resource-share/x".parse().unwrap()),
        sender: home().account,
        targets: vec![Ref::Existing("tmt-00000000000000009".parse().unwrap())],
    };
    let options = Options { deadline: Some(Duration::from_secs(5)), ..options() };
    let began = Instant::now();
    let cancel = CancellationToken::new();
    let plan = plan(vec![(Stage::Joins, vec![join])]);
    let outcomes = execute(&plan, Arc::new(aws), &options, &cancel).await;
    assert_eq!((began.elapsed().as_secs(), outcomes.counts().cancelled), (5, 1));
}
