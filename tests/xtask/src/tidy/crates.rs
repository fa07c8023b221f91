//! What every crate of the workspace has: a page that is its README, the shared lints, versions and no `unsafe`.

use anyhow::{Context as _, Result};
use toml::{Table, Value};

use super::{Finding, Tree};

/// A README that says what, why, an example and what the crate must not depend on fits in here, and needs this much.
const README_LINES: std::ops::RangeInclusive<usize> = 20..=60;
/// The crate whose batched system calls need `unsafe`; it denies it everywhere else by the lint table.
const MAY_BE_UNSAFE: &str = "collector/agent";
/// Fields that are the workspace's, so that no crate drifts away.
const INHERITED: &[&str] = &["edition", "license", "publish", "rust-version", "version"];
const DEPENDENCIES: &[&str] = &["build-dependencies", "dependencies", "dev-dependencies"];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let root: Table = tree.read("Cargo.toml")?.parse()?;
    let members =
        root.get("workspace").and_then(|workspace| workspace.get("members")).and_then(Value::as_array);
    let members = members.context("Cargo.toml lists no workspace members")?;
    let mut findings = Vec::new();
    for member in members.iter().filter_map(Value::as_str) {
        manifest(tree, member, &mut findings)?;
        readme(tree, member, &mut findings)?;
    }
    Ok(findings)
}

fn manifest(tree: &Tree, member: &str, findings: &mut Vec<Finding>) -> Result<()> {
    let path = format!("{member}/Cargo.toml");
    let manifest: Table = tree.read(&path)?.parse().with_context(|| path.clone())?;
    let inherits =
        |value: Option<&Value>| value.and_then(|value| value.get("workspace")) == Some(&Value::from(true));
    for field in INHERITED {
        if !inherits(manifest.get("package").and_then(|package| package.get(field))) {
            findings.push(Finding::new(&path, format!("`{field}.workspace = true` is missing")));
        }
    }
    if !inherits(manifest.get("lints")) {
        findings.push(Finding::new(&path, "`[lints] workspace = true` is missing"));
    }
    for table in DEPENDENCIES {
        for (name, dependency) in manifest.get(*table).and_then(Value::as_table).into_iter().flatten() {
            if !inherits(Some(dependency)) {
                findings.push(Finding::new(
                    &path,
                    format!("`{name}` does not take its version from the workspace"),
                ));
            }
        }
    }
    Ok(())
}

fn readme(tree: &Tree, member: &str, findings: &mut Vec<Finding>) -> Result<()> {
    let path = format!("{member}/README.md");
    if !tree.has(&path) {
        findings.push(Finding::new(&path, "every crate has one"));
        return Ok(());
    }
    let lines = tree.read(&path)?.lines().count();
    if !README_LINES.contains(&lines) {
        let (least, most) = (README_LINES.start(), README_LINES.end());
        findings.push(Finding::new(&path, format!("{lines} lines; from {least} to {most}")));
    }
    let roots = ["src/lib.rs", "src/main.rs"].map(|name| format!("{member}/{name}"));
    let mut texts = Vec::new();
    for root in roots.iter().filter(|root| tree.has(root)) {
        texts.push((root, tree.read(root)?));
    }
    if !texts.iter().any(|(_, text)| text.contains(r#"include_str!("../README.md")"#)) {
        findings.push(Finding::new(&path, "is not included as the crate's page"));
    }
    for (root, text) in &texts {
        if member != MAY_BE_UNSAFE && !text.contains("#![forbid(unsafe_code)]") {
            findings.push(Finding::new(root.as_str(), "`#![forbid(unsafe_code)]` is missing"));
        }
    }
    Ok(())
}
