//! How planning grows with a fleet: each step at 1,000, 10,000 and 50,000 members over 50 accounts in two Regions.
//!
//! `diff` and `check` are measured on a first plan, which creates everything, and `second` is a whole plan of a fleet that is as
//! wanted: what a refresh costs every day.
#![allow(clippy::unwrap_used, reason = "a benchmark may panic as tests do")]

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use enigma_fleet::check::{self, Answers, Scene};
use enigma_fleet::diff::{Circumstances, diff};
use enigma_fleet::drift::refresh;
use enigma_fleet::duration;
use enigma_fleet::expand::{Expansion, Facts, Prior, expand};
use enigma_fleet::given::Given;
use enigma_fleet::ids::{FilterId, ObjectKey, Place, TargetId};
use enigma_fleet::inventory::{
    AssociationStatus, Attachment, Instance, Interface, Inventory, MirrorFilter, MirrorSession, MirrorTarget,
    ObservedRule, PlaceInventory, ResourceShare, Subnet, Tags,
};
use enigma_fleet::ownership::own;
use enigma_fleet::selection::{self, RawRule, RawSelection, SelectionSpec, select};
use enigma_fleet::spec::{FleetSpec, RawFleet, RawTarget, parse};

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const ACCOUNTS: usize = 50;

fn known(text: &str) -> Given<String> {
    Given::Known(text.to_owned())
}

fn place(number: usize) -> Place {
    Place {
        account: format!("{:012}", 100_000_000_000 + number % ACCOUNTS).parse().unwrap(),
        region: REGIONS[number / ACCOUNTS % REGIONS.len()].parse().unwrap(),
    }
}

fn home() -> Place {
    place(0)
}

fn spec() -> FleetSpec {
    let target = |region: &str| {
        let arn = format!(
            "arn:aws:elasticloadbalancing:{region}:100000000000:loadbalancer/net/mirror/0123456789abcdef"
        );
        Given::Known(RawTarget {
            network_load_balancer_arn: known(&arn),
            region: known(region),
            ..RawTarget::default()
        })
    };
    let raw = RawFleet {
        name: known("prod"),
        targets: Given::Known(REGIONS.map(|region| (region.to_owned(), target(region))).into()),
        ..RawFleet::default()
    };
    parse(&raw).0.unwrap()
}

fn everything() -> SelectionSpec {
    let rules = [("everything".to_owned(), Given::Known(RawRule::default()))].into();
    selection::parse(&RawSelection { rules: Given::Known(rules), ..RawSelection::default() }).0.unwrap()
}

/// As many instances with one interface each, evenly over all places.
fn world(members: usize) -> Inventory {
    let mut places: BTreeMap<Place, PlaceInventory> = BTreeMap::new();
    for number in 0..members {
        let place = place(number);
        let seen = places.entry(place.clone()).or_default();
        let subnet = Subnet {
            owner: place.account.clone(),
            id: "subnet-00000001".parse().unwrap(),
            vpc: "vpc-00000001".parse().unwrap(),
            zone: format!("{}a", place.region).parse().unwrap(),
            zone_id: None,
            is_ipv6_only: false,
            tags: Tags::new(),
        };
        let instance: enigma_fleet::ids::InstanceId = format!("i-{number:08x}").parse().unwrap();
        seen.interfaces.push(Interface {
            place: place.clone(),
            id: format!("eni-{number:08x}").parse().unwrap(),
            owner: place.account.clone(),
            kind: "interface".to_owned(),
            is_requester_managed: false,
            requester: None,
            description: String::new(),
            vpc: subnet.vpc.clone(),
            subnet: subnet.id.clone(),
            zone: subnet.zone.clone(),
            ipv4: Some(std::net::Ipv4Addr::from(u32::try_from(number).unwrap() + 0x0a00_0000)),
            secondary_ipv4: Vec::new(),
            ipv6: Vec::new(),
            attachment: Some(Attachment {
                instance: Some(instance.clone()),
                device_index: 0,
                status: "attached".to_owned(),
            }),
            tags: Tags::new(),
        });
        seen.instances.push(Instance {
            id: instance,
            instance_type: "m5.large".to_owned(),
            state: "running".to_owned(),
            tags: [("Name".to_owned(), format!("web-{number}"))].into(),
        });
        if seen.subnets.is_empty() {
            seen.subnets.push(subnet);
        }
    }
    Inventory { places, unread: BTreeMap::new() }
}

/// The world once everything wanted exists.
fn applied(mut world: Inventory, wanted: &Expansion) -> Inventory {
    let mut targets: BTreeMap<&ObjectKey, TargetId> = BTreeMap::new();
    let mut filters: BTreeMap<&ObjectKey, FilterId> = BTreeMap::new();
    for (number, (key, target)) in wanted.targets.iter().enumerate() {
        let id: TargetId = format!("tmt-{number:08x}").parse().unwrap();
        targets.insert(key, id.clone());
        world.places.entry(key.place.clone()).or_default().targets.push(MirrorTarget {
            id,
            owner: key.place.account.clone(),
            destination: target.destination.known().unwrap().clone(),
            description: target.description.clone(),
            tags: target.tags.known().unwrap().clone(),
        });
    }
    for (place, share) in &wanted.shares {
        let made = world.places[place].targets.clone();
        for account in &share.accounts {
            let member = Place { account: account.clone(), region: place.region.clone() };
            world.places.entry(member).or_default().targets.extend(made.clone());
        }
        world.places.entry(place.clone()).or_default().shares.push(ResourceShare {
            arn: format!("arn:aws:ram:{}:{}:resource-share/1", place.region, place.account).parse().unwrap(),
            name: share.name.clone(),
            status: "ACTIVE".to_owned(),
            allows_external: share.allows_external,
            tags: share.tags.known().unwrap().clone(),
            principals: share
                .accounts
                .iter()
                .map(|account| (account.to_string(), AssociationStatus::Associated))
                .collect(),
            targets: made.into_iter().map(|target| (target.id, AssociationStatus::Associated)).collect(),
            other_resources: Vec::new(),
        });
    }
    for (number, (key, filter)) in wanted.filters.iter().enumerate() {
        let id: FilterId = format!("tmf-{number:08x}").parse().unwrap();
        filters.insert(key, id.clone());
        let rules = filter.rules.known().unwrap().iter().enumerate().map(|(position, rule)| ObservedRule {
            id: format!("tmfr-{:08x}", number * 10 + position).parse().unwrap(),
            rule: rule.clone(),
            tags: filter.tags.known().unwrap().clone(),
        });
        world.places.entry(key.place.clone()).or_default().filters.push(MirrorFilter {
            id,
            description: filter.description.clone(),
            amazon_dns: filter.amazon_dns == Given::Known(true),
            rules: rules.collect(),
            tags: filter.tags.known().unwrap().clone(),
        });
    }
    for (number, (key, session)) in wanted.sessions.iter().enumerate() {
        world.places.entry(key.place.clone()).or_default().sessions.push(MirrorSession {
            id: format!("tms-{number:08x}").parse().unwrap(),
            owner: key.place.account.clone(),
            interface: key.interface.clone(),
            target: targets[&session.target].clone(),
            filter: filters[&session.filter].clone(),
            number: session.number,
            vni: Some(session.vni.get()),
            packet_length: Some(8500.try_into().unwrap()),
            description: session.description.clone(),
            tags: session.tags.known().unwrap().clone(),
        });
    }
    world
}

fn plans(criterion: &mut Criterion) {
    let (spec, rules) = (spec(), everything());
    for members in [1_000, 10_000, 50_000] {
        let mut group = criterion.benchmark_group("plan");
        group.throughput(Throughput::Elements(u64::try_from(members).unwrap()));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(3));
        let id = |step| BenchmarkId::new(step, members);
        let world = world(members);
        group.bench_function(id("select"), |bencher| bencher.iter(|| select(&rules, black_box(&world))));
        let chosen = select(&rules, &world).members;
        assert_eq!(chosen.len(), members);
        let facts = Facts::of(&spec, &home(), &world.places);
        let none = Prior::default();
        let plan_of = |prior: &Prior| expand(&spec, &home(), black_box(&chosen), prior, &facts);
        group.bench_function(id("expand"), |bencher| bencher.iter(|| plan_of(&none)));
        let wanted = plan_of(&none);
        assert_eq!((wanted.sessions.len(), wanted.has_errors()), (members, false));
        let owned = own(&spec.name, &world.places);
        let around = Circumstances::default();
        group
            .bench_function(id("diff"), |bencher| bencher.iter(|| diff(black_box(&wanted), &owned, &around)));
        let plan = diff(&wanted, &owned, &around);
        group.bench_function(id("check"), |bencher| {
            bencher.iter(|| check::plan(black_box(&plan), &owned, &wanted));
        });
        let answers = Answers::default();
        let scene = Scene {
            spec: &spec,
            home: &home(),
            members: &chosen,
            expansion: &wanted,
            places: &world.places,
            facts: &facts,
            answers: &answers,
        };
        group.bench_function(id("preflight"), |bencher| bencher.iter(|| check::preflight(black_box(&scene))));
        group.bench_function(id("duration"), |bencher| {
            bencher.iter(|| duration::estimate(black_box(&plan)));
        });
        let later = applied(world.clone(), &wanted);
        let second = || {
            let chosen = select(&rules, black_box(&later)).members;
            let owned = own(&spec.name, &later.places);
            let prior = refresh(&none, &owned, &BTreeSet::new()).prior;
            let facts = Facts::of(&spec, &home(), &later.places);
            let wanted = expand(&spec, &home(), &chosen, &prior, &facts);
            let plan = diff(&wanted, &owned, &around);
            (check::plan(&plan, &owned, &wanted), plan)
        };
        let (flaws, plan) = second();
        assert_eq!((flaws.len(), plan.is_empty()), (0, true), "the second plan is not empty");
        group.bench_function(id("second"), |bencher| bencher.iter(second));
        group.finish();
    }
}

criterion_group!(benches, plans);
criterion_main!(benches);
