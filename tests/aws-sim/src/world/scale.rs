//! Worlds of any size: a collector's account, a management account and equal member accounts, for tests and benchmarks.
//!
//! Everything is an ordinary entry of a world file, so a test can change or add to what it gets before it starts.

use std::collections::BTreeMap;

use super::{
    AccountEntry, InstanceEntry, ListenerEntry, LoadBalancerEntry, OrganizationEntry, RegisteredEntry,
    RoleEntry, SubnetEntry, TargetGroupEntry, UnitEntry, VpcEntry, World,
};

/// Usable addresses in one VPC of two subnets with 17 bits of network each, less the five that AWS keeps of each.
const ADDRESSES: usize = 2 * ((1 << 15) - 5);

/// How large a company is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scale {
    /// Member accounts beside the collector's and the management account.
    pub members: usize,
    /// Regions that all of them use.
    pub regions: Vec<String>,
    /// Instances of each member in each Region, each with one interface.
    pub instances: usize,
    /// Network load balancers of the collector's account in each Region.
    pub balancers: usize,
}

impl Default for Scale {
    fn default() -> Self {
        Self { members: 5, regions: vec!["us-east-1".to_owned()], instances: 2, balancers: 1 }
    }
}

impl Scale {
    /// The account of the collectors: may read the organization; access key [`Self::KEY`].
    pub const HOME: &str = "111111111111";
    /// The management account of the organization; access key `management`.
    pub const MANAGEMENT: &str = "999999999999";
    /// Access key of [`Self::HOME`].
    pub const KEY: &str = "test";
    /// The role of that name in every member trusts [`Self::HOME`] alone.
    pub const ROLE: &str = "enigma-mirror";
    /// What the role asks for.
    pub const EXTERNAL_ID: &str = "sesame";
    /// Unit of the members; it stands below the unit `Workloads`.
    pub const UNIT: &str = "Prod";

    /// The account id of a member, counted from 1.
    #[must_use]
    pub fn member(number: usize) -> String {
        format!("{:012}", 200_000_000_000_usize + number)
    }

    /// The ARN of a load balancer, counted from 1.
    #[must_use]
    pub fn balancer(region: &str, number: usize) -> String {
        format!(
            "arn:aws:elasticloadbalancing:{region}:{}:loadbalancer/net/collect-{number}/{number:016x}",
            Self::HOME
        )
    }

    /// The name of an instance of a member, both counted from 1; its primary interface is `World::id_of("eni", name)`.
    #[must_use]
    pub fn instance(member: usize, region: &str, number: usize) -> String {
        format!("m{member}-{region}-{number}")
    }

    /// The id of the first VPC of a member in a Region.
    #[must_use]
    pub fn vpc(member: usize, region: &str) -> String {
        World::id_of("vpc", &vpc(member, region, 1))
    }

    /// The world of that size.
    #[must_use]
    pub fn world(&self) -> World {
        let mut world = World {
            account: Some(Self::HOME.to_owned()),
            region: self.regions.first().cloned(),
            regions: self.regions.clone(),
            accounts: self.accounts(),
            organization: Some(OrganizationEntry {
                management_account: Self::MANAGEMENT.to_owned(),
                delegated_accounts: vec![Self::HOME.to_owned()],
                sharing: true,
                units: [("Workloads", None), (Self::UNIT, Some("Workloads")), ("Retired", None)]
                    .map(|(name, parent)| UnitEntry {
                        name: name.to_owned(),
                        parent: parent.map(str::to_owned),
                        ..UnitEntry::default()
                    })
                    .into(),
                ..OrganizationEntry::default()
            }),
            ..World::default()
        };
        for region in &self.regions {
            self.add_collectors(&mut world, region);
            (1..=self.members).for_each(|member| self.add_machines(&mut world, member, region));
        }
        world
    }

    fn accounts(&self) -> Vec<AccountEntry> {
        let account = |id: &str, name: &str, key: &str, unit: Option<&str>| AccountEntry {
            id: id.to_owned(),
            name: name.to_owned(),
            unit: unit.map(str::to_owned),
            access_keys: vec![key.to_owned()],
            ..AccountEntry::default()
        };
        let home = account(Self::HOME, "collectors", Self::KEY, Some("Root"));
        let management = account(Self::MANAGEMENT, "management", "management", None);
        let members = (1..=self.members).map(|number| {
            let name = format!("member-{number}");
            let role = RoleEntry {
                name: Self::ROLE.to_owned(),
                external_id: Some(Self::EXTERNAL_ID.to_owned()),
                trusted_accounts: Some(vec![Self::HOME.to_owned()]),
                ..RoleEntry::default()
            };
            AccountEntry {
                roles: vec![role],
                ..account(&Self::member(number), &name, &name, Some(Self::UNIT))
            }
        });
        [home, management].into_iter().chain(members).collect()
    }

    /// Balancers in both zones, each in front of one healthy instance in each of them.
    fn add_collectors(&self, world: &mut World, region: &str) {
        let name = format!("collect-{region}");
        let subnets = add_network(world, Self::HOME, region, &name);
        for number in 1..=self.balancers {
            let machine = format!("collector-{region}-{number}");
            world.instances.push(InstanceEntry {
                name: machine.clone(),
                count: Some(2),
                kind: "c6in.large".to_owned(),
                subnets: subnets.clone(),
                tags: BTreeMap::from([("role".to_owned(), "collector".to_owned())]),
                ..InstanceEntry::default()
            });
            let group = format!("{name}-{number}");
            world.target_groups.push(TargetGroupEntry {
                name: group.clone(),
                vpc: name.clone(),
                targets: (1..=2)
                    .map(|n| RegisteredEntry {
                        target: format!("{machine}-{n}"),
                        ..RegisteredEntry::default()
                    })
                    .collect(),
                ..TargetGroupEntry::default()
            });
            world.load_balancers.push(LoadBalancerEntry {
                name: group.clone(),
                arn: Some(Self::balancer(region, number)),
                region: Some(region.to_owned()),
                subnets: subnets.clone(),
                listeners: vec![ListenerEntry {
                    protocol: "UDP".to_owned(),
                    port: 4789,
                    target_group: group,
                }],
                ..LoadBalancerEntry::default()
            });
        }
    }

    fn add_machines(&self, world: &mut World, member: usize, region: &str) {
        let account = Self::member(member);
        let mut made = 0;
        for number in 1..=self.instances.div_ceil(ADDRESSES).max(1) {
            let subnets = add_network(world, &account, region, &vpc(member, region, number));
            let count = (self.instances - made).min(ADDRESSES);
            world.instances.extend((made + 1..=made + count).map(|n| InstanceEntry {
                name: Self::instance(member, region, n),
                kind: "m5.large".to_owned(),
                subnet: Some(subnets[n % 2].clone()),
                tags: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
                ..InstanceEntry::default()
            }));
            made += count;
        }
    }
}

fn vpc(member: usize, region: &str, number: usize) -> String {
    format!("m{member}-{region}-vpc-{number}")
}

/// A VPC with a subnet in each of two zones; the names of the subnets.
fn add_network(world: &mut World, account: &str, region: &str, name: &str) -> Vec<String> {
    // Members' networks may overlap, as companies' do: no two of them are connected.
    world.vpcs.push(VpcEntry {
        name: name.to_owned(),
        account: Some(account.to_owned()),
        region: Some(region.to_owned()),
        cidr: "10.0.0.0/16".to_owned(),
        ..VpcEntry::default()
    });
    [("a", "10.0.0.0/17"), ("b", "10.0.128.0/17")]
        .map(|(zone, cidr)| {
            let subnet = format!("{name}-{zone}");
            world.subnets.push(SubnetEntry {
                name: subnet.clone(),
                vpc: name.to_owned(),
                zone: Some(zone.to_owned()),
                cidr: Some(cidr.to_owned()),
                ..SubnetEntry::default()
            });
            subnet
        })
        .into()
}
