//! Sets up the program's own messages: level, form and place as configured. A file is opened anew when asked, so that
//! somebody else can rotate it.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt, reload};

use crate::config::log::{Format, Log};

/// The log file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the log file {}", path.display())]
pub(crate) struct LogError {
    path: PathBuf,
    source: io::Error,
}

/// The file that messages go to. A lock, because messages are few and never a packet's.
struct LogFile {
    path: PathBuf,
    file: Mutex<File>,
}

impl LogFile {
    fn open(path: &Path) -> Result<File, LogError> {
        let opened = OpenOptions::new().create(true).append(true).open(path);
        opened.map_err(|source| LogError { path: path.to_owned(), source })
    }
}

impl Write for &LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

/// What can be changed of a logging that runs: the level, and the file behind its path.
pub(crate) struct Logging {
    handle: reload::Handle<LevelFilter, Registry>,
    /// Given from outside the configuration; then the configuration does not change it.
    fixed: bool,
    /// `None`: standard error.
    file: Option<Arc<LogFile>>,
}

impl Logging {
    /// Writes on into the file that is at the path now, or into a new one. On an error messages go where they went.
    pub(crate) fn reopen(&self) -> Result<(), LogError> {
        if let Some(log) = &self.file {
            let file = LogFile::open(&log.path)?;
            *log.file.lock().unwrap_or_else(PoisonError::into_inner) = file;
        }
        Ok(())
    }

    /// Shows messages from this level on, unless the level is fixed.
    pub(crate) fn set_level(&self, level: LevelFilter) {
        if !self.fixed {
            // It fails only when logging is gone, and then there is nothing to set.
            drop(self.handle.reload(level));
        }
    }
}

/// Starts logging for the rest of the process; a second call changes nothing. `level` overrides the configured one.
pub(crate) fn start(log: &Log, level: Option<LevelFilter>) -> Result<Logging, LogError> {
    let file = match &log.file {
        None => None,
        Some(path) => Some(Arc::new(LogFile { path: path.clone(), file: Mutex::new(LogFile::open(path)?) })),
    };
    let writer = match &file {
        None => BoxMakeWriter::new(io::stderr),
        Some(file) => BoxMakeWriter::new(Arc::clone(file)),
    };
    let (filter, handle) = reload::Layer::new(level.unwrap_or(log.level));
    let form = fmt::layer().with_target(false).with_ansi(false).with_writer(writer);
    let form = match log.format {
        Format::Text => form.boxed(),
        Format::Json => form.json().boxed(),
    };
    // Already started: the first settings stay.
    drop(tracing_subscriber::registry().with(filter).with(form).try_init());
    Ok(Logging { handle, fixed: level.is_some(), file })
}
