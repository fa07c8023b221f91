//! Instances and interfaces of a world, also those that come later through the admin endpoint.

use std::net::{Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;

use super::build::{Names, look_up, named, problem, space};
use super::{InstanceEntry, InterfaceEntry, World, WorldError};
use crate::state::{Attachment, Instance, Interface, Place, State, Subnet};
use crate::tag::Tags;

/// Names of `count` entries alike.
fn numbered(name: &str, count: Option<usize>) -> Vec<String> {
    match count {
        None => vec![name.to_owned()],
        Some(count) if name.contains("{n}") => {
            (1..=count).map(|n| name.replace("{n}", &n.to_string())).collect()
        }
        Some(count) => (1..=count).map(|n| format!("{name}-{n}")).collect(),
    }
}

/// Adds the instances of one entry; returns their ids.
pub(crate) fn add_instances(
    state: &mut State,
    names: &Names,
    entry: &InstanceEntry,
    now: Timestamp,
) -> Result<Vec<String>, WorldError> {
    let me = ("instance", entry.name.as_str());
    let wrong = |text: &str| Err(problem(me.0, me.1, text));
    if entry.name.is_empty() {
        return wrong("needs a `name`");
    }
    if !entry.kind.contains('.') {
        return wrong("needs a `type` such as m5.large");
    }
    if !matches!(entry.state.as_str(), "" | "running" | "stopped") {
        return wrong("`state` is running or stopped");
    }
    if entry.count.is_some() && (entry.id.is_some() || entry.interface_id.is_some()) {
        return wrong("an id cannot be given together with `count`");
    }
    let subnets: Vec<&String> = entry.subnet.iter().chain(&entry.subnets).collect();
    if subnets.is_empty() {
        return wrong("needs `subnet` or `subnets`");
    }
    let mut ids = Vec::new();
    for (number, name) in numbered(&entry.name, entry.count).into_iter().enumerate() {
        let (owner, subnet) = look_up(&names.subnets, "subnet", subnets[number % subnets.len()], me)?.clone();
        let place = inhabitant(state, owner, &subnet, entry.account.as_ref(), me)?;
        let id = entry.id.clone().unwrap_or_else(|| World::id_of("i", &name));
        let groups = groups(names, &entry.security_groups, me)?;
        if space(state, &place).instances.contains_key(&id) {
            return Err(problem(me.0, &name, format!("there is already an instance {id}")));
        }
        let attachment = |index: u32, delete_on_termination: bool| Attachment {
            id: crate::id::derive("eni-attach", &format!("{id}/{index}")),
            instance: Some(id.clone()),
            owner: place.0.clone(),
            device_index: index,
            delete_on_termination,
            since: now,
        };
        let first = NewInterface {
            id: entry.interface_id.clone().unwrap_or_else(|| World::id_of("eni", &name)),
            kind: "interface",
            subnet: &subnet,
            description: "",
            requester: None,
            groups: groups.clone(),
            attachment: Some(attachment(0, true)),
            tags: entry.interface_tags.clone(),
        };
        first.add(state, &place, me)?;
        for (further, index) in entry.interfaces.iter().zip(1..) {
            let subnet = match &further.subnet {
                Some(name) => look_up(&names.subnets, "subnet", name, me)?.1.clone(),
                None => subnet.clone(),
            };
            let derived = || World::id_of("eni", &format!("{name}/{index}"));
            let interface = NewInterface {
                id: further.id.clone().unwrap_or_else(derived),
                kind: &further.kind,
                subnet: &subnet,
                description: &further.description,
                requester: None,
                groups: groups.clone(),
                attachment: Some(attachment(index, further.delete_on_termination)),
                tags: further.tags.clone(),
            };
            interface.add(state, &place, me)?;
        }
        let instance = Instance {
            reservation: crate::id::derive("r", &entry.name),
            kind: entry.kind.clone(),
            state: if entry.state.is_empty() { "running".to_owned() } else { entry.state.clone() },
            image: "ami-00000000000000001".to_owned(),
            subnet,
            launched: now,
            tags: named(&entry.tags, &name),
        };
        space(state, &place).instances.insert(id.clone(), instance);
        ids.push(id);
    }
    Ok(ids)
}

fn groups(names: &Names, wanted: &[String], entry: (&str, &str)) -> Result<Vec<String>, WorldError> {
    wanted
        .iter()
        .map(|name| look_up(&names.groups, "security group", name, entry).map(|(_, id)| id.clone()))
        .collect()
}

/// Adds the interfaces of one entry; returns their ids.
pub(crate) fn add_interfaces(
    state: &mut State,
    names: &Names,
    entry: &InterfaceEntry,
    now: Timestamp,
) -> Result<Vec<String>, WorldError> {
    let me = ("interface", entry.name.as_str());
    if entry.name.is_empty() {
        return Err(problem(me.0, me.1, "needs a `name`"));
    }
    if entry.count.is_some() && entry.id.is_some() {
        return Err(problem(me.0, me.1, "an id cannot be given together with `count`"));
    }
    let (owner, subnet) = look_up(&names.subnets, "subnet", &entry.subnet, me)?.clone();
    let place = inhabitant(state, owner, &subnet, entry.account.as_ref(), me)?;
    let mut ids = Vec::new();
    for name in numbered(&entry.name, entry.count) {
        let id = entry.id.clone().unwrap_or_else(|| World::id_of("eni", &name));
        let requester = entry.requester_id.clone().unwrap_or_else(|| "amazon-aws".to_owned());
        let attachment = entry.requester_managed.then(|| Attachment {
            id: crate::id::derive("eni-attach", &name),
            instance: None,
            owner: requester.clone(),
            device_index: 1,
            delete_on_termination: false,
            since: now,
        });
        let interface = NewInterface {
            id: id.clone(),
            kind: if entry.kind.is_empty() { "interface" } else { &entry.kind },
            subnet: &subnet,
            description: &entry.description,
            requester: entry.requester_managed.then_some(requester),
            groups: groups(names, &entry.security_groups, me)?,
            attachment,
            tags: entry.tags.clone(),
        };
        interface.add(state, &place, me)?;
        ids.push(id);
    }
    Ok(ids)
}

/// The place of what an account puts into a subnet: its own if the subnet is shared with it.
fn inhabitant(
    state: &State,
    owner: Place,
    subnet: &str,
    account: Option<&String>,
    entry: (&str, &str),
) -> Result<Place, WorldError> {
    let Some(account) = account.filter(|account| **account != owner.0) else { return Ok(owner) };
    let found = state.spaces.get(&owner).and_then(|space| space.subnets.get(subnet));
    if found.is_some_and(|subnet| subnet.participants.contains(account)) {
        return Ok((account.clone(), owner.1));
    }
    let text = format!("subnet {subnet} is not shared with account {account}: list it under `shared_with`");
    Err(problem(entry.0, entry.1, text))
}

struct NewInterface<'a> {
    id: String,
    kind: &'a str,
    subnet: &'a str,
    description: &'a str,
    requester: Option<String>,
    groups: Vec<String>,
    attachment: Option<Attachment>,
    tags: Tags,
}

impl NewInterface<'_> {
    fn add(self, state: &mut State, place: &Place, entry: (&str, &str)) -> Result<(), WorldError> {
        let own = space(state, place);
        if own.interfaces.contains_key(&self.id) {
            return Err(problem(entry.0, entry.1, format!("there is already an interface {}", self.id)));
        }
        let Some(subnet) = own.subnets.get_mut(self.subnet) else {
            let text = format!("subnet {} is in another account or Region", self.subnet);
            return Err(problem(entry.0, entry.1, text));
        };
        let (private_ip, ipv6) = next_addresses(subnet).ok_or_else(|| {
            problem(entry.0, entry.1, format!("subnet {} has no address left", self.subnet))
        })?;
        if subnet.owner.is_some() || !subnet.participants.is_empty() {
            // All views of a shared subnet go on from the same address.
            let next = subnet.next_host;
            let views = state.spaces.values_mut().filter_map(|space| space.subnets.get_mut(self.subnet));
            views.for_each(|view| view.next_host = next);
        }
        let digits = crate::id::derive("mac", &self.id).replace("mac-", "");
        let mac: Vec<&str> = (0..5).filter_map(|at| digits.get(at * 2..at * 2 + 2)).collect();
        let interface = Interface {
            kind: self.kind.to_owned(),
            subnet: self.subnet.to_owned(),
            description: self.description.to_owned(),
            requester_managed: self.requester.is_some(),
            requester_id: self.requester,
            private_ip,
            ipv6,
            mac: format!("02:{}", mac.join(":")),
            groups: self.groups,
            attachment: self.attachment,
            tags: self.tags,
        };
        space(state, place).interfaces.insert(self.id, interface);
        Ok(())
    }
}

/// The next addresses of a subnet; `None` when its IPv4 block is used up.
fn next_addresses(subnet: &mut Subnet) -> Option<(Option<String>, Option<String>)> {
    let host = subnet.next_host;
    let ipv4 = match subnet.cidr {
        Some(cidr) => {
            let address = u32::from(cidr.network()).checked_add(host)?;
            if address >= u32::from(cidr.broadcast()) {
                return None;
            }
            Some(Ipv4Addr::from(address).to_string())
        }
        None => None,
    };
    let ipv6 = subnet
        .ipv6_cidr
        .map(|cidr| Ipv6Addr::from(u128::from(cidr.network()).saturating_add(u128::from(host))).to_string());
    subnet.next_host += 1;
    Some((ipv4, ipv6))
}
