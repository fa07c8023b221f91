//! One direction of a TCP connection put in order: the bytes that nobody has consumed yet.
//!
//! What arrives in turn is handed on from the packet itself and only what a parser leaves is kept: at most
//! [`BUDGET`](super::BUDGET) bytes, and as many that arrived too early. What a parser is going to ignore is skipped,
//! whether it arrives or not. A wanted byte that cannot come any more, or too much of them, ends it.

use super::BUDGET;

/// Segments held that arrived before their turn. A window's worth of one lost packet, at usual sizes, is less.
const MAX_HELD: usize = 16;

/// A buffer that is empty keeps no more than this: connections rest between messages, and their memory is wanted.
const KEPT: usize = 512;

/// Content is missing for good, or there is more of it than the budget.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Lost;

/// What a segment brought.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Taken<'a> {
    /// Nothing that could be looked at now.
    Nothing,
    /// These bytes of the segment, with nothing before them: answer with [`Stream::leave`]. None at all, when all that
    /// was to be skipped has gone by.
    Direct(&'a [u8]),
    /// More is [`Stream::ready`] than before: answer with [`Stream::consume`].
    Ready,
}

/// What one packet brought.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    /// Number of its first byte.
    pub(crate) sequence: u32,
    /// Number of the first byte of the other direction that its sender had not read, if it said so.
    pub(crate) read_up_to: Option<u32>,
    pub(crate) data: &'a [u8],
    /// Bytes it had before something was cut off.
    pub(crate) wire_len: u32,
}

/// A segment that arrived before its turn.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    sequence: u32,
    read_up_to: Option<u32>,
    data: Box<[u8]>,
    wire_len: u32,
}

impl Held {
    pub(crate) fn segment(&self) -> Segment<'_> {
        let Self { sequence, read_up_to, wire_len, .. } = *self;
        Segment { sequence, read_up_to, data: &self.data, wire_len }
    }
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
    /// Bytes behind those that are ready which the capture cut off.
    cut: u64,
    /// What was taken last came in several segments.
    is_joined: bool,
}

impl Stream {
    /// In order and not consumed.
    pub(crate) fn ready(&self) -> &[u8] {
        &self.ready
    }

    pub(crate) fn bytes(&self) -> usize {
        self.ready.capacity() + self.held_bytes + self.held.capacity() * size_of::<Held>()
    }

    /// Bytes still to come of those that were consumed ahead.
    pub(crate) fn skipped_ahead(&self) -> u64 {
        self.skip
    }

    /// Whether something was cut off behind what has just been taken.
    pub(crate) fn is_cut(&self) -> bool {
        self.cut > 0
    }

    /// Whether what has just been taken came in several segments, whose borders are not known any more.
    pub(crate) fn is_joined(&self) -> bool {
        self.is_joined
    }

    /// Whether segments wait for others before them.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.held.is_empty()
    }

    /// The next sequence number, once there was content.
    pub(crate) fn next(&self) -> Option<u32> {
        self.next
    }

    /// Number of the first of the last `shown` bytes that were taken.
    pub(crate) fn position(&self, shown: usize) -> u32 {
        let missing = (self.cut as u32).wrapping_add(shown as u32);
        self.next.unwrap_or_default().wrapping_sub(missing)
    }

    /// Bytes that the capture cut off behind what is ready, beyond those that are skipped.
    pub(crate) fn missing(&self) -> u64 {
        self.cut.saturating_sub(self.skip)
    }

    /// Bytes that are missing before `sequence`, beyond those that are skipped.
    pub(crate) fn missing_before(&self, sequence: u32) -> u64 {
        let ahead = sequence.wrapping_sub(self.next.unwrap_or(sequence)) as i32;
        u64::from(ahead.max(0) as u32).saturating_sub(self.skip)
    }

    /// Number of the first byte that is held because others before it have not come.
    pub(crate) fn first_held(&self) -> Option<u32> {
        let next = self.next?;
        self.held.iter().map(|held| held.sequence).min_by_key(|sequence| sequence.wrapping_sub(next) as i32)
    }

    /// Gives back what is held, in its order.
    pub(crate) fn take_held(&mut self) -> Vec<Held> {
        let next = self.next.unwrap_or_default();
        self.held.sort_by_key(|held| held.sequence.wrapping_sub(next) as i32);
        self.held_bytes = 0;
        core::mem::take(&mut self.held)
    }

    /// Forgets what was going on, and goes on at `sequence` or behind what has come.
    pub(crate) fn go_on(&mut self, sequence: Option<u32>) {
        self.ready = Vec::new();
        (self.skip, self.cut) = (0, 0);
        if sequence.is_some() {
            self.next = sequence;
        }
    }

    /// Takes a segment: `first` is the number of the direction's first byte.
    pub(crate) fn take<'a>(&mut self, first: u32, segment: Segment<'a>) -> Result<Taken<'a>, Lost> {
        let Segment { sequence, data, wire_len, .. } = segment;
        let next = *self.next.get_or_insert(first);
        let ahead = sequence.wrapping_sub(next) as i32;
        let mut was_skipping = self.skip > 0;
        if ahead > 0 {
            if ahead as u64 > self.skip {
                return self.hold(segment);
            }
            // What is missing would have been ignored.
            was_skipping = true;
            self.skip -= ahead as u64;
            self.next = Some(sequence);
        }
        let new = self.advance(sequence, data, wire_len);
        let has_skipped = was_skipping && self.skip == 0;
        self.is_joined = false;
        if self.ready.is_empty() && self.held.is_empty() {
            let is_news = !new.is_empty() || self.cut > 0 || has_skipped;
            return Ok(if is_news { Taken::Direct(new) } else { Taken::Nothing });
        }
        let before = self.ready.len();
        self.ready.extend_from_slice(new);
        while self.cut == 0 && !self.held.is_empty() {
            let next = self.next.unwrap_or(first);
            let in_turn = |held: &Held| held.sequence.wrapping_sub(next) as i32 <= 0;
            let Some(index) = self.held.iter().position(in_turn) else { break };
            let held = self.held.swap_remove(index);
            self.held_bytes -= held.data.len();
            let new = self.advance(held.sequence, &held.data, held.wire_len);
            self.is_joined |= !new.is_empty();
            self.ready.extend_from_slice(new);
        }
        if self.ready.len() > before || self.cut > 0 || has_skipped {
            Ok(Taken::Ready)
        } else {
            Ok(Taken::Nothing)
        }
    }

    fn hold<'a>(&mut self, segment: Segment<'a>) -> Result<Taken<'a>, Lost> {
        let Segment { sequence, read_up_to, data, wire_len } = segment;
        let bytes = self.held_bytes + data.len();
        if self.held.len() == MAX_HELD || bytes > BUDGET {
            return Err(Lost);
        }
        self.held_bytes = bytes;
        self.held.push(Held { sequence, read_up_to, data: data.into(), wire_len });
        Ok(Taken::Nothing)
    }

    /// Moves on behind a segment that begins at or before the next number; returns what is new and wanted of it.
    fn advance<'a>(&mut self, sequence: u32, data: &'a [u8], wire_len: u32) -> &'a [u8] {
        let next = self.next.unwrap_or(sequence);
        let known = next.wrapping_sub(sequence);
        if known >= wire_len {
            return &[];
        }
        self.next = Some(sequence.wrapping_add(wire_len));
        let new = data.get(known as usize..).unwrap_or(&[]);
        let new = &new[..new.len().min((wire_len - known) as usize)];
        let missing = u64::from(wire_len - known) - new.len() as u64;
        let skipped = self.skip.min(new.len() as u64);
        self.skip -= skipped;
        let new = &new[skipped as usize..];
        // Cut off, and not to be skipped as it stands; whoever looks at what is before it may still want to.
        let ignored = if new.is_empty() { self.skip.min(missing) } else { 0 };
        self.skip -= ignored;
        self.cut += missing - ignored;
        new
    }

    /// Answers [`Taken::Direct`]: `count` bytes were consumed of `new`, or more that are still to come.
    pub(crate) fn leave(&mut self, new: &[u8], count: u64) -> Result<(), Lost> {
        let here = (new.len() as u64).min(count);
        self.ready.extend_from_slice(&new[here as usize..]);
        self.skip = self.skip.saturating_add(count - here);
        self.settle()
    }

    /// Forgets the first `count` bytes that are ready, those that have not come yet too.
    pub(crate) fn consume(&mut self, count: u64) -> Result<(), Lost> {
        let here = (self.ready.len() as u64).min(count);
        self.ready.drain(..here as usize);
        self.skip = self.skip.saturating_add(count - here);
        if self.ready.is_empty() && self.ready.capacity() > KEPT {
            self.ready = Vec::new();
        }
        self.settle()
    }

    /// Whether one can go on: what is missing must be behind what is skipped, and the rest within the budget.
    fn settle(&mut self) -> Result<(), Lost> {
        if self.ready.len() > BUDGET || self.cut > self.skip {
            return Err(Lost);
        }
        self.skip -= self.cut;
        self.cut = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
