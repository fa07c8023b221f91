//! What is asked, how often, and what the answers carry.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::balancers::facts_of;
use super::*;
use crate::kit::{ARN, aws_with, create_session, home, key, place, plan, whole};
use crate::ports::{ErrorKind, InterfaceScope};
use crate::recall::Recall;
use enigma_fleet::check::InterfaceFacts;
use enigma_fleet::inventory::Tags;
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
    // Three kinds of writes that can be judged (the rule is in a filter that does not exist yet) and one load balancer.
    assert_eq!(aws.journal().len(), 4, "{:#?}", aws.journal());
    assert!(aws.contents(&home()).targets.is_empty(), "nothing was made");
    let balancer = gathered.answers.balancers[&"t".parse::<Label>().unwrap()].as_ref().unwrap();
    assert_eq!(balancer.listeners, [("UDP".to_owned(), 4789)]);
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

#[tokio::test(start_paused = true)]
async fn a_service_that_does_not_answer_costs_seconds_and_one_finding() {
    let (aws, interfaces) = aws_with(1);
    aws.delay(&home(), "DescribeLoadBalancers", Duration::from_secs(3600));
    aws.deny_operation(&home(), "CreateTrafficMirrorSession");
    let began = Instant::now();
    let gathered = gather(&aws, &spec(), &home(), &whole(&interfaces)).await;
    assert_eq!(began.elapsed().as_secs(), 20);
    let [unanswered] = gathered.unanswered.as_slice() else { panic!("{:?}", gathered.unanswered) };
    let words = unanswered.to_string();
    for word in ["Elastic Load Balancing could not be asked", "in 111111111111/us-east-1", "20 s", "60 s"] {
        assert!(words.contains(word), "{words} lacks {word}");
    }
    assert!(gathered.answers.balancers.is_empty(), "unknown is not absent");
    assert_eq!(gathered.answers.refusals.len(), 1, "what others answered is kept");
}

#[tokio::test(start_paused = true)]
async fn a_company_that_does_not_answer_costs_a_minute() {
    let aws = crate::kit::aws();
    let filters = (0..150).map(|number| {
        let place = place(&format!("{number:012}/us-east-1"));
        aws.add_place(&place);
        aws.delay(&place, "CreateTrafficMirrorFilter", Duration::from_secs(3600));
        let key = enigma_fleet::ids::ObjectKey { place, label: "f".parse().unwrap() };
        Action::CreateFilter { key, description: String::new(), tags: Tags::new() }
    });
    let plan = plan(vec![(Stage::NewFilters, filters.collect())]);
    let began = Instant::now();
    let gathered = gather(&aws, &spec(), &home(), &plan).await;
    assert_eq!(began.elapsed().as_secs(), 60);
    let [Unanswered::Late { service, places }] = gathered.unanswered.as_slice() else {
        panic!("{:?}", gathered.unanswered)
    };
    assert_eq!((*service, places.len()), ("EC2", 150));
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_is_told_although_the_next_dry_run_fails() {
    for kind in [ErrorKind::NoReply, ErrorKind::Throttled] {
        let (aws, interfaces) = aws_with(1);
        aws.deny_operation(&home(), "CreateTrafficMirrorFilter");
        aws.fail_next("CreateTrafficMirrorSession", 1, kind);
        let gathered = gather(&aws, &spec(), &home(), &whole(&interfaces)).await;
        let refused: Vec<_> = gathered.answers.refusals.iter().map(|one| one.action.as_str()).collect();
        assert_eq!(refused, ["ec2:CreateTrafficMirrorFilter"]);
        assert!(matches!(&gathered.unanswered[..], [Unanswered::Failed(error)] if error.kind == kind));
    }
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

/// Registers an instance behind the load balancer of a place, in no zone that Elastic Load Balancing tells.
fn register(aws: &crate::memory::MemoryAws, instance: &enigma_fleet::ids::InstanceId) {
    aws.edit_balancer(&home(), ARN, |balancer| {
        for receiver in balancer.groups.values_mut().flat_map(|group| &mut group.receivers) {
            (receiver.id, receiver.zone) = (instance.to_string(), None);
        }
    });
}

#[tokio::test(start_paused = true)]
async fn instances_behind_a_load_balancer_are_where_discovery_saw_them() {
    let (aws, interfaces) = aws_with(2);
    let (collector, interface) = aws.launch(&home(), "m5.large", &Tags::new());
    aws.edit_interface(&home(), &interface, |one| one.zone = "us-east-1f".parse().unwrap());
    register(&aws, &collector);
    let zone = |gathered: &Gathered| {
        let balancer = gathered.answers.balancers[&"t".parse::<Label>().unwrap()].as_ref().unwrap();
        balancer.receivers[0].zone.clone()
    };
    let recall = Recall::new(Arc::new(aws.clone()));
    let unseen = gather(&recall, &spec(), &home(), &whole(&interfaces)).await;
    assert_eq!(zone(&unseen), None, "nobody looked at interfaces");
    recall.forget();
    recall.open(&home()).await.unwrap().interfaces(&InterfaceScope::All).await.unwrap();
    aws.forget_calls();
    let seen = gather(&recall, &spec(), &home(), &whole(&interfaces)).await;
    assert_eq!(zone(&seen).unwrap().as_str(), "us-east-1f");
    let balancer = seen.answers.balancers[&"t".parse::<Label>().unwrap()].as_ref().unwrap();
    assert_eq!(balancer.receivers[0].instance, Some(collector));
    assert!(aws.journal().iter().all(|call| call.operation != "DescribeNetworkInterfaces"));
    let stranger = "i-0fedcba9876543210".parse().unwrap();
    register(&aws, &stranger);
    recall.forget();
    recall.open(&home()).await.unwrap().interfaces(&InterfaceScope::All).await.unwrap();
    let unknown = gather(&recall, &spec(), &home(), &whole(&interfaces)).await;
    assert_eq!(zone(&unknown), None, "an instance of others stays unknown");
}

/// Behind load balancers there are instances and addresses; both are found among what was seen, in whichever account it is.
#[tokio::test(start_paused = true)]
async fn addresses_behind_a_load_balancer_are_interfaces_that_discovery_saw() {
    let (aws, interfaces) = aws_with(1);
    let member = place("222222222222/us-east-1");
    let vpc: enigma_fleet::ids::VpcId = "vpc-0000000a".parse().unwrap();
    let address = |number| std::net::Ipv4Addr::new(10, 9, 8, number);
    let mut launched = Vec::new();
    for (number, place) in [(1, home()), (2, member.clone()), (3, home())] {
        let (instance, interface) = aws.launch(&place, "m5.large", &Tags::new());
        aws.edit_interface(&place, &interface, |one| {
            // The address of the third means another machine, in another VPC.
            let near = if number == 3 { "vpc-0000000b".parse().unwrap() } else { vpc.clone() };
            (one.vpc, one.secondary_ipv4) = (near, vec![address(number)]);
        });
        launched.push((instance, interface));
    }
    aws.edit_balancer(&home(), ARN, |balancer| {
        balancer.vpc = Some(vpc.clone());
        let group = balancer.groups.values_mut().next().unwrap();
        group.kind = "ip".to_owned();
        let receiver = crate::ports::Receiver { zone: None, ..group.receivers[0].clone() };
        let at = |number| crate::ports::Receiver { id: address(number).to_string(), ..receiver.clone() };
        group.receivers = vec![at(1), at(2), at(3)];
    });
    let recall = Recall::new(Arc::new(aws.clone()));
    for place in [home(), member.clone()] {
        recall.open(&place).await.unwrap().interfaces(&InterfaceScope::All).await.unwrap();
    }
    aws.forget_calls();
    let mut plan = whole(&interfaces);
    let key = enigma_fleet::ids::ObjectKey { place: member, label: "f".parse().unwrap() };
    plan.waves[1].actions.push(Action::CreateFilter { key, description: String::new(), tags: Tags::new() });
    let gathered = gather(&recall, &spec(), &home(), &plan).await;
    assert!(aws.journal().iter().all(|call| call.operation != "DescribeNetworkInterfaces"));
    let balancer = gathered.answers.balancers[&"t".parse::<Label>().unwrap()].as_ref().unwrap();
    for (index, (receiver, (instance, interface))) in balancer.receivers.iter().zip(&launched).enumerate() {
        let is_found = index < 2;
        assert_eq!(receiver.interface.as_ref(), is_found.then_some(interface), "{index}");
        assert_eq!(receiver.instance.as_ref(), is_found.then_some(instance), "{index}");
        assert_eq!(receiver.zone.is_some(), is_found, "{index}");
        assert_eq!(receiver.address, Some(address(u8::try_from(index).unwrap() + 1).into()));
    }
}

#[tokio::test(start_paused = true)]
async fn the_vpcs_of_destinations_and_the_instances_of_interfaces_are_told_for_a_call_to_each_place() {
    let (aws, interfaces) = aws_with(2);
    let (instance, receiver) = aws.launch(&home(), "m5.large", &Tags::new());
    aws.edit_interface(&home(), &receiver, |one| {
        one.vpc = "vpc-0000000b".parse().unwrap();
        (one.ipv4, one.ipv6) = (None, vec!["fd00::1".parse().unwrap()]);
    });
    aws.edit_balancer(&home(), ARN, |balancer| balancer.vpc = Some("vpc-0000000a".parse().unwrap()));
    let mut spec = spec();
    let mut behind = spec.targets[&"t".parse::<Label>().unwrap()].clone();
    behind.destination = Given::Known(Destination::Interface(receiver.clone()));
    behind.kind = Some(spec::DestinationKind::Interface);
    let label: Label = "u".parse().unwrap();
    spec.targets.insert(label.clone(), behind);
    let vpcs = |gathered: &Gathered| -> Vec<String> {
        gathered.answers.paths.target_vpcs.iter().map(|(label, vpc)| format!("{label} {vpc}")).collect()
    };
    let reads = |aws: &crate::memory::MemoryAws| {
        aws.journal().iter().filter(|call| call.operation == "DescribeNetworkInterfaces").count()
    };
    let balanced = gather(&aws, &spec_without(&spec, &label), &home(), &whole(&interfaces)).await;
    assert_eq!((vpcs(&balanced), reads(&aws)), (vec!["t vpc-0000000a".to_owned()], 0));
    assert!(
        balanced.answers.paths.over_ipv6.is_empty() && balanced.answers.paths.target_instances.is_empty()
    );
    let asked = gather(&aws, &spec, &home(), &whole(&interfaces)).await;
    assert_eq!(vpcs(&asked), ["t vpc-0000000a", "u vpc-0000000b"]);
    assert_eq!(asked.answers.paths.target_instances, [(label.clone(), instance)].into());
    assert_eq!((asked.answers.paths.over_ipv6, reads(&aws)), ([label.clone()].into(), 1));
    assert_eq!(
        asked.answers.interfaces,
        [(label.clone(), Some(InterfaceFacts { is_attached: true }))].into()
    );
    aws.edit_interface(&home(), &receiver, |one| one.attachment = None);
    let detached = gather(&aws, &spec, &home(), &whole(&interfaces)).await;
    let facts = InterfaceFacts { is_attached: false };
    assert_eq!(detached.answers.interfaces, [(label.clone(), Some(facts))].into());
    aws.delete_interface(&home(), &receiver);
    let gone = gather(&aws, &spec, &home(), &whole(&interfaces)).await;
    assert_eq!(gone.answers.interfaces, [(label, None)].into());
    aws.fail_next("DescribeNetworkInterfaces", 1, ErrorKind::Unavailable);
    let failed = gather(&aws, &spec, &home(), &whole(&interfaces)).await;
    assert_eq!((vpcs(&failed), failed.unanswered.len()), (vec!["t vpc-0000000a".to_owned()], 1));
}

fn spec_without(spec: &FleetSpec, label: &Label) -> FleetSpec {
    let mut spec = spec.clone();
    spec.targets.remove(label);
    spec
}
