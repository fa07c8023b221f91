//! Connection identifiers in Zeek's shape: a `C` and up to 18 characters of base 62.
//!
//! Zeek draws 96 random bits. Here they are computed from the pipeline's seed and the flow's number, so that
//! the engine needs no randomness: the first 64 bits differ for any two flows of a pipeline, because the mixing
//! is a bijection; between pipelines all 96 are as good as random.

/// A connection identifier.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Uid(u128);

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Characters of 96 bits in base 62.
const MAX_DIGITS: usize = 17;

impl Uid {
    pub(crate) fn new(seed: u64, serial: u64) -> Self {
        let high = mix(mix(seed ^ 0x9e37_79b9_7f4a_7c15) ^ serial);
        let low = mix(high ^ mix(seed)) >> 32;
        Self(u128::from(high) << 32 | u128::from(low))
    }

    /// Appends the identifier as text.
    pub fn write(self, out: &mut Vec<u8>) {
        let mut digits = [0; MAX_DIGITS];
        let mut rest = self.0;
        let mut count = 0;
        for slot in &mut digits {
            *slot = ALPHABET[(rest % 62) as usize];
            rest /= 62;
            count += 1;
            if rest == 0 {
                break;
            }
        }
        out.push(b'C');
        out.extend(digits[..count].iter().rev());
    }
}

/// The finalizer of splitmix64: a bijection on 64 bits that spreads every bit over all.
const fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn flows_of_a_pipeline_and_pipelines_differ_and_text_is_zeeks_shape() {
        let mut texts = HashSet::new();
        for seed in [0, 1, u64::MAX] {
            for serial in 0..10_000 {
                let mut text = Vec::new();
                Uid::new(seed, serial).write(&mut text);
                assert!(text[0] == b'C' && text.len() <= 18 && text.iter().all(u8::is_ascii_alphanumeric));
                assert!(texts.insert(text));
            }
        }
    }

    #[test]
    fn the_largest_value_fits_its_digits() {
        let mut text = Vec::new();
        Uid((1 << 96) - 1).write(&mut text);
        let value = text[1..].iter().fold(0_u128, |sum, byte| {
            sum * 62 + ALPHABET.iter().position(|letter| letter == byte).unwrap() as u128
        });
        assert_eq!(value, (1 << 96) - 1);
    }
}
