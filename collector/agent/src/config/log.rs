//! `log`: what the program says about itself. Records are not logs; they go where `export` says.

use std::path::PathBuf;

use tracing_subscriber::filter::LevelFilter;

use super::Section;
use super::key::{Key, Reader};
use super::value;

static LEVEL: Key = Key {
    section: "log",
    name: "level",
    default: "\"info\"",
    allowed: "\"error\", \"warn\", \"info\" or \"debug\"",
    meaning: "Least important message to show. Nothing is ever logged per packet. The environment variable `ENIGMA_LOG` overrides it.",
    reason: "Start, stop and every loss are worth a line; nothing else is at this level.",
};

static FORMAT: Key = Key {
    section: "log",
    name: "format",
    default: "\"text\"",
    allowed: "\"text\" or \"json\"",
    meaning: "One readable line or one JSON object a message.",
    reason: "The first reader is a person with `journalctl`.",
};

static FILE: Key = Key {
    section: "log",
    name: "file",
    default: "\"\"",
    allowed: "an absolute path, or \"\" for standard error",
    meaning: "Append messages to this file instead of standard error.",
    reason: "The service manager keeps, rotates and shows standard error already.",
};

/// `[log]`.
pub(crate) static SECTION: Section =
    Section { name: "log", about: "The program's own messages.", keys: &[&LEVEL, &FORMAT, &FILE] };

/// How a message looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Json,
}

/// The program's own messages.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Log {
    pub(crate) level: LevelFilter,
    pub(crate) format: Format,
    /// `None`: standard error.
    pub(crate) file: Option<PathBuf>,
}

/// The words of `log.level` and of `ENIGMA_LOG`.
pub(crate) const LEVELS: &[(&str, LevelFilter)] = &[
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
];

impl Log {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            level: reader.get(&LEVEL, |v| value::one_of(v, LEVELS)),
            format: reader
                .get(&FORMAT, |v| value::one_of(v, &[("text", Format::Text), ("json", Format::Json)])),
            file: reader.get(&FILE, |v| match value::text(v) {
                Some("") => Some(None),
                _ => value::absolute_path(v).map(Some),
            }),
        }
    }
}
