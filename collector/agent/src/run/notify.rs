//! What the service manager is told (sd_notify(3)): ready, reloading, stopping, and that the watchdog need not bite. It
//! works without a manager: then nothing is sent. The sd-notify crate reads `NOTIFY_SOCKET` and `WATCHDOG_USEC`, which
//! are systemd's protocol and no settings of the collector's.

use std::time::Duration;

use sd_notify::NotifyState;

/// Packets are received and HTTP answers.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is being read again; [`ready`] ends it.
pub(super) fn reloading() {
    // Type=notify-reload wants the time as well; a clock that cannot be read leaves the message out.
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        tell(&[NotifyState::Reloading, now]);
    }
}

/// The way to the end has begun. Its length is TimeoutStopSec's business.
pub(super) fn stopping(status: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(status)]);
}

/// All threads move.
pub(super) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

/// Longest time between two [`alive`], where the manager watches.
pub(super) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!("the service manager could not be told: {error}");
    }
}
