//! What exists in the memory AWS, and the limits of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use super::sharing::{Share, View};
use crate::ports::{Balancer, OrganizationAccount};
use enigma_fleet::ids::{
    AccountId, FilterId, FilterRuleId, InstanceId, InterfaceId, Place, SessionId, ShareArn, SubnetId,
    TargetId,
};
use enigma_fleet::inventory::{
    Attachment, Instance, Interface, MirrorFilter, MirrorSession, MirrorTarget, ObservedRule, PlaceInventory,
    Subnet, Tags,
};

/// Quotas, settable low. <https://docs.aws.amazon.com/vpc/latest/mirroring/traffic-mirroring-quotas.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quotas {
    /// Sessions per account and Region.
    pub sessions: usize,
    /// Targets per account and Region.
    pub targets: usize,
    /// Filters per account and Region.
    pub filters: usize,
    /// Rules per filter, both directions together.
    pub rules_per_filter: usize,
    /// Sessions per source interface.
    pub sessions_per_interface: usize,
    /// Sources per interface target; the larger quota of the largest instance types is not given.
    pub sources_per_interface_target: usize,
    /// Tags per object. <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html>
    pub tags: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            sessions: 10_000,
            targets: 10_000,
            filters: 10_000,
            rules_per_filter: 10,
            sessions_per_interface: 3,
            sources_per_interface_target: 10,
            tags: 50,
        }
    }
}

/// Everything by place.
pub(super) type Places = BTreeMap<Place, PlaceState>;

/// What is the same in all places: the organization and how sharing works in it.
#[derive(Clone, Default)]
pub(super) struct Company {
    /// Every account of the organization, its units from the root down.
    pub(super) organization: Vec<OrganizationAccount>,
    /// Whether shares inside the organization need no invitation (`EnableSharingWithAwsOrganization`).
    pub(super) shares_inside: bool,
    /// How long an association takes to take effect.
    pub(super) sharing_delay: Duration,
    /// How long an account goes on seeing what it was taken out of.
    pub(super) lingering_sight: Duration,
    /// Whether the owner of a target may delete it while sessions of other accounts use it.
    pub(super) owners_delete_what_others_use: bool,
}

impl Company {
    pub(super) fn is_inside(&self, owner: &AccountId, consumer: &AccountId) -> bool {
        let is_member = |id: &AccountId| self.organization.iter().any(|account| account.id == *id);
        self.shares_inside && is_member(owner) && is_member(consumer)
    }
}

#[derive(Clone, Default)]
pub(super) struct World {
    pub(super) places: Places,
    pub(super) quotas: Quotas,
    pub(super) company: Company,
    last_id: u64,
}

/// Everything of one account in one Region.
#[derive(Clone, Default)]
pub(super) struct PlaceState {
    pub(super) interfaces: BTreeMap<InterfaceId, Interface>,
    pub(super) instances: BTreeMap<InstanceId, Instance>,
    pub(super) subnets: BTreeMap<SubnetId, Subnet>,
    pub(super) load_balancers: BTreeMap<String, Balancer>,
    pub(super) gateway_endpoints: BTreeSet<String>,
    pub(super) targets: BTreeMap<TargetId, MirrorTarget>,
    /// Without their rules, which have identities of their own.
    pub(super) filters: BTreeMap<FilterId, MirrorFilter>,
    pub(super) rules: BTreeMap<FilterRuleId, (FilterId, ObservedRule)>,
    pub(super) sessions: BTreeMap<SessionId, MirrorSession>,
    /// Resource shares of the place, deleted ones gone.
    pub(super) shares: BTreeMap<ShareArn, Share>,
    /// Client tokens are scoped to a Region and never forgotten: AWS documents no lifetime, and forgetting would be kinder.
    pub(super) tokens: HashMap<String, Remembered>,
}

/// The first create with a client token.
#[derive(Clone)]
pub(super) struct Remembered {
    pub(super) request: String,
    pub(super) id: String,
}

impl World {
    /// The state of a place, made if it is new.
    pub(super) fn at(&mut self, place: &Place) -> &mut PlaceState {
        self.places.entry(place.clone()).or_default()
    }

    /// A new id of AWS's form; ids ascend, so that runs repeat exactly.
    pub(super) fn fresh<T: std::str::FromStr>(&mut self, prefix: &str) -> T
    where
        T::Err: std::fmt::Debug,
    {
        self.last_id += 1;
        format!("{prefix}-{:017x}", self.last_id).parse().expect("a prefix and 17 digits are an EC2 id")
    }

    /// A new ARN of RAM; they ascend too.
    pub(super) fn fresh_arn(&mut self, place: &Place, kind: &str) -> String {
        self.last_id += 1;
        format!("arn:aws:ram:{}:{}:{kind}/{:08x}", place.region, place.account, self.last_id)
    }

    /// The world as `place` sees it.
    pub(super) fn view<'a>(&'a self, place: &'a Place, now: tokio::time::Instant) -> View<'a> {
        View { places: &self.places, company: &self.company, place, now }
    }

    pub(super) fn launch(
        &mut self,
        place: &Place,
        instance_type: &str,
        tags: &Tags,
    ) -> (InstanceId, InterfaceId) {
        let instance: InstanceId = self.fresh("i");
        let id: InterfaceId = self.fresh("eni");
        let subnet = self.subnet(place);
        let number = u32::try_from(self.last_id % 0x00ff_ffff).unwrap_or(0);
        let interface = Interface {
            place: place.clone(),
            id: id.clone(),
            owner: place.account.clone(),
            kind: "interface".to_owned(),
            is_requester_managed: false,
            requester: None,
            description: String::new(),
            vpc: subnet.vpc,
            subnet: subnet.id,
            zone: subnet.zone,
            ipv4: Some(std::net::Ipv4Addr::from(0x0a00_0000 | number)),
            secondary_ipv4: Vec::new(),
            ipv6: Vec::new(),
            attachment: Some(Attachment {
                instance: Some(instance.clone()),
                device_index: 0,
                status: "attached".to_owned(),
            }),
            tags: Tags::new(),
        };
        let state = self.at(place);
        state.instances.insert(
            instance.clone(),
            Instance {
                id: instance.clone(),
                instance_type: instance_type.to_owned(),
                state: "running".to_owned(),
                tags: tags.clone(),
            },
        );
        state.interfaces.insert(id.clone(), interface);
        (instance, id)
    }

    /// The subnet that new instances go to: the place's first that has IPv4.
    fn subnet(&mut self, place: &Place) -> Subnet {
        if let Some(known) = self.at(place).subnets.values().find(|subnet| !subnet.is_ipv6_only) {
            return known.clone();
        }
        let id = self.fresh("subnet");
        self.add_subnet(place, id, false)
    }

    pub(super) fn add_subnet(&mut self, place: &Place, id: SubnetId, is_ipv6_only: bool) -> Subnet {
        let subnet = Subnet {
            id,
            owner: place.account.clone(),
            vpc: self.fresh("vpc"),
            zone: format!("{}a", place.region).parse().expect("a Region and a letter are a zone"),
            zone_id: None,
            is_ipv6_only,
            tags: Tags::new(),
        };
        self.at(place).subnets.insert(subnet.id.clone(), subnet.clone());
        subnet
    }
}

impl PlaceState {
    /// What the place owns, but for its shares, whose state depends on the company and the time.
    pub(super) fn contents(&self) -> PlaceInventory {
        PlaceInventory {
            interfaces: self.interfaces.values().cloned().collect(),
            instances: self.instances.values().cloned().collect(),
            subnets: self.subnets.values().cloned().collect(),
            targets: self.targets.values().cloned().collect(),
            filters: self.filters.values().map(|filter| self.with_rules(filter)).collect(),
            sessions: self.sessions.values().cloned().collect(),
            shares: Vec::new(),
        }
    }

    /// Rules in AWS's order: ingress before egress, ascending numbers.
    pub(super) fn with_rules(&self, filter: &MirrorFilter) -> MirrorFilter {
        let mut rules: Vec<ObservedRule> =
            self.rules.values().filter(|(of, _)| *of == filter.id).map(|(_, rule)| rule.clone()).collect();
        rules.sort_by_key(|rule| (std::cmp::Reverse(rule.rule.direction), rule.rule.number));
        MirrorFilter { rules, ..filter.clone() }
    }
}
