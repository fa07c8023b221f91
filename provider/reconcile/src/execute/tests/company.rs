//! Several accounts: shares, joining, what waits for what, and what is left out; deadlines and generations.

use std::collections::BTreeSet;

use enigma_fleet::ids::{InterfaceId, MemberKey, Place, ShareArn};
use enigma_fleet::inventory::AssociationStatus;

use super::*;
use crate::generation::GENERATION_TAG;
use crate::ports::{Cloud, OrganizationAccount};

fn member_place() -> Place {
    place("222222222222/us-east-1")
}

/// An AWS with a load balancer at home and an interface in a member account, inside the organization or not.
fn two_accounts(inside: bool, delay: Duration) -> (MemoryAws, InterfaceId) {
    let aws = aws();
    let account = |id: &str| OrganizationAccount {
        id: id.parse().unwrap(),
        name: String::new(),
        status: "ACTIVE".to_owned(),
        units: vec!["r-root".parse().unwrap()],
    };
    aws.set_organization(vec![account("111111111111"), account("222222222222")]);
    aws.set_sharing(inside, delay);
    let interface = aws.launch(&member_place(), "m5.large", &Tags::new()).1;
    (aws, interface)
}

fn in_member(label: &str) -> enigma_fleet::ids::ObjectKey {
    enigma_fleet::ids::ObjectKey { place: member_place(), label: label.parse().unwrap() }
}

fn create_share() -> Action {
    Action::CreateShare {
        place: home(),
        name: "prod".to_owned(),
        principals: BTreeSet::from([member_place().account]),
        targets: vec![Ref::Planned(key("t"))],
        allows_external: true,
        tags: Tags::from([("enigma:fleet".to_owned(), "prod".to_owned())]),
    }
}

fn join() -> Action {
    Action::JoinShare {
        place: member_place(),
        share: Ref::Planned(home()),
        sender: home().account,
        targets: vec![Ref::Planned(key("t"))],
    }
}

/// Target and share at home, filter and session in the member account.
fn shared(interface: &InterfaceId) -> Plan {
    let member = MemberKey { place: member_place(), interface: interface.clone() };
    plan(vec![
        (Stage::NewTargets, vec![create_target()]),
        (Stage::Shares, vec![create_share()]),
        (
            Stage::NewFilters,
            vec![Action::CreateFilter { key: in_member("f"), description: String::new(), tags: Tags::new() }],
        ),
        (Stage::Joins, vec![join()]),
        (
            Stage::NewSessions,
            vec![Action::CreateSession {
                key: member,
                settings: settings(Ref::Planned(key("t")), Ref::Planned(in_member("f")), 7),
                tags: Tags::new(),
            }],
        ),
    ])
}

fn made_calls(aws: &MemoryAws, operation: &str) -> usize {
    aws.journal().iter().filter(|call| call.operation == operation).count()
}

#[tokio::test(start_paused = true)]
async fn a_member_joins_whether_it_is_invited_or_not() {
    for inside in [true, false] {
        let (aws, interface) = two_accounts(inside, Duration::from_secs(20));
        let start = Instant::now();
        let outcomes = run(&aws, &shared(&interface)).await;
        assert!(outcomes.is_complete(), "{:#?}", outcomes.incomplete().collect::<Vec<_>>());
        assert_eq!(made_calls(&aws, "AcceptResourceShareInvitation"), usize::from(!inside));
        assert!((20..40).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
        let share = &aws.contents(&home()).shares[0];
        let target = &aws.contents(&home()).targets[0].id;
        assert_eq!(share.targets[target], AssociationStatus::Associated);
        assert_eq!(aws.contents(&member_place()).sessions[0].target, *target);
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_invitation_of_the_own_share_is_accepted() {
    let (aws, interface) = two_accounts(false, Duration::ZERO);
    let stranger = place("999999999999/us-east-1");
    aws.add_place(&stranger);
    let ram = aws.shares(&stranger).await.unwrap();
    let theirs = crate::ports::NewShare {
        name: "prod".to_owned(),
        parts: crate::ports::ShareParts {
            principals: BTreeSet::from([member_place().account.to_string()]),
            targets: BTreeSet::new(),
        },
        allows_external: true,
        tags: Tags::new(),
        token: crate::ports::ClientToken("x".to_owned()),
    };
    ram.create_share(&theirs).await.unwrap();
    assert!(run(&aws, &shared(&interface)).await.is_complete());
    let left = aws.shares(&member_place()).await.unwrap().invitations().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].sender, stranger.account);
}

#[tokio::test(start_paused = true)]
async fn a_share_that_never_shows_costs_its_account_alone_and_says_what_was_waited_for() {
    let (aws, interface) = two_accounts(true, Duration::from_secs(3600));
    let own = aws.launch(&home(), "m5.large", &Tags::new()).1;
    let mut plan = shared(&interface);
    plan.waves[2].actions.push(create_filter("f"));
    plan.waves[4].actions.push(create_session(&own, "f"));
    let start = Instant::now();
    let outcomes = run(&aws, &plan).await;
    let waited = start.elapsed();
    assert!((JOIN_PATIENCE..JOIN_PATIENCE + Duration::from_secs(30)).contains(&waited), "{waited:?}");
    let Outcome::Failed(error) = outcomes_of(&outcomes, Stage::Joins)[0] else { panic!("{outcomes:#?}") };
    let words = error.to_string();
    for word in
        ["tmt-", "resource-share/", "within 30", "no invitation was waiting", "222222222222/us-east-1"]
    {
        assert!(words.contains(word), "{words} lacks {word}");
    }
    let sessions = outcomes_of(&outcomes, Stage::NewSessions);
    assert!(matches!(sessions[0], Outcome::Skipped(Because::DependsOn(4))), "{sessions:?}");
    assert!(matches!(sessions[1], Outcome::Done(_)), "home's own session waits for nobody: {sessions:?}");
}

#[tokio::test(start_paused = true)]
async fn a_role_that_may_not_look_for_invitations_still_joins_inside_the_organization() {
    let (aws, interface) = two_accounts(true, Duration::from_secs(5));
    aws.deny_operation(&member_place(), "GetResourceShareInvitations");
    assert!(run(&aws, &shared(&interface)).await.is_complete());

    let (aws, interface) = two_accounts(false, Duration::from_secs(5));
    aws.deny_operation(&member_place(), "GetResourceShareInvitations");
    let outcomes = run(&aws, &shared(&interface)).await;
    let Outcome::Failed(error) = outcomes_of(&outcomes, Stage::Joins)[0] else { panic!("{outcomes:#?}") };
    assert!(error.message.contains("could not be seen"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_share_leaves_out_what_needs_it() {
    let (aws, interface) = two_accounts(true, Duration::ZERO);
    aws.fail_next("CreateResourceShare", 1, ErrorKind::Quota);
    let outcomes = run(&aws, &shared(&interface)).await;
    let joins = outcomes_of(&outcomes, Stage::Joins);
    assert!(matches!(joins[0], Outcome::Skipped(Because::DependsOn(1))), "{joins:?}");
    let sessions = outcomes_of(&outcomes, Stage::NewSessions);
    assert!(matches!(sessions[0], Outcome::Skipped(Because::DependsOn(3))), "{sessions:?}");
}

/// The plan that takes everything of [`shared`] away again.
async fn withdrawal(aws: &MemoryAws, interface: &InterfaceId) -> (Plan, ShareArn) {
    let (here, there) = (aws.contents(&home()), aws.contents(&member_place()));
    let member = MemberKey { place: member_place(), interface: interface.clone() };
    let share = here.shares[0].arn.clone();
    let plan = plan(vec![
        (
            Stage::RemovedSessions,
            vec![Action::DeleteSession { key: member, id: there.sessions[0].id.clone() }],
        ),
        (Stage::WithdrawnShares, vec![Action::DeleteShare { place: home(), share: share.clone() }]),
        (Stage::UnusedTargets, vec![Action::DeleteTarget { key: key("t"), id: here.targets[0].id.clone() }]),
    ]);
    (plan, share)
}

#[tokio::test(start_paused = true)]
async fn nothing_is_withdrawn_under_a_session() {
    for operation in [None, Some("DeleteTrafficMirrorSession")] {
        let (aws, interface) = two_accounts(true, Duration::ZERO);
        assert!(run(&aws, &shared(&interface)).await.is_complete());
        let (plan, share) = withdrawal(&aws, &interface).await;
        // Whether AWS would refuse to delete the target must not matter.
        aws.let_owners_delete_what_others_use();
        // The member is slow; home must wait for it in any case.
        aws.delay(&member_place(), "DeleteTrafficMirrorSession", Duration::from_secs(30));
        if let Some(operation) = operation {
            aws.fail_next(operation, 1, ErrorKind::Unauthorized);
        }
        let outcomes = run(&aws, &plan).await;
        let left = aws.contents(&home()).shares;
        match operation {
            None => {
                assert!(outcomes.is_complete(), "{outcomes:#?}");
                assert!(left.is_empty());
            }
            Some(_) => {
                assert_eq!(left.iter().map(|one| &one.arn).collect::<Vec<_>>(), [&share]);
                let step = &outcomes.steps[1];
                assert_eq!(step.outcome, Outcome::Skipped(Because::StillUsed(0)));
                assert!(outcomes.why_skipped(step).unwrap().contains("deleting session"), "{outcomes:#?}");
                let target = &outcomes.steps[2].outcome;
                assert_eq!(*target, Outcome::Skipped(Because::StillUsed(0)));
                assert_eq!(aws.contents(&home()).targets.len(), 1, "the member's session would go dark");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn accounts_leave_a_share_on_their_own_account_only() {
    let (aws, interface) = two_accounts(true, Duration::ZERO);
    assert!(run(&aws, &shared(&interface)).await.is_complete());
    let (withdrawn, share) = withdrawal(&aws, &interface).await;
    let remove = |account: &str| Action::RemoveFromShare {
        place: home(),
        share: share.clone(),
        principals: BTreeSet::from([account.to_owned()]),
        targets: BTreeSet::new(),
    };
    // The session of 222222222222 stays; 444444444444 has none.
    let mut plan = withdrawn.clone();
    plan.waves[1].actions = vec![remove("444444444444"), remove("222222222222")];
    plan.waves.truncate(2);
    aws.fail_next("DeleteTrafficMirrorSession", 1, ErrorKind::Unauthorized);
    let outcomes = run(&aws, &plan).await;
    let removals = outcomes_of(&outcomes, Stage::WithdrawnShares);
    assert!(matches!(removals[0], Outcome::Done(_)), "{removals:?}");
    assert!(matches!(removals[1], Outcome::Skipped(Because::StillUsed(0))), "{removals:?}");
    assert!(aws.contents(&home()).shares[0].principals.contains_key("222222222222"));
}

/// Sources that go while an apply runs take their sessions along; what those used is free then.
#[tokio::test(start_paused = true)]
async fn a_session_that_went_with_its_source_is_no_failure_and_keeps_nothing() {
    for is_gone in [true, false] {
        let (aws, interface) = two_accounts(true, Duration::ZERO);
        assert!(run(&aws, &shared(&interface)).await.is_complete());
        let (mut plan, _) = withdrawal(&aws, &interface).await;
        let id = aws.contents(&member_place()).sessions[0].id.clone();
        let key = MemberKey { place: member_place(), interface: interface.clone() };
        let change = SessionChange {
            target: Some(Ref::Existing("tmt-00000000000000009".parse().unwrap())),
            ..SessionChange::default()
        };
        let modify = Action::ModifySession { key, id: id.clone(), change };
        let retag = Action::Retag {
            place: member_place(),
            resource: enigma_fleet::actions::Resource::Session(id.clone()),
            set: Tags::from([("team".to_owned(), "blue".to_owned())]),
            remove: Vec::new(),
        };
        plan.waves[0].stage = Stage::ChangedSessions;
        plan.waves[0].actions = vec![modify];
        plan.waves.insert(1, enigma_fleet::plan::Wave { stage: Stage::Tags, actions: vec![retag] });
        if is_gone {
            aws.delete_interface(&member_place(), &interface);
        } else {
            aws.delete_session_behind_our_back(&member_place(), &id);
        }
        let outcomes = run(&aws, &plan).await;
        let [modified, tagged, share, target] = &outcomes.steps[..] else { panic!("{outcomes:#?}") };
        if is_gone {
            assert!(matches!(modified.outcome, Outcome::SourceGone(_)), "{outcomes:#?}");
            assert!(matches!(tagged.outcome, Outcome::SourceGone(_)), "{outcomes:#?}");
            assert!(matches!(share.outcome, Outcome::Done(_)), "{outcomes:#?}");
            assert!(matches!(target.outcome, Outcome::Done(_)), "{outcomes:#?}");
        } else {
            // Somebody deleted it: the next plan makes it again, and this one says that it is not as reviewed.
            assert!(
                matches!(&modified.outcome, Outcome::Failed(error) if error.kind == ErrorKind::SessionNotFound),
                "{outcomes:#?}"
            );
            assert_eq!(share.outcome, Outcome::Skipped(Because::StillUsed(0)));
        }
    }
}

/// Somebody took an account out of the share a moment ago; it still sees the target, by a sight that is about to vanish.
#[tokio::test(start_paused = true)]
async fn a_sight_that_is_about_to_vanish_is_not_taken_for_the_new_share() {
    for inside in [true, false] {
        let (aws, interface) = two_accounts(inside, Duration::from_secs(5));
        assert!(run(&aws, &shared(&interface)).await.is_complete());
        aws.set_lingering_sight(Duration::from_secs(60));
        let (share, target) = {
            let seen = aws.contents(&home());
            (seen.shares[0].arn.clone(), seen.targets[0].id.clone())
        };
        let principals = BTreeSet::from([member_place().account]);
        let parts = crate::ports::ShareParts {
            principals: BTreeSet::from([member_place().account.to_string()]),
            targets: BTreeSet::new(),
        };
        aws.shares(&home()).await.unwrap().disassociate(&share, &parts).await.unwrap();
        let add = Action::AddToShare { place: home(), share: share.clone(), principals, targets: Vec::new() };
        let join = Action::JoinShare {
            place: member_place(),
            share: Ref::Existing(share),
            sender: home().account,
            targets: vec![Ref::Existing(target.clone())],
        };
        let again = plan(vec![(Stage::Shares, vec![add]), (Stage::Joins, vec![join])]);
        assert!(run(&aws, &again).await.is_complete());
        tokio::time::sleep(Duration::from_secs(120)).await;
        let member = aws.open(&member_place()).await.unwrap();
        let seen = member.visible_targets(&BTreeSet::from([target.clone()])).await.unwrap();
        assert_eq!(seen, BTreeSet::from([target]), "inside: {inside}");
        let open = aws.shares(&member_place()).await.unwrap().invitations().await.unwrap();
        assert_eq!(open, [], "inside: {inside}");
    }
}

/// RAM takes a handful of calls a second; a company has fifty accounts.
#[tokio::test(start_paused = true)]
async fn fifty_members_that_join_at_once_ask_the_owner_together() {
    let aws = aws();
    aws.set_sharing(true, Duration::from_secs(5));
    let members: Vec<Place> =
        (0..50).map(|number| place(&format!("{:012}/us-east-1", 200_000_000_000_u64 + number))).collect();
    let account = |place: &Place| OrganizationAccount {
        id: place.account.clone(),
        name: String::new(),
        status: "ACTIVE".to_owned(),
        units: vec!["r-root".parse().unwrap()],
    };
    aws.set_organization(members.iter().chain([&home()]).map(account).collect());
    for place in &members {
        aws.add_place(place);
    }
    let principals = members.iter().map(|place| place.account.clone()).collect();
    let Action::CreateShare { place, name, targets, allows_external, tags, .. } = create_share() else {
        panic!("a share is created");
    };
    let create = Action::CreateShare { place, name, principals, targets, allows_external, tags };
    let joins = members.iter().map(|place| Action::JoinShare {
        place: place.clone(),
        share: Ref::Planned(home()),
        sender: home().account,
        targets: vec![Ref::Planned(key("t"))],
    });
    let plan = plan(vec![
        (Stage::NewTargets, vec![create_target()]),
        (Stage::Shares, vec![create]),
        (Stage::Joins, joins.collect()),
    ]);
    assert!(run(&aws, &plan).await.is_complete());
    assert_eq!(made_calls(&aws, "GetResourceShares"), 0, "new targets cannot be seen by anything older");

    // All are taken out and see the target for another minute; then they are put in again.
    aws.set_lingering_sight(Duration::from_secs(60));
    let (share, target) = {
        let seen = aws.contents(&home());
        (seen.shares[0].arn.clone(), seen.targets[0].id.clone())
    };
    let principals: BTreeSet<_> = members.iter().map(|place| place.account.clone()).collect();
    let parts = crate::ports::ShareParts {
        principals: principals.iter().map(ToString::to_string).collect(),
        targets: BTreeSet::new(),
    };
    aws.shares(&home()).await.unwrap().disassociate(&share, &parts).await.unwrap();
    let add = Action::AddToShare { place: home(), share: share.clone(), principals, targets: Vec::new() };
    let joins = members.iter().map(|place| Action::JoinShare {
        place: place.clone(),
        share: Ref::Existing(share.clone()),
        sender: home().account,
        targets: vec![Ref::Existing(target.clone())],
    });
    aws.forget_calls();
    aws.fail_next("GetResourceShares", 3, ErrorKind::Throttled);
    let outcomes =
        run(&aws, &self::plan(vec![(Stage::Shares, vec![add]), (Stage::Joins, joins.collect())])).await;
    assert!(outcomes.is_complete(), "{:?}", outcomes.incomplete().next());
    let asked = made_calls(&aws, "GetResourceShares");
    assert!((4..=15).contains(&asked), "the owner was asked {asked} times");
}

/// Tags of a share may be refused on their own, and nobody needs them.
#[tokio::test(start_paused = true)]
async fn tags_of_a_share_that_are_refused_stop_no_session() {
    let (aws, interface) = two_accounts(true, Duration::ZERO);
    let mut first = shared(&interface);
    first.waves.truncate(2);
    assert!(run(&aws, &first).await.is_complete());
    let seen = aws.contents(&home());
    let (share, target) = (seen.shares[0].arn.clone(), seen.targets[0].id.clone());
    let mut plan = shared(&interface);
    plan.waves[0] = enigma_fleet::plan::Wave {
        stage: Stage::Shares,
        actions: vec![Action::ModifyShare {
            place: home(),
            share: share.clone(),
            allows_external: None,
            set: Tags::from([("team".to_owned(), "blue".to_owned())]),
            remove: Vec::new(),
        }],
    };
    plan.waves.remove(1);
    let member = MemberKey { place: member_place(), interface: interface.clone() };
    plan.waves[2].actions = vec![Action::JoinShare {
        place: member_place(),
        share: Ref::Existing(share),
        sender: home().account,
        targets: vec![Ref::Existing(target.clone())],
    }];
    plan.waves[3].actions = vec![Action::CreateSession {
        key: member,
        settings: settings(Ref::Existing(target), Ref::Planned(in_member("f")), 7),
        tags: Tags::new(),
    }];
    aws.deny_operation(&home(), "TagResource");
    let outcomes = run(&aws, &plan).await;
    assert_eq!(outcomes.counts(), Counts { done: 3, failed: 1, ..Counts::default() }, "{outcomes:#?}");
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_adopted_is_not_changed() {
    let (aws, interfaces) = aws_with(1);
    assert!(run(&aws, &whole(&interfaces)).await.is_complete());
    let id = aws.contents(&home()).sessions[0].id.clone();
    let retag = Action::Retag {
        place: home(),
        resource: enigma_fleet::actions::Resource::Session(id.clone()),
        set: Tags::from([("enigma:fleet".to_owned(), "prod".to_owned())]),
        remove: Vec::new(),
    };
    let change = SessionChange { description: Some("ours".to_owned()), ..SessionChange::default() };
    let modify = Action::ModifySession { key: member(&interfaces[0]), id, change };
    let plan = plan(vec![(Stage::Adoptions, vec![retag]), (Stage::ChangedSessions, vec![modify])]);
    aws.fail_next("CreateTags", 1, ErrorKind::Unauthorized);
    let outcomes = run(&aws, &plan).await;
    assert_eq!(outcomes.steps[1].outcome, Outcome::Skipped(Because::DependsOn(0)));
    assert_eq!(aws.contents(&home()).sessions[0].description, "");
    assert!(run(&aws, &plan).await.is_complete());
    assert_eq!(aws.contents(&home()).sessions[0].description, "ours");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_like_a_cancellation() {
    let (aws, interfaces) = aws_with(200);
    let mut options = options();
    // The burst and ten seconds of the rate.
    options.deadline = Some(Duration::from_secs(10));
    let start = Instant::now();
    let outcomes =
        execute(&whole(&interfaces), Arc::new(aws.clone()), &options, &CancellationToken::new()).await;
    assert!((10..12).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    let Counts { done, failed, skipped, cancelled, .. } = outcomes.counts();
    assert_eq!((failed, skipped), (0, 0), "{outcomes:#?}");
    assert_eq!(done + cancelled, outcomes.steps.len());
    assert_eq!(aws.contents(&home()).sessions.len(), done - 3, "every call that began is known");
    assert!((80..110).contains(&done), "{done}");
}

#[tokio::test(start_paused = true)]
async fn the_generation_is_written_before_anything_else_and_on_new_targets() {
    let (aws, interfaces) = aws_with(2);
    let mut options = options();
    options.generation = 41;
    options.stamps = Some(Vec::new());
    let cancel = CancellationToken::new();
    let cloud = || Arc::new(aws.clone());
    assert!(execute(&whole(&interfaces[..1]), cloud(), &options, &cancel).await.is_complete());
    let target = aws.contents(&home()).targets[0].clone();
    assert_eq!(target.tags[GENERATION_TAG], "41");

    options.generation = 42;
    options.stamps = Some(vec![(home(), target.id.clone())]);
    aws.forget_calls();
    let more = plan(vec![(Stage::NewFilters, vec![create_filter("g")])]);
    assert!(execute(&more, cloud(), &options, &cancel).await.is_complete());
    let calls: Vec<_> = aws.journal().iter().map(|call| call.operation).collect();
    assert_eq!(calls, ["CreateTags", "CreateTrafficMirrorFilter"]);
    assert_eq!(aws.contents(&home()).targets[0].tags[GENERATION_TAG], "42");

    // A mark that cannot be written stops nothing and is told, and an empty plan writes none.
    aws.deny_operation(&home(), "CreateTags");
    let rules = plan(vec![(Stage::NewFilters, vec![create_filter("h")])]);
    let unmarked = execute(&rules, cloud(), &options, &cancel).await;
    assert!(unmarked.is_complete());
    assert!(matches!(&unmarked.unmarked[..], [error] if error.kind == ErrorKind::Unauthorized));
    aws.forget_calls();
    let _nothing = execute(&plan(Vec::new()), cloud(), &options, &cancel).await;
    assert!(aws.journal().is_empty());
}
