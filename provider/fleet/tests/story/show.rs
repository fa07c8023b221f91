//! What the commands of a story say.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use enigma_fleet::actions::{Action, Ref};
use enigma_fleet::drift::Drift;
use enigma_fleet::expand::{Expansion, Prior};
use enigma_fleet::finding::Finding;
use enigma_fleet::given::Given;
use enigma_fleet::ids::MemberKey;
use enigma_fleet::inventory::{FilterRule, PortRange};
use enigma_fleet::plan::Plan;
use enigma_fleet::problem::Problem;
use enigma_fleet::selection::Selection;

use crate::story::short;
use crate::world::World;

/// Long keys are the same in every line of a story.
fn shorten(text: &str) -> String {
    text.replace("111111111111/eu-west-1/", "")
}

fn findings(text: &mut String, found: &[Finding]) {
    for finding in found {
        *text += &format!("{}\n", shorten(&finding.to_string()));
    }
}

pub(crate) fn problems(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("problem at {problem}\n")).collect()
}

pub(crate) fn selection(selection: &Selection) -> String {
    let mut text = format!("{}\n", selection.summary);
    for (key, member) in &selection.members {
        let name = member.name.as_deref().unwrap_or("(no name)");
        writeln!(text, "  {} {name}: rule {}", short(key), member.rule).unwrap();
    }
    for (key, skipped) in &selection.skipped {
        writeln!(text, "  {} skipped, {}: {}", short(key), skipped.reason, skipped.detail).unwrap();
    }
    findings(&mut text, &selection.findings);
    text
}

pub(crate) fn expansion(plan: &Expansion, prior: &Prior, selection: &Selection) -> String {
    let mut text = format!("{}\n", plan.headline);
    for (key, session) in &plan.sessions {
        let before = prior.sessions.get(key).filter(|before| before.state.is_live());
        let now = format!(
            "target {}, filter {}, number {}, vni {}, length {}",
            session.target.label,
            session.filter.label,
            session.number,
            session.vni,
            session.packet_length.map_or_else(|| "default".to_owned(), |length| length.to_string())
        );
        let was = before.map(|before| {
            let label = |label: Option<&enigma_fleet::ids::Label>| {
                label.map_or_else(|| "another".to_owned(), ToString::to_string)
            };
            format!(
                "target {}, filter {}, number {}, vni {}, length {}",
                label(before.target.as_ref()),
                label(before.filter.as_ref()),
                before.number,
                before.vni.map_or_else(|| "none".to_owned(), |vni| vni.to_string()),
                before.packet_length.map_or_else(|| "default".to_owned(), |length| length.to_string())
            )
        });
        let name = selection.members.get(key).and_then(|member| member.name.clone()).unwrap_or_default();
        match was {
            None => writeln!(text, "  + {} {name}: {now} (rule {})", short(key), session.rule).unwrap(),
            Some(was) if was != now => {
                writeln!(text, "  ~ {} {name}: {was}\n      now {now}", short(key)).unwrap();
            }
            Some(_) => {}
        }
    }
    for key in &plan.removed {
        let why = selection.skipped.get(key).map_or_else(
            || "no rule matches it".to_owned(),
            |skipped| format!("{}: {}", skipped.reason, skipped.detail),
        );
        writeln!(text, "  - {}: {why}", short(key)).unwrap();
    }
    for (key, skipped) in &plan.not_mirrored {
        writeln!(text, "  {} not mirrored, {}: {}", short(key), skipped.reason, skipped.detail).unwrap();
    }
    for (key, filter) in &plan.filters {
        if let Given::Known(rules) = &filter.rules {
            for one in rules.iter().filter(|_| plan.changes.added > 0) {
                writeln!(text, "  filter {}: {}", key.label, rule(one)).unwrap();
            }
        }
    }
    findings(&mut text, &plan.findings);
    text
}

fn ports(range: Option<PortRange>) -> String {
    match range {
        None => String::new(),
        Some(range) if range.from == range.to => format!(" port {}", range.from),
        Some(range) => format!(" ports {}-{}", range.from, range.to),
    }
}

fn rule(rule: &FilterRule) -> String {
    let protocol = rule.protocol.map_or_else(|| "all".to_owned(), |number| format!("protocol {number}"));
    format!(
        "{:?} {} {:?} {protocol} {}{} to {}{}",
        rule.direction,
        rule.number,
        rule.action,
        rule.source,
        ports(rule.source_ports),
        rule.destination,
        ports(rule.destination_ports)
    )
}

fn reference<Id: ToString>(reference: &Ref<Id>) -> String {
    match reference {
        Ref::Existing(id) => id.to_string(),
        Ref::Planned(key) => format!("new {}", key.label),
    }
}

pub(crate) fn plan(plan: &Plan, most: usize) -> String {
    let mut text = String::new();
    if plan.is_empty() && !plan.has_errors() {
        text += "nothing to do\n";
    }
    let mut left = most;
    for wave in &plan.waves {
        writeln!(text, "  {:?}:", wave.stage).unwrap();
        for one in &wave.actions {
            if left == 0 {
                text += "  -- cut off here\n";
                return text;
            }
            left = left.saturating_sub(1);
            writeln!(text, "    {}", action(one)).unwrap();
        }
    }
    for key in &plan.source_gone {
        writeln!(text, "  {} is gone", short(key)).unwrap();
    }
    for (key, held_back) in &plan.held_back {
        writeln!(text, "  {}", held_back.sentence(key)).unwrap();
    }
    findings(&mut text, &plan.findings);
    text
}

fn action(action: &Action) -> String {
    match action {
        Action::CreateTarget { key, destination, .. } => {
            format!("create target {}: {destination:?}", key.label)
        }
        Action::CreateFilter { key, .. } => format!("create filter {}", key.label),
        Action::SetAmazonDns { key, enabled, .. } => format!("filter {}: amazon-dns {enabled}", key.label),
        Action::CreateRule { key, rule: one, .. } => format!("filter {}: add {}", key.label, rule(one)),
        Action::ModifyRule { key, before, after, .. } => {
            format!("filter {}: change {}\n      to {}", key.label, rule(before), rule(after))
        }
        Action::DeleteRule { key, id } => format!("filter {}: remove {id}", key.label),
        Action::CreateSession { key, settings, .. } => format!(
            "create session of {}: target {}, filter {}, number {}, vni {}",
            short(key),
            reference(&settings.target),
            reference(&settings.filter),
            settings.number,
            settings.vni
        ),
        Action::ModifySession { key, change, .. } => {
            let mut text = format!("change session of {}:", short(key));
            let fields = [
                change.target.as_ref().map(|target| format!("target {}", reference(target))),
                change.filter.as_ref().map(|filter| format!("filter {}", reference(filter))),
                change.number.map(|number| format!("number {number}")),
                change.vni.map(|vni| format!("vni {vni}")),
                change.packet_length.map(|length| format!("length {length:?}")),
                change.description.clone(),
            ];
            text +=
                &fields.into_iter().flatten().map(|field| format!(" {field}")).collect::<Vec<_>>().join(",");
            text
        }
        Action::DeleteSession { key, id } => format!("delete session {id} of {}", short(key)),
        Action::DeleteFilter { key, id } => format!("delete filter {} ({id})", key.label),
        Action::DeleteTarget { key, id } => format!("delete target {} ({id})", key.label),
        Action::CreateShare { principals, targets, .. } => {
            let targets: Vec<String> = targets.iter().map(reference).collect();
            format!("share {} with {principals:?}", targets.join(", "))
        }
        Action::ModifyShare { allows_external, set, remove, .. } => {
            format!("change share: external {allows_external:?}, set {set:?}, remove {remove:?}")
        }
        Action::AddToShare { principals, targets, .. } => {
            let targets: Vec<String> = targets.iter().map(reference).collect();
            format!("add to share: {}, {principals:?}", targets.join(", "))
        }
        Action::JoinShare { place, .. } => format!("join share in {place}"),
        Action::RemoveFromShare { principals, targets, .. } => {
            format!("remove from share: {targets:?}, {principals:?}")
        }
        Action::DeleteShare { .. } => "delete share".to_owned(),
        Action::Retag { resource, set, remove, .. } => {
            format!("tag {resource:?}: set {set:?}, remove {remove:?}")
        }
    }
}

pub(crate) fn drift(drift: &BTreeMap<MemberKey, Drift>) -> String {
    if drift.is_empty() {
        return "as remembered\n".to_owned();
    }
    let mut text = String::new();
    for (key, what) in drift {
        let what = match what {
            Drift::Appeared => "appeared".to_owned(),
            Drift::Changed(fields) => {
                let fields = fields.iter().map(|(field, was, is)| format!("{field} {was} -> {is}"));
                format!("changed by someone: {}", fields.collect::<Vec<_>>().join(", "))
            }
            Drift::Deleted => "deleted by someone".to_owned(),
            Drift::SourceGone => "source gone".to_owned(),
        };
        writeln!(text, "  {}: {what}", short(key)).unwrap();
    }
    text
}

pub(crate) fn world(world: &World) -> String {
    let mut text = String::new();
    let owner = |tags: &enigma_fleet::inventory::Tags| match tags.get("enigma:fleet") {
        Some(fleet) => format!("of {fleet}"),
        None => "of someone else".to_owned(),
    };
    for one in &world.seen.targets {
        writeln!(text, "  target {} {}", one.id, owner(&one.tags)).unwrap();
    }
    for one in &world.seen.filters {
        let dns = if one.amazon_dns { ", amazon-dns" } else { "" };
        writeln!(text, "  filter {} {}: {} rules{dns}", one.id, owner(&one.tags), one.rules.len()).unwrap();
    }
    for one in &world.seen.sessions {
        let name = one.tags.get("Name").map(|name| format!(" {name:?}")).unwrap_or_default();
        writeln!(
            text,
            "  session {} {}{name}: {} -> {}, filter {}, number {}, vni {}",
            one.id,
            owner(&one.tags),
            one.interface,
            one.target,
            one.filter,
            one.number,
            one.vni.unwrap_or_default()
        )
        .unwrap();
    }
    text
}
