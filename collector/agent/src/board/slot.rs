//! A value that one thread publishes and others read a copy of. The publisher never waits while it is at work.

use crate::sync::{Mutex, PoisonError};

/// One publisher's latest copy.
#[derive(Debug, Default)]
pub(crate) struct Slot<T>(Mutex<T>);

impl<T: Copy> Slot<T> {
    /// Publishes unless somebody is reading at this moment; the next batch will publish again.
    pub(crate) fn publish(&self, value: T) {
        if let Ok(mut slot) = self.0.try_lock() {
            *slot = value;
        }
    }

    /// Publishes for good, waiting for a reader if need be.
    pub(crate) fn publish_last(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }

    /// The latest copy.
    pub(crate) fn read(&self) -> T {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
