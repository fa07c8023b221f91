//! The page of comparisons with other tools: runs the tests that compare, takes what each of them reports (one JSON
//! object a line, in the file that `ENIGMA_SCORECARD` names), and writes `docs/reference/scorecard.md`.
//!
//! The captures are no part of this repository, so the page is written where they are and kept where they are not.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Deserialize;

use crate::shell;

#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Change nothing; fail when the page is not what the comparisons give
    #[arg(long)]
    check: bool,
}

const PAGE: &str = "docs/reference/scorecard.md";

/// One comparison, as a test reports it.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
struct Score {
    stream: String,
    /// Whose expectations.
    source: String,
    /// What is compared.
    what: String,
    expected: u64,
    equal: u64,
    /// Differences, each listed with its reason.
    different: u64,
    /// File of that list below `collector/engine/tests/differences`; empty where there are none.
    list: String,
}

/// Expectations that nothing was compared with, for one reason.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
struct LeftOut {
    source: String,
    /// What they are about.
    left_out: String,
    reason: String,
    count: u64,
}

/// All that tests report.
#[derive(Debug, Default)]
struct Reports {
    scores: Vec<Score>,
    left_out: Vec<LeftOut>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Report {
    Score(Score),
    LeftOut(LeftOut),
}

pub(crate) fn run(options: Options) -> Result<()> {
    let dir = tempfile::tempdir().context("no folder for the reports")?;
    let reports = dir.path().join("scores");
    let mut tests = shell::cargo(["nextest", "run", "--package", "enigma-engine", "--test", "captures"]);
    shell::pass_through(tests.env("ENIGMA_SCORECARD", &reports))?;
    let Ok(text) = fs::read_to_string(&reports) else {
        bail!("no comparison reported anything: the captures are missing (set ENIGMA_SHARED)");
    };
    let page = page(&parse(&text)?);
    let path = shell::root().join(PAGE);
    if fs::read_to_string(&path).is_ok_and(|found| found == page) {
        println!("scorecard: {PAGE} is fresh");
        return Ok(());
    }
    if options.check {
        bail!("{PAGE} would be written anew by `cargo xtask scorecard`");
    }
    fs::write(&path, page).with_context(|| format!("{PAGE} cannot be written"))?;
    println!("scorecard: {PAGE} written");
    Ok(())
}

/// The reports in an order that does not depend on which test ended first.
fn parse(text: &str) -> Result<Reports> {
    let mut reports = Reports::default();
    for line in text.lines() {
        match serde_json::from_str(line).with_context(|| format!("not a report: {line}"))? {
            Report::Score(score) => reports.scores.push(score),
            Report::LeftOut(left_out) => reports.left_out.push(left_out),
        }
    }
    reports.scores.sort();
    reports.scores.dedup();
    reports.left_out.sort();
    reports.left_out.dedup();
    Ok(reports)
}

fn page(Reports { scores, left_out }: &Reports) -> String {
    let mut page = String::from(
        "# Scorecard\n\n\
         <!-- Generated: `cargo xtask scorecard`. Change the code, not this page. -->\n\n\
         What the collector makes of public captures, compared with what other tools expect of the same captures: Zeek's baselines,\n\
         the checks of Suricata's tests, nDPI's results, JA4's fingerprints, and facts that tshark reads. *Equal* is equal to the last\n\
         field compared. Every difference is listed with its reason in `collector/engine/tests/differences/`; a test fails on one that is\n\
         not listed, and on a listed one that is gone. What is not compared is counted at the end.\n",
    );
    let mut streams: BTreeMap<&str, Vec<&Score>> = BTreeMap::new();
    for score in scores {
        streams.entry(&score.stream).or_default().push(score);
    }
    // Writing to a String cannot fail.
    let _ = writeln!(
        page,
        "\n| stream | expectations of | what | expected | equal | share | differences listed |\n|---|---|---|---|---|---|---|"
    );
    for (stream, scores) in streams {
        for Score { source, what, expected, equal, different, list, .. } in scores {
            let listed = match different {
                0 => "none".to_owned(),
                _ => format!("{different}: [{list}](../../collector/engine/tests/differences/{list})"),
            };
            let _ = writeln!(
                page,
                "| `{stream}` | {source} | {what} | {expected} | {equal} | {} | {listed} |",
                share(*equal, *expected)
            );
        }
    }
    if !left_out.is_empty() {
        page.push_str(
            "\n## Not compared\n\n\
             Expectations in the same files that are about something else, or about a field that records do not have (that field is\n\
             left out, and the rest of the check is compared).\n\n\
             | expectations of | about | how many | why not |\n|---|---|---|---|\n",
        );
    }
    for LeftOut { source, left_out, reason, count } in left_out {
        let _ = writeln!(page, "| {source} | {left_out} | {count} | {reason} |");
    }
    page
}

/// A share in per cent with one decimal, rounded down: 100 % is said of all and of nothing less.
fn share(equal: u64, expected: u64) -> String {
    let thousandths = equal.saturating_mul(1000).checked_div(expected).unwrap_or(1000);
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{"stream":"ssl","source":"Zeek","what":"records","expected":3,"equal":2,"different":1,"list":"zeek_ssl.txt"}"#;

    #[test]
    fn the_page_is_the_same_whatever_test_ended_first() {
        let other = REPORT.replace("ssl\"", "dns\"").replace("\"different\":1", "\"different\":0");
        let one = page(&parse(&format!("{REPORT}\n{other}\n")).unwrap());
        assert_eq!(one, page(&parse(&format!("{other}\n{REPORT}\n{REPORT}\n")).unwrap()));
        assert!(one.contains("| `dns` | Zeek | records | 3 | 2 | 66.6 % | none |"), "{one}");
        assert!(one.contains("1: [zeek_ssl.txt]("), "{one}");
        assert!(parse("no report").is_err());
        assert!(!one.contains("Not compared"));
    }

    #[test]
    fn what_is_left_out_is_told_with_its_reason() {
        let left_out = r#"{"source":"Suricata","left_out":"alert","reason":"no signatures","count":3}"#;
        let page = page(&parse(&format!("{left_out}\n{REPORT}\n{left_out}\n")).unwrap());
        assert_eq!(page.matches("| Suricata | alert | 3 | no signatures |").count(), 1, "{page}");
        assert!(page.contains("| `ssl` | Zeek |"), "{page}");
    }

    #[test]
    fn only_all_of_them_are_a_hundred_per_cent() {
        assert_eq!(share(9_999, 10_000), "99.9 %");
        assert_eq!((share(7, 7), share(0, 0)), ("100.0 %".to_owned(), "100.0 %".to_owned()));
    }
}
