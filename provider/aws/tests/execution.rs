//! The executor, the adapter and the simulator together, in real time and under AWS's real buckets.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::collections::BTreeSet;
use std::sync::Arc;

use enigma_aws::{AwsCloud, AwsConfig, Endpoints, StaticKeys};
use enigma_aws_sim::{Fault, Outcome, Scope, Sim, Throttle, World};
use enigma_fleet::actions::{Action, Ref, SessionSettings};
use enigma_fleet::ids::{InterfaceId, MemberKey, ObjectKey, Place};
use enigma_fleet::inventory::{Destination, Tags};
use enigma_fleet::plan::{Plan, Stage, Wave};
use enigma_reconcile::execute::{Options, execute};
use enigma_reconcile::observe::{Scope as ObserveScope, observe};
use enigma_reconcile::pacing::Pacer;
use enigma_reconcile::ports::Cloud;
use tokio_util::sync::CancellationToken;

const ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/collectors/0123456789abcdef";
/// More than the burst of a bucket, so that pacing is needed, and few enough for a few seconds.
const MACHINES: usize = 60;

fn sim() -> Sim {
    let world = format!(
        r#"
        account = "111111111111"
        region = "us-east-1"
        accounts = [{{ id = "111111111111", access_keys = ["home"] }}]
        vpcs = [{{ name = "prod", cidr = "10.0.0.0/16" }}]
        subnets = [{{ name = "app", vpc = "prod", cidr = "10.0.0.0/20" }}]
        instances = [{{ name = "web-{{n}}", count = {MACHINES}, type = "m5.large", subnet = "app" }}]
        load_balancers = [{{ name = "collectors", arn = "{ARN}" }}]
        "#
    );
    Sim::start(World::parse(&world).unwrap()).unwrap()
}

async fn cloud(sim: &Sim) -> Arc<dyn Cloud> {
    let endpoint = Some(sim.endpoint().to_owned());
    let config = AwsConfig {
        region: Some("us-east-1".parse().unwrap()),
        static_keys: Some(StaticKeys { access_key: "home".into(), secret_key: "secret".into(), token: None }),
        endpoints: Endpoints {
            ec2: endpoint.clone(),
            elbv2: endpoint.clone(),
            organizations: endpoint.clone(),
            ram: endpoint.clone(),
            sts: endpoint,
        },
        ..AwsConfig::default()
    };
    Arc::new(AwsCloud::new(config).await.unwrap())
}

fn plan(home: &Place, interfaces: &[InterfaceId]) -> Plan {
    let key = ObjectKey { place: home.clone(), label: "main".parse().unwrap() };
    let target = Action::CreateTarget {
        key: key.clone(),
        destination: Destination::NetworkLoadBalancer(ARN.to_owned()),
        description: String::new(),
        tags: Tags::new(),
    };
    let filter = Action::CreateFilter { key: key.clone(), description: String::new(), tags: Tags::new() };
    let sessions = interfaces.iter().zip(1_i64..).map(|(interface, vni)| Action::CreateSession {
        key: MemberKey { place: home.clone(), interface: interface.clone() },
        settings: SessionSettings {
            target: Ref::Planned(key.clone()),
            filter: Ref::Planned(key.clone()),
            number: 1.try_into().unwrap(),
            vni: vni.try_into().unwrap(),
            packet_length: None,
            description: String::new(),
        },
        tags: Tags::new(),
    });
    let wave = |stage, actions| Wave { stage, actions };
    Plan {
        fleet: "prod".parse().unwrap(),
        waves: vec![
            wave(Stage::NewTargets, vec![target]),
            wave(Stage::NewFilters, vec![filter]),
            wave(Stage::NewSessions, sessions.collect()),
        ],
        source_gone: BTreeSet::new(),
        held_back: [].into(),
        findings: Vec::new(),
    }
}

#[tokio::test]
async fn creates_beyond_the_burst_are_never_throttled_and_lost_replies_make_nothing_twice() {
    let sim = sim();
    let cloud = cloud(&sim).await;
    let home = cloud.home().await.unwrap();
    let places = BTreeSet::from([home.clone()]);
    let seen = observe(cloud.as_ref(), &places, &ObserveScope::Discovery).await;
    let interfaces: Vec<InterfaceId> = seen.places[&home].interfaces.iter().map(|i| i.id.clone()).collect();
    assert_eq!(interfaces.len(), MACHINES);
    sim.admin().throttle(Throttle { enabled: true, ..Throttle::default() });
    sim.admin().fault(Fault::Lose {
        scope: Scope::action("CreateTrafficMirrorSession"),
        times: 2,
        effect: true,
        skip: 20,
    });
    let plan = plan(&home, &interfaces);
    let options = Options::new(1, Arc::new(Pacer::new()));
    let outcomes = execute(&plan, Arc::clone(&cloud), &options, &CancellationToken::new()).await;
    assert!(outcomes.is_complete(), "{:?}", outcomes.incomplete().collect::<Vec<_>>());

    let throttled = Outcome::Error("RequestLimitExceeded".to_owned());
    assert_eq!(sim.journal().iter().filter(|call| call.outcome == throttled).count(), 0);
    assert_eq!(sim.journal().iter().filter(|call| call.outcome == Outcome::ReplyLost).count(), 2);
    let seen = observe(cloud.as_ref(), &places, &ObserveScope::Discovery).await;
    let sources: BTreeSet<_> = seen.places[&home].sessions.iter().map(|session| &session.interface).collect();
    assert_eq!((seen.places[&home].sessions.len(), sources.len()), (MACHINES, MACHINES));
}

#[tokio::test]
async fn writes_that_another_tool_gets_throttled_are_finished_by_waiting() {
    let sim = sim();
    let cloud = cloud(&sim).await;
    let home = cloud.home().await.unwrap();
    sim.admin().fault(Fault::FailEvery {
        scope: Scope::action("CreateTrafficMirror*"),
        code: "RequestLimitExceeded".to_owned(),
        every: 2,
        seen: 0,
    });
    let options = Options::new(1, Arc::new(Pacer::new()));
    let plan = plan(&home, &[]);
    let outcomes = execute(&plan, Arc::clone(&cloud), &options, &CancellationToken::new()).await;
    assert!(outcomes.is_complete(), "{:?}", outcomes.incomplete().collect::<Vec<_>>());
    let throttled = Outcome::Error("RequestLimitExceeded".to_owned());
    assert_eq!(sim.journal().iter().filter(|call| call.outcome == throttled).count(), 1);
}
