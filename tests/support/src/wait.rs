//! Waiting for a condition instead of sleeping: with a deadline, and with the last thing seen when it passes.

use std::time::{Duration, Instant};

/// How often a condition is looked at. Short beside anything a test waits for, long beside the cost of a look.
const INTERVAL: Duration = Duration::from_millis(10);

/// Waits until `condition` is true, at most `limit` long.
///
/// # Panics
/// When the limit passes: "waited ... for `what`".
pub fn until(limit: Duration, what: &str, mut condition: impl FnMut() -> bool) {
    for_value(limit, what, || if condition() { Ok(()) } else { Err(String::new()) });
}

/// Waits until `attempt` gives a value, at most `limit` long; a refusal says what was seen instead.
///
/// # Panics
/// When the limit passes, with the last refusal.
#[must_use = "the value is what was waited for"]
pub fn value<T, E: std::fmt::Display>(
    limit: Duration,
    what: &str,
    attempt: impl FnMut() -> Result<T, E>,
) -> T {
    for_value(limit, what, attempt)
}

fn for_value<T, E: std::fmt::Display>(
    limit: Duration,
    what: &str,
    mut attempt: impl FnMut() -> Result<T, E>,
) -> T {
    let deadline = Instant::now() + limit;
    loop {
        match attempt() {
            Ok(value) => return value,
            Err(last) if Instant::now() >= deadline => {
                panic!("waited {limit:?} for {what} in vain; last: {last}")
            }
            Err(_) => std::thread::sleep(INTERVAL),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_comes_as_soon_as_the_attempt_gives_it() {
        let mut left = 3;
        let got = value(Duration::from_secs(5), "the count", || {
            left -= 1;
            if left == 0 { Ok("there") } else { Err(left) }
        });
        assert_eq!(got, "there");
    }

    #[test]
    #[should_panic(expected = "for the impossible in vain; last: no 7")]
    fn passed_deadline_names_what_was_seen_last() {
        let _never: () = value(Duration::ZERO, "the impossible", || Err("no 7"));
    }
}
