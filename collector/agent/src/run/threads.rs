//! The threads of a run: whether all are there, and waiting for their end.

use std::thread::JoinHandle;
use std::time::Duration;

use tokio::time::timeout;
use tracing::error;

use crate::board::{Board, Totals};
use crate::export::ExportStats;

/// Handles of all threads that packets and records pass through.
pub(super) struct Threads {
    pub(super) workers: Vec<JoinHandle<()>>,
    pub(super) writer: JoinHandle<ExportStats>,
}

impl Threads {
    /// A thread that ended although nobody said stop.
    pub(super) fn dead(&self) -> Option<&'static str> {
        if self.writer.is_finished() {
            return Some("writer");
        }
        self.workers.iter().any(JoinHandle::is_finished).then_some("receive")
    }

    /// Waits for all, at most `limit`; what the board says then is final.
    pub(super) async fn join(self, board: &Board, limit: Duration) -> Totals {
        let Self { workers, writer } = self;
        let joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                // A panic has been printed by its thread; its last published counters stand.
                drop(worker.join());
            }
            drop(writer.join());
        });
        if timeout(limit, joined).await.is_err() {
            error!("threads did not end within {limit:?}; leaving without them");
        }
        let mut totals = board.totals();
        totals.settle();
        totals
    }
}
