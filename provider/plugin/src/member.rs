//! One member as Terraform carries it from the data source to the resource.
//!
//! `members` is computed by `enigma_mirror_interfaces` and write-only in `enigma_mirror_fleet`; both use this one shape, so that a
//! reference from one to the other always fits. Absent facts are null, never empty text.

use std::collections::BTreeMap;

use enigma_fleet::ids::{IdError, MemberKey};
use enigma_fleet::selection::{HeldSession, Member};
use enigma_tfplugin::{AttributePath, Diagnostic, Diagnostics, Dynamic, Type};
use serde::Deserialize;

/// An interface that a rule chose, with what a plan needs to know about it. Ids are AWS's.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(crate) struct MemberModel {
    instance_id: Option<String>,
    name: Option<String>,
    vpc_id: String,
    subnet_id: String,
    availability_zone: String,
    rule: String,
    filter: Option<String>,
    targets: Option<Vec<String>>,
    session_number: Option<i64>,
    packet_length: Option<i64>,
    held: Option<Vec<HeldModel>>,
}

/// A session that exists on a member already, whoever made it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
struct HeldModel {
    session_id: String,
    fleet: Option<String>,
    session_number: i64,
    virtual_network_id: Option<i64>,
}

/// Members by `account/region/eni`.
pub(crate) type Members = BTreeMap<String, MemberModel>;

/// `map(object({...}))` of [`MemberModel`].
pub(crate) fn members_type() -> Type {
    let held = Type::object([
        ("session_id", Type::String),
        ("fleet", Type::String),
        ("session_number", Type::Number),
        ("virtual_network_id", Type::Number),
    ]);
    Type::map(Type::object([
        ("instance_id", Type::String),
        ("name", Type::String),
        ("vpc_id", Type::String),
        ("subnet_id", Type::String),
        ("availability_zone", Type::String),
        ("rule", Type::String),
        ("filter", Type::String),
        ("targets", Type::list(Type::String)),
        ("session_number", Type::Number),
        ("packet_length", Type::Number),
        ("held", Type::list(held)),
    ]))
}

/// The core's members; every one that cannot be read is an error at its key.
pub(crate) fn to_core(members: Members) -> Result<BTreeMap<MemberKey, Member>, Diagnostics> {
    let mut mistakes = Diagnostics::new();
    let mut core = BTreeMap::new();
    for (key, model) in members {
        match key.parse::<MemberKey>().and_then(|parsed| Ok((parsed, model.into_core()?))) {
            Ok((parsed, member)) => {
                core.insert(parsed, member);
            }
            Err(error) => mistakes.push(
                Diagnostic::error(
                    "Invalid member",
                    format!(
                        "The member \"{key}\" cannot be used, and nothing was planned: {error}. Pass `members` of the data source \
                         enigma_mirror_interfaces unchanged."
                    ),
                )
                .at(AttributePath::of("members").key(key)),
            ),
        }
    }
    mistakes.into_result(core)
}

impl MemberModel {
    fn into_core(self) -> Result<Member, IdError> {
        Ok(Member {
            instance: self.instance_id.map(|id| id.parse()).transpose()?,
            instance_type: None,
            name: self.name,
            vpc: self.vpc_id.parse()?,
            subnet: self.subnet_id.parse()?,
            zone: self.availability_zone.parse()?,
            rule: self.rule.parse()?,
            targets: self
                .targets
                .unwrap_or_default()
                .iter()
                .map(|label| label.parse())
                .collect::<Result<_, _>>()?,
            filter: self.filter.map(|label| label.parse()).transpose()?,
            number: self.session_number.map(TryInto::try_into).transpose()?,
            packet_length: self.packet_length.map(TryInto::try_into).transpose()?,
            held: self
                .held
                .unwrap_or_default()
                .into_iter()
                .map(HeldModel::into_core)
                .collect::<Result<_, _>>()?,
        })
    }

    /// As Terraform carries it.
    pub(crate) fn to_dynamic(&self) -> Dynamic {
        let held = self.held.iter().flatten().map(|held| {
            Dynamic::map([
                ("session_id", Dynamic::from(held.session_id.as_str())),
                ("fleet", text(held.fleet.as_deref())),
                ("session_number", Dynamic::from(held.session_number)),
                ("virtual_network_id", number(held.virtual_network_id)),
            ])
        });
        Dynamic::map([
            ("instance_id", text(self.instance_id.as_deref())),
            ("name", text(self.name.as_deref())),
            ("vpc_id", Dynamic::from(self.vpc_id.as_str())),
            ("subnet_id", Dynamic::from(self.subnet_id.as_str())),
            ("availability_zone", Dynamic::from(self.availability_zone.as_str())),
            ("rule", Dynamic::from(self.rule.as_str())),
            ("filter", text(self.filter.as_deref())),
            ("targets", Dynamic::list(self.targets.iter().flatten().map(String::as_str))),
            ("session_number", number(self.session_number)),
            ("packet_length", number(self.packet_length)),
            ("held", Dynamic::list(held)),
        ])
    }
}

impl HeldModel {
    fn into_core(self) -> Result<HeldSession, IdError> {
        Ok(HeldSession {
            session: self.session_id.parse()?,
            fleet: self.fleet,
            number: self.session_number.try_into()?,
            // A value outside 32 bits cannot be a VNI, so it collides with none.
            vni: self.virtual_network_id.and_then(|vni| u32::try_from(vni).ok()),
        })
    }
}

impl From<&Member> for MemberModel {
    fn from(member: &Member) -> Self {
        Self {
            instance_id: member.instance.as_ref().map(ToString::to_string),
            name: member.name.clone(),
            vpc_id: member.vpc.to_string(),
            subnet_id: member.subnet.to_string(),
            availability_zone: member.zone.to_string(),
            rule: member.rule.to_string(),
            filter: member.filter.as_ref().map(ToString::to_string),
            targets: Some(member.targets.iter().map(ToString::to_string).collect()),
            session_number: member.number.map(i64::from),
            packet_length: member.packet_length.map(i64::from),
            held: Some(
                member
                    .held
                    .iter()
                    .map(|held| HeldModel {
                        session_id: held.session.to_string(),
                        fleet: held.fleet.clone(),
                        session_number: held.number.into(),
                        virtual_network_id: held.vni.map(i64::from),
                    })
                    .collect(),
            ),
        }
    }
}

fn text(value: Option<&str>) -> Dynamic {
    value.map_or(Dynamic::Null, Dynamic::from)
}

fn number(value: Option<i64>) -> Dynamic {
    value.map_or(Dynamic::Null, Dynamic::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member() -> Member {
        Member {
            instance: Some("i-0123456789abcdef0".parse().unwrap()),
            instance_type: None,
            name: Some("web-1".to_owned()),
            vpc: "vpc-0123456789abcdef0".parse().unwrap(),
            subnet: "subnet-0123456789abcdef0".parse().unwrap(),
            zone: "us-east-1a".parse().unwrap(),
            rule: "everything".parse().unwrap(),
            targets: vec!["use1".parse().unwrap()],
            filter: None,
            number: None,
            packet_length: Some(128.try_into().unwrap()),
            held: vec![HeldSession {
                session: "tms-0123456789abcdef0".parse().unwrap(),
                fleet: None,
                number: 1.try_into().unwrap(),
                vni: Some(7),
            }],
        }
    }

    #[test]
    fn a_member_survives_the_way_through_terraform() {
        let key = "111111111111/us-east-1/eni-0123456789abcdef0";
        let mut carried = Dynamic::map([(key, MemberModel::from(&member()).to_dynamic())]);
        members_type().complete(&mut carried).unwrap();
        let read: Members = carried.into_typed().unwrap();
        assert_eq!(to_core(read).unwrap(), BTreeMap::from([(key.parse().unwrap(), member())]));
    }

    #[test]
    fn every_bad_member_is_an_error_at_its_key() {
        let mut bad = MemberModel::from(&member());
        bad.vpc_id = "vpc".to_owned();
        let members = Members::from([
            ("111111111111/us-east-1/eni-0123456789abcdef0".to_owned(), bad),
            ("nonsense".to_owned(), MemberModel::from(&member())),
        ]);
        let mistakes = to_core(members).unwrap_err();
        assert_eq!(mistakes.len(), 2);
        assert!(mistakes.iter().all(|m| m.attribute.to_string().starts_with("members[")), "{mistakes:?}");
    }
}
