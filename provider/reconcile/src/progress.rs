//! How far an execution is, for people who watch: in the log, and through a port such as a file.
//!
//! Counting costs nothing per call; telling happens at most once per second, however fast calls are. How long it will take is
//! counted from AWS's call rates, not measured, so it is the least it can be ([`enigma_fleet::duration`]). Nothing is
//! decided here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enigma_fleet::actions::Action;
use enigma_fleet::duration::Backlog;
use enigma_fleet::ids::{FleetName, Place};
use enigma_fleet::plan::{Plan, Stage};
use serde::Serialize;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::outcome::Outcome;

/// Telling more often than this is noise to a person and load to a disk.
const INTERVAL: Duration = Duration::from_secs(1);

/// Somebody who wants to know.
pub trait Progress: Send + Sync {
    /// Called at most once per second and once at the end, from the executor's task: it must not block for long, and has no say.
    fn tell(&self, report: &Report);
}

/// Where an execution is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The fleet.
    pub fleet: FleetName,
    /// Whether it has ended, however it did.
    pub is_finished: bool,
    /// All places together.
    pub done: usize,
    /// Actions that ended in another way: failed, skipped, cancelled, source gone.
    pub not_done: usize,
    /// Actions of the plan.
    pub total: usize,
    /// Seconds since it began.
    pub elapsed_seconds: u64,
    /// Seconds that the slowest place needs at least, at AWS's call rates.
    pub remaining_seconds: u64,
    /// By place.
    pub places: BTreeMap<String, PlaceReport>,
}

/// Where one place is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlaceReport {
    /// What it is doing, as a name of [`Stage`]; absent before it began.
    pub stage: Option<String>,
    /// Actions that took effect.
    pub done: usize,
    /// Actions that ended in another way.
    pub not_done: usize,
    /// Actions there.
    pub total: usize,
    /// Seconds it needs at least.
    pub remaining_seconds: u64,
}

/// Counts for one execution.
pub(crate) struct Meter {
    listener: Option<Arc<dyn Progress>>,
    began: Instant,
    /// With their names.
    places: BTreeMap<Place, String>,
    counts: Mutex<Counts>,
}

struct Counts {
    told: Instant,
    report: Report,
    /// Calls that are left.
    left: Backlog,
}

impl Meter {
    pub(crate) fn new(plan: &Plan, listener: Option<Arc<dyn Progress>>) -> Self {
        let began = Instant::now();
        let mut places: BTreeMap<String, PlaceReport> = BTreeMap::new();
        for action in plan.actions() {
            places.entry(action.place().to_string()).or_default().total += 1;
        }
        let report = Report {
            fleet: plan.fleet.clone(),
            is_finished: false,
            done: 0,
            not_done: 0,
            total: plan.actions().count(),
            elapsed_seconds: 0,
            remaining_seconds: 0,
            places,
        };
        let named =
            plan.actions().map(|action| (action.place().clone(), action.place().to_string())).collect();
        Self {
            listener,
            began,
            places: named,
            counts: Mutex::new(Counts { told: began, report, left: Backlog::of(plan) }),
        }
    }

    /// A place begins with a stage.
    pub(crate) fn enter(&self, place: &Place, stage: Stage) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(report) = counts.report.places.get_mut(&place.to_string()) {
            report.stage = Some(format!("{stage:?}"));
        }
    }

    /// An action ended.
    pub(crate) fn count(&self, action: &Action, outcome: &Outcome) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let place = action.place();
        let is_done = matches!(outcome, Outcome::Done(_));
        counts.report.done += usize::from(is_done);
        counts.report.not_done += usize::from(!is_done);
        if let Some(report) = counts.report.places.get_mut(&place.to_string()) {
            report.done += usize::from(is_done);
            report.not_done += usize::from(!is_done);
        }
        counts.left.remove(action);
        if counts.told.elapsed() >= INTERVAL {
            counts.told = Instant::now();
            self.tell(&mut counts, place);
        }
    }

    /// Everything ended.
    pub(crate) fn finish(&self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.report.is_finished = true;
        // What was left out is not done any more.
        counts.left = Backlog::default();
        self.estimate(&mut counts);
        if let Some(listener) = &self.listener {
            listener.tell(&counts.report);
        }
    }

    fn estimate(&self, counts: &mut Counts) {
        counts.report.elapsed_seconds = self.began.elapsed().as_secs();
        counts.report.remaining_seconds = 0;
        for (place, name) in &self.places {
            let left = counts.left.least(place).as_secs();
            counts.report.remaining_seconds = counts.report.remaining_seconds.max(left);
            if let Some(report) = counts.report.places.get_mut(name) {
                report.remaining_seconds = left;
            }
        }
    }

    fn tell(&self, counts: &mut Counts, place: &Place) {
        self.estimate(counts);
        if let Some(here) = counts.report.places.get(&place.to_string()) {
            info!(
                "{} of {} done in {place}, {}",
                grouped(here.done + here.not_done),
                grouped(here.total),
                about(here.remaining_seconds)
            );
        }
        if let Some(listener) = &self.listener {
            listener.tell(&counts.report);
        }
    }
}

/// A number as people read it: `4,000`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn about(seconds: u64) -> String {
    match seconds {
        0 => "seconds left".to_owned(),
        1..60 => format!("at least {seconds} s left"),
        _ => format!("at least {} min left", seconds / 60),
    }
}

/// A file that always holds the newest report of each fleet, as one JSON object by the fleets' names: Terraform
/// applies several at once. A reader never sees half of one: it is written beside its place and then renamed over it,
/// one report at a time. A file that cannot be written is one warning in the log, since nobody should lose a fleet
/// over it.
pub struct ProgressFile {
    path: PathBuf,
    /// Held while writing, so that no report overtakes another.
    newest: Mutex<BTreeMap<FleetName, Report>>,
    has_failed: std::sync::atomic::AtomicBool,
}

impl ProgressFile {
    /// Nothing is written before the first report. The directory must exist.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path, newest: Mutex::default(), has_failed: std::sync::atomic::AtomicBool::new(false) }
    }

    fn write(&self, report: &Report) -> std::io::Result<()> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.insert(report.fleet.clone(), report.clone());
        let mut name = self.path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.tmp", std::process::id()));
        let beside = self.path.with_file_name(name);
        let mut text = serde_json::to_vec_pretty(&*newest)?;
        text.push(b'\n');
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, &self.path)
    }
}

impl Progress for ProgressFile {
    fn tell(&self, report: &Report) {
        if let Err(error) = self.write(report)
            && !self.has_failed.swap(true, std::sync::atomic::Ordering::Relaxed)
        {
            warn!(path = %self.path.display(), %error, "progress cannot be written");
        }
    }
}

#[cfg(test)]
mod tests;
