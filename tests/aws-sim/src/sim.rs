//! A running simulator as a value: starts on its own threads, stops when dropped.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::change::{self, Change, ChangeError, Changed};
use crate::clock::Clock;
use crate::connection::{CuttableListener, Line};
use crate::core::Core;
use crate::fault::Fault;
use crate::journal::Call;
use crate::quota::Quotas;
use crate::server::{Shared, router};
use crate::sharing::SharedView;
use crate::table::Staleness;
use crate::throttle::Throttle;
use crate::upstream::Upstream;
use crate::world::{World, WorldError};

/// How to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Address to listen on; only loopback addresses are taken. Port 0 finds a free one.
    pub listen: SocketAddr,
    /// URL of a server that answers what the simulator does not own.
    pub upstream: Option<String>,
    /// The clock calls are timed by.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), upstream: None, clock: Clock::real() }
    }
}

/// Why a simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// The address is reachable from outside; the simulator has no authentication.
    #[error("{0} is not a loopback address; the simulator listens on 127.0.0.0/8 or ::1 only")]
    NotLoopback(SocketAddr),
    /// Threads could not be started.
    #[error("cannot start the server")]
    Runtime(#[source] std::io::Error),
    /// The world is not consistent.
    #[error(transparent)]
    World(#[from] WorldError),
}

/// A running simulator. Dropping it stops the server and waits for its threads.
#[derive(Debug)]
pub struct Sim {
    shared: Arc<Shared>,
    endpoint: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Sim {
    /// Starts on a free loopback port, in real time, without an upstream.
    pub fn start(world: World) -> Result<Self, StartError> {
        Self::start_with(&world, Options::default())
    }

    /// Starts as told. Returns once the port is open.
    pub fn start_with(world: &World, options: Options) -> Result<Self, StartError> {
        if !options.listen.ip().is_loopback() {
            return Err(StartError::NotLoopback(options.listen));
        }
        let listen = |source| StartError::Listen { address: options.listen, source };
        let state = world.build(options.clock.now())?;
        let listener = std::net::TcpListener::bind(options.listen).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let shared = Arc::new(Shared {
            core: Core::new(state, options.upstream.is_some()).into(),
            clock: options.clock,
            upstream: options.upstream.as_deref().map(Upstream::new),
        });
        // Two workers: a call held back by a delay must not hold back others, and more buys nothing on loopback.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("aws-sim")
            .enable_all()
            .build()
            .map_err(StartError::Runtime)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let app = router(Arc::clone(&shared)).into_make_service_with_connect_info::<Line>();
        let thread = std::thread::Builder::new()
            .name("aws-sim".to_owned())
            .spawn(move || {
                runtime.block_on(async move {
                    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
                    let server = axum::serve(CuttableListener(listener), app);
                    tokio::select! {
                        _ = server.into_future() => {}
                        _ = stopped => {}
                    }
                });
                // Calls still held back by a delay end with the runtime.
                runtime.shutdown_background();
            })
            .map_err(StartError::Runtime)?;
        Ok(Self { shared, endpoint: format!("http://{address}"), stop: Some(stop), thread: Some(thread) })
    }

    /// Base URL, for `endpoint_url` of any AWS client and for `/_sim/...`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The hand on the world.
    pub fn admin(&self) -> Admin {
        Admin(Arc::clone(&self.shared))
    }

    /// Every call so far, in order.
    pub fn journal(&self) -> Vec<Call> {
        self.admin().journal()
    }

    /// Waits until the server ends, which it does only by failing: for the program.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread's panic has been printed; there is nothing to add.
            thread.join().ok();
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        // A server that has already ended no longer listens for this.
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

/// Changes the world and the weather of a running simulator; what `/_sim/...` does, as methods.
#[derive(Debug, Clone)]
pub struct Admin(Arc<Shared>);

impl Admin {
    /// Changes the world.
    pub fn change(&self, change: Change) -> Result<Changed, ChangeError> {
        change::apply(&mut self.0.core(), change, self.0.clock.now())
    }

    /// Puts a fault in force.
    pub fn fault(&self, fault: Fault) {
        self.0.core().faults.add(fault);
    }

    /// Lifts all faults.
    pub fn clear_faults(&self) {
        self.0.core().faults.clear();
    }

    /// Sets throttling anew, with full buckets.
    pub fn throttle(&self, throttle: Throttle) {
        let mut core = self.0.core();
        core.throttle = throttle;
        core.levels.clear();
    }

    /// Sets how far describe calls lag behind.
    pub fn staleness(&self, staleness: Staleness) {
        self.0.core().staleness = staleness;
    }

    /// Sets the quotas.
    pub fn quotas(&self, quotas: Quotas) {
        self.0.core().state.quotas = quotas;
    }

    /// The clock, to move it.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Every call so far, in order.
    pub fn journal(&self) -> Vec<Call> {
        self.0.core().journal.calls().to_vec()
    }

    /// The resource shares of all accounts that have not been deleted.
    pub fn shares(&self) -> Vec<SharedView> {
        self.0.core().state.shares_seen(self.0.clock.now())
    }

    /// Forgets the calls so far.
    pub fn clear_journal(&self) {
        self.0.core().journal.clear();
    }
}
