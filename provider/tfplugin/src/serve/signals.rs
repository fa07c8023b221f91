//! Signals, and the death of Terraform.
//!
//! A terminal sends Ctrl-C to the whole process group, Terraform and plugins alike. Terraform then stops politely and
//! tells its plugins by StopProvider; a plugin that died of the signal takes its unfinished state with it. So
//! SIGINT is ignored, as go-plugin's own servers do. SIGTERM to the group (a CI job that is cancelled) makes Terraform
//! stop the same way, so it is treated like StopProvider here and ends nothing by itself. A plugin whose
//! Terraform was killed is told by nobody: it sees that its parent has changed, and ends.

use std::io;
use std::os::unix::process::parent_id;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How soon an orphan notices. It holds no resource that anybody waits for.
const PARENT_CHECK: Duration = Duration::from_secs(2);

/// Cancels `stop` on SIGTERM, and both when the parent is gone, until the task is aborted.
pub(super) fn watch(stop: CancellationToken, done: CancellationToken) -> io::Result<JoinHandle<()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let parent = parent_id();
    let mut check = tokio::time::interval(PARENT_CHECK);
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => tracing::debug!("interrupt ignored: Terraform will say what to do"),
                _ = terminate.recv() => {
                    tracing::info!("terminated: stopping what runs");
                    stop.cancel();
                }
                _ = check.tick() => if parent_id() != parent {
                    tracing::warn!("Terraform is gone: finishing what runs, then ending");
                    stop.cancel();
                    done.cancel();
                    return;
                },
            }
        }
    }))
}
