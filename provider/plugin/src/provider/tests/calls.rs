//! How many calls a plan with its refresh makes against pages as AWS cuts them: one for each started thousand objects of a kind.

use std::collections::BTreeMap;

use enigma_aws_sim::{Sim, World};
use enigma_fleet::ids::{MemberKey, Place};
use enigma_fleet::ownership::KEY_TAG;
use enigma_reconcile::ports::{ClientToken, MirrorScope, NewSession};
use enigma_tfplugin::{Create, Plan, Private, Read, Resource};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use super::simulator::{configured, context, everything};
use super::*;
use crate::mirror_fleet::MirrorFleet;

const ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/collectors/0123456789abcdef";

fn world(machines: usize) -> World {
    let world = format!(
        r#"
        account = "111111111111"
        [[accounts]]
        id = "111111111111"
        access_keys = ["home"]
        [[vpcs]]
        name = "prod"
        cidr = "10.0.0.0/16"
        [[subnets]]
        name = "wide"
        vpc = "prod"
        cidr = "10.0.128.0/17"
        [[instances]]
        name = "web-{{n}}"
        count = {machines}
        type = "m5.large"
        subnet = "wide"
        [[load_balancers]]
        name = "collectors"
        arn = "{ARN}"
        "#
    );
    World::parse(&world).unwrap()
}

/// The question that Terraform asks for these members and this state.
fn question(
    fleet: &MirrorFleet,
    members: Dynamic,
    prior: Option<(Dynamic, Private)>,
) -> Plan<Dynamic, Dynamic> {
    let arguments = json!({ "name": "prod", "targets": { "main": { "network_load_balancer_arn": ARN } } });
    let mut config = Dynamic::from_typed(&arguments).unwrap();
    fleet.schema().ty().complete(&mut config).unwrap();
    let mut proposed = prior.as_ref().map_or_else(|| config.clone(), |(state, _)| state.clone());
    fleet.schema().ty().complete(&mut proposed).unwrap();
    let Dynamic::Map(attributes) = &mut config else { panic!("an object") };
    attributes.insert("members".to_owned(), members);
    let (prior, prior_private) = prior.map(|(state, private)| (Some(state), private)).unwrap_or_default();
    Plan { prior, config, proposed, prior_private }
}

fn members(found: &Dynamic) -> BTreeMap<String, Dynamic> {
    found.get("members").and_then(Dynamic::as_map).unwrap().clone()
}

/// A fleet that mirrors every machine of `sim`, as its state says. One session is made by an apply and the others
/// after its model, because an apply keeps AWS's rate of five a second.
async fn mirrored(sim: &Sim) -> (Dynamic, Private) {
    let enigma = configured(sim, &json!({})).await;
    let fleet = MirrorFleet::new(enigma.reach.clone());
    // Entries of places come along; a member has its interface at the end of its key.
    let mut all = members(&everything(&enigma).await.0);
    all.retain(|key, _| key.contains("/eni-"));
    let one = Dynamic::map(all.iter().take(1).map(|(key, member)| (key.clone(), member.clone())));
    let asked = question(&fleet, one, None);
    let config = asked.config.clone();
    let planned = fleet.plan(&context(), asked).await.unwrap().state;
    let create = Create { planned, config, planned_private: Private::new() };
    let made = fleet.create(&context(), create).await.unwrap();
    assert!(made.diagnostics.is_empty(), "{:?}", made.diagnostics);

    let home = Place { account: "111111111111".parse().unwrap(), region: "us-east-1".parse().unwrap() };
    let (cloud, _) = enigma.reach.home("test").await.unwrap();
    let place = cloud.open(&home).await.unwrap();
    let model = place.sessions(&MirrorScope::All).await.unwrap().remove(0);
    let others = all.keys().skip(1).enumerate().map(|(number, key)| {
        let (place, model) = (&place, &model);
        async move {
            let source: MemberKey = key.parse().unwrap();
            let mut tags = model.tags.clone();
            tags.insert(KEY_TAG.to_owned(), key.clone());
            let vni = i64::from(model.vni.unwrap()) + 1 + number as i64;
            let session = NewSession {
                interface: source.interface,
                target: model.target.clone(),
                filter: model.filter.clone(),
                number: model.number,
                vni: vni.try_into().unwrap(),
                packet_length: model.packet_length,
                description: model.description.clone(),
                tags,
                token: ClientToken(key.clone()),
            };
            place.create_session(&session).await
        }
    });
    stream::iter(others).buffer_unordered(16).try_collect::<Vec<_>>().await.unwrap();
    let request = Read { state: made.state.unwrap(), private: made.private.unwrap() };
    let refreshed = fleet.read(&context(), request).await.unwrap();
    let mut state = refreshed.state.unwrap();
    fleet.schema().ty().complete(&mut state).unwrap();
    assert_eq!(state.get("session_count"), Some(&Dynamic::from(all.len() as i64)));
    (state, refreshed.private.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_with_its_refresh_makes_one_call_for_each_started_thousand_of_a_kind() {
    for (machines, calls) in [(1_000_usize, 1_usize), (1_001, 2)] {
        let sim = Sim::start(world(machines)).unwrap();
        let (state, private) = mirrored(&sim).await;
        // Terraform starts a new process for every command.
        let enigma = configured(&sim, &json!({})).await;
        let fleet = MirrorFleet::new(enigma.reach.clone());
        sim.admin().clear_journal();
        let found = everything(&enigma).await.0;
        let seen = fleet.read(&context(), Read { state, private }).await.unwrap();
        assert!(seen.diagnostics.is_empty(), "{:?}", seen.diagnostics);
        let mut state = seen.state.unwrap();
        fleet.schema().ty().complete(&mut state).unwrap();
        let members = Dynamic::Map(members(&found));
        let asked = question(&fleet, members, Some((state.clone(), seen.private.unwrap())));
        let planned = fleet.plan(&context(), asked).await.unwrap();
        assert!(planned.state == state && planned.diagnostics.is_empty(), "nothing is to be done");

        let mut made: BTreeMap<String, usize> = BTreeMap::new();
        for call in sim.journal() {
            *made.entry(call.action).or_default() += 1;
        }
        let many = ["DescribeInstances", "DescribeNetworkInterfaces", "DescribeTrafficMirrorSessions"];
        for (action, count) in &made {
            let wanted = if many.contains(&action.as_str()) { calls } else { 1 };
            assert_eq!(*count, wanted, "{action} of {machines}: {made:?}");
        }
        assert!(many.iter().all(|action| made.contains_key(*action)), "{made:?}");
    }
}
