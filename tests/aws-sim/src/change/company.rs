//! Changes of organizations and load balancers.

use super::{ChangeError, Changed, holder, instance, space};
use crate::core::Core;
use crate::state::Place;
use crate::world::{self, WorldError};

fn unknown(what: &'static str, name: &str) -> ChangeError {
    ChangeError::Unknown { what, name: name.to_owned() }
}

/// Moves an account to another unit, or out of the organization.
pub(super) fn move_account(
    core: &mut Core,
    account: &str,
    unit: Option<&str>,
) -> Result<Changed, ChangeError> {
    let organization = core.state.organization.as_ref().ok_or_else(|| unknown("organization", "any"))?;
    let parent = match unit {
        Some(unit) => Some(world::parent_of(organization, unit).ok_or_else(|| unknown("unit", unit))?),
        None => None,
    };
    let found = core.state.accounts.get_mut(account).ok_or_else(|| unknown("account", account))?;
    found.parent = parent;
    Ok(vec![account.to_owned()].into())
}

fn place_of(core: &Core, arn: &str) -> Result<Place, ChangeError> {
    holder(core, "load balancer", arn, |space| space.load_balancers.contains_key(arn))
}

pub(super) fn remove_listener(core: &mut Core, arn: &str, port: u16) -> Result<Changed, ChangeError> {
    let place = place_of(core, arn)?;
    let balancer = space(core, &place).load_balancers.get_mut(arn);
    let balancer = balancer.ok_or_else(|| unknown("load balancer", arn))?;
    let gone: Vec<String> =
        balancer.listeners.iter().filter(|(_, own)| own.port == port).map(|(arn, _)| arn.clone()).collect();
    if gone.is_empty() {
        return Err(unknown("listener", &format!("port {port} of {arn}")));
    }
    balancer.listeners.retain(|_, own| own.port != port);
    Ok(gone.into())
}

pub(super) fn set_zones(core: &mut Core, arn: &str, subnets: &[String]) -> Result<Changed, ChangeError> {
    let place = place_of(core, arn)?;
    let names = world::names_of(&core.state);
    let found = space(core, &place).load_balancers.get(arn).cloned();
    let mut balancer = found.ok_or_else(|| unknown("load balancer", arn))?;
    balancer.zones.clear();
    for subnet in subnets {
        let name = balancer.name.clone();
        world::add_zone(&mut core.state, &names, &place, &mut balancer, subnet, ("load balancer", &name))?;
    }
    space(core, &place).load_balancers.insert(arn.to_owned(), balancer);
    Ok(vec![arn.to_owned()].into())
}

pub(super) fn set_cross_zone(core: &mut Core, arn: &str, enabled: bool) -> Result<Changed, ChangeError> {
    let place = place_of(core, arn)?;
    if let Some(balancer) = space(core, &place).load_balancers.get_mut(arn) {
        balancer.cross_zone = enabled;
    }
    Ok(vec![arn.to_owned()].into())
}

pub(super) fn set_health(
    core: &mut Core,
    group: &str,
    target: Option<&str>,
    health: &str,
) -> Result<Changed, ChangeError> {
    if !world::is_health(health) {
        let problem = "`health` is healthy, unhealthy, initial, draining or unavailable".to_owned();
        let entry = format!("target group \"{group}\"");
        return Err(WorldError::Entry { entry, problem }.into());
    }
    let id = target.map(|target| match instance(core, target) {
        Ok((_, id)) => id,
        Err(_) => target.to_owned(),
    });
    let mut changed = Vec::new();
    let groups = core.state.spaces.values_mut().flat_map(|space| space.target_groups.iter_mut());
    for (_, found) in groups.filter(|(arn, found)| *arn == group || found.name == group) {
        for target in found.targets.iter_mut().filter(|own| id.as_ref().is_none_or(|id| own.id == *id)) {
            health.clone_into(&mut target.health);
            changed.push(target.id.clone());
        }
    }
    match changed.is_empty() {
        true => Err(unknown("target", &format!("{} of group {group}", target.unwrap_or("any")))),
        false => Ok(changed.into()),
    }
}
