//! The same small company twice: in memory and in the simulator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use enigma_aws::{AwsCloud, AwsConfig, Endpoints, OrganizationRole, StaticKeys};
use enigma_aws_sim::{Fault, Scope, Sim, World};
use enigma_fleet::ids::{InterfaceId, Place};
use enigma_fleet::inventory::Tags;
use enigma_reconcile::memory::MemoryAws;
use enigma_reconcile::ports::{Cloud, ErrorKind, OrganizationAccount, UnitId};

pub(crate) const ARN: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/collectors/0123456789abcdef";

/// The accounts by the names used in steps: home and two others of its organization, one of which is closed, and a stranger.
const ACCOUNTS: [(&str, &str); 4] = [
    ("home", "111111111111"),
    ("inside", "222222222222"),
    ("closed", "333333333333"),
    ("outside", "444444444444"),
];

/// One side.
pub(crate) struct Backend {
    pub(crate) name: &'static str,
    pub(crate) cloud: Arc<dyn Cloud>,
    /// The machine of each account.
    pub(crate) interfaces: BTreeMap<&'static str, InterfaceId>,
    kind: Kind,
}

enum Kind {
    Memory(MemoryAws),
    Simulated(Box<Sim>),
}

/// The number of an account; names that are none stand for themselves.
pub(crate) fn account(name: &str) -> &str {
    ACCOUNTS.iter().find(|(known, _)| *known == name).map_or(name, |(_, number)| number)
}

pub(crate) fn place(name: &str) -> Place {
    Place { account: account(name).parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

pub(crate) fn unit(name: &str) -> UnitId {
    let id = if name == "Root" { "r-root".to_owned() } else { World::unit_id(name) };
    id.parse().unwrap()
}

/// The company in memory.
pub(crate) fn memory() -> Backend {
    let aws = MemoryAws::new(place("home"));
    let mut interfaces = BTreeMap::new();
    for name in ["home", "inside", "outside"] {
        interfaces.insert(name, aws.launch(&place(name), "m5.large", &Tags::new()).1);
    }
    let member = |name: &str, status: &str, units: &[&str]| OrganizationAccount {
        id: account(name).parse().unwrap(),
        name: name.to_owned(),
        status: status.to_owned(),
        units: units.iter().map(|name| unit(name)).collect(),
    };
    aws.set_organization(vec![
        member("home", "ACTIVE", &["Root"]),
        member("inside", "ACTIVE", &["Root", "Workloads", "Prod"]),
        member("closed", "SUSPENDED", &["Root", "Workloads"]),
    ]);
    aws.set_sharing(true, Duration::ZERO);
    aws.add_load_balancer(&place("home"), ARN);
    Backend { name: "the memory AWS", cloud: Arc::new(aws.clone()), interfaces, kind: Kind::Memory(aws) }
}

const WORLD: &str = r#"
account = "111111111111"
region = "us-east-1"
sharing_milliseconds = 0
[organization]
management_account = "999999999999"
delegated_accounts = ["111111111111"]
sharing = true
units = [{ name = "Workloads" }, { name = "Prod", parent = "Workloads" }]
[[accounts]]
id = "999999999999"
[[accounts]]
id = "111111111111"
name = "home"
unit = "Root"
access_keys = ["home"]
[[accounts]]
id = "222222222222"
name = "inside"
unit = "Prod"
roles = [{ name = "m", trusted_accounts = ["111111111111"] }]
[[accounts]]
id = "333333333333"
name = "closed"
unit = "Workloads"
status = "SUSPENDED"
[[accounts]]
id = "444444444444"
name = "outside"
roles = [{ name = "m", trusted_accounts = ["111111111111"] }]
[[vpcs]]
name = "home"
cidr = "10.1.0.0/16"
[[subnets]]
name = "home"
vpc = "home"
cidr = "10.1.1.0/24"
[[instances]]
name = "home"
type = "m5.large"
subnet = "home"
[[vpcs]]
name = "inside"
account = "222222222222"
cidr = "10.2.0.0/16"
[[subnets]]
name = "inside"
vpc = "inside"
cidr = "10.2.1.0/24"
[[instances]]
name = "inside"
type = "m5.large"
subnet = "inside"
[[vpcs]]
name = "outside"
account = "444444444444"
cidr = "10.4.0.0/16"
[[subnets]]
name = "outside"
vpc = "outside"
cidr = "10.4.1.0/24"
[[instances]]
name = "outside"
type = "m5.large"
subnet = "outside"
[[target_groups]]
name = "collectors"
vpc = "home"
targets = [{ target = "home" }]
[[load_balancers]]
name = "collectors"
arn = "ARN"
subnets = ["home"]
cross_zone = true
listeners = [{ protocol = "UDP", port = 4789, target_group = "collectors" }]
"#;

/// The company in the simulator, seen through the real adapter.
pub(crate) async fn simulated() -> Backend {
    let sim = Sim::start(World::parse(&WORLD.replace("\"ARN\"", &format!("{ARN:?}"))).unwrap()).unwrap();
    let endpoint = Some(sim.endpoint().to_owned());
    let cloud = AwsCloud::new(AwsConfig {
        region: Some(place("home").region),
        static_keys: Some(StaticKeys { access_key: "home".into(), secret_key: "x".into(), token: None }),
        organization: Some(OrganizationRole { name: "m".to_owned(), ..OrganizationRole::default() }),
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
    let interfaces =
        ["home", "inside", "outside"].map(|name| (name, World::id_of("eni", name).parse().unwrap()));
    Backend {
        name: "the adapter on the simulator",
        cloud: Arc::new(cloud),
        interfaces: interfaces.into(),
        kind: Kind::Simulated(Box::new(sim)),
    }
}

impl Backend {
    /// The next call of `operation` fails on AWS's side.
    pub(crate) fn fail(&self, operation: &'static str) {
        match &self.kind {
            Kind::Memory(aws) => aws.fail_next(operation, 1, ErrorKind::Unavailable),
            Kind::Simulated(sim) => sim.admin().fault(Fault::FailNext {
                scope: Scope::action(operation),
                code: "InternalError".to_owned(),
                times: 1,
            }),
        }
    }

    /// The next call of `operation` takes effect, and its reply is lost.
    pub(crate) fn lose(&self, operation: &'static str) {
        match &self.kind {
            Kind::Memory(aws) => aws.lose_replies(operation, 1),
            Kind::Simulated(sim) => sim.admin().fault(Fault::Lose {
                scope: Scope::action(operation),
                times: 1,
                effect: true,
                skip: 0,
            }),
        }
    }
}
