//! What was compared with whom, and how it went: rows of the page that lists it.

use enigma_test_support::scorecard::Row;

/// One stream's comparison with one source of expectations.
pub(crate) struct Score<'a> {
    /// The stream of records.
    pub(crate) stream: &'a str,
    /// Whose expectations.
    pub(crate) source: &'a str,
    /// What is compared: records, or values of a field.
    pub(crate) what: &'a str,
    /// Files of expectations, or captures where those are read from the capture.
    pub(crate) files: usize,
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
    /// Fails where the page has another row.
    pub(crate) fn report(&self) {
        Row::Score {
            stream: self.stream.to_owned(),
            source: self.source.to_owned(),
            what: self.what.to_owned(),
            files: self.files as u64,
            expected: self.expected as u64,
            equal: self.equal as u64,
            different: self.different as u64,
            list: self.list.to_owned(),
        }
        .report();
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
    /// Fails where the page has another row.
    pub(crate) fn report(&self) {
        Row::LeftOut {
            source: self.source.to_owned(),
            what: self.what.to_owned(),
            reason: self.reason.to_owned(),
            count: self.count as u64,
        }
        .report();
    }
}
