//! `enrich`: the file that tells who is behind a VNI.

use std::path::PathBuf;
use std::time::Duration;

use super::Section;
use super::key::{Key, Reader};
use super::value;

static FILE: Key = Key {
    section: "enrich",
    name: "file",
    default: "\"\"",
    allowed: "an absolute path, or \"\" for none",
    meaning: "JSON file of sessions: `{\"version\": 1, \"sessions\": [{\"vni\": 1001, \"eni\": \"eni-0a1b\", ...}]}`, each with any of `source_ip`, `instance_id`, `account_id`, `region`, `vpc_id`, `subnet_id`, `name` and `tags` (an object of texts). They are added to each record of that VNI as `enigma.eni` and so on. An entry with `source_ip` (the interface's primary address) is for packets from there only, and comes before one without. A file that is missing or broken leaves the sessions known before, and says so once; records of unknown sessions are written without these fields and counted.",
    reason: "Records are whole without it; who is behind a VNI is known to whoever made the sessions.",
};

static INTERVAL: Key = Key {
    section: "enrich",
    name: "interval",
    default: "\"30s\"",
    allowed: "a duration from 100ms to 24h, such as \"30s\"",
    meaning: "How often to look whether the file has changed. It is then read and swapped as a whole. Write it beside and rename it, so that half of it is never seen.",
    reason: "New sessions are named before their first flows have ended, mostly; a look costs one system call.",
};

/// `[enrich]`.
pub(crate) static SECTION: Section = Section {
    name: "enrich",
    about: "Who is behind a VNI: names and places added to records.",
    keys: &[&FILE, &INTERVAL],
};

/// The directory of sessions.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Enrich {
    /// `None`: no record is enriched.
    pub(crate) file: Option<PathBuf>,
    /// Time between two looks at the file.
    pub(crate) interval: Duration,
}

impl Enrich {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            file: reader.get(&FILE, |v| match value::text(v) {
                Some("") => Some(None),
                _ => value::absolute_path(v).map(Some),
            }),
            interval: reader.get(&INTERVAL, |v| {
                value::duration(v, Duration::from_millis(100)..=Duration::from_secs(86_400))
            }),
        }
    }
}
