//! Problems, findings, AWS errors and outcomes as Terraform shows them: the only place that writes to people.
//!
//! Each message says what did not happen, to which object, why, and what to do next. One diagnostic per object, up to a bound;
//! the rest is counted, because Terraform prints every one of them.

use std::collections::BTreeMap;

use enigma_fleet::finding::{Finding, Severity};
use enigma_fleet::plan::Plan;
use enigma_fleet::problem::{Path, Problem, Step};
use enigma_reconcile::outcome::{Outcome, Outcomes, describe};
use enigma_reconcile::ports::{AwsError, ErrorKind};
use enigma_tfplugin::{AttributePath, Diagnostic, Diagnostics};

/// Failures shown one by one. A thousand sessions that fail for one reason would hide that reason; the summary counts the rest.
const SHOWN: usize = 20;

/// A mistake in what a person wrote.
pub(crate) fn problem(problem: &Problem) -> Diagnostic {
    Diagnostic::error(problem.summary.clone(), located(&problem.detail, &problem.path))
        .at(path(&problem.path))
}

/// Terraform points at the block's first line for a path into nested attributes, so the text names the path too.
fn located(detail: &str, path: &Path) -> String {
    format!("{detail}\n\nAttribute: {path}")
}

/// Something a plan found out.
pub(crate) fn finding(finding: &Finding) -> Diagnostic {
    let detail = match finding.path.0.as_slice() {
        // A path of one step is shown by every Terraform: the line of that attribute.
        [] | [_] => finding.detail(),
        _ => located(&finding.detail(), &finding.path),
    };
    let made = match finding.severity() {
        Severity::Error => Diagnostic::error(finding.summary(), detail),
        Severity::Warning => Diagnostic::warning(finding.summary(), detail),
    };
    made.at(path(&finding.path))
}

fn path(path: &Path) -> AttributePath {
    path.0.iter().fold(AttributePath::root(), |at, step| match step {
        Step::Attr(name) => at.attribute(*name),
        Step::Key(key) => at.key(key),
        Step::Index(index) => at.index(*index),
    })
}

/// A failed read, often the first call of all; `doing` is what did not happen. A read changes nothing, so that
/// nothing is in doubt.
pub(crate) fn aws(doing: &str, error: &AwsError) -> Diagnostic {
    let (summary, next) = match error.kind {
        ErrorKind::NoReply => (
            "AWS could not be reached",
            "Look at the network between here and AWS, at its proxies (`HTTPS_PROXY`, `NO_PROXY`), and at `region` and `endpoints` of the \
             provider block, then run it again.",
        ),
        ErrorKind::Credentials => (
            "No credentials that AWS accepts",
            "Look at the credentials that the provider block, the environment or the profile gives, and whether they have expired, then run \
             it again.",
        ),
        ErrorKind::Throttled => ("AWS was asked too often", advice(error.kind)),
        ErrorKind::Unavailable => ("AWS failed on its side", "Nothing was changed: run it again."),
        kind => ("AWS refused a call", advice(kind)),
    };
    Diagnostic::error(summary, format!("{doing}: {error}. {next}"))
}

/// What did not take effect, one diagnostic per object and one line for the rest. `as_warnings` where an error would make
/// Terraform replace what exists.
pub(crate) fn outcomes(outcomes: &Outcomes, as_warnings: bool) -> Diagnostics {
    let make = |summary: String, detail: String| {
        if as_warnings { Diagnostic::warning(summary, detail) } else { Diagnostic::error(summary, detail) }
    };
    let mut diagnostics = Diagnostics::new();
    let mut hidden: BTreeMap<String, usize> = BTreeMap::new();
    let mut shown = 0;
    for (_, step) in outcomes.incomplete() {
        let what = describe(&step.action);
        let (why, next) = match &step.outcome {
            Outcome::Done(_) => continue,
            Outcome::SourceGone(_) => {
                diagnostics.push(Diagnostic::warning(
                    format!("Source is gone: {what}"),
                    "The interface, and its session with it, vanished after it was reviewed, so there is nothing to mirror. Its entry \
                     leaves the fleet with the next plan.",
                ));
                continue;
            }
            Outcome::Failed(error) => (error.to_string(), advice(error.kind)),
            Outcome::Skipped(_) => {
                (outcomes.why_skipped(step).unwrap_or_default(), "It is tried again by the next apply.")
            }
            Outcome::Cancelled => {
                ("Terraform was told to stop before its turn".to_owned(), "Apply again to finish.")
            }
        };
        if shown == SHOWN || matches!(step.outcome, Outcome::Cancelled) {
            *hidden.entry(format!("{why}. {next}")).or_default() += 1;
            continue;
        }
        shown += 1;
        diagnostics.push(make(format!("Not done: {what}"), format!("{}: {why}. {next}", capital(&what))));
    }
    for (why, count) in hidden {
        diagnostics.push(make(
            format!("Not done: {count} more actions"),
            format!("For {count} more actions: {why}"),
        ));
    }
    if let Some(error) = outcomes.unmarked.first() {
        diagnostics.push(Diagnostic::warning(
            "Older plans of this fleet are not stopped",
            format!(
                "The generation tag could not be written on {} of the fleet's targets, so that a plan which was made before this apply could \
                 still be applied, and would undo it: {error}. {}",
                outcomes.unmarked.len(),
                advice(error.kind)
            ),
        ));
    }
    let counts = outcomes.counts();
    let open = counts.failed + counts.skipped + counts.cancelled;
    if open > 0 {
        diagnostics.push(make(
            format!("{open} of {} actions were not done", outcomes.steps.len()),
            format!(
                "{} took effect and are in the state; {} failed, {} were skipped because of those, {} were not begun. Nothing is lost: \
                 the next apply does what is missing.",
                counts.done, counts.failed, counts.skipped, counts.cancelled
            ),
        ));
    }
    diagnostics
}

/// Sessions that others were quicker than, one diagnostic each up to the bound. `as_warnings` as for [`outcomes`];
/// the same race lost a moment later is a call that AWS refuses.
pub(crate) fn held_back(plan: &Plan, as_warnings: bool) -> Diagnostics {
    let make = if as_warnings { Diagnostic::warning } else { Diagnostic::error };
    let mut diagnostics: Diagnostics = plan
        .held_back
        .iter()
        .take(SHOWN)
        .map(|(key, held_back)| make(format!("Left out: the session of {key}"), held_back.sentence(key)))
        .collect();
    let hidden = plan.held_back.len().saturating_sub(SHOWN);
    if hidden > 0 {
        diagnostics.push(make(
            format!("Left out: {hidden} more sessions"),
            format!(
                "Sessions of others have the numbers or all slots of {hidden} more interfaces by now: plan again. Until then they are \
                 pending."
            ),
        ));
    }
    diagnostics
}

/// What a person can do about an AWS failure.
fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::AlreadyExists => "Somebody made it at the same time: plan again to see what is there now.",
        ErrorKind::Credentials => "Check the credentials and roles of the provider block, then apply again.",
        ErrorKind::IdempotencyMismatch => "Apply again; if it repeats, please report it as a defect.",
        ErrorKind::InUse => "Something else still uses it: remove that use, then apply again.",
        ErrorKind::Invalid => "Correct the value that AWS names, then apply again.",
        ErrorKind::NoReply => {
            "Whether it took effect is unknown; the next plan looks, and continues from what is there."
        }
        ErrorKind::NotFound | ErrorKind::SessionNotFound => "Plan again: what it refers to is gone.",
        ErrorKind::Quota => {
            "Traffic mirroring quotas cannot be raised: use fewer sources or another account or Region."
        }
        ErrorKind::SourceUnsupported => "Exclude the interface with a rule, or wait until AWS supports it.",
        ErrorKind::Throttled => "Another program uses up the account's API rate; apply again later.",
        ErrorKind::Unauthorized => {
            "Grant the action to the provider's role (see the least-privilege policy in the documentation), then apply again."
        }
        ErrorKind::Unavailable => "AWS failed on its side: apply again.",
        _ => "Apply again.",
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), letters.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_that_failed_is_told_by_what_went_wrong_and_leaves_nothing_in_doubt() {
        let told = |kind| {
            let error = AwsError {
                place: None,
                operation: "GetCallerIdentity",
                kind,
                code: "(none)".to_owned(),
                message: "dispatch failure".to_owned(),
                request_id: None,
            };
            let told = aws("The network interfaces were not read", &error);
            assert!(
                told.detail.starts_with("The network interfaces were not read: GetCallerIdentity"),
                "{told:?}"
            );
            assert!(!told.detail.contains("took effect"), "a read has no effect: {told:?}");
            (told.summary, told.detail)
        };
        let (summary, detail) = told(ErrorKind::NoReply);
        assert!(
            summary == "AWS could not be reached" && detail.contains("`HTTPS_PROXY`"),
            "{summary}: {detail}"
        );
        let (summary, detail) = told(ErrorKind::Credentials);
        assert!(
            summary == "No credentials that AWS accepts" && detail.contains("expired"),
            "{summary}: {detail}"
        );
        let (summary, detail) = told(ErrorKind::Unauthorized);
        assert!(
            summary == "AWS refused a call" && detail.contains("Grant the action"),
            "{summary}: {detail}"
        );
    }
}
