//! Compression of rotated record files, on a thread of its own: neither packets nor the writer wait for it. The
//! compressed file appears whole under its name, and only then does the plain one go; whatever is cut short by the end
//! of the process is done again at the next start.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use crossbeam_channel::{Sender, bounded};

/// Files that may wait. A rotation takes seconds at the least, so this many waiting means a disk in trouble; further
/// files then stay plain until the next start.
const QUEUE: usize = 1024;

/// How rotated files are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Gzip, Self::Zstd];

    /// What is added to a file's name.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
        }
    }
}

/// Added to the name of what is not whole yet.
pub(crate) const PARTIAL: &str = ".partial";

/// The thread's end of the queue. The thread ends by itself when this is dropped and the queue is empty.
pub(crate) struct Compressor {
    files: Sender<PathBuf>,
}

impl Compressor {
    /// Starts the thread.
    pub(crate) fn start(compression: Compression) -> io::Result<Self> {
        let (files, waiting) = bounded::<PathBuf>(QUEUE);
        // Detached on purpose: a stop does not wait for it.
        drop(thread::Builder::new().name("compress".to_owned()).spawn(move || {
            for file in waiting {
                if let Err(error) = compress(&file, compression) {
                    tracing::warn!("{} stays uncompressed until the next start: {error}", file.display());
                }
            }
        })?);
        Ok(Self { files })
    }

    /// Queues a rotated file.
    pub(crate) fn take(&self, file: PathBuf) {
        if let Err(error) = self.files.try_send(file) {
            tracing::warn!(
                "{} stays uncompressed until the next start: too many wait",
                error.into_inner().display()
            );
        }
    }
}

/// Replaces a file by its compressed form.
fn compress(file: &Path, compression: Compression) -> io::Result<()> {
    let with = |more: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(more);
        PathBuf::from(name)
    };
    let whole = with(compression.suffix());
    let partial = with(&format!("{}{PARTIAL}", compression.suffix()));
    let replaced = write(file, &partial, compression).and_then(|()| take_the_place(&partial, &whole, file));
    match replaced {
        Ok(()) => Ok(()),
        Err(error) => {
            // Nothing to remove is fine too.
            drop(fs::remove_file(&partial));
            // Deleted as too old while it waited: nothing is missing.
            if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
        }
    }
}

/// Gives what was written its name, and removes the file it was made of.
fn take_the_place(partial: &Path, whole: &Path, file: &Path) -> io::Result<()> {
    fs::rename(partial, whole)?;
    match fs::remove_file(file) {
        // Deleted as too old meanwhile: then its compressed form is too old as well.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // Whoever deletes old files may have been here as well.
            drop(fs::remove_file(whole));
            Ok(())
        }
        removed => removed,
    }
}

fn write(from: &Path, to: &Path, compression: Compression) -> io::Result<()> {
    let mut source = File::open(from)?;
    let target = File::create(to)?;
    let target = match compression {
        Compression::Gzip => {
            let mut encoder = flate2::write::GzEncoder::new(target, flate2::Compression::default());
            io::copy(&mut source, &mut encoder)?;
            encoder.finish()?
        }
        Compression::Zstd => {
            // 0 is the library's default level.
            let mut encoder = zstd::Encoder::new(target, 0)?;
            io::copy(&mut source, &mut encoder)?;
            encoder.finish()?
        }
    };
    // Before the plain file goes: a power cut must not leave neither.
    target.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_deleted_meanwhile_does_not_come_back_compressed() {
        let dir = tempfile::tempdir().unwrap();
        let [file, partial, whole] =
            ["a.log", "a.log.gz.partial", "a.log.gz"].map(|name| dir.path().join(name));
        // Kept: the compressed form takes the place.
        fs::write(&file, "records").unwrap();
        fs::write(&partial, "compressed").unwrap();
        take_the_place(&partial, &whole, &file).unwrap();
        assert!(!file.exists() && !partial.exists());
        assert_eq!(fs::read(&whole).unwrap(), b"compressed");
        // Deleted while it was compressed: neither is wanted, and nothing went wrong.
        fs::write(&partial, "compressed").unwrap();
        take_the_place(&partial, &whole, &file).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        // Deleted before that.
        compress(&file, Compression::Gzip).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }
}
