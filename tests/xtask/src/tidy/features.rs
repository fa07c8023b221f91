//! Programs and tests build the AWS SDK alike, so that it is built once.
//!
//! Cargo turns on what development dependencies ask for only while it builds tests. A feature of a crate below the SDK
//! that only tests turn on therefore means two builds of the SDK, of minutes and gigabytes each, in every target
//! directory. The remedy is to turn the feature on for programs too, as `enigma-test-support` does.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;

use super::{Finding, Tree};
use crate::shell;

/// The crate whose build is to be shared.
const EXPENSIVE: &str = "aws-sdk-ec2";

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>> {
    let list = |arguments: &[&str]| {
        let mut command = shell::cargo(["tree", "--prefix", "none", "--format", "{p}|{f}"]);
        shell::output(command.args(arguments).current_dir(tree.root()))
    };
    let programs = list(&["--workspace", "--edges", "normal,build"])?;
    let tests = list(&["--workspace", "--edges", "normal,build,dev"])?;
    let below = list(&["--package", EXPENSIVE, "--edges", "normal,build"])?;
    Ok(findings(&programs, &tests, &below))
}

/// Compares what `cargo tree` says of programs with what it says of tests, for the packages in `below`.
fn findings(programs: &str, tests: &str, below: &str) -> Vec<Finding> {
    let (programs, tests) = (features(programs), features(tests));
    features(below)
        .into_keys()
        .filter_map(|package| {
            let (shipped, tested) = (programs.get(package)?, tests.get(package)?);
            // A package built for the host too stands there twice; what tests have more than programs is the point.
            let more: Vec<_> = tested.difference(shipped).copied().collect();
            let problem = format!(
                "{EXPENSIVE} is built twice, because only tests build {package} with the features `{}`; programs with `{}`",
                more.join("` or `"),
                shipped.iter().copied().collect::<Vec<_>>().join("` or `")
            );
            (!more.is_empty() || shipped.len() > tested.len()).then(|| Finding::new("Cargo.toml", problem))
        })
        .collect()
}

/// Each package (name and version) with the sets of features it is built with.
fn features(tree: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut found: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in tree.lines() {
        if let Some((package, features)) = line.trim_end_matches(" (*)").split_once('|') {
            found.entry(package).or_default().insert(features);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const BELOW: &str = "aws-sdk-ec2 v1|default\nserde v1|std\n";

    #[test]
    fn equal_builds_are_fine_and_other_packages_do_not_matter() {
        let programs = "aws-sdk-ec2 v1|default\nserde v1|std\nother v1|\n";
        let tests = "aws-sdk-ec2 v1|default\nserde v1|std (*)\nother v1|more\ncriterion v1|\n";
        assert_eq!(findings(programs, tests, BELOW), Vec::new());
    }

    #[test]
    fn feature_that_only_tests_turn_on_is_found() {
        let programs = "aws-sdk-ec2 v1|default\nserde v1|std\n";
        let tests = "aws-sdk-ec2 v1|default\nserde v1|alloc,std\n";
        let [finding] = &findings(programs, tests, BELOW)[..] else { panic!("one finding") };
        assert!(finding.to_string().contains("serde v1 with the features `alloc,std`"), "{finding}");
    }

    #[test]
    fn package_that_tests_unify_with_the_host_is_found() {
        let programs = "aws-sdk-ec2 v1|default\nserde v1|\nserde v1|std\n";
        let tests = "aws-sdk-ec2 v1|default\nserde v1|std\n";
        assert_eq!(findings(programs, tests, BELOW).len(), 1);
    }
}
