//! Record files: `DIR/STREAM.log` is always the current one, and always ends with a whole line. A file that is large or
//! old enough is renamed to `STREAM-TIME.log` (the time of its beginning, UTC) and a new one begun; renaming is
//! atomic, so a shipper sees a file under one name or the other. Time is a parameter; what a line holds is not known
//! here.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::compress::{Compression, Compressor, PARTIAL};

/// When files are rotated and how many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// Bytes.
    pub(crate) size: u64,
    /// Age of a file that holds something.
    pub(crate) interval: Duration,
    /// Rotated files kept per stream; 0 keeps all.
    pub(crate) keep: usize,
}

/// What happens to a file of the same name that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Existing {
    /// Rename it as a rotation would, unless it is empty: an earlier run's records.
    Rotate,
    /// Empty it: an offline run gives the same files however often it is repeated.
    Replace,
}

/// Why a file could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot create the directory {}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("cannot write records into {}: another collector writes there", directory.display())]
    Taken { directory: PathBuf },
    #[error("cannot open {}", path.display())]
    Open { path: PathBuf, source: io::Error },
    #[error("cannot write to {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot start the compress thread")]
    Compress(#[source] io::Error),
    #[error("cannot rename {} to {}", from.display(), to.display())]
    Rotate { from: PathBuf, to: PathBuf, source: io::Error },
}

/// The record files of one directory. Holds the directory's lock as long as it lives.
pub(crate) struct FileSet {
    directory: PathBuf,
    rotation: Option<Rotation>,
    existing: Existing,
    streams: Vec<StreamFile>,
    /// What rotated files are given to.
    compressor: Option<Compressor>,
    _lock: File,
}

struct StreamFile {
    stream: &'static str,
    /// `None` after a rotation whose new file could not be opened; tried again at the next write.
    current: Option<Current>,
}

struct Current {
    file: File,
    /// Bytes of whole lines in it.
    good: u64,
    begun: SystemTime,
}

impl FileSet {
    /// Creates and locks `directory`, and opens the files of `streams` at once, so that a missing permission shows
    /// at the start and not at the first record. `rotation: None` never rotates.
    pub(crate) fn open(
        directory: &Path,
        rotation: Option<Rotation>,
        existing: Existing,
        streams: &[&'static str],
        now: SystemTime,
    ) -> Result<Self, FileError> {
        fs::create_dir_all(directory)
            .map_err(|source| FileError::Directory { path: directory.to_owned(), source })?;
        // The directory itself is locked: no file is left behind, and the lock ends with the process however it ends.
        let open = |source| FileError::Open { path: directory.to_owned(), source };
        let lock = File::open(directory).map_err(open)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(FileError::Taken { directory: directory.to_owned() });
            }
            Err(TryLockError::Error(source)) => return Err(open(source)),
        }
        let mut set = Self {
            directory: directory.to_owned(),
            rotation,
            existing,
            streams: Vec::new(),
            compressor: None,
            _lock: lock,
        };
        for stream in streams {
            set.current(stream, now)?;
        }
        Ok(set)
    }

    /// Has rotated files compressed from now on, and those that an earlier run left plain.
    pub(crate) fn compressing(mut self, compression: Compression) -> Result<Self, FileError> {
        let compressor = Compressor::start(compression).map_err(FileError::Compress)?;
        let mut plain = Vec::new();
        for entry in fs::read_dir(&self.directory).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_ours = |name: &str| self.streams.iter().any(|file| is_rotated_name(file.stream, name));
            if name.strip_suffix(PARTIAL).is_some_and(is_ours) {
                // Half a file of a run that was killed; the plain one is still there.
                drop(fs::remove_file(entry.path()));
            } else if is_ours(&name) && name.ends_with(".log") {
                plain.push(entry.path());
            }
        }
        plain.sort();
        for file in plain {
            compressor.take(file);
        }
        self.compressor = Some(compressor);
        Ok(self)
    }

    /// Appends whole lines. On failure the file is cut back to its last whole line.
    pub(crate) fn write(
        &mut self,
        stream: &'static str,
        lines: &[u8],
        now: SystemTime,
    ) -> Result<(), FileError> {
        let path = self.path(stream);
        let current = self.current(stream, now)?;
        if current.good == 0 {
            // Its age is that of its first record, not of an empty file that waited for one.
            current.begun = now;
        }
        match current.file.write_all(lines) {
            Ok(()) => {
                current.good += lines.len() as u64;
                Ok(())
            }
            Err(source) => {
                // Best effort on a disk that just refused: half a line at the end would spoil the next one.
                drop(current.file.set_len(current.good));
                drop(current.file.seek(SeekFrom::Start(current.good)));
                Err(FileError::Write { path, source })
            }
        }
    }

    /// Rotates what is due by `now`; how many files that were.
    pub(crate) fn rotate_due(&mut self, now: SystemTime) -> Result<u64, FileError> {
        let Some(rotation) = self.rotation else { return Ok(0) };
        let mut rotated = 0;
        for index in 0..self.streams.len() {
            let StreamFile { stream, current } = &self.streams[index];
            let stream = *stream;
            let Some(Current { good, begun, .. }) = current else { continue };
            let age = now.duration_since(*begun).unwrap_or_default();
            if *good >= rotation.size || (*good > 0 && age >= rotation.interval) {
                self.rotate(stream, *begun)?;
                self.streams[index].current = None;
                rotated += 1;
                self.current(stream, now)?;
                self.delete_old(stream, rotation.keep);
            }
        }
        Ok(rotated)
    }

    fn path(&self, stream: &str) -> PathBuf {
        self.directory.join(format!("{stream}.log"))
    }

    fn rotate(&self, stream: &str, begun: SystemTime) -> Result<(), FileError> {
        let from = self.path(stream);
        // Microseconds make names unique and sort them; a clock that was set back is stepped past.
        let mut at = begun;
        let to = loop {
            let name = rotated_name(stream, at);
            let to = self.directory.join(&name);
            let compressed = |by: Compression| self.directory.join(format!("{name}{}", by.suffix())).exists();
            if !to.exists() && !Compression::ALL.into_iter().any(compressed) {
                break to;
            }
            at += Duration::from_micros(1);
        };
        if let Err(source) = fs::rename(&from, &to) {
            return Err(FileError::Rotate { from, to, source });
        }
        if let Some(compressor) = &self.compressor {
            compressor.take(to);
        }
        Ok(())
    }

    fn current(&mut self, stream: &'static str, now: SystemTime) -> Result<&mut Current, FileError> {
        let index = match self.streams.iter().position(|file| file.stream == stream) {
            Some(index) => index,
            None => {
                self.streams.push(StreamFile { stream, current: None });
                self.streams.len() - 1
            }
        };
        if self.streams[index].current.is_none() {
            let path = self.path(stream);
            if self.existing == Existing::Rotate
                && let Ok(found) = fs::metadata(&path)
                && found.len() > 0
            {
                self.rotate(stream, found.modified().unwrap_or(now))?;
            }
            let file = OpenOptions::new()
                .create(true)
                .write(true)
                .truncate(true)
                .open(&path)
                .map_err(|source| FileError::Open { path, source })?;
            self.streams[index].current = Some(Current { file, good: 0, begun: now });
        }
        Ok(self.streams[index].current.as_mut().expect("set just above when it was absent"))
    }

    /// Deletes the oldest rotated files beyond `keep`. A file that cannot be deleted is left for the next time.
    fn delete_old(&self, stream: &str, keep: usize) {
        if keep == 0 {
            return;
        }
        let Ok(entries) = fs::read_dir(&self.directory) else { return };
        // By the name without a compression's suffix: for a moment a file is there in both forms.
        let rotated: BTreeSet<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| is_rotated_name(stream, name))
            .map(|name| plain_name(&name).to_owned())
            .collect();
        let surplus = rotated.len().saturating_sub(keep);
        for name in rotated.iter().take(surplus) {
            for suffix in ["", Compression::Gzip.suffix(), Compression::Zstd.suffix()] {
                drop(fs::remove_file(self.directory.join(format!("{name}{suffix}"))));
            }
        }
    }
}

/// `conn-20261121T041600.123456Z.log`.
fn rotated_name(stream: &str, begun: SystemTime) -> String {
    // A clock outside the years that a calendar can hold still gives a name that sorts.
    let at = jiff::Timestamp::try_from(begun).unwrap_or_default();
    format!("{stream}-{}.log", at.strftime("%Y%m%dT%H%M%S.%6fZ"))
}

/// A name without the suffix of a compression.
fn plain_name(name: &str) -> &str {
    Compression::ALL.into_iter().find_map(|by| name.strip_suffix(by.suffix())).unwrap_or(name)
}

/// Only names that `rotated_name` makes, compressed or not: nothing else in the directory is ours to delete.
fn is_rotated_name(stream: &str, name: &str) -> bool {
    const SHAPE: &[u8] = b"dddddddd-dddddd.dddddd-";
    plain_name(name)
        .strip_prefix(stream)
        .and_then(|rest| rest.strip_prefix('-'))
        .and_then(|rest| rest.strip_suffix(".log"))
        .is_some_and(|time| {
            time.len() == SHAPE.len()
                && time.bytes().zip(SHAPE).enumerate().all(|(at, (byte, shape))| match (at, shape) {
                    (8, _) => byte == b'T',
                    (22, _) => byte == b'Z',
                    (_, b'd') => byte.is_ascii_digit(),
                    (_, other) => byte == *other,
                })
        })
}
