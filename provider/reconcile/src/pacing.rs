//! How fast writes go: one token bucket per AWS action, account and Region, just under AWS's own, slower after throttling.
//!
//! AWS counts each action in a bucket of its own per account and Region
//! <https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html>. One [`Pacer`] serves everything in a process that
//! writes, so that two fleets applied at once share it. Which call draws on which bucket, and how large AWS's are, is said in
//! [`enigma_fleet::calls`]. Time is tokio's, which tests pause. Nothing here calls AWS.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enigma_fleet::calls::{self, Rate};
use enigma_fleet::ids::Place;
use tokio::time::{Instant, sleep};

/// A bucket: how many calls at once, and how many per second after that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Calls that may be made at once after a rest.
    pub burst: f64,
    /// Calls per second in the long run.
    pub per_second: f64,
}

impl From<Rate> for Bucket {
    fn from(rate: Rate) -> Self {
        Self { burst: f64::from(rate.burst), per_second: f64::from(rate.per_second) }
    }
}

/// What we take of [`Bucket::burst`]. The rest absorbs calls that leave here evenly and arrive bunched, and leaves a few to other
/// tools in the account.
const SHARE_OF_BURST: f64 = 0.9;
/// What we take of [`Bucket::per_second`]: two clocks never agree exactly, and 2 % keeps ours the slower one.
const SHARE_OF_RATE: f64 = 0.98;
/// A throttled bucket halves its rate, but not below this share: a call every few seconds still finds out that AWS recovered.
const SLOWEST: f64 = 1.0 / 16.0;
/// Each success wins back this share of the full rate, so that after the worst throttling full speed returns within 50 calls.
const RECOVERY: f64 = 0.02;

/// Paces writes. Cheap to share; holds one small entry per place and action ever used.
#[derive(Debug, Default)]
pub struct Pacer {
    buckets: Mutex<HashMap<(Place, &'static str), Arc<Paced>>>,
}

impl Pacer {
    /// With full buckets.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn bucket(&self, place: &Place, operation: &'static str) -> Arc<Paced> {
        let calls::Bucket { name, rate } = calls::bucket_of(operation);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let paced = buckets
            .entry((place.clone(), name))
            .or_insert_with(|| Arc::new(Paced::new(rate.into(), Instant::now())));
        Arc::clone(paced)
    }
}

/// The right to make one call, and how fast calls went when it was given.
#[derive(Debug)]
pub(crate) struct Token {
    pace: u64,
}

/// One bucket with its queue.
#[derive(Debug)]
pub(crate) struct Paced {
    level: Mutex<Level>,
    /// Whoever holds it waits for the next token; the others wait in order behind (tokio's mutex is fair).
    turn: tokio::sync::Mutex<()>,
}

impl Paced {
    fn new(aws: Bucket, now: Instant) -> Self {
        let full = Bucket { burst: aws.burst * SHARE_OF_BURST, per_second: aws.per_second * SHARE_OF_RATE };
        Self { level: Mutex::new(Level::new(full, now)), turn: tokio::sync::Mutex::new(()) }
    }

    /// Waits for a token and takes it. Dropping the future takes none.
    pub(crate) async fn acquire(&self) -> Token {
        let _turn = self.turn.lock().await;
        loop {
            let taken = self.lock().take(Instant::now());
            match taken {
                Ok(token) => return token,
                Err(wait) => sleep(wait).await,
            }
        }
    }

    /// AWS said that the call of this token was too much: its bucket is empty, and other callers drain it too.
    pub(crate) fn throttled(&self, token: &Token) {
        self.lock().throttled(token, Instant::now());
    }

    /// AWS accepted the call of this token.
    pub(crate) fn accepted(&self, token: &Token) {
        self.lock().accepted(token);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Level> {
        self.level.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The arithmetic, with time as an argument.
#[derive(Debug)]
struct Level {
    full: Bucket,
    tokens: f64,
    /// Share of the full rate in use: 1 until throttled.
    share: f64,
    /// How often the rate was halved. What AWS says of a call that left before the last time is about the old rate.
    pace: u64,
    at: Instant,
}

impl Level {
    fn new(full: Bucket, now: Instant) -> Self {
        Self { full, tokens: full.burst, share: 1.0, pace: 0, at: now }
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = (self.tokens + elapsed * self.full.per_second * self.share).min(self.full.burst);
        self.at = now;
    }

    /// Takes a token, or says how long to wait for one.
    fn take(&mut self, now: Instant) -> Result<Token, Duration> {
        self.refill(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(Token { pace: self.pace });
        }
        let wait = (1.0 - self.tokens) / (self.full.per_second * self.share);
        // Timers fire on whole milliseconds: a wait rounded down would wake to a bucket that is almost full enough.
        Err(Duration::from_secs_f64(wait) + Duration::from_millis(1))
    }

    /// Several calls in flight come back throttled by one cause, over many milliseconds and mixed with some that were
    /// accepted: the rate is halved by the first, and again only by a call that left at the halved rate.
    fn throttled(&mut self, token: &Token, now: Instant) {
        if token.pace != self.pace {
            return;
        }
        self.refill(now);
        self.share = (self.share / 2.0).max(SLOWEST);
        self.tokens = self.tokens.min(0.0);
        self.pace += 1;
    }

    fn accepted(&mut self, token: &Token) {
        if token.pace == self.pace {
            self.share = (self.share + RECOVERY).min(1.0);
        }
    }
}

#[cfg(test)]
mod tests;
