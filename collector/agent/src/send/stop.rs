//! A person (or a test) may end a long `send` with SIGINT or SIGTERM and still learn what was sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

/// Whether somebody said stop.
#[derive(Debug, Clone, Default)]
pub(super) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Watches for the signals from now on, on a thread that ends with the process. Where that cannot be had the signals
    /// end the process, as they would by themselves.
    pub(super) fn on_signals() -> Self {
        let stop = Self::default();
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
            return stop;
        };
        let signals = {
            let _inside = runtime.enter();
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        };
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else { return stop };
        let flag = stop.clone();
        let watch = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            flag.set();
        };
        drop(thread::Builder::new().name("signals".to_owned()).spawn(watch));
        stop
    }

    /// Says stop.
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether that was said.
    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
