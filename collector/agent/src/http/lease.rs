//! How long a connection may live: some answers take as long as somebody has asked for, and who gives one can wait until
//! the last of it has left.

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The answering side of a connection's time.
#[derive(Debug, Clone)]
pub(crate) struct Lease(watch::Sender<Instant>);

/// The connection's side. While it is held the connection lives.
#[derive(Debug)]
pub(crate) struct Term(watch::Receiver<Instant>);

/// Both sides of a time that is over at `until`.
pub(crate) fn lease(until: Instant) -> (Lease, Term) {
    let (lease, term) = watch::channel(until);
    (Lease(lease), Term(term))
}

impl Lease {
    /// The connection may live until `until`, if it may not live longer already.
    pub(crate) fn extend(&self, until: Instant) {
        self.0.send_if_modified(|end| {
            let is_later = until > *end;
            *end = until.max(*end);
            is_later
        });
    }

    /// Returns when the connection has ended.
    pub(crate) async fn ended(&self) {
        self.0.closed().await;
    }
}

impl Term {
    /// Returns when the time is over. May be cancelled and called again.
    pub(crate) async fn over(&mut self) {
        loop {
            let until = *self.0.borrow_and_update();
            tokio::select! {
                () = sleep_until(until) => return,
                Ok(()) = self.0.changed() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_lives_as_long_as_the_longest_that_was_asked_for() {
        let start = Instant::now();
        let at = move |seconds| start + Duration::from_secs(seconds);
        let (lease, mut term) = lease(at(60));
        lease.extend(at(100));
        lease.extend(at(80));
        let other = lease.clone();
        tokio::spawn(async move {
            sleep_until(at(90)).await;
            other.extend(at(300));
        });
        term.over().await;
        assert_eq!(Instant::now(), at(300));
        let ended = tokio::spawn(async move { lease.ended().await });
        drop(term);
        ended.await.unwrap();
    }
}
