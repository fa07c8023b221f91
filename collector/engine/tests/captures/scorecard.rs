//! What was compared with whom, and how it went, for a page that lists it.
//!
//! With `ENIGMA_SCORECARD` naming a file, every comparison appends one JSON object a line to it.

use std::io::Write as _;

/// One stream's comparison with one source of expectations.
pub(crate) struct Score<'a> {
    /// The stream of records.
    pub(crate) stream: &'a str,
    /// Whose expectations.
    pub(crate) source: &'a str,
    /// What is compared: records, or values of a field.
    pub(crate) what: &'a str,
    /// Expectations there are.
    pub(crate) expected: usize,
    /// Of those, how many are met to the last field.
    pub(crate) equal: usize,
    /// Differences, each of them listed with its reason.
    pub(crate) different: usize,
    /// File of the list, below `tests/differences`.
    pub(crate) list: &'a str,
}

impl Score<'_> {
    #[allow(clippy::print_stdout, reason = "it is called by tests only")]
    pub(crate) fn report(&self) {
        let Self { stream, source, what, expected, equal, different, list } = self;
        println!(
            "{stream} against {source}: {equal} of {expected} {what} equal, {different} differences in {list}"
        );
        append(&serde_json::json!({
            "stream": stream, "source": source, "what": what,
            "expected": expected, "equal": equal, "different": different, "list": list,
        }));
    }
}

/// Expectations that were not compared, all for one reason.
pub(crate) struct LeftOut<'a> {
    /// Whose expectations.
    pub(crate) source: &'a str,
    /// What they are about.
    pub(crate) what: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) count: usize,
}

impl LeftOut<'_> {
    #[allow(clippy::print_stdout, reason = "it is called by tests only")]
    pub(crate) fn report(&self) {
        let Self { source, what, reason, count } = self;
        println!("not compared with {source}: {count} of {what}: {reason}");
        append(&serde_json::json!({ "source": source, "left_out": what, "reason": reason, "count": count }));
    }
}

fn append(line: &serde_json::Value) {
    let Some(path) = std::env::var_os("ENIGMA_SCORECARD") else { return };
    // Tests run at the same time: one write a line keeps lines whole.
    let mut file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .unwrap_or_else(|error| panic!("ENIGMA_SCORECARD={}: {error}", path.display()));
    file.write_all(format!("{line}\n").as_bytes()).expect("the scorecard is writable");
}
