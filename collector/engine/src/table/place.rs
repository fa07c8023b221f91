//! What a place of the table holds: a flow with its links, or something that a flow has beside.

use crate::{
    extra::Extra,
    flow::Flow,
    slab::{NONE, Recycled, Slab, Slot},
    tcp::Holes,
    wheel,
};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Links {
    pub(crate) previous: Slot,
    pub(crate) next: Slot,
}

pub(super) const UNLINKED: Links = Links { previous: NONE, next: NONE };

/// A flow and its places in the lists.
pub(crate) struct Entry {
    pub(super) flow: Flow,
    pub(super) idle: Links,
    pub(super) timer: Links,
    /// The tick it is listed under.
    pub(super) tick: wheel::Listed,
    /// When it last moved up the idleness list, in units of [`super::RELINK_BITS`], modulo 2^16: one that is met again
    /// after a multiple of two and a half hours moves up with its next packet instead.
    pub(super) relinked: u16,
    /// Keeps the byte behind all others free for what else a place may be.
    pub(super) _is: Is,
}

#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum Is {
    Flow,
}

/// What a place holds, in 144 bytes.
// One size is the point: what a flow has beside is paid for with the place of another.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Place {
    Flow(Entry),
    Extra(Extra),
    Holes([Holes; 2]),
    /// Nothing; the next such place.
    Free(Slot),
}

impl Recycled for Place {
    fn free(next: Slot) -> Self {
        Self::Free(next)
    }

    fn next_free(&self) -> Slot {
        if let Self::Free(next) = self { *next } else { NONE }
    }
}

#[inline]
pub(super) fn entry(places: &Slab<Place>, slot: Slot) -> Option<&Entry> {
    if let Some(Place::Flow(entry)) = places.get(slot) { Some(entry) } else { None }
}

#[inline]
pub(super) fn entry_mut(places: &mut Slab<Place>, slot: Slot) -> Option<&mut Entry> {
    if let Some(Place::Flow(entry)) = places.get_mut(slot) { Some(entry) } else { None }
}
