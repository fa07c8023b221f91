//! What the data source saw besides members, as it travels inside `members`: one entry for each place where there is something to
//! tell.
//!
//! A plan must keep sessions in places that could not be read, keep its VNIs off those of others, know how many
//! sources an interface target takes, and may take over sessions of nobody. It must not look at AWS for that, so the
//! reviewed observation carries it, lean: in the usual world where the targets of members' sessions send, and of
//! other fleets' sessions little more than their VNIs. Reading gives the core's own inventory back, as far as it was
//! carried.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use enigma_fleet::expand::Facts;
use enigma_fleet::ids::{
    AccountId, IdError, InstanceId, InterfaceId, MemberKey, Place, SessionId, SubnetId, TargetId, VpcId,
    ZoneName,
};
use enigma_fleet::inventory::{
    Attachment, Destination, Instance, Interface, Inventory, MirrorSession, MirrorTarget, PlaceInventory,
    Subnet, Tags,
};
use enigma_fleet::ownership::{FLEET_TAG, Known};
use enigma_fleet::quota::{SOURCES_PER_INTERFACE_TARGET, sources_of_interface_target};
use enigma_fleet::selection::Member;
use enigma_fleet::spec::FleetSpec;
use enigma_fleet::zones::Zones;
use enigma_tfplugin::{AttributePath, Diagnostic, Diagnostics, Dynamic, Type};
use serde::{Deserialize, Serialize};

use crate::member::{Members, Unusable};

/// An observation as the resource gets it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observation {
    /// Who shall be mirrored.
    pub(crate) members: BTreeMap<MemberKey, Member>,
    /// Places that could not be read, with the reason. Sessions there stay.
    pub(crate) unread: BTreeMap<Place, String>,
    /// What was carried of each place: interfaces of members with their addresses and chosen tags, interfaces that
    /// receive with their instance, and sessions of others with the targets that they send to. Nothing else, so it is
    /// no basis for a diff.
    pub(crate) places: BTreeMap<Place, PlaceInventory>,
    /// VNIs of sessions that are not in `places`, by the fleet that they carry the tag of; empty text where that is not known.
    other_vnis: BTreeMap<String, BTreeSet<u32>>,
    /// What accounts call their zones.
    zones: Zones,
}

impl Observation {
    /// What the fleet's expansion wants to know beside its members; `known` is what the state has.
    pub(crate) fn facts(&self, spec: &FleetSpec, home: &Place, known: &Known) -> Facts {
        let mut facts = Facts::of_known(spec, home, &self.places, known);
        let others = self.other_vnis.iter().filter(|(fleet, _)| *fleet != spec.name.as_str());
        facts.stranger_vnis.extend(others.flat_map(|(_, vnis)| vnis));
        facts.zones = self.zones.clone();
        facts
    }
}

/// The entry of a place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlaceModel {
    /// Why it could not be read.
    pub(crate) unread: Option<String>,
    /// Interfaces that receive mirrored traffic, or may, by id.
    receivers: Option<BTreeMap<String, ReceiverModel>>,
    /// Where the targets of `strangers`, and of fleets' sessions on members, send, by id: a load balancer's ARN, an
    /// interface or an endpoint.
    targets: Option<BTreeMap<String, String>>,
    /// Sessions that no fleet owns, and those of other fleets that count against an interface target, by id.
    strangers: Option<BTreeMap<String, StrangerModel>>,
    /// VNIs of all other sessions on interfaces that are no members, by fleet.
    vnis: Option<BTreeMap<String, Vec<u32>>>,
    /// The ids of its zones by the names that its account has for them: names of two accounts cannot be compared.
    zones: Option<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ReceiverModel {
    instance_id: String,
    instance_type: String,
    vpc_id: String,
    subnet_id: String,
    availability_zone: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct StrangerModel {
    /// The account, where it is not the place's.
    owner: Option<String>,
    interface_id: String,
    target_id: String,
    filter_id: String,
    fleet: Option<String>,
    number: i64,
    vni: Option<u32>,
    packet_length: Option<i64>,
}

/// The type of [`PlaceModel`].
pub(crate) fn place_type() -> Type {
    let receiver = ["instance_id", "instance_type", "vpc_id", "subnet_id", "availability_zone"];
    let stranger = Type::object([
        ("owner", Type::String),
        ("interface_id", Type::String),
        ("target_id", Type::String),
        ("filter_id", Type::String),
        ("fleet", Type::String),
        ("number", Type::Number),
        ("vni", Type::Number),
        ("packet_length", Type::Number),
    ]);
    Type::object([
        ("unread", Type::String),
        ("receivers", Type::map(Type::object(receiver.map(|name| (name, Type::String))))),
        ("targets", Type::map(Type::String)),
        ("strangers", Type::map(stranger)),
        ("vnis", Type::map(Type::list(Type::Number))),
        ("zones", Type::map(Type::String)),
    ])
}

impl PlaceModel {
    /// As Terraform carries it.
    pub(crate) fn to_dynamic(&self) -> Dynamic {
        // Texts, numbers and maps by text always have a counterpart.
        Dynamic::from_typed(self).unwrap_or_default()
    }

    fn unread(why: &str) -> Self {
        Self { unread: Some(why.to_owned()), ..Self::default() }
    }
}

/// The entries of all places of which there is something to tell.
pub(crate) fn places(
    inventory: &Inventory,
    members: &BTreeMap<MemberKey, Member>,
    home: &AccountId,
) -> BTreeMap<Place, PlaceModel> {
    // What a session's own account shows counts; the account of its target sees it without tags.
    let first_hand: BTreeSet<&SessionId> = inventory
        .places
        .iter()
        .flat_map(|(place, seen)| seen.sessions.iter().filter(|session| session.owner == place.account))
        .map(|session| &session.id)
        .collect();
    let destinations: BTreeMap<&TargetId, &Destination> = inventory
        .places
        .values()
        .flat_map(|seen| &seen.targets)
        .map(|target| (&target.id, &target.destination))
        .collect();
    let mut entries = BTreeMap::new();
    for (place, seen) in &inventory.places {
        let mut entry =
            PlaceModel { receivers: some(receivers(seen, place.account == *home)), ..PlaceModel::default() };
        let mut strangers = BTreeMap::new();
        let mut vnis: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut used: BTreeSet<&TargetId> = BTreeSet::new();
        for session in &seen.sessions {
            let owner = Place { account: session.owner.clone(), region: place.region.clone() };
            let is_here = owner == *place;
            if !is_here && (first_hand.contains(&session.id) || inventory.unread.contains_key(&owner)) {
                continue;
            }
            let fleet = session.tags.get(FLEET_TAG).filter(|_| is_here);
            let key = MemberKey { place: owner, interface: session.interface.clone() };
            // AWS counts the sources of an interface target, at most 100 of them; whose they are depends on who asks.
            if fleet.is_some() && members.contains_key(&key) {
                used.insert(&session.target);
            }
            let is_counted = matches!(destinations.get(&session.target), Some(Destination::Interface(_)));
            if !is_counted && fleet.is_some() && members.contains_key(&key) {
                continue;
            }
            if is_counted || (is_here && fleet.is_none()) {
                strangers.insert(session.id.to_string(), StrangerModel::of(session, fleet, is_here));
            } else {
                vnis.entry(fleet.cloned().unwrap_or_default()).or_default().extend(session.vni);
            }
        }
        vnis.values_mut().for_each(|list| {
            list.sort_unstable();
            list.dedup();
        });
        let of_strangers: Vec<TargetId> =
            strangers.values().filter_map(|one: &StrangerModel| one.target_id.parse().ok()).collect();
        let targets = used
            .into_iter()
            .chain(&of_strangers)
            .filter_map(|id| Some((id.to_string(), address_of(destinations.get(id)?).to_owned())));
        entry.targets = some(targets.collect());
        entry.strangers = some(strangers);
        entry.vnis = some(vnis);
        let has_members = || members.keys().any(|key| key.place == *place);
        if place.account == *home || has_members() {
            let named =
                |subnet: &Subnet| Some((subnet.zone.to_string(), subnet.zone_id.as_ref()?.to_string()));
            entry.zones = some(seen.subnets.iter().filter_map(named).collect());
        }
        if entry != PlaceModel::default() {
            entries.insert(place.clone(), entry);
        }
    }
    entries.extend(inventory.unread.iter().map(|(place, why)| (place.clone(), PlaceModel::unread(why))));
    entries
}

fn some<V>(map: BTreeMap<String, V>) -> Option<BTreeMap<String, V>> {
    (!map.is_empty()).then_some(map)
}

/// Interfaces behind targets; and where targets are made, those of instances that take more sources than others,
/// since a target for one may be planned: what it takes must not change once it is made.
fn receivers(seen: &PlaceInventory, is_home: bool) -> BTreeMap<String, ReceiverModel> {
    let behind: BTreeSet<&InterfaceId> = seen
        .targets
        .iter()
        .filter_map(|target| match &target.destination {
            Destination::Interface(id) => Some(id),
            _ => None,
        })
        .collect();
    let instances: BTreeMap<_, _> = seen.instances.iter().map(|one| (&one.id, one)).collect();
    seen.interfaces
        .iter()
        .filter_map(|interface| {
            let instance = instances.get(interface.attachment.as_ref()?.instance.as_ref()?)?;
            let is_large =
                sources_of_interface_target(&instance.instance_type) > SOURCES_PER_INTERFACE_TARGET;
            let is_wanted = behind.contains(&interface.id) || (is_home && is_large);
            let model = ReceiverModel {
                instance_id: instance.id.to_string(),
                instance_type: instance.instance_type.clone(),
                vpc_id: interface.vpc.to_string(),
                subnet_id: interface.subnet.to_string(),
                availability_zone: interface.zone.to_string(),
            };
            is_wanted.then(|| (interface.id.to_string(), model))
        })
        .collect()
}

impl StrangerModel {
    fn of(session: &MirrorSession, fleet: Option<&String>, is_here: bool) -> Self {
        Self {
            owner: (!is_here).then(|| session.owner.to_string()),
            interface_id: session.interface.to_string(),
            target_id: session.target.to_string(),
            filter_id: session.filter.to_string(),
            fleet: fleet.cloned(),
            number: session.number.into(),
            vni: session.vni,
            packet_length: session.packet_length.map(i64::from),
        }
    }

    fn to_core(&self, id: &str, place: &Place) -> Result<MirrorSession, IdError> {
        let owner = self.owner.as_ref().map(|owner| owner.parse()).transpose()?;
        Ok(MirrorSession {
            id: id.parse()?,
            owner: owner.unwrap_or_else(|| place.account.clone()),
            interface: self.interface_id.parse()?,
            target: self.target_id.parse()?,
            filter: self.filter_id.parse()?,
            number: self.number.try_into()?,
            vni: self.vni,
            packet_length: self.packet_length.map(TryInto::try_into).transpose()?,
            description: String::new(),
            tags: self.fleet.iter().map(|fleet| (FLEET_TAG.to_owned(), fleet.clone())).collect(),
        })
    }
}

/// The id or ARN of a destination.
fn address_of(destination: &Destination) -> &str {
    match destination {
        Destination::Interface(id) => id.as_str(),
        Destination::NetworkLoadBalancer(text) | Destination::GatewayLoadBalancerEndpoint(text) => text,
    }
}

fn destination(address: &str) -> Destination {
    if let Ok(id) = address.parse() {
        return Destination::Interface(id);
    }
    if address.starts_with("vpce-") {
        Destination::GatewayLoadBalancerEndpoint(address.to_owned())
    } else {
        Destination::NetworkLoadBalancer(address.to_owned())
    }
}

/// Members with what came with them; every entry that cannot be read is an error at its key.
pub(crate) fn read(members: Members) -> Result<Observation, Diagnostics> {
    let mut mistakes = Diagnostics::new();
    let mut seen = Observation::default();
    for (key, model) in members {
        let parsed = match (&model.place, place_of(&key)) {
            (Some(entry), Some(place)) => add_place(&mut seen, &place, entry).map_err(Unusable::from),
            _ => key.parse::<MemberKey>().map_err(Unusable::from).and_then(|parsed| {
                let member = model.to_member()?;
                let shown = seen.places.entry(parsed.place.clone()).or_default();
                let site = Site {
                    vpc: member.vpc.clone(),
                    subnet: member.subnet.clone(),
                    zone: member.zone.clone(),
                };
                let id = parsed.interface.clone();
                let mut seen_interface = interface(&parsed.place, id, site, member.instance.clone());
                give_addresses(&mut seen_interface, model.addresses.iter().flatten());
                seen_interface.tags = model.tags.clone().unwrap_or_default();
                shown.interfaces.push(seen_interface);
                seen.members.insert(parsed, member);
                Ok(())
            }),
        };
        if let Err(error) = parsed {
            mistakes.push(
                Diagnostic::error(
                    "Invalid member",
                    format!(
                        "The member \"{key}\" cannot be used, and nothing was planned: {error}. Pass `members` of the data source \
                         enigma_mirror_interfaces unchanged."
                    ),
                )
                .at(AttributePath::of("members").key(key)),
            );
        }
    }
    mistakes.into_result(seen)
}

/// `account/region`.
fn place_of(key: &str) -> Option<Place> {
    let (account, region) = key.split_once('/')?;
    Some(Place { account: account.parse().ok()?, region: region.parse().ok()? })
}

fn add_place(seen: &mut Observation, place: &Place, entry: &PlaceModel) -> Result<(), IdError> {
    if let Some(why) = &entry.unread {
        seen.unread.insert(place.clone(), why.clone());
        return Ok(());
    }
    let shown = seen.places.entry(place.clone()).or_default();
    for (id, receiver) in entry.receivers.iter().flatten() {
        let instance: InstanceId = receiver.instance_id.parse()?;
        let site = Site {
            vpc: receiver.vpc_id.parse()?,
            subnet: receiver.subnet_id.parse()?,
            zone: receiver.availability_zone.parse()?,
        };
        shown.interfaces.push(interface(place, id.parse()?, site, Some(instance.clone())));
        shown.instances.push(Instance {
            id: instance,
            instance_type: receiver.instance_type.clone(),
            state: "running".to_owned(),
            tags: Tags::new(),
        });
    }
    for (id, sends_to) in entry.targets.iter().flatten() {
        shown.targets.push(MirrorTarget {
            id: id.parse()?,
            owner: place.account.clone(),
            destination: destination(sends_to),
            description: String::new(),
            tags: Tags::new(),
        });
    }
    for (id, stranger) in entry.strangers.iter().flatten() {
        shown.sessions.push(stranger.to_core(id, place)?);
    }
    for (name, id) in entry.zones.iter().flatten() {
        seen.zones.add(&place.account, name.parse()?, id.parse()?);
    }
    for (fleet, vnis) in entry.vnis.iter().flatten() {
        seen.other_vnis.entry(fleet.clone()).or_default().extend(vnis);
    }
    Ok(())
}

/// Gives an interface its addresses, the first IPv4 address as the primary one.
fn give_addresses<'a>(interface: &mut Interface, addresses: impl Iterator<Item = &'a IpAddr>) {
    for one in addresses {
        match one {
            IpAddr::V4(one) if interface.ipv4.is_none() => interface.ipv4 = Some(*one),
            IpAddr::V4(one) => interface.secondary_ipv4.push(*one),
            IpAddr::V6(one) => interface.ipv6.push(*one),
        }
    }
}

/// Where an interface is.
struct Site {
    vpc: VpcId,
    subnet: SubnetId,
    zone: ZoneName,
}

/// An interface with what was carried of it. It was attached, or it would be neither member nor receiver.
fn interface(place: &Place, id: InterfaceId, site: Site, instance: Option<InstanceId>) -> Interface {
    Interface {
        place: place.clone(),
        id,
        owner: place.account.clone(),
        kind: "interface".to_owned(),
        is_requester_managed: false,
        requester: None,
        description: String::new(),
        vpc: site.vpc,
        subnet: site.subnet,
        zone: site.zone,
        ipv4: None,
        secondary_ipv4: Vec::new(),
        ipv6: Vec::new(),
        attachment: Some(Attachment { instance, device_index: 0, status: "attached".to_owned() }),
        tags: Tags::new(),
    }
}

#[cfg(test)]
mod tests;
