//! Objects by id with what a stale reader still sees of them.
//!
//! AWS answers describe calls from replicas that lag behind (EC2 "Eventual consistency"). A change here leaves a
//! shadow: for a span of time, or for a number of describe calls, readers see what stood before the change.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How far readers lag. Both at zero (the default): every read is fresh.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Staleness {
    /// Milliseconds after a change during which describe calls do not see it.
    pub milliseconds: u64,
    /// Describe calls of the same kind of object that do not see a change, counted per changed object.
    pub reads: u32,
}

impl Staleness {
    fn is_fresh(self) -> bool {
        self.milliseconds == 0 && self.reads == 0
    }
}

/// When a call happens and how stale the world is then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) now: Timestamp,
    pub(crate) staleness: Staleness,
}

#[derive(Debug, Clone)]
struct Shadow<T> {
    before: Option<T>,
    at: Timestamp,
    reads_left: u32,
}

/// Objects of one kind in one account and Region.
#[derive(Debug, Clone)]
pub(crate) struct Table<T> {
    rows: BTreeMap<String, T>,
    shadows: BTreeMap<String, Shadow<T>>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), shadows: BTreeMap::new() }
    }
}

impl<T: Clone> Table<T> {
    /// The truth about one object.
    pub(crate) fn get(&self, id: &str) -> Option<&T> {
        self.rows.get(id)
    }

    /// The truth about all objects, in id order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &T)> {
        self.rows.iter()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.rows.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn put(&mut self, id: &str, row: T, moment: Moment) {
        let before = self.rows.insert(id.to_owned(), row);
        self.cast_shadow(id, before, moment);
    }

    pub(crate) fn remove(&mut self, id: &str, moment: Moment) -> Option<T> {
        let removed = self.rows.remove(id)?;
        self.cast_shadow(id, Some(removed.clone()), moment);
        Some(removed)
    }

    fn cast_shadow(&mut self, id: &str, before: Option<T>, moment: Moment) {
        if moment.staleness.is_fresh() {
            self.shadows.remove(id);
            return;
        }
        // A replica that has not caught up with the first of two changes has not seen the second either.
        let before = match self.shadows.remove(id) {
            Some(shadow) if shadow.is_cast(moment) => shadow.before,
            _ => before,
        };
        let shadow = Shadow { before, at: moment.now, reads_left: moment.staleness.reads };
        self.shadows.insert(id.to_owned(), shadow);
    }

    /// What a describe call sees of one object.
    pub(crate) fn seen(&self, id: &str, moment: Moment) -> Option<&T> {
        match self.shadows.get(id) {
            Some(shadow) if shadow.is_cast(moment) => shadow.before.as_ref(),
            _ => self.rows.get(id),
        }
    }

    /// What a call finds that names an object in order to use or change it: replicas lag for it as long as for
    /// describe calls, and how many calls it takes is no measure of that.
    pub(crate) fn named(&self, id: &str, moment: Moment) -> Option<&T> {
        let by_time = Moment { staleness: Staleness { reads: 0, ..moment.staleness }, ..moment };
        let is_new = self.shadows.get(id).is_some_and(|shadow| {
            shadow.before.is_none() && Shadow { reads_left: 0, ..shadow.clone() }.is_cast(by_time)
        });
        self.rows.get(id).filter(|_| !is_new)
    }

    /// What a describe call sees of all objects, in id order.
    pub(crate) fn all_seen(&self, moment: Moment) -> Vec<(&String, &T)> {
        if self.shadows.is_empty() {
            return self.rows.iter().collect();
        }
        let ids: std::collections::BTreeSet<&String> = self.rows.keys().chain(self.shadows.keys()).collect();
        ids.into_iter().filter_map(|id| self.seen(id, moment).map(|row| (id, row))).collect()
    }

    /// Counts one describe call against the shadows and lets go of those that have ended.
    pub(crate) fn settle(&mut self, moment: Moment) {
        self.shadows.retain(|_, shadow| {
            shadow.reads_left = shadow.reads_left.saturating_sub(1);
            shadow.is_cast(moment)
        });
    }
}

impl<T> Shadow<T> {
    fn is_cast(&self, moment: Moment) -> bool {
        let window = Duration::from_millis(moment.staleness.milliseconds);
        let age = Duration::try_from(moment.now.duration_since(self.at)).unwrap_or_default();
        self.reads_left > 0 || age < window
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, Staleness, Table};
    use jiff::{SignedDuration, Timestamp};

    fn at(milliseconds: i64, staleness: Staleness) -> Moment {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(milliseconds);
        Moment { now, staleness }
    }

    #[test]
    fn a_span_of_time_hides_changes() {
        let lag = Staleness { milliseconds: 100, reads: 0 };
        let mut table = Table::default();
        table.put("a", 1, at(0, lag));
        assert_eq!(table.seen("a", at(50, lag)), None);
        assert_eq!(table.get("a"), Some(&1));
        table.put("a", 2, at(60, lag));
        assert_eq!(table.seen("a", at(120, lag)), None);
        assert_eq!(table.seen("a", at(160, lag)), Some(&2));
        table.remove("a", at(200, lag));
        assert_eq!(table.all_seen(at(250, lag)).len(), 1);
        assert_eq!(table.all_seen(at(300, lag)).len(), 0);
    }

    #[test]
    fn a_number_of_reads_hides_changes() {
        let lag = Staleness { milliseconds: 0, reads: 2 };
        let mut table = Table::default();
        table.put("a", 1, at(0, lag));
        for _ in 0..2 {
            assert_eq!(table.seen("a", at(9, lag)), None);
            table.settle(at(9, lag));
        }
        assert_eq!(table.seen("a", at(9, lag)), Some(&1));
    }
}
