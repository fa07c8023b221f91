//! The resource's computed attributes as Rust types.
//!
//! Inputs stay as Terraform carries them and are copied through; only what the provider computes is read and written here.

use std::collections::BTreeMap;
use std::str::FromStr;

use enigma_fleet::expand::PriorState;
use enigma_fleet::ids::ObjectKey;
use enigma_fleet::ownership::Known;
use enigma_tfplugin::{Diagnostic, Diagnostics, Dynamic, Value};
use serde::{Deserialize, Serialize};

use super::shares::Shares;
use super::tags::TagsAll;

/// One entry of `sessions`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) session_id: Value<String>,
    pub(super) instance_id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) rule: Option<String>,
    pub(super) filter: Option<String>,
    pub(super) target: Option<String>,
    pub(super) session_number: i64,
    pub(super) virtual_network_id: Option<i64>,
    pub(super) packet_length: Option<i64>,
    pub(super) state: Value<String>,
}

impl Row {
    /// The row's state; unknown, and anything a newer version may have written, is `None`.
    pub(super) fn state(&self) -> Option<PriorState> {
        let Value::Known(text) = &self.state else { return None };
        PriorState::parse(text)
    }

    pub(super) fn set_state(&mut self, state: PriorState) {
        self.state = Value::Known(state.as_str().to_owned());
    }

    /// Whether the next apply still has to make it.
    pub(super) fn is_promised(&self) -> bool {
        matches!(self.state(), Some(PriorState::Missing | PriorState::Pending))
    }
}

/// `sessions`, by `account/region/eni`.
pub(super) type Rows = BTreeMap<String, Row>;

/// How many of the members are mirrored. Numbers are whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Coverage {
    /// Members, and sessions kept in places that could not be read.
    pub(super) matched: i64,
    /// Those with a session. In a plan also those that get one; the next refresh counts those that got none out.
    pub(super) mirrored: i64,
    /// Those without.
    pub(super) skipped: i64,
    /// `mirrored` of `matched`, rounded down, so that 100 means all; 100 of nobody.
    pub(super) percent: i64,
}

impl Coverage {
    pub(super) fn of(mirrored: usize, skipped: usize) -> Self {
        let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let matched = mirrored.saturating_add(skipped);
        let percent = mirrored.saturating_mul(100).checked_div(matched).unwrap_or(100);
        Self {
            matched: count(matched),
            mirrored: count(mirrored),
            skipped: count(skipped),
            percent: count(percent),
        }
    }
}

/// Everything the provider computes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Computed {
    pub(super) id: Value<String>,
    pub(super) sessions: Value<Rows>,
    pub(super) session_count: Value<i64>,
    pub(super) pending_count: Value<i64>,
    pub(super) target_ids: Value<BTreeMap<String, Value<String>>>,
    pub(super) filter_ids: Value<BTreeMap<String, Value<String>>>,
    pub(super) filter_rules: Value<BTreeMap<String, String>>,
    pub(super) shares: Value<Shares>,
    pub(super) tags_all: Value<TagsAll>,
    pub(super) coverage: Value<Coverage>,
    pub(super) estimated_monthly_cost_usd: Value<u64>,
    pub(super) directory_json: Value<String>,
    pub(super) spec_json: Value<String>,
    pub(super) summary: Value<String>,
}

impl Computed {
    /// Reads the computed attributes of a state or plan.
    pub(super) fn read(state: &Dynamic) -> Result<Self, Diagnostics> {
        state.to_typed().map_err(|error| {
            Diagnostic::error(
                "Stored state cannot be read",
                format!(
                    "Nothing was planned or changed: {error}. If the state was edited by hand, undo that; else please report this as a defect."
                ),
            )
            .into()
        })
    }

    /// Reads the computed attributes and takes them out, so that the arguments are left and of a large state one form
    /// is in memory.
    pub(super) fn take(state: &mut Dynamic) -> Result<Self, Diagnostics> {
        let computed = Self::read(state)?;
        Self::clear(state);
        Ok(computed)
    }

    /// Takes the computed attributes out.
    pub(super) fn clear(state: &mut Dynamic) {
        let names = Dynamic::from_typed(&Self::default()).unwrap_or_default();
        for name in names.as_map().into_iter().flat_map(BTreeMap::keys) {
            drop(state.take(name));
        }
    }

    /// The sessions, none where there are none or they are unknown.
    pub(super) fn rows(&self) -> &Rows {
        static NONE: Rows = Rows::new();
        self.sessions.as_ref().known().unwrap_or(&NONE)
    }

    /// What the state knows by id, so that it is the fleet's also where somebody removed the tags that say so.
    pub(super) fn known_ids(&self) -> Known {
        fn keyed<Id: FromStr + Ord>(ids: &Value<BTreeMap<String, Value<String>>>) -> BTreeMap<Id, ObjectKey> {
            let ids = ids.as_ref().known().into_iter().flatten();
            ids.filter_map(|(key, id)| Some((id.as_ref().known()?.parse().ok()?, key.parse().ok()?)))
                .collect()
        }
        let sessions = self.sessions.as_ref().known().into_iter().flat_map(BTreeMap::values);
        Known {
            targets: keyed(&self.target_ids),
            filters: keyed(&self.filter_ids),
            sessions: sessions.filter_map(|row| row.session_id.as_ref().known()?.parse().ok()).collect(),
        }
    }

    /// Brings the counts in line with the sessions.
    pub(super) fn count(&mut self) {
        if let Value::Known(rows) = &self.sessions {
            let pending = rows.values().filter(|row| row.is_promised()).count();
            self.session_count = Value::Known(i64::try_from(rows.len()).unwrap_or(i64::MAX));
            self.pending_count = Value::Known(i64::try_from(pending).unwrap_or(i64::MAX));
        }
    }

    /// Adds what is pending beside sessions.
    pub(super) fn count_more(&mut self, unfinished: usize) {
        if let Value::Known(pending) = &mut self.pending_count {
            *pending = pending.saturating_add(i64::try_from(unfinished).unwrap_or(i64::MAX));
        }
    }

    /// `inputs` with the computed attributes filled in.
    pub(super) fn write(&self, mut inputs: Dynamic) -> Result<Dynamic, Diagnostics> {
        let computed = Dynamic::from_typed(self).map_err(|error| {
            Diagnostic::error("State cannot be written", format!("Please report this as a defect: {error}."))
        })?;
        if let (Dynamic::Map(inputs), Dynamic::Map(computed)) = (&mut inputs, computed) {
            inputs.extend(computed);
        }
        Ok(inputs)
    }
}
