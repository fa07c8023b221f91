//! Every configuration under `examples/` is valid for the real Terraform with this very provider.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, in its helpers too")]

use std::fs;
use std::path::{Path, PathBuf};

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
