//! `run`: starts the sockets, workers, writer and HTTP server, watches them, and stops them in the order that loses
//! nothing: not ready, go on receiving, take what is queued, end all flows, write, leave. One shutdown path, whatever
//! the cause.

mod asked;
mod doubled;
mod notify;
mod open;
mod pin;
mod privileges;
mod reload;
mod threads;

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use arc_swap::ArcSwapOption;
use enigma_engine::{Admission, Pipeline};
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::{error, info, warn};

use crate::board::{Board, Totals};
use crate::directory::poll::{self, Shelf};
use crate::export::file::FileError;
use crate::export::queue::{Outbox, queue};
use crate::export::writer::Writer;
use crate::health::{Monitor, Phase};
use crate::http::token::Token;
use crate::http::{self, Console, router};
use crate::receive::ring::RingError;
use crate::receive::socket::BindError;
use crate::worker::Worker;
use asked::{Asked, Signals};
use doubled::Doubled;
use pin::{PinError, Pins};
use reload::InForce;
pub(crate) use reload::{Reload, Settings};
use threads::Threads;

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
    #[error(transparent)]
    Ring(#[from] RingError),
    #[error(
        "mode \"ring\" reads the ports that AWS sends to: change port {found} of receive.listen or receive.geneve to {port}, or \
         receive.mode to \"udp\""
    )]
    RingPort { found: u16, port: u16 },
    #[error(transparent)]
    Pin(#[from] PinError),
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

/// Runs until SIGTERM or SIGINT; SIGHUP has the configuration read again. An error means that nothing was received; a fault later on is in the outcome.
///
/// Not to be cancelled: dropping the future leaves worker threads running.
pub(crate) async fn run(
    settings: Settings,
    token: Option<Token>,
    reload: Reload,
    ready_file: Option<PathBuf>,
) -> Result<Outcome, RunError> {
    let started = Instant::now();
    let Settings { config, identity } = settings;
    if let Some(doubt) = identity.as_ref().and_then(|identity| identity.doubt(SystemTime::now())) {
        warn!("{doubt}");
    }
    let mut signals = Signals::new(io::stderr().is_terminal()).map_err(RunError::Signals)?;
    let pins = Pins::find(&config.receive.pin, config.receive.workers)?;
    let mut addresses = Map::new();
    let open::Opened { sources, handovers, mut doubled } = open::sources(&config.receive, &mut addresses)?;
    let http_error = |source| RunError::Http { address: config.http.listen, source };
    let listener = TcpListener::bind(config.http.listen).await.map_err(http_error)?;
    let http_on = listener.local_addr().map_err(http_error)?;
    // From here on threads are started.
    if let Err(error) = privileges::give_up() {
        warn!(
            "capabilities are kept that nothing needs any more, because the sandbox refuses to give them up (under systemd: \
             SystemCallFilter=capset): {error}"
        );
    }
    let destination = open::destination(&config.export)?;

    let board = Arc::new(Board::new(sources.len()));
    board.admission.store(Arc::new(config.receive.allow.admission()));
    let shelf = Arc::new(Shelf::default());
    let (enrich, settings) = watch::channel(config.enrich.clone());
    // Ends when `enrich`, the settings' other end, is dropped.
    tokio::spawn(poll::keep(Arc::clone(&shelf), settings));
    let (outbox, inbox) = queue(config.export.queue);
    addresses.insert("http".to_owned(), http_on.to_string().into());
    let addresses = Value::Object(addresses);
    let console = Arc::new(Console {
        board: Arc::clone(&board),
        monitor: Mutex::new(Monitor::new(config.health.clone())),
        started,
        addresses: addresses.clone(),
        shelf: Arc::clone(&shelf),
        identity: Arc::new(ArcSwapOption::new(identity.map(Arc::new))),
        token,
        queue: Mutex::new(Some(outbox.clone())),
        capture: Mutex::default(),
    });
    // Ends with the process: it must answer "draining" to the very last.
    let server = tokio::spawn({
        let (routes, identity) = (router(Arc::clone(&console)), Arc::clone(&console.identity));
        async move { http::serve::serve(listener, routes, identity).await }
    });

    let writer = Writer {
        inbox,
        destination,
        flush_interval: config.export.file.flush_interval,
        board: Arc::clone(&board),
        shelf,
    };
    let mut threads = Threads { writer: spawn("writer", move || writer.run())?, workers: Vec::new() };
    let mut handovers = handovers.into_iter().flatten();
    for (index, sources) in sources.into_iter().enumerate() {
        let worker = Worker {
            index,
            sources,
            handover: handovers.next(),
            pipeline: Pipeline::new(config.flow.engine(
                config.receive.workers,
                Admission::clone(&board.admission.load()),
                uid_seed(index),
            )),
            outbox: Outbox::clone(&outbox),
            board: Arc::clone(&board),
            batch_wait: config.receive.batch_wait,
        };
        let stay = pins.of(index);
        let body = move || {
            stay();
            worker.run();
        };
        threads.workers.push(spawn(&format!("receive-{index}"), body)?);
    }
    drop(outbox);
    // The first look is where the first window begins; it must not come after the first loss.
    console.monitor().observe(started.elapsed(), &board.totals());
    console.monitor().set_phase(Phase::Serving);
    info!(%addresses, workers = threads.workers.len(), "receiving");
    // The watchdog is fed once a look; a shorter period would bite a healthy collector.
    if let Some(period) = notify::watchdog().filter(|period| *period < 2 * OBSERVE) {
        warn!("WatchdogSec is {period:?}; the collector reports every {OBSERVE:?}: set at least twice that");
    }
    let mut in_force = InForce { config, enrich, reload };
    // Before the service manager is told, which may start what reads the file.
    let told = ready_file.map_or(Ok(()), |path| write_ready(&path, &addresses.to_string()));
    if told.is_ok() {
        notify::ready(&format!("receiving on {addresses}"));
    }
    let fault = match told {
        Ok(()) => serve(&console, &threads, &mut signals, &mut in_force, doubled.as_mut()).await,
        Err(fault) => Some(fault),
    };
    notify::stopping("told to stop: receiving until the drain is over, then writing what is left");
    if let Some(fault) = &fault {
        error!("stopping: {fault}");
    } else {
        drain(&console, &threads, &mut signals, in_force.config.shutdown.drain).await;
    }
    console.monitor().set_phase(Phase::Draining);
    let write_limit = in_force.config.shutdown.write_limit;
    // Before the workers' last batches: a capture has them, and its end.
    board.captures.close();
    board.stop(Instant::now() + write_limit);
    console.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
    let totals = threads.join(&board, write_limit + GRACE).await;
    // A client that does not take its last bytes is left behind, like a writer.
    drop(tokio::time::timeout(GRACE, console.captures_ended()).await);
    server.abort();
    Ok(Outcome { totals, fault })
}

/// Watches until a signal comes (`None`) or a thread has died.
async fn serve(
    console: &Console,
    threads: &Threads,
    signals: &mut Signals,
    in_force: &mut InForce,
    mut doubled: Option<&mut Doubled>,
) -> Option<RunError> {
    let mut tick = interval(OBSERVE);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop => return None,
                Asked::Reload => {
                    notify::reloading();
                    in_force.renew(console);
                    notify::ready("receiving");
                }
            },
            _ = tick.tick() => {
                look(console);
                if let Some(doubled) = &mut doubled {
                    doubled.look();
                }
                if let Some(name) = threads.dead() {
                    return Some(RunError::Died { name });
                }
            }
        }
    }
}

/// Takes the counters for health, and keeps the service manager's watchdog quiet while no thread is stuck.
fn look(console: &Console) {
    let mut monitor = console.monitor();
    monitor.observe(console.started.elapsed(), &console.board.totals());
    if monitor.not_alive().is_empty() {
        notify::alive();
    }
}

/// Not ready, but receiving, for `period` or until a second signal.
async fn drain(console: &Console, threads: &Threads, signals: &mut Signals, period: Duration) {
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
            // There is nothing to reload for any more.
            asked = signals.next() => if asked == Asked::Stop { return },
            _ = tick.tick() => {
                look(console);
                if threads.dead().is_some() {
                    return;
                }
            }
        }
    }
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
