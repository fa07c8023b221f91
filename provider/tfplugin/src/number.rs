//! Terraform's numbers: whole numbers exact, fractions as doubles, everything else as decimal text.
//!
//! Terraform computes with 512-bit floats. On the wire a number is an integer, a double where that is
//! exact, or a decimal string; all three are kept without loss here.

use std::fmt;

/// A number without loss of what was sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// A whole number of 64 bits with sign.
    Int(i64),
    /// A whole number above `i64::MAX`.
    Big(u64),
    /// A finite fraction whose decimal text is the double exactly, such as 0.5, or a whole number too large for 64 bits.
    Float(f64),
    /// Decimal text of a number that none of the others holds exactly.
    Decimal(String),
}

impl Number {
    /// The number that a double is written as: `0.1` is a tenth, as in a configuration, not the double next to it.
    /// Whole ones become
    /// [`Number::Int`], so that `1.0` equals `1`. `None` for infinities and NaN, which Terraform has no wire form for.
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_finite() && value.fract() != 0.0 {
            return Self::parse(&value.to_string());
        }
        Self::from_exact(value)
    }

    /// The number that a double is to its last bit, which is what a double on the wire means. `None` as for [`Number::from_f64`].
    pub(crate) fn from_exact(value: f64) -> Option<Self> {
        // 2^63 as a double is exact; below it every whole double converts to i64 without loss.
        const BEYOND: f64 = 9_223_372_036_854_775_808.0;
        if !value.is_finite() {
            None
        } else if value.fract() != 0.0 {
            let digits = expansion(value);
            Some(if value.to_string() == digits { Self::Float(value) } else { Self::Decimal(digits) })
        } else if (-BEYOND..BEYOND).contains(&value) {
            Some(Self::Int(value as i64))
        } else if (BEYOND..BEYOND * 2.0).contains(&value) {
            Some(Self::Big(value as u64))
        } else {
            Some(Self::Float(value))
        }
    }

    /// The number that decimal text stands for; `None` if it is no number. A double only where it is that number
    /// exactly: Terraform compares 512 bits, and would see a change of `0.1` in every plan.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(whole) = text.parse::<i64>() {
            return Some(Self::Int(whole));
        }
        if let Ok(whole) = text.parse::<u64>() {
            return Some(Self::Big(whole));
        }
        let approximate: f64 = text.parse().ok()?;
        let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'+' | b'-' | b'.' | b'e' | b'E'));
        let is_exact = approximate.is_finite() && expansion(approximate) == without_zeros(text);
        let exact = is_exact.then(|| Self::from_exact(approximate)).flatten();
        plain.then(|| exact.unwrap_or_else(|| Self::Decimal(text.to_owned())))
    }

    /// The whole number, if it is one and fits.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The whole number, if it is one, is not negative and fits.
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(value) => u64::try_from(*value).ok(),
            Self::Big(value) => Some(*value),
            _ => None,
        }
    }

    /// The nearest double.
    pub fn as_f64(&self) -> f64 {
        match self {
            Self::Int(value) => *value as f64,
            Self::Big(value) => *value as f64,
            Self::Float(value) => *value,
            // Only text that parsed as a double becomes a decimal.
            Self::Decimal(text) => text.parse().unwrap_or(f64::NAN),
        }
    }
}

/// Every decimal digit of a finite double.
fn expansion(value: f64) -> String {
    // No double has more digits behind the point: the smallest is 2^-1074.
    without_zeros(&format!("{value:.1074}")).to_owned()
}

/// Without zeros that say nothing, at the end of a fraction.
fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Big(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Decimal(text) => f.write_str(text),
        }
    }
}

impl From<i64> for Number {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<u64> for Number {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Self::Big(value), Self::Int)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_numbers_have_one_form() {
        assert_eq!(Number::from_f64(3.0), Some(Number::Int(3)));
        assert_eq!(Number::from_f64(-0.5), Some(Number::Float(-0.5)));
        assert_eq!(Number::from(u64::MAX), Number::Big(u64::MAX));
        assert_eq!(Number::from_f64(f64::NAN), None);
        assert_eq!(Number::parse("18446744073709551615"), Some(Number::Big(u64::MAX)));
        assert_eq!(Number::parse("0.5"), Some(Number::Float(0.5)));
    }

    #[test]
    fn decimal_text_is_kept_when_a_double_would_lose_digits() {
        let long = "3.14159265358979323846264338327950288";
        assert_eq!(Number::parse(long), Some(Number::Decimal(long.into())));
        assert_eq!(Number::parse("0.1"), Some(Number::Decimal("0.1".into())));
        assert_eq!(Number::parse("0.50"), Some(Number::Float(0.5)));
        assert_eq!(Number::parse("-2.0"), Some(Number::Int(-2)));
        assert_eq!(Number::parse("1e-7"), Some(Number::Decimal("1e-7".into())));
        assert_eq!(Number::parse("1e999"), Some(Number::Decimal("1e999".into())));
        assert_eq!(Number::parse("inf"), None);
        assert_eq!(Number::parse("1x"), None);
        assert_eq!(Number::parse(""), None);
    }

    #[test]
    fn a_double_of_a_program_is_what_it_is_written_as_and_one_of_the_wire_what_its_bits_are() {
        assert_eq!(Number::from_f64(0.1), Number::parse("0.1"));
        assert_eq!(Number::from_f64(43.8).unwrap().as_f64(), 43.8);
        let digits = "0.1000000000000000055511151231257827021181583404541015625";
        assert_eq!(Number::from_exact(0.1), Some(Number::Decimal(digits.into())));
        assert_eq!(Number::from_exact(0.375), Some(Number::Float(0.375)));
        assert_eq!(Number::from_exact(f64::INFINITY), None);
    }
}
