//! Others who are quicker: between plan and apply somebody takes what one session was to get.

use enigma_fleet::inventory::MirrorSession;
use enigma_tfplugin::{Diagnostics, Severity, Value};
use serde_json::json;

use super::lab::{Lab, fleet, fleet_with, key};
use crate::mirror_fleet::state::Row;

fn row(lab: &Lab, source: usize) -> Row {
    lab.rows()[&key(&lab.sources[source]).to_string()].clone()
}

/// Exactly one diagnostic, which names the interface, the number and all who hold it; the row is pending and counted.
fn expect_left_out(
    lab: &Lab,
    told: &Diagnostics,
    severity: Severity,
    (source, number): (usize, u16),
    by: &[&MirrorSession],
) {
    assert_eq!(told.len(), 1, "{told:?}");
    for one in told.iter() {
        assert_eq!(one.severity, severity, "{told:?}");
        let interface = key(&lab.sources[source]).to_string();
        assert!(one.summary.contains(&interface) && one.detail.contains(&interface), "{told:?}");
        assert!(
            one.detail.contains(&format!("number {number}")) && one.detail.contains("plan again"),
            "{told:?}"
        );
        assert!(by.iter().all(|session| one.detail.contains(session.id.as_str())), "{told:?}");
    }
    assert_eq!(row(lab, source).state, Value::Known("pending".to_owned()));
    let stored = lab.stored.as_ref().unwrap().computed();
    assert_eq!(stored.pending_count, Value::Known(1));
    lab.expect_state_tells_the_world();
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_taken_before_a_create_leaves_out_one_session() {
    let mut lab = Lab::new().await;
    let reviewed = lab.plan(&fleet()).await.unwrap();
    let taker = lab.add_stranger(1, 100).await;
    let strangers = lab.strangers();
    let told = lab.apply(&reviewed).await;
    expect_left_out(&lab, &told, Severity::Warning, (1, 100), &[&taker]);
    assert_eq!(lab.objects(), [1, 1, 3], "all others go on");
    assert_eq!(row(&lab, 1).session_id, Value::Null);

    lab.settle(&fleet()).await;
    assert_eq!(lab.session_on(&lab.sources[1]).number.get(), 101);
    assert_eq!(lab.strangers(), strangers);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_taken_before_an_update_leaves_out_one_session() {
    let mut lab = Lab::applied(&fleet()).await;
    lab.launch();
    lab.launch();
    drop(lab.refresh().await);
    let reviewed = lab.plan(&fleet()).await.unwrap();
    let taker = lab.add_stranger(4, 100).await;
    let told = lab.apply(&reviewed).await;
    expect_left_out(&lab, &told, Severity::Error, (4, 100), &[&taker]);
    assert_eq!(lab.objects(), [1, 1, 5], "all others go on");

    lab.settle(&fleet()).await;
    assert_eq!(lab.session_on(&lab.sources[4]).number.get(), 101);
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_taken_before_a_change_leaves_one_session_where_it_is() {
    let mut lab = Lab::applied(&fleet()).await;
    let before = lab.session_on(&lab.sources[2]);
    let lower = fleet_with(&json!({ "session": { "number": 1 } }));
    drop(lab.refresh().await);
    let reviewed = lab.plan(&lower).await.unwrap();
    let taker = lab.add_stranger(2, 1).await;
    let told = lab.apply(&reviewed).await;
    expect_left_out(&lab, &told, Severity::Error, (2, 1), &[&taker]);
    assert_eq!(lab.session_on(&lab.sources[2]), before);
    let left = row(&lab, 2);
    assert_eq!((left.session_number, left.session_id), (100, Value::Known(before.id.to_string())));
    for source in [0, 1, 3] {
        assert_eq!(lab.session_on(&lab.sources[source]).number.get(), 1, "all others go on");
    }

    lab.settle(&lower).await;
    let after = lab.session_on(&lab.sources[2]);
    assert_eq!((after.number.get(), after.id), (2, before.id), "changed in place");
}

#[tokio::test(start_paused = true)]
async fn the_last_slot_that_is_taken_leaves_out_one_session() {
    let mut lab = Lab::new().await;
    let reviewed = lab.plan(&fleet()).await.unwrap();
    let mut takers = Vec::new();
    for number in [7, 8, 9] {
        takers.push(lab.add_stranger(3, number).await);
    }
    let told = lab.apply(&reviewed).await;
    expect_left_out(&lab, &told, Severity::Warning, (3, 100), &takers.iter().collect::<Vec<_>>());
    assert_eq!(lab.objects(), [1, 1, 3], "all others go on");

    // The next plan leaves the interface out, until a slot is free.
    lab.settle(&fleet()).await;
    assert_eq!(lab.rows().len(), 3);
    lab.place().await.delete_session(&takers[0].id).await.unwrap();
    lab.settle(&fleet()).await;
    assert_eq!((lab.rows().len(), lab.session_on(&lab.sources[3]).number.get()), (4, 100));
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_what_would_be_left_out() {
    let mut lab = Lab::new().await;
    lab.members = Some(lab.discover().await);
    let taker = lab.add_stranger(1, 100).await;
    // The data source was read before.
    let reviewed = lab.plan(&fleet()).await.unwrap();
    let warned = reviewed.told.iter().filter(|one| one.detail.contains(taker.id.as_str()));
    assert_eq!(warned.map(|one| one.severity).collect::<Vec<_>>(), [Severity::Warning]);
    let told = lab.apply(&reviewed).await;
    expect_left_out(&lab, &told, Severity::Warning, (1, 100), &[&taker]);
}
