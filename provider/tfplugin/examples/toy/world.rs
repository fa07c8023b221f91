//! The toy's outside world: one JSON file for each shelf, and the faults to play.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use enigma_tfplugin::Diagnostic;
use serde::{Deserialize, Serialize};

pub(crate) struct World {
    dir: PathBuf,
}

/// A shelf as it really is.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Stored {
    pub(crate) wanted: u32,
    pub(crate) slots: BTreeMap<String, Slot>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Slot {
    pub(crate) serial: String,
}

/// How the world misbehaves.
#[derive(Default)]
pub(crate) struct Faults {
    /// No shelf takes more slots than this.
    pub(crate) fails_from: Option<usize>,
    /// Every slot takes so long.
    pub(crate) delay: Duration,
    /// So many slots cannot be removed.
    pub(crate) stuck: usize,
    /// Creation panics.
    pub(crate) panics: bool,
}

impl World {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.join(format!("{name}.shelf.json"))
    }

    fn broken(name: &str, error: &dyn std::fmt::Display) -> Diagnostic {
        Diagnostic::error("Shelf out of reach", format!("The shelf {name} cannot be reached: {error}."))
    }

    pub(crate) fn shelf(&self, name: &str) -> Result<Option<Stored>, Diagnostic> {
        match std::fs::read(self.file(name)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| Self::broken(name, &error)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Self::broken(name, &error)),
        }
    }

    pub(crate) fn store(&self, name: &str, shelf: &Stored) -> Result<(), Diagnostic> {
        let bytes = serde_json::to_vec(shelf).map_err(|error| Self::broken(name, &error))?;
        // Whole or not at all, as the tests look on while it is written.
        let draft = self.file(name).with_extension("draft");
        let stored = std::fs::write(&draft, bytes).and_then(|()| std::fs::rename(&draft, self.file(name)));
        stored.map_err(|error| Self::broken(name, &error))
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), Diagnostic> {
        match std::fs::remove_file(self.file(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Self::broken(name, &error)),
            _ => Ok(()),
        }
    }

    pub(crate) fn faults(&self) -> Faults {
        let text = std::fs::read_to_string(self.dir.join("faults.json")).unwrap_or_default();
        let said: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        let number = |key: &str| said.get(key).and_then(serde_json::Value::as_u64);
        Faults {
            fails_from: number("fails_from").and_then(|from| usize::try_from(from).ok()),
            delay: Duration::from_millis(number("delay_ms").unwrap_or(0)),
            stuck: number("stuck").and_then(|stuck| usize::try_from(stuck).ok()).unwrap_or(0),
            panics: number("panics").is_some(),
        }
    }
}
