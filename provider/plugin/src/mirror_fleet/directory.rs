//! `directory_json`: who is behind each VNI, for collectors. Pure.
//!
//! It follows from the rows, and from where each source lies: a plan knows that from the members, a refresh from what was stored before
//! or looked up. Both give the same bytes for the same fleet, so that a directory never is a change of its own. Tags of sources and
//! addresses beside the first, which people change, are not among what a plan may know, so they are left out.

use std::collections::BTreeMap;
use std::net::IpAddr;

use enigma_fleet::directory::{Directory, Entry, VERSION};
use enigma_fleet::ids::{FleetName, MemberKey, Place, SubnetId, VpcId, ZoneName};
use enigma_fleet::inventory::{PlaceInventory, Tags};

use super::state::{Computed, Rows};

/// Where one source lies. All of it is fixed when an interface is made.
struct Site {
    vpc: VpcId,
    subnet: SubnetId,
    zone: ZoneName,
    /// The primary address, which mirrored packets come from.
    ipv4: Option<IpAddr>,
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
                let site = Site { vpc, subnet, zone, ipv4: entry.addresses.first().copied() };
                found.0.insert(MemberKey { place, interface: entry.interface_id }, site);
            }
        }
        found
    }

    /// With interfaces that were seen, which is newer.
    pub(super) fn of_interfaces(mut self, places: &BTreeMap<Place, PlaceInventory>) -> Self {
        for (place, seen) in places {
            for one in &seen.interfaces {
                let key = MemberKey { place: place.clone(), interface: one.id.clone() };
                let site = Site {
                    vpc: one.vpc.clone(),
                    subnet: one.subnet.clone(),
                    zone: one.zone.clone(),
                    ipv4: one.ipv4.map(IpAddr::V4),
                };
                self.0.insert(key, site);
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

/// The directory of these rows. A VNI that was set by hand may be on two sources; the first in the order of ids is named.
pub(super) fn json(fleet: &FleetName, rows: &Rows, whereabouts: &Whereabouts) -> String {
    let mut sources: Vec<Entry> = rows
        .iter()
        .filter_map(|(text, row)| {
            let key: MemberKey = text.parse().ok()?;
            let site = whereabouts.0.get(&key);
            Some(Entry {
                vni: row.virtual_network_id?.try_into().ok()?,
                account_id: key.place.account.clone(),
                region: key.place.region.clone(),
                addresses: site.and_then(|site| site.ipv4).into_iter().collect(),
                instance_id: row.instance_id.as_ref().and_then(|id| id.parse().ok()),
                name: row.name.clone(),
                tags: Tags::new(),
                vpc_id: site.map(|site| site.vpc.clone()),
                subnet_id: site.map(|site| site.subnet.clone()),
                availability_zone: site.map(|site| site.zone.clone()),
                target: row.target.as_ref().and_then(|label| label.parse().ok()),
                interface_id: key.interface,
            })
        })
        .collect();
    sources.sort_by(|a, b| (a.vni, &a.interface_id).cmp(&(b.vni, &b.interface_id)));
    sources.dedup_by_key(|entry| entry.vni);
    let directory = Directory { version: VERSION, fleet: fleet.clone(), sources };
    // Texts and numbers always have a JSON form.
    directory.to_json().unwrap_or_default()
}
