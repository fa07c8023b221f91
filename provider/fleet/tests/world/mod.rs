//! A small AWS as plain data: what plans are applied to and what is observed again.
//!
//! It refuses what AWS refuses (numbers taken, objects in use, a fourth session, an eleventh rule), so a plan that
//! would fail there fails here. Ids count up, so that outputs are stable.
#![allow(dead_code, reason = "each test binary uses its part")]

pub(crate) mod company;
mod share;

use std::collections::{BTreeMap, BTreeSet};

use enigma_fleet::actions::{Action, Ref, Resource};
use enigma_fleet::drift::{Refreshed, refresh};
use enigma_fleet::expand::Prior;
use enigma_fleet::ids::{
    FilterId, FleetName, InstanceId, InterfaceId, MemberKey, ObjectKey, Place, SessionId, TargetId,
};
use enigma_fleet::inventory::{
    Attachment, Destination, Instance, Interface, Inventory, MirrorFilter, MirrorSession, MirrorTarget,
    ObservedRule, PlaceInventory, Subnet, Tags,
};
use enigma_fleet::ownership::{Owned, own};
use enigma_fleet::plan::Plan;

pub(crate) fn home() -> Place {
    Place { account: "111111111111".parse().unwrap(), region: "eu-west-1".parse().unwrap() }
}

pub(crate) fn eni(number: u32) -> InterfaceId {
    format!("eni-{number:08x}").parse().unwrap()
}

pub(crate) fn instance_id(number: u32) -> InstanceId {
    format!("i-{number:08x}").parse().unwrap()
}

pub(crate) fn key(number: u32) -> MemberKey {
    MemberKey { place: home(), interface: eni(number) }
}

pub(crate) const ARN: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/net/mirror/0123456789abcdef";

#[derive(Clone, Debug)]
pub(crate) struct World {
    place: Place,
    pub(crate) seen: PlaceInventory,
    next: u32,
    /// What creations of the current plan made, by key.
    pub(crate) made_targets: BTreeMap<ObjectKey, TargetId>,
    made_filters: BTreeMap<ObjectKey, FilterId>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::at(&home(), 0)
    }

    /// Another place, whose ids count up from `first`.
    pub(crate) fn at(place: &Place, first: u32) -> Self {
        let mut world = Self {
            place: place.clone(),
            seen: PlaceInventory::default(),
            next: first,
            made_targets: BTreeMap::new(),
            made_filters: BTreeMap::new(),
        };
        for (number, zone) in ["a", "b"].into_iter().enumerate() {
            let zone = format!("{}{zone}", place.region);
            world.seen.subnets.push(Subnet {
                owner: place.account.clone(),
                id: format!("subnet-{number:08x}").parse().unwrap(),
                vpc: "vpc-00000001".parse().unwrap(),
                zone: zone.parse().unwrap(),
                zone_id: None,
                is_ipv6_only: false,
                tags: Tags::new(),
            });
        }
        world
    }

    /// Launches an instance whose id and interface have `number`.
    pub(crate) fn launch(
        &mut self,
        number: u32,
        instance_type: &str,
        zone: usize,
        tags: &[(&str, &str)],
    ) -> &mut Interface {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let instance = Instance {
            id: instance_id(number),
            instance_type: instance_type.to_owned(),
            state: "running".to_owned(),
            tags,
        };
        self.seen.instances.push(instance);
        self.attach(number, Some(number), zone)
    }

    pub(crate) fn attach(&mut self, number: u32, instance: Option<u32>, zone: usize) -> &mut Interface {
        let subnet = &self.seen.subnets[zone];
        let index = self.seen.interfaces.iter().filter(|other| {
            instance.is_some()
                && other.attachment.as_ref().and_then(|a| a.instance.clone()) == instance.map(instance_id)
        });
        let attachment = Attachment {
            instance: instance.map(instance_id),
            device_index: u32::try_from(index.count()).unwrap(),
            status: "attached".to_owned(),
        };
        self.seen.interfaces.push(Interface {
            place: self.place.clone(),
            id: eni(number),
            owner: self.place.account.clone(),
            kind: "interface".to_owned(),
            is_requester_managed: false,
            requester: None,
            description: String::new(),
            vpc: subnet.vpc.clone(),
            subnet: subnet.id.clone(),
            zone: subnet.zone.clone(),
            ipv4: None,
            secondary_ipv4: Vec::new(),
            ipv6: Vec::new(),
            attachment: Some(attachment),
            tags: Tags::new(),
        });
        self.seen.interfaces.last_mut().unwrap()
    }

    /// Terminates an instance: its interfaces go, and AWS removes their sessions.
    pub(crate) fn terminate(&mut self, number: u32) {
        let id = instance_id(number);
        self.seen.instances.retain(|instance| instance.id != id);
        let is_its = |interface: &Interface| {
            interface.attachment.as_ref().and_then(|attachment| attachment.instance.as_ref()) == Some(&id)
        };
        let gone: BTreeSet<InterfaceId> =
            self.seen.interfaces.iter().filter(|one| is_its(one)).map(|one| one.id.clone()).collect();
        self.seen.interfaces.retain(|one| !gone.contains(&one.id));
        self.seen.sessions.retain(|one| !gone.contains(&one.interface));
    }

    /// A session of someone else, with a target and filter of its own.
    pub(crate) fn stranger(&mut self, number: u32, session_number: i64, vni: u32) -> SessionId {
        self.session_of_others(number, session_number, vni, &format!("{ARN}-other"))
    }

    /// The same to a load balancer of one's choice.
    pub(crate) fn session_of_others(
        &mut self,
        number: u32,
        session_number: i64,
        vni: u32,
        arn: &str,
    ) -> SessionId {
        let target = self.add_target(Destination::NetworkLoadBalancer(arn.to_owned()), Tags::new());
        self.session_to(number, session_number, vni, &target)
    }

    /// The same to a target that exists, here or elsewhere.
    pub(crate) fn session_to(
        &mut self,
        number: u32,
        session_number: i64,
        vni: u32,
        target: &TargetId,
    ) -> SessionId {
        let id: FilterId = format!("tmf-{:08x}", self.count()).parse().unwrap();
        let filter = MirrorFilter {
            id: id.clone(),
            description: String::new(),
            amazon_dns: false,
            rules: Vec::new(),
            tags: Tags::new(),
        };
        self.seen.filters.push(filter);
        let session = MirrorSession {
            id: format!("tms-{:08x}", self.count()).parse().unwrap(),
            owner: self.place.account.clone(),
            interface: eni(number),
            target: target.clone(),
            filter: id,
            number: session_number.try_into().unwrap(),
            vni: Some(vni),
            packet_length: None,
            description: "someone else's".to_owned(),
            tags: Tags::new(),
        };
        self.seen.sessions.push(session.clone());
        session.id
    }

    pub(crate) fn inventory(&self) -> Inventory {
        Inventory { places: [(home(), self.seen.clone())].into(), unread: BTreeMap::new() }
    }

    pub(crate) fn owned(&self, fleet: &FleetName) -> Owned {
        own(fleet, &[(home(), self.seen.clone())].into())
    }

    /// What a refresh finds.
    pub(crate) fn refresh(&self, prior: &Prior, fleet: &FleetName) -> Refreshed {
        refresh(prior, &self.owned(fleet), &self.gone(prior.sessions.keys()))
    }

    /// Those of `keys` whose interface does not exist.
    pub(crate) fn gone<'a>(&self, keys: impl IntoIterator<Item = &'a MemberKey>) -> BTreeSet<MemberKey> {
        let exists = |key: &MemberKey| self.seen.interfaces.iter().any(|one| one.id == key.interface);
        keys.into_iter().filter(|key| !exists(key)).cloned().collect()
    }

    /// Everything that no tag of the fleet claims.
    pub(crate) fn strangers(&self) -> (Vec<MirrorTarget>, Vec<MirrorFilter>, Vec<MirrorSession>) {
        let is_other = |tags: &Tags| !tags.contains_key("enigma:fleet");
        (
            self.seen.targets.iter().filter(|one| is_other(&one.tags)).cloned().collect(),
            self.seen.filters.iter().filter(|one| is_other(&one.tags)).cloned().collect(),
            self.seen.sessions.iter().filter(|one| is_other(&one.tags)).cloned().collect(),
        )
    }

    /// Carries out the first `most` actions of a plan, as an execution that is cut off there would.
    pub(crate) fn apply(&mut self, plan: &Plan, most: usize) {
        self.made_targets.clear();
        self.made_filters.clear();
        for action in plan.actions().take(most) {
            self.act(action);
        }
    }

    pub(super) fn count(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub(crate) fn add_target(&mut self, destination: Destination, tags: Tags) -> TargetId {
        let id: TargetId = format!("tmt-{:08x}", self.count()).parse().unwrap();
        let target = MirrorTarget {
            id: id.clone(),
            owner: self.place.account.clone(),
            destination,
            description: String::new(),
            tags,
        };
        self.seen.targets.push(target);
        id
    }

    pub(crate) fn target(&self, reference: &Ref<TargetId>) -> TargetId {
        match reference {
            Ref::Existing(id) => id.clone(),
            Ref::Planned(key) => self.made_targets[key].clone(),
        }
    }

    fn filter(&self, reference: &Ref<FilterId>) -> FilterId {
        match reference {
            Ref::Existing(id) => id.clone(),
            Ref::Planned(key) => self.made_filters[key].clone(),
        }
    }

    /// Carries out one action.
    pub(crate) fn act(&mut self, action: &Action) {
        match action {
            Action::CreateTarget { key, destination, tags, .. } => {
                self.check_receiver(destination);
                let id = self.add_target(destination.clone(), tags.clone());
                self.made_targets.insert(key.clone(), id);
            }
            Action::CreateFilter { key, description, tags } => {
                let id: FilterId = format!("tmf-{:08x}", self.count()).parse().unwrap();
                self.made_filters.insert(key.clone(), id.clone());
                let (description, tags) = (description.clone(), tags.clone());
                self.seen.filters.push(MirrorFilter {
                    id,
                    description,
                    amazon_dns: false,
                    rules: Vec::new(),
                    tags,
                });
            }
            Action::SetAmazonDns { filter, enabled, .. } => {
                let id = self.filter(filter);
                self.seen.filters.iter_mut().find(|one| one.id == id).unwrap().amazon_dns = *enabled;
            }
            Action::CreateRule { filter, rule, tags, .. } => {
                let id = self.filter(filter);
                let rule_id = format!("tmfr-{:08x}", self.count()).parse().unwrap();
                let filter = self.seen.filters.iter_mut().find(|one| one.id == id).unwrap();
                filter.rules.push(ObservedRule { id: rule_id, rule: rule.clone(), tags: tags.clone() });
                check_rules(filter);
            }
            Action::ModifyRule { id, before, after, .. } => {
                let filter = self
                    .seen
                    .filters
                    .iter_mut()
                    .find(|one| one.rules.iter().any(|rule| rule.id == *id))
                    .unwrap();
                let rule = filter.rules.iter_mut().find(|rule| rule.id == *id).unwrap();
                assert_eq!(rule.rule, *before);
                rule.rule = after.clone();
                check_rules(filter);
            }
            Action::DeleteRule { id, .. } => {
                let filter = self
                    .seen
                    .filters
                    .iter_mut()
                    .find(|one| one.rules.iter().any(|rule| rule.id == *id))
                    .unwrap();
                filter.rules.retain(|rule| rule.id != *id);
            }
            Action::CreateSession { key, settings, tags } => {
                let (target, filter) = (self.target(&settings.target), self.filter(&settings.filter));
                assert!(
                    self.seen.interfaces.iter().any(|one| one.id == key.interface),
                    "{key} does not exist"
                );
                let id = format!("tms-{:08x}", self.count()).parse().unwrap();
                // AWS fills in its default for load balancers.
                let to_nlb = self.seen.targets.iter().any(|one| {
                    one.id == target && matches!(one.destination, Destination::NetworkLoadBalancer(_))
                });
                let default = to_nlb.then(|| 8500.try_into().unwrap());
                self.seen.sessions.push(MirrorSession {
                    id,
                    owner: key.place.account.clone(),
                    interface: key.interface.clone(),
                    target,
                    filter,
                    number: settings.number,
                    vni: Some(settings.vni.get()),
                    packet_length: settings.packet_length.or(default),
                    description: settings.description.clone(),
                    tags: tags.clone(),
                });
                self.check_sessions(&key.interface);
            }
            Action::ModifySession { key, id, change } => {
                let target = change.target.as_ref().map(|one| self.target(one));
                let filter = change.filter.as_ref().map(|one| self.filter(one));
                let session = self.seen.sessions.iter_mut().find(|one| one.id == *id).unwrap();
                session.target = target.unwrap_or_else(|| session.target.clone());
                session.filter = filter.unwrap_or_else(|| session.filter.clone());
                session.number = change.number.unwrap_or(session.number);
                session.vni = change.vni.map(|vni| vni.get()).or(session.vni);
                session.packet_length = change.packet_length.unwrap_or(session.packet_length);
                session.description =
                    change.description.clone().unwrap_or_else(|| session.description.clone());
                self.check_sessions(&key.interface);
            }
            Action::DeleteSession { id, .. } => {
                let before = self.seen.sessions.len();
                self.seen.sessions.retain(|one| one.id != *id);
                assert_eq!(self.seen.sessions.len() + 1, before, "{id} does not exist");
            }
            Action::DeleteFilter { id, .. } => {
                assert!(
                    self.seen.sessions.iter().all(|one| one.filter != *id),
                    "TrafficMirrorFilterInUse {id}"
                );
                let filter = self.seen.filters.iter().find(|one| one.id == *id).unwrap();
                assert!(filter.rules.is_empty(), "{id} still has rules");
                self.seen.filters.retain(|one| one.id != *id);
            }
            Action::DeleteTarget { id, .. } => {
                assert!(
                    self.seen.sessions.iter().all(|one| one.target != *id),
                    "TrafficMirrorTargetInUse {id}"
                );
                let before = self.seen.targets.len();
                self.seen.targets.retain(|one| one.id != *id);
                assert_eq!(self.seen.targets.len() + 1, before, "{id} does not exist");
            }
            Action::CreateShare { .. }
            | Action::ModifyShare { .. }
            | Action::AddToShare { .. }
            | Action::RemoveFromShare { .. }
            | Action::DeleteShare { .. } => self.act_on_share(action),
            // It waits, and here nothing needs time.
            Action::JoinShare { .. } => {}
            Action::Retag { resource, set, remove, .. } => {
                let tags = self.tags(resource);
                tags.extend(set.clone());
                tags.retain(|key, _| !remove.contains(key));
            }
        }
    }

    fn tags(&mut self, resource: &Resource) -> &mut Tags {
        let seen = &mut self.seen;
        match resource {
            Resource::Target(id) => &mut seen.targets.iter_mut().find(|one| one.id == *id).unwrap().tags,
            Resource::Filter(id) => &mut seen.filters.iter_mut().find(|one| one.id == *id).unwrap().tags,
            Resource::FilterRule(id) => {
                let mut rules = seen.filters.iter_mut().flat_map(|one| &mut one.rules);
                &mut rules.find(|one| one.id == *id).unwrap().tags
            }
            Resource::Session(id) => &mut seen.sessions.iter_mut().find(|one| one.id == *id).unwrap().tags,
        }
    }

    /// An interface is a target once, and not while it is a source.
    fn check_receiver(&self, destination: &Destination) {
        let Destination::Interface(id) = destination else { return };
        let is_target = self.seen.targets.iter().any(|one| one.destination == *destination);
        let is_source = self.seen.sessions.iter().any(|one| one.interface == *id);
        assert!(!is_target && !is_source, "InvalidNetworkInterface.InUse {id}");
    }

    fn check_sessions(&self, interface: &InterfaceId) {
        let numbers: Vec<_> = self
            .seen
            .sessions
            .iter()
            .filter(|one| one.interface == *interface)
            .map(|one| one.number)
            .collect();
        assert!(numbers.len() <= 3, "TrafficMirrorSessionsPerInterfaceLimitExceeded {interface}");
        let distinct: BTreeSet<_> = numbers.iter().collect();
        assert_eq!(distinct.len(), numbers.len(), "a session number is taken on {interface}");
    }
}

fn check_rules(filter: &MirrorFilter) {
    assert!(filter.rules.len() <= 10, "TrafficMirrorFilterRuleLimitExceeded {}", filter.id);
    let numbers: BTreeSet<_> = filter.rules.iter().map(|one| (one.rule.direction, one.rule.number)).collect();
    assert_eq!(numbers.len(), filter.rules.len(), "TrafficMirrorFilterRuleAlreadyExists {}", filter.id);
}
