//! `data "enigma_mirror_interfaces"`: who would be mirrored, and why the others are not.
//!
//! The one place where a plan looks at AWS: reads the place, applies the rules, returns the result. What is decided is decided in the
//! core; this module converts and reports.

mod convert;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use enigma_fleet::selection::{self, Selection};
use enigma_reconcile::observe::{Scope, observe};
use enigma_tfplugin::{Context, DataSource, Diagnostic, Diagnostics, Dynamic, Found, Schema};

use crate::diagnostics;
use crate::member::MemberModel;
use crate::reach::Reach;

/// The data source type.
pub(crate) struct Interfaces {
    reach: Reach,
}

impl Interfaces {
    pub(crate) fn new(reach: Reach) -> Self {
        Self { reach }
    }
}

#[async_trait]
impl DataSource for Interfaces {
    type Config = Dynamic;
    type State = Dynamic;

    fn schema(&self) -> Schema {
        schema::schema()
    }

    async fn validate(&self, _cx: &Context, config: Dynamic) -> Diagnostics {
        selection::parse(&convert::raw(&config)).1.iter().map(diagnostics::problem).collect()
    }

    async fn read(&self, cx: &Context, config: Dynamic) -> Result<Found<Dynamic>, Diagnostics> {
        let (spec, problems) = selection::parse(&convert::raw(&config));
        let mistakes: Diagnostics = problems.iter().map(diagnostics::problem).collect();
        let spec = mistakes.into_result(spec)?.ok_or_else(still_unknown)?;
        let (cloud, home) = self.reach.home("The network interfaces were not read").await?;
        let places = BTreeSet::from([home.clone()]);
        let reading = observe(cloud.as_ref(), &places, &Scope::Discovery);
        let inventory = tokio::select! {
            inventory = reading => inventory,
            () = cx.stop().cancelled() => {
                return Err(Diagnostic::error(
                    "Interrupted",
                    "The network interfaces were not read to the end, because Terraform was told to stop. Nothing was changed.",
                ).into());
            }
        };
        if let Some(why) = inventory.unread.get(&home) {
            return Err(Diagnostic::error(
                "Network interfaces could not be read",
                format!("No interface of {home} was selected, because it could not be read: {why}. Nothing was changed."),
            )
            .into());
        }
        let found = selection::select(&spec, &inventory);
        let diagnostics: Diagnostics = found.findings.iter().map(diagnostics::finding).collect();
        if diagnostics.has_errors() {
            return Err(diagnostics);
        }
        Ok(Found::new(result(config, &found)).with(diagnostics))
    }
}

/// The configuration with the results filled in.
fn result(config: Dynamic, found: &Selection) -> Dynamic {
    let mut by_reason: BTreeMap<&str, i64> = BTreeMap::new();
    for skipped in found.skipped.values() {
        *by_reason.entry(skipped.reason.as_str()).or_default() += 1;
    }
    let count = |n: usize| Dynamic::from(i64::try_from(n).unwrap_or(i64::MAX));
    let computed = [
        (
            "members",
            Dynamic::map(
                found
                    .members
                    .iter()
                    .map(|(key, member)| (key.to_string(), MemberModel::from(member).to_dynamic())),
            ),
        ),
        (
            "skipped",
            Dynamic::map(found.skipped.iter().map(|(key, skipped)| {
                let reason = Dynamic::from(skipped.reason.as_str());
                (
                    key.to_string(),
                    Dynamic::map([("reason", reason), ("detail", Dynamic::from(skipped.detail.as_str()))]),
                )
            })),
        ),
        ("skipped_by_reason", Dynamic::map(by_reason)),
        ("member_count", count(found.members.len())),
        ("skipped_count", count(found.skipped.len())),
        ("unmatched_count", count(found.unmatched)),
    ];
    let mut state = config;
    if let Dynamic::Map(attributes) = &mut state {
        attributes.extend(computed.map(|(name, value)| (name.to_owned(), value)));
    }
    state
}

fn still_unknown() -> Diagnostics {
    Diagnostic::error(
        "Rules are still unknown",
        "No interface was selected: Terraform passed unknown values to the read. Please report this as a defect.",
    )
    .into()
}

#[cfg(test)]
mod tests;
