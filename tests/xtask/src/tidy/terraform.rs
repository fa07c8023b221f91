//! Terraform files are formatted by Terraform itself, and so are the examples in pages (blocks marked `hcl`).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use enigma_test_support::tools;

use super::{Finding, Outcome, Tree};

pub(super) fn check(tree: &Tree) -> Result<Outcome> {
    let Some((_, terraform)) = tools::terraforms().into_iter().next() else {
        return Ok(Outcome::Skipped("no Terraform here; `cargo xtask setup` installs it".to_owned()));
    };
    let mut findings = files(tree, &terraform)?;
    for page in tree.with_extension("md") {
        for (line, block) in blocks(&tree.read(page)?) {
            if !is_formatted(&terraform, &block)? {
                findings.push(Finding::new(format!("{page}:{line}"), "not as `terraform fmt` writes it"));
            }
        }
    }
    Ok(Outcome::Done(findings))
}

fn files(tree: &Tree, terraform: &Path) -> Result<Vec<Finding>> {
    let files: Vec<&str> = tree
        .files()
        .filter(|path| [".tf", ".tfvars", ".tftest.hcl"].iter().any(|extension| path.ends_with(extension)))
        .collect();
    if files.is_empty() {
        return Ok(Vec::new());
    }
    // Ends with 3 when it names files; whatever it says on standard error is about a file that it cannot read.
    let output = format(terraform).args(&files).current_dir(tree.root()).output()?;
    let mut findings: Vec<Finding> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|path| Finding::new(path, "not as `terraform fmt` writes it"))
        .collect();
    if findings.is_empty() && !output.status.success() {
        findings.push(Finding::new("terraform fmt", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(findings)
}

/// The fenced blocks of a page that are Terraform, with the line of their fence.
fn blocks(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match &mut open {
            Some((_, block)) if !line.starts_with("```") => {
                block.push_str(line);
                block.push('\n');
            }
            Some(_) => found.extend(open.take()),
            None if line == "```hcl" || line == "```terraform" => open = Some((number, String::new())),
            None => {}
        }
    }
    found
}

fn is_formatted(terraform: &Path, block: &str) -> Result<bool> {
    let mut child = format(terraform)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("terraform fmt does not start")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(block.as_bytes())?;
    }
    Ok(child.wait()?.success())
}

fn format(terraform: &Path) -> Command {
    let mut command = Command::new(terraform);
    command.args(["fmt", "-check"]).env_remove("TF_CLI_CONFIG_FILE").env_remove("TF_CLI_ARGS");
    command
}
