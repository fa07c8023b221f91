//! Keeps the directory of sessions as its file is: looks at the file from time to time, swaps the whole directory when
//! it changed, keeps the old one when the new one is broken. The writer reads without waiting.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};

use super::{Directory, DirectoryError};
use crate::config::enrich::Enrich;

/// Largest file that is read: some 200,000 sessions with all fields. A larger one is a mistake, and must not take the
/// collector's memory.
const LARGEST: u64 = 64 << 20;

/// Why the file gave no directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    #[error("cannot read the directory of sessions {}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("the directory of sessions {} is larger than 64 MiB", path.display())]
    TooLarge { path: PathBuf },
    #[error("the directory of sessions {} is broken", path.display())]
    Broken { path: PathBuf, source: DirectoryError },
}

/// The directory of the moment; none while none is configured or could be read.
#[derive(Default)]
pub(crate) struct Shelf {
    directory: ArcSwapOption<Directory>,
    failures: AtomicU64,
}

impl Shelf {
    /// The directory, for as long as it is held.
    pub(crate) fn current(&self) -> arc_swap::Guard<Option<Arc<Directory>>> {
        self.directory.load()
    }

    /// Replaces all of it.
    pub(crate) fn put(&self, directory: Option<Directory>) {
        self.directory.store(directory.map(Arc::new));
    }

    /// Sessions known now, and readings of the file that failed.
    pub(crate) fn state(&self) -> (usize, u64) {
        (
            self.current().as_ref().map_or(0, |directory| directory.len()),
            self.failures.load(Ordering::Relaxed),
        )
    }
}

/// Reads and checks a directory file.
pub(crate) fn load(path: &Path) -> Result<Directory, LoadError> {
    let read = |source| LoadError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text)).map_err(read)?;
    if text.len() as u64 > LARGEST {
        return Err(LoadError::TooLarge { path: path.to_owned() });
    }
    Directory::parse(&text).map_err(|source| LoadError::Broken { path: path.to_owned(), source })
}

/// Tells one state of a file from another: a file that is replaced has another inode, one that is written to another
/// time or size.
fn mark(path: &Path) -> Option<(u64, u64, i64, i64)> {
    fs::metadata(path).ok().map(|found| (found.ino(), found.len(), found.mtime(), found.mtime_nsec()))
}

/// Keeps `shelf` as the file of `settings` is, until the sender of settings is gone. May be cancelled at any time.
pub(crate) async fn keep(shelf: Arc<Shelf>, mut settings: watch::Receiver<Enrich>) {
    loop {
        let Enrich { file, interval: period } = settings.borrow_and_update().clone();
        let Some(path) = file else {
            shelf.put(None);
            if settings.changed().await.is_err() {
                return;
            }
            continue;
        };
        let mut look = interval(period);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen = None;
        let mut said = String::new();
        loop {
            tokio::select! {
                changed = settings.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                _ = look.tick() => {
                    let (path, shelf) = (path.clone(), Arc::clone(&shelf));
                    // Reading may wait for a disk; a panic in it leaves the old directory and is printed.
                    let looked = tokio::task::spawn_blocking(move || refresh(&path, &shelf, seen, said)).await;
                    (seen, said) = looked.unwrap_or_default();
                }
            }
        }
    }
}

type Mark = Option<(u64, u64, i64, i64)>;

/// One look at the file. A fault is told once, not at every look.
fn refresh(path: &Path, shelf: &Shelf, seen: Mark, said: String) -> (Mark, String) {
    // Before reading: what changes meanwhile is seen at the next look.
    let now = mark(path);
    if now.is_some() && now == seen {
        return (seen, said);
    }
    match load(path) {
        Ok(directory) => {
            tracing::info!(sessions = directory.len(), file = %path.display(), "directory of sessions read");
            shelf.put(Some(directory));
            (now, String::new())
        }
        Err(error) => {
            shelf.failures.fetch_add(1, Ordering::Relaxed);
            let text = crate::report::chain(&error);
            if text != said {
                let kept = shelf.state().0;
                tracing::warn!("{text}; records go on with the {kept} sessions known before");
            }
            // What cannot be read may become readable without a change that shows; what is broken stays so.
            (now.filter(|_| !matches!(error, LoadError::Read { .. })), text)
        }
    }
}
