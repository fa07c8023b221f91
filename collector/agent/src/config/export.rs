//! `export`: where records go, and what happens when they cannot go there fast enough.

use std::path::PathBuf;
use std::time::Duration;

use super::Section;
use super::key::{Key, Reader};
use super::value;
use crate::export::compress::Compression;

static TO: Key = Key {
    section: "export",
    name: "to",
    default: "\"file\"",
    allowed: "\"file\" or \"stdout\"",
    meaning: "Destination of the records: JSON lines in one file per stream, or all streams on standard output, where each line begins with its stream: `\"_path\": \"conn\"`, as Zeek-speaking readers expect it.",
    reason: "Files with Zeek's names are what log shippers and analysts already pick up.",
};

static QUEUE: Key = Key {
    section: "export",
    name: "queue",
    default: "256",
    allowed: "a whole number from 2 to 65536",
    meaning: "Batches of up to 512 records that may wait for the writer. While it is more than half full, flows that are over stay in the table instead of becoming records. When it is full the oldest batch is dropped and its records are counted in `export_dropped`; the packet path never waits.",
    reason: "131,072 records, which is 13 seconds of 10,000 new flows a second: a disk may pause that long and nothing is lost. About 40 MiB when full.",
};

static DIRECTORY: Key = Key {
    section: "export.file",
    name: "directory",
    default: "\"/var/log/enigma\"",
    allowed: "an absolute path",
    meaning: "Directory of the record files (`conn.log` and so on). It is created when it does not exist.",
    reason: "The usual place of logs that a service writes.",
};

static ROTATE_SIZE: Key = Key {
    section: "export.file",
    name: "rotate_size",
    default: "\"256MiB\"",
    allowed: "a size from 4KiB to 1024GiB, such as \"256MiB\"",
    meaning: "A file that has reached this size is renamed to `STREAM-TIME.log` and a new one is begun.",
    reason: "Small enough to move and to open, large enough that an hour of a quiet fleet is one file.",
};

static ROTATE_INTERVAL: Key = Key {
    section: "export.file",
    name: "rotate_interval",
    default: "\"1h\"",
    allowed: "a duration from 1s to 31 days (744h), such as \"1h\"",
    meaning: "A file this old that holds at least one record is renamed in the same way.",
    reason: "Zeek's own default in production, and the usual partition of a log archive.",
};

static KEEP_FILES: Key = Key {
    section: "export.file",
    name: "keep_files",
    default: "168",
    allowed: "a whole number from 0 to 1000000",
    meaning: "Renamed files kept for each stream; older ones are deleted. 0 keeps all.",
    reason: "A week of hourly files. What they may take is bounded by `keep_size`.",
};

static KEEP_SIZE: Key = Key {
    section: "export.file",
    name: "keep_size",
    default: "\"16GiB\"",
    allowed: "a size up to 1048576GiB, such as \"16GiB\"; \"0B\" keeps all",
    meaning: "Bytes of renamed files kept, all streams together; the oldest are deleted, whichever stream they are of. Files being written come on top: one of `rotate_size` for each stream.",
    reason: "An unattended collector must not fill its disk and then lose new records. Half of a disk of 30 GiB, which is the smallest that sensors usually get.",
};

static COMPRESS: Key = Key {
    section: "export.file",
    name: "compress",
    default: "\"none\"",
    allowed: "\"none\", \"gzip\" or \"zstd\"",
    meaning: "Compress renamed files, to `STREAM-TIME.log.gz` or `.zst`, on a thread of its own. The plain file goes when the compressed one is whole; what a stop cuts short is done at the next start.",
    reason: "Log shippers may still be reading the plain file after it was renamed. Choose it where these files are the archive.",
};

static FLUSH_INTERVAL: Key = Key {
    section: "export.file",
    name: "flush_interval",
    default: "\"1s\"",
    allowed: "a duration from 10ms to 60s, such as \"1s\"",
    meaning: "Longest time a record waits in the writer's memory before it is written.",
    reason: "What a person who watches the file with `tail -f` still calls at once; also the most that a crash can lose.",
};

/// `[export]`.
pub(crate) static SECTION: Section =
    Section { name: "export", about: "Where records go.", keys: &[&TO, &QUEUE] };

/// `[export.file]`.
pub(crate) static FILE_SECTION: Section = Section {
    name: "export.file",
    about: "JSON lines, one file per stream, rotated by size and time. Used when `export.to` is \"file\".",
    keys: &[&DIRECTORY, &ROTATE_SIZE, &ROTATE_INTERVAL, &KEEP_FILES, &KEEP_SIZE, &COMPRESS, &FLUSH_INTERVAL],
};

/// Where the records of `run` go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Destination {
    File,
    Stdout,
}

/// The exporter's limits.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Export {
    pub(crate) to: Destination,
    /// Batches between the workers and the writer.
    pub(crate) queue: usize,
    pub(crate) file: ExportFile,
}

/// The record files.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ExportFile {
    pub(crate) directory: PathBuf,
    /// Bytes after which a file is rotated.
    pub(crate) rotate_size: u64,
    /// Age after which a file with records is rotated.
    pub(crate) rotate_interval: Duration,
    /// Rotated files kept per stream; 0 keeps all.
    pub(crate) keep_files: usize,
    /// Bytes of rotated files kept of all streams together; 0 keeps all.
    pub(crate) keep_size: u64,
    /// How rotated files are compressed, if at all.
    pub(crate) compress: Option<Compression>,
    /// Longest wait of a record in memory.
    pub(crate) flush_interval: Duration,
}

impl Export {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let count =
            |v: &super::raw::RawValue, range| value::integer(v, range).and_then(|n| usize::try_from(n).ok());
        Self {
            to: reader.get(&TO, |v| {
                value::one_of(v, &[("file", Destination::File), ("stdout", Destination::Stdout)])
            }),
            queue: reader.get(&QUEUE, |v| count(v, 2..=65_536)),
            file: ExportFile {
                directory: reader.get(&DIRECTORY, value::absolute_path),
                rotate_size: reader.get(&ROTATE_SIZE, |v| value::size(v, 4 << 10..=1 << 40)),
                rotate_interval: reader.get(&ROTATE_INTERVAL, |v| {
                    value::duration(v, Duration::from_secs(1)..=Duration::from_secs(744 * 3600))
                }),
                keep_files: reader.get(&KEEP_FILES, |v| count(v, 0..=1_000_000)),
                keep_size: reader.get(&KEEP_SIZE, |v| value::size(v, 0..=1 << 50)),
                compress: reader.get(&COMPRESS, |v| {
                    let [gzip, zstd] = Compression::ALL.map(Some);
                    value::one_of(v, &[("none", None), ("gzip", gzip), ("zstd", zstd)])
                }),
                flush_interval: reader.get(&FLUSH_INTERVAL, |v| {
                    value::duration(v, Duration::from_millis(10)..=Duration::from_secs(60))
                }),
            },
        }
    }
}
