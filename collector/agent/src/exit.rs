//! Exit codes: a supervisor learns from them, without reading a log, whether the run was whole.

use std::process::ExitCode;

/// Shown under `--help`; the same list is in the crate's README.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done, and nothing was lost
  1  not done: a file, socket or address could not be used
  2  not started: wrong arguments or configuration
  3  done, but something was lost: packets dropped by the kernel, records not written, a damaged capture,
     datagrams that could not be sent";

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done and nothing was lost.
    Whole,
    /// The command could not do its work; the reason is on standard error.
    Failed,
    /// Arguments or configuration are wrong. Also what clap exits with.
    Usage,
    /// The work was done to its end, but packets, records or part of an input were lost.
    Lossy,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Whole => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Lossy => 3,
        })
    }
}
