//! Record files: `DIR/STREAM.log` is always the current one, and always ends with a whole line. A file that is large or
//! old enough is renamed to `STREAM-TIME.log` (the time of its beginning, UTC) and a new one begun; renaming is
//! atomic, so a shipper sees a file under one name or the other. A file that somebody moved or deleted is let go, and a
//! new one begun under its name. Time is a parameter; what a line holds is not known here.

mod rotated;

#[cfg(test)]
mod tests;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use self::rotated::{is_rotated_name, rotated_name};
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
    /// Bytes of rotated files kept of all streams together; 0 keeps all.
    pub(crate) keep_size: u64,
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
    #[error(
        "cannot create the directory {} for records (choose another with export.file.directory, or --output of replay)",
        path.display()
    )]
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
        // What is there already was just rotated: a service that is started over and over must not fill the disk.
        set.delete_old();
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

    /// Rotates what is due by `now`; how many files that were. A file that cannot be rotated keeps no other from it: the
    /// first error is given when all were tried, and records go on into the file as it is.
    pub(crate) fn rotate_due(&mut self, now: SystemTime) -> Result<u64, FileError> {
        let Some(rotation) = self.rotation else { return Ok(0) };
        let mut rotated = 0;
        let mut failed = None;
        for index in 0..self.streams.len() {
            let StreamFile { stream, current } = &self.streams[index];
            let stream = *stream;
            let Some(current) = current else { continue };
            let result = if is_elsewhere(&current.file, &self.path(stream)) {
                // Who moved it has its records. Ours go where people look for them.
                tracing::warn!(
                    "{} was moved or deleted by somebody; records go on in a new file of that name",
                    self.path(stream).display()
                );
                self.streams[index].current = None;
                self.current(stream, now).map(drop)
            } else {
                let age = now.duration_since(current.begun).unwrap_or_default();
                if current.good < rotation.size && (current.good == 0 || age < rotation.interval) {
                    continue;
                }
                self.rotate(stream, current.begun).and_then(|()| {
                    self.streams[index].current = None;
                    rotated += 1;
                    self.current(stream, now).map(drop)
                })
            };
            if let Err(error) = result {
                failed.get_or_insert(error);
            }
        }
        if rotated > 0 {
            self.delete_old();
        }
        failed.map_or(Ok(rotated), Err)
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

    /// Deletes rotated files beyond what `Rotation` keeps, oldest first.
    fn delete_old(&self) {
        if let Some(rotation) = self.rotation {
            let streams: Vec<_> = self.streams.iter().map(|file| file.stream).collect();
            rotated::delete_old(&self.directory, &streams, rotation.keep, rotation.keep_size);
        }
    }
}

/// Whether an open file is no longer the one at `path`.
fn is_elsewhere(file: &File, path: &Path) -> bool {
    // A file that cannot be asked is taken for the right one: a rotation, or the next write, tells what is wrong.
    let Ok(open) = file.metadata() else { return false };
    match fs::metadata(path) {
        Ok(named) => (named.dev(), named.ino()) != (open.dev(), open.ino()),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}
