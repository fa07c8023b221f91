//! Alive, ready, and why not. Decides from counters and times it is given; reads no clock and answers no request.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use crate::board::Totals;
use crate::config::health::Health as Rule;

/// A worker whose loop has not turned for this long is stalled: it sleeps at most a tenth of a second by itself.
const STALLED: Duration = Duration::from_secs(5);

/// Fewest packets (or records) in the window before their share of drops says anything: one lost packet of three is
/// not overload.
const FEWEST: u64 = 100;

/// Where the process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Sockets or threads are not up yet.
    Starting,
    /// Receiving.
    Serving,
    /// Told to stop; still receiving what comes.
    Draining,
}

impl Phase {
    /// As status and logs say it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
        }
    }
}

/// Why the collector should not get traffic, or should be restarted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reason {
    Starting,
    Draining,
    /// More than the share allowed is dropped before it is looked at, by the kernel or between workers.
    DroppingPackets {
        share: f64,
        allowed: f64,
        window: Duration,
    },
    /// More records than the share allowed are dropped before they are written.
    DroppingRecords {
        share: f64,
        allowed: f64,
        window: Duration,
    },
    /// A worker does not turn.
    WorkerStalled {
        worker: usize,
        since: Duration,
    },
}

impl Reason {
    /// Whether a restart is the cure. Otherwise moving traffic away is.
    fn is_fatal(&self) -> bool {
        matches!(self, Self::WorkerStalled { .. })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Starting => f.write_str("starting"),
            Self::Draining => f.write_str("draining: told to stop"),
            Self::DroppingPackets { share, allowed, window } => write!(
                f,
                "dropping packets: {:.2} % dropped before they were looked at in the last {window:?}, allowed are {:.2} %",
                share * 100.0,
                allowed * 100.0
            ),
            Self::DroppingRecords { share, allowed, window } => write!(
                f,
                "dropping records: {:.2} % in the last {window:?} were not written, allowed are {:.2} %",
                share * 100.0,
                allowed * 100.0
            ),
            Self::WorkerStalled { worker, since } => write!(f, "worker {worker} has not moved for {since:?}"),
        }
    }
}

/// The counters of one moment, as far as health looks at them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    at: Duration,
    packets: u64,
    packets_lost: u64,
    records: u64,
    records_lost: u64,
}

/// Watches the counters over a window.
#[derive(Debug)]
pub(crate) struct Monitor {
    rule: Rule,
    phase: Phase,
    samples: VecDeque<Sample>,
    /// Turns last seen, and when they last changed, by worker.
    turns: Vec<(u64, Duration)>,
}

impl Monitor {
    pub(crate) fn new(rule: Rule) -> Self {
        Self { rule, phase: Phase::Starting, samples: VecDeque::new(), turns: Vec::new() }
    }

    /// Where the process is now.
    pub(crate) fn set_phase(&mut self, phase: Phase) {
        self.phase = phase;
    }

    /// Judges by another rule from now on; what was seen under the old one counts on.
    pub(crate) fn set_rule(&mut self, rule: Rule) {
        self.rule = rule;
    }

    /// Takes the counters at `at` (any clock that only goes forward). Called once a second; the window then holds
    /// at most as many samples as it has seconds, and one more.
    pub(crate) fn observe(&mut self, at: Duration, totals: &Totals) {
        let sum = &totals.sum;
        self.samples.push_back(Sample {
            at,
            packets: sum.received() + sum.kernel_drops,
            packets_lost: sum.kernel_drops + sum.handover_full + sum.outer_fragments,
            records: sum.records,
            records_lost: totals.export_dropped(),
        });
        // The newest sample that is a whole window old stays: it is where the window begins.
        while self.samples.get(1).is_some_and(|second| at.saturating_sub(second.at) >= self.rule.window) {
            self.samples.pop_front();
        }
        self.turns.resize(totals.workers.len(), (u64::MAX, at));
        for (seen, worker) in self.turns.iter_mut().zip(&totals.workers) {
            if seen.0 != worker.turns {
                *seen = (worker.turns, at);
            }
        }
    }

    /// Everything that speaks against readiness at the last observation; empty is ready.
    pub(crate) fn not_ready(&self) -> Vec<Reason> {
        let mut reasons = match self.phase {
            Phase::Starting => vec![Reason::Starting],
            Phase::Serving => Vec::new(),
            Phase::Draining => vec![Reason::Draining],
        };
        let (allowed, window) = (self.rule.max_drop_share, self.rule.window);
        if let (Some(first), Some(last)) = (self.samples.front(), self.samples.back()) {
            if let Some(share) =
                excess(last.packets_lost - first.packets_lost, last.packets - first.packets, allowed)
            {
                reasons.push(Reason::DroppingPackets { share, allowed, window });
            }
            if let Some(share) =
                excess(last.records_lost - first.records_lost, last.records - first.records, allowed)
            {
                reasons.push(Reason::DroppingRecords { share, allowed, window });
            }
            if self.phase == Phase::Serving {
                for (worker, (_, moved)) in self.turns.iter().enumerate() {
                    let since = last.at.saturating_sub(*moved);
                    if since >= STALLED {
                        reasons.push(Reason::WorkerStalled { worker, since });
                    }
                }
            }
        }
        reasons
    }

    /// What a restart would cure; empty is alive.
    pub(crate) fn not_alive(&self) -> Vec<Reason> {
        self.not_ready().into_iter().filter(Reason::is_fatal).collect()
    }

    /// Where the process is.
    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }
}

/// The share of `lost`, if it is more than allowed and means something.
#[allow(clippy::cast_precision_loss, reason = "a share, shown with two decimals")]
fn excess(lost: u64, all: u64, allowed: f64) -> Option<f64> {
    let share = lost as f64 / all.max(lost).max(1) as f64;
    (all.max(lost) >= FEWEST && share > allowed).then_some(share)
}
