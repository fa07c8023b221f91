//! Both modules in one root: hashicorp/aws makes the collectors on moto, our provider makes the fleet on the simulator,
//! which shows it moto's instances, the collectors' own included.

use std::path::Path;

use anyhow::{Context as _, Result};
use enigma_aws_sim::{Change, Options, Sim, World};
use enigma_test_support::tools;
use serde_json::{Value, json};

use crate::module::{COLLECTOR, FLEET, needs, root};
use crate::moto::Moto;
use crate::need;

/// The account of the credentials `test`, in moto as in the simulator.
const ACCOUNT: &str = "123456789012";

#[test]
fn collectors_and_fleet_are_made_and_destroyed_with_terraform_1_11() {
    lifecycle(&need!(needs(tools::terraform_1_11())));
}

#[test]
fn collectors_and_fleet_are_made_and_destroyed_with_terraform_1_15() {
    lifecycle(&need!(needs(tools::terraform_1_15())));
}

fn lifecycle(terraform: &Path) {
    need!(tools::python());
    need!(tools::aws_cli());
    let moto = Moto::start().unwrap();
    let network = Network::make(&moto).unwrap();
    let world = format!("accounts = [{{ id = \"{ACCOUNT}\", access_keys = [\"test\"] }}]\n");
    let options = Options { upstream: Some(moto.endpoint()), ..Options::default() };
    let sim = Sim::start_with(&World::parse(&world).unwrap(), options).unwrap();

    let main = configuration(&network, sim.endpoint());
    let workspace = root(terraform, &moto.endpoint(), &[COLLECTOR, FLEET], &main).unwrap();
    workspace.init().unwrap();

    // The plan names the interfaces, although the load balancer they will send to does not exist yet.
    let plan = workspace.plan::<&str>(&[]).unwrap();
    let planned = change(&plan, "module.fleet.enigma_mirror_fleet.this");
    assert_eq!(names(&planned["after"]["sessions"]), network.web, "{planned:#}");
    let found = prior(&plan, "module.fleet.data.enigma_mirror_interfaces.this");
    assert_eq!(found["skipped_by_reason"], json!({ "excluded": 1, "unsupported_instance_type": 1 }));
    workspace.apply_plan().unwrap().ok().unwrap();

    // By now the collectors run in the same VPC and match the same rule.
    workspace.expect_no_changes().unwrap();
    let plan = workspace.plan::<&str>(&[]).unwrap();
    let found = prior(&plan, "module.fleet.data.enigma_mirror_interfaces.this");
    assert_eq!(
        found["skipped_by_reason"],
        json!({ "collector": 2, "excluded": 1, "unsupported_instance_type": 1 })
    );

    let outputs = workspace.state().unwrap()["values"]["outputs"].clone();
    assert_eq!(outputs["sessions"]["value"], 3);
    let targets = describe(&sim, "DescribeTrafficMirrorTargets");
    assert!(targets.contains(outputs["nlb_arn"]["value"].as_str().unwrap()), "{targets}");
    let sessions = describe(&sim, "DescribeTrafficMirrorSessions");
    for key in &network.web {
        let source = format!("<networkInterfaceId>{}</networkInterfaceId>", key.rsplit('/').next().unwrap());
        assert_eq!(sessions.matches(&source).count(), 1, "{source} in {sessions}");
    }

    workspace.destroy().unwrap().ok().unwrap();
    for action in
        ["DescribeTrafficMirrorTargets", "DescribeTrafficMirrorFilters", "DescribeTrafficMirrorSessions"]
    {
        let left = describe(&sim, action);
        assert!(!left.contains("<item>"), "{action} after destroy: {left}");
    }
    let balancers = moto.ask("elbv2 describe-load-balancers").unwrap();
    assert_eq!(balancers["LoadBalancers"], json!([]));
    let left = moto.ask("ec2 describe-instances --filters Name=instance-state-name,Values=running").unwrap();
    let left: usize = left["Reservations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["Instances"].as_array().unwrap().len())
        .sum();
    assert_eq!(left, 5, "what was there before stays");
}

/// A VPC with machines that exist before anything is mirrored.
struct Network {
    vpc: String,
    subnets: [String; 2],
    /// Keys of the interfaces that the rules choose, sorted.
    web: Vec<String>,
}

impl Network {
    fn make(moto: &Moto) -> Result<Self> {
        let vpc = text(&moto.ask("ec2 create-vpc --cidr-block 10.0.0.0/16")?, "/Vpc/VpcId")?;
        let subnet = |zone: &str, range: &str| {
            let words = format!(
                "ec2 create-subnet --vpc-id {vpc} --availability-zone us-east-1{zone} --cidr-block {range}"
            );
            text(&moto.ask(&words)?, "/Subnet/SubnetId")
        };
        let subnets = [subnet("a", "10.0.1.0/24")?, subnet("b", "10.0.2.0/24")?];
        let run = |kind: &str, role: &str, count: usize, subnet: &str| {
            moto.ask(&format!(
                "ec2 run-instances --image-id ami-12c6146b --instance-type {kind} --count {count} --subnet-id {subnet} \
                 --tag-specifications ResourceType=instance,Tags=[{{Key=role,Value={role}}}]"
            ))
        };
        let web = run("m5.large", "web", 3, &subnets[0])?;
        run("m5.large", "backup", 1, &subnets[1])?;
        run("t2.micro", "web", 1, &subnets[1])?;
        let mut web = web["Instances"]
            .as_array()
            .context("instances")?
            .iter()
            .map(|instance| {
                let interface = text(instance, "/NetworkInterfaces/0/NetworkInterfaceId")?;
                Ok(format!("{ACCOUNT}/us-east-1/{interface}"))
            })
            .collect::<Result<Vec<_>>>()?;
        web.sort();
        Ok(Self { vpc, subnets, web })
    }
}

fn text(value: &Value, pointer: &str) -> Result<String> {
    Ok(value
        .pointer(pointer)
        .and_then(Value::as_str)
        .with_context(|| format!("no {pointer} in {value}"))?
        .to_owned())
}

fn configuration(network: &Network, endpoint: &str) -> String {
    let Network { vpc, subnets: [a, b], .. } = network;
    format!(
        r#"
terraform {{
  required_providers {{
    enigma = {{ source = "enigma/enigma" }}
  }}
}}

provider "enigma" {{
  region     = "us-east-1"
  access_key = "test"
  secret_key = "test"
  endpoints  = {{ ec2 = "{endpoint}", elbv2 = "{endpoint}", sts = "{endpoint}" }}
}}

module "collector" {{
  source = "./modules/collector"

  name       = "prod"
  vpc_id     = "{vpc}"
  subnet_ids = ["{a}", "{b}"]
  sources    = {{ cidr_blocks = ["10.0.0.0/16"] }}
  ami_id     = "ami-12c6146b"
  artifact = {{
    url    = "https://artifacts.example.com/enigma-collector-0.1.0.tar.gz"
    sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  }}
}}

module "fleet" {{
  source = "./modules/fleet"

  name = "prod"
  rules = {{
    everything = {{ vpc_ids = ["{vpc}"], priority = 200 }}
    backups    = {{ tags = {{ role = ["backup"] }}, mirror = false, priority = 1 }}
  }}
  targets = {{ collectors = {{ network_load_balancer_arn = module.collector.nlb_arn }} }}
}}

output "sessions" {{
  value = module.fleet.session_count
}}

output "nlb_arn" {{
  value = module.collector.nlb_arn
}}
"#
    )
}

/// What a plan makes of one resource.
fn change(plan: &Value, address: &str) -> Value {
    let changes = plan["resource_changes"].as_array().unwrap();
    let found = changes.iter().find(|change| change["address"] == address);
    found.unwrap_or_else(|| panic!("no {address} in the plan"))["change"].clone()
}

/// What a data source of a child module gave when the plan was made.
fn prior(plan: &Value, address: &str) -> Value {
    let modules = plan["prior_state"]["values"]["root_module"]["child_modules"].as_array().unwrap();
    let resources = modules.iter().flat_map(|module| module["resources"].as_array().into_iter().flatten());
    let found = resources.into_iter().find(|resource| resource["address"] == address);
    found.unwrap_or_else(|| panic!("no {address} in the prior state"))["values"].clone()
}

fn names(object: &Value) -> Vec<String> {
    let mut names: Vec<_> = object.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    names.sort();
    names
}

/// The simulator's answer to a describe call, whole.
fn describe(sim: &Sim, action: &str) -> String {
    let call = Change::Call {
        account: ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        action: action.to_owned(),
        parameters: Default::default(),
    };
    sim.admin().change(call).unwrap().reply.unwrap_or_default()
}
