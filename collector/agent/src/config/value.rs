//! Values that keys share: sizes, durations, addresses, shares, choices. Each answers `None` for what it does not
//! take; the key says what would be right.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::raw::RawValue;

/// A whole number in `range`.
pub(crate) fn integer(value: &RawValue, range: RangeInclusive<i64>) -> Option<i64> {
    match value {
        RawValue::Integer(number) if range.contains(number) => Some(*number),
        _ => None,
    }
}

/// A share from 0 to 1, written as a float or as 0 or 1.
pub(crate) fn share(value: &RawValue) -> Option<f64> {
    let share = match value {
        RawValue::Float(share) => *share,
        // Only 0 and 1 pass the range below, and both are exact.
        RawValue::Integer(number @ 0..=1) => f64::from(u8::from(*number == 1)),
        _ => return None,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

/// Any text.
pub(crate) fn text(value: &RawValue) -> Option<&str> {
    match value {
        RawValue::Text(text) => Some(text),
        _ => None,
    }
}

/// One of a few words, with what each stands for.
pub(crate) fn one_of<T: Copy>(value: &RawValue, choices: &[(&str, T)]) -> Option<T> {
    let word = text(value)?;
    choices.iter().find(|(name, _)| *name == word).map(|(_, choice)| *choice)
}

/// `ADDRESS:PORT` or `[ADDRESS]:PORT`; no host names, because a socket listens on addresses.
pub(crate) fn socket_address(value: &RawValue) -> Option<SocketAddr> {
    text(value)?.parse().ok()
}

/// A path that is absolute: a service has no working directory worth naming.
pub(crate) fn absolute_path(value: &RawValue) -> Option<PathBuf> {
    let path = PathBuf::from(text(value)?);
    path.is_absolute().then_some(path)
}

/// The same, or nothing where the text is empty.
#[allow(clippy::option_option, reason = "the outer one says whether the value is allowed")]
pub(crate) fn optional_path(value: &RawValue) -> Option<Option<PathBuf>> {
    match text(value) {
        Some("") => Some(None),
        _ => absolute_path(value).map(Some),
    }
}

/// A name that a network interface can have (fewer bytes than IFNAMSIZ, no `/`, no space), or none.
pub(crate) fn interface(value: &RawValue) -> Option<String> {
    let name = text(value)?;
    let fits =
        name.len() < libc::IFNAMSIZ && !name.contains(|c: char| c == '/' || c.is_whitespace() || c == '\0');
    fits.then(|| name.to_owned())
}

/// Yes or no.
pub(crate) fn boolean(value: &RawValue) -> Option<bool> {
    match value {
        RawValue::Bool(yes) => Some(*yes),
        _ => None,
    }
}

/// A duration in `range`, such as "500us", "30s" or "1h 30m".
pub(crate) fn duration(value: &RawValue, range: RangeInclusive<Duration>) -> Option<Duration> {
    let signed: jiff::SignedDuration = text(value)?.parse().ok()?;
    let duration = Duration::try_from(signed).ok()?;
    range.contains(&duration).then_some(duration)
}

/// A number of bytes in `range`: a whole number, or text with the unit B, KiB, MiB, GiB.
pub(crate) fn size(value: &RawValue, range: RangeInclusive<u64>) -> Option<u64> {
    let bytes = match value {
        RawValue::Integer(bytes) => u64::try_from(*bytes).ok()?,
        RawValue::Text(text) => {
            let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, unit) = text.split_at(digits);
            let unit = match unit.trim() {
                "B" => 1,
                "KiB" => 1 << 10,
                "MiB" => 1 << 20,
                "GiB" => 1 << 30,
                _ => return None,
            };
            number.parse::<u64>().ok()?.checked_mul(unit)?
        }
        _ => return None,
    };
    range.contains(&bytes).then_some(bytes)
}

/// A list of which every item passes `item`.
pub(crate) fn list<T>(value: &RawValue, item: impl Fn(&RawValue) -> Option<T>) -> Option<Vec<T>> {
    match value {
        RawValue::List(items) => items.iter().map(item).collect(),
        _ => None,
    }
}

/// An address range in CIDR notation; one address may stand alone.
pub(crate) fn network(value: &RawValue) -> Option<IpNet> {
    let text = text(value)?;
    text.parse().ok().or_else(|| text.parse().ok().map(|address: std::net::IpAddr| IpNet::from(address)))
}
