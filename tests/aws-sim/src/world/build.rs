//! From a world's description to state: accounts and networks here, machines in `machines`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::machines::{add_instances, add_interfaces};
use super::{World, WorldError, balancers, company};
use crate::state::{Place, Rules, SecurityGroup, Space, State, Subnet, Vpc};
use crate::tag::Tags;

const DEFAULT_REGION: &str = "us-east-1";
/// AWS keeps the first four addresses of a subnet for itself.
const FIRST_HOST: u32 = 4;

/// Where names lead: everything later entries may point at.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) vpcs: BTreeMap<String, (Place, String)>,
    pub(crate) subnets: BTreeMap<String, (Place, String)>,
    pub(crate) groups: BTreeMap<String, (Place, String)>,
}

pub(super) fn problem(kind: &str, name: &str, problem: impl Into<String>) -> WorldError {
    WorldError::Entry { entry: format!("{kind} \"{name}\""), problem: problem.into() }
}

pub(super) fn look_up<'a>(
    map: &'a BTreeMap<String, (Place, String)>,
    what: &str,
    wanted: &str,
    entry: (&str, &str),
) -> Result<&'a (Place, String), WorldError> {
    map.get(wanted).ok_or_else(|| problem(entry.0, entry.1, format!("there is no {what} \"{wanted}\"")))
}

/// Tags with the name in them, unless they already carry one.
pub(super) fn named(tags: &Tags, name: &str) -> Tags {
    let mut tags = tags.clone();
    tags.entry("Name".to_owned()).or_insert_with(|| name.to_owned());
    tags
}

pub(super) fn build(world: &World, now: Timestamp) -> Result<State, WorldError> {
    let mut state = State {
        partition: if world.partition.is_empty() { "aws".to_owned() } else { world.partition.clone() },
        quotas: world.quotas,
        rules: Rules {
            extra_source_types: world.extra_source_types.clone(),
            refuse_stopped_sources: world.refuse_stopped_sources,
            sharing_milliseconds: world.sharing_milliseconds,
        },
        ..State::default()
    };
    state.regions.extend(world.regions.iter().cloned());
    state.regions.insert(world.region.clone().unwrap_or_else(|| DEFAULT_REGION.to_owned()));
    company::add_accounts(world, &mut state, now)?;
    let names = add_networks(world, &mut state)?;
    for entry in &world.gateway_endpoints {
        let place =
            place(world, &mut state, ("gateway endpoint", &entry.name), &entry.account, &entry.region)?;
        let id = entry.id.clone().unwrap_or_else(|| World::id_of("vpce", &entry.name));
        space(&mut state, &place).gateway_endpoints.insert(id);
    }
    for entry in &world.instances {
        add_instances(&mut state, &names, entry, now)?;
    }
    for entry in &world.interfaces {
        add_interfaces(&mut state, &names, entry, now)?;
    }
    for entry in &world.target_groups {
        balancers::add_target_group(&mut state, &names, entry)?;
    }
    for entry in &world.load_balancers {
        balancers::add_load_balancer(world, &mut state, &names, entry, now)?;
    }
    for entry in &world.auto_scaling_groups {
        balancers::add_scaling_group(world, &mut state, entry, now)?;
    }
    Ok(state)
}

pub(super) fn space<'a>(state: &'a mut State, place: &Place) -> &'a mut Space {
    state.spaces.entry(place.clone()).or_default()
}

pub(super) fn place(
    world: &World,
    state: &mut State,
    entry: (&str, &str),
    account: &Option<String>,
    region: &Option<String>,
) -> Result<Place, WorldError> {
    let only = || match &world.accounts[..] {
        [only] => Some(only.id.clone()),
        _ => None,
    };
    let Some(account) = account.clone().or_else(|| world.account.clone()).or_else(only) else {
        return Err(problem(entry.0, entry.1, "names no account, and the world has several: set `account`"));
    };
    if !state.accounts.contains_key(&account) {
        return Err(problem(entry.0, entry.1, format!("account {account} is not listed under `accounts`")));
    }
    let region = region.clone().or_else(|| world.region.clone()).unwrap_or_else(|| DEFAULT_REGION.to_owned());
    state.regions.insert(region.clone());
    Ok((account, region))
}

fn add_networks(world: &World, state: &mut State) -> Result<Names, WorldError> {
    let mut names = Names::default();
    for entry in &world.vpcs {
        let place = place(world, state, ("vpc", &entry.name), &entry.account, &entry.region)?;
        let id = entry.id.clone().unwrap_or_else(|| World::id_of("vpc", &entry.name));
        let cidr: ipnet::Ipv4Net =
            entry.cidr.parse().map_err(|_| problem("vpc", &entry.name, "`cidr` is not an IPv4 block"))?;
        let vpc = Vpc {
            owner: None,
            cidr: cidr.to_string(),
            ipv6_cidr: entry.ipv6_cidr.clone(),
            is_default: entry.default,
            tags: named(&entry.tags, &entry.name),
        };
        space(state, &place).vpcs.insert(id.clone(), vpc);
        if names.vpcs.insert(entry.name.clone(), (place, id)).is_some() {
            return Err(problem("vpc", &entry.name, "is listed twice"));
        }
    }
    for entry in &world.subnets {
        let me = ("subnet", entry.name.as_str());
        let (place, vpc) = look_up(&names.vpcs, "vpc", &entry.vpc, me)?.clone();
        let id = entry.id.clone().unwrap_or_else(|| World::id_of("subnet", &entry.name));
        let zone = entry.zone.clone().unwrap_or_else(|| "a".to_owned());
        let zone = if zone.len() == 1 { format!("{}{zone}", place.1) } else { zone };
        let bad = |what: &str| problem("subnet", &entry.name, format!("`{what}` is not an address block"));
        let cidr = entry.cidr.as_ref().map(|cidr| cidr.parse().map_err(|_| bad("cidr"))).transpose()?;
        let ipv6_cidr =
            entry.ipv6_cidr.as_ref().map(|cidr| cidr.parse().map_err(|_| bad("ipv6_cidr"))).transpose()?;
        if cidr.is_none() && ipv6_cidr.is_none() {
            return Err(problem("subnet", &entry.name, "has neither `cidr` nor `ipv6_cidr`"));
        }
        let tags = named(&entry.tags, &entry.name);
        let participants = entry.shared_with.iter().cloned().collect();
        let subnet =
            Subnet { owner: None, participants, vpc, zone, cidr, ipv6_cidr, next_host: FIRST_HOST, tags };
        share_subnet(state, &place, &id, &subnet, me)?;
        space(state, &place).subnets.insert(id.clone(), subnet);
        if names.subnets.insert(entry.name.clone(), (place, id)).is_some() {
            return Err(problem("subnet", &entry.name, "is listed twice"));
        }
    }
    for entry in &world.security_groups {
        let (place, vpc) = look_up(&names.vpcs, "vpc", &entry.vpc, ("security group", &entry.name))?.clone();
        let id = entry.id.clone().unwrap_or_else(|| World::id_of("sg", &entry.name));
        let group = SecurityGroup {
            vpc,
            name: entry.name.clone(),
            description: entry.description.clone(),
            tags: entry.tags.clone(),
        };
        space(state, &place).security_groups.insert(id.clone(), group);
        if names.groups.insert(entry.name.clone(), (place, id)).is_some() {
            return Err(problem("security group", &entry.name, "is listed twice"));
        }
    }
    Ok(names)
}

/// Puts views of a subnet and its VPC into the accounts it is shared with: the same without the owner's tags.
fn share_subnet(
    state: &mut State,
    place: &Place,
    id: &str,
    subnet: &Subnet,
    entry: (&str, &str),
) -> Result<(), WorldError> {
    for participant in &subnet.participants {
        if !state.accounts.contains_key(participant) || *participant == place.0 {
            let text =
                format!("`shared_with` names {participant}, which is not another account of the world");
            return Err(problem(entry.0, entry.1, text));
        }
        let owner = Some(place.0.clone());
        let vpc = space(state, place).vpcs.get(&subnet.vpc).cloned();
        let theirs = space(state, &(participant.clone(), place.1.clone()));
        if let Some(vpc) = vpc {
            let view = Vpc { owner: owner.clone(), is_default: false, tags: Tags::new(), ..vpc };
            theirs.vpcs.insert(subnet.vpc.clone(), view);
        }
        let view = Subnet { owner, participants: [].into(), tags: Tags::new(), ..subnet.clone() };
        theirs.subnets.insert(id.to_owned(), view);
    }
    Ok(())
}

/// The names of a state that is already running, for entries that come later. Ids serve as names too.
pub(crate) fn names_of(state: &State) -> Names {
    let mut names = Names::default();
    for (place, space) in &state.spaces {
        let add = |map: &mut BTreeMap<String, (Place, String)>, id: &String, name: Option<&String>| {
            for key in [Some(id), name].into_iter().flatten() {
                map.entry(key.clone()).or_insert_with(|| (place.clone(), id.clone()));
            }
        };
        for (id, subnet) in space.subnets.iter().filter(|(_, subnet)| subnet.owner.is_none()) {
            add(&mut names.subnets, id, subnet.tags.get("Name"));
        }
        for (id, vpc) in space.vpcs.iter().filter(|(_, vpc)| vpc.owner.is_none()) {
            add(&mut names.vpcs, id, vpc.tags.get("Name"));
        }
        for (id, group) in &space.security_groups {
            add(&mut names.groups, id, Some(&group.name));
        }
    }
    names
}
