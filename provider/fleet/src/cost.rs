//! What sessions cost a month.
//!
//! AWS charges every session by the hour until it is deleted, stopped sources included. Traffic between zones, load balancers
//! and collectors are charged too, by volumes that nobody knows before, so they are no part of it; sessions that
//! cross zones are a finding ([`CrossesZones`](crate::finding::FindingKind::CrossesZones)). Money is counted in
//! millionths of a dollar, so that sums are exact.

use std::fmt;

/// Hours of an average month, as AWS's own price examples count.
pub const HOURS_PER_MONTH: u64 = 730;

/// Millionths of a dollar in a dollar.
const MICRO: u64 = 1_000_000;

/// US dollars in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(pub u64);

/// A session's hour where nobody says another price: USD 0.015, AWS's example for US East (Ohio) as read on 2026-09-20; other
/// Regions differ. <https://aws.amazon.com/vpc/pricing/> (Network Analysis)
pub const DEFAULT_HOURLY_PRICE: Usd = Usd(15_000);

/// What so many sessions cost a month; the largest amount there is where that is more.
#[must_use]
pub fn monthly(sessions: usize, hourly: Usd) -> Usd {
    let hours = u64::try_from(sessions).unwrap_or(u64::MAX).saturating_mul(HOURS_PER_MONTH);
    Usd(hours.saturating_mul(hourly.0))
}

impl Usd {
    /// In whole dollars, part of one counted as one.
    #[must_use]
    pub fn dollars(self) -> u64 {
        self.0.div_ceil(MICRO)
    }
}

impl fmt::Display for Usd {
    /// Dollars and cents, half a cent rounded up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.0.saturating_add(5_000) / 10_000;
        write!(f, "{}.{:02}", cents / 100, cents % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_730_hours_and_part_of_a_dollar_is_one() {
        // AWS's example: 0.015 an hour is 10.95 for a month of 730 hours.
        assert_eq!(monthly(1, DEFAULT_HOURLY_PRICE), Usd(10_950_000));
        assert_eq!(monthly(4, DEFAULT_HOURLY_PRICE).to_string(), "43.80");
        assert_eq!(
            (monthly(1, Usd(17_123)).to_string(), monthly(1, Usd(17_123)).dollars()),
            ("12.50".to_owned(), 13)
        );
        assert_eq!((monthly(0, DEFAULT_HOURLY_PRICE).dollars(), monthly(1_000, Usd(0)).dollars()), (0, 0));
        assert_eq!(monthly(usize::MAX, Usd(u64::MAX)), Usd(u64::MAX));
    }
}
