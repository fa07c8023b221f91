//! The page of comparisons with other tools: runs the tests that compare, takes what each of them reports (one JSON
//! object a line, see `enigma_test_support::scorecard`), and writes `docs/reference/scorecard.md`.
//!
//! The captures are no part of this repository, so the page is written where they are and kept where they are not.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use enigma_test_support::scorecard::{PAGE, REPORTS, Row};

use crate::shell;

#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Options {
    /// Change nothing; fail when the page is not what the comparisons give
    #[arg(long)]
    check: bool,
    /// Take the reports of tests that ran before, each with ENIGMA_SCORECARD naming this file
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let dir = tempfile::tempdir().context("no folder for the reports")?;
    let reports = options.from.clone().unwrap_or_else(|| dir.path().join("scores"));
    if options.from.is_none() {
        let mut tests = shell::cargo(["nextest", "run", "--package", "enigma-engine", "--test", "captures"]);
        shell::pass_through(tests.env(REPORTS, &reports))?;
    }
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
fn parse(text: &str) -> Result<Vec<Row>> {
    let row = |line: &str| serde_json::from_str(line).with_context(|| format!("not a report: {line}"));
    let mut rows = text.lines().map(row).collect::<Result<Vec<Row>>>()?;
    rows.sort();
    rows.dedup();
    Ok(rows)
}

/// What stands above a table, and which rows are in it.
type Section = (&'static str, fn(&Row) -> bool);

const SECTIONS: [Section; 4] = [
    (
        "\n| stream | expectations of | what | files | expected | equal | share | differences listed |\n\
         |---|---|---|---|---|---|---|---|\n",
        |row| matches!(row, Row::Score { .. }),
    ),
    (
        "\n## Services\n\n\
         Every name that `service` can have, by the captures in which flows have it. Content decides: the same captures are replayed\n\
         with all ports below 20,000 changed to ports of nobody, where they can be (Ethernet, nothing tunnelled or in fragments).\n\
         What is lost there is listed with its reason in\n\
         [services_moved.txt](../../collector/engine/tests/differences/services_moved.txt).\n\n\
         | service | captures | flows | recognised on other ports | for example |\n|---|---|---|---|---|\n",
        |row| matches!(row, Row::Service { .. }),
    ),
    (
        "\n## What there is\n\n\
         The captures, and the files beside them that say what others expect of them. Each is used as it is said here; a test fails on\n\
         a file that nobody knows, and on a comparison that did not look at all of its files.\n\n\
         | of | what | how many | used for |\n|---|---|---|---|\n",
        |row| matches!(row, Row::Files { .. }),
    ),
    (
        "\n## Not compared\n\n\
         Expectations in the same files that are about something else, or about a field that records do not have (that field is\n\
         left out, and the rest of the check is compared).\n\n\
         | expectations of | about | how many | why not |\n|---|---|---|---|\n",
        |row| matches!(row, Row::LeftOut { .. }),
    ),
];

fn page(rows: &[Row]) -> String {
    let mut page = String::from(
        "# Scorecard\n\n\
         <!-- Generated: `cargo xtask scorecard`. Change the code, not this page. -->\n\n\
         What the collector makes of public captures, compared with what other tools expect of the same captures: Zeek's baselines,\n\
         the checks of Suricata's tests, nDPI's results, JA4's fingerprints, and facts that tshark reads. *Equal* is equal to the last\n\
         field compared. Every difference is listed with its reason in `collector/engine/tests/differences/`; a test fails on one that is\n\
         not listed, on a listed one that is gone, and on a row that this page does not hold. What is not compared is counted at the\n\
         end.\n",
    );
    for (head, is_of_section) in SECTIONS {
        let rows: Vec<String> = rows.iter().filter(|row| is_of_section(row)).map(Row::markdown).collect();
        if !rows.is_empty() {
            // Writing to a String cannot fail.
            let _ = writeln!(page, "{head}{}", rows.join("\n"));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"{"kind":"score","stream":"ssl","source":"Zeek","what":"records","files":2,"expected":3,"equal":2,"different":1,"list":"zeek_ssl.txt"}"#;

    #[test]
    fn the_page_is_the_same_whatever_test_ended_first() {
        let other = REPORT.replace("ssl\"", "dns\"").replace("\"different\":1", "\"different\":0");
        let one = page(&parse(&format!("{REPORT}\n{other}\n")).unwrap());
        assert_eq!(one, page(&parse(&format!("{other}\n{REPORT}\n{REPORT}\n")).unwrap()));
        assert!(one.contains("| `dns` | Zeek | records | 2 | 3 | 2 | 66.6 % | none |"), "{one}");
        assert!(one.contains("1: [zeek_ssl.txt]("), "{one}");
        assert!(parse("no report").is_err());
        assert!(!one.contains("Not compared"));
    }

    #[test]
    fn what_is_left_out_is_told_with_its_reason() {
        let left_out =
            r#"{"kind":"left_out","source":"Suricata","what":"alert","reason":"no signatures","count":3}"#;
        let page = page(&parse(&format!("{left_out}\n{REPORT}\n{left_out}\n")).unwrap());
        assert_eq!(page.matches("| Suricata | alert | 3 | no signatures |").count(), 1, "{page}");
        assert!(page.contains("| `ssl` | Zeek |"), "{page}");
    }
}
