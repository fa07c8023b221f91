//! What exists: accounts with their credentials, and per account and Region the network and the mirroring objects.
//!
//! Plain data with lookups. The rules of the calls stand in [`crate::ec2`] and [`crate::sts`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::quota::Quotas;
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
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Account {
    pub(crate) roles: BTreeMap<String, Role>,
}

#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) external_id: Option<String>,
    /// Accounts whose credentials may assume the role; `None`: any known one.
    pub(crate) trusted_accounts: Option<Vec<String>>,
    /// Longest session in seconds, AWS's default being an hour.
    pub(crate) max_duration: i64,
    /// Actions (wildcards allowed) refused to sessions of the role.
    pub(crate) denied_actions: Vec<String>,
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
    /// ARN -> `network`, `application` or `gateway`.
    pub(crate) load_balancers: BTreeMap<String, String>,
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
    pub(crate) cidr: String,
    pub(crate) ipv6_cidr: Option<String>,
    pub(crate) is_default: bool,
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone)]
pub(crate) struct Subnet {
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

    /// AWS deletes the sessions of a source interface together with it; targets on it stay.
    pub(crate) fn delete_interface(&mut self, id: &str, moment: Moment) {
        self.interfaces.remove(id);
        self.adopted_interfaces.remove(id);
        let sessions: Vec<String> = self.sessions_on(id).map(|(session, _)| session.clone()).collect();
        for session in sessions {
            self.sessions.remove(&session, moment);
        }
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
