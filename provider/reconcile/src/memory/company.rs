//! What the memory AWS knows beside EC2: the organization and load balancers.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use enigma_fleet::ids::{AccountId, Place};
use tokio_util::sync::CancellationToken;

use super::MemoryAws;
use super::place::MemoryPlace;
use super::refusal::Refusal;
use crate::ports::{
    AwsError, Balancer, BalancerPlace, ErrorKind, Group, Listener, OrganizationAccount, Receiver, UnitId,
};

impl MemoryAws {
    /// Replaces the organization. The units of each account begin at the root.
    pub fn set_organization(&self, accounts: Vec<OrganizationAccount>) {
        self.lock().world.company.organization = accounts;
    }

    /// Whether shares inside the organization need no invitation, and how long an association takes to take effect. At first
    /// they do, and none.
    pub fn set_sharing(&self, inside_organization: bool, delay: Duration) {
        let mut shared = self.lock();
        shared.world.company.shares_inside = inside_organization;
        shared.world.company.sharing_delay = delay;
    }

    /// How long an account that is taken out of a share goes on seeing its targets; at first it does not.
    pub fn set_lingering_sight(&self, time: Duration) {
        self.lock().world.company.lingering_sight = time;
    }

    /// Lets owners delete targets that sessions of other accounts use, which go dark then. Whether AWS does is not on
    /// record; at first it refuses.
    pub fn let_owners_delete_what_others_use(&self) {
        self.lock().world.company.owners_delete_what_others_use = true;
    }

    /// Changes a load balancer in any way.
    pub fn edit_balancer(&self, place: &Place, arn: &str, edit: impl FnOnce(&mut Balancer)) {
        if let Some(balancer) = self.lock().world.at(place).load_balancers.get_mut(arn) {
            edit(balancer);
        }
    }

    /// The permission for one action is missing in one place; dry runs say so too.
    pub fn deny_operation(&self, place: &Place, operation: &'static str) {
        self.lock().faults.deny_operation(place.clone(), operation);
    }

    /// From the call with this index on, every call in the account fails as with a token that has ended.
    pub fn expire_at(&self, index: usize, account: &AccountId) {
        self.lock().faults.expire_at(index, account.clone());
    }

    /// Cancels a token at the moment that the call with this index is made, before its effect; the call goes on.
    pub fn cancel_at(&self, index: usize, token: CancellationToken) {
        self.lock().faults.cancel_at(index, token);
    }

    pub(super) async fn accounts_below(
        &self,
        units: &[UnitId],
    ) -> Result<Vec<OrganizationAccount>, AwsError> {
        let home = MemoryPlace { aws: self.clone(), place: self.home.clone() };
        let mut found = BTreeMap::new();
        for unit in units {
            let below = home
                .call("ListAccountsForParent", unit.to_string(), |world, _| {
                    if world.company.organization.is_empty() {
                        let message = "Your account is not a member of an organization.";
                        return Err(Refusal::new(
                            ErrorKind::Invalid,
                            "AWSOrganizationsNotInUseException",
                            message,
                        ));
                    }
                    let below: Vec<_> = world
                        .company
                        .organization
                        .iter()
                        .filter_map(|account| {
                            let at = account.units.iter().position(|one| one == unit)?;
                            Some(OrganizationAccount {
                                units: account.units[at..].to_vec(),
                                ..account.clone()
                            })
                        })
                        .collect();
                    if below.is_empty() {
                        let message = format!("You specified parent that doesn't exist: {unit}");
                        return Err(Refusal::new(ErrorKind::NotFound, "ParentNotFoundException", message));
                    }
                    Ok(below)
                })
                .await?;
            for account in below {
                // Of two ways to an account the shorter one.
                let known = found.entry(account.id.clone()).or_insert_with(|| account.clone());
                if account.units.len() < known.units.len() {
                    *known = account;
                }
            }
        }
        Ok(found.into_values().collect())
    }
}

/// A load balancer that receives as it should, without zones.
#[must_use]
pub fn sound_balancer(arn: &str) -> Balancer {
    sound(arn, BTreeMap::new())
}

/// A load balancer that receives as it should: in the zones of the place's subnets, with a healthy receiver.
pub(super) fn sound(
    arn: &str,
    zones: BTreeMap<enigma_fleet::ids::ZoneName, Option<enigma_fleet::ids::SubnetId>>,
) -> Balancer {
    let group = format!("{arn}/collectors");
    let receiver = Receiver {
        id: "i-0123456789abcdef0".to_owned(),
        port: Some(4789),
        zone: zones.keys().next().cloned(),
        health: "healthy".to_owned(),
    };
    Balancer {
        arn: arn.to_owned(),
        kind: "network".to_owned(),
        scheme: Some("internal".to_owned()),
        state: "active".to_owned(),
        vpc: None,
        ip_address_type: "ipv4".to_owned(),
        zones,
        is_cross_zone: true,
        listeners: vec![Listener { protocol: "UDP".to_owned(), port: 4789, groups: vec![group.clone()] }],
        groups: BTreeMap::from([(
            group.clone(),
            Group {
                arn: group,
                protocol: "UDP".to_owned(),
                port: Some(4789),
                kind: "instance".to_owned(),
                is_cross_zone: None,
                receivers: vec![receiver],
            },
        )]),
    }
}

#[async_trait]
impl BalancerPlace for MemoryPlace {
    fn place(&self) -> &Place {
        &self.place
    }

    async fn balancer(&self, arn: &str) -> Result<Option<Balancer>, AwsError> {
        self.read("DescribeLoadBalancers", arn.to_owned(), |seen| {
            seen.here(|state| state.load_balancers.get(arn).cloned())
        })
        .await
    }
}
