//! Changes of the world that happen without a call of the party under test: machines come and go, somebody retags,
//! somebody else edits mirroring objects.

mod company;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use jiff::Timestamp;

use crate::balancing::LoadBalancer;
use crate::core::Core;
use crate::ec2::set_tags;
use crate::state::{Place, Space};
use crate::table::Moment;
use crate::world::{self, InstanceEntry, InterfaceEntry};

/// One change. Instances and interfaces are named by id or by `Name` tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    /// A load balancer appears.
    AddLoadBalancer {
        /// Owner.
        account: String,
        /// Region.
        region: String,
        /// Its ARN.
        arn: String,
        /// `network`, `application` or `gateway`.
        #[serde(rename = "type", default = "network")]
        kind: String,
    },
    /// An interface appears, as in a world file.
    AddInterface(InterfaceEntry),
    /// Somebody else makes an EC2 call: not journalled, not throttled, not touched by faults.
    Call {
        /// Whose credentials.
        account: String,
        /// Region.
        region: String,
        /// EC2 action.
        action: String,
        /// Its parameters in wire form.
        #[serde(default)]
        parameters: BTreeMap<String, String>,
    },
    /// An interface vanishes, and with it its mirror sessions.
    DeleteInterface {
        /// Id of the interface.
        interface: String,
    },
    /// An interface is detached from its instance; its sessions stay (and are billed).
    Detach {
        /// Id of the interface.
        interface: String,
    },
    /// Temporary credentials of an account's roles end now, however long they were promised to last.
    ExpireSessions {
        /// The account of the roles.
        account: String,
        /// Only sessions of this role; of all when absent.
        #[serde(default)]
        role: Option<String>,
    },
    /// Instances are launched, as in a world file; subnets are named by name or id.
    Launch(InstanceEntry),
    /// An account moves to another unit, or leaves the organization.
    MoveAccount {
        /// The account.
        account: String,
        /// Name or id of the unit, `Root` for the root; absent: out of the organization.
        #[serde(default)]
        unit: Option<String>,
    },
    /// A load balancer no longer listens on a port.
    RemoveListener {
        /// ARN of the load balancer.
        arn: String,
        /// The port.
        port: u16,
    },
    /// A load balancer vanishes; targets that name it stay and deliver nothing.
    RemoveLoadBalancer {
        /// Its ARN.
        arn: String,
    },
    /// An instance or interface gets other tags.
    Retag {
        /// Id, or name of an instance.
        resource: String,
        /// Tags to set; a `null` removes the key.
        tags: BTreeMap<String, Option<String>>,
    },
    /// A load balancer begins or ends to send across zones.
    SetCrossZone {
        /// ARN of the load balancer.
        arn: String,
        /// Whether it does.
        enabled: bool,
    },
    /// Health checks of registered targets have another result.
    SetHealth {
        /// Target group by name or ARN.
        target_group: String,
        /// Instance by name or id, or an IP address; absent: all targets of the group.
        #[serde(default)]
        target: Option<String>,
        /// `healthy`, `unhealthy`, `initial`, `draining` or `unavailable`.
        health: String,
    },
    /// A load balancer has other zones.
    SetZones {
        /// ARN of the load balancer.
        arn: String,
        /// One subnet in each zone, by name or id.
        subnets: Vec<String>,
    },
    /// A stopped instance starts again.
    Start {
        /// Id or name.
        instance: String,
    },
    /// An instance stops; its interfaces and sessions stay.
    Stop {
        /// Id or name.
        instance: String,
    },
    /// An instance is terminated; interfaces go with it where they are set to.
    Terminate {
        /// Id or name.
        instance: String,
    },
    /// A stopped instance becomes another type.
    SetType {
        /// Id or name.
        instance: String,
        /// The new type.
        #[serde(rename = "type")]
        kind: String,
    },
}

fn network() -> String {
    "network".to_owned()
}

/// Why a change did not take place.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Somebody else's call was refused.
    #[error("call was refused: {0}")]
    Call(#[from] crate::error::ApiError),
    /// An entry does not fit the world.
    #[error(transparent)]
    Entry(#[from] world::WorldError),
    /// There is no such object.
    #[error("there is no {what} \"{name}\" in the world")]
    Unknown {
        /// Kind of object.
        what: &'static str,
        /// Name or id as given.
        name: String,
    },
}

/// What a change brought about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Ids of objects made or touched.
    pub ids: Vec<String>,
    /// The XML reply of somebody else's call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
}

impl From<Vec<String>> for Changed {
    fn from(ids: Vec<String>) -> Self {
        Self { ids, reply: None }
    }
}

pub(crate) fn apply(core: &mut Core, change: Change, now: Timestamp) -> Result<Changed, ChangeError> {
    let moment = Moment { now, staleness: core.staleness };
    match change {
        Change::AddLoadBalancer { account, region, arn, kind } => {
            known_place(core, &account, &region)?;
            let space = core.state.spaces.entry((account, region)).or_default();
            let balancer = LoadBalancer::bare(&arn, &kind, now);
            space.load_balancers.insert(arn.clone(), balancer);
            Ok(vec![arn].into())
        }
        Change::AddInterface(entry) => {
            let names = world::names_of(&core.state);
            Ok(world::add_interfaces(&mut core.state, &names, &entry, now)?.into())
        }
        Change::Call { account, region, action, parameters } => {
            known_place(core, &account, &region)?;
            let reply = core.call_behind((account, region), &action, parameters, now)?;
            Ok(Changed { ids: Vec::new(), reply: Some(reply) })
        }
        Change::DeleteInterface { interface } => {
            let place =
                holder(core, "interface", &interface, |space| space.interfaces.contains_key(&interface))?;
            core.state.delete_interface(&place, &interface, moment);
            Ok(vec![interface].into())
        }
        Change::Detach { interface } => {
            let place =
                holder(core, "interface", &interface, |space| space.interfaces.contains_key(&interface))?;
            if let Some(found) = space(core, &place).interfaces.get_mut(&interface) {
                found.attachment = None;
            }
            Ok(vec![interface].into())
        }
        Change::ExpireSessions { account, role } => {
            let is_one =
                |session: &crate::state::Session| role.as_ref().is_none_or(|role| session.role == *role);
            let ended = core.state.end_sessions(now, |_, credential| {
                credential.account == account && credential.session.as_ref().is_some_and(is_one)
            });
            Ok(ended.into())
        }
        Change::Launch(entry) => {
            let names = world::names_of(&core.state);
            Ok(world::add_instances(&mut core.state, &names, &entry, now)?.into())
        }
        Change::RemoveLoadBalancer { arn } => {
            let place = holder(core, "load balancer", &arn, |space| space.load_balancers.contains_key(&arn))?;
            space(core, &place).load_balancers.remove(&arn);
            Ok(vec![arn].into())
        }
        Change::MoveAccount { account, unit } => company::move_account(core, &account, unit.as_deref()),
        Change::RemoveListener { arn, port } => company::remove_listener(core, &arn, port),
        Change::SetCrossZone { arn, enabled } => company::set_cross_zone(core, &arn, enabled),
        Change::SetHealth { target_group, target, health } => {
            company::set_health(core, &target_group, target.as_deref(), &health)
        }
        Change::SetZones { arn, subnets } => company::set_zones(core, &arn, &subnets),
        Change::Retag { resource, tags } => retag(core, &resource, tags, moment),
        Change::Start { instance } => {
            edit_instance(core, &instance, |instance| "running".clone_into(&mut instance.state))
        }
        Change::Stop { instance } => {
            edit_instance(core, &instance, |instance| "stopped".clone_into(&mut instance.state))
        }
        Change::SetType { instance, kind } => edit_instance(core, &instance, |instance| instance.kind = kind),
        Change::Terminate { instance } => terminate(core, &instance, moment),
    }
}

fn space<'a>(core: &'a mut Core, place: &Place) -> &'a mut Space {
    core.state.spaces.entry(place.clone()).or_default()
}

/// A mistyped account or Region would otherwise become a place of its own that nobody looks at.
fn known_place(core: &Core, account: &str, region: &str) -> Result<(), ChangeError> {
    if !core.state.accounts.contains_key(account) {
        return Err(ChangeError::Unknown { what: "account", name: account.to_owned() });
    }
    if !core.state.regions.contains(region) {
        return Err(ChangeError::Unknown { what: "Region", name: region.to_owned() });
    }
    Ok(())
}

fn holder(
    core: &Core,
    what: &'static str,
    name: &str,
    holds: impl Fn(&Space) -> bool,
) -> Result<Place, ChangeError> {
    let found = core.state.spaces.iter().find(|(_, space)| holds(space)).map(|(place, _)| place.clone());
    found.ok_or_else(|| ChangeError::Unknown { what, name: name.to_owned() })
}

/// Place and id of an instance named by id or name; terminated ones have lost their name.
fn instance(core: &Core, wanted: &str) -> Result<(Place, String), ChangeError> {
    let is_it = |id: &String, instance: &crate::state::Instance| {
        id == wanted
            || (instance.state != "terminated"
                && instance.tags.get("Name").is_some_and(|name| name == wanted))
    };
    for (place, space) in &core.state.spaces {
        if let Some((id, _)) = space.instances.iter().find(|(id, instance)| is_it(id, instance)) {
            return Ok((place.clone(), id.clone()));
        }
    }
    Err(ChangeError::Unknown { what: "instance", name: wanted.to_owned() })
}

fn edit_instance(
    core: &mut Core,
    wanted: &str,
    edit: impl FnOnce(&mut crate::state::Instance),
) -> Result<Changed, ChangeError> {
    let (place, id) = instance(core, wanted)?;
    if let Some(found) = space(core, &place).instances.get_mut(&id) {
        edit(found);
    }
    Ok(vec![id].into())
}

fn terminate(core: &mut Core, wanted: &str, moment: Moment) -> Result<Changed, ChangeError> {
    let (place, id) = instance(core, wanted)?;
    let space = space(core, &place);
    let held: Vec<(String, bool)> = space
        .interfaces
        .iter()
        .filter_map(|(interface, found)| {
            let attachment = found.attachment.as_ref()?;
            (attachment.instance.as_ref() == Some(&id))
                .then(|| (interface.clone(), attachment.delete_on_termination))
        })
        .collect();
    // Balancers let go of it, as AWS's do.
    for group in space.target_groups.values_mut() {
        group.targets.retain(|target| target.id != id);
    }
    for (interface, goes) in held {
        if goes {
            core.state.delete_interface(&place, &interface, moment);
        } else if let Some(found) = self::space(core, &place).interfaces.get_mut(&interface) {
            found.attachment = None;
        }
    }
    let space = self::space(core, &place);
    if let Some(found) = space.instances.get_mut(&id) {
        "terminated".clone_into(&mut found.state);
    }
    Ok(vec![id].into())
}

fn retag(
    core: &mut Core,
    resource: &str,
    changes: BTreeMap<String, Option<String>>,
    moment: Moment,
) -> Result<Changed, ChangeError> {
    let is_interface = |space: &Space| space.interfaces.contains_key(resource);
    let (place, id) = match holder(core, "resource", resource, is_interface) {
        Ok(place) => (place, resource.to_owned()),
        Err(_) => instance(core, resource)?,
    };
    let space = space(core, &place);
    let mut tags = space
        .instances
        .get(&id)
        .map(|instance| instance.tags.clone())
        .or_else(|| space.interfaces.get(&id).map(|interface| interface.tags.clone()))
        .unwrap_or_default();
    for (key, value) in changes {
        match value {
            Some(value) => tags.insert(key, value),
            None => tags.remove(&key),
        };
    }
    set_tags(space, &id, tags, moment);
    Ok(vec![id].into())
}
