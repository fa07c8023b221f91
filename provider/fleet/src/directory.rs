//! Who is behind each VNI: what a collector needs to write names on records.
//!
//! A value of its own, versioned, so that collectors and fleets can be brought up to date apart. Sources are in order of VNI,
//! everything inside them too, so that two directories of one fleet differ only where the fleet does. Addresses and tags come from
//! an observation; where there was none they are empty, never invented.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::expand::Expansion;
use crate::ids::{
    AccountId, FleetName, InstanceId, InterfaceId, Label, MemberKey, Place, Region, SubnetId, Vni, VpcId,
    ZoneName,
};
use crate::inventory::{Instance, Interface, PlaceInventory, Tags};
use crate::selection::Member;

/// The version of the shape below. A reader refuses versions above the one it knows; fields may be added within one.
pub const VERSION: u32 = 1;

/// Everyone a fleet mirrors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// The fleet.
    pub fleet: FleetName,
    /// In order of VNI, each VNI once.
    #[serde(rename = "sessions")]
    pub sources: Vec<Entry>,
}

/// One mirrored interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The VNI of its packets.
    pub vni: Vni,
    /// Its account.
    pub account_id: AccountId,
    /// Its Region.
    pub region: Region,
    /// The interface; `eni` is what the collector calls it, in this file as in `enigma.eni` of its records.
    #[serde(rename = "eni")]
    pub interface_id: InterfaceId,
    /// Its addresses in the order of [`Interface::addresses`]: mirrored packets come from the primary IPv4 address, the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<IpAddr>,
    /// Its instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<InstanceId>,
    /// The name of the instance, else of the interface.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The chosen ones of the instance's tags, and of the interface's where the instance has none of that key.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Its VPC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vpc_id: Option<VpcId>,
    /// Its subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet_id: Option<SubnetId>,
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<ZoneName>,
    /// The fleet's target it sends to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Label>,
}

impl Directory {
    /// Everyone of an expansion, sessions in unread places with what is remembered of them. `chosen` are tag keys.
    #[must_use]
    pub fn of(
        expansion: &Expansion,
        members: &BTreeMap<MemberKey, Member>,
        places: &BTreeMap<Place, PlaceInventory>,
        chosen: &BTreeSet<String>,
    ) -> Self {
        let seen = Seen::of(places);
        let mut sources: Vec<Entry> = Vec::with_capacity(expansion.sessions.len() + expansion.kept.len());
        for (key, session) in &expansion.sessions {
            let mut entry = seen.entry(key, session.vni, members.get(key), chosen);
            entry.target = Some(session.target.label.clone());
            sources.push(entry);
        }
        for (key, session) in &expansion.kept {
            let Some(vni) = session.vni else { continue };
            let mut entry = seen.entry(key, vni, members.get(key), chosen);
            entry.target.clone_from(&session.target);
            sources.push(entry);
        }
        sources.sort_by(|a, b| (a.vni, &a.interface_id).cmp(&(b.vni, &b.interface_id)));
        // A VNI that was set by hand may be on two sources; a collector can tell neither from the other, so the first is named.
        sources.dedup_by_key(|entry| entry.vni);
        Self { version: VERSION, fleet: expansion.fleet.clone(), sources }
    }

    /// Compact JSON, the same bytes for the same directory.
    ///
    /// # Errors
    /// None that the types allow; serde's are passed on.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// Interfaces and instances by id.
struct Seen<'a> {
    interfaces: BTreeMap<(&'a Place, &'a InterfaceId), &'a Interface>,
    instances: BTreeMap<(&'a Place, &'a InstanceId), &'a Instance>,
}

impl<'a> Seen<'a> {
    fn of(places: &'a BTreeMap<Place, PlaceInventory>) -> Self {
        let interfaces = places.iter().flat_map(|(place, seen)| {
            seen.interfaces.iter().map(move |interface| ((place, &interface.id), interface))
        });
        let instances = places.iter().flat_map(|(place, seen)| {
            seen.instances.iter().map(move |instance| ((place, &instance.id), instance))
        });
        Self { interfaces: interfaces.collect(), instances: instances.collect() }
    }

    fn entry(&self, key: &MemberKey, vni: Vni, member: Option<&Member>, chosen: &BTreeSet<String>) -> Entry {
        let interface = self.interfaces.get(&(&key.place, &key.interface)).copied();
        let attached = || interface?.attachment.as_ref()?.instance.clone();
        let instance_id = member.and_then(|member| member.instance.clone()).or_else(attached);
        let instance = instance_id.as_ref().and_then(|id| self.instances.get(&(&key.place, id)));
        let tags = |of: Option<&Tags>| {
            let tags = of.into_iter().flatten().filter(|(key, _)| chosen.contains(*key));
            tags.map(|(key, value)| (key.clone(), value.clone())).collect::<Tags>()
        };
        let mut all = tags(interface.map(|interface| &interface.tags));
        all.extend(tags(instance.map(|instance| &instance.tags)));
        Entry {
            vni,
            account_id: key.place.account.clone(),
            region: key.place.region.clone(),
            interface_id: key.interface.clone(),
            addresses: interface.map(Interface::addresses).unwrap_or_default(),
            instance_id,
            name: member.and_then(|member| member.name.clone()),
            tags: all,
            vpc_id: member.map(|one| one.vpc.clone()).or_else(|| interface.map(|one| one.vpc.clone())),
            subnet_id: member
                .map(|one| one.subnet.clone())
                .or_else(|| interface.map(|one| one.subnet.clone())),
            availability_zone: member
                .map(|one| one.zone.clone())
                .or_else(|| interface.map(|one| one.zone.clone())),
            target: None,
        }
    }
}

#[cfg(test)]
mod tests;
