//! Drift of every kind: what the refresh says, what the plan does about it, and that the next apply puts it right.

use enigma_fleet::actions::Resource;
use enigma_fleet::expand::REST;
use enigma_fleet::ids::FilterRuleId;
use enigma_fleet::inventory::{FilterRule, Tags};
use enigma_fleet::ownership::{FLEET_TAG, KEY_TAG};
use enigma_reconcile::ports::{ClientToken, SessionPatch};
use enigma_tfplugin::{Diagnostics, Severity};
use serde_json::{Value as Json, json};

use super::lab::{Lab, fleet, fleet_with, home, key};
use crate::mirror_fleet::memory::Memory;

/// One warning of that summary, with that in its detail.
fn expect_told(told: &Diagnostics, summary: &str, detail: &str) {
    let found = told
        .iter()
        .any(|d| d.severity == Severity::Warning && d.summary.contains(summary) && d.detail.contains(detail));
    assert!(found, "no {summary:?} with {detail:?} in {told:#?}");
}

fn state_of(lab: &Lab, source: usize) -> Option<String> {
    let row = lab.rows().get(&key(&lab.sources[source]).to_string())?.clone();
    row.state.known()
}

#[tokio::test(start_paused = true)]
async fn a_deleted_session_is_missing_and_keeps_its_number_and_vni() {
    let mut lab = Lab::applied(&fleet()).await;
    let before = lab.session_on(&lab.sources[1]);
    lab.aws.delete_session_behind_our_back(&home(), &before.id);
    let told = lab.refresh().await;
    expect_told(&told, "Sessions deleted by someone: 1", before.id.as_str());
    assert_eq!(state_of(&lab, 1).as_deref(), Some("missing"));
    assert_eq!(lab.stored.as_ref().unwrap().computed().pending_count.known(), Some(1));
    let plan = lab.plan(&fleet()).await.unwrap();
    let row = plan.row(&lab.sources[1]);
    assert!(
        row.session_id.is_unknown() && row.state.is_unknown() && plan.computed().pending_count.is_unknown()
    );
    lab.settle(&fleet()).await;
    let again = lab.session_on(&lab.sources[1]);
    assert_eq!((again.number, again.vni), (before.number, before.vni));
    assert_ne!(again.id, before.id);
}

#[tokio::test(start_paused = true)]
async fn a_vanished_source_is_told_once_and_then_forgotten() {
    let mut lab = Lab::applied(&fleet()).await;
    lab.aws.delete_interface(&home(), &lab.sources[1]);
    assert_eq!(lab.refresh().await, Diagnostics::new(), "nobody did anything wrong");
    assert_eq!(state_of(&lab, 1).as_deref(), Some("source_gone"));
    let plan = lab.plan(&fleet()).await.unwrap();
    assert!(!plan.is_empty() && !plan.computed().rows().contains_key(&key(&lab.sources[1]).to_string()));
    assert_eq!(plan.computed().pending_count.known(), Some(0));
    assert_eq!(lab.refresh().await, Diagnostics::new());
    assert_eq!(state_of(&lab, 1), None);
    lab.settle(&fleet()).await;
}

#[tokio::test(start_paused = true)]
async fn every_field_changed_in_place_is_named_and_what_nobody_chose_is_put_back() {
    let theirs = Lab::applied(&fleet()).await.add_stranger(3, 7).await;
    let number =
        |number: i64| SessionPatch { number: Some(number.try_into().unwrap()), ..SessionPatch::default() };
    // A VNI that lives stays, whoever chose it, and so does a number that the fleet may have.
    let patches = [
        (false, "session_number 100 -> 7", number(7)),
        (true, "session_number 100 -> 101", number(101)),
        (false, "session_number 100 -> 150", number(150)),
        (
            true,
            "virtual_network_id",
            SessionPatch { vni: Some(7.try_into().unwrap()), ..SessionPatch::default() },
        ),
        (
            false,
            "packet_length none -> 128",
            SessionPatch { packet_length: Some(Some(128.try_into().unwrap())), ..SessionPatch::default() },
        ),
        (
            false,
            "target main -> none",
            SessionPatch { target: Some(theirs.target), ..SessionPatch::default() },
        ),
        (
            false,
            "filter default -> none",
            SessionPatch { filter: Some(theirs.filter), ..SessionPatch::default() },
        ),
    ];
    for (stays, words, patch) in patches {
        let mut lab = Lab::applied(&fleet()).await;
        // The same calls in the same order give the same ids.
        lab.add_stranger(3, 7).await;
        let strangers = lab.strangers();
        let before = lab.session_on(&lab.sources[1]);
        lab.place().await.modify_session(&before.id, &patch).await.unwrap();
        let told = lab.refresh().await;
        expect_told(&told, "Sessions changed by someone: 1", words);
        let plan = lab.plan(&fleet()).await.unwrap();
        let row = plan.row(&lab.sources[1]);
        assert_eq!(row.session_id.as_ref().known().map(String::as_str), Some(before.id.as_str()), "in place");
        assert_eq!((row.state.is_known(), plan.is_empty()), (stays, stays), "{words}");
        let now = lab.session_on(&lab.sources[1]);
        lab.settle(&fleet()).await;
        assert_eq!(lab.session_on(&lab.sources[1]), if stays { now } else { before }, "{words}");
        assert_eq!(lab.strangers(), strangers);
    }
}

#[tokio::test(start_paused = true)]
async fn rules_that_come_go_and_change_are_named_and_put_back() {
    let mut lab = Lab::applied(&fleet()).await;
    let place = lab.place().await;
    let ours = |lab: &Lab| {
        let seen = lab.aws.contents(&home());
        seen.filters.into_iter().find(|filter| filter.tags.contains_key(FLEET_TAG)).unwrap()
    };
    let before = ours(&lab);
    let rules =
        |lab: &Lab| -> Vec<FilterRule> { ours(lab).rules.into_iter().map(|rule| rule.rule).collect() };
    let wanted = rules(&lab);
    let first: (FilterRuleId, FilterRule) = (before.rules[0].id.clone(), before.rules[0].rule.clone());

    place.delete_rule(&first.0).await.unwrap();
    expect_told(&lab.refresh().await, "Filter rules changed by someone: 1", "removed (accept");
    lab.settle(&fleet()).await;
    assert_eq!(rules(&lab), wanted);

    let added = FilterRule { number: 999.try_into().unwrap(), ..first.1.clone() };
    place.create_rule(&before.id, &added, &Tags::new(), &ClientToken("r".to_owned())).await.unwrap();
    expect_told(&lab.refresh().await, "Filter rules changed by someone: 1", "/999: added (accept");
    lab.settle(&fleet()).await;
    assert_eq!(rules(&lab), wanted);

    let now = ours(&lab).rules[0].clone();
    let changed = FilterRule { action: enigma_fleet::inventory::RuleAction::Reject, ..now.rule.clone() };
    place.modify_rule(&now.id, &now.rule, &changed).await.unwrap();
    expect_told(&lab.refresh().await, "Filter rules changed by someone: 1", "-> reject");
    lab.settle(&fleet()).await;
    assert_eq!(rules(&lab), wanted);

    place.set_amazon_dns(&before.id, !before.amazon_dns).await.unwrap();
    expect_told(&lab.refresh().await, "Filter rules changed by someone: 1", "amazon-dns");
    lab.settle(&fleet()).await;
    assert_eq!(ours(&lab).amazon_dns, before.amazon_dns);
}

#[tokio::test(start_paused = true)]
async fn deleted_targets_and_filters_are_named_and_made_again() {
    let mut lab = Lab::applied(&fleet()).await;
    let strangers = lab.strangers();
    let place = lab.place().await;
    for session in lab.sessions() {
        place.delete_session(&session.id).await.unwrap();
    }
    let seen = lab.aws.contents(&home());
    let target = seen.targets.iter().find(|target| target.tags.contains_key(FLEET_TAG)).unwrap();
    place.delete_target(&target.id).await.unwrap();
    let filter = seen.filters.iter().find(|filter| filter.tags.contains_key(FLEET_TAG)).unwrap();
    for rule in &filter.rules {
        place.delete_rule(&rule.id).await.unwrap();
    }
    place.delete_filter(&filter.id).await.unwrap();
    let told = lab.refresh().await;
    expect_told(&told, "Objects deleted by someone: 2", "target 111111111111/us-east-1/main");
    expect_told(&told, "Objects deleted by someone: 2", "filter 111111111111/us-east-1/default");
    expect_told(&told, "Sessions deleted by someone: 4", "The plan makes them again");
    assert!(lab.stored.is_some(), "the fleet is remembered while its sources exist");
    lab.settle(&fleet()).await;
    assert_eq!((lab.objects(), lab.strangers()), ([1, 1, 4], strangers));
}

#[tokio::test(start_paused = true)]
async fn what_lost_its_tags_stays_the_fleets_and_is_tagged_again() {
    let lost = [vec![FLEET_TAG], vec![FLEET_TAG, KEY_TAG, "Name"], vec![KEY_TAG]];
    for tags in lost {
        let mut lab = Lab::applied(&fleet()).await;
        let (sessions, strangers) = (lab.sessions(), lab.strangers());
        let seen = lab.aws.contents(&home());
        let is_ours = |tags: &Tags| tags.contains_key(FLEET_TAG);
        let target = seen.targets.iter().find(|one| is_ours(&one.tags)).unwrap().id.clone();
        let filter = seen.filters.iter().find(|one| is_ours(&one.tags)).unwrap().id.clone();
        let place = lab.place().await;
        let keys: Vec<String> = tags.iter().map(|tag| (*tag).to_owned()).collect();
        for resource in [
            Resource::Target(target.clone()),
            Resource::Filter(filter),
            Resource::Session(sessions[0].id.clone()),
        ] {
            place.retag(&resource, &Tags::new(), &keys).await.unwrap();
        }
        let told = lab.refresh().await;
        expect_told(&told, "Objects without their tags", target.as_str());
        assert_eq!(told.iter().count(), 1, "nothing was deleted or changed: {told:#?}");
        let plan = lab.plan(&fleet()).await.unwrap();
        assert!(!plan.is_empty());
        assert_eq!(*plan.computed().rows(), lab.rows(), "numbers and VNIs stay");
        lab.settle(&fleet()).await;
        assert_eq!((lab.sessions(), lab.strangers()), (sessions, strangers), "{tags:?}");
        assert!(!lab.destroy().await.has_errors());
        lab.expect_nothing_left();
    }
}

#[tokio::test(start_paused = true)]
async fn a_destroy_takes_what_lost_its_tags_along() {
    let mut lab = Lab::applied(&fleet()).await;
    let strangers = lab.strangers();
    let place = lab.place().await;
    let seen = lab.aws.contents(&home());
    let target = seen.targets.iter().find(|one| one.tags.contains_key(FLEET_TAG)).unwrap();
    for resource in [Resource::Target(target.id.clone()), Resource::Session(lab.sessions()[0].id.clone())] {
        place.retag(&resource, &Tags::new(), &[FLEET_TAG.to_owned()]).await.unwrap();
    }
    assert!(!lab.destroy().await.has_errors());
    assert_eq!(lab.strangers(), strangers, "nothing is left among what is nobody's");
}

#[tokio::test(start_paused = true)]
async fn a_fleet_that_is_gone_with_its_sources_is_gone() {
    let mut lab = Lab::applied(&fleet()).await;
    let stored = lab.stored.clone();
    assert!(!lab.destroy().await.has_errors());
    for source in lab.sources.clone() {
        lab.aws.delete_interface(&home(), &source);
    }
    lab.stored = stored;
    drop(lab.refresh().await);
    drop(lab.refresh().await);
    assert_eq!(lab.stored, None, "Terraform plans it anew");
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_leaves_with_the_next_apply_whichever_the_state_knows() {
    for is_first in [false, true] {
        let mut lab = Lab::new().await;
        let theirs = if is_first { Some(lab.add_stranger(1, 50).await) } else { None };
        lab.settle(&fleet()).await;
        let theirs = match theirs {
            Some(theirs) => theirs,
            None => lab.add_stranger(1, 50).await,
        };
        let remembered = lab.rows()[&key(&lab.sources[1]).to_string()].session_id.clone().known().unwrap();
        assert_eq!(is_first, theirs.id.as_str() < remembered.as_str(), "ids ascend");
        let tags = Tags::from([
            (FLEET_TAG.to_owned(), "prod".to_owned()),
            (KEY_TAG.to_owned(), key(&lab.sources[1]).to_string()),
        ]);
        lab.place().await.retag(&Resource::Session(theirs.id.clone()), &tags, &[]).await.unwrap();
        lab.launch();
        let told = lab.run(&fleet()).await.unwrap();
        assert!(!told.has_errors(), "{told:?}");
        assert_eq!(lab.session_on(&lab.sources[1]).id.as_str(), remembered);
        lab.expect_settled(&fleet()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_cannot_be_read_keeps_its_rows() {
    let mut lab = Lab::applied(&fleet()).await;
    let before = lab.stored.clone().unwrap();
    lab.aws.deny(&home());
    let told = lab.refresh().await;
    expect_told(&told, "Account 111111111111 could not be read", "none of them is removed");
    let after = lab.stored.clone().unwrap();
    assert_eq!(after.value, before.value);
    assert_eq!(Memory::read(&after.private).unread, [home()].into());
    lab.aws.heal();
    assert_eq!(lab.refresh().await, Diagnostics::new());
    assert!(Memory::read(&lab.stored.as_ref().unwrap().private).unread.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_another_writer_makes_is_found_as_our_own() {
    let mut lab = Lab::applied(&fleet()).await;
    lab.launch();
    // Another state of the same fleet, as a scheduled run would have it.
    let stored = lab.stored.clone();
    lab.settle(&fleet()).await;
    lab.stored = stored;
    assert_eq!(lab.refresh().await, Diagnostics::new());
    assert!(lab.plan(&fleet()).await.unwrap().is_empty());
    lab.expect_state_is_world();
}

/// As if the last refresh or apply had been a day earlier.
fn let_a_day_pass(lab: &mut Lab) {
    let stored = lab.stored.as_mut().unwrap();
    let mut memory: Json = serde_json::from_slice(&stored.private).unwrap();
    for freed in memory["resting"].as_object_mut().unwrap().values_mut() {
        *freed = json!(freed.as_u64().unwrap() - REST.as_secs());
    }
    stored.private = serde_json::to_vec(&memory).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_freed_vni_means_nobody_else_for_a_day() {
    let resting = |lab: &Lab| Memory::read(&lab.stored.as_ref().unwrap().private).resting.vnis();
    // Four sources, and two VNIs to spare.
    let arguments = fleet_with(&json!({ "session": { "vni": { "from": 1, "to": 6 } } }));
    let mut lab = Lab::applied(&arguments).await;
    assert!(resting(&lab).is_empty());
    let freed = lab.session_on(&lab.sources[1]).vni.unwrap();
    lab.aws.delete_interface(&home(), &lab.sources[1]);
    lab.settle(&arguments).await;
    assert_eq!(resting(&lab), [freed].into(), "the refresh of the second plan lets it rest on");

    let new = [lab.launch(), lab.launch()];
    lab.settle(&arguments).await;
    assert!(new.iter().all(|source| lab.session_on(source).vni != Some(freed)));
    assert_eq!(resting(&lab), [freed].into());

    // A plan has no clock: what the last refresh or apply wrote down decides.
    let_a_day_pass(&mut lab);
    assert_eq!(resting(&lab), [freed].into());
    lab.expect_settled(&arguments).await;
    assert!(resting(&lab).is_empty());
    let last = lab.launch();
    lab.settle(&arguments).await;
    assert_eq!(lab.session_on(&last).vni, Some(freed));
}
