//! The same small world twice: in memory and in the simulator.

use std::collections::BTreeMap;
use std::sync::Arc;

use enigma_aws::{AwsCloud, AwsConfig, Endpoints, StaticKeys};
use enigma_aws_sim::{Change, Fault, Quotas as SimQuotas, Scope, Sim, World};
use enigma_fleet::ids::{InterfaceId, Place};
use enigma_fleet::inventory::Tags;
use enigma_reconcile::memory::{MemoryAws, Quotas};
use enigma_reconcile::ports::{Cloud, ErrorKind, MirrorPlace};

pub(crate) const ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/collectors/0123456789abcdef";
/// Interfaces of ordinary machines.
const MACHINES: [&str; 6] = ["a", "b", "c", "d", "collector", "second"];
const QUOTA_SESSIONS: usize = 5;
const QUOTA_TARGETS: usize = 3;
const QUOTA_FILTERS: usize = 3;
const QUOTA_RULES: usize = 4;
const QUOTA_SOURCES: usize = 2;

/// What goes wrong with the next call of an action.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trouble {
    /// The service fails on its side.
    Fails,
    /// The effect happens, the reply is lost.
    LosesReply,
    /// The bucket is empty.
    Throttles,
}

/// One side.
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) place: Arc<dyn MirrorPlace>,
    /// Interfaces by the names used in steps.
    pub(crate) interfaces: BTreeMap<&'static str, InterfaceId>,
    kind: Kind,
}

enum Kind {
    Memory(MemoryAws),
    Simulated(Box<Sim>),
}

fn home() -> Place {
    Place { account: "111111111111".parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

fn named(name: &str) -> Tags {
    Tags::from([("Name".to_owned(), name.to_owned())])
}

/// The world in memory.
pub(crate) async fn memory() -> Backend {
    let (aws, home) = (MemoryAws::new(home()), home());
    aws.add_load_balancer(&home, ARN);
    aws.set_quotas(Quotas {
        sessions: QUOTA_SESSIONS,
        targets: QUOTA_TARGETS,
        filters: QUOTA_FILTERS,
        rules_per_filter: QUOTA_RULES,
        sources_per_interface_target: QUOTA_SOURCES,
        ..Quotas::default()
    });
    let mut interfaces = BTreeMap::new();
    for name in MACHINES {
        interfaces.insert(name, aws.launch(&home, "m5.large", &named(name)).1);
    }
    for (name, instance_type) in [("too new", "m8g.large"), ("bare metal", "m6i.metal")] {
        interfaces.insert(name, aws.launch(&home, instance_type, &named(name)).1);
    }
    for name in ["loose", "database", "balancer", "function"] {
        let id = aws.launch(&home, "m5.large", &named(name)).1;
        aws.edit_interface(&home, &id, |interface| {
            interface.attachment = None;
            interface.is_requester_managed = name != "loose";
            interface.requester = match name {
                "database" => Some("amazon-rds".to_owned()),
                "balancer" => Some("amazon-elb".to_owned()),
                _ => None,
            };
            if name == "function" {
                interface.kind = "lambda".to_owned();
            }
        });
        interfaces.insert(name, id);
    }
    let six = aws.launch(&home, "m5.large", &named("six only")).1;
    aws.edit_interface(&home, &six, |interface| {
        interface.subnet = "subnet-0000000000000beef".parse().unwrap();
    });
    aws.add_subnet(&home, "subnet-0000000000000beef".parse().unwrap(), true);
    interfaces.insert("six only", six);
    let place = aws.open(&home).await.unwrap();
    Backend { name: "the memory AWS", place, interfaces, kind: Kind::Memory(aws) }
}

const WORLD: &str = r#"
account = "111111111111"
region = "us-east-1"
[[accounts]]
id = "111111111111"
access_keys = ["test"]
[[vpcs]]
name = "prod"
cidr = "10.0.0.0/16"
[[subnets]]
name = "app"
vpc = "prod"
cidr = "10.0.1.0/24"
[[subnets]]
name = "v6"
vpc = "prod"
ipv6_cidr = "2001:db8:1::/64"
[[instances]]
name = "too new"
type = "m8g.large"
subnet = "app"
[[instances]]
name = "bare metal"
type = "m6i.metal"
subnet = "app"
[[instances]]
name = "six only"
type = "m5.large"
subnet = "v6"
[[interfaces]]
name = "loose"
subnet = "app"
[[interfaces]]
name = "database"
subnet = "app"
requester_managed = true
requester_id = "amazon-rds"
[[interfaces]]
name = "balancer"
subnet = "app"
requester_managed = true
requester_id = "amazon-elb"
[[interfaces]]
name = "function"
subnet = "app"
type = "lambda"
requester_managed = true
"#;

/// The world in the simulator, seen through the real adapter.
pub(crate) async fn simulated() -> Backend {
    let machines: String = MACHINES
        .iter()
        .map(|name| format!("[[instances]]\nname = \"{name}\"\ntype = \"m5.large\"\nsubnet = \"app\"\n"))
        .collect();
    let balancer = format!("[[load_balancers]]\nname = \"collectors\"\narn = \"{ARN}\"\n");
    let sim = Sim::start(World::parse(&format!("{WORLD}{machines}{balancer}")).unwrap()).unwrap();
    sim.admin().quotas(SimQuotas {
        sessions: QUOTA_SESSIONS,
        targets: QUOTA_TARGETS,
        filters: QUOTA_FILTERS,
        rules_per_filter: QUOTA_RULES,
        sources_per_interface_target: QUOTA_SOURCES,
        ..SimQuotas::default()
    });
    let endpoint = Some(sim.endpoint().to_owned());
    let cloud = AwsCloud::new(AwsConfig {
        region: Some(home().region),
        static_keys: Some(StaticKeys { access_key: "test".into(), secret_key: "x".into(), token: None }),
        endpoints: Endpoints {
            ec2: endpoint.clone(),
            elbv2: endpoint.clone(),
            organizations: endpoint.clone(),
            ram: endpoint.clone(),
            sts: endpoint,
        },
        // One try, so that a fault is seen where the memory AWS shows it.
        max_retries: Some(0),
        ..AwsConfig::default()
    })
    .await
    .unwrap();
    let place = cloud.open(&home()).await.unwrap();
    let interfaces = MACHINES
        .into_iter()
        .chain(["too new", "bare metal", "six only", "loose", "database", "balancer", "function"])
        .map(|name| (name, World::id_of("eni", name).parse().unwrap()))
        .collect();
    Backend { name: "the adapter on the simulator", place, interfaces, kind: Kind::Simulated(Box::new(sim)) }
}

impl Backend {
    /// The next call of `operation` goes wrong.
    pub(crate) fn trouble(&self, operation: &'static str, trouble: Trouble) {
        match (&self.kind, trouble) {
            (Kind::Memory(aws), Trouble::Fails) => aws.fail_next(operation, 1, ErrorKind::Unavailable),
            (Kind::Memory(aws), Trouble::Throttles) => aws.fail_next(operation, 1, ErrorKind::Throttled),
            (Kind::Memory(aws), Trouble::LosesReply) => aws.lose_replies(operation, 1),
            (Kind::Simulated(sim), Trouble::LosesReply) => sim.admin().fault(Fault::Lose {
                scope: Scope::action(operation),
                times: 1,
                effect: true,
                skip: 0,
            }),
            (Kind::Simulated(sim), failing) => {
                let code = match failing {
                    Trouble::Throttles => "RequestLimitExceeded",
                    _ => "InternalError",
                };
                sim.admin().fault(Fault::FailNext {
                    scope: Scope::action(operation),
                    code: code.to_owned(),
                    times: 1,
                });
            }
        }
    }

    /// Whether this account may call anything.
    pub(crate) fn deny(&self, is_denied: bool) {
        match (&self.kind, is_denied) {
            (Kind::Memory(aws), true) => aws.deny(&home()),
            (Kind::Memory(aws), false) => aws.heal(),
            (Kind::Simulated(sim), true) => sim.admin().fault(Fault::Deny { scope: Scope::action("*") }),
            (Kind::Simulated(sim), false) => sim.admin().clear_faults(),
        }
    }

    /// An interface is deleted by somebody else.
    pub(crate) fn delete_interface(&self, interface: &InterfaceId) {
        match &self.kind {
            Kind::Memory(aws) => aws.delete_interface(&home(), interface),
            Kind::Simulated(sim) => {
                sim.admin().change(Change::DeleteInterface { interface: interface.to_string() }).unwrap();
            }
        }
    }
}
