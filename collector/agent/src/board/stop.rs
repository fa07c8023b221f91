//! The one order that every worker obeys, and the time that comes with it.

use std::sync::OnceLock;
use std::time::Instant;

use crate::sync::{AtomicBool, Ordering};

/// Not said until [`Stop::set`].
#[derive(Debug)]
pub(crate) struct Stop {
    is_set: AtomicBool,
    write_until: OnceLock<Instant>,
}

impl Stop {
    pub(crate) fn new() -> Self {
        Self { is_set: AtomicBool::new(false), write_until: OnceLock::new() }
    }

    /// Says stop; records may be written until `write_until`. Of two orders the first decides.
    pub(crate) fn set(&self, write_until: Instant) {
        // In this order: who sees the flag finds the time.
        let _ = self.write_until.set(write_until);
        self.is_set.store(true, Ordering::Release);
    }

    /// Whether stop was said.
    pub(crate) fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Acquire)
    }

    /// When writing ends; known to whoever has seen [`Self::is_set`].
    pub(crate) fn write_until(&self) -> Option<Instant> {
        self.write_until.get().copied()
    }
}
