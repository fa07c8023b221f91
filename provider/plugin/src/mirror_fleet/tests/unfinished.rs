//! What one apply cannot finish, or must not begin: stale plans, limits of time, refused rules, and objects that
//! others still use.

use std::time::Duration;

use enigma_fleet::ids::FilterId;
use enigma_fleet::ownership::own;
use enigma_reconcile::ports::{ClientToken, ErrorKind, NewSession};
use enigma_tfplugin::{Diagnostics, Value};
use serde_json::{Value as Json, json};

use super::lab::{Lab, fleet, fleet_with, home, is_read};
use crate::mirror_fleet::rules;

fn tagged(team: &str) -> Json {
    fleet_with(&json!({ "tags": { "team": team } }))
}

fn writes(lab: &Lab) -> Vec<&'static str> {
    lab.aws.journal().iter().map(|call| call.operation).filter(|operation| !is_read(operation)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_somebody_overtook_writes_nothing() {
    let mut lab = Lab::applied(&fleet()).await;
    drop(lab.refresh().await);
    let (first, second) = (lab.plan(&tagged("red")).await.unwrap(), lab.plan(&tagged("blue")).await.unwrap());
    let told = lab.apply(&first).await;
    assert!(!told.has_errors(), "{told:?}");
    let world = lab.aws.all_contents();
    lab.aws.forget_calls();
    let (kept, told) = lab.carry_out(&second).await;
    assert!(
        told.iter()
            .any(|d| d.summary == "The plan of fleet prod is stale"
                && d.detail.starts_with("Nothing was changed")),
        "{told:?}"
    );
    assert_eq!((writes(&lab), kept), (Vec::new(), second.prior.clone()));
    assert_eq!(lab.aws.all_contents(), world);
    // Planned again it is no longer stale.
    lab.settle(&tagged("blue")).await;
}

#[tokio::test(start_paused = true)]
async fn a_read_that_lags_makes_no_plan_stale() {
    let mut lab = Lab::applied(&fleet()).await;
    let past = lab.aws.freeze();
    lab.settle(&tagged("red")).await;
    // Targets, filters and sessions as they were before the last apply.
    lab.aws.show(&past, 3);
    drop(lab.refresh().await);
    let told = lab.run(&tagged("blue")).await.unwrap();
    assert!(!told.has_errors(), "{told:?}");
    lab.expect_settled(&tagged("blue")).await;
}

/// A fleet with a second filter, more to do than one call, and a limit.
fn limited(operation: &str, label: &str) -> Json {
    let filter = json!({ "rules": [{ "action": "accept" }] });
    let mut arguments = fleet_with(&json!({ "filters": { label: filter } }));
    arguments["timeouts"] = json!({ operation: "2s" });
    arguments
}

fn expect_limit(told: &Diagnostics, operation: &str) {
    let limit = told.iter().find(|d| d.summary == "The time limit of 2s was reached");
    assert!(limit.is_some_and(|d| d.detail.contains(&format!("`timeouts.{operation}`"))), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn what_a_limit_of_time_leaves_the_next_apply_does() {
    let arguments = limited("create", "default");
    let mut lab = Lab::new().await;
    let reviewed = lab.plan(&arguments).await.unwrap();
    lab.aws.delay(&home(), "CreateTrafficMirrorTarget", Duration::from_secs(5));
    let told = lab.apply(&reviewed).await;
    expect_limit(&told, "create");
    assert!(!told.has_errors(), "an error would taint the fleet: {told:?}");
    assert_eq!((lab.objects()[0], lab.objects()[2]), (1, 0), "what had begun ended, and no more began");
    lab.expect_state_tells_the_world();
    lab.aws.heal();
    lab.settle(&arguments).await;

    let arguments = limited("update", "other");
    drop(lab.refresh().await);
    let reviewed = lab.plan(&arguments).await.unwrap();
    lab.aws.delay(&home(), "CreateTrafficMirrorFilter", Duration::from_secs(5));
    let told = lab.apply(&reviewed).await;
    expect_limit(&told, "update");
    assert!(told.has_errors(), "{told:?}");
    lab.expect_state_tells_the_world();
    lab.aws.heal();
    lab.settle(&arguments).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_limit_of_time_leaves_of_a_destroy_the_next_one_does() {
    let arguments = limited("delete", "default");
    let mut lab = Lab::applied(&arguments).await;
    let rows = lab.rows().len();
    lab.aws.delay(&home(), "DeleteTrafficMirrorSession", Duration::from_secs(5));
    let told = lab.destroy().await;
    expect_limit(&told, "delete");
    assert!(told.has_errors() && lab.stored.is_some(), "{told:?}");
    assert!(lab.rows().len() < rows, "what had begun ended");
    assert_eq!(lab.objects()[..2], [1, 1], "and no more began");
    lab.expect_state_tells_the_world();
    lab.aws.heal();
    assert!(!lab.destroy().await.has_errors());
    lab.expect_nothing_left();
}

fn ruled(port: &str, versions: &Json) -> Json {
    fleet_with(&json!({ "filters": { "default": { "ip_versions": versions, "rules": [
        { "action": "reject", "protocol": "tcp", "local_ports": [port] },
        { "action": "accept" },
    ] } } }))
}

#[tokio::test(start_paused = true)]
async fn rules_of_the_state_are_those_of_aws_after_an_update_that_failed() {
    let both = [ruled("3260", &json!(["ipv4", "ipv6"])), ruled("22", &json!(["ipv4"]))];
    let mut tried = 0;
    for operation in
        ["CreateTrafficMirrorFilterRule", "ModifyTrafficMirrorFilterRule", "DeleteTrafficMirrorFilterRule"]
    {
        for (before, after) in [(&both[0], &both[1]), (&both[1], &both[0])] {
            let mut lab = Lab::applied(before).await;
            drop(lab.refresh().await);
            let reviewed = lab.plan(after).await.unwrap();
            lab.aws.forget_calls();
            lab.aws.fail_next(operation, 1, ErrorKind::Unauthorized);
            let told = lab.apply(&reviewed).await;
            lab.aws.heal();
            if !writes(&lab).contains(&operation) {
                continue;
            }
            tried += 1;
            assert!(told.has_errors(), "{operation}: {told:?}");
            let owned = own(&"prod".parse().unwrap(), &lab.aws.all_contents());
            let stored = lab.stored.as_ref().unwrap().computed();
            assert_eq!(stored.filter_rules, Value::Known(rules::observed(&owned, |_| true)), "{operation}");
            assert!(stored.pending_count.known().unwrap() > 0, "{operation}");
            lab.settle(after).await;
        }
    }
    assert!(tried >= 2, "only {tried} of the updates call what was to fail");
}

/// Somebody else's session with a filter of the fleet.
async fn borrow(lab: &mut Lab, filter: &FilterId) -> enigma_fleet::ids::SessionId {
    let source = lab.launch();
    let target = lab.sessions().remove(0).target;
    let new = NewSession {
        interface: source.clone(),
        target,
        filter: filter.clone(),
        number: 7.try_into().unwrap(),
        vni: 4242.try_into().unwrap(),
        packet_length: None,
        description: "theirs".to_owned(),
        tags: enigma_fleet::inventory::Tags::new(),
        token: ClientToken(source.to_string()),
    };
    lab.place().await.create_session(&new).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_others_still_use_is_no_removal_in_every_plan() {
    let filters = |label: &str| {
        let rules = json!({ "rules": [{ "action": "accept" }] });
        fleet_with(&json!({ "filters": { label: rules } }))
    };
    let mut lab = Lab::applied(&filters("old")).await;
    let ids = lab.stored.as_ref().unwrap().computed().filter_ids.known().unwrap();
    let old: FilterId = ids.into_values().next().unwrap().known().unwrap().parse().unwrap();
    let theirs = borrow(&mut lab, &old).await;
    lab.settle(&filters("old")).await;

    // The fleet goes over to another filter, and AWS keeps the one that is in use.
    let told = lab.run(&filters("new")).await.unwrap();
    assert!(!told.has_errors(), "{told:?}");
    let is_there = |lab: &Lab| lab.aws.contents(&home()).filters.iter().any(|filter| filter.id == old);
    assert!(is_there(&lab));
    assert_eq!(lab.refresh().await, Diagnostics::new());
    assert!(lab.plan(&filters("new")).await.unwrap().is_empty(), "there is nothing that an apply could do");
    let listed = lab.stored.as_ref().unwrap().computed().filter_ids.known().unwrap();
    assert!(listed.len() == 1 && listed.keys().all(|key| key.ends_with("/new")), "{listed:?}");

    // Once nobody uses it, it goes with the next apply.
    lab.aws.delete_session_behind_our_back(&home(), &theirs);
    assert_eq!(lab.refresh().await, Diagnostics::new(), "nobody changed a rule");
    assert!(!lab.plan(&filters("new")).await.unwrap().is_empty());
    lab.settle(&filters("new")).await;
    assert!(!is_there(&lab));
}
