//! `directory_json`: who is behind each VNI, for collectors. Pure.
//!
//! It follows from the rows, and from where each source lies: a plan knows that from the members, a refresh from what
//! was stored before or looked up. Both give the same bytes for the same fleet, so that a refresh never is a change.
//! A plan brings everything up to date; but that addresses alone came and went, as they do all day where pods have
//! them, is no reason for an apply.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use enigma_fleet::directory::{Directory, Entry};
use enigma_fleet::ids::{FleetName, MemberKey, Place, SubnetId, VpcId, ZoneName};
use enigma_fleet::inventory::{Interface, PlaceInventory, Tags};

use super::state::{Computed, Rows};
use crate::member::chosen_tags;

/// Where one source lies, which is fixed when an interface is made, and what else is known of it.
struct Site {
    vpc: VpcId,
    subnet: SubnetId,
    zone: ZoneName,
    /// The primary address first, which mirrored packets come from.
    addresses: Vec<IpAddr>,
    /// Chosen ones.
    tags: Tags,
}

/// Where sources lie.
#[derive(Default)]
pub(super) struct Whereabouts(BTreeMap<MemberKey, Site>);

impl Whereabouts {
    /// As stored before; nothing where nothing readable is stored.
    pub(super) fn stored(before: &Computed) -> Self {
        let stored = before.directory_json.as_ref().known().map(String::as_str).unwrap_or_default();
        let directory: Option<Directory> = serde_json::from_str(stored).ok();
        let mut found = Self::default();
        for entry in directory.into_iter().flat_map(|directory| directory.sources) {
            let place = Place { account: entry.account_id, region: entry.region };
            if let (Some(vpc), Some(subnet), Some(zone)) =
                (entry.vpc_id, entry.subnet_id, entry.availability_zone)
            {
                let site = Site { vpc, subnet, zone, addresses: entry.addresses, tags: entry.tags };
                found.0.insert(MemberKey { place, interface: entry.interface_id }, site);
            }
        }
        found
    }

    /// With members as they were observed, which is newer: their interfaces have the chosen tags and no others.
    pub(super) fn of_members(self, places: &BTreeMap<Place, PlaceInventory>) -> Self {
        self.with(places, |interface| interface.tags.clone())
    }

    /// With interfaces that were looked up, and of their tags and their instances' those of these keys.
    pub(super) fn of_interfaces(
        self,
        places: &BTreeMap<Place, PlaceInventory>,
        keys: &BTreeSet<String>,
    ) -> Self {
        let instances = places.values().flat_map(|seen| &seen.instances);
        let instances: BTreeMap<_, _> = instances.map(|one| (&one.id, &one.tags)).collect();
        self.with(places, |interface| {
            let id = interface.attachment.as_ref().and_then(|attachment| attachment.instance.as_ref());
            let instance = id.and_then(|id| instances.get(id)).copied();
            chosen_tags(keys, instance, Some(&interface.tags))
        })
    }

    fn with(mut self, places: &BTreeMap<Place, PlaceInventory>, tags: impl Fn(&Interface) -> Tags) -> Self {
        for (place, seen) in places {
            for one in &seen.interfaces {
                let key = MemberKey { place: place.clone(), interface: one.id.clone() };
                let site = Site {
                    vpc: one.vpc.clone(),
                    subnet: one.subnet.clone(),
                    zone: one.zone.clone(),
                    addresses: one.addresses(),
                    tags: tags(one),
                };
                self.0.insert(key, site);
            }
        }
        self
    }

    /// With the addresses of another.
    fn with_addresses_of(mut self, other: &Self) -> Self {
        for (key, site) in &mut self.0 {
            if let Some(known) = other.0.get(key) {
                site.addresses.clone_from(&known.addresses);
            }
        }
        self
    }

    /// With those of another where this one knows nothing.
    pub(super) fn or(mut self, other: Self) -> Self {
        for (key, site) in other.0 {
            self.0.entry(key).or_insert(site);
        }
        self
    }
}

/// The directory that a plan promises: the stored one, unless more than addresses changed.
pub(super) fn planned(
    fleet: &FleetName,
    rows: &Rows,
    before: &Computed,
    places: &BTreeMap<Place, PlaceInventory>,
) -> String {
    // Read twice where something changed: few plans do, and ten thousand sources take megabytes.
    let now = || Whereabouts::stored(before).of_members(places);
    let fresh = json(fleet, rows, &now());
    let Some(known) = before.directory_json.as_ref().known().filter(|known| **known != fresh) else {
        return fresh;
    };
    let with_known_addresses = now().with_addresses_of(&Whereabouts::stored(before));
    if json(fleet, rows, &with_known_addresses) == *known { known.clone() } else { fresh }
}

/// The keys of the tags that members carry for the directory, as far as some of them have such a tag.
pub(super) fn tag_keys(places: &BTreeMap<Place, PlaceInventory>) -> BTreeSet<String> {
    places.values().flat_map(|seen| &seen.interfaces).flat_map(|one| one.tags.keys().cloned()).collect()
}

/// The directory of these rows.
pub(super) fn json(fleet: &FleetName, rows: &Rows, whereabouts: &Whereabouts) -> String {
    let sources: Vec<Entry> = rows
        .iter()
        .filter_map(|(text, row)| {
            let key: MemberKey = text.parse().ok()?;
            let site = whereabouts.0.get(&key);
            Some(Entry {
                vni: row.virtual_network_id?.try_into().ok()?,
                account_id: key.place.account.clone(),
                region: key.place.region.clone(),
                addresses: site.map(|site| site.addresses.clone()).unwrap_or_default(),
                instance_id: row.instance_id.as_ref().and_then(|id| id.parse().ok()),
                name: row.name.clone(),
                tags: site.map(|site| site.tags.clone()).unwrap_or_default(),
                vpc_id: site.map(|site| site.vpc.clone()),
                subnet_id: site.map(|site| site.subnet.clone()),
                availability_zone: site.map(|site| site.zone.clone()),
                target: row.target.as_ref().and_then(|label| label.parse().ok()),
                interface_id: key.interface,
            })
        })
        .collect();
    // Texts and numbers always have a JSON form.
    Directory::new(fleet.clone(), sources).to_json().unwrap_or_default()
}
