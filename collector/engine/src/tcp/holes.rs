//! Which bytes beyond a hole have arrived: a few ranges, in order and disjoint.
//!
//! Kept only while something is missing, as low halves of positions: whoever asks says near which position they are.
//! When more ranges are open than fit, the two nearest each other become one: some missing bytes then count as seen,
//! never the other way round.

use super::endpoint::near;

/// Ranges kept a direction. Reordering opens one or two; a dozen at once is heavy loss, of which only the total
/// is of interest.
const CAPACITY: usize = 8;

/// Positions received beyond the contiguous part, in 68 bytes. All are within 2^31 of any `near` that is given.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holes {
    ranges: [(u32, u32); CAPACITY],
    len: u8,
}

/// The holes of both directions, while there are some.
pub(crate) type Beyond = Option<[Holes; 2]>;

impl Holes {
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn ranges(&self, position: i64) -> impl DoubleEndedIterator<Item = (i64, i64)> {
        let whole = move |&(start, end): &(u32, u32)| (near(position, start), near(position, end));
        self.ranges.get(..usize::from(self.len)).unwrap_or_default().iter().map(whole)
    }

    /// One past the last byte received, if any.
    pub(crate) fn end(&self, near: i64) -> Option<i64> {
        self.ranges(near).next_back().map(|range| range.1)
    }

    /// Adds `[start, end)`.
    pub(crate) fn insert(&mut self, start: i64, end: i64) {
        let mut new = (start, end);
        let mut all = [(0, 0); CAPACITY + 1];
        let mut count = 0;
        let mut placed = false;
        for range in self.ranges(start) {
            if range.1 < new.0 {
                all[count] = range;
                count += 1;
            } else if range.0 > new.1 {
                if !placed {
                    all[count] = new;
                    count += 1;
                    placed = true;
                }
                all[count] = range;
                count += 1;
            } else {
                new = (new.0.min(range.0), new.1.max(range.1));
            }
        }
        if !placed {
            all[count] = new;
            count += 1;
        }
        if count > CAPACITY {
            let nearest = (1..count).min_by_key(|&i| all[i].0 - all[i - 1].1).unwrap_or(1);
            all[nearest - 1].1 = all[nearest].1;
            all.copy_within(nearest + 1..count, nearest);
            count -= 1;
        }
        for (kept, range) in self.ranges.iter_mut().zip(all) {
            *kept = (range.0 as u32, range.1 as u32);
        }
        self.len = count as u8;
    }

    /// The first range, if it begins at or before `position`: takes it out and returns its end.
    pub(crate) fn take_touching(&mut self, position: i64) -> Option<i64> {
        let (start, end) = self.ranges(position).next()?;
        (start <= position).then(|| {
            self.ranges.copy_within(1.., 0);
            self.len -= 1;
            end
        })
    }

    /// Where the first range begins.
    pub(crate) fn first_start(&self, near: i64) -> Option<i64> {
        self.ranges(near).next().map(|range| range.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn of(ranges: &[(i64, i64)]) -> Holes {
        let mut holes = Holes::default();
        ranges.iter().for_each(|&(start, end)| holes.insert(start, end));
        holes
    }

    #[test]
    fn overlapping_and_touching_ranges_become_one() {
        let mut holes = of(&[(10, 20), (40, 50), (20, 30), (45, 60)]);
        assert_eq!(holes.end(0), Some(60));
        assert_eq!(holes.take_touching(5), None);
        assert_eq!(holes.take_touching(10), Some(30));
        assert_eq!(holes.take_touching(41), Some(60));
        assert!(holes.is_empty());
    }

    #[test]
    fn when_full_the_nearest_two_merge_and_none_is_lost() {
        let mut holes = of(&[(0, 1), (10, 11), (20, 21), (30, 31), (40, 41), (50, 51), (60, 61), (70, 71)]);
        holes.insert(13, 14);
        let mut ends = Vec::new();
        while let Some(start) = holes.first_start(0) {
            ends.push((start, holes.take_touching(start).unwrap()));
        }
        assert_eq!(ends.len(), 8);
        assert_eq!(ends[1], (10, 14));
        assert_eq!(ends[7], (70, 71));
    }

    proptest! {
        /// Against a set of single positions: the same as long as no range had to be merged, never less.
        #[test]
        fn ranges_hold_what_was_put_in(
            inserts in prop::collection::vec((0_i64..60, 1_i64..8), 1..24),
            // Anywhere, and where the low half wraps.
            base in prop_oneof![Just(0_i64), Just(i64::from(u32::MAX) - 30), 0..1_i64 << 40],
        ) {
            let mut holes = Holes::default();
            let mut model = BTreeSet::new();
            let mut was_full = false;
            for &(start, len) in &inserts {
                let start = base + start;
                holes.insert(start, start + len);
                model.extend(start..start + len);
                let runs = model.iter().filter(|at| !model.contains(&(**at - 1))).count();
                was_full |= runs > CAPACITY;
                let held: BTreeSet<i64> =
                    holes.ranges(base).flat_map(|(start, end)| start..end).collect();
                prop_assert!(held.is_superset(&model));
                prop_assert!(was_full || held == model);
                let ranges: Vec<_> = holes.ranges(base).collect();
                prop_assert!(ranges.windows(2).all(|pair| pair[0].1 < pair[1].0));
            }
        }
    }
}
