//! What AWS cannot or must not mirror, whatever the rules say.

use std::collections::{BTreeMap, BTreeSet};

use crate::eligibility::{AS_OF, Eligibility};
use crate::ids::{InstanceId, InterfaceId, SubnetId, TargetId};
use crate::inventory::{Destination, Instance, Interface, MirrorSession, PlaceInventory, Subnet};
use crate::ownership::{COLLECTOR_TAG, FLEET_TAG};
use crate::quota::SESSIONS_PER_SOURCE;
use crate::selection::{Service, SkipReason, Skipped};

/// One place, indexed.
pub(super) struct Surroundings<'a> {
    pub(super) instances: BTreeMap<&'a InstanceId, &'a Instance>,
    subnets: BTreeMap<&'a SubnetId, &'a Subnet>,
    targets: BTreeMap<&'a InterfaceId, &'a TargetId>,
    target_instances: BTreeSet<&'a InstanceId>,
    sessions: BTreeMap<&'a InterfaceId, Vec<&'a MirrorSession>>,
}

impl<'a> Surroundings<'a> {
    pub(super) fn of(seen: &'a PlaceInventory) -> Self {
        let targets: BTreeMap<_, _> = seen
            .targets
            .iter()
            .filter_map(|target| match &target.destination {
                Destination::Interface(interface) => Some((interface, &target.id)),
                _ => None,
            })
            .collect();
        let mut sessions: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for session in &seen.sessions {
            sessions.entry(&session.interface).or_default().push(session);
        }
        for held in sessions.values_mut() {
            held.sort_by(|a, b| (a.number, &a.id).cmp(&(b.number, &b.id)));
        }
        Self {
            instances: seen.instances.iter().map(|instance| (&instance.id, instance)).collect(),
            subnets: seen.subnets.iter().map(|subnet| (&subnet.id, subnet)).collect(),
            target_instances: seen
                .interfaces
                .iter()
                .filter(|interface| targets.contains_key(&interface.id))
                .filter_map(|interface| interface.attachment.as_ref()?.instance.as_ref())
                .collect(),
            targets,
            sessions,
        }
    }

    /// The instance of an interface, if it was seen.
    pub(super) fn instance(&self, interface: &Interface) -> Option<&'a Instance> {
        let id = interface.attachment.as_ref()?.instance.as_ref()?;
        self.instances.get(id).copied()
    }

    /// The sessions on an interface, by number.
    pub(super) fn sessions(&self, interface: &InterfaceId) -> &[&'a MirrorSession] {
        self.sessions.get(interface).map_or(&[], Vec::as_slice)
    }

    /// Why the interface cannot be mirrored, if so. The order of questions is from what never changes to what may.
    pub(super) fn reason_against(&self, interface: &Interface, eligibility: &Eligibility) -> Option<Skipped> {
        self.reason_as_receiver(interface)
            .or_else(|| self.reason_of_interface(interface))
            .or_else(|| self.reason_of_instance(interface, eligibility))
            .or_else(|| self.reason_of_slots(interface))
    }

    fn reason_as_receiver(&self, interface: &Interface) -> Option<Skipped> {
        if let Some(target) = self.targets.get(&interface.id) {
            return skip(SkipReason::IsTarget, format!("it is the destination of mirror target {target}"));
        }
        let attached = interface.attachment.as_ref()?.instance.as_ref()?;
        let instance = self.instance(interface);
        if instance.is_some_and(|instance| instance.tags.contains_key(COLLECTOR_TAG)) {
            return skip(
                SkipReason::Collector,
                format!("instance {attached} carries the tag {COLLECTOR_TAG}: it receives mirrored traffic"),
            );
        }
        self.target_instances.contains(attached).then_some(())?;
        skip(SkipReason::Collector, format!("another interface of instance {attached} is a mirror target"))
    }

    fn reason_of_interface(&self, interface: &Interface) -> Option<Skipped> {
        // The owner of a shared subnet may mirror what others have in it, and sees those interfaces.
        // <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-sessions.html>
        let here = &interface.place.account;
        let owns_subnet = self.subnets.get(&interface.subnet).is_some_and(|subnet| subnet.owner == *here);
        if interface.owner != *here && !owns_subnet {
            return skip(
                SkipReason::NotOwner,
                format!(
                    "account {} owns it, and only the owner of an interface or of its subnet can mirror it",
                    interface.owner
                ),
            );
        }
        // Services' interfaces first: some of them show the type `interface`.
        if interface.kind != "interface" {
            let advice = match interface.kind.as_str() {
                "branch" | "trunk" => "; mirror the node's own interface instead",
                _ => "",
            };
            return skip(
                SkipReason::UnsupportedInterfaceType,
                format!("AWS mirrors interfaces of type interface, not {}{advice}", interface.kind),
            );
        }
        if interface.is_requester_managed && Service::of(interface).is_none() {
            let who = interface.requester.as_deref().unwrap_or("an AWS service");
            return skip(
                SkipReason::RequesterManaged,
                format!(
                    "it is managed by {who}; of managed interfaces AWS mirrors those of RDS and ElastiCache"
                ),
            );
        }
        if self.subnets.get(&interface.subnet).is_some_and(|subnet| subnet.is_ipv6_only) {
            return skip(
                SkipReason::Ipv6OnlySubnet,
                format!("subnet {} is IPv6-only, and AWS mirrors nothing from those", interface.subnet),
            );
        }
        match &interface.attachment {
            None => skip(SkipReason::Unattached, "it is attached to nothing".to_owned()),
            Some(attachment) if attachment.status.starts_with("detach") => {
                skip(SkipReason::Detached, format!("its attachment is {}", attachment.status))
            }
            Some(_) => None,
        }
    }

    fn reason_of_instance(&self, interface: &Interface, eligibility: &Eligibility) -> Option<Skipped> {
        let instance = self.instance(interface)?;
        let id = &instance.id;
        match instance.state.as_str() {
            "shutting-down" | "terminated" => {
                return skip(SkipReason::InstanceTerminated, format!("instance {id} is {}", instance.state));
            }
            // A session survives a stop; whether AWS makes one on a stopped instance is not documented. So sessions stay and
            // none is promised.
            "stopped" | "stopping" if !self.has_fleet_session(&interface.id) => {
                return skip(
                    SkipReason::InstanceStopped,
                    format!("instance {id} is {}; it joins once it runs", instance.state),
                );
            }
            _ => {}
        }
        let kind = &instance.instance_type;
        (!eligibility.supports(kind)).then_some(())?;
        skip(
            SkipReason::UnsupportedInstanceType,
            format!(
                "instance type {kind} is not on AWS's list of {AS_OF}; if AWS supports it now, add it to \
                 eligible_instance_types"
            ),
        )
    }

    fn has_fleet_session(&self, interface: &InterfaceId) -> bool {
        self.sessions(interface).iter().any(|session| session.tags.contains_key(FLEET_TAG))
    }

    fn reason_of_slots(&self, interface: &Interface) -> Option<Skipped> {
        let held = self.sessions(&interface.id);
        let are_strangers = held.iter().all(|session| !session.tags.contains_key(FLEET_TAG));
        (held.len() >= SESSIONS_PER_SOURCE && are_strangers).then_some(())?;
        let ids: Vec<&str> = held.iter().map(|session| session.id.as_str()).collect();
        skip(
            SkipReason::NoSessionSlot,
            format!("sessions {} of others hold all {SESSIONS_PER_SOURCE} slots", ids.join(", ")),
        )
    }
}

#[expect(clippy::unnecessary_wraps, reason = "callers return it as the answer to why not")]
fn skip(reason: SkipReason, detail: String) -> Option<Skipped> {
    Some(Skipped { reason, detail })
}
