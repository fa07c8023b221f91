//! Where rendered lines go: record files or standard output. Takes whole blocks of lines, so that a block is either
//! written or failed, and its records counted once.

use std::io::{self, Write as _};
use std::time::SystemTime;

use super::file::{FileError, FileSet};

/// Why a block of lines was not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot write records to standard output")]
    Stdout(#[source] io::Error),
}

/// The destination of `export.to`.
pub(crate) enum Destination {
    Files(FileSet),
    Stdout,
}

impl Destination {
    /// Whether lines of all streams go to one place, so that each must say of which it is.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Stdout)
    }

    /// Writes whole lines of one stream.
    pub(crate) fn write(
        &mut self,
        stream: &'static str,
        lines: &[u8],
        now: SystemTime,
    ) -> Result<(), WriteError> {
        match self {
            Self::Files(files) => Ok(files.write(stream, lines, now)?),
            Self::Stdout => {
                let mut out = io::stdout().lock();
                out.write_all(lines).and_then(|()| out.flush()).map_err(WriteError::Stdout)
            }
        }
    }

    /// Does what is due by `now`; the number of files that were rotated.
    pub(crate) fn tick(&mut self, now: SystemTime) -> Result<u64, WriteError> {
        match self {
            Self::Files(files) => Ok(files.rotate_due(now)?),
            Self::Stdout => Ok(0),
        }
    }
}
