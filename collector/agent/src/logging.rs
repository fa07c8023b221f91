//! Sets up the program's own messages: level, form and place as configured.

use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

use crate::config::log::{Format, Log};

/// The log file could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the log file {}", path.display())]
pub(crate) struct LogError {
    path: PathBuf,
    source: io::Error,
}

/// Starts logging for the rest of the process; a second call changes nothing. `level` overrides the configured one.
pub(crate) fn start(log: &Log, level: Option<LevelFilter>) -> Result<(), LogError> {
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
    let builder = tracing_subscriber::fmt()
        .with_max_level(level.unwrap_or(log.level))
        .with_target(false)
        .with_ansi(false)
        .with_writer(writer);
    let started = match log.format {
        Format::Text => builder.try_init(),
        Format::Json => builder.json().try_init(),
    };
    // Already started: the first settings stay.
    drop(started);
    Ok(())
}
