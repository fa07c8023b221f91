use std::collections::BTreeSet;
use std::sync::Arc;

use enigma_fleet::inventory::Tags;
use enigma_reconcile::memory::MemoryAws;
use enigma_reconcile::ports::{Balancer, ClientToken, Cloud, NewSession, Receiver};
use enigma_tfplugin::{CancellationToken, ClientCapabilities};
use serde_json::{Value as Json, json};

use super::*;

const ARN: &str = "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/c/0123456789abcdef";

fn home() -> Place {
    Place { account: "111111111111".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

fn world() -> MemoryAws {
    let aws = MemoryAws::new(home());
    aws.add_load_balancer(&home(), ARN);
    aws
}

async fn ask(aws: &MemoryAws, written: &Json) -> Result<Dynamic, Diagnostics> {
    let reach = Reach::default();
    reach.open(Arc::new(aws.clone()), BTreeSet::new());
    let source = Target::new(reach);
    let mut config = Dynamic::from_typed(written).unwrap();
    source.schema().ty().complete(&mut config).unwrap();
    let cx = Context::new(CancellationToken::new(), ClientCapabilities::default());
    source.validate(&cx, config.clone()).await.into_result(())?;
    let mut state = source.read(&cx, config).await?.state;
    source.schema().ty().complete(&mut state).unwrap();
    assert!(state.is_wholly_known());
    Ok(state)
}

fn problems(state: &Dynamic) -> Vec<&str> {
    state.get("problems").and_then(Dynamic::as_list).unwrap().iter().filter_map(Dynamic::as_str).collect()
}

#[tokio::test]
async fn a_sound_load_balancer_has_no_problem() {
    let aws = world();
    aws.edit_balancer(&home(), ARN, |b| b.zones = [("us-east-1a".parse().unwrap(), None)].into());
    let state = ask(&aws, &json!({ "network_load_balancer_arn": ARN })).await.unwrap();
    assert_eq!(problems(&state), Vec::<&str>::new());
    let told = ["ready", "exists", "listener", "cross_zone", "receiver_count", "healthy_count", "capacity"]
        .map(|name| state.get(name).unwrap().clone());
    let expected = [true.into(), true.into(), true.into(), true.into(), 1.into(), 1.into(), Dynamic::Null];
    assert_eq!(told, expected);
    assert_eq!(state.get("availability_zones"), Some(&Dynamic::list(["us-east-1a"])));
}

#[tokio::test]
async fn each_fault_of_a_load_balancer_is_one_sentence() {
    type Edit = fn(&mut Balancer);
    fn receivers(balancer: &mut Balancer) -> &mut Vec<Receiver> {
        &mut balancer.groups.values_mut().next().unwrap().receivers
    }
    let faults: [(Edit, &str); 8] = [
        (|b| b.listeners.clear(), "no UDP listener on port 4789"),
        (|b| b.listeners[0].port = 4790, "no UDP listener on port 4789"),
        (|b| b.listeners[0].protocol = "TCP".to_owned(), "no UDP listener on port 4789"),
        (|b| receivers(b).clear(), "Nothing is registered"),
        (|b| receivers(b)[0].health = "unhealthy".to_owned(), "None of the 1 receivers is healthy"),
        (|b| b.kind = "application".to_owned(), "of type application"),
        (|b| b.state = "provisioning".to_owned(), "provisioning, not active"),
        (
            |b| {
                b.is_cross_zone = false;
                b.zones = ["us-east-1a", "us-east-1b"].map(|zone| (zone.parse().unwrap(), None)).into();
                receivers(b)[0].zone = Some("us-east-1a".parse().unwrap());
            },
            "node in us-east-1b are lost",
        ),
    ];
    for (edit, sentence) in faults {
        let aws = world();
        aws.edit_balancer(&home(), ARN, edit);
        let state = ask(&aws, &json!({ "network_load_balancer_arn": ARN })).await.unwrap();
        assert!(
            matches!(problems(&state).as_slice(), [one] if one.contains(sentence)),
            "{sentence}: {state:?}"
        );
        assert_eq!(state.get("ready"), Some(&Dynamic::from(false)));
    }
    // The group's own word counts more than the load balancer's.
    let aws = world();
    aws.edit_balancer(&home(), ARN, |b| {
        b.is_cross_zone = false;
        b.zones = ["us-east-1a", "us-east-1b"].map(|zone| (zone.parse().unwrap(), None)).into();
        b.groups.values_mut().next().unwrap().is_cross_zone = Some(true);
    });
    let state = ask(&aws, &json!({ "network_load_balancer_arn": ARN })).await.unwrap();
    assert_eq!(state.get("ready"), Some(&Dynamic::from(true)));
}

#[tokio::test]
async fn what_is_not_there_or_not_ours_is_told() {
    let aws = world();
    let gone = ARN.replace("net/c", "net/d");
    let state = ask(&aws, &json!({ "network_load_balancer_arn": gone })).await.unwrap();
    assert_eq!(state.get("exists"), Some(&Dynamic::from(false)));
    let foreign = ARN.replace("111111111111", "222222222222");
    let state = ask(&aws, &json!({ "network_load_balancer_arn": foreign })).await.unwrap();
    assert!(problems(&state)[0].contains("account 222222222222") && state.get("exists").unwrap().is_null());
    let state = ask(&aws, &json!({ "network_interface_id": "eni-0123456789abcdef0" })).await.unwrap();
    assert!(problems(&state)[0].contains("no network interface"), "{state:?}");
    let state =
        ask(&aws, &json!({ "gateway_load_balancer_endpoint_id": "vpce-0123456789abcdef0" })).await.unwrap();
    assert!(problems(&state).is_empty() && state.get("ready").unwrap().is_null());
}

#[tokio::test]
async fn an_interface_tells_its_room() {
    let aws = world();
    let (instance, collector) = aws.launch(&home(), "c5.24xlarge", &Tags::new());
    let (_, source) = aws.launch(&home(), "m5.large", &Tags::new());
    let open = aws.open(&home()).await.unwrap();
    let token = |name: &str| ClientToken(name.to_owned());
    let to = Destination::Interface(collector.clone());
    let target = open.create_target(&to, "", &Tags::new(), &token("t")).await.unwrap();
    let new = NewSession {
        interface: source.clone(),
        target: target.clone(),
        filter: open.create_filter("", &Tags::new(), &token("f")).await.unwrap(),
        number: 1.try_into().unwrap(),
        vni: 7.try_into().unwrap(),
        packet_length: None,
        description: String::new(),
        tags: Tags::new(),
        token: token("s"),
    };
    open.create_session(&new).await.unwrap();

    let state = ask(&aws, &json!({ "network_interface_id": collector.as_str() })).await.unwrap();
    assert_eq!(problems(&state), Vec::<&str>::new());
    assert_eq!(state.get("capacity"), Some(&Dynamic::from(100)));
    assert_eq!(state.get("source_count"), Some(&Dynamic::from(1)));
    assert_eq!(state.get("target_ids"), Some(&Dynamic::list([target.as_str()])));
    aws.set_instance_state(&home(), &instance, "stopped");
    let state = ask(&aws, &json!({ "network_interface_id": collector.as_str() })).await.unwrap();
    assert!(problems(&state)[0].ends_with("is stopped."), "{state:?}");
    let state = ask(&aws, &json!({ "network_interface_id": source.as_str() })).await.unwrap();
    assert!(problems(&state)[0].contains("is mirrored itself"), "{state:?}");
}

#[tokio::test]
async fn exactly_one_destination_in_its_form() {
    let aws = world();
    for (written, word) in [
        (json!({}), "0 are set"),
        (
            json!({ "network_load_balancer_arn": ARN, "network_interface_id": "eni-0123456789abcdef0" }),
            "2 are set",
        ),
        (json!({ "network_load_balancer_arn": "arn:aws:s3:::bucket" }), "not the ARN of a load balancer"),
        (json!({ "network_interface_id": "eni" }), "is not a network interface id"),
        (json!({ "gateway_load_balancer_endpoint_id": "vpc-1" }), "not the id of a VPC endpoint"),
    ] {
        let why = ask(&aws, &written).await.unwrap_err();
        assert!(why.iter().any(|told| told.detail.contains(word)), "{word}: {why:?}");
    }
    assert!(aws.journal().is_empty());
}
