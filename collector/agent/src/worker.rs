//! One receive thread: take a batch of datagrams, feed the pipeline, ship finished records. Per batch one clock
//! reading and one publication of counters; per packet no lock, no allocation, no formatting and no log. Batches are
//! timed: after a short one packets may gather for `batch_wait`, so that a wake-up is shared by many.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use enigma_engine::{Datagram, Pipeline, RecordBatch, Timestamp};

use crate::board::{Board, WorkerView};
use crate::export::queue::Outbox;
use crate::export::{self, Batch};
use crate::receive::batch::{self, Arena, BATCH};
use crate::receive::socket::{DropCounter, ReceiveSocket};

/// Longest stay of a finished record with its worker, and longest sleep of an idle worker: a tenth of a second is
/// at once for a reader of records, and ten wake-ups a second are no load.
const PATIENCE: Duration = Duration::from_millis(100);

/// Pause after a failed receive call, so that a persistent fault does not take a whole CPU.
const FAULT_PAUSE: Duration = Duration::from_millis(10);

/// A worker before it runs.
pub(crate) struct Worker {
    pub(crate) index: usize,
    pub(crate) socket: ReceiveSocket,
    pub(crate) pipeline: Pipeline,
    pub(crate) outbox: Outbox<Batch>,
    pub(crate) board: Arc<Board>,
    pub(crate) batch_wait: Duration,
}

impl Worker {
    /// Receives until the board says stop, then takes what is left in the socket, turns every live flow into a
    /// record and queues it.
    pub(crate) fn run(self) {
        let Self { index, socket, pipeline, outbox, board, batch_wait } = self;
        let out = RecordBatch::default();
        let shipping = Shipping { outbox, out, since: None, view: WorkerView::default() };
        let mut turn =
            Turn { socket, arena: Arena::new(), pipeline, shipping, drops: DropCounter::default() };
        while !board.stopping() {
            let taken = turn.take();
            turn.shipping.view.turns += 1;
            turn.publish(&board, index);
            match taken {
                Ok(BATCH) => {}
                Ok(1..) => thread::sleep(batch_wait),
                Ok(_) => turn.wait(batch_wait),
                Err(_) => {
                    turn.shipping.view.receive_errors += 1;
                    thread::sleep(FAULT_PAUSE);
                }
            }
        }
        turn.close(&board);
        board.workers[index].publish_last(turn.shipping.view);
    }
}

struct Turn {
    socket: ReceiveSocket,
    arena: Arena,
    pipeline: Pipeline,
    shipping: Shipping,
    drops: DropCounter,
}

impl Turn {
    /// One batch; how many datagrams it had.
    fn take(&mut self) -> io::Result<usize> {
        let taken = match self.arena.receive(self.socket.fd()) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(0)
            }
            other => other,
        };
        let now = clock();
        if let Ok(count @ 1..) = taken {
            let out = &mut self.shipping.out;
            for received in self.arena.datagrams(count) {
                let datagram = Datagram {
                    at: received.at.map_or(now, Timestamp::from_nanos),
                    source: received.source,
                    source_port: received.source_port,
                    payload: received.payload,
                };
                self.pipeline.datagram(&datagram, out);
                if let Some(drops) = received.drops {
                    self.drops.observe(drops);
                }
            }
        }
        self.pipeline.advance(now, &mut self.shipping.out);
        self.shipping.ship_due(now);
        taken
    }

    /// Sleeps until a datagram comes (and lets others gather behind it) or a flow is due.
    fn wait(&mut self, batch_wait: Duration) {
        // Nothing came, so no datagram carries the drop counter: it is read directly. Kernels without it answer the
        // same way every time, and then the other reading is all there is.
        if let Ok(drops) = batch::kernel_drops(self.socket.fd()) {
            self.drops.observe(drops);
        }
        let now = clock();
        let due = self.pipeline.next_deadline().map_or(PATIENCE, |deadline| deadline.since(now));
        let shipping = self.shipping.since.map_or(PATIENCE, |since| since.after(PATIENCE).since(now));
        // At least a millisecond, poll's own unit, or a deadline nearer than that would be waited for by spinning.
        let limit = due.min(shipping).clamp(Duration::from_millis(1), PATIENCE);
        if let Ok(true) = batch::wait_readable(self.socket.fd(), limit) {
            thread::sleep(batch_wait);
        }
    }

    fn publish(&mut self, board: &Board, index: usize) {
        let view = &mut self.shipping.view;
        view.engine = *self.pipeline.stats();
        view.kernel_drops = self.drops.total();
        board.workers[index].publish(*view);
    }

    /// Takes what was waiting when the stop came, then ends every flow.
    fn close(&mut self, board: &Board) {
        if let Ok(drops) = batch::kernel_drops(self.socket.fd()) {
            self.drops.observe(drops);
        }
        // From here on the kernel turns datagrams away at the socket (and counts them), so the rest is finite.
        let gated = self.socket.close_gate().is_ok();
        let deadline = board.write_until();
        while let Ok(1..) = self.take() {
            // Without the gate a busy network could keep this loop going for ever.
            if !gated && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
        }
        self.shipping.view.kernel_drops = self.drops.total();
        if let Ok(drops) = batch::kernel_drops(self.socket.fd()) {
            self.shipping.view.after_stop = self.drops.beyond(drops);
        }
        self.pipeline.finish(&mut self.shipping.out);
        self.shipping.view.engine = *self.pipeline.stats();
        self.shipping.ship_last(deadline);
    }
}

/// Finished records on their way to the queue.
struct Shipping {
    outbox: Outbox<Batch>,
    out: RecordBatch,
    /// When the oldest record in `out` was first seen here.
    since: Option<Timestamp>,
    view: WorkerView,
}

impl Shipping {
    fn ship_due(&mut self, now: Timestamp) {
        if self.out.is_empty() {
            return;
        }
        let since = *self.since.get_or_insert(now);
        if self.out.len() >= export::BATCH || now.since(since) >= PATIENCE {
            let Self { outbox, out, view, .. } = self;
            view.records += out.len() as u64;
            let dropped = &mut view.queue_dropped;
            export::split(out, outbox, |batch| outbox.push(batch, |oldest| *dropped += oldest.len() as u64));
            self.since = None;
        }
    }

    /// The last records may be all live flows: each batch waits for room until the write limit.
    fn ship_last(&mut self, deadline: Option<Instant>) {
        let Self { outbox, out, view, .. } = self;
        view.records += out.len() as u64;
        export::split(out, outbox, |batch| {
            if let Err(late) = outbox.push_waiting(batch, deadline) {
                view.queue_dropped += late.len() as u64;
            }
        });
    }
}

/// The wall clock, read once a batch: records carry it, so it is not the monotonic one.
fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
