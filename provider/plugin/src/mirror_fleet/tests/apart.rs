//! One place that cannot be read stops no other: in a refresh, a plan, an apply and a destroy.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::ids::Place;
use enigma_fleet::inventory::{MirrorSession, Tags};
use enigma_reconcile::ports::ErrorKind;
use enigma_tfplugin::{Diagnostics, Severity};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::company::{company, company_fleet, place};
use super::lab::{ARN, Lab, fleet_with, home};

const PAYMENTS: &str = "222222222222";

fn west() -> Place {
    place("111111111111", "eu-west-1")
}

/// The summaries that name something, with how bad they are.
fn said(told: &Diagnostics, about: &str) -> Vec<(Severity, String)> {
    told.iter().filter(|d| d.summary.contains(about)).map(|d| (d.severity, d.summary.clone())).collect()
}

fn in_place(lab: &Lab, at: &Place) -> BTreeMap<String, MirrorSession> {
    let sessions = lab.sessions().into_iter().filter(|session| session.owner == at.account);
    let here = |session: &MirrorSession| lab.aws.contents(at).sessions.iter().any(|one| one.id == session.id);
    sessions.filter(here).map(|session| (session.id.to_string(), session)).collect()
}

#[tokio::test(start_paused = true)]
async fn targets_in_a_region_that_is_down_stop_no_other_region() {
    let mut lab = company();
    lab.settle(&company_fleet()).await;
    lab.aws.deny(&west());
    drop(lab.refresh().await);

    // A source more and one less, both elsewhere.
    let east = place(PAYMENTS, "us-east-1");
    let (_, new) = lab.aws.launch(&east, "m5.large", &Tags::new());
    let gone = in_place(&lab, &east).into_values().next().unwrap();
    lab.aws.delete_interface(&east, &gone.interface);
    let before = in_place(&lab, &place(PAYMENTS, "eu-west-1"));
    drop(lab.refresh().await);
    let plan = lab.plan(&company_fleet()).await.unwrap();
    assert_eq!(said(&plan.told, "Targets in"), [], "nothing waits for the west");
    let told = lab.apply(&plan).await;
    assert!(!told.has_errors(), "{told:?}");
    let now: BTreeSet<_> =
        in_place(&lab, &east).into_values().map(|session| session.interface.to_string()).collect();
    assert!(now.contains(new.as_str()) && !now.contains(gone.interface.as_str()), "{now:?}");
    assert_eq!(in_place(&lab, &place(PAYMENTS, "eu-west-1")), before, "what sends there is left alone");

    // A source whose target nobody can see waits, and that is told, in the plan and by the apply.
    let (_, waiting) = lab.aws.launch(&place(PAYMENTS, "eu-west-1"), "m5.large", &Tags::new());
    let (_, other) = lab.aws.launch(&east, "m5.large", &Tags::new());
    drop(lab.refresh().await);
    let plan = lab.plan(&company_fleet()).await.unwrap();
    let summary = format!("Targets in {} could not be read", west());
    assert_eq!(said(&plan.told, "Targets in"), [(Severity::Warning, summary)]);
    let told = lab.apply(&plan).await;
    let errors: Vec<_> = told.iter().filter(|d| d.severity == Severity::Error).collect();
    assert!(
        errors.len() == 1 && errors[0].summary == "Account 111111111111 could not be reached",
        "{told:?}"
    );
    assert!(errors[0].detail.contains("eu-west-1"), "{told:?}");
    let made: BTreeSet<_> = lab.sessions().into_iter().map(|session| session.interface).collect();
    assert!(made.contains(&other) && !made.contains(&waiting));
    lab.expect_state_tells_the_world();
    assert!(lab.stored.as_ref().unwrap().computed().pending_count.known().unwrap() > 0);

    lab.aws.heal();
    lab.settle(&company_fleet()).await;
    assert!(!lab.destroy().await.has_errors());
    lab.expect_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_create_goes_on_without_targets_that_cannot_be_read() {
    let mut lab = company();
    let members = lab.discover().await;
    lab.aws.deny(&west());
    lab.members = Some(members);
    let plan = lab.plan(&company_fleet()).await.unwrap();
    assert_eq!(said(&plan.told, "Targets in").len(), 1);
    let told = lab.apply(&plan).await;
    assert!(!told.has_errors(), "an error would taint the fleet: {told:?}");
    assert_eq!(said(&told, "could not be reached").len(), 1, "{told:?}");
    // Six in the east, and filters for them alone or for all.
    assert_eq!((lab.objects()[0], lab.objects()[2]), (1, 6));
    assert_eq!(lab.stored.as_ref().unwrap().computed().pending_count.known(), Some(6));
    lab.aws.heal();
    lab.members = None;
    lab.settle(&company_fleet()).await;
    assert_eq!((lab.objects()[0], lab.objects()[2]), (2, 12));
}

#[tokio::test(start_paused = true)]
async fn without_any_target_in_sight_nothing_is_planned() {
    let mut lab = company();
    lab.settle(&company_fleet()).await;
    lab.launch();
    let members = lab.discover().await;
    for at in [home(), west()] {
        lab.aws.deny(&at);
    }
    lab.members = Some(members);
    drop(lab.refresh().await);
    let told = lab.plan(&company_fleet()).await.unwrap_err();
    let errors: Vec<_> = told.iter().map(|d| d.summary.as_str()).collect();
    assert_eq!(errors, ["Fleet prod was not touched"]);
}

/// A load balancer of the home account for its own sources, and an endpoint in another account for that one's.
fn with_endpoint() -> Json {
    fleet_with(&json!({ "targets": {
        "east": { "network_load_balancer_arn": ARN },
        "there": { "gateway_load_balancer_endpoint_id": "vpce-0123456789abcdef0", "account": PAYMENTS },
    } }))
}

#[tokio::test(start_paused = true)]
async fn a_lost_account_with_a_target_of_its_own_stops_nobody_else() {
    let mut lab = company();
    let there = place(PAYMENTS, "us-east-1");
    lab.aws.add_gateway_endpoint(&there, "vpce-0123456789abcdef0");
    lab.settle(&with_endpoint()).await;
    let theirs = in_place(&lab, &there);
    assert!(!theirs.is_empty());
    lab.aws.deny(&there);
    lab.launch();
    drop(lab.refresh().await);
    let told = lab.run(&with_endpoint()).await.unwrap();
    assert!(!told.has_errors(), "{told:?}");
    assert_eq!(in_place(&lab, &home()).len(), 3, "the new source of the home account is mirrored");
    assert_eq!(in_place(&lab, &there), theirs);
    lab.aws.heal();
    lab.expect_settled(&with_endpoint()).await;
}

#[tokio::test(start_paused = true)]
async fn a_place_where_a_drift_cannot_be_explained_is_unread_and_the_others_are_refreshed() {
    let mut lab = company();
    lab.settle(&company_fleet()).await;
    let there = place(PAYMENTS, "us-east-1");
    let lost = in_place(&lab, &there).into_values().next().unwrap();
    lab.aws.delete_session_behind_our_back(&there, &lost.id);
    lab.aws.fail_next("DescribeNetworkInterfaces", 1, ErrorKind::Unauthorized);
    let before = lab.rows();
    let told = lab.refresh().await;
    assert!(!told.has_errors(), "{told:?}");
    assert_eq!(
        said(&told, "could not be"),
        [(Severity::Warning, format!("Account payments ({PAYMENTS}) could not be read"))]
    );
    assert_eq!(lab.rows(), before, "kept until somebody can say why");
    lab.aws.heal();
    assert_eq!(said(&lab.refresh().await, "Sessions deleted").len(), 1);
    lab.settle(&company_fleet()).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_role_costs_no_second_look() {
    let mut lab = company();
    lab.settle(&company_fleet()).await;
    for region in ["us-east-1", "eu-west-1"] {
        lab.aws.deny(&place(PAYMENTS, region));
    }
    lab.aws.forget_calls();
    let began = Instant::now();
    drop(lab.refresh().await);
    assert!(began.elapsed().is_zero(), "nobody waited");
    let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
    for call in lab.aws.journal().iter().filter(|call| call.place.account.as_str() != PAYMENTS) {
        *calls.entry(call.operation).or_default() += 1;
    }
    for kind in
        ["DescribeTrafficMirrorTargets", "DescribeTrafficMirrorFilters", "DescribeTrafficMirrorSessions"]
    {
        assert_eq!(calls[kind], 4, "once in each place: {calls:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tags_that_a_lost_account_missed_are_set_when_it_is_back() {
    let tagged = |team: &str| {
        let mut arguments = company_fleet();
        arguments["tags"] = json!({ "team": team });
        arguments
    };
    let mut lab = company();
    lab.settle(&tagged("red")).await;
    let there = place(PAYMENTS, "us-east-1");
    lab.aws.deny(&there);
    let told = lab.run(&tagged("blue")).await.unwrap();
    assert!(!told.has_errors(), "{told:?}");
    drop(lab.refresh().await);
    assert!(lab.plan(&tagged("blue")).await.unwrap().is_empty(), "nothing can be done");
    lab.aws.heal();
    assert_eq!(lab.refresh().await, Diagnostics::new());
    assert!(!lab.plan(&tagged("blue")).await.unwrap().is_empty());
    lab.settle(&tagged("blue")).await;
    let team = |session: &MirrorSession| session.tags.get("team").cloned();
    assert!(lab.sessions().iter().all(|session| team(session).as_deref() == Some("blue")));
}

#[tokio::test(start_paused = true)]
async fn rules_of_a_lost_account_are_planned_as_they_are_and_changed_when_it_is_back() {
    let ruled = |port: &str| {
        let mut arguments = company_fleet();
        arguments["filters"] = json!({ "default": { "rules": [
            { "action": "reject", "protocol": "tcp", "local_ports": [port] },
            { "action": "accept" },
        ] } });
        arguments
    };
    let mut lab = company();
    lab.settle(&ruled("22")).await;
    let there = place(PAYMENTS, "us-east-1");
    lab.aws.deny(&there);
    let told = lab.run(&ruled("23")).await.unwrap();
    assert!(!told.has_errors(), "{told:?}");
    lab.aws.heal();
    assert_eq!(lab.refresh().await, Diagnostics::new(), "nobody changed a rule but this fleet");
    assert!(!lab.plan(&ruled("23")).await.unwrap().is_empty());
    lab.settle(&ruled("23")).await;
}
