//! From a world's description to state: accounts and networks here, machines in `machines`.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::machines::{add_instances, add_interfaces};
use super::{World, WorldError};
use crate::state::{Account, Credential, Place, Role, Rules, SecurityGroup, Space, State, Subnet, Vpc};
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
        },
        ..State::default()
    };
    state.regions.extend(world.regions.iter().cloned());
    state.regions.insert(world.region.clone().unwrap_or_else(|| DEFAULT_REGION.to_owned()));
    add_accounts(world, &mut state)?;
    let names = add_networks(world, &mut state)?;
    for entry in &world.load_balancers {
        add_load_balancer(world, &mut state, entry)?;
    }
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
    Ok(state)
}

pub(super) fn space<'a>(state: &'a mut State, place: &Place) -> &'a mut Space {
    state.spaces.entry(place.clone()).or_default()
}

fn add_accounts(world: &World, state: &mut State) -> Result<(), WorldError> {
    for entry in &world.accounts {
        if entry.id.len() != 12 || !entry.id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(problem("account", &entry.id, "an account id has twelve digits"));
        }
        let mut account = Account::default();
        for role in &entry.roles {
            let known = Role {
                external_id: role.external_id.clone(),
                trusted_accounts: role.trusted_accounts.clone(),
                max_duration: role.max_duration.unwrap_or(3600),
                denied_actions: role.denied_actions.clone(),
            };
            account.roles.insert(role.name.clone(), known);
        }
        if state.accounts.insert(entry.id.clone(), account).is_some() {
            return Err(problem("account", &entry.id, "is listed twice"));
        }
        for key in &entry.access_keys {
            let credential = Credential {
                account: entry.id.clone(),
                arn: format!("arn:{}:iam::{}:user/simulated", state.partition, entry.id),
                user_id: "AIDASIMULATEDUSER0000".to_owned(),
                session: None,
            };
            if state.credentials.insert(key.clone(), credential).is_some() {
                return Err(problem("access key", key, "belongs to two accounts"));
            }
        }
    }
    Ok(())
}

fn place(
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
        let subnet = Subnet { vpc, zone, cidr, ipv6_cidr, next_host: FIRST_HOST, tags };
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

/// The names of a state that is already running, for entries that come later. Ids serve as names too.
pub(crate) fn names_of(state: &State) -> Names {
    let mut names = Names::default();
    for (place, space) in &state.spaces {
        let add = |map: &mut BTreeMap<String, (Place, String)>, id: &String, name: Option<&String>| {
            for key in [Some(id), name].into_iter().flatten() {
                map.entry(key.clone()).or_insert_with(|| (place.clone(), id.clone()));
            }
        };
        for (id, subnet) in &space.subnets {
            add(&mut names.subnets, id, subnet.tags.get("Name"));
        }
        for (id, vpc) in &space.vpcs {
            add(&mut names.vpcs, id, vpc.tags.get("Name"));
        }
        for (id, group) in &space.security_groups {
            add(&mut names.groups, id, Some(&group.name));
        }
    }
    names
}

fn add_load_balancer(
    world: &World,
    state: &mut State,
    entry: &super::LoadBalancerEntry,
) -> Result<(), WorldError> {
    let place = place(world, state, ("load balancer", &entry.name), &entry.account, &entry.region)?;
    let (kind, short) = match entry.kind.as_str() {
        "" | "network" => ("network", "net"),
        "application" => ("application", "app"),
        "gateway" => ("gateway", "gwy"),
        _ => return Err(problem("load balancer", &entry.name, "`type` is network, application or gateway")),
    };
    let arn = entry.arn.clone().unwrap_or_else(|| {
        let tail = crate::id::derive("lb", &entry.name).replace("lb-", "");
        format!(
            "arn:{}:elasticloadbalancing:{}:{}:loadbalancer/{short}/{}/{}",
            state.partition,
            place.1,
            place.0,
            entry.name,
            &tail[..16]
        )
    });
    space(state, &place).load_balancers.insert(arn, kind.to_owned());
    Ok(())
}
