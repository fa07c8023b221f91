//! Finished records on their way from a worker to the queue: collected into batches while packets come, handed over
//! without ever waiting; and at the end, when there is nothing else to do, in step with the writer.

use std::cell::Cell;
use std::time::Instant;

use enigma_engine::{RecordBatch, Timestamp};

use super::PATIENCE;
use crate::board::WorkerView;
use crate::export::queue::Outbox;
use crate::export::{self, Batch};

/// Batches of the last records that a worker has under way at once: some for the writer to go on with while the next is
/// made, and all of them in the caches. With more, the records of a full table would take memory that nobody has used
/// yet, a page fault for every ten of them.
const LAST_UNDER_WAY: usize = 8;

/// Records of one worker.
pub(super) struct Shipping {
    outbox: Outbox<Batch>,
    pub(super) out: RecordBatch,
    /// When the oldest record in `out` was first seen here.
    since: Option<Timestamp>,
    pub(super) view: WorkerView,
    /// Batches handed over by [`Self::ship_last`].
    last: Cell<usize>,
}

impl Shipping {
    pub(super) fn new(outbox: Outbox<Batch>) -> Self {
        let (out, view) = (RecordBatch::default(), WorkerView::default());
        Self { outbox, out, since: None, view, last: Cell::new(0) }
    }

    /// When records must be under way by, if there are any.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.since.map(|since| since.after(PATIENCE))
    }

    /// Whether the writer has more to do than it keeps up with.
    pub(super) fn is_behind(&self) -> bool {
        self.outbox.is_crowded()
    }

    /// Hands over what is enough, or has waited long enough. Where the queue is full its oldest records go.
    pub(super) fn ship_due(&mut self, now: Timestamp) {
        if self.out.is_empty() {
            return;
        }
        let since = *self.since.get_or_insert(now);
        if self.out.len() >= export::BATCH || now.since(since) >= PATIENCE {
            let Self { outbox, out, view, .. } = self;
            view.records += out.len() as u64;
            let dropped = &mut view.queue_dropped;
            let next = || outbox.spare().unwrap_or_default();
            export::split(out, next, |batch| outbox.push(batch, |oldest| *dropped += oldest.len() as u64));
            self.since = None;
        }
    }

    /// What must not be dropped for newer records, there being none: each batch waits for room until the write limit.
    pub(super) fn ship_last(&mut self, deadline: Option<Instant>) {
        let Self { outbox, out, view, last, .. } = self;
        view.records += out.len() as u64;
        // Each of them comes back once it is written, and one was handed over since the last was waited for.
        let used = || if last.get() < LAST_UNDER_WAY { outbox.spare() } else { outbox.used(deadline) };
        export::split(
            out,
            || used().unwrap_or_default(),
            |batch| {
                last.set(last.get() + 1);
                if let Err(late) = outbox.push_waiting(batch, deadline) {
                    view.queue_dropped += late.len() as u64;
                }
            },
        );
    }
}
