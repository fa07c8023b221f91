//! What the threads tell each other: each worker and the writer publish a copy of their own counters once a batch,
//! everybody else reads the copies. No counter is shared, so no packet waits for a reader.

mod slot;
mod stop;

use std::sync::Arc;
use std::time::Instant;

use arc_swap::ArcSwap;
use enigma_engine::{Admission, DropReason, Stats};

use crate::export::ExportStats;
use crate::on_demand::Captures;
use crate::receive::steer::Wrapping;
use crate::top::Question;
pub(crate) use slot::Slot;
use stop::Stop;

/// A worker's counters.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct WorkerView {
    /// Packets, drops by reason, flows.
    pub(crate) engine: Stats,
    /// Datagrams the kernel dropped at this worker's sockets while it was receiving.
    pub(crate) kernel_drops: u64,
    /// The same by door, with what was received; in the order of [`Wrapping::ALL`].
    pub(crate) doors: [DoorView; Wrapping::ALL.len()],
    /// Datagrams that arrived after the worker had been told to stop.
    pub(crate) after_stop: u64,
    /// Records handed to the queue, dropped ones included.
    pub(crate) records: u64,
    /// Records of batches that had to leave a full queue.
    pub(crate) queue_dropped: u64,
    /// Datagrams given to the worker that has their flow.
    pub(crate) handed_over: u64,
    /// Datagrams lost because the ring to that worker was full. Received, but in no pipeline's count.
    pub(crate) handover_full: u64,
    /// Datagrams that a ring saw the first fragment of and nobody puts together. Received, but in no pipeline's count.
    pub(crate) outer_fragments: u64,
    /// Failed receive calls.
    pub(crate) receive_errors: u64,
    /// Turns of the worker's loop; a number that stands still is a stalled worker.
    pub(crate) turns: u64,
}

impl WorkerView {
    /// Packets received, those among them that never reached a pipeline. Of one worker: what it received by itself is
    /// in its doors; this counts where packets were judged.
    pub(crate) fn received(&self) -> u64 {
        self.engine.received + self.handover_full + self.outer_fragments
    }

    /// The account of one door.
    pub(crate) fn door(&self, wrapping: Wrapping) -> DoorView {
        self.doors[wrapping as usize]
    }

    /// The same, to be filled in.
    pub(crate) fn door_mut(&mut self, wrapping: Wrapping) -> &mut DoorView {
        &mut self.doors[wrapping as usize]
    }
}

/// What came in by one door, and what the kernel dropped there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct DoorView {
    /// Datagrams read from its sockets.
    pub(crate) received: u64,
    /// Datagrams dropped because a socket was full.
    pub(crate) kernel_drops: u64,
}

/// Everything that crosses threads.
#[derive(Debug)]
pub(crate) struct Board {
    pub(crate) workers: Vec<Slot<WorkerView>>,
    pub(crate) export: Slot<ExportStats>,
    /// The heaviest flows, when somebody asks.
    pub(crate) top: Question,
    /// Packets, when somebody asks for them.
    pub(crate) captures: Arc<Captures>,
    /// Whose packets are taken; swapped whole by a reload.
    pub(crate) admission: ArcSwap<Admission>,
    stop: Stop,
}

impl Board {
    pub(crate) fn new(workers: usize) -> Self {
        Self {
            workers: (0..workers).map(|_| Slot::default()).collect(),
            export: Slot::default(),
            top: Question::new(workers),
            captures: Arc::default(),
            admission: ArcSwap::default(),
            stop: Stop::new(),
        }
    }

    /// Tells workers to finish; records may be written until `write_until`.
    pub(crate) fn stop(&self, write_until: Instant) {
        self.stop.set(write_until);
    }

    /// Whether workers are to finish.
    pub(crate) fn stopping(&self) -> bool {
        self.stop.is_set()
    }

    /// When writing ends, once a stop was ordered.
    pub(crate) fn write_until(&self) -> Option<Instant> {
        self.stop.write_until()
    }

    /// All counters in one moment (as exact as separate copies can be: each is consistent in itself).
    pub(crate) fn totals(&self) -> Totals {
        let workers: Vec<WorkerView> = self.workers.iter().map(Slot::read).collect();
        Totals::new(workers, self.export.read())
    }
}

/// The counters of the whole process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    /// Each worker's own, in order.
    pub(crate) workers: Vec<WorkerView>,
    /// Their sum.
    pub(crate) sum: WorkerView,
    /// The writer's.
    pub(crate) export: ExportStats,
}

impl Totals {
    pub(crate) fn new(workers: Vec<WorkerView>, export: ExportStats) -> Self {
        let mut sum = WorkerView::default();
        for worker in &workers {
            sum.engine.merge(&worker.engine);
            sum.kernel_drops += worker.kernel_drops;
            for (sum, door) in sum.doors.iter_mut().zip(worker.doors) {
                sum.received += door.received;
                sum.kernel_drops += door.kernel_drops;
            }
            sum.after_stop += worker.after_stop;
            sum.records += worker.records;
            sum.queue_dropped += worker.queue_dropped;
            sum.handed_over += worker.handed_over;
            sum.handover_full += worker.handover_full;
            sum.outer_fragments += worker.outer_fragments;
            sum.receive_errors += worker.receive_errors;
            sum.turns += worker.turns;
        }
        Self { workers, sum, export }
    }

    /// Ends the account: what was made and is neither written nor counted as dropped by now is late. That happens
    /// only when the writer had to be left behind in the middle of a write.
    pub(crate) fn settle(&mut self) {
        let settled = self.export.written + self.export_dropped();
        self.export.too_late += self.sum.records.saturating_sub(settled);
    }

    /// Records that were made and will not be written, whatever the reason.
    pub(crate) fn export_dropped(&self) -> u64 {
        self.sum.queue_dropped + self.export.dropped()
    }

    /// Why received packets became part of no flow: every reason with its number.
    pub(crate) fn drops(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let engine = &self.sum.engine;
        let judged = DropReason::ALL.into_iter().map(|reason| (reason.name(), engine.dropped(reason)));
        let before =
            [("handover_full", self.sum.handover_full), ("outer_fragment", self.sum.outer_fragments)];
        judged.chain(before)
    }

    /// Whether a packet was dropped before the collector saw it, or a record after it was made.
    pub(crate) fn lossy(&self) -> bool {
        self.sum.kernel_drops + self.sum.handover_full + self.sum.outer_fragments > 0
            || self.sum.records != self.export.written
    }
}
