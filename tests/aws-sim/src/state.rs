//! What exists: accounts with their credentials, and per account and Region the network and the mirroring objects.
//!
//! Plain data with lookups. The rules of the calls stand in [`crate::ec2`] and [`crate::sts`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::balancing::{LoadBalancer, TargetGroup};
use crate::organization::Organization;
use crate::policy::Policy;
use crate::quota::Quotas;
use crate::scaling::ScalingGroup;
use crate::sharing::Share;
use crate::table::{Moment, Table};
use crate::tag::Tags;

/// Account id and Region: nothing in EC2 is shared across this border.
pub(crate) type Place = (String, String);

/// Everything the simulator knows.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) partition: String,
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) regions: BTreeSet<String>,
    /// Access key id -> whose it is.
    pub(crate) credentials: BTreeMap<String, Credential>,
    pub(crate) spaces: BTreeMap<Place, Space>,
    pub(crate) organization: Option<Organization>,
    /// ARN -> resource share.
    pub(crate) shares: BTreeMap<String, Share>,
    /// Client token of a sharing call -> its fingerprint and reply.
    pub(crate) share_tokens: BTreeMap<(Place, String), (String, serde_json::Value)>,
    pub(crate) quotas: Quotas,
    pub(crate) rules: Rules,
    /// Ids given out so far: the seed of the next one.
    pub(crate) serial: u64,
}

/// Where AWS's behaviour is unknown or changes over time, the world says which.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// Instance types eligible as sources beside AWS's dated list; wildcards allowed.
    pub(crate) extra_source_types: Vec<String>,
    pub(crate) refuse_stopped_sources: bool,
    /// How long an association takes to come and to go.
    pub(crate) sharing_milliseconds: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) email: String,
    /// What Organizations calls its state.
    pub(crate) status: String,
    /// Unit or root it stands in; `None` outside the organization.
    pub(crate) parent: Option<String>,
    pub(crate) joined: Timestamp,
    /// Access key -> actions allowed to it; keys without an entry may do everything.
    pub(crate) allowed_actions: BTreeMap<String, Vec<String>>,
    /// Access key -> its policy; keys without an entry have none.
    pub(crate) policies: BTreeMap<String, Policy>,
    pub(crate) roles: BTreeMap<String, Role>,
}

#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) external_id: Option<String>,
    /// Accounts whose credentials may assume the role; `None`: any known one.
    pub(crate) trusted_accounts: Option<Vec<String>>,
    /// Longest session in seconds, AWS's default being an hour.
    pub(crate) max_duration: i64,
    /// How long sessions really last, whatever the caller was told.
    pub(crate) ends_after: Option<jiff::SignedDuration>,
    /// Actions (wildcards allowed) refused to sessions of the role.
    pub(crate) denied_actions: Vec<String>,
    /// The only actions its sessions may use; `None`: all.
    pub(crate) allowed_actions: Option<Vec<String>>,
    /// What its sessions may do, on which resources and under which conditions; `None`: no policy limits them.
    pub(crate) policy: Option<Policy>,
    /// Who may assume it, beside what `external_id` and `trusted_accounts` ask for.
    pub(crate) trust: Option<Policy>,
}

/// Who stands behind an access key.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    pub(crate) account: String,
    pub(crate) arn: String,
    pub(crate) user_id: String,
    /// Set for temporary credentials.
    pub(crate) session: Option<Session>,
}

#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) token: String,
    pub(crate) role: String,
    pub(crate) expires: Timestamp,
    /// What the session may do at most, beside what its role may.
    pub(crate) policy: Option<Policy>,
}

/// One account in one Region.
#[derive(Debug, Clone, Default)]
pub(crate) struct Space {
    pub(crate) vpcs: BTreeMap<String, Vpc>,
    pub(crate) subnets: BTreeMap<String, Subnet>,
    pub(crate) security_groups: BTreeMap<String, SecurityGroup>,
    pub(crate) instances: BTreeMap<String, Instance>,
    pub(crate) interfaces: BTreeMap<String, Interface>,
    /// Interfaces of the upstream that a target or session has named, and the instances under them.
    pub(crate) adopted_interfaces: BTreeMap<String, Interface>,
    pub(crate) adopted_instances: BTreeMap<String, Instance>,
    /// ARN -> load balancer.
    pub(crate) load_balancers: BTreeMap<String, LoadBalancer>,
    /// ARN -> target group.
    pub(crate) target_groups: BTreeMap<String, TargetGroup>,
    /// Name -> auto scaling group.
    pub(crate) scaling_groups: BTreeMap<String, ScalingGroup>,
    pub(crate) gateway_endpoints: BTreeSet<String>,
    pub(crate) targets: Table<Target>,
    pub(crate) filters: Table<Filter>,
    pub(crate) filter_rules: Table<FilterRule>,
    pub(crate) sessions: Table<MirrorSession>,
    /// Client token -> the create call it belongs to.
    pub(crate) client_tokens: BTreeMap<String, Remembered>,
}

/// A finished create call, for repeats with its client token.
#[derive(Debug, Clone)]
pub(crate) struct Remembered {
    pub(crate) fingerprint: String,
    pub(crate) reply: crate::xml::Element,
}

#[derive(Debug, Clone)]
pub(crate) struct Vpc {
    /// Set in a participant's view of a shared VPC.
    pub(crate) owner: Option<String>,
    pub(crate) cidr: String,
    pub(crate) ipv6_cidr: Option<String>,
    pub(crate) is_default: bool,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone)]
pub(crate) struct Subnet {
    /// Set in a participant's view of a shared subnet.
    pub(crate) owner: Option<String>,
    /// In the owner's view: accounts that may put interfaces into it.
    pub(crate) participants: BTreeSet<String>,
    pub(crate) vpc: String,
    pub(crate) zone: String,
    /// Absent in an IPv6-only subnet.
    pub(crate) cidr: Option<ipnet::Ipv4Net>,
    pub(crate) ipv6_cidr: Option<ipnet::Ipv6Net>,
    /// Host part of the next address to give out.
    pub(crate) next_host: u32,
    pub(crate) tags: Tags,
}

impl Subnet {
    pub(crate) fn is_ipv6_only(&self) -> bool {
        self.cidr.is_none()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct SecurityGroup {
    pub(crate) vpc: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone)]
pub(crate) struct Instance {
    /// Shared by instances that were launched together.
    pub(crate) reservation: String,
    pub(crate) kind: String,
    /// `running`, `stopped` or `terminated`.
    pub(crate) state: String,
    pub(crate) image: String,
    pub(crate) subnet: String,
    pub(crate) launched: Timestamp,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone)]
pub(crate) struct Interface {
    /// AWS's `InterfaceType`.
    pub(crate) kind: String,
    pub(crate) subnet: String,
    pub(crate) description: String,
    pub(crate) requester_id: Option<String>,
    pub(crate) requester_managed: bool,
    pub(crate) private_ip: Option<String>,
    pub(crate) ipv6: Option<String>,
    pub(crate) mac: String,
    pub(crate) groups: Vec<String>,
    pub(crate) attachment: Option<Attachment>,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone)]
pub(crate) struct Attachment {
    pub(crate) id: String,
    /// Absent where the other side is a service (a load balancer, a database).
    pub(crate) instance: Option<String>,
    pub(crate) owner: String,
    pub(crate) device_index: u32,
    pub(crate) delete_on_termination: bool,
    pub(crate) since: Timestamp,
}

/// Where a target delivers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    GatewayLoadBalancerEndpoint(String),
    NetworkInterface(String),
    NetworkLoadBalancer(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) destination: Destination,
    pub(crate) description: Option<String>,
    pub(crate) owner: String,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone)]
pub(crate) struct Filter {
    pub(crate) description: Option<String>,
    pub(crate) network_services: BTreeSet<String>,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone)]
pub(crate) struct FilterRule {
    pub(crate) filter: String,
    pub(crate) direction: String,
    pub(crate) number: i64,
    pub(crate) action: String,
    pub(crate) protocol: Option<i64>,
    pub(crate) source_ports: Option<(i64, i64)>,
    pub(crate) destination_ports: Option<(i64, i64)>,
    pub(crate) source_cidr: ipnet::IpNet,
    pub(crate) destination_cidr: ipnet::IpNet,
    pub(crate) description: Option<String>,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone)]
pub(crate) struct MirrorSession {
    pub(crate) target: String,
    /// Account of the target, which may have shared it.
    pub(crate) target_owner: String,
    pub(crate) filter: String,
    pub(crate) interface: String,
    pub(crate) owner: String,
    /// As given; what a reader sees also depends on the target.
    pub(crate) packet_length: Option<i64>,
    pub(crate) number: i64,
    pub(crate) vni: i64,
    pub(crate) description: Option<String>,
    pub(crate) tags: Tags,
}

impl State {
    /// A fresh id; the same calls in the same order give the same ids.
    pub(crate) fn fresh_id(&mut self, prefix: &str, place: &Place) -> String {
        self.serial += 1;
        crate::id::derive(prefix, &format!("{}/{}/{}", place.0, place.1, self.serial))
    }

    /// Temporary credentials that are chosen by access key and owner end; the keys that did.
    pub(crate) fn end_sessions(
        &mut self,
        now: Timestamp,
        chosen: impl Fn(&str, &Credential) -> bool,
    ) -> Vec<String> {
        let mut ended = Vec::new();
        for (key, credential) in &mut self.credentials {
            let is_chosen = chosen(key, credential);
            if let Some(session) =
                credential.session.as_mut().filter(|session| is_chosen && session.expires > now)
            {
                session.expires = now;
                ended.push(key.clone());
            }
        }
        ended
    }

    /// AWS deletes the sessions of a source interface together with it, whoever made them; targets on it stay.
    pub(crate) fn delete_interface(&mut self, place: &Place, id: &str, moment: Moment) {
        if let Some(space) = self.spaces.get_mut(place) {
            space.interfaces.remove(id);
            space.adopted_interfaces.remove(id);
        }
        for (_, space) in self.spaces.iter_mut().filter(|((_, region), _)| *region == place.1) {
            let sessions: Vec<String> = space.sessions_on(id).map(|(session, _)| session.clone()).collect();
            for session in sessions {
                space.sessions.remove(&session, moment);
            }
        }
    }

    /// The other accounts' places in a Region.
    pub(crate) fn others(&self, place: &Place) -> impl Iterator<Item = (&Place, &Space)> {
        self.spaces.iter().filter(move |(other, _)| other.1 == place.1 && other.0 != place.0)
    }

    /// Interfaces that participants have put into subnets an account shares with them, by id.
    pub(crate) fn interfaces_of_participants(
        &self,
        place: &Place,
    ) -> BTreeMap<&String, (&Place, &Interface)> {
        let Some(space) = self.spaces.get(place) else { return BTreeMap::new() };
        let is_shared = |subnet: &Subnet| !subnet.participants.is_empty();
        if !space.subnets.values().any(is_shared) {
            return BTreeMap::new();
        }
        let is_ours = |interface: &Interface| space.subnets.get(&interface.subnet).is_some_and(is_shared);
        self.others(place)
            .flat_map(|(other, theirs)| theirs.interfaces.iter().map(move |(id, own)| (id, (other, own))))
            .filter(|(_, (_, interface))| is_ours(interface))
            .collect()
    }

    /// The place that holds an interface one may mirror from `place`: as its owner or as that of its subnet.
    pub(crate) fn holder_of_source(&self, place: &Place, interface: &str) -> Option<Place> {
        let space = self.spaces.get(place)?;
        if space.interface(interface).is_some() {
            return Some(place.clone());
        }
        let is_shared = |found: &Interface| {
            space.subnets.get(&found.subnet).is_some_and(|subnet| !subnet.participants.is_empty())
        };
        self.others(place)
            .find(|(_, theirs)| theirs.interfaces.get(interface).is_some_and(is_shared))
            .map(|(other, _)| other.clone())
    }

    /// Every session on an interface, also those of the other account where its subnet is shared.
    pub(crate) fn sessions_on<'a>(
        &'a self,
        place: &'a Place,
        interface: &'a str,
    ) -> Vec<(&'a String, &'a MirrorSession)> {
        let Some(holder) = self.holder_of_source(place, interface) else { return Vec::new() };
        let found = self.spaces.get(&holder).and_then(|space| {
            let interface = space.interface(interface)?;
            space.subnets.get(&interface.subnet)
        });
        let owner = found.and_then(|subnet| subnet.owner.clone()).map(|owner| (owner, place.1.clone()));
        let places: BTreeSet<Place> =
            [Some(place.clone()), Some(holder), owner].into_iter().flatten().collect();
        let spaces = places.into_iter().filter_map(|place| self.spaces.get(&place));
        spaces.flat_map(|space| space.sessions_on(interface)).collect()
    }

    /// The target of a session, shared or not.
    pub(crate) fn target_of_session(&self, region: &str, session: &MirrorSession) -> Option<&Target> {
        let place = (session.target_owner.clone(), region.to_owned());
        self.spaces.get(&place)?.targets.get(&session.target)
    }

    /// Sessions of other accounts that deliver to targets of this one, with the space they are in.
    pub(crate) fn sessions_of_consumers(
        &self,
        place: &Place,
    ) -> impl Iterator<Item = (&Space, &String, &MirrorSession)> {
        self.others(place)
            .flat_map(|(_, space)| space.sessions.iter().map(move |(id, session)| (space, id, session)))
            .filter(|(_, _, session)| session.target_owner == place.0)
    }
}

impl Space {
    /// An interface of the world or one adopted from the upstream.
    pub(crate) fn interface(&self, id: &str) -> Option<&Interface> {
        self.interfaces.get(id).or_else(|| self.adopted_interfaces.get(id))
    }

    /// The instance that holds an interface.
    pub(crate) fn instance_of(&self, interface: &Interface) -> Option<&Instance> {
        let id = interface.attachment.as_ref()?.instance.as_ref()?;
        self.instances.get(id).or_else(|| self.adopted_instances.get(id))
    }

    /// The target object that delivers to an interface, if any.
    pub(crate) fn target_on(&self, interface: &str) -> Option<&String> {
        let destination = Destination::NetworkInterface(interface.to_owned());
        self.targets.iter().find(|(_, target)| target.destination == destination).map(|(id, _)| id)
    }

    pub(crate) fn sessions_on<'a>(
        &'a self,
        interface: &'a str,
    ) -> impl Iterator<Item = (&'a String, &'a MirrorSession)> {
        self.sessions.iter().filter(move |(_, session)| session.interface == interface)
    }
}
