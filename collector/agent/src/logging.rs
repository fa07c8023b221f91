//! Sets up the program's own messages: level, form and place as configured.

use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

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

/// The level of a logging that runs.
pub(crate) struct Level {
    handle: reload::Handle<LevelFilter, Registry>,
    /// Given from outside the configuration; then the configuration does not change it.
    fixed: bool,
}

impl Level {
    /// Shows messages from this level on, unless the level is fixed.
    pub(crate) fn set(&self, level: LevelFilter) {
        if !self.fixed {
            // It fails only when logging is gone, and then there is nothing to set.
            drop(self.handle.reload(level));
        }
    }
}

/// Starts logging for the rest of the process; a second call changes nothing. `level` overrides the configured one.
pub(crate) fn start(log: &Log, level: Option<LevelFilter>) -> Result<Level, LogError> {
    let writer = match &log.file {
        None => BoxMakeWriter::new(io::stderr),
        Some(path) => {
            let file = OpenOptions::new()
                .create(true)
                .append(true)
                .open(path)
                .map_err(|source| LogError { path: path.clone(), source })?;
            BoxMakeWriter::new(Mutex::new(file))
        }
    };
    let (filter, handle) = reload::Layer::new(level.unwrap_or(log.level));
    let form = fmt::layer().with_target(false).with_ansi(false).with_writer(writer);
    let form = match log.format {
        Format::Text => form.boxed(),
        Format::Json => form.json().boxed(),
    };
    // Already started: the first settings stay.
    drop(tracing_subscriber::registry().with(filter).with(form).try_init());
    Ok(Level { handle, fixed: level.is_some() })
}
