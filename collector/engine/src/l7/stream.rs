//! One direction of a TCP connection put in order: the bytes that nobody has consumed yet.
//!
//! Holds at most [`BUDGET`](super::BUDGET) bytes ready and as many that arrived too early; what a parser is
//! going to ignore is skipped without being held. A byte that cannot come any more, or too much of them, ends it.

use super::BUDGET;

/// Segments held that arrived before their turn. A window's worth of one lost packet, at usual sizes, is less.
const MAX_HELD: usize = 16;

/// Content is missing for good, or there is more of it than the budget.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lost;

#[derive(Clone, Debug)]
struct Held {
    sequence: u32,
    data: Box<[u8]>,
    wire_len: u32,
}

/// One direction.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    /// The next sequence number, once there was content.
    next: Option<u32>,
    ready: Vec<u8>,
    held: Vec<Held>,
    held_bytes: usize,
    /// Bytes to come that nobody wants.
    skip: u64,
}

impl Stream {
    /// In order and not consumed.
    pub(crate) fn ready(&self) -> &[u8] {
        &self.ready
    }

    pub(crate) fn bytes(&self) -> usize {
        self.ready.capacity() + self.held_bytes + self.held.capacity() * size_of::<Held>()
    }

    /// Forgets the first `count` bytes, those that have not come yet too.
    pub(crate) fn consume(&mut self, count: u64) {
        let here = (self.ready.len() as u64).min(count);
        self.ready.drain(..here as usize);
        self.skip += count - here;
    }

    /// Takes a segment: `first` is the number of the direction's first byte, `sequence` that of the segment's,
    /// which had `wire_len` bytes. Says whether more is [`ready`](Self::ready) than before.
    pub(crate) fn take(
        &mut self,
        first: u32,
        sequence: u32,
        data: &[u8],
        wire_len: u32,
    ) -> Result<bool, Lost> {
        let next = *self.next.get_or_insert(first);
        let ahead = sequence.wrapping_sub(next) as i32;
        if ahead > 0 {
            let bytes = self.held_bytes + data.len();
            if self.held.len() == MAX_HELD || bytes > BUDGET {
                return Err(Lost);
            }
            self.held_bytes = bytes;
            self.held.push(Held { sequence, data: data.into(), wire_len });
            return Ok(false);
        }
        let before = self.ready.len();
        self.append(sequence, data, wire_len)?;
        while !self.held.is_empty() {
            let next = self.next.unwrap_or(first);
            let in_turn = |held: &Held| held.sequence.wrapping_sub(next) as i32 <= 0;
            let Some(index) = self.held.iter().position(in_turn) else { break };
            let held = self.held.swap_remove(index);
            self.held_bytes -= held.data.len();
            self.append(held.sequence, &held.data, held.wire_len)?;
        }
        Ok(self.ready.len() > before)
    }

    /// Adds a segment that begins at or before the next number.
    fn append(&mut self, sequence: u32, data: &[u8], wire_len: u32) -> Result<(), Lost> {
        let next = self.next.unwrap_or(sequence);
        let known = next.wrapping_sub(sequence);
        if known >= wire_len {
            return Ok(());
        }
        self.next = Some(sequence.wrapping_add(wire_len));
        let new = data.get(known as usize..).unwrap_or(&[]);
        let skipped = self.skip.min(new.len() as u64);
        self.skip -= skipped;
        self.ready.extend_from_slice(&new[skipped as usize..]);
        // What the capture cut off never comes; it does not matter where nobody looks.
        let cut = u64::from(wire_len - known) - new.len() as u64;
        if cut > self.skip || self.ready.len() > BUDGET {
            return Err(Lost);
        }
        self.skip -= cut;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
