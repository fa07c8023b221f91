//! `directory_json`: addresses and chosen tags of sources, and when they are a reason for an apply.

use enigma_fleet::ids::InterfaceId;
use enigma_fleet::inventory::Tags;
use enigma_tfplugin::Diagnostics;
use serde_json::{Value as Json, json};

use super::lab::{Lab, fleet, home};

fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn entry(lab: &Lab, interface: &InterfaceId) -> Json {
    let text = lab.stored.as_ref().unwrap().computed().directory_json.known().unwrap();
    let directory: Json = serde_json::from_str(&text).unwrap();
    let entries = directory["sessions"].as_array().unwrap();
    entries.iter().find(|entry| entry["eni"] == interface.as_str()).unwrap().clone()
}

fn add_address(lab: &Lab, interface: &InterfaceId, address: &str) {
    lab.aws.edit_interface(&home(), interface, |one| one.secondary_ipv4.push(address.parse().unwrap()));
}

#[tokio::test(start_paused = true)]
async fn addresses_of_both_versions_and_chosen_tags_are_in_the_directory() {
    let mut lab = Lab::new().await;
    let instance = tags(&[("team", "shop"), ("secret", "no")]);
    let (_, source) = lab.aws.launch(&home(), "m5.large", &instance);
    lab.aws.edit_interface(&home(), &source, |one| {
        one.ipv6 = vec!["fd00::2".parse().unwrap(), "fd00::1".parse().unwrap()];
        one.tags = tags(&[("team", "network"), ("role", "uplink")]);
    });
    add_address(&lab, &source, "10.0.9.9");
    lab.directory_tags = vec!["team", "role", "absent"];
    lab.settle(&fleet()).await;
    let known = entry(&lab, &source);
    let addresses: Vec<&str> =
        known["addresses"].as_array().unwrap().iter().filter_map(Json::as_str).collect();
    assert!(addresses[0].starts_with("10.0.0."), "the primary address first: {addresses:?}");
    assert_eq!(addresses[1..], ["10.0.9.9", "fd00::1", "fd00::2"]);
    assert_eq!(
        known["tags"],
        json!({ "role": "uplink", "team": "shop" }),
        "the instance's before the interface's"
    );
    assert_eq!(entry(&lab, &lab.sources[1]).get("tags"), None);
}

#[tokio::test(start_paused = true)]
async fn addresses_that_come_and_go_are_no_change_and_are_up_to_date_after_the_next() {
    let mut lab = Lab::applied(&fleet()).await;
    let source = lab.sources[2].clone();
    add_address(&lab, &source, "10.0.9.1");
    assert_eq!(lab.refresh().await, Diagnostics::new());
    assert!(lab.plan(&fleet()).await.unwrap().is_empty(), "pods come and go all day");
    lab.launch();
    lab.settle(&fleet()).await;
    assert!(entry(&lab, &source)["addresses"].as_array().unwrap().contains(&json!("10.0.9.1")));
}

#[tokio::test(start_paused = true)]
async fn a_chosen_tag_that_changes_is_a_change() {
    let mut lab = Lab::new().await;
    lab.directory_tags = vec!["team"];
    let source = lab.sources[2].clone();
    // The fleet's description knows the key already.
    lab.aws.edit_interface(&home(), &lab.sources[1], |one| one.tags = tags(&[("team", "net")]));
    lab.settle(&fleet()).await;
    lab.aws.edit_interface(&home(), &source, |one| one.tags = tags(&[("team", "shop"), ("other", "x")]));
    assert_eq!(lab.refresh().await, Diagnostics::new());
    let before = lab.stored.as_ref().unwrap().computed();
    let plan = lab.plan(&fleet()).await.unwrap();
    assert!(!plan.is_empty());
    let after = plan.computed();
    assert_eq!((&after.sessions, &after.summary), (&before.sessions, &before.summary), "nothing else");
    lab.aws.forget_calls();
    assert!(!lab.apply(&plan).await.has_errors());
    assert!(lab.aws.journal().iter().all(|call| super::lab::is_read(call.operation)), "nothing is written");
    assert_eq!(entry(&lab, &source)["tags"], json!({ "team": "shop" }));
    lab.expect_settled(&fleet()).await;
}

#[tokio::test(start_paused = true)]
async fn an_import_finds_the_chosen_tags_again() {
    let mut lab = Lab::new().await;
    lab.directory_tags = vec!["team", "role", "absent"];
    let (_, source) = lab.aws.launch(&home(), "m5.large", &tags(&[("team", "shop"), ("secret", "no")]));
    lab.aws.edit_interface(&home(), &source, |one| one.tags = tags(&[("team", "net"), ("role", "uplink")]));
    lab.settle(&fleet()).await;
    let before = lab.stored.take().unwrap().computed().directory_json;
    lab.import("prod").await.unwrap();
    assert_eq!(entry(&lab, &source)["tags"], json!({ "role": "uplink", "team": "shop" }));
    assert_eq!(lab.stored.as_ref().unwrap().computed().directory_json, before);
    lab.expect_settled(&fleet()).await;
}
