//! The `history` of a flow: what each side did, one letter an event, as Zeek writes it.
//!
//! Upper case is the originator. A flow holds its letters packed in eight bytes, which is enough for ordinary
//! connections; those of eventful ones are spilled into a [`History`] beside the table. That is bounded too: a
//! history that is full stays as it is.

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

    fn push(&mut self, letter: u8) {
        if let Some(slot) = self.letters.get_mut(usize::from(self.len)) {
            *slot = letter;
            self.len += 1;
        }
    }

    /// Adds packed letters at the end.
    pub(crate) fn append(&mut self, letters: Letters) {
        letters.iter().for_each(|letter| self.push(letter));
    }
}

/// Letters that may occur. A letter's code is its position and one: zero is the end. Both cases and the turn
/// (`^`) are under 32, so that twelve letters fit into 60 bits.
const ALPHABET: &[u8; 23] = b"SHADFRIQTWGshadfriqtwg^";

const fn code_of(letter: u8) -> u64 {
    let mut code = 0;
    while code < ALPHABET.len() {
        if ALPHABET[code] == letter {
            return code as u64 + 1;
        }
        code += 1;
    }
    0
}

/// Codes of all bytes, made at compile time.
const CODES: [u8; 128] = {
    let mut codes = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        codes[byte] = code_of(byte as u8) as u8;
        byte += 1;
    }
    codes
};

const BITS: u32 = 5;

/// Letters that fit.
const PACKED: u32 = 12;

/// Letters after which a flow should spill: one segment writes three at most but for bursts of gaps.
const SPILL_AT: u32 = 9;

/// Up to twelve letters in eight bytes, the first in the lowest bits.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Letters(u64);

impl Letters {
    pub(crate) fn push(&mut self, letter: u8) {
        let code = CODES.get(usize::from(letter)).copied().unwrap_or_default();
        let len = self.len();
        if len < PACKED {
            self.0 |= u64::from(code) << (len * BITS);
        }
    }

    const fn len(self) -> u32 {
        (u64::BITS - self.0.leading_zeros()).div_ceil(BITS)
    }

    /// Whether there is little room left.
    #[inline]
    pub(crate) const fn is_nearly_full(self) -> bool {
        self.0 >> ((SPILL_AT - 1) * BITS) != 0
    }

    /// Whether this is the single letter `letter`.
    pub(crate) fn is_only(self, letter: u8) -> bool {
        self.0 == code_of(letter)
    }

    pub(crate) fn replace(&mut self, letters: &[u8]) {
        self.0 = 0;
        letters.iter().for_each(|&letter| self.push(letter));
    }

    fn iter(self) -> impl Iterator<Item = u8> {
        (0..self.len()).map(move |index| {
            let code = (self.0 >> (index * BITS)) as usize & 31;
            ALPHABET[code.saturating_sub(1).min(ALPHABET.len() - 1)]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_letters_are_what_was_pushed_up_to_their_number() {
        let mut letters = Letters::default();
        for (index, letter) in ALPHABET[..12].iter().enumerate() {
            assert_eq!((letters.len(), letters.is_nearly_full()), (index as u32, index >= 9));
            letters.push(*letter);
        }
        letters.push(b'T');
        let mut history = History::default();
        history.append(letters);
        assert_eq!(history.as_str(), "SHADFRIQTWGs");
        letters.replace(b"^h");
        history.append(letters);
        assert_eq!(history.as_str(), "SHADFRIQTWGs^h");
        assert!(!letters.is_only(b'h'));
        letters.replace(b"H");
        assert!(letters.is_only(b'H'));
        (0..9).for_each(|_| history.append(letters));
        history.append({
            letters.replace(b"rfadthrfadth");
            letters
        });
        assert_eq!(history.as_str().len(), CAPACITY);
    }
}
