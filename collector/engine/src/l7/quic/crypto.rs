//! The handshake bytes of one side, put in order.

use std::collections::BTreeMap;

/// Bytes that are held before their turn: hellos with several kilobytes of keys and names are known.
const MAX_HELD: usize = 16 << 10;

/// Pieces that are held; clients that cut their hellos on purpose make a dozen.
const MAX_PIECES: usize = 64;

/// One side's stream. What does not fit is forgotten, and the stream ends there.
#[derive(Clone, Debug, Default)]
pub(super) struct Crypto {
    next: u64,
    held: BTreeMap<u64, Box<[u8]>>,
    held_bytes: usize,
}

impl Crypto {
    pub(super) fn bytes(&self) -> usize {
        self.held_bytes + self.held.len() * 64
    }

    /// Takes a piece from a frame.
    pub(super) fn take(&mut self, offset: u64, data: &[u8]) {
        let end = offset.saturating_add(data.len() as u64);
        let is_known =
            end <= self.next || self.held.get(&offset).is_some_and(|held| held.len() >= data.len());
        if is_known || self.held.len() == MAX_PIECES || self.held_bytes + data.len() > MAX_HELD {
            return;
        }
        self.held_bytes += data.len();
        if let Some(shorter) = self.held.insert(offset, data.into()) {
            self.held_bytes -= shorter.len();
        }
    }

    /// The next bytes in order, if they are there.
    pub(super) fn next(&mut self) -> Option<Box<[u8]>> {
        while let Some(first) = self.held.first_entry().filter(|first| *first.key() <= self.next) {
            let (offset, data) = first.remove_entry();
            self.held_bytes -= data.len();
            let known = self.next - offset;
            if let Some(new) = data.get(known as usize..).filter(|new| !new.is_empty()) {
                self.next += new.len() as u64;
                return Some(new.into());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// However a text is cut, repeated and shuffled, it comes out once and in order.
        #[test]
        fn bytes_come_in_order(pieces in prop::collection::vec((0_usize..300, 1_usize..80), 1..60)) {
            let text: Vec<u8> = (0..=255).cycle().take(300).collect();
            let (mut crypto, mut out) = (Crypto::default(), Vec::new());
            for (start, len) in pieces {
                let data = &text[start..(start + len).min(text.len())];
                crypto.take(start as u64, data);
                while let Some(bytes) = crypto.next() {
                    out.extend_from_slice(&bytes);
                }
                prop_assert!(text.starts_with(&out));
                prop_assert!(crypto.held_bytes <= MAX_HELD);
            }
            prop_assert!(crypto.held.keys().all(|offset| *offset > out.len() as u64));
        }
    }

    #[test]
    fn what_is_too_much_is_forgotten() {
        let mut crypto = Crypto::default();
        for piece in 1..=100 {
            crypto.take(piece * 1000, &[7; 900]);
        }
        assert!(crypto.held.len() <= MAX_PIECES && crypto.held_bytes <= MAX_HELD);
        crypto.take(u64::MAX, &[7; 9]);
        assert!(crypto.next().is_none());
    }
}
