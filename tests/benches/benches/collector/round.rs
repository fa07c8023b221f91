//! What programs took, round by round.

use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use wait4::Wait4 as _;

/// One run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    /// User and system seconds.
    pub(crate) cpu: f64,
    /// Of which user.
    pub(crate) user: f64,
    pub(crate) wall: f64,
}

/// User and system seconds of all children that have ended and were waited for, in ticks of 10 ms (`proc_pid_stat(5)`).
pub(crate) fn children() -> Result<(f64, f64)> {
    /// Linux counts CPU time in hundredths of a second on every architecture.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = stat.rsplit_once(')').context("a process without a name")?;
    // Fields count from the state, which is the third: children's user and system time are 16 and 17.
    let mut fields = rest.split_whitespace().skip(13).map(str::parse::<f64>);
    let mut next = || -> Result<f64> { Ok(fields.next().context("no time of children")?? / TICKS) };
    Ok((next()?, next()?))
}

/// Runs a program to its end, silently.
pub(crate) fn timed(command: &mut Command) -> Result<Took> {
    let start = Instant::now();
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let ended = child.wait4()?;
    let wall = start.elapsed().as_secs_f64();
    has_ended(command, ended.status)?;
    let (user, system) = (ended.rusage.utime, ended.rusage.stime);
    Ok(Took { cpu: Duration::as_secs_f64(&(user + system)), user: user.as_secs_f64(), wall })
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
