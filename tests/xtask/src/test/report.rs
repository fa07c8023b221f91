//! The table of suites and the closing line.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use enigma_test_support::skip::Skip;

/// What one suite came to. A test is in exactly one of the three lists.
#[derive(Clone, Debug, Default)]
pub(super) struct Suite {
    pub(super) name: String,
    pub(super) passed: Vec<String>,
    pub(super) failed: Vec<String>,
    /// Test and reason.
    pub(super) skipped: Vec<(String, String)>,
    pub(super) took: Duration,
}

/// Every suite of a run.
#[derive(Debug, Default)]
pub(super) struct Report {
    suites: Vec<Suite>,
}

impl Suite {
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// A suite of one check, which failed if there is a problem.
    pub(super) fn single(name: &str, problem: Option<String>, took: Duration) -> Self {
        let mut suite = Self { took, ..Self::new(name) };
        match problem {
            None => suite.pass(),
            Some(problem) => suite.fail(&problem),
        }
        suite
    }

    /// A suite that was not run at all; it counts as one skipped test.
    pub(super) fn skipped_whole(name: &str, why: &str) -> Self {
        let mut suite = Self::new(name);
        suite.skip(name, why);
        suite
    }

    /// A runner that failed without a failed test, as one failure with its reason.
    pub(super) fn broken(name: &str, ended: anyhow::Result<()>) -> Self {
        let problem = match ended {
            Ok(()) => "the runner left no result".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        Self::single(name, Some(problem), Duration::ZERO)
    }

    pub(super) fn pass(&mut self) {
        let name = self.name.clone();
        self.ran(&name);
    }

    pub(super) fn ran(&mut self, test: &str) {
        self.passed.push(test.to_owned());
    }

    pub(super) fn fail(&mut self, test: &str) {
        self.failed.push(test.to_owned());
    }

    pub(super) fn skip(&mut self, test: &str, why: &str) {
        self.skipped.push((test.to_owned(), why.to_owned()));
    }

    pub(super) fn total(&self) -> usize {
        self.passed.len() + self.failed.len() + self.skipped.len()
    }

    /// Moves the tests that said they skipped themselves out of the passed ones. A test that skipped one part and
    /// failed another stays failed.
    pub(super) fn take_skips(&mut self, skips: &[Skip]) {
        for skip in skips {
            // Cargo's own runner tells tests the package, which is in the binary's name with other hyphens.
            let same_suite = skip.suite == self.name || skip.suite.replace('-', "_") == self.name;
            let place = same_suite.then(|| self.passed.iter().position(|test| *test == skip.test)).flatten();
            if let Some(place) = place {
                let test = self.passed.remove(place);
                self.skipped.push((test, skip.reason.clone()));
            }
        }
    }
}

impl Report {
    pub(super) fn add(&mut self, suite: Suite) {
        self.suites.push(suite);
    }

    pub(super) fn failed(&self) -> usize {
        self.suites.iter().map(|suite| suite.failed.len()).sum()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widest = self.suites.iter().map(|suite| suite.name.len()).max().unwrap_or(0).max(5);
        writeln!(out, "{:widest$}  passed  failed  skipped  seconds", "suite")?;
        for suite in &self.suites {
            let (passed, failed, skipped) = (suite.passed.len(), suite.failed.len(), suite.skipped.len());
            let seconds = suite.took.as_secs_f64();
            writeln!(out, "{:widest$}  {passed:6}  {failed:6}  {skipped:7}  {seconds:7.1}", suite.name)?;
        }
        let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for suite in &self.suites {
            for (test, why) in &suite.skipped {
                reasons.entry(why).or_default().push(format!("{} {test}", suite.name));
            }
        }
        for (why, tests) in reasons {
            writeln!(out, "\nskipped, {why}:")?;
            tests.iter().try_for_each(|test| writeln!(out, "  {test}"))?;
        }
        if self.failed() > 0 {
            writeln!(out, "\nfailed:")?;
            for suite in &self.suites {
                suite.failed.iter().try_for_each(|test| writeln!(out, "  {} {test}", suite.name))?;
            }
        }
        let passed: usize = self.suites.iter().map(|suite| suite.passed.len()).sum();
        let skipped: usize = self.suites.iter().map(|suite| suite.skipped.len()).sum();
        write!(out, "\n{passed} passed, {} failed, {skipped} skipped", self.failed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skip(suite: &str, test: &str) -> Skip {
        Skip { suite: suite.into(), test: test.into(), reason: "no root".into() }
    }

    #[test]
    fn skipped_test_is_not_a_passed_one() {
        let mut suite = Suite::new("enigma-wire");
        suite.ran("needs_root");
        suite.ran("needs_nothing");
        suite.fail("broken");
        let skips = ["needs_root", "needs_root", "broken"].map(|test| skip("enigma-wire", test));
        suite.take_skips(&skips);
        suite.take_skips(&[skip("enigma-engine", "needs_nothing")]);
        assert_eq!(suite.passed, ["needs_nothing"]);
        assert_eq!(suite.failed, ["broken"]);
        assert_eq!(suite.skipped, [("needs_root".to_owned(), "no root".to_owned())]);
    }

    #[test]
    fn closing_line_stands_alone_and_adds_up() {
        let mut report = Report::default();
        report.add(Suite::single("format", None, Duration::ZERO));
        report.add(Suite::skipped_whole("dependency policy", "no cargo-deny"));
        report.add(Suite::single("lints", Some("`cargo clippy` ends with 101".into()), Duration::ZERO));
        let text = report.to_string();
        assert_eq!(text.lines().last(), Some("1 passed, 1 failed, 1 skipped"));
        assert!(text.contains("skipped, no cargo-deny:\n  dependency policy"), "{text}");
        assert_eq!(report.failed(), 1);
    }
}
