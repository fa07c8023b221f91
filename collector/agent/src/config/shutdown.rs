//! `shutdown`: what a stop signal leaves time for.

use std::time::Duration;

use super::Section;
use super::key::{Key, Reader};
use super::value;

static DRAIN: Key = Key {
    section: "shutdown",
    name: "drain",
    default: "\"60s\"",
    allowed: "a duration from 0s to 1h, such as \"60s\"",
    meaning: "After SIGTERM or SIGINT the collector is not ready but goes on receiving for this long, so that the load balancer has moved the traffic before the socket closes. A second signal ends it at once.",
    reason: "Two failed health checks at a network load balancer's default interval of 30 s, and with the write limit still inside systemd's default stop timeout of 90 s.",
};

static WRITE_LIMIT: Key = Key {
    section: "shutdown",
    name: "write_limit",
    default: "\"10s\"",
    allowed: "a duration from 100ms to 10m, such as \"10s\"",
    meaning: "Longest time for writing what is left: the records of all live flows and the queue. What is not written by then is counted as dropped.",
    reason: "A million records take a working disk a few seconds; a disk that needs more than ten is not coming back.",
};

/// `[shutdown]`.
pub(crate) static SECTION: Section = Section {
    name: "shutdown",
    about: "What happens between a stop signal and the exit.",
    keys: &[&DRAIN, &WRITE_LIMIT],
};

/// The two waits of a stop.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shutdown {
    /// Receiving goes on for this long.
    pub(crate) drain: Duration,
    /// Then writing may take this long.
    pub(crate) write_limit: Duration,
}

impl Shutdown {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            drain: reader.get(&DRAIN, |v| value::duration(v, Duration::ZERO..=Duration::from_secs(3600))),
            write_limit: reader.get(&WRITE_LIMIT, |v| {
                value::duration(v, Duration::from_millis(100)..=Duration::from_secs(600))
            }),
        }
    }
}
