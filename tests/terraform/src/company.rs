//! A company: a collector's account, member accounts in an organization, several Regions, and a workspace whose provider
//! reaches them all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use enigma_aws_sim::{Admin, Options, Scale, Sim, World};
use enigma_test_support::terraform::Workspace;
use serde_json::Value;

use crate::onlooker::{self, Item};
use crate::{FLEET, provider};

/// A simulated company and a workspace whose provider talks to it.
pub struct Company {
    /// The simulated AWS.
    pub sim: Sim,
    /// The workspace.
    pub workspace: Workspace,
    /// How large it is.
    pub scale: Scale,
}

/// What one account has in one Region, whoever made it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Belongings {
    /// Its own targets, without those shared with it.
    pub targets: Vec<Item>,
    /// Its filters.
    pub filters: Vec<Item>,
    /// Its own sessions, without those that others send to its targets.
    pub sessions: Vec<Item>,
}

fn workspace(terraform: &Path) -> Result<Workspace> {
    let mut workspace = Workspace::new(terraform)?;
    workspace.override_provider("enigma/enigma", &provider()?)?;
    Ok(workspace)
}

impl Company {
    /// A company of that size, with `edit` done to its world before it starts.
    ///
    /// # Errors
    /// The world is inconsistent, or a tool is missing.
    pub fn new(terraform: &Path, scale: Scale, edit: impl FnOnce(&mut World)) -> Result<Self> {
        let mut world = scale.world();
        edit(&mut world);
        let sim = Sim::start_with(&world, Options::default())?;
        Ok(Self { sim, workspace: workspace(terraform)?, scale })
    }

    /// The same company before another Terraform, with an empty workspace.
    ///
    /// # Errors
    /// A tool is missing.
    pub fn before(self, terraform: &Path) -> Result<Self> {
        Ok(Self { workspace: workspace(terraform)?, ..self })
    }

    /// `organization = {...}`: every account of the members' unit, in all Regions.
    #[must_use]
    pub fn organization(&self) -> String {
        format!(
            "organization = {{\n    unit_ids    = [\"{}\"]\n    role_name   = \"{}\"\n    external_id = \"{}\"\n    regions     = {:?}\n  }}",
            World::unit_id(Scale::UNIT),
            Scale::ROLE,
            Scale::EXTERNAL_ID,
            self.scale.regions,
        )
    }

    /// `accounts = {...}`: these members under the keys `member-1`, `member-2`, ..., in all Regions.
    #[must_use]
    pub fn accounts(&self, members: impl IntoIterator<Item = usize>) -> String {
        let regions = &self.scale.regions;
        let one = |member: usize| {
            format!(
                "    member-{member} = {{ role_arn = \"arn:aws:iam::{}:role/{}\", external_id = \"{}\", regions = {regions:?} }}\n",
                Scale::member(member),
                Scale::ROLE,
                Scale::EXTERNAL_ID,
            )
        };
        format!("accounts = {{\n{}  }}", members.into_iter().map(one).collect::<String>())
    }

    /// One target for each load balancer of each Region, under the keys `us-east-1-1`, ...
    #[must_use]
    pub fn targets(&self) -> String {
        let one = |region: &String, number: usize| {
            let arn = Scale::balancer(region, number);
            format!(
                "    {region}-{number} = {{ network_load_balancer_arn = \"{arn}\", region = \"{region}\" }}\n"
            )
        };
        let all: String = self
            .scale
            .regions
            .iter()
            .flat_map(|region| (1..=self.scale.balancers).map(move |number| one(region, number)))
            .collect();
        format!("targets = {{\n{all}  }}")
    }

    /// Writes the root module: `reach` in the provider block, `rules` in the data source, `fleet` in the resource.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, reach: &str, rules: &str, fleet: &str) -> Result<()> {
        let main = format!(
            r#"{head}
data "enigma_mirror_interfaces" "it" {{
  rules = {{
    {rules}
  }}
}}

resource "enigma_mirror_fleet" "it" {{
  name    = "prod"
  members = data.enigma_mirror_interfaces.it.members
  {fleet}

  lifecycle {{
    postcondition {{
      condition     = self.pending_count == 0
      error_message = "${{self.pending_count}} are pending."
    }}
  }}
}}
"#,
            head = self.head(reach),
        );
        self.workspace.write("main.tf", &main)
    }

    /// The `terraform` and `provider` blocks with `reach` in the latter.
    #[must_use]
    pub fn head(&self, reach: &str) -> String {
        let endpoint = self.sim.endpoint();
        let region = &self.scale.regions[0];
        let key = Scale::KEY;
        let endpoints: String = ["ec2", "sts", "elbv2", "ram", "organizations"]
            .iter()
            .map(|service| format!("    {service} = \"{endpoint}\"\n"))
            .collect();
        format!(
            r#"terraform {{
  required_providers {{
    enigma = {{ source = "enigma/enigma" }}
  }}
}}

provider "enigma" {{
  region      = "{region}"
  access_key  = "{key}"
  secret_key  = "{key}"
  max_retries = 3
  endpoints = {{
{endpoints}  }}
  {reach}
}}
"#
        )
    }

    /// The hand on the simulated AWS.
    #[must_use]
    pub fn admin(&self) -> Admin {
        self.sim.admin()
    }

    /// Every account of the company, the management account too.
    #[must_use]
    pub fn everybody(&self) -> Vec<String> {
        let fixed = [Scale::HOME, Scale::MANAGEMENT].map(str::to_owned);
        fixed.into_iter().chain((1..=self.scale.members).map(Scale::member)).collect()
    }

    /// What exists in every account and Region that has anything of traffic mirroring; keys are `account/region`.
    ///
    /// # Errors
    /// A reply is not understood.
    pub fn walk(&self) -> Result<BTreeMap<String, Belongings>> {
        let mut found = BTreeMap::new();
        for account in self.everybody() {
            for region in &self.scale.regions {
                let place = (account.as_str(), region.as_str());
                let list = |action: &str, set: &str| onlooker::describe(&self.admin(), place, action, set);
                let own =
                    |items: Vec<Item>| items.into_iter().filter(|item| item["ownerId"] == account).collect();
                let belongings = Belongings {
                    targets: own(list("DescribeTrafficMirrorTargets", "trafficMirrorTargetSet")?),
                    filters: list("DescribeTrafficMirrorFilters", "trafficMirrorFilterSet")?,
                    sessions: own(list("DescribeTrafficMirrorSessions", "trafficMirrorSessionSet")?),
                };
                if belongings != Belongings::default() {
                    found.insert(format!("{account}/{region}"), belongings);
                }
            }
        }
        Ok(found)
    }

    /// All sessions of all accounts.
    ///
    /// # Errors
    /// A reply is not understood.
    pub fn sessions(&self) -> Result<Vec<Item>> {
        Ok(self.walk()?.into_values().flat_map(|belongings| belongings.sessions).collect())
    }

    /// The fleet's attributes in the state.
    ///
    /// # Errors
    /// There is no state, or no fleet in it.
    pub fn fleet(&self) -> Result<Value> {
        self.workspace.state_of(FLEET)?.context("there is no fleet in the state")
    }

    /// Demands that nothing of traffic mirroring and no resource share is left in any account.
    ///
    /// # Errors
    /// Something is; with all of it.
    pub fn expect_nothing(&self) -> Result<()> {
        let (left, shares) = (self.walk()?, self.admin().shares());
        ensure!(left.is_empty() && shares.is_empty(), "left behind: {left:#?}\n{shares:#?}");
        Ok(())
    }

    /// Demands that the state tells exactly what exists in all accounts, and that no interface has two sessions of the fleet.
    ///
    /// # Errors
    /// With the first difference.
    pub fn expect_sessions(&self) -> Result<()> {
        self.expect_sessions_in(&self.walk()?)
    }

    fn expect_sessions_in(&self, walk: &BTreeMap<String, Belongings>) -> Result<()> {
        let ours = |item: &&Item| item.get("tag:enigma:fleet").is_some_and(|fleet| fleet == "prod");
        let sessions: Vec<&Item> = walk.values().flat_map(|there| &there.sessions).filter(ours).collect();
        let real = sessions.iter().map(|session| onlooker::identity(session)).collect();
        onlooker::expect_same(onlooker::stated(&self.fleet()?)?, real)?;
        let sources: BTreeSet<&String> =
            sessions.iter().map(|session| &session["networkInterfaceId"]).collect();
        ensure!(sources.len() == sessions.len(), "an interface has two sessions");
        Ok(())
    }

    /// Demands what [`Self::expect_sessions`] does, that no filter of the fleet is unused, and that in each Region
    /// one share holds exactly the fleet's targets and the accounts that have sessions there.
    ///
    /// # Errors
    /// With the first difference.
    pub fn expect_state_is_world(&self) -> Result<()> {
        let walk = self.walk()?;
        let ours = |item: &&Item| item.get("tag:enigma:fleet").is_some_and(|fleet| fleet == "prod");
        self.expect_sessions_in(&walk)?;
        for (place, there) in &walk {
            let used: BTreeSet<&String> =
                there.sessions.iter().map(|session| &session["trafficMirrorFilterId"]).collect();
            for filter in there.filters.iter().filter(ours) {
                ensure!(
                    used.contains(&filter["trafficMirrorFilterId"]),
                    "an unused filter in {place}: {filter:?}"
                );
            }
        }
        self.expect_shares(&walk)
    }

    fn expect_shares(&self, walk: &BTreeMap<String, Belongings>) -> Result<()> {
        let ours = |item: &&Item| item.get("tag:enigma:fleet").is_some_and(|fleet| fleet == "prod");
        for region in &self.scale.regions {
            let there = |account: &String| walk.get(&format!("{account}/{region}"));
            let mut consumers: Vec<String> = self
                .everybody()
                .into_iter()
                .filter(|account| account != Scale::HOME)
                .filter(|account| {
                    there(account).is_some_and(|place| place.sessions.iter().any(|one| ours(&one)))
                })
                .collect();
            consumers.sort();
            let targets: Vec<String> = there(&Scale::HOME.to_owned())
                .into_iter()
                .flat_map(|place| place.targets.iter().filter(ours))
                .map(|target| {
                    format!(
                        "arn:{}:ec2:{region}:{}:traffic-mirror-target/{}",
                        if region.starts_with("us-gov-") { "aws-us-gov" } else { "aws" },
                        Scale::HOME,
                        target["trafficMirrorTargetId"]
                    )
                })
                .collect();
            let shares: Vec<_> = self
                .admin()
                .shares()
                .into_iter()
                .filter(|share| {
                    share.region == *region && share.tags.get("enigma:fleet").is_some_and(|it| it == "prod")
                })
                .collect();
            if consumers.is_empty() {
                ensure!(shares.is_empty(), "{region}: a share for nobody: {shares:#?}");
                continue;
            }
            ensure!(shares.len() == 1, "{region}: one share is expected: {shares:#?}");
            ensure!(shares[0].principals == consumers, "{region}: {consumers:?} are expected: {shares:#?}");
            ensure!(shares[0].resources == targets, "{region}: {targets:?} are expected: {shares:#?}");
        }
        Ok(())
    }
}
