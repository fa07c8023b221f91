//! A company's places, each a [`World`] of its own. What a share says is what an account sees, at once; a target's owner sees the
//! sessions of others on it without their tags, as AWS shows them.

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::actions::{Action, SessionChange, SessionSettings};
use enigma_fleet::check;
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::drift::refresh;
use enigma_fleet::expand::{Expansion, Facts, Prior, expand};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{MemberKey, Place};
use enigma_fleet::inventory::{Inventory, PlaceInventory, ResourceShare, Tags};
use enigma_fleet::ownership::{Owned, own};
use enigma_fleet::plan::Plan;
use enigma_fleet::selection::{self, Member, RawRule, RawSelection, select};
use enigma_fleet::spec::{FleetSpec, RawFleet, RawSafety, RawTarget, parse};

use super::{World, eni, home};

pub(crate) fn known(text: &str) -> Given<String> {
    Given::Known(text.to_owned())
}

pub(crate) fn place(account: &str, region: &str) -> Place {
    Place { account: account.parse().unwrap(), region: region.parse().unwrap() }
}

/// Two accounts beside the home account, in the home Region and in another; the home account in both.
pub(crate) fn places() -> [Place; 5] {
    [
        place("111111111111", "eu-west-1"),
        place("111111111111", "us-east-1"),
        place("222222222222", "eu-west-1"),
        place("222222222222", "us-east-1"),
        place("333333333333", "us-east-1"),
    ]
}

pub(crate) fn arn(region: &str, name: &str) -> String {
    format!("arn:aws:elasticloadbalancing:{region}:111111111111:loadbalancer/net/{name}/0123456789abcdef")
}

/// Targets by label with the Region each says, and whether sessions of nobody are taken over.
pub(crate) fn fleet(targets: &[(&str, Option<&str>)], adopt: bool) -> FleetSpec {
    let target = |label: &str, region: Option<&str>| {
        let arn = arn(region.unwrap_or("eu-west-1"), label);
        Given::Known(RawTarget {
            network_load_balancer_arn: known(&arn),
            region: region.map_or(Given::Absent, known),
            ..RawTarget::default()
        })
    };
    let adopt = if adopt { known("matching") } else { Given::Absent };
    let raw = RawFleet {
        name: known("prod"),
        targets: Given::Known(
            targets.iter().map(|(label, region)| ((*label).to_owned(), target(label, *region))).collect(),
        ),
        safety: Given::Known(RawSafety { max_removals: known("100%"), adopt, ..RawSafety::default() }),
        ..RawFleet::default()
    };
    let (spec, problems) = parse(&raw);
    assert_eq!(problems, []);
    spec.unwrap()
}

#[derive(Clone, Default)]
pub(crate) struct Company {
    pub(crate) worlds: BTreeMap<Place, World>,
}

impl Company {
    pub(crate) fn new() -> Self {
        let worlds = places()
            .into_iter()
            .enumerate()
            .map(|(number, place)| (place.clone(), World::at(&place, u32::try_from(number).unwrap() << 24)));
        Self { worlds: worlds.collect() }
    }

    /// One more place, empty.
    pub(crate) fn add(&mut self, place: &Place) {
        let number = u32::try_from(self.worlds.len()).unwrap();
        self.worlds.insert(place.clone(), World::at(place, number << 24));
    }

    /// The only share of a place.
    pub(crate) fn share_of(&mut self, place: &Place) -> &mut ResourceShare {
        let shares = &mut self.worlds.get_mut(place).unwrap().seen.shares;
        assert_eq!(shares.len(), 1);
        &mut shares[0]
    }

    pub(crate) fn launch(&mut self, place: &Place, number: u32) {
        let world = self.worlds.get_mut(place).unwrap();
        if !world.seen.interfaces.iter().any(|one| one.id == eni(number)) {
            world.launch(number, "m5.large", 0, &[]);
        }
    }

    /// What each account shows: its own objects, targets shared with it, and others' sessions on its targets without their tags.
    pub(crate) fn seen(&self) -> BTreeMap<Place, PlaceInventory> {
        let mut all: BTreeMap<Place, PlaceInventory> =
            self.worlds.iter().map(|(place, world)| (place.clone(), world.seen.clone())).collect();
        for (place, seen) in &mut all {
            let own: BTreeSet<_> = seen
                .targets
                .iter()
                .filter(|one| one.owner == place.account)
                .map(|one| one.id.clone())
                .collect();
            let others =
                self.worlds.iter().filter(|(other, _)| *other != place && other.region == place.region);
            // What the shares of others let it see.
            for (_, other) in others.clone() {
                let is_in = |share: &&ResourceShare| {
                    share.principals.get(place.account.as_str()).is_some_and(|status| status.is_held())
                };
                for id in other.seen.shares.iter().filter(is_in).flat_map(|share| share.targets.keys()) {
                    let target = other.seen.targets.iter().find(|one| one.id == *id);
                    seen.targets.extend(target.cloned());
                }
            }
            for session in
                others.flat_map(|(_, world)| &world.seen.sessions).filter(|one| own.contains(&one.target))
            {
                let mut view = session.clone();
                view.tags = Tags::new();
                seen.sessions.push(view);
            }
        }
        all
    }

    pub(crate) fn owned(&self, spec: &FleetSpec) -> Owned {
        own(&spec.name, &self.seen())
    }

    /// Everybody in these places.
    pub(crate) fn members(seen: &BTreeMap<Place, PlaceInventory>) -> BTreeMap<MemberKey, Member> {
        let inventory = Inventory { places: seen.clone(), unread: BTreeMap::new() };
        let rules = [("everything".to_owned(), Given::Known(RawRule::default()))].into();
        let rules = RawSelection { rules: Given::Known(rules), ..RawSelection::default() };
        select(&selection::parse(&rules).0.unwrap(), &inventory).members
    }

    pub(crate) fn wanted(&self, spec: &FleetSpec) -> Expansion {
        let seen = self.seen();
        let members = Self::members(&seen);
        let prior = refresh(&Prior::default(), &self.owned(spec), &BTreeSet::new()).prior;
        let facts = Facts::of(spec, &home(), &seen);
        expand(spec, &home(), &members, &prior, &facts)
    }

    pub(crate) fn plan(&self, wanted: &Expansion, spec: &FleetSpec) -> Plan {
        let owned = self.owned(spec);
        let plan = diff(wanted, &owned, &Circumstances::default());
        assert_eq!(check::plan(&plan, &owned, wanted), []);
        plan
    }

    pub(crate) fn apply(&mut self, plan: &Plan, most: usize) {
        for action in plan.actions().take(most) {
            if let Action::CreateSession { key, settings: SessionSettings { target, .. }, .. }
            | Action::ModifySession { key, change: SessionChange { target: Some(target), .. }, .. } =
                action
            {
                let id = self.worlds[&key.place].target(target);
                let is_seen = self.seen()[&key.place].targets.iter().any(|one| one.id == id);
                assert!(is_seen, "InvalidTrafficMirrorTargetId.NotFound {id} in {}", key.place);
            }
            let world = self.worlds.get_mut(action.place()).unwrap();
            world.act(action);
            if let Action::CreateTarget { key, .. } = action {
                let id = world.made_targets[key].clone();
                for other in self.worlds.values_mut() {
                    other.made_targets.insert(key.clone(), id.clone());
                }
            }
        }
    }

    /// A session of nobody on `number` to the load balancer of a target.
    pub(crate) fn by_hand(&mut self, place: &Place, number: u32, label: &str, vni: u32) {
        let arn = arn(place.region.as_str(), label);
        let world = self.worlds.get_mut(place).unwrap();
        world.session_of_others(number, 7, vni, &arn);
        // The target it sends to is the collector account's.
        let target = world.seen.targets.last_mut().unwrap();
        target.owner = home().account;
    }

    /// Everything without the fleet's tag, with its place.
    pub(crate) fn of_nobody(&self) -> BTreeSet<String> {
        let sessions = self.worlds.values().flat_map(|world| &world.seen.sessions);
        sessions.filter(|one| !one.tags.contains_key("enigma:fleet")).map(|one| one.id.to_string()).collect()
    }
}
