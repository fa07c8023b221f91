//! A running collector takes over what a changed configuration file says, as far as that can be done without losing a
//! packet, and says what cannot.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;
use tracing::{info, warn};
use tracing_subscriber::filter::LevelFilter;

use crate::config::enrich::Enrich;
use crate::config::{Config, changes};
use crate::http::Console;
use crate::http::identity::Identity;

/// A configuration, and what had to be read from files that it names.
pub(crate) struct Settings {
    pub(crate) config: Config,
    /// Certificate and key of `http.tls_*`; `None`: plain HTTP.
    pub(crate) identity: Option<Identity>,
}

/// How a run gets at its configuration again: given by who started it, which knows file and environment.
pub(crate) struct Reload {
    /// Reads and checks the file; the text of an error is for people.
    pub(crate) read: Box<dyn Fn() -> Result<Settings, String>>,
    /// Opens the file of messages again, which somebody may have moved away; the text of an error is for people.
    pub(crate) reopen_log: Box<dyn Fn() -> Result<(), String>>,
    /// Sets the level of messages. Does nothing where the environment has decided it.
    pub(crate) set_level: Box<dyn Fn(LevelFilter)>,
}

/// The configuration as it is in force.
pub(super) struct InForce {
    pub(super) config: Config,
    pub(super) enrich: watch::Sender<Enrich>,
    pub(super) reload: Reload,
}

impl InForce {
    /// Reads the configuration again and takes over what is possible. A file with mistakes changes nothing.
    pub(super) fn renew(&mut self, console: &Console) {
        // First, so that what is said of the rest stands in the new file.
        if let Err(why) = (self.reload.reopen_log)() {
            warn!("messages go on into the file that was open before: {why}");
        }
        let Settings { config: new, identity } = match (self.reload.read)() {
            Ok(new) => new,
            Err(problems) => {
                warn!("configuration not reloaded, everything stays as it is: {problems}");
                return;
            }
        };
        let mut changes = changes::apply(&mut self.config, new);
        if show(console, identity) && !changes.taken.contains(&changes::TLS) {
            changes.taken.push(changes::TLS);
        }
        if changes.taken.contains(&"receive.allow") {
            console.board.admission.store(Arc::new(self.config.receive.allow.admission()));
        }
        (self.reload.set_level)(self.config.log.level);
        console.monitor().set_rule(self.config.health.clone());
        self.enrich.send_if_modified(|enrich| {
            let differs = *enrich != self.config.enrich;
            enrich.clone_from(&self.config.enrich);
            differs
        });
        if changes.taken.is_empty() && changes.left.is_empty() {
            info!("configuration read again: nothing has changed");
        }
        if !changes.taken.is_empty() {
            info!("configuration reloaded: {} changed", changes.taken.join(", "));
        }
        if !changes.left.is_empty() {
            warn!("configuration read again, but {} only change with a restart", changes.left.join(", "));
        }
    }
}

/// Has new connections be shown `identity`: whether that is another than before.
fn show(console: &Console, identity: Option<Identity>) -> bool {
    if let Some(doubt) = identity.as_ref().and_then(|identity| identity.doubt(SystemTime::now())) {
        warn!("{doubt}");
    }
    let is_same = match (&*console.identity.load(), &identity) {
        (Some(shown), Some(new)) => shown.shows_the_same(new),
        (None, None) => true,
        _ => false,
    };
    if !is_same {
        console.identity.store(identity.map(Arc::new));
    }
    !is_same
}
