//! The page of comparisons with other tools, as those who compare and who writes it agree on it: one row for each
//! comparison, and for what is not compared.
//!
//! Tests that compare report their rows: into the file that `ENIGMA_SCORECARD` names when the page is written anew, and
//! otherwise they fail on a row that the page does not hold.

use std::io::Write as _;

use serde::{Deserialize, Serialize};

use crate::workspace_root;

/// Where the page is, from the root of the repository.
pub const PAGE: &str = "docs/reference/scorecard.md";

/// The variable that names the file for reports.
pub const REPORTS: &str = "ENIGMA_SCORECARD";

/// One thing that a test found.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Row {
    /// Files of the collection, of one kind.
    Files {
        /// Whose: a tool's name, or what the captures are read by.
        source: String,
        /// Which.
        what: String,
        /// How many there are.
        count: u64,
        /// What is done with them.
        used: String,
    },
    /// One stream's comparison with one source of expectations.
    Score {
        /// The stream of records.
        stream: String,
        /// Whose expectations.
        source: String,
        /// What is compared: records, or values of a field.
        what: String,
        /// Files of expectations, or captures where the expectation is read from those.
        files: u64,
        /// Expectations there are.
        expected: u64,
        /// Of those, how many are met to the last field.
        equal: u64,
        /// Differences, each listed with its reason.
        different: u64,
        /// File of that list below `collector/engine/tests/differences`.
        list: String,
    },
    /// A protocol that is recognised.
    Service {
        /// The name in `service`.
        service: String,
        /// Captures in which it is.
        captures: u64,
        /// Flows in them.
        flows: u64,
        /// Of those, how many are in captures whose ports can be changed.
        moved: u64,
        /// Of those, how many are recognised on ports of nobody, too.
        recognised: u64,
        /// One of the captures, or where the bytes are from that tests have instead.
        example: String,
    },
    /// Expectations that nothing was compared with, for one reason.
    LeftOut {
        /// Whose expectations.
        source: String,
        /// What they are about.
        what: String,
        /// Why.
        reason: String,
        /// How many.
        count: u64,
    },
}

impl Row {
    /// The row as the page has it.
    #[must_use]
    pub fn markdown(&self) -> String {
        match self {
            Self::Files { source, what, count, used } => format!("| {source} | {what} | {count} | {used} |"),
            Self::Score { stream, source, what, files, expected, equal, different, list } => {
                let listed = match different {
                    0 => "none".to_owned(),
                    _ => format!("{different}: [{list}](../../collector/engine/tests/differences/{list})"),
                };
                let share = share(*equal, *expected);
                format!(
                    "| `{stream}` | {source} | {what} | {files} | {expected} | {equal} | {share} | {listed} |"
                )
            }
            Self::Service { service, captures, flows, moved, recognised, example } => {
                format!("| `{service}` | {captures} | {flows} | {recognised} of {moved} | {example} |")
            }
            Self::LeftOut { source, what, reason, count } => {
                format!("| {source} | {what} | {count} | {reason} |")
            }
        }
    }

    /// Reports it.
    ///
    /// # Panics
    /// When the page does not hold it, unless reports are asked for.
    pub fn report(&self) {
        println!("{}", self.markdown());
        let Some(path) = std::env::var_os(REPORTS) else {
            let page = std::fs::read_to_string(workspace_root().join(PAGE)).unwrap_or_default();
            let row = self.markdown();
            assert!(
                page.lines().any(|line| line == row),
                "{PAGE} does not hold this row, write it anew with `cargo xtask scorecard`:\n{row}"
            );
            return;
        };
        let line = serde_json::to_string(self).unwrap_or_default();
        // Tests run at the same time: one write a line keeps lines whole.
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        assert!(written.is_ok(), "{REPORTS}={}: {written:?}", path.display());
    }
}

/// A share in per cent with one decimal, rounded down: 100 % is said of all and of nothing less.
fn share(equal: u64, expected: u64) -> String {
    let thousandths = equal.saturating_mul(1000).checked_div(expected).unwrap_or(1000);
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_of_them_are_a_hundred_per_cent() {
        assert_eq!(share(9_999, 10_000), "99.9 %");
        assert_eq!((share(7, 7), share(0, 0)), ("100.0 %".to_owned(), "100.0 %".to_owned()));
    }

    #[test]
    fn a_row_that_is_reported_is_read_again() {
        let row = Row::LeftOut {
            source: "Zeek".to_owned(),
            what: "weird".to_owned(),
            reason: "no such stream".to_owned(),
            count: 3,
        };
        let line = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&line).unwrap(), row);
        assert_eq!(row.markdown(), "| Zeek | weird | 3 | no such stream |");
    }
}
