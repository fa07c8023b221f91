//! What Terraform itself says of each module: formatted, valid, and its own tests green, in both versions.

use std::path::Path;
use std::process::Command;

use enigma_test_support::tools;

use crate::module::{ALL, all, needs};
use crate::need;

#[test]
fn modules_are_formatted() {
    let terraform = need!(tools::terraform_1_11().or_else(|_| tools::terraform_1_15()));
    let output = Command::new(terraform).args(["fmt", "-check", "-recursive"]).arg(all()).output().unwrap();
    let named = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "not formatted (`terraform fmt -recursive modules` does it):\n{named}");
}

#[test]
fn tests_of_the_modules_pass_with_terraform_1_11() {
    tests_pass(&need!(needs(tools::terraform_1_11())));
}

#[test]
fn tests_of_the_modules_pass_with_terraform_1_15() {
    tests_pass(&need!(needs(tools::terraform_1_15())));
}

fn tests_pass(terraform: &Path) {
    for module in ALL {
        let workspace = module.workspace(terraform).unwrap();
        let validated = workspace.validate().unwrap();
        assert_eq!(validated["valid"], true, "{module:?}: {validated:#}");
        // A warning here is a warning in everybody's plan.
        assert_eq!(validated["warning_count"], 0, "{module:?}: {validated:#}");

        let ran = workspace.run(&["test"]).unwrap().ok().unwrap();
        let (passed, rest) = summary(&ran.stdout).unwrap_or_else(|| panic!("no summary in:\n{}", ran.stdout));
        assert!(passed >= runs(&module.dir().join("tests")), "{module:?} ran {passed} only:\n{}", ran.stdout);
        assert_eq!(rest, "0 failed", "{module:?}:\n{}", ran.stdout);
        println!("{module:?}: {passed} passed");
    }
}

/// Splits `Success! 14 passed, 0 failed.` into the number and the rest.
fn summary(said: &str) -> Option<(usize, &str)> {
    let line = said.lines().rev().find_map(|line| line.strip_prefix("Success! "))?;
    let (passed, rest) = line.strip_suffix('.')?.split_once(" passed, ")?;
    Some((passed.parse().ok()?, rest))
}

/// How many `run` blocks the files of a folder have: none may be left out silently.
fn runs(dir: &Path) -> usize {
    let files =
        std::fs::read_dir(dir).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    let found = files.map(|text| text.lines().filter(|line| line.starts_with("run \"")).count()).sum();
    assert!(found > 0, "{} has no tests", dir.display());
    found
}
