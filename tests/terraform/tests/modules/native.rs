//! What Terraform itself says of each module: formatted, valid, its own tests green, and no argument of our provider left out.

use std::path::Path;
use std::process::Command;

use enigma_test_support::tools;
use serde_json::Value;

use crate::module::{ALL, FLEET, all, needs};
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

/// An object given to a provider loses, without a word, what the variable's type does not have.
#[test]
fn the_fleet_takes_every_argument_of_the_provider() {
    let terraform = need!(tools::terraform_1_11().or_else(|_| tools::terraform_1_15()));
    let workspace = FLEET.workspace(&terraform).unwrap();
    let told = workspace.run(&["providers", "schema", "-json"]).unwrap().ok().unwrap();
    let schemas: Value = serde_json::from_str(&told.stdout).unwrap();
    let schemas = schemas["provider_schemas"].as_object().unwrap().values().next().unwrap();
    let of_both = [
        &schemas["resource_schemas"]["enigma_mirror_fleet"]["block"],
        &schemas["data_source_schemas"]["enigma_mirror_interfaces"]["block"],
    ];
    let variables = std::fs::read_to_string(FLEET.dir().join("variables.tf")).unwrap();
    let mut seen = 0;
    for (name, argument) in of_both.into_iter().flat_map(inputs).filter(|(name, _)| *name != "members") {
        let (_, rest) = variables
            .split_once(&format!("variable \"{name}\" {{\n"))
            .unwrap_or_else(|| panic!("the module has no variable {name}"));
        let shape = rest.split("\n}\n").next().unwrap().split("\n  validation {").next().unwrap();
        let mut written: Vec<&str> = shape
            .lines()
            .filter_map(|line| line.strip_prefix("    ")?.split_once(" = "))
            .map(|(name, _)| name.trim())
            .collect();
        let mut wanted = nested(argument);
        written.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(written, wanted, "variable {name} against the provider's argument");
        seen += 1 + wanted.len();
    }
    assert!(seen > 60, "{seen} arguments are too few: the schema was not understood");
}

/// What a person may write in a block: its attributes and nested blocks, without what is computed alone.
fn inputs(block: &Value) -> Vec<(&str, &Value)> {
    let of = |key: &str| block[key].as_object().into_iter().flatten();
    of("attributes")
        .filter(|(_, it)| it["required"] == true || it["optional"] == true)
        .chain(of("block_types"))
        .map(|(name, it)| (name.as_str(), it))
        .collect()
}

/// The names of everything inside an argument, at any depth.
fn nested(argument: &Value) -> Vec<&str> {
    let inside = if argument.get("block").is_some() { &argument["block"] } else { &argument["nested_type"] };
    inputs(inside).into_iter().flat_map(|(name, it)| std::iter::once(name).chain(nested(it))).collect()
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
