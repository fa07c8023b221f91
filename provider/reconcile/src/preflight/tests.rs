//! What is asked, how often, and what the answers carry.

use super::*;
use crate::kit::{ARN, aws_with, create_session, home, key, place, plan, whole};
use crate::ports::ErrorKind;
use enigma_fleet::plan::Stage;
use enigma_fleet::spec::{self, RawFleet, RawTarget};

fn spec() -> FleetSpec {
    let known = |text: &str| Given::Known(text.to_owned());
    let target = RawTarget { network_load_balancer_arn: known(ARN), ..RawTarget::default() };
    let raw = RawFleet {
        name: known("prod"),
        targets: Given::Known(BTreeMap::from([("t".to_owned(), Given::Known(target))])),
        ..RawFleet::default()
    };
    spec::parse(&raw).0.unwrap()
}

#[tokio::test(start_paused = true)]
async fn an_empty_plan_asks_nothing() {
    let (aws, _) = aws_with(1);
    let gathered = gather(&aws, &spec(), &home(), &plan(Vec::new())).await;
    assert_eq!((gathered.answers, gathered.unanswered), (Answers::default(), Vec::new()));
    assert!(aws.journal().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_sessions_are_tried_out_once() {
    let (aws, interfaces) = aws_with(1000);
    let gathered = gather(&aws, &spec(), &home(), &whole(&interfaces)).await;
    assert_eq!(gathered.answers.refusals, []);
    assert_eq!(gathered.unanswered, []);
    // Four kinds of writes and one load balancer.
    assert_eq!(aws.journal().len(), 5, "{:#?}", aws.journal());
    assert!(aws.contents(&home()).targets.is_empty(), "nothing was made");
    let balancer = gathered.answers.balancers[&"t".parse::<Label>().unwrap()].as_ref().unwrap();
    assert_eq!(balancer.listeners, [("UDP".to_owned(), VXLAN_PORT)]);
    assert!(balancer.is_cross_zone && balancer.receivers[0].is_healthy);
    assert_eq!(gathered.answers.estimate.unwrap().calls, 1003);
}

#[tokio::test(start_paused = true)]
async fn missing_permissions_are_named_by_place_and_action() {
    let (aws, interfaces) = aws_with(2);
    aws.deny_operation(&home(), "CreateTrafficMirrorSession");
    let gathered = gather(&aws, &spec(), &home(), &whole(&interfaces)).await;
    let [refusal] = gathered.answers.refusals.as_slice() else { panic!("{:?}", gathered.answers.refusals) };
    assert_eq!((&refusal.place, refusal.action.as_str()), (&home(), "ec2:CreateTrafficMirrorSession"));
}

#[tokio::test(start_paused = true)]
async fn what_fails_is_said_once_and_stops_no_other_answer() {
    let (aws, interfaces) = aws_with(1);
    let elsewhere = place("222222222222/us-east-1");
    let mut there = create_session(&interfaces[0], "f");
    if let Action::CreateSession { key, .. } = &mut there {
        key.place = elsewhere;
    }
    let actions = vec![create_session(&interfaces[0], "f"), there];
    aws.fail_next("DescribeLoadBalancers", 1, ErrorKind::Unavailable);
    let gathered = gather(&aws, &spec(), &home(), &plan(vec![(Stage::NewSessions, actions)])).await;
    assert_eq!(gathered.unanswered.len(), 2, "{:?}", gathered.unanswered);
    assert!(gathered.answers.balancers.is_empty(), "unknown is not absent");
    let removal = Action::DeleteFilter { key: key("f"), id: "tmf-00000000000000001".parse().unwrap() };
    aws.forget_calls();
    let gathered = gather(&aws, &spec(), &home(), &plan(vec![(Stage::UnusedFilters, vec![removal])])).await;
    assert!(gathered.answers.balancers.is_empty() && aws.journal().len() == 1, "a removal sends nothing");
}

#[test]
fn groups_decide_over_their_balancer() {
    let mut balancer = crate::memory::sound_balancer(ARN);
    balancer.is_cross_zone = false;
    assert!(!facts_of(&balancer).unwrap().is_cross_zone);
    for group in balancer.groups.values_mut() {
        group.is_cross_zone = Some(true);
    }
    assert!(facts_of(&balancer).unwrap().is_cross_zone);
    balancer.listeners[0].port = 4790;
    let facts = facts_of(&balancer).unwrap();
    assert!(facts.receivers.is_empty() && !facts.is_cross_zone);
    balancer.kind = "application".to_owned();
    assert_eq!(facts_of(&balancer), None);
}
