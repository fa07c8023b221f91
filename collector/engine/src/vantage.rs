//! From where packets are seen: vantages by small numbers, with a count of their flows and a budget of packets.
//!
//! Numbers keep the keys of flows small and make a place for what a vantage is allowed. A vantage stays until its
//! place is needed for another and it has no flow. Knows no packets and no clock.

use core::hash::{BuildHasher, Hasher};
use core::net::IpAddr;
use core::time::Duration;

use enigma_wire::Vni;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

use crate::Timestamp;

/// From where a packet was seen: the mirror session, and who sent it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Vantage {
    /// The session's VNI.
    pub vni: Vni,
    /// The outer source address: the mirrored interface's primary address.
    pub source: IpAddr,
}

/// The number of a vantage; 0 stands for packets of a capture that were not encapsulated.
pub(crate) type VantageId = u16;

/// No session: a packet of a capture that was not encapsulated.
pub(crate) const PLAIN: VantageId = 0;

/// Vantages known at once. An account may have 10,000 sessions
/// (<https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-quotas.html>); more than six full accounts
/// on one worker, in 4 MiB.
const MAX_VANTAGES: usize = VantageId::MAX as usize;

/// Places looked at for one without flows when all are taken: work that a forged sender can cause with a packet.
const SWEEP: usize = 64;

/// How many packets a vantage may send.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct VantageBudget {
    /// Packets a second over time, at least 1.
    pub packets_per_second: u32,
    /// How long a vantage may send at any rate before it is held to that: what it may save up.
    pub burst: Duration,
}

struct Seat {
    vantage: Vantage,
    flows: u32,
    /// When the packets taken so far would have been sent at the budget's rate (GCRA's theoretical arrival time).
    earned: Timestamp,
}

/// The vantages of one pipeline.
pub(crate) struct Vantages {
    seats: Vec<Seat>,
    index: HashTable<VantageId>,
    hasher: FixedState,
    /// Where the next search for a free place begins.
    hand: usize,
    limit: usize,
    /// The latest that was asked for. Sessions send in bursts: most packets are spared a look into the index.
    recent: VantageId,
    /// Nanoseconds a packet is worth, and those that may be saved.
    budget: Option<(i64, i64)>,
}

impl Vantages {
    pub(crate) fn new(budget: Option<VantageBudget>, hash_seed: u64) -> Self {
        Self::with_limit(budget, hash_seed, MAX_VANTAGES)
    }

    fn with_limit(budget: Option<VantageBudget>, hash_seed: u64, limit: usize) -> Self {
        let nanos = |burst: Duration| i64::try_from(burst.as_nanos()).unwrap_or(i64::MAX);
        let budget = budget
            .map(|budget| (1_000_000_000 / i64::from(budget.packets_per_second.max(1)), nanos(budget.burst)));
        let hasher = FixedState::with_seed(hash_seed);
        Self { seats: Vec::new(), index: HashTable::new(), hasher, hand: 0, limit, recent: PLAIN, budget }
    }

    fn hash(hasher: &FixedState, vantage: &Vantage) -> u64 {
        let mut hasher = hasher.build_hasher();
        let (address, family) = match vantage.source {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 4),
            IpAddr::V6(v6) => (v6.to_bits(), 6),
        };
        hasher.write_u64(address as u64);
        hasher.write_u64((address >> 64) as u64);
        hasher.write_u64(u64::from(vantage.vni.get()) << 8 | family);
        hasher.finish()
    }

    /// The vantage's number. `None` when all places are taken by vantages with flows (or seem to be, after a short
    /// search).
    #[inline]
    pub(crate) fn id(&mut self, vantage: &Vantage) -> Option<VantageId> {
        // A seat that was given to another in between no longer has this vantage.
        if self.seat(self.recent).is_some_and(|seat| seat.vantage == *vantage) {
            return Some(self.recent);
        }
        let hash = Self::hash(&self.hasher, vantage);
        let is_it = |&id: &VantageId| self.seat(id).is_some_and(|seat| seat.vantage == *vantage);
        let id = self.index.find(hash, is_it).copied().or_else(|| self.add(hash, vantage))?;
        self.recent = id;
        Some(id)
    }

    #[inline]
    fn seat(&self, id: VantageId) -> Option<&Seat> {
        self.seats.get(usize::from(id).wrapping_sub(1))
    }

    #[inline]
    fn seat_mut(&mut self, id: VantageId) -> Option<&mut Seat> {
        self.seats.get_mut(usize::from(id).wrapping_sub(1))
    }

    #[cold]
    fn add(&mut self, hash: u64, vantage: &Vantage) -> Option<VantageId> {
        let seat = Seat { vantage: *vantage, flows: 0, earned: Timestamp::MIN };
        let place = if self.seats.len() < self.limit {
            self.seats.push(seat);
            self.seats.len() - 1
        } else {
            let count = self.seats.len();
            let candidates = (self.hand..self.hand + SWEEP.min(count)).map(|place| place % count.max(1));
            let free = candidates.clone().find(|&place| self.seats[place].flows == 0);
            self.hand = (free.map_or(self.hand + SWEEP, |place| place + 1)) % count.max(1);
            let place = free?;
            let old = Self::hash(&self.hasher, &self.seats[place].vantage);
            if let Ok(entry) = self.index.find_entry(old, |&id| usize::from(id) == place + 1) {
                entry.remove();
            }
            self.seats[place] = seat;
            place
        };
        let id = (place + 1) as VantageId;
        let Self { index, seats, hasher, .. } = self;
        index.insert_unique(hash, id, |&id| {
            seats.get(usize::from(id) - 1).map_or(0, |seat| Self::hash(hasher, &seat.vantage))
        });
        Some(id)
    }

    /// The vantage of this number; `None` for [`PLAIN`].
    pub(crate) fn get(&self, id: VantageId) -> Option<Vantage> {
        self.seat(id).map(|seat| seat.vantage)
    }

    /// A flow was begun (or another's was joined) from here.
    pub(crate) fn hold(&mut self, id: VantageId) {
        if let Some(seat) = self.seat_mut(id) {
            seat.flows = seat.flows.saturating_add(1);
        }
    }

    /// A flow from here has ended.
    pub(crate) fn release(&mut self, id: VantageId) {
        if let Some(seat) = self.seat_mut(id) {
            seat.flows = seat.flows.saturating_sub(1);
        }
    }

    /// Whether the vantage may send a packet at `at`, which is then taken off its budget.
    #[inline]
    pub(crate) fn allows(&mut self, id: VantageId, at: Timestamp) -> bool {
        let Some((cost, burst)) = self.budget else {
            return true;
        };
        let Some(seat) = self.seat_mut(id) else {
            return true;
        };
        let ahead = seat.earned.as_nanos().saturating_sub(at.as_nanos());
        // Further ahead than anything taken can make it: the clock was in the future for a while.
        let ahead = if ahead > burst.saturating_add(cost) { 0 } else { ahead };
        if ahead > burst {
            return false;
        }
        seat.earned = Timestamp::from_nanos(at.as_nanos().saturating_add(ahead.max(0)).saturating_add(cost));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vantage(vni: u32, last: u8) -> Vantage {
        Vantage { vni: Vni::new(vni).unwrap(), source: [10, 0, 0, last].into() }
    }

    #[test]
    fn numbers_are_kept_while_flows_need_them_and_given_again_after() {
        let mut vantages = Vantages::with_limit(None, 1, 3);
        let ids: Vec<_> = (0..3).map(|last| vantages.id(&vantage(7, last)).unwrap()).collect();
        assert_eq!(ids, [1, 2, 3]);
        assert_eq!(vantages.id(&vantage(7, 1)), Some(2));
        ids.iter().for_each(|&id| vantages.hold(id));
        assert_eq!(vantages.id(&vantage(8, 0)), None);
        vantages.release(2);
        assert_eq!(vantages.id(&vantage(8, 0)), Some(2));
        assert_eq!((vantages.get(2), vantages.get(PLAIN)), (Some(vantage(8, 0)), None));
        // The one that had to go comes back as a new one, when there is room.
        vantages.hold(2);
        assert_eq!(vantages.id(&vantage(7, 1)), None);
    }

    #[test]
    fn a_budget_gives_a_burst_then_its_rate_and_no_vantage_pays_for_another() {
        let budget = VantageBudget { packets_per_second: 1_000, burst: Duration::from_millis(10) };
        let mut vantages = Vantages::new(Some(budget), 0);
        let (a, b) = (vantages.id(&vantage(1, 1)).unwrap(), vantages.id(&vantage(1, 2)).unwrap());
        let start = Timestamp::from_parts(1_700_000_000, 0);
        let at = |micros: u64| start.after(Duration::from_micros(micros));
        // A thousand at once: what a burst of 10 ms holds, and the one that is due.
        assert_eq!((0..1_000).filter(|_| vantages.allows(a, at(0))).count(), 11);
        assert!(vantages.allows(b, at(0)));
        // Then one a millisecond, however many are sent.
        assert_eq!((1..=10_000).filter(|&micros| vantages.allows(a, at(micros * 10))).count(), 100);
        // Silence earns a burst and no more.
        assert_eq!((0..1_000).filter(|_| vantages.allows(a, at(60_000_000))).count(), 11);
        // A clock that was a year ahead does not silence the vantage for a year.
        assert!(vantages.allows(b, at(31_536_000_000_000)));
        assert!(vantages.allows(b, at(1)));
    }
}
