//! Captures on demand: for some seconds workers copy the packets that somebody's filter takes into a bounded queue, and
//! who asked reads them as a pcapng file while they come. Nothing is kept on this host. One at a time; a worker never
//! waits for it, and while there is none it looks at one number for each batch of packets.
//!
//! Here is what workers and requests meet by. What is asked for is in [`request`] and [`filter`], a worker's side in
//! [`tap`], the file in [`file`], and the way to the client in [`stream`].

pub(crate) mod file;
pub(crate) mod filter;
pub(crate) mod request;
pub(crate) mod stream;
pub(crate) mod tap;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use enigma_engine::Vantage;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use filter::Filter;
use request::Request;

/// Chunks that wait for the client, of [`tap::CHUNK`] bytes at most: 16 MiB, which bridge an eighth of a second of a
/// gigabit, and 5 MiB for what is noted of their frames. When all are taken packets are dropped from the capture, and
/// counted; not from the records.
const QUEUE: usize = 128;

/// What workers copy and count.
#[derive(Debug)]
struct Order {
    filter: Filter,
    snaplen: u32,
    queue: mpsc::Sender<tap::Chunk>,
    /// What each worker counted, once it has stopped.
    tallies: Arc<Mutex<Vec<tap::Tally>>>,
}

/// The capture that runs, for who else wants one and for the status page.
#[derive(Debug, Clone)]
pub(crate) struct Running {
    pub(crate) number: u32,
    pub(crate) request: Request,
    pub(crate) started: SystemTime,
}

#[derive(Debug, Default)]
struct Desk {
    /// What workers are to do; gone as soon as the time is over.
    order: Option<Arc<Order>>,
    /// Until the client has all of it.
    running: Option<Running>,
    last: u32,
    is_closed: bool,
}

/// Counters over all captures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Captures begun.
    pub(crate) started: u64,
    /// Packets given to clients.
    pub(crate) packets: u64,
    /// Bytes of files given to clients.
    pub(crate) bytes: u64,
    /// Packets that a filter took and that found no room.
    pub(crate) dropped: u64,
}

/// Where captures are asked for, and workers look.
#[derive(Debug, Default)]
pub(crate) struct Captures {
    /// Changes whenever a worker has something to begin or to end.
    edition: AtomicU32,
    desk: Mutex<Desk>,
    started: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
}

/// Why no capture was begun.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Another one runs.
    Busy(Box<Running>),
    /// The collector is about to end.
    Closed,
}

/// A capture under way. Dropped, it is over.
#[derive(Debug)]
pub(crate) struct Hold {
    captures: Arc<Captures>,
    number: u32,
    tallies: Arc<Mutex<Vec<tap::Tally>>>,
}

impl Captures {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has workers begin. What they copy comes out of the receiver, until it says that there is no more.
    pub(crate) fn begin(
        self: &Arc<Self>,
        request: &Request,
        started: SystemTime,
    ) -> Result<(Hold, mpsc::Receiver<tap::Chunk>), Refusal> {
        let mut desk = self.desk();
        if desk.is_closed {
            return Err(Refusal::Closed);
        }
        if let Some(running) = &desk.running {
            return Err(Refusal::Busy(Box::new(running.clone())));
        }
        let (queue, chunks) = mpsc::channel(QUEUE);
        let tallies = Arc::default();
        desk.last = desk.last.wrapping_add(1);
        let number = desk.last;
        desk.running = Some(Running { number, request: request.clone(), started });
        desk.order = Some(Arc::new(Order {
            filter: request.filter.clone(),
            snaplen: request.snaplen,
            queue,
            tallies: Arc::clone(&tallies),
        }));
        self.started.fetch_add(1, Ordering::Relaxed);
        self.edition.fetch_add(1, Ordering::Relaxed);
        Ok((Hold { captures: Arc::clone(self), number, tallies }, chunks))
    }

    /// Ends the capture that runs, and takes no other.
    pub(crate) fn close(&self) {
        let mut desk = self.desk();
        desk.is_closed = true;
        desk.order = None;
        self.edition.fetch_add(1, Ordering::Relaxed);
    }

    /// The capture that runs, if there is one.
    pub(crate) fn running(&self) -> Option<Running> {
        self.desk().running.clone()
    }

    /// The counters.
    pub(crate) fn totals(&self) -> Totals {
        Totals {
            started: self.started.load(Ordering::Relaxed),
            packets: self.packets.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }

    /// The status page's part.
    pub(crate) fn status(&self) -> Value {
        let Totals { started, packets, bytes, dropped } = self.totals();
        let running = self.running().map(|Running { number, request, started }| {
            json!({
                "number": number,
                "filter": request.filter.text(),
                "since": seconds(started),
                "seconds": request.time.as_secs(),
                "max_bytes": request.max_bytes,
            })
        });
        json!({ "running": running, "started": started, "packets": packets, "bytes": bytes, "dropped": dropped })
    }

    /// Packets and bytes that were given to a client.
    fn given(&self, packets: u64, bytes: u64) {
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Hold {
    /// The capture's number, from 1.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Has workers stop. What they have copied still comes.
    pub(crate) fn end(&self) {
        let mut desk = self.captures.desk();
        // After a close there may be nothing left to end, and nothing else was begun.
        if desk.running.as_ref().is_some_and(|running| running.number == self.number) {
            desk.order = None;
            self.captures.edition.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What workers have counted by themselves, for every vantage once; complete when the receiver has said that there
    /// is no more.
    fn tally(&self) -> tap::Tally {
        let tallies = self.tallies.lock().unwrap_or_else(PoisonError::into_inner);
        tap::Tally::sum(tallies.iter())
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.end();
        self.captures.desk().running = None;
    }
}

/// Whole seconds since 1970.
fn seconds(at: SystemTime) -> u64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Nanoseconds since 1970, as packets have them.
fn nanos(at: SystemTime) -> i64 {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// How a vantage is called in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// Short: the interface's identifier.
    pub(crate) name: String,
    /// Everything that is known.
    pub(crate) description: String,
}

impl Names {
    /// From what the directory of sessions tells, if it knows the vantage.
    pub(crate) fn new(vantage: Vantage, told: &serde_json::Map<String, Value>) -> Self {
        let Vantage { vni, source } = vantage;
        let text = |key: &str| told.get(key).and_then(Value::as_str);
        let name = text("enigma.eni").map_or_else(|| format!("vni-{}-{source}", vni.get()), str::to_owned);
        let mut description = format!("VNI {} from {source}", vni.get());
        for key in ["eni", "name", "instance_id", "account_id", "region", "vpc_id", "subnet_id"] {
            if let Some(text) = text(&format!("enigma.{key}")) {
                description.push_str(", ");
                description.push_str(text);
            }
        }
        Self { name, description }
    }
}
