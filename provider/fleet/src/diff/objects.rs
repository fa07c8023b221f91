//! Targets and filters.

use std::collections::BTreeSet;

use crate::actions::{Action, Ref, Resource};
use crate::diff::{Circumstances, Draft};
use crate::expand::{DesiredFilter, Expansion};
use crate::filter::{RuleStep, transition};
use crate::finding::{Finding, FindingKind};
use crate::given::Given;
use crate::ids::{FilterId, InterfaceId, Label, ObjectKey, Place};
use crate::inventory::{Destination, MirrorFilter, Tags};
use crate::ownership::Owned;
use crate::plan::{Holder, Stage};
use crate::problem::Path;

impl<'a> Draft<'a> {
    /// Finds or makes the wanted targets. A destination cannot be changed, so another destination is another target.
    /// An interface that others use already can be made none, which is said before anything is done.
    pub(super) fn targets(&mut self, desired: &'a Expansion, owned: &'a Owned, around: &Circumstances) {
        for (key, wanted) in &desired.targets {
            let (Given::Known(destination), Given::Known(tags)) = (&wanted.destination, &wanted.tags) else {
                continue;
            };
            let mut existing = owned.targets.get(key).into_iter().flatten();
            if let Some(target) = existing.find(|target| target.destination == *destination) {
                self.serving_targets.insert(key, target);
                self.retag(&key.place, Resource::Target(target.id.clone()), &target.tags, tags, around);
            } else {
                if let Destination::Interface(interface) = destination {
                    self.new_receivers.insert(interface);
                    self.receiver_taken(key, interface, owned);
                }
                let action = Action::CreateTarget {
                    key: key.clone(),
                    destination: destination.clone(),
                    description: wanted.description.clone(),
                    tags: tags.clone(),
                };
                self.push(Stage::NewTargets, action);
            }
        }
    }

    /// AWS makes no target of a source (`InvalidNetworkInterface.InUse`), and documents nowhere that an interface may
    /// have two targets, so neither is tried. Sessions of the fleet itself leave before.
    fn receiver_taken(&mut self, key: &ObjectKey, interface: &InterfaceId, owned: &Owned) {
        let at = Path::root().attr("targets").key(key.label.as_str()).attr("network_interface_id");
        let target = || key.label.clone();
        let here =
            owned.destinations.iter().find(|(_, to)| **to == Destination::Interface(interface.clone()));
        if let Some((id, _)) = here {
            let kind = FindingKind::InterfaceHasTarget {
                target: target(),
                interface: interface.clone(),
                by: id.clone(),
            };
            self.findings.push(Finding::at(at.clone(), kind));
        }
        let strange = owned.strangers.iter().filter(|(source, _)| source.interface == *interface);
        let sessions: Vec<Holder> = strange.flat_map(|(_, list)| list).map(Holder::of).collect();
        if !sessions.is_empty() {
            let kind =
                FindingKind::InterfaceMirrored { target: target(), interface: interface.clone(), sessions };
            self.findings.push(Finding::at(at, kind));
        }
    }

    /// Finds or makes the wanted filters, and brings their rules and services about.
    pub(super) fn filters(&mut self, desired: &'a Expansion, owned: &'a Owned, around: &Circumstances) {
        // Sessions are in order of places, so most have the filter of the one before.
        let mut used: Vec<&ObjectKey> = desired.sessions.values().map(|session| &session.filter).collect();
        used.dedup();
        let needed: BTreeSet<&ObjectKey> = used.into_iter().collect();
        for (key, wanted) in &desired.filters {
            let Given::Known(tags) = &wanted.tags else { continue };
            let existing = owned.filters.get(key).and_then(|list| list.first());
            // Sessions in a place that could not be read have theirs, although it was not seen.
            if existing.is_none() && !needed.contains(key) {
                continue;
            }
            if let Some(filter) = existing {
                self.serving_filters.insert(key, filter);
                self.retag(&key.place, Resource::Filter(filter.id.clone()), &filter.tags, tags, around);
            } else {
                let action = Action::CreateFilter {
                    key: key.clone(),
                    description: wanted.description.clone(),
                    tags: tags.clone(),
                };
                self.push(Stage::NewFilters, action);
            }
            self.rules(key, wanted, existing, tags, around);
        }
    }

    fn rules(
        &mut self,
        key: &ObjectKey,
        wanted: &DesiredFilter,
        existing: Option<&MirrorFilter>,
        tags: &Tags,
        around: &Circumstances,
    ) {
        let Given::Known(rules) = &wanted.rules else { return };
        let filter: Ref<FilterId> = self.filter_ref(key);
        let has_dns = existing.is_some_and(|filter| filter.amazon_dns);
        let wants_dns = wanted.amazon_dns == Given::Known(true);
        let set_dns = Action::SetAmazonDns { key: key.clone(), filter: filter.clone(), enabled: wants_dns };
        // Mirroring more comes first, mirroring less last.
        if wants_dns && !has_dns {
            self.push(Stage::Rules, set_dns.clone());
        }
        let current = existing.map_or(&[][..], |filter| &filter.rules);
        let transition = transition(current, rules);
        if transition.is_narrower_for_a_moment {
            let kind = FindingKind::FilterNarrowsForAMoment { filter: key.clone() };
            let at = Path::root().attr("filters").key(key.label.as_str()).attr("rules");
            self.findings.push(Finding::at(at, kind));
        }
        let mut gone = Vec::new();
        for step in transition.steps {
            let key = key.clone();
            let action = match step {
                RuleStep::Create(rule) => {
                    Action::CreateRule { key, filter: filter.clone(), rule, tags: tags.clone() }
                }
                RuleStep::Delete(id) => {
                    gone.push(id.clone());
                    Action::DeleteRule { key, id }
                }
                RuleStep::Modify { id, before, after } => Action::ModifyRule { key, id, before, after },
            };
            self.push(Stage::Rules, action);
        }
        if has_dns && !wants_dns {
            self.push(Stage::Rules, set_dns);
        }
        for rule in current.iter().filter(|rule| !gone.contains(&rule.id)) {
            // Rules are found by their filter.
            let rule_id = Resource::FilterRule(rule.id.clone());
            self.retag_in(Stage::Tags, &key.place, rule_id, &rule.tags, tags, around);
        }
    }

    /// Removes what is left without use, unless sessions of others use it.
    pub(super) fn unused(&mut self, desired: &Expansion, owned: &'a Owned) {
        let keyed =
            owned.filters.iter().flat_map(|(key, list)| list.iter().map(move |one| (key.clone(), one)));
        let unkeyed = owned
            .unkeyed_filters
            .iter()
            .filter_map(|(place, one)| Some((keyless(place, one.id.as_str())?, one)));
        for (key, filter) in keyed.chain(unkeyed) {
            let serves = self.serving_filters.values().any(|serving| serving.id == filter.id);
            if serves || self.used_filters.contains(&filter.id) {
                continue;
            }
            if owned.filters_of_strangers.contains(&filter.id) {
                let unread = owned.needed_out_of_sight(|session| session.filter == filter.id);
                self.stays(format!("filter {key} ({})", filter.id), unread);
                continue;
            }
            // AWS does not say whether a filter goes with its rules, so rules go first; both in one lane.
            for rule in &filter.rules {
                let action = Action::DeleteRule { key: key.clone(), id: rule.id.clone() };
                self.push(Stage::UnusedFilters, action);
            }
            let action = Action::DeleteFilter { key, id: filter.id.clone() };
            self.push(Stage::UnusedFilters, action);
        }
        let keyed =
            owned.targets.iter().flat_map(|(key, list)| list.iter().map(move |one| (key.clone(), one)));
        let unkeyed = owned
            .unkeyed_targets
            .iter()
            .filter_map(|(place, one)| Some((keyless(place, one.id.as_str())?, one)));
        for (key, target) in keyed.chain(unkeyed) {
            let serves = self.serving_targets.values().any(|serving| serving.id == target.id);
            let is_kept = self.used_targets.contains(&target.id)
                || desired.kept.values().any(|kept| kept.target.as_ref() == Some(&key.label));
            if serves || is_kept {
                continue;
            }
            if owned.targets_of_strangers.contains(&target.id) {
                let unread = owned.needed_out_of_sight(|session| session.target == target.id);
                self.stays(format!("target {key} ({})", target.id), unread);
                continue;
            }
            self.push(Stage::UnusedTargets, Action::DeleteTarget { key, id: target.id.clone() });
        }
    }

    fn stays(&mut self, object: String, unread: Vec<Place>) {
        let kind = FindingKind::ObjectInUseByOthers { object, unread };
        self.findings.push(Finding::at(Path::root(), kind));
    }
}

/// A key for an object whose own was lost: its id has the shape of a label.
fn keyless(place: &Place, id: &str) -> Option<ObjectKey> {
    let label: Label = id.parse().ok()?;
    Some(ObjectKey { place: place.clone(), label })
}
