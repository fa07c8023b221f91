//! Places for values of one kind: in chunks that never move, given back and given out again.
//!
//! Memory grows a chunk at a time up to a fixed number of places and is then kept. Free places are linked through
//! themselves, so that a place costs nothing beside its value.

/// The number of a place.
pub(crate) type Slot = u32;

/// No place; end of a list.
pub(crate) const NONE: Slot = Slot::MAX;

/// Places allocated at a time: 4096 of some 140 bytes are half a mebibyte, small beside any budget and large
/// enough that growth is rare.
const CHUNK_BITS: u32 = 12;
const CHUNK: usize = 1 << CHUNK_BITS;

/// Places are numbered in 31 bits: the table keeps the last one for itself.
pub(crate) const MAX_PLACES: usize = (u32::MAX >> 1) as usize;

/// A value that can hold the link of the free list while nobody uses it.
pub(crate) trait Recycled {
    /// What stands in a place that nobody uses: the next such place.
    fn free(next: Slot) -> Self;
    /// The next free place, of one that is.
    fn next_free(&self) -> Slot;
}

pub(crate) struct Slab<T> {
    chunks: Vec<Vec<T>>,
    free: Slot,
    used: usize,
    limit: usize,
}

impl<T: Recycled> Slab<T> {
    /// For at most `limit` values at once.
    pub(crate) const fn new(limit: usize) -> Self {
        Self { chunks: Vec::new(), free: NONE, used: 0, limit }
    }

    /// Places in use.
    #[inline]
    pub(crate) const fn used(&self) -> usize {
        self.used
    }

    #[inline]
    pub(crate) fn get(&self, slot: Slot) -> Option<&T> {
        self.chunks.get((slot >> CHUNK_BITS) as usize)?.get(slot as usize & (CHUNK - 1))
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.chunks.get_mut((slot >> CHUNK_BITS) as usize)?.get_mut(slot as usize & (CHUNK - 1))
    }

    /// Puts `value` into a free place. Whoever keeps more than the limit pays with memory, not with a panic.
    pub(crate) fn insert(&mut self, value: T) -> Slot {
        self.used += 1;
        let slot = self.free;
        if let Some(place) = self.get_mut(slot) {
            let next = place.next_free();
            *place = value;
            self.free = next;
            return slot;
        }
        if self.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            let left = self.limit.saturating_sub(self.chunks.len() * CHUNK);
            self.chunks.push(Vec::with_capacity(left.clamp(1, CHUNK)));
        }
        let last = self.chunks.len() - 1;
        let chunk = &mut self.chunks[last];
        chunk.push(value);
        (last * CHUNK + chunk.len() - 1) as Slot
    }

    /// Takes the value out and gives its place back.
    pub(crate) fn take(&mut self, slot: Slot) -> Option<T> {
        let next = T::free(self.free);
        let value = core::mem::replace(self.get_mut(slot)?, next);
        self.free = slot;
        self.used -= 1;
        Some(value)
    }

    /// Places that were ever used; slots are below this number.
    pub(crate) fn places(&self) -> Slot {
        let full = self.chunks.len().saturating_sub(1) * CHUNK;
        (full + self.chunks.last().map_or(0, Vec::len)) as Slot
    }
}
