//! The bounded queue between workers and writer. A worker never waits: when the queue is full the oldest entry makes
//! room, because the newest records are the ones somebody is looking for. Used batches come back for reuse, so that
//! a busy worker allocates none. At a stop, and offline, [`Outbox::push_waiting`] waits instead.

use std::time::Instant;

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TrySendError, bounded};

/// A worker's end.
pub(crate) struct Outbox<T> {
    sender: Sender<T>,
    /// Same queue as the writer's: this is how the oldest entry is taken out.
    oldest: Receiver<T>,
    spare: Receiver<T>,
}

/// The writer's end. The queue ends when every [`Outbox`] is gone.
pub(crate) struct Inbox<T> {
    pub(crate) receiver: Receiver<T>,
    spare: Sender<T>,
}

/// A queue for at most `capacity` entries.
pub(crate) fn queue<T>(capacity: usize) -> (Outbox<T>, Inbox<T>) {
    let (sender, receiver) = bounded(capacity);
    // As many spares as entries: there can be no more in circulation, beside the few being filled or written.
    let (spare_sender, spare) = bounded(capacity);
    (Outbox { sender, oldest: receiver.clone(), spare }, Inbox { receiver, spare: spare_sender })
}

impl<T> Clone for Outbox<T> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), oldest: self.oldest.clone(), spare: self.spare.clone() }
    }
}

impl<T> Outbox<T> {
    /// Queues `entry` without waiting. What had to go for it is given to `dropped`.
    pub(crate) fn push(&self, entry: T, mut dropped: impl FnMut(T)) {
        let mut entry = entry;
        loop {
            match self.sender.try_send(entry) {
                Ok(()) => return,
                Err(TrySendError::Full(back)) => {
                    entry = back;
                    // Another worker or the writer may have been faster: then there is room now.
                    if let Ok(oldest) = self.oldest.try_recv() {
                        dropped(oldest);
                    }
                }
                Err(TrySendError::Disconnected(back)) => return dropped(back),
            }
        }
    }

    /// Queues `entry`, waiting for room until `deadline` (`None`: as long as it takes). Gives it back when the
    /// time is over.
    pub(crate) fn push_waiting(&self, entry: T, deadline: Option<Instant>) -> Result<(), T> {
        match deadline {
            None => self.sender.send(entry).map_err(|error| error.0),
            Some(deadline) => self.sender.send_deadline(entry, deadline).map_err(|error| match error {
                SendTimeoutError::Timeout(entry) | SendTimeoutError::Disconnected(entry) => entry,
            }),
        }
    }

    /// A used entry to fill again, if one has come back.
    pub(crate) fn spare(&self) -> Option<T> {
        self.spare.try_recv().ok()
    }

    /// The same, waiting for one until `deadline` (`None`: as long as it takes). None when the time is over or the other
    /// end is gone; for ever only where the other end never gives back what it has.
    pub(crate) fn used(&self, deadline: Option<Instant>) -> Option<T> {
        match deadline {
            None => self.spare.recv().ok(),
            Some(deadline) => self.spare.recv_deadline(deadline).ok(),
        }
    }

    /// Whether more than half of the queue is taken.
    pub(crate) fn is_crowded(&self) -> bool {
        self.sender.capacity().is_some_and(|capacity| self.sender.len() > capacity / 2)
    }

    /// Entries waiting now.
    pub(crate) fn len(&self) -> usize {
        self.sender.len()
    }
}

impl<T> Inbox<T> {
    /// Gives a used entry back; forgets it when there are enough.
    pub(crate) fn recycle(&self, entry: T) {
        // Full or no worker left: then nobody needs it.
        drop(self.spare.try_send(entry));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_full_queue_drops_the_oldest_and_keeps_order() {
        let (outbox, inbox) = queue(3);
        let mut dropped = Vec::new();
        for entry in 0..10 {
            outbox.push(entry, |old| dropped.push(old));
        }
        drop(outbox);
        assert_eq!(dropped, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(inbox.receiver.iter().collect::<Vec<_>>(), [7, 8, 9]);
    }

    #[test]
    fn waiting_gives_the_entry_back_at_the_deadline() {
        let (outbox, inbox) = queue(1);
        outbox.push_waiting(1, None).unwrap();
        assert_eq!(outbox.push_waiting(2, Some(Instant::now() + Duration::from_millis(1))), Err(2));
        assert_eq!(inbox.receiver.try_recv(), Ok(1));
        assert_eq!(outbox.push_waiting(3, Some(Instant::now())), Ok(()));
        assert_eq!(outbox.len(), 1);
    }

    #[test]
    fn it_is_crowded_when_more_than_half_is_taken() {
        let (outbox, inbox) = queue(4);
        let mut crowded = Vec::new();
        for entry in 0..6 {
            crowded.push(outbox.is_crowded());
            outbox.push(entry, drop);
        }
        assert_eq!(crowded, [false, false, false, true, true, true]);
        inbox.receiver.iter().take(2).for_each(drop);
        assert!(!outbox.is_crowded());
    }

    #[test]
    fn used_entries_come_back() {
        let (outbox, inbox) = queue(1);
        assert_eq!(outbox.spare(), None::<u32>);
        inbox.recycle(7);
        inbox.recycle(8);
        assert_eq!((outbox.spare(), outbox.spare()), (Some(7), None));
        assert_eq!(
            outbox.used(Some(Instant::now() + Duration::from_millis(1))),
            None,
            "nothing has come back"
        );
        inbox.recycle(9);
        assert_eq!(outbox.used(None), Some(9));
        drop(inbox);
        assert_eq!(outbox.used(None), None, "nothing ever will");
    }

    #[test]
    fn many_workers_lose_nothing_unseen() {
        let (outbox, inbox) = queue(4);
        let workers: Vec<_> = (0..4)
            .map(|_| {
                let outbox = outbox.clone();
                std::thread::spawn(move || {
                    let mut dropped = 0u64;
                    for _ in 0..5_000 {
                        outbox.push(1u64, |_| dropped += 1);
                    }
                    dropped
                })
            })
            .collect();
        drop(outbox);
        let written: u64 = inbox.receiver.iter().sum();
        let dropped: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
        assert_eq!(written + dropped, 20_000);
    }
}
