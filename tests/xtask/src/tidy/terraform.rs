//! Terraform files are formatted by Terraform itself.

use std::process::Command;

use anyhow::{Context as _, Result};
use enigma_test_support::tools;

use super::{Finding, Outcome, Tree};

pub(super) fn check(tree: &Tree) -> Result<Outcome> {
    let Some((_, terraform)) = tools::terraforms().into_iter().next() else {
        return Ok(Outcome::Skipped("no Terraform here; `cargo xtask setup` installs it".to_owned()));
    };
    let files: Vec<&str> = tree
        .files()
        .filter(|path| [".tf", ".tfvars", ".tftest.hcl"].iter().any(|extension| path.ends_with(extension)))
        .collect();
    if files.is_empty() {
        return Ok(Outcome::Done(Vec::new()));
    }
    // Ends with 3 when it names files; whatever it says on standard error is about a file that it cannot read.
    let output = Command::new(terraform)
        .args(["fmt", "-check"])
        .args(&files)
        .current_dir(tree.root())
        .env_remove("TF_CLI_CONFIG_FILE")
        .env_remove("TF_CLI_ARGS")
        .output()
        .context("terraform fmt does not start")?;
    let mut findings: Vec<Finding> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|path| Finding::new(path, "not as `terraform fmt` writes it"))
        .collect();
    if findings.is_empty() && !output.status.success() {
        findings.push(Finding::new("terraform fmt", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(Outcome::Done(findings))
}
