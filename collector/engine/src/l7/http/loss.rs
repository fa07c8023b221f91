//! Exchanges of which a part was not seen: what is still certain of them, and which response belongs to which request.
//!
//! In order they belong together by counting. Where messages may be missing they do by the numbers of TCP: a request
//! says how far its sender has read, and the answer to it begins there, unless others are still to come.

use super::{Exchange, Half, Http, MAX_WAITING, Place, TELLING, mime};
use crate::{key::Side, l7::Sink};

impl Http {
    /// A connection of which the beginning was not seen.
    pub(in crate::l7) fn from_the_middle() -> Self {
        Self { is_unsure: true, ..Self::default() }
    }

    /// Whether `side` sends requests, once that is known.
    pub(in crate::l7) fn is_client(&self, side: Side) -> Option<bool> {
        self.client.map(|client| client == side)
    }

    /// Of what `side` sent `missing` bytes behind those that are `ready` will not come. Gives back how many bytes belong
    /// to content, counted from the first that is ready, if the missing are all among them. Otherwise what was going on
    /// has ended, and the next message is to be found.
    pub(in crate::l7) fn lose(
        &mut self,
        side: Side,
        ready: &[u8],
        missing: u64,
        sink: &mut Sink<'_>,
    ) -> Option<u64> {
        let is_request = self.client == Some(side);
        match self.halves[side as usize].place {
            Place::Content { len } => {
                if let Some(body) = self.body(is_request) {
                    body.len += len;
                    mime::note(body, &ready[..ready.len().min(len.min(TELLING) as usize)]);
                }
                self.halves[side as usize].place = Place::Skipping;
                if ready.len() as u64 + missing <= len {
                    return Some(len);
                }
            }
            Place::Start => self.part(side, ready, sink),
            _ => {}
        }
        if self.halves[side as usize].place != Place::Start {
            self.end(side, is_request, sink);
        }
        self.halves[side as usize] = Half::default();
        self.is_unsure = true;
        None
    }

    /// Makes the exchange the next to be answered to which the response belongs that begins at `sink.position`: one without a
    /// request, if that is not certain.
    pub(super) fn find_asked(&mut self, sink: &mut Sink<'_>) {
        let next = self.waiting.iter().position(|exchange| !exchange.is_answered());
        let is_going_on = next.is_some_and(|next| self.waiting[next].awaits_final());
        if next.is_some() && (is_going_on || !self.is_unsure) {
            return;
        }
        let next = next.unwrap_or(self.waiting.len());
        let is_its = |index: &usize| self.waiting[*index].answer_at() == Some(sink.position);
        let mut asked = (next..self.waiting.len()).filter(is_its);
        if let (Some(index), None, false) = (asked.next(), asked.next(), self.has_pipelined) {
            // What was asked before it was answered before it.
            for unanswered in self.waiting.drain(..index) {
                unanswered.write(sink);
            }
            self.is_unsure = false;
            return;
        }
        // Its request was lost, or is late.
        self.is_unsure = true;
        self.depth += 1;
        self.waiting.insert(next, Exchange::new(sink.head(sink.at), self.depth));
    }

    /// Writes the oldest exchange that is not being answered, if there is no room for one more: the answer to it will not
    /// be told from others.
    pub(super) fn make_room(&mut self, sink: &mut Sink<'_>) {
        if self.waiting.len() < MAX_WAITING {
            return;
        }
        let is_answering = self.waiting[0].is_being_answered();
        let oldest = self.waiting.remove(usize::from(is_answering));
        oldest.write(sink);
        self.is_unsure = true;
    }
}
