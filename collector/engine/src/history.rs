//! The `history` of a flow: what each side did, one letter an event, as Zeek writes it.
//!
//! Upper case is the originator. The letters live inside the flow, so their number is bounded; a history that
//! is full stays as it is.

/// Letters kept. Ordinary connections need under ten and lossy long ones some twenty (`T`, `G`, `W` repeat at
/// powers of ten); only floods of resets with changing numbers would go on.
const CAPACITY: usize = 27;

/// A short string of history letters.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct History {
    letters: [u8; CAPACITY],
    len: u8,
}

impl History {
    /// The letters as text; empty for flows without any (ICMP, protocols without states).
    pub fn as_str(&self) -> &str {
        let letters = self.letters.get(..usize::from(self.len)).unwrap_or_default();
        // Only ASCII letters and '^' are ever pushed.
        core::str::from_utf8(letters).unwrap_or_default()
    }

    pub(crate) fn push(&mut self, letter: u8) {
        if let Some(slot) = self.letters.get_mut(usize::from(self.len)) {
            *slot = letter;
            self.len += 1;
        }
    }

    pub(crate) fn replace(&mut self, letters: &str) {
        self.len = 0;
        letters.bytes().for_each(|letter| self.push(letter));
    }
}
