//! One member as Terraform carries it from the data source to the resource.
//!
//! `members` is computed by `enigma_mirror_interfaces` and write-only in `enigma_mirror_fleet`; both use this one
//! shape, so that a reference from one to the other always fits. A key `account/region/eni` is a member; a key
//! `account/region` says what was seen in a place besides ([`crate::observation`]), so that people pass one thing and
//! cannot forget the other. Absent facts are null, never empty text, and what a rule leaves to the fleet is one null:
//! ten thousand of these are stored in every state.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use enigma_fleet::ids::IdError;
use enigma_fleet::inventory::Tags;
use enigma_fleet::selection::{HeldSession, Member};
use enigma_tfplugin::{Dynamic, Type};
use serde::Deserialize;

use crate::observation::{self, PlaceModel};

/// An interface that a rule chose, with what a plan needs to know about it; or a place, and then nothing but `place` is set.
/// Ids are AWS's.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct MemberModel {
    pub(crate) instance_id: Option<String>,
    /// The primary IPv4 address first, which mirrored packets come from.
    pub(crate) addresses: Option<Vec<IpAddr>>,
    /// Chosen ones, for the directory.
    pub(crate) tags: Option<Tags>,
    pub(crate) name: Option<String>,
    pub(crate) vpc_id: Option<String>,
    pub(crate) subnet_id: Option<String>,
    pub(crate) availability_zone: Option<String>,
    pub(crate) rule: Option<String>,
    pub(crate) settings: Option<SettingsModel>,
    pub(crate) held: Option<Vec<HeldModel>>,
    pub(crate) place: Option<PlaceModel>,
}

/// What the member's rule says about its session; absent where the rule leaves everything to the fleet.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct SettingsModel {
    filter: Option<String>,
    targets: Option<Vec<String>>,
    session_number: Option<i64>,
    packet_length: Option<i64>,
}

/// A session that exists on a member already, whoever made it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct HeldModel {
    session_id: String,
    fleet: Option<String>,
    target_id: Option<String>,
    number: i64,
    vni: Option<i64>,
}

/// Members by `account/region/eni`, and places by `account/region`.
pub(crate) type Members = BTreeMap<String, MemberModel>;

/// `map(object({...}))` of [`MemberModel`].
pub(crate) fn members_type() -> Type {
    let held = Type::object([
        ("session_id", Type::String),
        ("fleet", Type::String),
        ("target_id", Type::String),
        ("number", Type::Number),
        ("vni", Type::Number),
    ]);
    let settings = Type::object([
        ("filter", Type::String),
        ("targets", Type::list(Type::String)),
        ("session_number", Type::Number),
        ("packet_length", Type::Number),
    ]);
    Type::map(Type::object([
        ("instance_id", Type::String),
        ("addresses", Type::list(Type::String)),
        ("tags", Type::map(Type::String)),
        ("name", Type::String),
        ("vpc_id", Type::String),
        ("subnet_id", Type::String),
        ("availability_zone", Type::String),
        ("rule", Type::String),
        ("settings", settings),
        ("held", Type::list(held)),
        ("place", observation::place_type()),
    ]))
}

impl MemberModel {
    /// The core's member.
    pub(crate) fn to_member(&self) -> Result<Member, Unusable> {
        let required = |name: &'static str, value: &Option<String>| value.clone().ok_or(Unusable::Null(name));
        let settings = self.settings.clone().unwrap_or_default();
        let labels = settings.targets.unwrap_or_default();
        let held = self.held.iter().flatten().cloned();
        Ok(Member {
            instance: self.instance_id.as_ref().map(|id| id.parse()).transpose()?,
            instance_type: None,
            name: self.name.clone(),
            vpc: required("vpc_id", &self.vpc_id)?.parse()?,
            subnet: required("subnet_id", &self.subnet_id)?.parse()?,
            zone: required("availability_zone", &self.availability_zone)?.parse()?,
            rule: required("rule", &self.rule)?.parse()?,
            targets: labels.iter().map(|label| label.parse()).collect::<Result<_, _>>()?,
            filter: settings.filter.map(|label| label.parse()).transpose()?,
            number: settings.session_number.map(TryInto::try_into).transpose()?,
            packet_length: settings.packet_length.map(TryInto::try_into).transpose()?,
            held: held.map(HeldModel::into_core).collect::<Result<_, _>>()?,
        })
    }

    /// A core's member, with its addresses, the one that mirrored packets come from first, and its chosen tags.
    pub(crate) fn of(member: &Member, addresses: Vec<IpAddr>, tags: Tags) -> Self {
        let settings = SettingsModel {
            filter: member.filter.as_ref().map(ToString::to_string),
            targets: (!member.targets.is_empty())
                .then(|| member.targets.iter().map(ToString::to_string).collect()),
            session_number: member.number.map(i64::from),
            packet_length: member.packet_length.map(i64::from),
        };
        let held = member.held.iter().map(|held| HeldModel {
            session_id: held.session.to_string(),
            fleet: held.fleet.clone(),
            // Of those that no fleet owns the entry of their place says it.
            target_id: held.fleet.as_ref().and(held.target.as_ref()).map(ToString::to_string),
            number: held.number.into(),
            vni: held.vni.map(i64::from),
        });
        Self {
            instance_id: member.instance.as_ref().map(ToString::to_string),
            addresses: (!addresses.is_empty()).then_some(addresses),
            tags: (!tags.is_empty()).then_some(tags),
            name: member.name.clone(),
            vpc_id: Some(member.vpc.to_string()),
            subnet_id: Some(member.subnet.to_string()),
            availability_zone: Some(member.zone.to_string()),
            rule: Some(member.rule.to_string()),
            settings: (settings != SettingsModel::default()).then_some(settings),
            held: (!member.held.is_empty()).then(|| held.collect()),
            place: None,
        }
    }

    /// As Terraform carries it.
    pub(crate) fn to_dynamic(&self) -> Dynamic {
        let held = self.held.as_ref().map_or(Dynamic::Null, |held| {
            Dynamic::list(held.iter().map(|held| {
                Dynamic::map([
                    ("session_id", Dynamic::from(held.session_id.as_str())),
                    ("fleet", text(held.fleet.as_deref())),
                    ("target_id", text(held.target_id.as_deref())),
                    ("number", Dynamic::from(held.number)),
                    ("vni", number(held.vni)),
                ])
            }))
        });
        let addresses = self.addresses.as_ref().map(|list| list.iter().map(ToString::to_string));
        let settings = self.settings.as_ref().map_or(Dynamic::Null, |settings| {
            let targets = settings.targets.as_ref();
            Dynamic::map([
                ("filter", text(settings.filter.as_deref())),
                (
                    "targets",
                    targets.map_or(Dynamic::Null, |labels| Dynamic::list(labels.iter().map(String::as_str))),
                ),
                ("session_number", number(settings.session_number)),
                ("packet_length", number(settings.packet_length)),
            ])
        });
        Dynamic::map([
            ("instance_id", text(self.instance_id.as_deref())),
            ("addresses", addresses.map_or(Dynamic::Null, Dynamic::list)),
            ("tags", self.tags.clone().map_or(Dynamic::Null, Dynamic::map)),
            ("name", text(self.name.as_deref())),
            ("vpc_id", text(self.vpc_id.as_deref())),
            ("subnet_id", text(self.subnet_id.as_deref())),
            ("availability_zone", text(self.availability_zone.as_deref())),
            ("rule", text(self.rule.as_deref())),
            ("settings", settings),
            ("held", held),
            ("place", self.place.as_ref().map_or(Dynamic::Null, PlaceModel::to_dynamic)),
        ])
    }
}

impl HeldModel {
    fn into_core(self) -> Result<HeldSession, IdError> {
        Ok(HeldSession {
            session: self.session_id.parse()?,
            fleet: self.fleet,
            target: self.target_id.map(|id| id.parse()).transpose()?,
            number: self.number.try_into()?,
            // A value outside 32 bits cannot be a VNI, so it collides with none.
            vni: self.vni.and_then(|vni| u32::try_from(vni).ok()),
        })
    }
}

/// Why an entry of `members` is of no use: somebody made it up.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// Something has the wrong form.
    Id(IdError),
    /// An attribute has no value.
    Null(&'static str),
}

impl From<IdError> for Unusable {
    fn from(error: IdError) -> Self {
        Self::Id(error)
    }
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(error) => error.fmt(f),
            Self::Null(name) => write!(f, "its attribute {name} has no value"),
        }
    }
}

/// The tags of these keys: the instance's, and the interface's where the instance has none of that key.
pub(crate) fn chosen_tags(
    keys: &BTreeSet<String>,
    instance: Option<&Tags>,
    interface: Option<&Tags>,
) -> Tags {
    let value = |key: &String| {
        let of = |tags: Option<&Tags>| tags.and_then(|tags| tags.get(key)).cloned();
        Some((key.clone(), of(instance).or_else(|| of(interface))?))
    };
    keys.iter().filter_map(value).collect()
}

pub(crate) fn text(value: Option<&str>) -> Dynamic {
    value.map_or(Dynamic::Null, Dynamic::from)
}

pub(crate) fn number(value: Option<i64>) -> Dynamic {
    value.map_or(Dynamic::Null, Dynamic::from)
}

#[cfg(test)]
mod tests;
