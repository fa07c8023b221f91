//! `data "enigma_mirror_interfaces"`: who would be mirrored, and why the others are not.
//!
//! The one place where a plan looks at AWS: reads the places that its rules can match, applies the rules, returns the
//! result. What is decided is decided in the core; this module converts and reports.

mod convert;
mod result;
mod schema;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use enigma_fleet::finding::{Finding, FindingKind};
use enigma_fleet::ids::{AccountId, Label, Place};
use enigma_fleet::inventory::{Inventory, PlaceInventory};
use enigma_fleet::quota::TAG_KEY_LENGTH;
use enigma_fleet::reach as core;
use enigma_fleet::selection::{self, Outcome, Rule, SelectionSpec};
use enigma_reconcile::observe::{Scope, observe};
use enigma_tfplugin::{AttributePath, Context, DataSource, Diagnostic, Diagnostics, Dynamic, Found, Schema};

use self::result::Seen;
use crate::diagnostics;
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
        let mut mistakes: Diagnostics =
            selection::parse(&convert::raw(&config)).1.iter().map(diagnostics::problem).collect();
        mistakes.extend(directory_tags(&config).err().unwrap_or_default());
        mistakes
    }

    async fn read(&self, cx: &Context, config: Dynamic) -> Result<Found<Dynamic>, Diagnostics> {
        let raw = convert::raw(&config);
        // Mistakes that need no account are told without asking AWS.
        let (_, problems) = selection::parse(&raw);
        problems.iter().map(diagnostics::problem).collect::<Diagnostics>().into_result(())?;
        let directory_tags = directory_tags(&config)?;
        let territory = self.reach.territory("The network interfaces were not read").await?;
        let (raw, mut problems) = territory.reach.resolve(&raw);
        let (spec, more) = selection::parse(&raw);
        problems.extend(more);
        let mistakes: Diagnostics = problems.iter().map(diagnostics::problem).collect();
        let spec = mistakes.into_result(spec)?.ok_or_else(still_unknown)?;
        let wanted = territory.reach.places_for(&spec);
        let places = with_receivers(&wanted, territory.reach.home());
        let reading = observe(territory.cloud.as_ref(), &places, &Scope::Discovery);
        let mut inventory = tokio::select! {
            inventory = reading => inventory,
            () = cx.stop().cancelled() => {
                return Err(Diagnostic::error(
                    "Interrupted",
                    "The network interfaces were not read to the end, because Terraform was told to stop. Nothing was changed.",
                ).into());
            }
        };
        let mut told = unread(&territory.reach, &wanted, &inventory)?;
        inventory.unread.retain(|place, _| wanted.contains(place));
        // Sources are chosen where they are looked for; what was seen elsewhere comes back to tell who sends where.
        let elsewhere = split_off(&mut inventory, |place| !wanted.contains(place));
        let found = selection::select(&spec, &inventory);
        inventory.places.extend(elsewhere);
        let astray = astray(&spec, &territory.reach);
        let is_told = |finding: &&Finding| match &finding.kind {
            FindingKind::PlaceUnread { .. } => true,
            FindingKind::RuleDecidesNothing { rule } => astray.contains(rule),
            _ => false,
        };
        told.extend(astray.iter().map(|rule| nowhere(rule, &territory.reach)));
        told.extend(found.findings.iter().filter(|finding| !is_told(finding)).map(diagnostics::finding));
        if told.has_errors() {
            return Err(told);
        }
        let seen = Seen {
            wanted: &wanted,
            inventory: &inventory,
            found: &found,
            reach: &territory.reach,
            directory_tags: &directory_tags,
        };
        Ok(Found::new(result::fill(config, &seen)).with(told))
    }
}

/// The keys of tags that members carry for the directory. What is unknown yet is no key.
fn directory_tags(config: &Dynamic) -> Result<BTreeSet<String>, Diagnostics> {
    let at = AttributePath::of("directory_tags");
    let mut mistakes = Diagnostics::new();
    let mut keys = BTreeSet::new();
    let written = config.get("directory_tags").and_then(Dynamic::as_list).into_iter().flatten();
    for key in written.filter(|key| !key.is_unknown()) {
        let text = key.as_str().unwrap_or_default();
        if text.is_empty() || text.chars().count() > TAG_KEY_LENGTH {
            mistakes.push(
                Diagnostic::error(
                    "Invalid tag key",
                    format!("{text:?} is no key of a tag: AWS has keys of 1 to {TAG_KEY_LENGTH} characters.\n\nAttribute: {at}"),
                )
                .at(at.clone()),
            );
        } else {
            keys.insert(text.to_owned());
        }
    }
    mistakes.into_result(keys)
}

/// The places to read: those of sources, and in each of their Regions the home account, where targets live. Who else
/// sends to them is seen from there alone.
fn with_receivers(wanted: &BTreeSet<Place>, home: &Place) -> BTreeSet<Place> {
    let receivers = wanted.iter().map(|place| Place { region: place.region.clone(), ..home.clone() });
    wanted.iter().cloned().chain(receivers).collect()
}

/// Takes what was seen in some places out.
fn split_off(
    inventory: &mut Inventory,
    is_taken: impl Fn(&Place) -> bool,
) -> BTreeMap<Place, PlaceInventory> {
    let (taken, left) =
        std::mem::take(&mut inventory.places).into_iter().partition(|(place, _)| is_taken(place));
    inventory.places = left;
    taken
}

/// What could not be read, one warning for each account; an error where that is everything.
fn unread(
    reach: &core::Reach,
    wanted: &BTreeSet<Place>,
    inventory: &Inventory,
) -> Result<Diagnostics, Diagnostics> {
    let is_nothing = !wanted.is_empty() && wanted.iter().all(|place| inventory.unread.contains_key(place));
    let accounts: BTreeSet<&AccountId> = inventory.unread.keys().map(|place| &place.account).collect();
    let told = accounts.into_iter().map(|account| {
        let places: Vec<&Place> = inventory.unread.keys().filter(|place| place.account == *account).collect();
        let why = places.first().and_then(|place| inventory.unread.get(*place)).map_or("", String::as_str);
        let regions: Vec<&str> = places.iter().map(|place| place.region.as_str()).collect();
        let regions = regions.join(", ");
        let name = reach.name_of_account(account);
        if !places.iter().any(|place| wanted.contains(*place)) {
            return Diagnostic::warning(
                format!("Account {name} could not be read"),
                format!(
                    "Targets live there, and sessions of others that send to them in {regions} are not known: {why}. The plan assumes that \
                     there are none."
                ),
            );
        }
        if is_nothing {
            return Diagnostic::error(
                "Network interfaces could not be read",
                format!("No interface of account {name} was selected in {regions}, because it could not be read: {why}. Nothing was changed."),
            );
        }
        Diagnostic::warning(
            format!("Account {name} could not be read"),
            format!(
                "None of its interfaces in {regions} was selected: {why}. A fleet keeps the sessions that it has there and makes no new \
                 ones. Mend the role or the permission and plan again. An account that is gone for good leaves a fleet with its \
                 `safety.forget_accounts`."
            ),
        )
    });
    let told: Diagnostics = told.collect();
    told.clone().into_result(told)
}

/// Rules that mean places which nobody reads.
fn astray(spec: &SelectionSpec, reach: &core::Reach) -> BTreeSet<Label> {
    let alone = |(label, rule): (&Label, &Rule)| SelectionSpec {
        rules: BTreeMap::from([(label.clone(), rule.clone())]),
        ..SelectionSpec::default()
    };
    spec.rules
        .iter()
        .filter(|(_, rule)| matches!(rule.outcome, Outcome::Mirror { .. }))
        .filter(|one| reach.places_for(&alone(*one)).is_empty())
        .map(|(label, _)| label.clone())
        .collect()
}

fn nowhere(rule: &Label, reach: &core::Reach) -> Diagnostic {
    let places = reach.places();
    let mut names: Vec<String> = places.iter().take(3).map(|place| reach.name_of(place)).collect();
    if places.len() > names.len() {
        names.push(format!("and {} more", places.len() - names.len()));
    }
    Diagnostic::warning(
        format!("Rule {rule} means no place that is read"),
        format!(
            "It selects nothing: no account and Region that the provider reads fits its accounts, Regions and zones. Read are: {}. Correct \
             the rule, or add the account or its Region to the provider block.",
            names.join(", ")
        ),
    )
    .at(AttributePath::of("rules").key(rule.as_str()))
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
