//! How long a plan waits for answers that it can be made without, and what is said of those that did not come.
//!
//! An endpoint that a firewall swallows gives no error for minutes, and nobody should sit before a plan for that.
//! Time is tokio's.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use enigma_fleet::ids::Place;
use tokio::time::{Instant, timeout_at};

use crate::ports::AwsError;

/// How long all questions to one service in one place, or about one load balancer, may take. A role, a connection and
/// a dozen calls take two or three seconds, and an empty bucket has the tokens for them again after ten.
const EACH: Duration = Duration::from_secs(20);
/// How long everything may take. Ninety places that do not answer would otherwise take three times [`EACH`] at 32 at once, and a
/// thousand ten minutes; a minute is what a plan of such a company takes anyway.
const ALL: Duration = Duration::from_secs(60);
/// Places that are named one by one; more would make a wall of a warning.
const NAMED: usize = 5;

/// The time that a preflight has.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    end: Instant,
}

impl Patience {
    /// It begins now.
    pub(super) fn new() -> Self {
        Self { end: Instant::now() + ALL }
    }

    /// When a question that is begun now is given up.
    pub(super) fn until(self) -> Instant {
        self.end.min(Instant::now() + EACH)
    }
}

/// Why a question has no answer.
pub(super) enum Missed {
    Failed(AwsError),
    Late,
}

/// The answer, if it comes in time. What is dropped then is a read or a dry run, which changes nothing.
pub(super) async fn in_time<T>(
    until: Instant,
    asked: impl Future<Output = Result<T, AwsError>>,
) -> Result<T, Missed> {
    timeout_at(until, asked).await.map_err(|_| Missed::Late)?.map_err(Missed::Failed)
}

/// A question that has no answer: nothing is known to be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// AWS was asked and refused or failed.
    Failed(AwsError),
    /// No answer came in time.
    Late {
        /// AWS's name of the service.
        service: &'static str,
        /// Where it did not answer.
        places: BTreeSet<Place>,
    },
}

impl Unanswered {
    /// Adds a missed answer to those before it: an account that cannot be reached fails in all its places with the
    /// same words, and one service that does not answer is one finding.
    pub(super) fn add(known: &mut Vec<Self>, service: &'static str, place: Place, missed: Missed) {
        let late = |one: &&mut Self| matches!(one, Self::Late { service: late, .. } if *late == service);
        match missed {
            Missed::Failed(error) => {
                let words = error.to_string();
                if !known.iter().any(|one| matches!(one, Self::Failed(one) if one.to_string() == words)) {
                    known.push(Self::Failed(error));
                }
            }
            Missed::Late => match known.iter_mut().find(late) {
                Some(Self::Late { places, .. }) => drop(places.insert(place)),
                _ => known.push(Self::Late { service, places: BTreeSet::from([place]) }),
            },
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Late { service, places } => {
                write!(f, "{service} could not be asked in ")?;
                for (index, place) in places.iter().take(NAMED).enumerate() {
                    write!(f, "{}{place}", if index == 0 { "" } else { ", " })?;
                }
                if places.len() > NAMED {
                    write!(f, " and {} more places", places.len() - NAMED)?;
                }
                write!(
                    f,
                    ": no answer came in time; a plan waits {} s for one place and {} s for all. Look at the network between \
                     here and AWS, its proxies, and the endpoints of the provider block",
                    EACH.as_secs(),
                    ALL.as_secs()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::place;

    #[test]
    fn one_service_is_one_finding_that_names_some_places_and_counts_the_rest() {
        let mut known = Vec::new();
        for number in 0..7 {
            let place = place(&format!("{number}11111111111/us-east-1"));
            Unanswered::add(&mut known, "EC2", place, Missed::Late);
        }
        Unanswered::add(&mut known, "Elastic Load Balancing", place("111111111111/eu-west-1"), Missed::Late);
        assert_eq!(known.len(), 2);
        let words = known[0].to_string();
        assert!(words.starts_with("EC2 could not be asked in 011111111111/us-east-1, "), "{words}");
        assert!(
            words.contains("411111111111/us-east-1 and 2 more places: no answer came in time"),
            "{words}"
        );
        let words = known[1].to_string();
        assert!(
            words.contains("Elastic Load Balancing could not be asked in 111111111111/eu-west-1:"),
            "{words}"
        );
    }
}
