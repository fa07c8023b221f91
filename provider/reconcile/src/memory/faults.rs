//! What goes wrong, and when: decided before and after each call's effect.
//!
//! Plain data; the only clock is the `now` that is passed in.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use enigma_fleet::ids::{AccountId, Place};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::refusal::Refusal;
use super::world::Places;
use crate::pacing::Bucket;
use crate::ports::ErrorKind;

/// One call as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Where.
    pub place: Place,
    /// AWS's name of the action.
    pub operation: &'static str,
    /// The parameters, for people and for comparisons.
    pub parameters: String,
    /// Whether it changed or read anything; a lost reply leaves this true.
    pub took_effect: bool,
    /// The error that was given back, if any.
    pub error: Option<ErrorKind>,
}

/// On which side of a call's effect something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The call has no effect.
    Before,
    /// The call has its effect, the caller never learns of it.
    After,
}

#[derive(Default)]
pub(super) struct Faults {
    next: HashMap<&'static str, (usize, ErrorKind)>,
    every: HashMap<&'static str, (usize, usize, ErrorKind)>,
    lost: HashMap<&'static str, usize>,
    stale: Option<(Arc<Places>, usize)>,
    kill: Option<(usize, When)>,
    denied: Vec<Place>,
    denied_operations: HashSet<(Place, &'static str)>,
    /// From the call with this index on the account's credentials have ended.
    expired: Option<(usize, AccountId)>,
    /// Cancelled when the call with this index is made.
    cancel: Option<(usize, CancellationToken)>,
    delays: HashMap<(Place, &'static str), Duration>,
    /// Places where every call gets no reply, after so long.
    silent: HashMap<Place, Duration>,
    buckets: Option<Buckets>,
}

struct Buckets {
    mutating: Bucket,
    tagging: Bucket,
    levels: HashMap<(Place, &'static str), (f64, Instant)>,
}

impl Faults {
    pub(super) fn fail_next(&mut self, operation: &'static str, times: usize, kind: ErrorKind) {
        self.next.insert(operation, (times, kind));
    }
    pub(super) fn fail_every(&mut self, operation: &'static str, nth: usize, kind: ErrorKind) {
        self.every.insert(operation, (nth, 0, kind));
    }
    pub(super) fn lose_replies(&mut self, operation: &'static str, times: usize) {
        self.lost.insert(operation, times);
    }
    pub(super) fn go_stale(&mut self, frozen: Arc<Places>, reads: usize) {
        self.stale = Some((frozen, reads));
    }
    pub(super) fn kill_at(&mut self, index: usize, when: When) {
        self.kill = Some((index, when));
    }
    pub(super) fn deny(&mut self, place: Place) {
        self.denied.push(place);
    }
    pub(super) fn deny_operation(&mut self, place: Place, operation: &'static str) {
        self.denied_operations.insert((place, operation));
    }
    /// Whether a permission is missing, which dry runs see too.
    pub(super) fn is_denied(&self, place: &Place, operation: &'static str) -> bool {
        self.denied.contains(place) || self.denied_operations.contains(&(place.clone(), operation))
    }
    pub(super) fn expire_at(&mut self, index: usize, account: AccountId) {
        self.expired = Some((index, account));
    }
    pub(super) fn cancel_at(&mut self, index: usize, token: CancellationToken) {
        self.cancel = Some((index, token));
    }
    pub(super) fn delay(&mut self, place: Place, operation: &'static str, by: Duration) {
        self.delays.insert((place, operation), by);
    }
    pub(super) fn silence(&mut self, place: Place, after: Duration) {
        self.silent.insert(place, after);
    }
    pub(super) fn throttle(&mut self, mutating: Bucket, tagging: Bucket) {
        self.buckets = Some(Buckets { mutating, tagging, levels: HashMap::new() });
    }

    pub(super) fn delay_of(&self, place: &Place, operation: &'static str) -> Option<Duration> {
        self.silent.get(place).or_else(|| self.delays.get(&(place.clone(), operation))).copied()
    }

    /// Whether the call with this index may take effect.
    pub(super) fn before(
        &mut self,
        index: usize,
        place: &Place,
        operation: &'static str,
        now: Instant,
    ) -> Result<(), Refusal> {
        if self.kill.is_some_and(|(at, when)| index > at || (index == at && when == When::Before)) {
            return Err(Refusal::new(ErrorKind::NoReply, "(killed)", "the caller is dead"));
        }
        if self.silent.contains_key(place) {
            return Err(Refusal::of_kind(ErrorKind::NoReply));
        }
        if let Some((_, token)) = self.cancel.as_ref().filter(|(at, _)| index == *at) {
            token.cancel();
        }
        if self.expired.as_ref().is_some_and(|(at, account)| index >= *at && *account == place.account) {
            return Err(Refusal::new(
                ErrorKind::Credentials,
                "ExpiredToken",
                "The security token has expired",
            ));
        }
        if self.is_denied(place, operation) {
            return Err(Refusal::of_kind(ErrorKind::Unauthorized));
        }
        if let Some(buckets) = &mut self.buckets
            && !buckets.take(place, operation, now)
        {
            return Err(Refusal::of_kind(ErrorKind::Throttled));
        }
        if let Some((times, kind)) = self.next.get_mut(operation)
            && *times > 0
        {
            *times -= 1;
            return Err(Refusal::of_kind(*kind));
        }
        if let Some((nth, seen, kind)) = self.every.get_mut(operation) {
            *seen += 1;
            if (*seen).is_multiple_of(*nth) {
                return Err(Refusal::of_kind(*kind));
            }
        }
        Ok(())
    }

    /// Whether the reply of a call that took effect arrives.
    pub(super) fn after(&mut self, index: usize, operation: &'static str) -> Result<(), Refusal> {
        if self.kill == Some((index, When::After)) {
            return Err(Refusal::new(ErrorKind::NoReply, "(killed)", "the caller died before the reply"));
        }
        if let Some(times) = self.lost.get_mut(operation)
            && *times > 0
        {
            *times -= 1;
            return Err(Refusal::of_kind(ErrorKind::NoReply));
        }
        Ok(())
    }

    /// What a read is shown instead of the truth, if anything.
    pub(super) fn stale_view(&mut self) -> Option<Arc<Places>> {
        let (frozen, reads) = self.stale.as_mut()?;
        if *reads == 0 {
            self.stale = None;
            return None;
        }
        *reads -= 1;
        Some(Arc::clone(frozen))
    }
}

impl Buckets {
    fn take(&mut self, place: &Place, operation: &'static str, now: Instant) -> bool {
        let bucket = match operation {
            _ if operation.starts_with("Describe") => return true,
            "CreateTags" | "DeleteTags" => self.tagging,
            _ => self.mutating,
        };
        let (tokens, at) = self.levels.entry((place.clone(), operation)).or_insert((bucket.burst, now));
        let elapsed = now.saturating_duration_since(*at).as_secs_f64();
        *tokens = (*tokens + elapsed * bucket.per_second).min(bucket.burst);
        *at = now;
        if *tokens < 1.0 {
            return false;
        }
        *tokens -= 1.0;
        true
    }
}
