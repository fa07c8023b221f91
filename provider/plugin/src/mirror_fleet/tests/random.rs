//! Any sequence of changes, drift and applies: each apply ends with a state that is the world and an empty second plan.

use enigma_fleet::actions::Resource;
use enigma_fleet::inventory::Tags;
use enigma_fleet::ownership::{COLLECTOR_TAG, FLEET_TAG, KEY_TAG};
use enigma_reconcile::ports::{ErrorKind, SessionPatch};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::lab::{ARN, Lab, OTHER_ARN, fleet_with, home};

/// Stands for the interface of a collector in what is wished for.
const RECEIVER: &str = "eni-0000000000000ffff";

#[derive(Clone, Debug)]
enum Event {
    Launch,
    Terminate(usize),
    DeleteSession(usize),
    MoveNumber(usize, i64),
    DeleteRule(usize),
    SwitchDns,
    Stranger(usize, i64),
    /// An apply of which each so manieth create fails, and that is not repaired before the next event.
    FailEvery(usize),
    /// Somebody removes this tag from one of the fleet's objects: a target, a filter or a session.
    Untag(&'static str, usize, usize),
    /// The state is lost and imported.
    Import,
}

fn events() -> impl Strategy<Value = Vec<(Event, Json)>> {
    let event = prop_oneof![
        Just(Event::Launch),
        (0_usize..8).prop_map(Event::Terminate),
        (0_usize..8).prop_map(Event::DeleteSession),
        ((0_usize..8), (1_i64..200)).prop_map(|(at, number)| Event::MoveNumber(at, number)),
        (0_usize..4).prop_map(Event::DeleteRule),
        Just(Event::SwitchDns),
        ((0_usize..8), (1_i64..200)).prop_map(|(at, number)| Event::Stranger(at, number)),
        (1_usize..4).prop_map(Event::FailEvery),
        Just(Event::Import),
        (prop_oneof![Just(FLEET_TAG), Just(KEY_TAG)], 0_usize..3, 0_usize..4)
            .prop_map(|(tag, kind, at)| Event::Untag(tag, kind, at)),
    ];
    proptest::collection::vec((event, wishes()), 1..6)
}

fn wishes() -> impl Strategy<Value = Json> {
    let length = prop_oneof![Just(Json::Null), Just(json!(256)), Just(json!(8500))];
    (any::<bool>(), 0..5_usize, any::<bool>(), any::<bool>(), length).prop_map(
        |(other, shape, web, tagged, length)| {
            let balancer = |arn: &str| json!({ "network_load_balancer_arn": arn });
            let interface = || json!({ "network_interface_id": RECEIVER });
            let (arn, rest) = if other { (OTHER_ARN, ARN) } else { (ARN, OTHER_ARN) };
            let targets = match shape {
                0 => json!({ "main": balancer(arn) }),
                1 => json!({ "main": balancer(arn), "another": balancer(rest) }),
                2 => json!({ "main": interface() }),
                // The same destinations under other labels.
                3 => json!({ "main": balancer(arn), "another": interface() }),
                _ => json!({ "collectors": interface() }),
            };
            let filters = if web {
                json!({ "web": { "dns": true, "rules": [
                    { "action": "reject", "protocol": "tcp", "local_ports": ["22"] },
                    { "action": "accept" },
                ] } })
            } else {
                Json::Null
            };
            let tags = if tagged { json!({ "team": "secops" }) } else { Json::Null };
            fleet_with(&json!({
                "targets": targets, "filters": filters, "tags": tags, "session": { "packet_length": length },
            }))
        },
    )
}

async fn happen(lab: &mut Lab, event: &Event, wish: &Json) {
    let place = lab.place().await;
    let sessions = lab.sessions();
    let session = |at: usize| sessions.get(at % sessions.len().max(1));
    match event {
        Event::Launch => drop(lab.launch()),
        Event::Terminate(at) if lab.sources.len() > 1 => {
            let gone = lab.sources.remove(at % lab.sources.len());
            lab.aws.delete_interface(&home(), &gone);
        }
        Event::Terminate(_) => {}
        Event::DeleteSession(at) => {
            if let Some(session) = session(*at) {
                lab.aws.delete_session_behind_our_back(&home(), &session.id);
            }
        }
        Event::MoveNumber(at, number) => {
            if let Some(session) = session(*at) {
                let patch =
                    SessionPatch { number: Some((*number).try_into().unwrap()), ..SessionPatch::default() };
                // Refused where somebody holds the number.
                drop(place.modify_session(&session.id, &patch).await);
            }
        }
        Event::DeleteRule(at) => {
            let filters = lab.aws.contents(&home()).filters.into_iter();
            let rules: Vec<_> = filters
                .filter(|filter| filter.tags.contains_key(FLEET_TAG))
                .flat_map(|filter| filter.rules)
                .collect();
            if let Some(rule) = rules.get(*at) {
                place.delete_rule(&rule.id).await.unwrap();
            }
        }
        Event::SwitchDns => {
            let filters = lab.aws.contents(&home()).filters.into_iter();
            for filter in filters.filter(|filter| filter.tags.contains_key(FLEET_TAG)) {
                place.set_amazon_dns(&filter.id, !filter.amazon_dns).await.unwrap();
            }
        }
        Event::Stranger(at, number) => {
            let at = at % lab.sources.len();
            let held = lab.aws.contents(&home()).sessions;
            let mut on_it = held.iter().filter(|session| session.interface == lab.sources[at]);
            // One slot of AWS's three stays free for the fleet.
            if on_it.clone().count() < 2 && on_it.all(|session| i64::from(session.number) != *number) {
                lab.add_stranger(at, *number).await;
            }
        }
        Event::FailEvery(nth) => {
            for operation in
                ["CreateTrafficMirrorSession", "CreateTrafficMirrorFilterRule", "ModifyTrafficMirrorSession"]
            {
                lab.aws.fail_every(operation, *nth, ErrorKind::Unavailable);
            }
            drop(lab.run(wish).await.unwrap());
            lab.aws.heal();
            lab.expect_state_tells_the_world();
        }
        Event::Untag(tag, kind, at) => {
            let seen = lab.aws.contents(&home());
            let is_ours = |tags: &Tags| tags.contains_key(FLEET_TAG);
            let ours: Vec<Resource> = match kind {
                0 => seen
                    .targets
                    .iter()
                    .filter(|one| is_ours(&one.tags))
                    .map(|one| Resource::Target(one.id.clone()))
                    .collect(),
                1 => seen
                    .filters
                    .iter()
                    .filter(|one| is_ours(&one.tags))
                    .map(|one| Resource::Filter(one.id.clone()))
                    .collect(),
                _ => sessions.iter().map(|one| Resource::Session(one.id.clone())).collect(),
            };
            if let Some(resource) = ours.get(*at) {
                place.retag(resource, &Tags::new(), &[(*tag).to_owned()]).await.unwrap();
            }
        }
        Event::Import => {
            if lab.stored.take().is_some() {
                lab.import("prod").await.unwrap();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_each_apply_the_second_plan_is_empty_and_the_state_is_the_world(story in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut lab = Lab::new().await;
            // A collector is never a source, so it may be a target at any time.
            let collector = Tags::from([(COLLECTOR_TAG.to_owned(), "yes".to_owned())]);
            let receiver = lab.aws.launch(&home(), "m5.large", &collector).1;
            for (event, wish) in &story {
                let wish = serde_json::from_str(&wish.to_string().replace(RECEIVER, receiver.as_str())).unwrap();
                happen(&mut lab, event, &wish).await;
                let strangers = lab.strangers();
                lab.settle(&wish).await;
                if !matches!(event, Event::Untag(..)) {
                    assert_eq!(lab.strangers(), strangers);
                }
            }
            let strangers = lab.strangers();
            assert!(!lab.destroy().await.has_errors());
            assert_eq!((lab.objects(), lab.strangers()), ([0, 0, 0], strangers));
        });
    }
}
