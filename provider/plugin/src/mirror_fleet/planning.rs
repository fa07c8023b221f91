//! The plan: a pure function of configuration, prior state and private memory.
//!
//! Terraform plans once for the person and once more inside the apply, and compares. So nothing here looks at AWS;
//! what the core decides is turned into planned values, known wherever they can be known.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::expand::{DesiredSession, Expansion, Facts, Prior, PriorSession, PriorState, expand};
use enigma_fleet::finding::FindingKind;
use enigma_fleet::given::Given;
use enigma_fleet::ids::{ObjectKey, Place};
use enigma_fleet::ownership::Known;
use enigma_fleet::selection::Member;
use enigma_fleet::spec::{self, FleetSpec};
use enigma_tfplugin::{AttributePath, Diagnostic, Diagnostics, Dynamic, Value};

use super::directory;
use super::forgetting::{self, Forgotten};
use super::memory::Memory;
use super::rules;
use super::state::{Computed, Coverage, Row, Rows};
use super::{convert, cost, shares, tags};
use crate::diagnostics;
use crate::member::Members;
use crate::observation::{self, Observation};
use crate::reach::RawTags;

/// The attributes of a target that say where it sends; AWS cannot change them in place.
const DESTINATION: [&str; 3] =
    ["gateway_load_balancer_endpoint_id", "network_interface_id", "network_load_balancer_arn"];

/// The members of a configuration.
pub(super) enum Wanted {
    /// Who they are, and what was seen beside them.
    Known(Observation),
    /// Decided during apply.
    Unknown,
}

/// What a plan is computed from.
pub(super) struct Question<'a> {
    /// What a person wrote, without members.
    pub(super) config: &'a Dynamic,
    /// The stored arguments; none for a creation.
    pub(super) prior: Option<&'a Dynamic>,
    /// What was computed and stored with them.
    pub(super) before: &'a Computed,
    /// What the last refresh remembered.
    pub(super) memory: &'a Memory,
    /// Where targets live.
    pub(super) home: &'a Place,
    /// Those of the provider block.
    pub(super) default_tags: &'a Given<RawTags>,
}

/// What the core decided, with everything it was decided from.
pub(super) struct Decision {
    pub(super) spec: FleetSpec,
    pub(super) observation: Observation,
    pub(super) facts: Facts,
    pub(super) expansion: Expansion,
    /// Places that could not be read when it was observed or refreshed.
    pub(super) unread: BTreeSet<Place>,
    pub(super) forgotten: Forgotten,
}

/// Reads the members of a configuration; null is an error, because it would look like "remove everything".
pub(super) fn members(config: &Dynamic) -> Result<Wanted, Diagnostics> {
    let written = config.get("members").unwrap_or(&Dynamic::Null);
    if written.is_null() {
        return Err(Diagnostic::error(
            "Members are null",
            "Nothing was planned: `members` has no value, which would mean to remove every session. Set it to `members` of the data \
             source enigma_mirror_interfaces, and take `members` out of `ignore_changes`: it is write-only, so it never shows as a change. To \
             mirror nothing, use a rule with `mirror = false`; to remove the fleet, destroy it.",
        )
        .at(AttributePath::of("members"))
        .into());
    }
    if !written.is_wholly_known() {
        return Ok(Wanted::Unknown);
    }
    let members: Members = written.to_typed().map_err(|error| {
        Diagnostic::error("Invalid members", format!("Nothing was planned: {error}."))
            .at(AttributePath::of("members").join(&error.path))
    })?;
    observation::read(members).map(Wanted::Known)
}

/// The same, and takes them out: whoever goes on with the configuration need not carry them twice.
pub(super) fn take_members(config: &mut Dynamic) -> Result<Wanted, Diagnostics> {
    let wanted = members(config);
    drop(config.take("members"));
    wanted
}

/// Checks the arguments; the specification is there when everything that decides which sessions exist is known.
pub(super) fn specification(
    config: &Dynamic,
    default_tags: &Given<RawTags>,
) -> Result<Option<FleetSpec>, Diagnostics> {
    let (spec, problems) = spec::parse(&convert::raw(config, default_tags));
    let mut mistakes: Diagnostics = problems.iter().map(diagnostics::problem).collect();
    mistakes.extend(forgetting::accounts(config).err().unwrap_or_default());
    mistakes.into_result(spec)
}

/// Decides. `None` while something decisive is unknown. Findings come along; with an error among them there is no decision.
pub(super) fn decide(
    question: &Question<'_>,
    wanted: Result<Wanted, Diagnostics>,
) -> Result<(Option<Decision>, Diagnostics), Diagnostics> {
    let (spec, wanted) = match (specification(question.config, question.default_tags), wanted) {
        (Ok(spec), Ok(wanted)) => (spec, wanted),
        (spec, wanted) => {
            let mut mistakes = spec.err().unwrap_or_default();
            mistakes.extend(wanted.err().unwrap_or_default());
            return Err(mistakes);
        }
    };
    let forgotten = forgetting::accounts(question.config)?;
    let (Some(spec), Wanted::Known(observation), Some(forgotten)) = (spec, wanted, forgotten) else {
        return Ok((None, Diagnostics::new()));
    };
    forgetting::contradictions(&spec, question.home, &forgotten).into_result(())?;
    let mut known = remembered(question.before.rows(), question.memory);
    // What the data source could not read has no members there; that is no reason to remove anything.
    known.unread.extend(observation.unread.keys().cloned());
    let forgetting = forgetting::forget(&spec.name, &mut known, &forgotten);
    let sessions = known.sessions.values().filter_map(|session| session.session.clone()).collect();
    let facts = observation.facts(&spec, question.home, &Known { sessions, ..Known::default() });
    let expansion = expand(&spec, question.home, &observation.members, &known, &facts);
    // The data source tells of the places that it could not read, in the same plan, and that sessions there stay.
    let is_told = |kind: &FindingKind| {
        matches!(kind, FindingKind::SessionsKept { places, .. }
            if places.iter().all(|place| observation.unread.contains_key(place)))
    };
    let findings = expansion.findings.iter().filter(|finding| !is_told(&finding.kind));
    let mut findings: Diagnostics = findings.map(diagnostics::finding).collect();
    findings.extend(forgetting);
    if findings.has_errors() {
        return Err(findings);
    }
    let unread = known.unread;
    Ok((Some(Decision { spec, observation, facts, expansion, unread, forgotten }), findings))
}

/// The planned computed attributes of a decision.
pub(super) fn planned(question: &Question<'_>, decision: &Decision) -> Computed {
    let before = question.before;
    let prior_rows = before.rows();
    let rows = plan_rows(prior_rows, decision);
    let target_ids = decision
        .expansion
        .targets
        .keys()
        .map(|key| {
            let kept = known_id(&before.target_ids, key).filter(|_| same_destination(question, key));
            (key.to_string(), kept.map_or(Value::Unknown, Value::Known))
        })
        .collect();
    let filter_ids = decision
        .expansion
        .filters
        .keys()
        .map(|key| (key.to_string(), known_id(&before.filter_ids, key).map_or(Value::Unknown, Value::Known)))
        .collect();
    let filter_rules =
        rules::planned(&decision.expansion).map(|lines| unread_rules_stay(lines, before, decision));
    let coverage = Coverage::of(rows.len(), decision.expansion.not_mirrored.len());
    let mut after = Computed {
        id: before.id.clone(),
        estimated_monthly_cost_usd: cost::monthly(question.config, rows.len()),
        directory_json: Value::Known(directory::planned(
            &decision.expansion.fleet,
            &rows,
            before,
            &decision.observation.places,
        )),
        spec_json: convert::description(&decision.expansion.fleet, question.config),
        coverage: before.coverage,
        tags_all: tags::all(tags::merged(question.config, question.default_tags)),
        shares: Value::Known(shares::planned(&decision.expansion, &before.shares)),
        sessions: Value::Known(rows),
        session_count: Value::Null,
        pending_count: Value::Null,
        target_ids: Value::Known(target_ids),
        filter_ids: Value::Known(filter_ids),
        filter_rules: filter_rules.map_or(Value::Unknown, Value::Known),
        summary: before.summary.clone(),
    };
    let was_pending = prior_rows.values().any(Row::is_promised) || question.memory.has_more_to_do();
    after.count();
    if question.prior.is_none() {
        after.id = Value::Known(decision.expansion.fleet.to_string());
        after.pending_count = Value::Unknown;
    } else if was_pending {
        // Known and above zero it would fail the postcondition of the plan that makes it zero.
        after.pending_count = Value::Unknown;
    } else {
        after.pending_count = Value::Known(0);
    }
    let changes = |a: &Computed, b: &Computed| {
        a.sessions != b.sessions
            || a.target_ids != b.target_ids
            || a.filter_ids != b.filter_ids
            || a.filter_rules != b.filter_rules
            || a.shares != b.shares
    };
    let changed = changes(before, &after);
    if changed || !before.summary.is_known() {
        after.summary = Value::Known(decision.expansion.headline.clone());
    }
    // An observation like the summary: alone it is no reason for an apply.
    if changed || !before.coverage.is_known() {
        after.coverage = Value::Known(coverage);
    }
    after
}

/// Where nothing can be read no rule can be changed either: what is stored of it stays.
fn unread_rules_stay(
    mut lines: BTreeMap<String, String>,
    before: &Computed,
    decision: &Decision,
) -> BTreeMap<String, String> {
    let unread = decision.expansion.filters.keys().filter(|key| decision.unread.contains(&key.place));
    let unread: Vec<String> = unread.map(|key| format!("{key}/")).collect();
    let is_unread = |line: &str| unread.iter().any(|filter| line.starts_with(filter));
    lines.retain(|line, _| !is_unread(line));
    let stored = before.filter_rules.as_ref().known().into_iter().flatten();
    lines.extend(stored.filter(|(line, _)| is_unread(line)).map(|(line, rule)| (line.clone(), rule.clone())));
    lines
}

/// The computed attributes while something decisive is unknown: nothing is promised.
pub(super) fn undecided(prior: Option<&Computed>, name: Option<&str>) -> Computed {
    Computed {
        id: prior
            .map(|p| p.id.clone())
            .or_else(|| name.map(|n| Value::Known(n.to_owned())))
            .unwrap_or(Value::Unknown),
        sessions: Value::Unknown,
        session_count: Value::Unknown,
        pending_count: Value::Unknown,
        target_ids: Value::Unknown,
        filter_ids: Value::Unknown,
        filter_rules: Value::Unknown,
        shares: Value::Unknown,
        tags_all: Value::Unknown,
        coverage: Value::Unknown,
        estimated_monthly_cost_usd: Value::Unknown,
        directory_json: Value::Unknown,
        spec_json: Value::Unknown,
        summary: Value::Unknown,
    }
}

fn plan_rows(prior: &Rows, decision: &Decision) -> Rows {
    let mut rows = Rows::new();
    for key in decision.expansion.kept.keys() {
        let key = key.to_string();
        if let Some(row) = prior.get(&key) {
            rows.insert(key, row.clone());
        }
    }
    for (key, desired) in &decision.expansion.sessions {
        let text = key.to_string();
        let row = plan_row(prior.get(&text), desired, decision.observation.members.get(key));
        rows.insert(text, row);
    }
    rows
}

fn plan_row(prior: Option<&Row>, desired: &DesiredSession, member: Option<&Member>) -> Row {
    let mut row = Row {
        session_id: Value::Unknown,
        instance_id: desired.instance.as_ref().map(ToString::to_string),
        name: member.and_then(|member| member.name.clone()),
        rule: Some(desired.rule.to_string()),
        filter: Some(desired.filter.label.to_string()),
        target: Some(desired.target.label.to_string()),
        session_number: desired.number.into(),
        virtual_network_id: Some(desired.vni.into()),
        packet_length: desired.packet_length.map(i64::from),
        state: Value::Unknown,
    };
    if let Some(prior) = prior.filter(|prior| prior.state() == Some(PriorState::Active)) {
        row.session_id = prior.session_id.clone();
        // What only Terraform remembers changes without a call, so nothing can come in between.
        let in_aws = |row: &Row| {
            (
                row.rule.clone(),
                row.filter.clone(),
                row.target.clone(),
                row.session_number,
                row.virtual_network_id,
                row.packet_length,
            )
        };
        if in_aws(prior) == in_aws(&row) {
            row.state = prior.state.clone();
        }
    }
    row
}

/// The core's memory of what the state says.
pub(super) fn remembered(rows: &Rows, memory: &Memory) -> Prior {
    let sessions = rows
        .iter()
        .filter_map(|(key, row)| {
            let session = PriorSession {
                session: row.session_id.as_ref().known().and_then(|id| id.parse().ok()),
                target: row.target.as_ref().and_then(|label| label.parse().ok()),
                filter: row.filter.as_ref().and_then(|label| label.parse().ok()),
                number: row.session_number.try_into().ok()?,
                vni: row.virtual_network_id.and_then(|vni| vni.try_into().ok()),
                packet_length: row.packet_length.and_then(|length| length.try_into().ok()),
                rule: row.rule.as_ref().and_then(|label| label.parse().ok()),
                state: row.state().unwrap_or(PriorState::Pending),
            };
            Some((key.parse().ok()?, session))
        })
        .collect();
    Prior {
        sessions,
        stranger_vnis: memory.stranger_vnis.clone(),
        resting: memory.resting.vnis(),
        unread: memory.unread.clone(),
    }
}

fn known_id(ids: &Value<BTreeMap<String, Value<String>>>, key: &ObjectKey) -> Option<String> {
    let Value::Known(ids) = ids else { return None };
    ids.get(&key.to_string())?.clone().known()
}

/// Whether a target sends where it sent before; not while that is unknown.
fn same_destination(question: &Question<'_>, key: &ObjectKey) -> bool {
    let destination = |object: &Dynamic| -> Option<[Given<String>; 3]> {
        let target = object.get("targets")?.get(key.label.as_str())?;
        Some(DESTINATION.map(|name| crate::written::text(target, name)))
    };
    let now = destination(question.config);
    now.is_some()
        && question.prior.and_then(destination) == now
        && now.iter().flatten().all(|text| !text.is_unknown())
}
