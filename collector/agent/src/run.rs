//! `run`: starts the sockets, workers, writer and HTTP server, watches them, and stops them in the order that loses
//! nothing: not ready, go on receiving, take what is queued, end all flows, write, leave. One shutdown path, whatever
//! the cause.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use enigma_engine::{Pipeline, Stream};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};

use crate::board::{Board, Totals};
use crate::config::Config;
use crate::config::export::{Destination as To, Export};
use crate::config::receive::Receive;
use crate::export::ExportStats;
use crate::export::destination::Destination;
use crate::export::file::{Existing, FileError, FileSet, Rotation};
use crate::export::queue::{Outbox, queue};
use crate::export::writer::Writer;
use crate::health::{Monitor, Phase};
use crate::http::{Console, router};
use crate::receive::socket::{BindError, ReceiveSocket, bind};
use crate::receive::steer::Wrapping;
use crate::worker::Worker;

/// How often counters are looked at for health: fine beside the shortest window of one second.
const OBSERVE: Duration = Duration::from_secs(1);

/// Beyond the write limit, how long to wait for a writer that is stuck in one system call before leaving it behind.
const GRACE: Duration = Duration::from_secs(2);

/// Why the collector did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error(transparent)]
    Export(#[from] FileError),
    #[error("cannot listen for HTTP on {address}")]
    Http { address: SocketAddr, source: io::Error },
    #[error("cannot watch for signals")]
    Signals(#[source] io::Error),
    #[error("cannot start the {name} thread")]
    Thread { name: String, source: io::Error },
    #[error("cannot write the ready file {}", path.display())]
    ReadyFile { path: PathBuf, source: io::Error },
    #[error(
        "the {name} thread died; this is a defect of the collector, please report it with the message above"
    )]
    Died { name: &'static str },
}

/// How a run ended: the final account, and the fault that ended it if nobody asked it to stop.
pub(crate) struct Outcome {
    pub(crate) totals: Totals,
    pub(crate) fault: Option<RunError>,
}

/// Runs until SIGTERM or SIGINT. An error means that nothing was received; a fault later on is in the outcome.
///
/// Not to be cancelled: dropping the future leaves worker threads running.
pub(crate) async fn run(config: Config, ready_file: Option<PathBuf>) -> Result<Outcome, RunError> {
    let started = Instant::now();
    let mut stop = Stop::new().map_err(RunError::Signals)?;
    let mut addresses = Map::new();
    let sockets = sockets(&config.receive, &mut addresses)?;
    let http_error = |source| RunError::Http { address: config.http.listen, source };
    let listener = TcpListener::bind(config.http.listen).await.map_err(http_error)?;
    let http_on = listener.local_addr().map_err(http_error)?;
    let destination = destination(&config.export)?;

    let board = Arc::new(Board::new(sockets.len()));
    let (outbox, inbox) = queue(config.export.queue);
    addresses.insert("http".to_owned(), http_on.to_string().into());
    let addresses = Value::Object(addresses);
    let console = Arc::new(Console {
        board: Arc::clone(&board),
        monitor: Mutex::new(Monitor::new(config.health.clone())),
        started,
        addresses: addresses.clone(),
        queue: Mutex::new(Some(outbox.clone())),
    });
    // Ends with the process: it must answer "draining" to the very last.
    let server = tokio::spawn({
        let routes = router(Arc::clone(&console));
        async move { axum::serve(listener, routes).await }
    });

    let writer = Writer {
        inbox,
        destination,
        flush_interval: config.export.file.flush_interval,
        board: Arc::clone(&board),
    };
    let mut threads = Threads { writer: spawn("writer", move || writer.run())?, workers: Vec::new() };
    let admission = config.receive.admission();
    for (index, sockets) in sockets.into_iter().enumerate() {
        let worker = Worker {
            index,
            sockets,
            pipeline: Pipeline::new(config.flow.engine(
                config.receive.workers,
                admission.clone(),
                uid_seed(index),
            )),
            outbox: Outbox::clone(&outbox),
            board: Arc::clone(&board),
            batch_wait: config.receive.batch_wait,
        };
        threads.workers.push(spawn(&format!("receive-{index}"), move || worker.run())?);
    }
    drop(outbox);
    // The first look is where the first window begins; it must not come after the first loss.
    console.monitor().observe(started.elapsed(), &board.totals());
    console.monitor().set_phase(Phase::Serving);
    info!(%addresses, workers = threads.workers.len(), "receiving");
    let told = ready_file.map_or(Ok(()), |path| write_ready(&path, &addresses.to_string()));
    let fault = match told {
        Ok(()) => serve(&console, &threads, &mut stop).await,
        Err(fault) => Some(fault),
    };
    if let Some(fault) = &fault {
        error!("stopping: {fault}");
    } else {
        drain(&console, &threads, &mut stop, config.shutdown.drain).await;
    }
    console.monitor().set_phase(Phase::Draining);
    board.stop(Instant::now() + config.shutdown.write_limit);
    console.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    let totals = threads.join(&board, config.shutdown.write_limit + GRACE).await;
    server.abort();
    Ok(Outcome { totals, fault })
}

/// Watches until a signal comes (`None`) or a thread has died.
async fn serve(console: &Console, threads: &Threads, stop: &mut Stop) -> Option<RunError> {
    let mut tick = interval(OBSERVE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.asked() => return None,
            _ = tick.tick() => {
                console.monitor().observe(console.started.elapsed(), &console.board.totals());
                if let Some(name) = threads.dead() {
                    return Some(RunError::Died { name });
                }
            }
        }
    }
}

/// Not ready, but receiving, for `period` or until a second signal.
async fn drain(console: &Console, threads: &Threads, stop: &mut Stop, period: Duration) {
    console.monitor().set_phase(Phase::Draining);
    if period.is_zero() {
        return;
    }
    info!("told to stop: not ready, receiving for another {period:?}; a second signal ends that at once");
    let over = tokio::time::sleep(period);
    tokio::pin!(over);
    let mut tick = interval(OBSERVE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = &mut over => return,
            () = stop.asked() => return,
            _ = tick.tick() => {
                console.monitor().observe(console.started.elapsed(), &console.board.totals());
                if threads.dead().is_some() {
                    return;
                }
            }
        }
    }
}

/// Binds every door: the sockets of each worker. Notes the addresses under the doors' names in the ready file.
fn sockets(
    receive: &Receive,
    addresses: &mut Map<String, Value>,
) -> Result<Vec<Vec<ReceiveSocket>>, RunError> {
    let mut by_worker: Vec<Vec<ReceiveSocket>> = (0..receive.workers).map(|_| Vec::new()).collect();
    let mut told = Vec::new();
    let doors =
        [("receive", Wrapping::Vxlan, Some(receive.listen)), ("geneve", Wrapping::Geneve, receive.geneve)];
    for (name, wrapping, listen) in doors {
        let Some(listen) = listen else { continue };
        let (sockets, address, shortfalls) = bind(wrapping, listen, receive.workers, receive.buffer)?;
        addresses.insert(name.to_owned(), address.to_string().into());
        for (worker, socket) in by_worker.iter_mut().zip(sockets) {
            worker.push(socket);
        }
        for shortfall in shortfalls {
            if !told.contains(&shortfall) {
                warn!("{shortfall}");
                told.push(shortfall);
            }
        }
    }
    Ok(by_worker)
}

fn destination(export: &Export) -> Result<Destination, FileError> {
    Ok(match export.to {
        To::Stdout => Destination::Stdout,
        To::File => Destination::Files(FileSet::open(
            &export.file.directory,
            Some(Rotation {
                size: export.file.rotate_size,
                interval: export.file.rotate_interval,
                keep: export.file.keep_files,
            }),
            Existing::Rotate,
            &[Stream::Conn.name()],
            SystemTime::now(),
        )?),
    })
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, RunError> {
    let failed = |source| RunError::Thread { name: name.to_owned(), source };
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(failed)
}

/// Written whole and then renamed: who waits for the file never reads half of it.
fn write_ready(path: &Path, text: &str) -> Result<(), RunError> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    std::fs::write(&partial, format!("{text}\n"))
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(|source| RunError::ReadyFile { path: path.to_owned(), source })
}

/// Different for every worker and every start: a start is told by its time and process.
fn uid_seed(index: usize) -> u64 {
    use std::hash::BuildHasher as _;
    // RandomState is keyed from the operating system's randomness.
    std::hash::RandomState::new().hash_one((index, SystemTime::now(), std::process::id()))
}

/// SIGTERM, SIGINT and SIGHUP alike: a closed terminal must not cost the records of live flows.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal. May be cancelled: a signal that comes later is not lost.
    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

struct Threads {
    workers: Vec<JoinHandle<()>>,
    writer: JoinHandle<ExportStats>,
}

impl Threads {
    /// A thread that ended although nobody said stop.
    fn dead(&self) -> Option<&'static str> {
        if self.writer.is_finished() {
            return Some("writer");
        }
        self.workers.iter().any(JoinHandle::is_finished).then_some("receive")
    }

    /// Waits for all, at most `limit`; what the board says then is final.
    async fn join(self, board: &Board, limit: Duration) -> Totals {
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
