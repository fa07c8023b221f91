//! What programs took, round by round.

use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    /// User and system seconds.
    pub(crate) cpu: f64,
    /// Of which user.
    pub(crate) user: f64,
    pub(crate) wall: f64,
}

/// User and system seconds of all children that have ended and were waited for.
pub(crate) fn children() -> Result<(f64, f64)> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |micros: i64| micros as f64 / 1e6;
    Ok((seconds(usage.user_time().num_microseconds()), seconds(usage.system_time().num_microseconds())))
}

/// Runs a program to its end, silently.
pub(crate) fn timed(command: &mut Command) -> Result<Took> {
    let (user, system) = children()?;
    let start = Instant::now();
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let wall = start.elapsed().as_secs_f64();
    has_ended(command, status)?;
    let (user, system) = (children()?.0 - user, children()?.1 - system);
    Ok(Took { cpu: user + system, user, wall })
}

fn has_ended(command: &Command, status: ExitStatus) -> Result<()> {
    ensure!(status.code().is_some(), "{command:?} was killed");
    Ok(())
}

pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The median of `a / b`, round by round.
pub(crate) fn ratio(a: &[Took], b: &[Took]) -> f64 {
    median(a.iter().zip(b).map(|(a, b)| a.cpu / b.cpu))
}
