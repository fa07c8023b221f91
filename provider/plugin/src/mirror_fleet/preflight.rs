//! What AWS says about a plan before anything is made: quotas that others use, load balancers, permissions, time.
//!
//! The answer becomes diagnostics and nothing else, because planned values must be a function of what was written and stored. It
//! looks at the world as an apply would, so that what would stop an apply stops the plan. A plan without changes is
//! not looked at.

use std::sync::Arc;

use enigma_fleet::check::{self, Scene};
use enigma_fleet::finding::FindingKind;
use enigma_reconcile::ports::Cloud;
use enigma_reconcile::preflight::gather;
use enigma_tfplugin::{Diagnostic, Diagnostics};
use tracing::debug;

use super::applying::{self, Occasion};
use super::looking;
use super::planning::{Decision, Question};
use super::state::Computed;
use super::{tags, unread};
use crate::diagnostics;

/// Looks at a plan that has something to do, with what it promises; `description` is what its targets will carry.
pub(super) async fn look(
    cloud: &Arc<dyn Cloud>,
    question: &Question<'_>,
    decision: &Decision,
    planned: &Computed,
    description: &str,
) -> Diagnostics {
    let known = looking::places_of(question.before, question.home);
    let shared = looking::shared(question.before);
    let occasion = match question.prior {
        None => Occasion::Create(&known),
        Some(_) => Occasion::Update {
            reviewed: question.before.rows().keys().filter_map(|key| key.parse().ok()).collect(),
            known: &known,
            shared: &shared,
            ids: question.before.known_ids(),
            former_tags: tags::former(&question.before.tags_all),
            forgotten: &decision.forgotten,
            settled: looking::settled(planned),
        },
    };
    let expansion = decision.expansion.clone();
    let ready =
        match applying::prepare(cloud.as_ref(), question.home, expansion, description, &occasion).await {
            Ok(ready) => ready,
            Err(why) => return why,
        };
    let asked = gather(cloud.as_ref(), &decision.spec, question.home, &ready.plan).await;
    let scene = Scene {
        spec: &decision.spec,
        home: question.home,
        members: &decision.observation.members,
        expansion: &decision.expansion,
        places: &ready.inventory.places,
        facts: &decision.facts,
        answers: &asked.answers,
    };
    let seen = check::preflight(&scene);
    for room in &seen.headroom {
        let percent_left = room.percent_left();
        debug!(what = room.what, of = %room.of, room.used, room.limit, percent_left, "room below AWS's limit");
    }
    // What is made in the same apply is unknown here, and known there.
    let is_told = |kind: &FindingKind| !matches!(kind, FindingKind::ValueUnknown { .. });
    let findings = ready.findings.iter().chain(&seen.findings).filter(|finding| is_told(&finding.kind));
    let unanswered = asked.unanswered.iter().map(|error| {
        Diagnostic::warning(
            "Not everything could be checked before the apply",
            format!(
                "{error}. A permission that is missing shows in the apply. Whether packets arrive at a load balancer does not: AWS sends \
                 them there without a word, whether or not anything listens."
            ),
        )
    });
    let held_back = diagnostics::held_back(&ready.plan, true);
    let waiting = unread::waiting(&ready.apart);
    findings.map(diagnostics::finding).chain(waiting).chain(held_back).chain(unanswered).collect()
}
