//! Where flows are found: their numbers by hash, in chunks of a cache line each.
//!
//! A chunk has twelve numbers, a byte of the hash of each, and a count of those that belong here but went on to the next
//! chunks because it was full. So a search reads one line nearly always, what is taken out leaves no mark, and the memory
//! never grows or moves: no call takes longer than others. The layout is that of F14
//! (<https://engineering.fb.com/2019/04/25/developer-tools/f14/>). It knows no keys: whoever searches says which it is.

use core::hint::black_box;

use crate::slab::Slot;

/// Words of a chunk, which are 64 bytes: eight tags; four tags and the count; two numbers in each of the rest.
const WORDS: usize = 8;

/// The smallest page there is has 4 KiB.
const WORDS_OF_A_PAGE: usize = 512;

/// Numbers that a chunk has room for.
const ROOM: u32 = 12;

/// Numbers a chunk on the average when the index is full: three quarters. Then one of thirty is not in its own chunk.
const LOAD: usize = 9;

/// The lowest bit of each byte, and its highest.
const LOWEST: u64 = 0x0101_0101_0101_0101;
const HIGHEST: u64 = 0x8080_8080_8080_8080;

/// One that went on, in the second word.
const ONE_BEYOND: u64 = 1 << 32;

/// Numbers by hash.
pub(crate) struct Index {
    words: Vec<u64>,
    /// Words before the first whole cache line.
    skip: usize,
    chunks: usize,
}

impl Index {
    /// For `entries` numbers.
    pub(crate) fn new(entries: usize) -> Self {
        let chunks = chunks_for(entries);
        let mut words = vec![0; (chunks + 1) * WORDS];
        // The system gives zeros a page at a time when they are first written to. Hashes reach all pages soon; now they come
        // in order, and no packet waits for them.
        words.iter_mut().step_by(WORDS_OF_A_PAGE).for_each(|word| *word = black_box(0));
        // Allocations of that size begin at multiples of 16 bytes.
        let skip = words.as_ptr().align_offset(64).min(WORDS);
        Self { words, skip, chunks }
    }

    /// What [`Self::new`] allocates for so many numbers.
    #[cfg(test)]
    pub(crate) const fn bytes(entries: usize) -> usize {
        (chunks_for(entries) + 1) * WORDS * size_of::<u64>()
    }

    /// The chunk that a hash belongs to, and the tag of its number: never 0, which is no number.
    #[inline]
    fn home(&self, hash: u64) -> (usize, u64) {
        let chunk = (u128::from(hash) * self.chunks as u128) >> 64;
        (chunk as usize, (hash & 0xff).max(1))
    }

    const fn behind(&self, chunk: usize) -> usize {
        if chunk + 1 == self.chunks { 0 } else { chunk + 1 }
    }

    #[inline]
    fn chunk(&self, chunk: usize) -> Option<&[u64; WORDS]> {
        self.words.get(self.skip + chunk * WORDS..)?.first_chunk()
    }

    #[inline]
    fn chunk_mut(&mut self, chunk: usize) -> Option<&mut [u64; WORDS]> {
        self.words.get_mut(self.skip + chunk * WORDS..)?.first_chunk_mut()
    }

    /// The number under `hash` of which `is_it` holds.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is_it: impl Fn(Slot) -> bool) -> Option<Slot> {
        let (mut at, tag) = self.home(hash);
        for _ in 0..self.chunks {
            let chunk = self.chunk(at)?;
            if let Some(place) = places(chunk, tag).find(|place| is_it(number(chunk, *place))) {
                return Some(number(chunk, place));
            }
            if chunk[1] < ONE_BEYOND {
                break;
            }
            at = self.behind(at);
        }
        None
    }

    /// Adds a number that is not there; `false` if there is no room in any chunk, which takes a third more than it was
    /// made for.
    pub(crate) fn insert(&mut self, hash: u64, slot: Slot) -> bool {
        let ((mut at, tag), chunks) = (self.home(hash), self.chunks);
        for passed in 0..chunks {
            let Some(chunk) = self.chunk_mut(at) else { break };
            if let Some(place) = places(chunk, 0).next() {
                chunk[(place / 8) as usize] |= tag << (place % 8 * 8);
                let (word, shift) = position(place);
                chunk[word] = chunk[word] & !(u64::from(Slot::MAX) << shift) | u64::from(slot) << shift;
                return true;
            }
            if passed + 1 == chunks {
                self.go_back(hash, passed);
                return false;
            }
            chunk[1] += ONE_BEYOND;
            at = self.behind(at);
        }
        false
    }

    /// Takes out a number; `false` if it is not there.
    pub(crate) fn remove(&mut self, hash: u64, slot: Slot) -> bool {
        let (mut at, tag) = self.home(hash);
        for passed in 0..self.chunks {
            let Some(chunk) = self.chunk_mut(at) else { break };
            if let Some(place) = places(chunk, tag).find(|place| number(chunk, *place) == slot) {
                chunk[(place / 8) as usize] &= !(0xff << (place % 8 * 8));
                self.go_back(hash, passed);
                return true;
            }
            if chunk[1] < ONE_BEYOND {
                break;
            }
            at = self.behind(at);
        }
        false
    }

    /// Nobody of this hash went on past its first `passed` chunks any more: one less in each of them.
    fn go_back(&mut self, hash: u64, passed: usize) {
        let (mut at, _) = self.home(hash);
        for _ in 0..passed {
            if let Some(chunk) = self.chunk_mut(at) {
                chunk[1] -= ONE_BEYOND;
            }
            at = self.behind(at);
        }
    }
}

const fn chunks_for(entries: usize) -> usize {
    let chunks = entries.div_ceil(LOAD);
    if chunks == 0 { 1 } else { chunks }
}

/// The places of a chunk whose tag is `tag`.
#[inline]
fn places(chunk: &[u64; WORDS], tag: u64) -> impl Iterator<Item = u32> + use<> {
    // The highest bit of each byte that is equal, and no other.
    let equal = |word: u64| {
        let different = word ^ tag.wrapping_mul(LOWEST);
        !(((different & !HIGHEST) + !HIGHEST) | different) & HIGHEST
    };
    let (first, second) = (equal(chunk[0]), equal(chunk[1]) & u64::from(u32::MAX));
    let mut left = u128::from(second) << 64 | u128::from(first);
    core::iter::from_fn(move || {
        let place = left.trailing_zeros() / 8;
        left &= left.wrapping_sub(1);
        (place < ROOM).then_some(place)
    })
}

/// The word that a number is in, and by how much it is shifted.
const fn position(place: u32) -> (usize, u32) {
    ((2 + place / 2) as usize & (WORDS - 1), place % 2 * 32)
}

#[inline]
const fn number(chunk: &[u64; WORDS], place: u32) -> Slot {
    let (word, shift) = position(place);
    (chunk[word] >> shift) as Slot
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn chunks_are_lines_of_the_cache() {
        for entries in [0, 1, 9, 10, 1_000_000] {
            let index = Index::new(entries);
            assert_eq!((&raw const index.words[index.skip]).addr() % 64, 0);
            assert_eq!(Index::bytes(entries), size_of_val(&*index.words));
            assert!(index.chunks * LOAD >= entries);
        }
    }

    /// Up to the last place of all: then one more is refused and nothing is lost.
    #[test]
    fn it_is_full_when_every_place_is_taken() {
        let mut index = Index::new(27);
        for slot in 0..36 {
            assert!(index.insert(7, slot), "{slot}");
        }
        let before = index.words.clone();
        assert!(!index.insert(7, 99));
        assert_eq!(index.words, before);
        assert!((0..36).all(|slot| index.find(7, |found| found == slot) == Some(slot)));
        assert!((0..36).all(|slot| index.remove(7, slot) && !index.remove(7, slot)));
        let tags_and_counts = index.words[index.skip..].chunks_exact(WORDS).all(|chunk| chunk[..2] == [0, 0]);
        assert!(tags_and_counts, "what was taken out left something behind");
    }

    /// Few hashes, so that chunks run over into the next ones, over the end and to the first.
    fn hash(kind: u64) -> u64 {
        kind.wrapping_mul(0x2aaa_aaaa_aaaa_aaaa) ^ (kind * 3)
    }

    proptest! {
        #[test]
        fn it_finds_what_a_map_finds(
            steps in prop::collection::vec((any::<bool>(), 0_u64..6, 0_u32..60), 1..600),
        ) {
            let (mut index, mut model) = (Index::new(45), HashMap::new());
            for (is_new, kind, slot) in steps {
                let hash = hash(kind);
                // A number is there once, under one hash.
                if is_new && model.len() < 45 && !model.contains_key(&slot) {
                    prop_assert!(index.insert(hash, slot));
                    model.insert(slot, hash);
                } else if !is_new {
                    let was_there = model.get(&slot) == Some(&hash);
                    prop_assert_eq!(index.remove(hash, slot), was_there);
                    if was_there {
                        model.remove(&slot);
                    }
                }
                for slot in 0..60 {
                    let finds = |hash: &u64| index.find(*hash, |found| found == slot).is_some();
                    let found: Vec<u64> = (0..6).map(self::hash).filter(finds).collect();
                    prop_assert_eq!(found, Vec::from_iter(model.get(&slot).copied()));
                }
            }
        }
    }
}
