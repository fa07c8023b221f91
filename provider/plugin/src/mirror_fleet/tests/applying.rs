//! Applies that do not go as planned: every failure of every call, cancellation, and a world that moved since the review.

use std::collections::BTreeMap;
use std::time::Duration;

use enigma_fleet::inventory::Tags;
use enigma_fleet::ownership::{FLEET_TAG, KEY_TAG};
use enigma_reconcile::ports::{ClientToken, ErrorKind, NewSession};
use enigma_tfplugin::{Diagnostics, Severity};
use serde_json::{Value as Json, json};

use super::lab::{ARN, Lab, OTHER_ARN, fleet, fleet_with, home, is_read, key};
use crate::mirror_fleet::applying::COMPLETE_TAG;

const KINDS: [ErrorKind; 13] = [
    ErrorKind::AlreadyExists,
    ErrorKind::Credentials,
    ErrorKind::IdempotencyMismatch,
    ErrorKind::InUse,
    ErrorKind::InterfaceNotFound,
    ErrorKind::Invalid,
    ErrorKind::NoReply,
    ErrorKind::NotFound,
    ErrorKind::Quota,
    ErrorKind::SourceUnsupported,
    ErrorKind::Throttled,
    ErrorKind::Unauthorized,
    ErrorKind::Unavailable,
];

/// More calls than any apply here makes, and more tries than patience allows.
const ALL: usize = 100_000;

fn before() -> Json {
    fleet_with(&json!({
        "filters": { "default": { "dns": true, "rules": [
            { "action": "reject", "protocol": "tcp", "local_ports": ["3260"] },
            { "action": "accept" },
        ] } },
        "tags": { "team": "red", "old": "yes" },
    }))
}

/// Everything that an update can do: another destination, other rules, DNS off, other tags, a filter more.
fn after() -> Json {
    fleet_with(&json!({
        "targets": { "main": { "network_load_balancer_arn": OTHER_ARN } },
        "filters": { "default": { "ip_versions": ["ipv4"], "rules": [
            { "action": "reject", "protocol": "tcp", "local_ports": ["22"] },
            { "action": "accept" },
        ] } },
        "tags": { "team": "blue" },
    }))
}

async fn before_update() -> Lab {
    let mut lab = Lab::applied(&before()).await;
    let gone = lab.launch();
    lab.settle(&before()).await;
    lab.launch();
    let members = lab.discover().await;
    let left =
        members.as_map().unwrap().clone().into_iter().filter(|(member, _)| *member != key(&gone).to_string());
    lab.members = Some(enigma_tfplugin::Dynamic::map(left));
    lab.aws.forget_calls();
    lab
}

/// The writes among the calls so far.
fn writes(lab: &Lab) -> Vec<&'static str> {
    let mut writes: Vec<_> = lab.aws.journal().iter().map(|call| call.operation).collect();
    writes.retain(|operation| !is_read(operation));
    writes.sort_unstable();
    writes.dedup();
    writes
}

/// Every diagnostic about an object says what and why, and what to do.
fn expect_helpful(told: &Diagnostics) {
    assert!(told.iter().all(|d| !d.summary.is_empty() && d.detail.len() > d.summary.len()), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn every_failure_of_every_call_of_a_create_is_told_and_the_next_apply_finishes() {
    let operations = [
        "CreateTrafficMirrorTarget",
        "CreateTrafficMirrorFilter",
        "CreateTrafficMirrorFilterRule",
        "ModifyTrafficMirrorFilterNetworkServices",
        "CreateTrafficMirrorSession",
    ];
    for operation in operations {
        for kind in KINDS {
            for times in [1, ALL] {
                let at = format!("{operation} {kind:?} {times}");
                let mut lab = Lab::new().await;
                let strangers = lab.strangers();
                // A plan tries writes out, so what fails is told apart by when.
                let reviewed = lab.plan(&before()).await.unwrap();
                lab.aws.fail_next(operation, times, kind);
                let told = lab.apply(&reviewed).await;
                lab.aws.heal();
                expect_helpful(&told);
                assert!(lab.stored.is_some(), "{at}: something was made, so there is a state: {told:?}");
                lab.expect_state_tells_the_world();
                let pending = lab.stored.as_ref().unwrap().computed().pending_count.known().unwrap();
                let is_tried_again =
                    matches!(kind, ErrorKind::Throttled | ErrorKind::NoReply | ErrorKind::Unavailable);
                let is_overcome =
                    times == 1 && (is_tried_again || (kind == ErrorKind::NotFound && told.is_empty()));
                let is_gone =
                    operation == "CreateTrafficMirrorSession" && kind == ErrorKind::InterfaceNotFound;
                assert_eq!(pending > 0, !is_overcome && !is_gone, "{at}: {pending} pending, {told:?}");
                assert_eq!(told.is_empty(), is_overcome, "{at}: {told:?}");
                let told = lab.refresh().await;
                assert!(!told.iter().any(|d| d.summary.contains("by someone")), "{at}: {told:?}");
                lab.settle(&before()).await;
                assert_eq!(lab.strangers(), strangers, "{at}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_made_nothing_errs_without_a_state() {
    for kind in KINDS {
        let mut lab = Lab::new().await;
        lab.aws.fail_next("CreateTrafficMirrorTarget", ALL, kind);
        lab.aws.fail_next("CreateTrafficMirrorFilter", ALL, kind);
        let told = lab.run(&fleet()).await.unwrap();
        assert!(told.has_errors() && lab.stored.is_none(), "{kind:?}: {told:?}");
        assert_eq!(lab.objects(), [0, 0, 0]);
        lab.aws.heal();
        lab.settle(&fleet()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_that_made_nothing_says_all_that_went_wrong() {
    let mut lab = super::company::company();
    let plan = lab.plan(&super::company::company_fleet()).await.unwrap();
    lab.aws.deny(&super::company::place("222222222222", "us-east-1"));
    lab.aws.fail_next("CreateTrafficMirrorTarget", ALL, ErrorKind::Unauthorized);
    lab.aws.fail_next("CreateTrafficMirrorFilter", ALL, ErrorKind::Unauthorized);
    let told = lab.apply(&plan).await;
    assert!(told.has_errors() && lab.stored.is_none(), "{told:?}");
    let unreached = "Account 222222222222 could not be reached";
    assert_eq!(told.iter().filter(|d| d.summary == unreached).count(), 1, "{told:?}");
}

/// As many tags as a person may write, each fleet with a description of many chunks.
fn tagged(count: usize) -> Json {
    let tags: BTreeMap<String, String> = (0..count).map(|n| (format!("tag-{n}"), "x".repeat(200))).collect();
    let many = (0..60).map(|n| json!([format!("10.{n}.{}.0/24", n * n % 251)]));
    let lists: BTreeMap<String, Json> =
        many.enumerate().map(|(n, list)| (format!("list-{n}"), list)).collect();
    fleet_with(&json!({ "tags": tags, "cidr_lists": lists }))
}

#[tokio::test(start_paused = true)]
async fn all_tags_that_a_person_may_write_fit_beside_those_of_the_fleet() {
    let chunks = |lab: &Lab| {
        let targets = lab.aws.contents(&home()).targets;
        targets.iter().flat_map(|one| one.tags.keys()).filter(|key| key.starts_with("enigma:spec.")).count()
    };
    let mut lab = Lab::applied(&tagged(20)).await;
    assert!(chunks(&lab) > 1, "there is room for the description");
    // More tags than leave it room, changed in place and made anew; and back again.
    lab.settle(&tagged(45)).await;
    assert_eq!(chunks(&lab), 0);
    lab.settle(&tagged(20)).await;
    assert!(chunks(&lab) > 1);
    let mut lab = Lab::applied(&tagged(45)).await;
    lab.settle(&tagged(44)).await;
    let told = lab.plan(&tagged(46)).await.unwrap_err();
    assert!(told.iter().all(|d| d.detail.contains("Keep 45")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn every_failure_of_every_call_of_an_update_is_told_and_the_next_apply_finishes() {
    let mut lab = before_update().await;
    lab.settle(&after()).await;
    let operations = writes(&lab);
    println!("an update calls {operations:?}");
    assert!(operations.len() >= 9, "{operations:?}");
    for operation in operations {
        for kind in KINDS {
            if kind == ErrorKind::NotFound && operation.starts_with("Delete") {
                // The memory AWS takes "not found" of a delete as done, as AWS's meaning is.
                continue;
            }
            let at = format!("{operation} {kind:?}");
            let mut lab = before_update().await;
            let strangers = lab.strangers();
            drop(lab.refresh().await);
            let reviewed = lab.plan(&after()).await.unwrap();
            lab.aws.fail_next(operation, ALL, kind);
            let told = lab.apply(&reviewed).await;
            lab.aws.heal();
            let is_gone = operation == "CreateTrafficMirrorSession" && kind == ErrorKind::InterfaceNotFound;
            assert_eq!(told.has_errors(), !is_gone, "{at}: {told:?}");
            expect_helpful(&told);
            lab.expect_state_tells_the_world();
            let told = lab.refresh().await;
            assert!(!told.iter().any(|d| d.summary.contains("by someone")), "{at}: {told:?}");
            assert!(!lab.plan(&after()).await.unwrap().is_empty(), "{at}: something is left to do");
            lab.settle(&after()).await;
            assert_eq!(lab.strangers(), strangers, "{at}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_failure_of_every_call_of_a_destroy_keeps_what_is_left() {
    let mut lab = Lab::applied(&before()).await;
    lab.aws.forget_calls();
    assert!(!lab.destroy().await.has_errors());
    let operations = writes(&lab);
    assert_eq!(operations.len(), 4, "{operations:?}");
    for operation in operations {
        for kind in KINDS.into_iter().filter(|kind| *kind != ErrorKind::NotFound) {
            for every in [1, 2] {
                let mut lab = Lab::applied(&before()).await;
                let strangers = lab.strangers();
                lab.aws.fail_every(operation, every, kind);
                let told = lab.destroy().await;
                lab.aws.heal();
                expect_helpful(&told);
                // Every second throttled call is overcome, and every second delete of one target is none.
                if lab.stored.is_some() {
                    assert!(told.has_errors(), "{operation} {kind:?}: {told:?}");
                    lab.expect_state_tells_the_world();
                } else {
                    assert!(every == 2, "{operation} {kind:?}");
                }
                assert!(!lab.destroy().await.has_errors());
                assert_eq!((lab.objects(), lab.stored.clone()), ([0, 0, 0], None));
                assert_eq!(lab.strangers(), strangers);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lost_replies_lose_and_double_nothing() {
    for operation in [
        "CreateTrafficMirrorTarget",
        "CreateTrafficMirrorFilter",
        "CreateTrafficMirrorFilterRule",
        "CreateTrafficMirrorSession",
    ] {
        let mut lab = Lab::new().await;
        let reviewed = lab.plan(&before()).await.unwrap();
        lab.aws.lose_replies(operation, ALL);
        let told = lab.apply(&reviewed).await;
        assert!(told.iter().all(|d| d.severity == Severity::Warning) && !told.is_empty(), "{told:?}");
        lab.aws.heal();
        lab.settle(&before()).await;
    }
    for operation in [
        "ModifyTrafficMirrorSession",
        "DeleteTrafficMirrorSession",
        "CreateTags",
        "DeleteTrafficMirrorTarget",
    ] {
        let mut lab = before_update().await;
        drop(lab.refresh().await);
        let reviewed = lab.plan(&after()).await.unwrap();
        lab.aws.lose_replies(operation, ALL);
        // A delete that is tried again finds nothing left to delete.
        let is_overcome = operation.starts_with("Delete");
        assert_eq!(lab.apply(&reviewed).await.has_errors(), !is_overcome, "{operation}");
        lab.aws.heal();
        lab.settle(&after()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_finishes_what_has_begun_and_begins_nothing_more() {
    let mut lab = Lab::new().await;
    let reviewed = lab.plan(&fleet()).await.unwrap();
    lab.stop.cancel();
    let (stored, told) = lab.carry_out(&reviewed).await;
    assert!(
        stored.is_none() && told.has_errors() && told.iter().any(|d| d.detail.contains("told to stop")),
        "{told:?}"
    );
    assert_eq!(lab.objects(), [0, 0, 0]);

    lab.stop = enigma_tfplugin::CancellationToken::new();
    lab.aws.delay(&home(), "CreateTrafficMirrorTarget", Duration::from_secs(2));
    let stop = lab.stop.clone();
    let interrupt = async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.cancel();
    };
    let ((stored, told), ()) = tokio::join!(lab.carry_out(&reviewed), interrupt);
    lab.stored = stored;
    assert!(!told.is_empty() && lab.objects()[0] == 1 && lab.objects()[2] == 0, "{:?}", lab.objects());
    lab.expect_state_tells_the_world();
    lab.aws.heal();
    lab.stop = enigma_tfplugin::CancellationToken::new();
    lab.settle(&fleet()).await;
}

#[tokio::test(start_paused = true)]
async fn a_finished_fleet_that_the_state_lost_is_imported_and_not_taken_over() {
    let mut lab = Lab::applied(&before()).await;
    let applied = lab.stored.take().unwrap();
    lab.aws.forget_calls();
    let why = lab.run(&before()).await.unwrap_err();
    assert!(
        lab.stored.is_none() && why.iter().any(|d| d.detail.contains("terraform import ADDRESS prod")),
        "{why:?}"
    );
    assert_eq!(writes(&lab), Vec::<&str>::new(), "nothing was changed");
    assert!(
        lab.import("nobody").await.unwrap_err().iter().any(|d| d.detail.contains("enigma:fleet = nobody"))
    );
    lab.import("prod").await.unwrap();
    let imported = lab.stored.as_ref().unwrap().computed();
    assert_eq!(imported.sessions, applied.computed().sessions, "rows are those of the applied state");
    assert_eq!(imported.filter_rules, applied.computed().filter_rules);
    assert_eq!(imported.target_ids, applied.computed().target_ids);
    lab.expect_settled(&before()).await;
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_could_not_be_marked_is_marked_by_the_next_apply() {
    let is_marked = |lab: &Lab| {
        lab.aws.contents(&home()).targets.iter().any(|target| target.tags.contains_key(COMPLETE_TAG))
    };
    let mut lab = Lab::new().await;
    lab.aws.fail_next("CreateTags", 1, ErrorKind::Unauthorized);
    let told = lab.run(&fleet()).await.unwrap();
    assert!(told.len() == 1 && told.iter().all(|d| d.summary.contains("not marked as complete")), "{told:?}");
    assert!(told.iter().all(|d| d.detail.contains("changing tags of tmt-")), "{told:?}");
    assert!(
        !is_marked(&lab) && !lab.plan(&fleet()).await.unwrap().is_empty(),
        "the next apply has that to do"
    );
    lab.settle(&fleet()).await;
    assert!(is_marked(&lab));

    // The mark is as patient as other writes.
    for kind in [ErrorKind::Throttled, ErrorKind::Unavailable] {
        let mut lab = Lab::new().await;
        lab.aws.fail_next("CreateTags", 3, kind);
        let told = lab.run(&fleet()).await.unwrap();
        assert!(told.is_empty() && is_marked(&lab), "{kind:?}: {told:?}");
        lab.expect_settled(&fleet()).await;
    }
}

/// AWS says nothing, and a person presses Ctrl-C.
#[tokio::test(start_paused = true)]
async fn who_says_stop_waits_for_no_look() {
    let mut lab = Lab::applied(&fleet()).await;
    lab.launch();
    let config = lab.config(&fleet()).await;
    let reviewed = lab.plan_config(config.clone()).await.unwrap();
    let stored = lab.stored.clone();
    for step in ["apply", "plan", "refresh"] {
        lab.stop = enigma_tfplugin::CancellationToken::new();
        lab.aws.silence(&home(), Duration::from_secs(3600));
        lab.aws.forget_calls();
        let (stop, began) = (lab.stop.clone(), tokio::time::Instant::now());
        let stopping = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stop.cancel();
        });
        let told = match step {
            "apply" => lab.carry_out(&reviewed).await.1,
            "plan" => lab.plan_config(config.clone()).await.unwrap_err(),
            _ => lab.refresh().await,
        };
        stopping.await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 1, "{step}: {told:?}");
        assert!(told.iter().any(|d| d.summary == "Interrupted"), "{step}: {told:?}");
        assert_eq!(writes(&lab), Vec::<&str>::new(), "{step}");
        lab.aws.heal();
    }
    assert_eq!(lab.stored, stored);
    lab.stop = enigma_tfplugin::CancellationToken::new();
    lab.settle(&fleet()).await;
}

/// Another writer of the same fleet mirrors one more source.
async fn another_writer(lab: &mut Lab, vni: i64) -> enigma_fleet::ids::InterfaceId {
    let source = lab.launch();
    let model = lab.sessions().remove(0);
    let tags = Tags::from([
        (FLEET_TAG.to_owned(), "prod".to_owned()),
        (KEY_TAG.to_owned(), key(&source).to_string()),
    ]);
    let new = NewSession {
        interface: source.clone(),
        target: model.target,
        filter: model.filter,
        number: 100.try_into().unwrap(),
        vni: vni.try_into().unwrap(),
        packet_length: None,
        description: String::new(),
        tags,
        token: ClientToken(source.to_string()),
    };
    lab.place().await.create_session(&new).await.unwrap();
    source
}

#[tokio::test(start_paused = true)]
async fn sessions_that_nobody_reviewed_wait_for_the_next_plan_and_leave_with_a_destroy() {
    let mut lab = Lab::applied(&fleet()).await;
    lab.launch();
    let reviewed = lab.plan(&fleet()).await.unwrap();
    let source = another_writer(&mut lab, 99).await;
    let theirs = lab.session_on(&source);
    assert!(!lab.apply(&reviewed).await.has_errors());
    assert_eq!(lab.session_on(&source), theirs, "not touched");
    assert!(!lab.rows().contains_key(&key(&source).to_string()));
    // The next plan knows it, with its number and VNI.
    lab.settle(&fleet()).await;
    assert_eq!(lab.session_on(&source).vni, Some(99));

    drop(another_writer(&mut lab, 98).await);
    let stored = lab.stored.clone().unwrap();
    let (left, told) = lab.carry_out_destroy(&stored).await;
    assert!(left.is_none() && !told.has_errors(), "{told:?}");
    assert_eq!(lab.objects(), [0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn an_interface_that_vanishes_between_plan_and_update_breaks_no_promise() {
    let mut lab = Lab::applied(&fleet()).await;
    lab.launch();
    drop(lab.refresh().await);
    let reviewed = lab.plan(&fleet()).await.unwrap();
    lab.aws.delete_interface(&home(), &lab.sources[1]);
    let told = lab.apply(&reviewed).await;
    assert!(!told.has_errors() && told.iter().any(|d| d.summary.contains("Source is gone")), "{told:?}");
    lab.settle(&fleet()).await;
    assert_eq!(lab.rows().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_between_plan_and_update_is_made_again_without_breaking_a_promise() {
    let mut lab = Lab::applied(&fleet()).await;
    lab.launch();
    drop(lab.refresh().await);
    let reviewed = lab.plan(&fleet()).await.unwrap();
    let session = lab.session_on(&lab.sources[1]);
    lab.aws.delete_session_behind_our_back(&home(), &session.id);
    assert!(!lab.apply(&reviewed).await.has_errors());
    assert_eq!(lab.objects()[2], 5);
    lab.settle(&fleet()).await;

    // The same for everything that the fleet has.
    lab.launch();
    drop(lab.refresh().await);
    let reviewed = lab.plan(&fleet()).await.unwrap();
    for session in lab.sessions() {
        lab.aws.delete_session_behind_our_back(&home(), &session.id);
    }
    let computed = lab.stored.as_ref().unwrap().computed();
    for id in computed.target_ids.known().unwrap().into_values() {
        lab.place().await.delete_target(&id.known().unwrap().parse().unwrap()).await.unwrap();
    }
    assert!(!lab.apply(&reviewed).await.has_errors());
    lab.settle(&fleet()).await;
    assert_eq!(lab.objects(), [1, 1, 6]);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_account_stops_an_apply_before_it_begins() {
    let mut lab = Lab::applied(&fleet()).await;
    let arguments = fleet_with(
        &json!({ "targets": { "main": { "network_load_balancer_arn": ARN } }, "tags": { "a": "b" } }),
    );
    let reviewed = lab.plan(&arguments).await.unwrap();
    let stored = lab.stored.clone();
    lab.aws.deny(&home());
    let told = lab.apply(&reviewed).await;
    assert!(told.has_errors() && told.iter().any(|d| d.summary == "Fleet prod was not touched"), "{told:?}");
    assert_eq!(lab.stored, stored);
    assert!(lab.carry_out_destroy(&stored.clone().unwrap()).await.1.has_errors());
}
