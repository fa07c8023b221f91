//! Who is behind each VNI: what a collector needs to write names on records.
//!
//! A value of its own, versioned, so that collectors and fleets can be brought up to date apart. Sources are in order of VNI,
//! everything inside them too, so that two directories of one fleet differ only where the fleet does. Addresses and
//! tags come from an observation; where there was none they are empty, never invented.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::ids::{
    AccountId, FleetName, InstanceId, InterfaceId, Label, Region, SubnetId, Vni, VpcId, ZoneName,
};
use crate::inventory::Tags;

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
    /// Its addresses in the order of [`Interface::addresses`](crate::inventory::Interface::addresses): mirrored
    /// packets come from the primary IPv4 address, the first.
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
    /// Everyone, in order. A VNI that was set by hand may be on two sources; a collector can tell neither from the
    /// other, so the first in the order of interfaces is named.
    #[must_use]
    pub fn new(fleet: FleetName, mut sources: Vec<Entry>) -> Self {
        sources.sort_by(|a, b| (a.vni, &a.interface_id).cmp(&(b.vni, &b.interface_id)));
        sources.dedup_by_key(|entry| entry.vni);
        Self { version: VERSION, fleet, sources }
    }

    /// Compact JSON, the same bytes for the same directory.
    ///
    /// # Errors
    /// None that the types allow; serde's are passed on.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

#[cfg(test)]
mod tests;
