//! One receive thread: take a batch of datagrams, feed the pipeline, ship finished records. Per batch one clock
//! reading and one publication of counters; per packet no lock, no allocation, no formatting and no log. Batches are
//! timed: after a short one packets may gather for `batch_wait`, so that a wake-up is shared by many.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use enigma_engine::{Datagram, Pipeline, RecordBatch, Timestamp};

use crate::board::{Board, DoorView, WorkerView};
use crate::export::queue::Outbox;
use crate::export::{self, Batch};
use crate::receive::batch::{self, Arena, BATCH};
use crate::receive::socket::{DropCounter, ReceiveSocket};
use crate::receive::steer::Wrapping;

/// Longest stay of a finished record with its worker, and longest sleep of an idle worker: a tenth of a second is
/// at once for a reader of records, and ten wake-ups a second are no load.
const PATIENCE: Duration = Duration::from_millis(100);

/// Pause after a failed receive call, so that a persistent fault does not take a whole CPU.
const FAULT_PAUSE: Duration = Duration::from_millis(10);

/// A worker before it runs.
pub(crate) struct Worker {
    pub(crate) index: usize,
    /// One for each way packets come wrapped.
    pub(crate) sockets: Vec<ReceiveSocket>,
    pub(crate) pipeline: Pipeline,
    pub(crate) outbox: Outbox<Batch>,
    pub(crate) board: Arc<Board>,
    pub(crate) batch_wait: Duration,
}

impl Worker {
    /// Receives until the board says stop, then takes what is left in its sockets, turns every live flow into a
    /// record and queues it.
    pub(crate) fn run(self) {
        let Self { index, sockets, pipeline, outbox, board, batch_wait } = self;
        let out = RecordBatch::default();
        let shipping = Shipping { outbox, out, since: None, view: WorkerView::default() };
        let doors = sockets.into_iter().map(Door::new).collect();
        let mut turn = Turn { doors, arena: Arena::new(), pipeline, shipping };
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

/// A socket and its account.
struct Door {
    socket: ReceiveSocket,
    drops: DropCounter,
    received: u64,
}

impl Door {
    fn new(socket: ReceiveSocket) -> Self {
        Self { socket, drops: DropCounter::default(), received: 0 }
    }

    /// Reads the drop counter when no datagram brings it. Kernels without it answer the same way every time, and then
    /// what datagrams bring is all there is.
    fn read_drops(&mut self) {
        if let Ok(drops) = batch::kernel_drops(self.socket.fd()) {
            self.drops.observe(drops);
        }
    }
}

struct Turn {
    doors: Vec<Door>,
    arena: Arena,
    pipeline: Pipeline,
    shipping: Shipping,
}

impl Turn {
    /// One batch from each door; how many datagrams the largest had. A fault of one door does not close the other.
    fn take(&mut self) -> io::Result<usize> {
        let mut largest = Ok(0);
        // One reading for both: the second batch is never more than microseconds later.
        let now = clock();
        for door in &mut self.doors {
            match self.arena.receive(door.socket.fd()) {
                Ok(count) => {
                    let out = &mut self.shipping.out;
                    door.received += count as u64;
                    for received in self.arena.datagrams(count) {
                        let datagram = Datagram {
                            at: received.at.map_or(now, Timestamp::from_nanos),
                            source: received.source,
                            source_port: received.source_port,
                            payload: received.payload,
                        };
                        match door.socket.wrapping() {
                            Wrapping::Vxlan => self.pipeline.datagram(&datagram, out),
                            Wrapping::Geneve => self.pipeline.geneve_datagram(&datagram, out),
                        }
                        if let Some(drops) = received.drops {
                            door.drops.observe(drops);
                        }
                    }
                    largest = largest.map(|largest: usize| largest.max(count));
                }
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => largest = Err(error),
            }
        }
        self.pipeline.advance(now, &mut self.shipping.out);
        self.shipping.ship_due(now);
        largest
    }

    /// Sleeps until a datagram comes (and lets others gather behind it) or a flow is due.
    fn wait(&mut self, batch_wait: Duration) {
        for door in &mut self.doors {
            door.read_drops();
        }
        let now = clock();
        let due = self.pipeline.next_deadline().map_or(PATIENCE, |deadline| deadline.since(now));
        let shipping = self.shipping.since.map_or(PATIENCE, |since| since.after(PATIENCE).since(now));
        // At least a millisecond, poll's own unit, or a deadline nearer than that would be waited for by spinning.
        let limit = due.min(shipping).clamp(Duration::from_millis(1), PATIENCE);
        if let Ok(true) = batch::wait_readable(self.doors.iter().map(|door| door.socket.fd()), limit) {
            thread::sleep(batch_wait);
        }
    }

    fn publish(&mut self, board: &Board, index: usize) {
        self.account();
        board.workers[index].publish(self.shipping.view);
    }

    /// Copies what doors and pipeline have counted into the view.
    fn account(&mut self) {
        let view = &mut self.shipping.view;
        view.engine = *self.pipeline.stats();
        view.kernel_drops = 0;
        for door in &self.doors {
            let counted = DoorView { received: door.received, kernel_drops: door.drops.total() };
            view.kernel_drops += counted.kernel_drops;
            *view.door_mut(door.socket.wrapping()) = counted;
        }
    }

    /// Takes what was waiting when the stop came, then ends every flow.
    fn close(&mut self, board: &Board) {
        let mut gated = true;
        for door in &mut self.doors {
            door.read_drops();
            // From here on the kernel turns datagrams away at the socket (and counts them), so the rest is finite.
            gated &= door.socket.close_gate().is_ok();
        }
        let deadline = board.write_until();
        while let Ok(1..) = self.take() {
            // Without the gate a busy network could keep this loop going for ever.
            if !gated && deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                break;
            }
        }
        for door in &self.doors {
            if let Ok(drops) = batch::kernel_drops(door.socket.fd()) {
                self.shipping.view.after_stop += door.drops.beyond(drops);
            }
        }
        self.pipeline.finish(&mut self.shipping.out);
        self.account();
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
