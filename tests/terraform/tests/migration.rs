//! Sessions made with hashicorp/aws become a fleet's: none is made again, none is without a filter or target for a moment.
//!
//! The steps are those of `docs/guides/migration.md`.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use enigma_terraform_tests::{FLEET, Lab, NLB, REGION, VPC, change, names, onlooker, versions};
use enigma_test_support::terraform::Workspace;
use enigma_test_support::{bin, skip, tools};

const MACHINES: &str =
    "[[instances]]\nname = \"web-{n}\"\ncount = 4\ntype = \"m5.large\"\nsubnets = [\"a\", \"b\"]\n";

/// What there is before: a target, a filter with two rules, and a session for each of three interfaces.
const BEFORE: &str = r#"
resource "aws_ec2_traffic_mirror_target" "collectors" { network_load_balancer_arn = var.nlb }

resource "aws_ec2_traffic_mirror_filter" "all" { network_services = ["amazon-dns"] }

resource "aws_ec2_traffic_mirror_filter_rule" "all" {
  for_each                 = { ingress = 1, egress = 2 }
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_direction        = each.key
  rule_number              = each.value
  rule_action              = "accept"
  source_cidr_block        = "0.0.0.0/0"
  destination_cidr_block   = "0.0.0.0/0"
}
"#;

const SESSIONS: &str = r#"
resource "aws_ec2_traffic_mirror_session" "web" {
  for_each                 = toset(var.interfaces)
  network_interface_id     = each.value
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.all.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.collectors.id
  session_number           = 7
  packet_length            = 8500 # what AWS reports for load balancers; 3.39 does not know it as computed
}
"#;

/// Terraform forgets the sessions and leaves them in AWS.
const FORGOTTEN: &str = r#"
removed {
  from = aws_ec2_traffic_mirror_session.web
  lifecycle { destroy = false }
}
"#;

fn fleet(adopt: &str) -> String {
    format!(
        r#"
data "enigma_mirror_interfaces" "it" {{
  rules = {{ all = {{ vpc_ids = ["{VPC}"] }} }}
}}

resource "enigma_mirror_fleet" "it" {{
  name    = "prod"
  members = data.enigma_mirror_interfaces.it.members
  targets = {{ main = {{ network_load_balancer_arn = "{NLB}" }} }}
  session = {{ number = 7 }} # what the sessions have: otherwise they get the fleet's default, 100
  safety  = {{ adopt = "{adopt}" }}
}}
"#
    )
}

/// A root module with both providers and an installed plugin of each.
struct Root {
    lab: Lab,
    workspace: Workspace,
}

impl Root {
    fn new(terraform: &Path) -> Result<Self> {
        let lab = Lab::new(terraform, MACHINES)?;
        let mut workspace = Workspace::new(terraform)?;
        workspace.install_aws_provider()?;
        workspace.install_provider(
            "enigma/enigma",
            env!("CARGO_PKG_VERSION"),
            &bin("terraform-provider-enigma")?,
        )?;
        let endpoint = lab.sim.endpoint();
        let listed: Vec<String> = (1..=3).map(interface).collect();
        workspace.write(
            "providers.tf",
            &format!(
                r#"terraform {{
  required_providers {{
    aws    = {{ source = "hashicorp/aws", version = "{}" }}
    enigma = {{ source = "enigma/enigma" }}
  }}
}}
provider "aws" {{
  region                      = "{REGION}"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  max_retries                 = 1
  endpoints {{
    ec2 = "{endpoint}"
    sts = "{endpoint}"
  }}
}}
provider "enigma" {{
  region     = "{REGION}"
  access_key = "test"
  secret_key = "test"
  endpoints  = {{ ec2 = "{endpoint}", sts = "{endpoint}", elbv2 = "{endpoint}", ram = "{endpoint}", organizations = "{endpoint}" }}
}}
variable "nlb" {{ default = "{NLB}" }}
variable "interfaces" {{ default = {listed:?} }}
"#,
                tools::AWS_PROVIDER
            ),
        )?;
        workspace.write("main.tf", &format!("{BEFORE}{SESSIONS}"))?;
        workspace.init()?;
        workspace.apply()?.ok()?;
        ensure!(lab.objects()? == [1, 1, 3]);
        Ok(Self { lab, workspace })
    }

    /// Ids of the sessions on the interfaces that had one before.
    fn migrated(&self) -> Result<Vec<onlooker::Item>> {
        let listed: Vec<String> = (1..=3).map(interface).collect();
        let mut found = self.lab.sessions()?;
        found.retain(|session| listed.contains(&session["networkInterfaceId"]));
        found.sort_by(|left, right| left["trafficMirrorSessionId"].cmp(&right["trafficMirrorSessionId"]));
        Ok(found)
    }
}

fn interface(number: usize) -> String {
    enigma_terraform_tests::interface_of(&format!("web-{number}"))
}

#[test]
fn sessions_of_hashicorp_aws_become_the_fleets_without_an_uncovered_moment() {
    if let Err(missing) = tools::aws_provider_mirror() {
        return skip::skip(missing);
    }
    versions(|terraform| {
        let root = Root::new(terraform)?;
        let before = root.migrated()?;

        // Step 1: Terraform forgets the sessions, the fleet takes them over. The plan says which.
        root.workspace.write("main.tf", &format!("{BEFORE}{FORGOTTEN}{}", fleet("matching")))?;
        let plan = root.workspace.plan::<&str>(&[])?;
        let planned = change(&plan)?["after"]["sessions"].clone();
        ensure!(names(&planned).len() == 4, "{planned}");
        let text = root.workspace.run(&["plan"])?.ok()?.folded();
        for session in &before {
            ensure!(
                text.contains(&session["trafficMirrorSessionId"]),
                "the plan names what it takes over: {text}"
            );
        }
        root.lab.admin().clear_journal();
        root.workspace.apply_plan()?.ok()?;

        let after = root.migrated()?;
        let field = |sessions: &[onlooker::Item], name: &str| -> Vec<String> {
            sessions.iter().map(|session| session[name].clone()).collect()
        };
        for same in ["trafficMirrorSessionId", "networkInterfaceId", "sessionNumber", "virtualNetworkId"] {
            let (before, after) = (field(&before, same), field(&after, same));
            ensure!(before == after, "{same} changed: {before:?} {after:?}");
        }
        ensure!(after.iter().all(|session| session["tag:enigma:fleet"] == "prod"), "{after:?}");
        expect_always_covered(&root.lab)?;
        ensure!(root.lab.sessions()?.len() == 4, "the interface without a session got one");

        // Step 2: nothing uses the old target and filter any more, so Terraform destroys them.
        root.workspace.write("main.tf", &fleet("matching"))?;
        root.workspace.apply()?.ok()?;
        ensure!(root.lab.objects()? == [1, 1, 4], "{:?}", root.lab.objects()?);
        root.workspace.expect_no_changes()?;

        // Step 3: adoption is no longer needed, and leaving it out changes nothing.
        root.workspace.write("main.tf", &fleet("none"))?;
        root.workspace.apply()?.ok()?;
        ensure!(
            field(&before, "trafficMirrorSessionId") == field(&root.migrated()?, "trafficMirrorSessionId")
        );
        let state = root.workspace.state_of(FLEET)?.context("there is no fleet in the state")?;
        onlooker::expect_same(
            onlooker::stated(&state)?,
            root.lab.sessions()?.iter().map(onlooker::identity).collect(),
        )?;
        root.workspace.expect_no_changes()?;
        root.workspace.destroy()?.ok()?;
        ensure!(root.lab.objects()? == [0, 0, 0]);
        Ok(())
    });
}

/// No session was deleted or made anew, and each new filter had all of its rules before the first session used it.
fn expect_always_covered(lab: &Lab) -> Result<()> {
    let journal = lab.sim.journal();
    let position = |action: &str, key: &str| {
        journal.iter().position(|call| call.action == action && call.parameters.contains_key(key))
    };
    let deleted: Vec<_> = journal.iter().filter(|call| call.action == "DeleteTrafficMirrorSession").collect();
    ensure!(deleted.is_empty(), "{deleted:?}");
    let listed: Vec<String> = (1..=3).map(interface).collect();
    let made = journal.iter().filter(|call| call.action == "CreateTrafficMirrorSession");
    let again: Vec<_> = made.filter(|call| listed.contains(&call.parameters["NetworkInterfaceId"])).collect();
    ensure!(again.is_empty(), "{again:?}");
    let moved = position("ModifyTrafficMirrorSession", "TrafficMirrorFilterId")
        .context("no session got the fleet's filter")?;
    let last_rule = journal
        .iter()
        .rposition(|call| call.action == "CreateTrafficMirrorFilterRule")
        .context("no rules were made")?;
    ensure!(last_rule < moved, "a session used the new filter before its rules were there");
    Ok(())
}

#[test]
fn without_adoption_what_others_made_stays_theirs() {
    if let Err(missing) = tools::aws_provider_mirror() {
        return skip::skip(missing);
    }
    versions(|terraform| {
        let root = Root::new(terraform)?;
        let before = root.migrated()?;
        root.workspace.write("main.tf", &format!("{BEFORE}{SESSIONS}{}", fleet("none")))?;
        root.workspace.apply()?.ok()?;
        ensure!(
            root.lab.sessions()?.len() == 3 + 4,
            "each interface has a session of the fleet's beside the other"
        );
        let after: Vec<_> = root.migrated()?.into_iter().filter(|session| before.contains(session)).collect();
        ensure!(after == before, "the others are as they were: {after:?}");
        root.workspace.expect_no_changes()
    });
}
