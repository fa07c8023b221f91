//! Signals as what they ask for.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// SIGTERM or SIGINT; SIGHUP too for who sits at a terminal: closing it must not cost the records of live flows.
    Stop,
    /// SIGHUP of a service.
    Reload,
}

/// The signals of a run. Two that come before one is taken are one.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    interactive: bool,
}

impl Signals {
    /// Takes the signals over for the rest of the process. `interactive` is whether a person's terminal is attached.
    pub(super) fn new(interactive: bool) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            interactive,
        })
    }

    /// The next signal. May be cancelled: a signal that comes later is not lost.
    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hangup.recv() => if self.interactive { Asked::Stop } else { Asked::Reload },
        }
    }
}
