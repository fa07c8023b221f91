//! Every configuration under `examples/` is valid for the real Terraform with this very provider.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use enigma_aws_sim::{Sim, World};
use enigma_test_support::terraform::Workspace;
use enigma_test_support::{places, skip, tools};

fn examples() -> PathBuf {
    places::workspace_root().join("examples")
}

/// A workspace of every Terraform version found here.
fn workspaces() -> Vec<Workspace> {
    let found =
        [tools::terraform_1_11(), tools::terraform_1_15()].into_iter().filter_map(|found| match found {
            Ok(terraform) => Some(terraform),
            Err(missing) => {
                skip::skip(missing);
                None
            }
        });
    found
        .map(|terraform| {
            let mut workspace = Workspace::new(&terraform).unwrap();
            let provider = Path::new(env!("CARGO_BIN_EXE_terraform-provider-enigma"));
            workspace.override_provider("enigma/enigma", provider).unwrap();
            workspace
        })
        .collect()
}

fn expect_valid(workspace: &Workspace, name: &str) {
    let told = workspace.validate().unwrap();
    assert_eq!(told["valid"], true, "{name}: {told:#}");
    // A provider that is not installed is named in a warning of its own; there is no other.
    let warnings = told["diagnostics"].as_array().unwrap();
    let is_about_us =
        |told: &&serde_json::Value| told["summary"] != "Provider development overrides are in effect";
    assert_eq!(warnings.iter().find(is_about_us), None, "{name}");
}

#[test]
fn whole_examples_are_valid() {
    for name in ["organization", "quickstart"] {
        for workspace in workspaces() {
            workspace.copy_from(&examples().join(name)).unwrap();
            expect_valid(&workspace, name);
        }
    }
}

/// Snippets of the reference pages, with what they refer to.
#[test]
fn snippets_of_the_reference_are_valid() {
    let snippet = |path: &str| fs::read_to_string(examples().join(path)).unwrap();
    let interfaces = snippet("data-sources/enigma_mirror_interfaces/data-source.tf");
    let fleet = snippet("resources/enigma_mirror_fleet/resource.tf");
    // The load balancer comes from a module, and roles from another provider, which are not what is looked at here.
    let fleet = fleet.replace(
        "module.collector.nlb_arn",
        "\"arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/c/0123456789abcdef\"",
    );
    let policy = snippet("data-sources/enigma_iam_policy/data-source.tf");
    let (policy, _) = policy.split_once("# In each member account").unwrap();
    for workspace in workspaces() {
        workspace.write("provider.tf", &snippet("provider/provider.tf")).unwrap();
        workspace.write("target.tf", &snippet("data-sources/enigma_mirror_target/data-source.tf")).unwrap();
        workspace.write("policy.tf", policy).unwrap();
        workspace.write("fleet.tf", &format!("{interfaces}\n{fleet}")).unwrap();
        expect_valid(&workspace, "snippets");
    }
}

/// Two Regions, an organization with sharing, collectors in a security account, and three members.
fn organization() -> World {
    let mut world = String::from(
        r#"
        account = "111111111111"
        regions = ["us-east-1", "us-west-2"]
        [organization]
        management_account = "999999999999"
        delegated_accounts = ["111111111111"]
        sharing = true
        empty_pages = true
        units = [{ name = "Workloads" }, { name = "Prod", parent = "Workloads" }, { name = "Attic" }]
        [[accounts]]
        id = "999999999999"
        [[accounts]]
        id = "111111111111"
        unit = "Root"
        access_keys = ["home"]
        "#,
    );
    let members = ["222222222222", "333333333333", "444444444444"];
    for account in members {
        // Writing to a String does not fail.
        let _ok = write!(
            world,
            "[[accounts]]\nid = \"{account}\"\nname = \"a{account}\"\nunit = \"Prod\"\n\
             roles = [{{ name = \"enigma-mirror\", external_id = \"sesame\" }}]\n"
        );
    }
    for region in ["us-east-1", "us-west-2"] {
        let _ok = write!(
            world,
            "[[vpcs]]\nname = \"c-{region}\"\nregion = \"{region}\"\ncidr = \"10.1.0.0/16\"\n\
             [[subnets]]\nname = \"c-{region}\"\nvpc = \"c-{region}\"\ncidr = \"10.1.0.0/20\"\n\
             [[instances]]\nname = \"c-{region}\"\ntype = \"m5.large\"\nsubnet = \"c-{region}\"\n\
             [[target_groups]]\nname = \"g-{region}\"\nvpc = \"c-{region}\"\ntargets = [{{ target = \"c-{region}\" }}]\n\
             [[load_balancers]]\nname = \"lb-{region}\"\narn = \"{}\"\nregion = \"{region}\"\nsubnets = [\"c-{region}\"]\n\
             listeners = [{{ protocol = \"UDP\", port = 4789, target_group = \"g-{region}\" }}]\n",
            balancer(region)
        );
        for account in members {
            let name = format!("{account}-{region}");
            let _ok = write!(
                world,
                "[[vpcs]]\nname = \"{name}\"\naccount = \"{account}\"\nregion = \"{region}\"\ncidr = \"10.2.0.0/16\"\n\
                 [[subnets]]\nname = \"{name}\"\nvpc = \"{name}\"\ncidr = \"10.2.0.0/20\"\n\
                 [[instances]]\nname = \"{name}\"\ncount = 2\ntype = \"m5.large\"\nsubnet = \"{name}\"\ntags = {{ stage = \"prod\" }}\n"
            );
        }
    }
    World::parse(&world).unwrap()
}

fn balancer(region: &str) -> String {
    format!("arn:aws:elasticloadbalancing:{region}:111111111111:loadbalancer/net/lb/0123456789abcdef")
}

#[test]
fn the_organization_example_lives_and_dies_in_a_simulated_company() {
    for mut workspace in workspaces() {
        let sim = Sim::start(organization()).unwrap();
        workspace.copy_from(&examples().join("organization")).unwrap();
        workspace.env("AWS_ACCESS_KEY_ID", "home").env("AWS_SECRET_ACCESS_KEY", "x");
        let variables = format!(
            "unit_ids = [\"{}\"]\nexternal_id = \"sesame\"\nendpoint = \"{}\"\n\
             network_load_balancer_arns = {{ us-east-1 = \"{}\", us-west-2 = \"{}\" }}\n",
            World::unit_id("Workloads"),
            sim.endpoint(),
            balancer("us-east-1"),
            balancer("us-west-2"),
        );
        workspace.write("terraform.tfvars", &variables).unwrap();
        workspace.apply().unwrap().ok().unwrap();
        workspace.expect_no_changes().unwrap();
        let fleet = workspace.state_of("enigma_mirror_fleet.prod").unwrap().unwrap();
        let policy = workspace.state_of("data.enigma_iam_policy.prod").unwrap().unwrap();
        assert_eq!(
            fleet["sessions"].as_object().unwrap().len(),
            12,
            "three accounts, two Regions, two machines"
        );
        let written = ["CreateResourceShare", "AssumeRole", "ListAccountsForParent"];
        let calls = sim.journal();
        assert!(written.iter().all(|action| calls.iter().any(|call| call.action == *action)));

        workspace.destroy().unwrap().ok().unwrap();
        expect_least_privilege(&sim, &policy);
    }
}

/// Nothing was called, from the first plan to the destroy, that the policies of `enigma_iam_policy` do not allow.
fn expect_least_privilege(sim: &Sim, policy: &serde_json::Value) {
    let rows = policy["statements"].as_array().unwrap();
    let allowed = |name: &str| -> BTreeSet<&str> {
        let of_policy = rows.iter().filter(|row| row["policy"] == name);
        of_policy
            .flat_map(|row| row["actions"].as_array().unwrap())
            .map(|action| action.as_str().unwrap())
            .collect()
    };
    let (home, member) = (allowed("collector_account"), allowed("member_role"));
    let called: BTreeSet<(bool, String)> = sim
        .journal()
        .into_iter()
        // AWS asks no permission for it.
        .filter(|call| call.action != "GetCallerIdentity")
        .map(|call| (call.account == "111111111111", format!("{}:{}", call.service, call.action)))
        .collect();
    let forbidden: Vec<_> = called
        .iter()
        .filter(|(is_home, action)| !if *is_home { &home } else { &member }.contains(action.as_str()))
        .collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
    assert!(called.len() > 20, "{called:?}");
}
