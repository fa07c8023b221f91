#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use enigma_aws_sim::{Admin, Sim, World};
use enigma_test_support::terraform::Workspace;
use enigma_test_support::{places, skip, tools};
use serde_json::Value;

pub mod company;
pub mod onlooker;

pub use company::Company;

/// The account of the laboratory's credentials.
pub const ACCOUNT: &str = "111111111111";
/// The Region of everything in it.
pub const REGION: &str = "us-east-1";
/// The address of the fleet in its root module.
pub const FLEET: &str = "enigma_mirror_fleet.it";
/// The VPC of [`Lab::world`].
pub const VPC: &str = "vpc-00000000000000001";
/// The load balancer of [`Lab::world`].
pub const NLB: &str =
    "arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/collectors/0123456789abcdef";

/// Runs `test` in every Terraform version found here; a version that is missing is reported as skipped.
///
/// # Panics
/// When a run fails, with the version's name.
pub fn versions(test: impl Fn(&Path) -> Result<()>) {
    for (name, found) in [("1.11", tools::terraform_1_11()), ("1.15", tools::terraform_1_15())] {
        match found {
            Ok(terraform) => test(&terraform)
                .with_context(|| format!("Terraform {name}"))
                .unwrap_or_else(|e| panic!("{e:?}")),
            Err(missing) => skip::skip(missing),
        }
    }
}

/// A simulated AWS and a workspace whose provider talks to it.
pub struct Lab {
    /// The simulated AWS.
    pub sim: Sim,
    /// The workspace.
    pub workspace: Workspace,
}

impl Lab {
    /// One account with a VPC of two subnets, a load balancer `collectors` and `machines`, which are TOML entries of a world.
    ///
    /// # Errors
    /// The entries do not fit the world, or a tool is missing.
    pub fn new(terraform: &Path, machines: &str) -> Result<Self> {
        Self::of(terraform, World::parse(&Self::world(machines))?)
    }

    /// A laboratory of any world whose access key is `test`.
    ///
    /// # Errors
    /// A tool is missing.
    pub fn of(terraform: &Path, world: World) -> Result<Self> {
        let sim = Sim::start(world)?;
        let mut workspace = Workspace::new(terraform)?;
        workspace.override_provider("enigma/enigma", &provider()?)?;
        Ok(Self { sim, workspace })
    }

    /// The world's text, for tests that need to change it before it starts.
    #[must_use]
    pub fn world(machines: &str) -> String {
        format!(
            r#"
account = "{ACCOUNT}"
region = "{REGION}"

[[accounts]]
id = "{ACCOUNT}"
access_keys = ["test"]

[[vpcs]]
name = "prod"
id = "{VPC}"
cidr = "10.0.0.0/16"

[[subnets]]
name = "a"
vpc = "prod"
cidr = "10.0.1.0/24"

[[subnets]]
name = "b"
vpc = "prod"
zone = "b"
cidr = "10.0.2.0/24"

[[load_balancers]]
name = "collectors"
arn = "{NLB}"

{machines}
"#
        )
    }

    /// Writes the root module: every interface of the VPC, one load balancer target, with `fleet` inside the resource
    /// and `rules` inside the data source's rules.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn configure(&self, rules: &str, fleet: &str) -> Result<()> {
        self.write(rules, &format!("members = data.enigma_mirror_interfaces.it.members\n{fleet}"))
    }

    /// Like [`Self::configure`], with `members` left to `fleet`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, rules: &str, fleet: &str) -> Result<()> {
        let head = self.provider_block();
        self.workspace.write(
            "main.tf",
            &format!(
                r#"{head}
data "enigma_mirror_interfaces" "it" {{
  rules = {{
    all = {{ vpc_ids = ["{VPC}"] }}
    {rules}
  }}
}}

resource "enigma_mirror_fleet" "it" {{
  name = "prod"
  {fleet}

  lifecycle {{
    postcondition {{
      condition     = self.pending_count == 0
      error_message = "${{self.pending_count}} sessions are pending."
    }}
  }}
}}
"#
            ),
        )
    }

    /// The `terraform` and `provider` blocks.
    #[must_use]
    pub fn provider_block(&self) -> String {
        let endpoint = self.sim.endpoint();
        format!(
            r#"terraform {{
  required_providers {{
    enigma = {{ source = "enigma/enigma" }}
  }}
}}

provider "enigma" {{
  region      = "{REGION}"
  access_key  = "test"
  secret_key  = "test"
  max_retries = 5
  endpoints   = {{ ec2 = "{endpoint}", sts = "{endpoint}", elbv2 = "{endpoint}", ram = "{endpoint}", organizations = "{endpoint}" }}
}}
"#
        )
    }

    /// The hand on the simulated AWS.
    #[must_use]
    pub fn admin(&self) -> Admin {
        self.sim.admin()
    }

    /// Somebody else makes an EC2 call; the reply's XML.
    ///
    /// # Errors
    /// The call is refused.
    pub fn call(&self, action: &str, parameters: &[(&str, &str)]) -> Result<String> {
        onlooker::call(&self.admin(), (ACCOUNT, REGION), action, parameters)
    }

    /// What exists in the simulated AWS: items of `set` of a describe call, each by its direct text children.
    ///
    /// # Errors
    /// The call is refused or its reply is not XML.
    pub fn describe(&self, action: &str, set: &str) -> Result<Vec<BTreeMap<String, String>>> {
        onlooker::describe(&self.admin(), (ACCOUNT, REGION), action, set)
    }

    /// All mirror sessions in the simulated AWS.
    ///
    /// # Errors
    /// As [`Self::describe`].
    pub fn sessions(&self) -> Result<Vec<BTreeMap<String, String>>> {
        self.describe("DescribeTrafficMirrorSessions", "trafficMirrorSessionSet")
    }

    /// How many targets, filters and sessions exist, whoever made them.
    ///
    /// # Errors
    /// As [`Self::describe`].
    pub fn objects(&self) -> Result<[usize; 3]> {
        Ok([
            self.describe("DescribeTrafficMirrorTargets", "trafficMirrorTargetSet")?.len(),
            self.describe("DescribeTrafficMirrorFilters", "trafficMirrorFilterSet")?.len(),
            self.sessions()?.len(),
        ])
    }

    /// The fleet's attributes in the state.
    ///
    /// # Errors
    /// There is no state, or no fleet in it.
    pub fn fleet(&self) -> Result<Value> {
        self.workspace.state_of(FLEET)?.context("there is no fleet in the state")
    }

    /// The fleet's change in a plan.
    ///
    /// # Errors
    /// The plan does not speak of the fleet.
    pub fn change(plan: &Value) -> Result<Value> {
        change(plan)
    }

    /// Demands that the fleet's state tells exactly what exists: same sessions, ids, numbers, VNIs.
    ///
    /// # Errors
    /// With the first difference.
    pub fn expect_state_is_world(&self) -> Result<()> {
        let stated = onlooker::stated(&self.fleet()?)?;
        let real: Vec<_> = self.sessions()?.iter().map(onlooker::identity).collect();
        onlooker::expect_same(stated, real)
    }
}

/// The fleet's change in a plan.
///
/// # Errors
/// The plan does not speak of the fleet.
pub fn change(plan: &Value) -> Result<Value> {
    plan["resource_changes"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|change| change["address"] == FLEET)
        .map(|change| change["change"].clone())
        .context("the plan does not speak of the fleet")
}

/// The key of an interface of this laboratory.
#[must_use]
pub fn key(interface: &str) -> String {
    format!("{ACCOUNT}/{REGION}/{interface}")
}

/// The primary interface of the instance of that name in the world.
#[must_use]
pub fn interface_of(instance: &str) -> String {
    World::id_of("eni", instance)
}

/// The provider's binary.
pub(crate) fn provider() -> Result<PathBuf> {
    places::bin("terraform-provider-enigma")
}

/// The names of a JSON object, sorted.
#[must_use]
pub fn names(object: &Value) -> Vec<String> {
    let mut names: Vec<String> =
        object.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
    names.sort();
    names
}

/// The names that `after` has and `before` has not, and the reverse.
#[must_use]
pub fn difference(before: &Value, after: &Value) -> (Vec<String>, Vec<String>) {
    let (before, after) = (names(before), names(after));
    let only =
        |these: &[String], those: &[String]| these.iter().filter(|n| !those.contains(n)).cloned().collect();
    (only(&after, &before), only(&before, &after))
}
