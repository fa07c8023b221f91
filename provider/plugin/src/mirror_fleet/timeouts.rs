//! `timeouts`: how long a create, an update or a destroy may take.
//!
//! A time-out is a stop like Ctrl-C: calls that have begun end, no other begins, and what was done is in the state. So the next
//! apply goes on where this one ended, and nothing is lost by a limit that was too tight.

use std::time::Duration;

use enigma_reconcile::outcome::{Outcome, Outcomes};
use enigma_tfplugin::{Attribute, AttributePath, Diagnostic, Dynamic, Nesting, Object, Validator};
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

/// Where nobody says another limit. AWS allows 10,000 sessions in a place and 5 calls a second after a burst of 50,
/// so the largest place takes 33 minutes; the rest is for throttling by other programs. What is longer hangs, and a
/// person should hear of it.
const DEFAULT: Duration = Duration::from_secs(60 * 60);

/// The block, in the notation of hashicorp/aws.
pub(super) fn block() -> Attribute {
    let limit = |what: &str| {
        Attribute::string()
            .validate(Validator::new("a duration such as `90m` or `1h30m`", |text: String| {
                parse(&text).map(drop)
            }))
            .description(format!(
                "How long {what} may take, such as `90m` or `2h`. Then no further call begins, what was done is in the state, and the next \
                 apply goes on from there. Unset: `60m`."
            ))
    };
    let object = Object::new()
        .attribute("create", limit("making the fleet"))
        .attribute("update", limit("changing it"))
        .attribute("delete", limit("destroying it"));
    Attribute::block(Nesting::Single, object, 0, 0).description("Time limits of applies.")
}

fn parse(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is not a duration such as 45m, 2h or 1h30m.");
    let signed: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(signed).ok().filter(|limit| !limit.is_zero()).ok_or_else(wrong)
}

/// The limit of one operation.
pub(super) struct Deadline {
    operation: &'static str,
    pub(super) limit: Duration,
}

impl Deadline {
    /// The limit of `operation` (`create`, `update` or `delete`) in these arguments.
    pub(super) fn of(arguments: &Dynamic, operation: &'static str) -> Self {
        let written = arguments.get("timeouts").and_then(|timeouts| timeouts.get(operation)?.as_str());
        // A text that is no duration was refused in validation.
        let limit = written.and_then(|text| parse(text).ok()).unwrap_or(DEFAULT);
        Self { operation, limit }
    }

    /// What to tell if it was this and not Terraform that stopped the apply.
    pub(super) fn exceeded(&self, outcomes: &Outcomes, terraform: &CancellationToken) -> Option<Diagnostic> {
        let is_cut = outcomes.steps.iter().any(|step| matches!(step.outcome, Outcome::Cancelled));
        (is_cut && !terraform.is_cancelled()).then(|| {
            Diagnostic::warning(
                format!("The time limit of {} was reached", words(self.limit)),
                format!(
                    "No further call began after that. What was done is in the state, and the next apply does the rest. To give it more time \
                     at once, set `timeouts.{}`.",
                    self.operation
                ),
            )
            .at(AttributePath::of("timeouts").attribute(self.operation))
        })
    }
}

/// Such as `1h 30m`.
fn words(limit: Duration) -> String {
    SignedDuration::try_from(limit)
        .map_or_else(|_| format!("{} seconds", limit.as_secs()), |limit| format!("{limit:#}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_in_other_providers() {
        for (text, minutes) in [("90m", 90), ("2h", 120), ("1h30m", 90), ("1h30m0s", 90), ("60s", 1)] {
            assert_eq!(parse(text), Ok(Duration::from_secs(minutes * 60)), "{text}");
        }
        for (text, said) in [("60m", "1h"), ("90m", "1h 30m"), ("2s", "2s")] {
            assert_eq!(words(parse(text).unwrap()), said);
        }
        for text in ["", "soon", "10", "-5m", "0s"] {
            assert!(parse(text).unwrap_err().contains("1h30m"), "{text}");
        }
    }

    #[test]
    fn a_limit_is_of_its_operation() {
        let arguments = Dynamic::map([("timeouts", Dynamic::map([("create", Dynamic::from("2m"))]))]);
        assert_eq!(Deadline::of(&arguments, "create").limit, Duration::from_secs(120));
        assert_eq!(Deadline::of(&arguments, "update").limit, DEFAULT);
        assert_eq!(Deadline::of(&Dynamic::map([("timeouts", Dynamic::Null)]), "delete").limit, DEFAULT);
    }
}
