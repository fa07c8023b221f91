//! One receive thread: take a batch of datagrams, feed the pipeline, ship finished records. Per batch one clock
//! reading and one publication of counters; per packet no lock, no allocation, no formatting and no log. Batches are
//! timed: after a short one packets may gather for `batch_wait`, so that a wake-up is shared by many.

mod door;
mod shipping;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use enigma_engine::{Admission, Datagram, FrameMode, LinkType, Pipeline, RecordBatch, Timestamp};

use crate::board::{Board, WorkerView};
use crate::export::queue::Outbox;
use crate::export::{self, Batch};
use crate::on_demand::tap::Listener;
use crate::receive::batch::{self, Arena, BATCH, Received};
use crate::receive::handover::{Handed, Handover};
use crate::receive::ring;
use crate::receive::steer::{self, Wrapping};
use crate::top::Searcher;
use door::Door;
pub(crate) use door::Source;
use shipping::Shipping;

/// Longest stay of a finished record with its worker, and longest sleep of an idle worker: a tenth of a second is
/// at once for a reader of records, and ten wake-ups a second are no load.
const PATIENCE: Duration = Duration::from_millis(100);

/// How old a reading of the kernel's drop counters may get: a worker that is never idle must tell of its losses, too,
/// and a tenth of a second is fine beside health's shortest window of one. A system call for each door, ten times a
/// second.
const DROPS_READ: Duration = Duration::from_millis(100);

/// Longest sleep of a worker that others hand datagrams to: they do not wake it, and their rings hold 5 ms of full-sized
/// packets at half a million a second.
const PATIENCE_WITH_OTHERS: Duration = Duration::from_millis(2);

/// Times that a turn ends [`export::BATCH`] flows: half a millisecond's work at most, and a million flows a second where a
/// turn comes every other millisecond, however many end at once.
const ENDINGS: usize = 4;

/// Pause after a failed receive call, so that a persistent fault does not take a whole CPU.
const FAULT_PAUSE: Duration = Duration::from_millis(10);

/// How long a ring behind a closed gate is waited for: some times as long as after which the kernel hands over the block
/// that it was filling.
const LAST_BLOCK: Duration = ring::PATIENCE.saturating_mul(8);

/// A worker before it runs.
pub(crate) struct Worker {
    pub(crate) index: usize,
    /// One for each way packets come in.
    pub(crate) sources: Vec<Source>,
    /// Where the kernel does not steer: what other workers receive for this one, and the other way round.
    pub(crate) handover: Option<Handover>,
    pub(crate) pipeline: Pipeline,
    pub(crate) outbox: Outbox<Batch>,
    pub(crate) board: Arc<Board>,
    pub(crate) batch_wait: Duration,
}

/// What comes after a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pace {
    /// Nothing was there: wait for something.
    Idle,
    /// A socket was emptied: let packets gather.
    Gather,
    /// There is more.
    Busy,
}

impl Worker {
    /// Receives until the board says stop, then takes what is left in its sockets, turns every live flow into a
    /// record and queues it.
    pub(crate) fn run(self) {
        let Self { index, sources, handover, pipeline, outbox, board, batch_wait } = self;
        let shipping = Shipping::new(outbox);
        let doors: Vec<Door> = sources.into_iter().map(Door::new).collect();
        let batch_wait = doors.iter().filter_map(Door::longest_wait).fold(batch_wait, Duration::min);
        let mut searcher = Searcher::default();
        let mut admission = board.admission.load_full();
        let listener = Listener::default();
        let mut turn =
            Turn { doors, arena: Arena::new(), handover, pipeline, shipping, listener, drops_read: None };
        turn.pipeline.end_at_most(0);
        while !board.stopping() {
            turn.listener.look(&board.captures, &admission);
            let taken = turn.take();
            turn.shipping.view.turns += 1;
            turn.publish(&board, index);
            searcher.step(index, &board.top, &turn.pipeline);
            if !Arc::ptr_eq(&admission, &board.admission.load()) {
                admission = board.admission.load_full();
                turn.pipeline.set_admission(Admission::clone(&admission));
            }
            match taken {
                Ok(Pace::Busy) => {}
                Ok(Pace::Idle) if searcher.is_busy() => {}
                Ok(Pace::Gather) => thread::sleep(batch_wait),
                Ok(Pace::Idle) => turn.wait(batch_wait),
                Err(_) => {
                    turn.shipping.view.receive_errors += 1;
                    thread::sleep(FAULT_PAUSE);
                }
            }
        }
        turn.close(&board, index);
        board.workers[index].publish_last(turn.shipping.view);
    }
}

struct Turn {
    doors: Vec<Door>,
    arena: Arena,
    handover: Option<Handover>,
    pipeline: Pipeline,
    shipping: Shipping,
    /// Captures on demand.
    listener: Listener,
    /// When the kernel's drop counters were read.
    drops_read: Option<Timestamp>,
}

impl Turn {
    /// One batch from each door, and what others have handed over. A fault of one door does not close the other.
    fn take(&mut self) -> io::Result<Pace> {
        let mut pace = Ok(Pace::Idle);
        // One reading for all: the last batch is never more than microseconds later.
        let now = clock();
        let Self { doors, arena, handover, pipeline, shipping, listener, .. } = self;
        let Shipping { out, view, .. } = shipping;
        for door in doors {
            let wrapping = door.wrapping();
            match &mut door.source {
                Source::Socket(socket) => match arena.receive(socket.fd()) {
                    Ok(count) => {
                        for received in arena.datagrams(count) {
                            if let Some(drops) = received.drops {
                                door.drops.observe(drops);
                            }
                            for handed in handed(wrapping, &received, now) {
                                door.received += 1;
                                let Some(handed) = pass_on(handover, view, handed) else { continue };
                                listener.datagram(&handed);
                                feed(pipeline, &handed, out);
                            }
                        }
                        let own = if count == BATCH { Pace::Busy } else { Pace::Gather };
                        pace = pace.map(|pace| pace.max(own));
                    }
                    Err(error)
                        if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    }
                    Err(error) => pace = Err(error),
                },
                Source::Ring(ring) => {
                    let fragments = &mut door.fragments;
                    let taken = ring.take(|frame| {
                        if ring::is_fragment(frame.data) {
                            *fragments += 1;
                            return;
                        }
                        listener.packet(frame.at, frame.data, frame.wire_len);
                        let at = Timestamp::from_nanos(frame.at);
                        let mode = FrameMode::Vxlan;
                        pipeline.frame(at, LinkType::RawIp, frame.data, frame.wire_len, mode, out);
                    });
                    door.received += taken.frames;
                    if taken.is_full {
                        pace = pace.map(|pace| pace.max(Pace::Busy));
                    }
                }
            }
        }
        if let Some(handover) = handover {
            handover.take(|handed| {
                listener.datagram(handed);
                feed(pipeline, handed, out);
            });
        }
        listener.flush();
        self.end_flows(now);
        self.read_drops(now);
        pace
    }

    /// Ends flows whose time has come, as many as a turn may take and the queue has room for. The others wait in the table,
    /// which they fill already; a queue would have to lose their records.
    fn end_flows(&mut self, now: Timestamp) {
        for _ in 0..ENDINGS {
            let most = if self.shipping.is_behind() { 0 } else { export::BATCH };
            self.pipeline.end_at_most(most);
            let has_more = self.pipeline.advance(now, &mut self.shipping.out);
            self.shipping.ship_due(now);
            if !has_more || most == 0 {
                break;
            }
        }
        // Packets are not to end any: thousands of them come between two looks at the queue.
        self.pipeline.end_at_most(0);
    }

    /// Reads what the kernel dropped, if that was not done lately.
    fn read_drops(&mut self, now: Timestamp) {
        // A clock that was set back must not keep the counters from being read.
        let is_fresh = |read: Timestamp| read <= now && now.since(read) < DROPS_READ;
        if !self.drops_read.is_some_and(is_fresh) {
            self.doors.iter_mut().for_each(Door::read_drops);
            self.drops_read = Some(now);
        }
    }

    /// Sleeps until a packet comes (and lets others gather behind it) or a flow is due.
    fn wait(&mut self, batch_wait: Duration) {
        let now = clock();
        let patience = if self.handover.is_some() { PATIENCE_WITH_OTHERS } else { PATIENCE };
        let due = self.pipeline.next_deadline().map_or(PATIENCE, |deadline| deadline.since(now));
        let shipping = self.shipping.due().map_or(PATIENCE, |due| due.since(now));
        // At least a millisecond, poll's own unit, or a deadline nearer than that would be waited for by spinning.
        let limit = due.min(shipping).clamp(Duration::from_millis(1), patience);
        let readable = batch::wait_readable(self.doors.iter().map(Door::fd), limit);
        if matches!(readable, Ok(true)) && !self.doors.iter().all(Door::gathers) {
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
        (view.kernel_drops, view.outer_fragments) = (0, 0);
        for door in &self.doors {
            let counted = door.view();
            view.kernel_drops += counted.kernel_drops;
            view.outer_fragments += door.fragments;
            *view.door_mut(door.wrapping()) = counted;
        }
    }

    /// Takes what was waiting when the stop came, then ends every flow.
    fn close(&mut self, board: &Board, index: usize) {
        let mut gated = true;
        for door in &mut self.doors {
            door.read_drops();
            // From here on the kernel turns datagrams away at the socket (and counts them), so the rest is finite.
            gated &= door.close_gate().is_ok();
        }
        let deadline = board.write_until();
        let in_time = || deadline.is_none_or(|deadline| Instant::now() < deadline);
        loop {
            // Without the gate a busy network could keep this loop going for ever.
            if !gated && !in_time() {
                break;
            }
            match self.take() {
                Ok(Pace::Idle) if self.last_block_is_out() => break,
                Ok(_) => {}
                // One failed call says nothing of the next, and what is queued has been received for this process.
                Err(error) => {
                    self.shipping.view.receive_errors += 1;
                    if !in_time() {
                        tracing::error!(
                            "what was still in a socket could not be read, its number is unknown: {error}"
                        );
                        break;
                    }
                    thread::sleep(FAULT_PAUSE);
                }
            }
        }
        if let Some(mut handover) = self.handover.take() {
            // Others may still be taking what waited in their sockets, this worker's flows among it.
            handover.close();
            loop {
                // Asked before the rings are emptied: then the answer also holds for what was in them.
                let over = handover.is_over() || !in_time();
                let Self { pipeline, shipping, listener, .. } = &mut *self;
                handover.take(|handed| {
                    listener.datagram(handed);
                    feed(pipeline, handed, &mut shipping.out);
                });
                listener.flush();
                if over {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        // Who captures need not wait until all flows are written.
        self.listener.stop();
        for door in &mut self.doors {
            self.shipping.view.after_stop += door.settle();
        }
        // Slice by slice: the records of a full table, all at once, would be larger than the table.
        while self.pipeline.finish_some(export::BATCH, &mut self.shipping.out) {
            self.shipping.ship_last(deadline);
            self.publish(board, index);
        }
        self.shipping.ship_last(deadline);
        self.account();
    }

    /// Waits for the block that the kernel was filling, if there is a ring: whether none came.
    fn last_block_is_out(&self) -> bool {
        let mut rings = self.doors.iter().filter(|door| door.gathers()).map(Door::fd).peekable();
        rings.peek().is_none() || !matches!(batch::wait_readable(rings, LAST_BLOCK), Ok(true))
    }
}

/// The datagrams of one receive slot.
fn handed<'a>(
    wrapping: Wrapping,
    received: &Received<'a>,
    now: Timestamp,
) -> impl Iterator<Item = Handed<'a>> + use<'a> {
    let at = received.at.unwrap_or(now.as_nanos());
    let (source, source_port) = (received.source, received.source_port);
    received.datagrams().map(move |payload| Handed { wrapping, at, source, source_port, payload })
}

/// Hands a datagram to the worker that has its flow. What belongs here, or nowhere in particular, comes back.
fn pass_on<'a>(
    handover: &mut Option<Handover>,
    view: &mut WorkerView,
    handed: Handed<'a>,
) -> Option<Handed<'a>> {
    let Some(handover) = handover else { return Some(handed) };
    match steer::choose(handed.wrapping, handed.payload, handover.workers()) {
        Some(worker) if worker != handover.index() => {
            match handover.give(worker, &handed) {
                Ok(()) => view.handed_over += 1,
                Err(_) => view.handover_full += 1,
            }
            None
        }
        _ => Some(handed),
    }
}

fn feed(pipeline: &mut Pipeline, handed: &Handed<'_>, out: &mut RecordBatch) {
    let datagram = Datagram {
        at: Timestamp::from_nanos(handed.at),
        source: handed.source,
        source_port: handed.source_port,
        payload: handed.payload,
    };
    match handed.wrapping {
        Wrapping::Vxlan => pipeline.datagram(&datagram, out),
        Wrapping::Geneve => pipeline.geneve_datagram(&datagram, out),
        Wrapping::Packet => {
            let (length, mode) = (handed.payload.len() as u32, FrameMode::Vxlan);
            pipeline.frame(datagram.at, LinkType::RawIp, handed.payload, length, mode, out);
        }
    }
}

/// The wall clock, read once a batch: records carry it, so it is not the monotonic one.
fn clock() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
