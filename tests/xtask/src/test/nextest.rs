//! cargo-nextest: run with the profile `full`, read from the JUnit file that the profile writes.

use std::ffi::OsStr;
use std::io::IsTerminal as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use enigma_test_support::target_dir;

use super::report::Suite;
use crate::shell;

/// Runs every test of the workspace and returns one suite per test binary.
pub(super) fn run(variables: &[(&str, &OsStr)]) -> Result<Vec<Suite>> {
    let report = target_dir().join("nextest/full/junit.xml");
    super::remove(&report)?;
    let mut command = shell::cargo(["nextest", "run", "--locked", "--workspace", "--profile", "full"]);
    command.args(["--status-level", "slow", "--final-status-level", "none"]);
    // A bar for people; a log would fill with it.
    command.args(["--show-progress", if std::io::stdout().is_terminal() { "bar" } else { "none" }]);
    command.args(["--cargo-quiet", "--no-tests", "fail"]);
    super::with_variables(&mut command, variables);
    let ended = shell::pass_through(&mut command);
    match std::fs::read_to_string(&report) {
        Ok(text) => {
            let suites = parse(&text)?;
            if ended.is_err() && suites.iter().all(|suite| suite.failed.is_empty()) {
                // It failed for a reason that no test has: not to be lost.
                return Ok(suites.into_iter().chain([Suite::broken("nextest", ended)]).collect());
            }
            Ok(suites)
        }
        Err(_) => Ok(vec![Suite::broken("nextest", ended)]),
    }
}

/// Reads a JUnit file: one suite per `testsuite`, a test failed when it has a `failure` or an `error`.
fn parse(text: &str) -> Result<Vec<Suite>> {
    let document = roxmltree::Document::parse(text).context("nextest's JUnit file is no XML")?;
    let mut suites = Vec::new();
    for element in document.descendants().filter(|node| node.has_tag_name("testsuite")) {
        let mut suite = Suite::new(element.attribute("name").context("a testsuite without a name")?);
        let mut seconds = 0.0;
        for case in element.children().filter(|node| node.has_tag_name("testcase")) {
            let name = case.attribute("name").context("a testcase without a name")?;
            seconds += case.attribute("time").and_then(|time| time.parse::<f64>().ok()).unwrap_or(0.0);
            match case
                .children()
                .find(|node| ["error", "failure", "skipped"].contains(&node.tag_name().name()))
            {
                None => suite.ran(name),
                Some(node) if node.has_tag_name("skipped") => {
                    suite.skip(name, node.attribute("message").unwrap_or("left out by the runner"));
                }
                Some(_) => suite.fail(name),
            }
        }
        suite.took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        suites.push(suite);
    }
    if suites.is_empty() {
        bail!("nextest's JUnit file holds no suite");
    }
    Ok(suites)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNIT: &str = r#"<?xml version="1.0"?>
        <testsuites name="nextest-run" tests="3" failures="1" errors="0" time="1.2">
            <testsuite name="enigma-fleet" tests="3" disabled="0" errors="0" failures="1">
                <testcase name="a::one" classname="enigma-fleet" time="0.5"></testcase>
                <testcase name="a::two" classname="enigma-fleet" time="0.25">
                    <failure type="test failure with exit code 101">it broke</failure>
                </testcase>
                <testcase name="a::three" classname="enigma-fleet" time="0.25"><system-out>SKIPPED: x</system-out></testcase>
            </testsuite>
        </testsuites>"#;

    #[test]
    fn failures_are_kept_by_name_and_times_add_up() {
        let suites = parse(JUNIT).unwrap();
        assert_eq!(suites.len(), 1);
        assert_eq!(suites[0].name, "enigma-fleet");
        assert_eq!(suites[0].passed, ["a::one", "a::three"]);
        assert_eq!(suites[0].failed, ["a::two"]);
        assert_eq!(suites[0].took, Duration::from_secs(1));
    }

    #[test]
    fn file_without_suites_is_not_a_success() {
        assert!(parse("<testsuites/>").is_err());
        assert!(parse("nothing").is_err());
    }
}
