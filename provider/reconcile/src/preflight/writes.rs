//! Which writes of a plan are tried out: one of each kind in each place, and none whose answer would say nothing.
//!
//! Policies, our own among them, allow changing what carries the fleet's tag. What gets it only in the apply has none
//! while a plan is made, so that AWS would refuse a dry run on it although the real call will be allowed: filters
//! that the plan makes, and sessions that it adopts. No I/O.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::actions::{Action, Ref, Resource};
use enigma_fleet::ids::{FilterId, Place, SessionId, TargetId};
use enigma_fleet::inventory::Tags;
use enigma_fleet::plan::{Plan, Stage};

use crate::ports::DryRun;

/// Writes to try out in each place, by AWS's name of the action. Adoptions stand for themselves: policies allow them
/// by other statements than tags of what is the fleet's.
pub(super) fn of(plan: &Plan) -> BTreeMap<Place, Vec<DryRun>> {
    let adopted = adopted(plan);
    let mut writes: BTreeMap<Place, BTreeMap<(&'static str, bool), DryRun>> = BTreeMap::new();
    for wave in &plan.waves {
        for action in &wave.actions {
            let of_place = writes.entry(action.place().clone()).or_default();
            for write in writes_for(action, &adopted) {
                of_place.entry((write.operation(), wave.stage == Stage::Adoptions)).or_insert(write);
            }
        }
    }
    writes.retain(|_, of_place| !of_place.is_empty());
    writes.into_iter().map(|(place, of_place)| (place, of_place.into_values().collect())).collect()
}

/// Sessions that are nobody's until the apply.
fn adopted(plan: &Plan) -> BTreeSet<&SessionId> {
    let adoptions = plan.waves.iter().filter(|wave| wave.stage == Stage::Adoptions);
    adoptions
        .flat_map(|wave| &wave.actions)
        .filter_map(|action| match action {
            Action::Retag { resource: Resource::Session(id), .. } => Some(id),
            _ => None,
        })
        .collect()
}

/// What an action calls EC2 for. RAM has no dry runs.
fn writes_for(action: &Action, adopted: &BTreeSet<&SessionId>) -> Vec<DryRun> {
    let write = match action {
        Action::CreateTarget { destination, tags, .. } => {
            DryRun::CreateTarget(destination.clone(), tags.clone())
        }
        Action::CreateFilter { tags, .. } => DryRun::CreateFilter(tags.clone()),
        Action::SetAmazonDns { filter: Ref::Existing(id), .. } => DryRun::SetAmazonDns(id.clone()),
        Action::CreateRule { filter: Ref::Existing(id), tags, .. } => {
            DryRun::CreateRule(id.clone(), tags.clone())
        }
        Action::ModifyRule { id, .. } => DryRun::ModifyRule(id.clone()),
        Action::DeleteRule { id, .. } => DryRun::DeleteRule(id.clone()),
        Action::CreateSession { key, settings, tags } => DryRun::CreateSession {
            interface: key.interface.clone(),
            target: target_id(&settings.target),
            filter: filter_id(&settings.filter),
            tags: tags.clone(),
        },
        Action::ModifySession { id, .. } if !adopted.contains(id) => DryRun::ModifySession(id.clone()),
        Action::DeleteSession { id, .. } if !adopted.contains(id) => DryRun::DeleteSession(id.clone()),
        Action::DeleteFilter { id, .. } => DryRun::DeleteFilter(id.clone()),
        Action::DeleteTarget { id, .. } => DryRun::DeleteTarget(id.clone()),
        Action::Retag { resource, set, remove, .. } => return retag(resource, set, remove),
        Action::SetAmazonDns { .. }
        | Action::CreateRule { .. }
        | Action::ModifySession { .. }
        | Action::DeleteSession { .. }
        | Action::CreateShare { .. }
        | Action::ModifyShare { .. }
        | Action::AddToShare { .. }
        | Action::JoinShare { .. }
        | Action::RemoveFromShare { .. }
        | Action::DeleteShare { .. } => return Vec::new(),
    };
    vec![write]
}

fn retag(resource: &Resource, set: &Tags, remove: &[String]) -> Vec<DryRun> {
    let mut writes = Vec::new();
    if !set.is_empty() {
        writes.push(DryRun::SetTags(resource.clone(), set.clone()));
    }
    if !remove.is_empty() {
        writes.push(DryRun::RemoveTags(resource.clone(), remove.to_vec()));
    }
    writes
}

/// The id, or one of its kind where the plan makes it first: AWS judges by the kind, since nothing has to carry a tag
/// to be used by a session.
fn target_id(reference: &Ref<TargetId>) -> TargetId {
    match reference {
        Ref::Existing(id) => id.clone(),
        Ref::Planned(_) => "tmt-00000000000000000".parse().expect("the form of a target id"),
    }
}

fn filter_id(reference: &Ref<FilterId>) -> FilterId {
    match reference {
        Ref::Existing(id) => id.clone(),
        Ref::Planned(_) => "tmf-00000000000000000".parse().expect("the form of a filter id"),
    }
}

#[cfg(test)]
mod tests {
    use enigma_fleet::actions::SessionChange;

    use super::*;
    use crate::kit::{create_filter, create_rule, create_session, home, key, member, plan, rule};

    fn operations(plan: &Plan) -> Vec<&'static str> {
        of(plan).remove(&home()).unwrap_or_default().iter().map(DryRun::operation).collect()
    }

    #[test]
    fn a_filter_that_the_plan_makes_is_not_tried_out_one_that_exists_is() {
        let dns = |filter| Action::SetAmazonDns { key: key("f"), filter, enabled: true };
        let mut rules = vec![dns(Ref::Planned(key("f"))), create_rule("f", 10)];
        let first = plan(vec![(Stage::NewFilters, vec![create_filter("f")]), (Stage::Rules, rules.clone())]);
        assert_eq!(operations(&first), ["CreateTrafficMirrorFilter"]);
        let exists: FilterId = "tmf-00000000000000001".parse().unwrap();
        let filter = || Ref::Existing(exists.clone());
        rules.push(dns(filter()));
        rules.push(Action::CreateRule { key: key("g"), filter: filter(), rule: rule(1), tags: Tags::new() });
        let writes = of(&plan(vec![(Stage::Rules, rules)]));
        let expected = [DryRun::CreateRule(exists.clone(), Tags::new()), DryRun::SetAmazonDns(exists)];
        assert_eq!(writes[&home()], expected, "and never the one that is made");
    }

    #[test]
    fn a_session_that_is_adopted_is_tried_out_as_an_adoption_alone() {
        let (adopted, own): (SessionId, SessionId) =
            ("tms-00000000000000001".parse().unwrap(), "tms-00000000000000002".parse().unwrap());
        let interface = "eni-00000000000000001".parse().unwrap();
        let modify = |id: &SessionId| Action::ModifySession {
            key: member(&interface),
            id: id.clone(),
            change: SessionChange::default(),
        };
        let retag = |id: &SessionId| Action::Retag {
            place: home(),
            resource: Resource::Session(id.clone()),
            set: Tags::from([("enigma:fleet".to_owned(), "prod".to_owned())]),
            remove: Vec::new(),
        };
        let mut waves =
            vec![(Stage::Adoptions, vec![retag(&adopted)]), (Stage::ChangedSessions, vec![modify(&adopted)])];
        assert_eq!(operations(&plan(waves.clone())), ["CreateTags"]);
        waves[1].1.push(modify(&own));
        waves.push((Stage::Tags, vec![retag(&own)]));
        let writes = of(&plan(waves));
        assert!(writes[&home()].contains(&DryRun::ModifySession(own)), "{writes:?}");
        assert_eq!(writes[&home()].len(), 3, "tags of an adoption, and of what is the fleet's: {writes:?}");
    }

    #[test]
    fn a_thousand_sessions_are_one_dry_run() {
        let sessions =
            (1..=1000).map(|number| create_session(&format!("eni-{number:017x}").parse().unwrap(), "f"));
        assert_eq!(
            operations(&plan(vec![(Stage::NewSessions, sessions.collect())])),
            ["CreateTrafficMirrorSession"]
        );
    }
}
