//! `health`: when a collector that loses packets says that it is not ready.

use std::time::Duration;

use super::Section;
use super::key::{Key, Reader};
use super::value;

static MAX_DROP_SHARE: Key = Key {
    section: "health",
    name: "max_drop_share",
    default: "0.05",
    allowed: "a share from 0.0 to 1.0 (1.0 never)",
    meaning: "Not ready while more than this share of packets (dropped by the kernel) or of records (dropped before they were written) was lost over the window.",
    reason: "Below it a lossy collector is still better than moving its traffic to neighbours that then lose too; above it records mislead.",
};

static WINDOW: Key = Key {
    section: "health",
    name: "window",
    default: "\"30s\"",
    allowed: "a duration from 1s to 10m, such as \"30s\"",
    meaning: "How far back the share looks.",
    reason: "One interval of a load balancer's default health check: a burst is forgotten before two checks in a row have seen it.",
};

/// `[health]`.
pub(crate) static SECTION: Section = Section {
    name: "health",
    about: "When `/health/ready` answers 503 although packets are being received.",
    keys: &[&MAX_DROP_SHARE, &WINDOW],
};

/// The readiness rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Health {
    /// From 0 to 1.
    pub(crate) max_drop_share: f64,
    /// How far back the share looks.
    pub(crate) window: Duration,
}

impl Health {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            max_drop_share: reader.get(&MAX_DROP_SHARE, value::share),
            window: reader
                .get(&WINDOW, |v| value::duration(v, Duration::from_secs(1)..=Duration::from_secs(600))),
        }
    }
}
