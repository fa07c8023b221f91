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

/// What ten of them can hold; 64 bits can, and the rest of 96.
const TEN_DIGITS: u128 = 62_u128.pow(10);

impl Uid {
    pub(crate) fn new(seed: u64, serial: u64) -> Self {
        let high = mix(mix(seed ^ 0x9e37_79b9_7f4a_7c15) ^ serial);
        let low = mix(high ^ mix(seed)) >> 32;
        Self(u128::from(high) << 32 | u128::from(low))
    }

    /// Appends the identifier as text.
    pub fn write(self, out: &mut Vec<u8>) {
        // Ten digits and the rest: one division of 128 bits instead of seventeen.
        let (mut high, mut low) = ((self.0 / TEN_DIGITS) as u64, (self.0 % TEN_DIGITS) as u64);
        let mut digits = [0; MAX_DIGITS];
        let mut count = 0;
        for slot in &mut digits {
            if count == 10 {
                (low, high) = (high, 0);
            }
            *slot = ALPHABET[(low % 62) as usize];
            low /= 62;
            count += 1;
            if low == 0 && high == 0 {
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
    fn every_value_is_its_digits_without_zeros_before_them() {
        let around = |value: u128| [value - 1, value, value + 1];
        let values =
            [[0, 1, (1 << 96) - 1], around(62), around(TEN_DIGITS), around(TEN_DIGITS * 62), around(1 << 64)];
        for value in values.concat() {
            let mut text = Vec::new();
            Uid(value).write(&mut text);
            let read = text[1..].iter().fold(0_u128, |sum, byte| {
                sum * 62 + ALPHABET.iter().position(|letter| letter == byte).unwrap() as u128
            });
            assert_eq!(read, value);
            assert!(value == 0 || text[1] != b'0', "{value}");
        }
    }
}
