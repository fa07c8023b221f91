use std::net::Ipv4Addr;

use enigma_fleet::ids::{FilterId, Label};
use enigma_fleet::inventory::Subnet;
use enigma_fleet::ownership::Known;
use enigma_fleet::selection::{self, RawRule, RawSelection};
use enigma_fleet::{given::Given, spec};

use super::*;
use crate::member::{MemberModel, members_type};

const COLLECTOR: &str = "eni-0000000000000000c";

fn place(account: u8) -> Place {
    let account: String = std::iter::repeat_n(char::from(b'0' + account), 12).collect();
    Place { account: account.parse().unwrap(), region: "us-east-1".parse().unwrap() }
}

fn eni(number: usize) -> InterfaceId {
    format!("eni-{number:017x}").parse().unwrap()
}

fn instance(number: usize, kind: &str, tags: Tags) -> Instance {
    Instance {
        id: format!("i-{number:017x}").parse().unwrap(),
        instance_type: kind.to_owned(),
        state: "running".to_owned(),
        tags,
    }
}

/// So many interfaces, each of an instance of its own.
fn world(place: &Place, count: usize) -> PlaceInventory {
    let subnet = Subnet {
        owner: place.account.clone(),
        id: "subnet-0123456789abcdef0".parse().unwrap(),
        vpc: "vpc-0123456789abcdef0".parse().unwrap(),
        zone: "us-east-1a".parse().unwrap(),
        zone_id: None,
        is_ipv6_only: false,
        tags: Tags::new(),
    };
    let site = || Site { vpc: subnet.vpc.clone(), subnet: subnet.id.clone(), zone: subnet.zone.clone() };
    let named = |number: usize| Tags::from([("Name".to_owned(), format!("web-{number:05}"))]);
    let address = |number: usize| Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).unwrap());
    PlaceInventory {
        interfaces: (0..count)
            .map(|n| {
                let id = format!("i-{n:017x}").parse().unwrap();
                Interface { ipv4: Some(address(n)), ..interface(place, eni(n), site(), Some(id)) }
            })
            .collect(),
        instances: (0..count).map(|n| instance(n, "m5.large", named(n))).collect(),
        subnets: vec![subnet],
        ..PlaceInventory::default()
    }
}

fn session(number: usize, owner: &Place, source: usize, target: &str, fleet: Option<&str>) -> MirrorSession {
    MirrorSession {
        id: format!("tms-{number:017x}").parse().unwrap(),
        owner: owner.account.clone(),
        interface: eni(source),
        target: target.parse().unwrap(),
        filter: "tmf-0123456789abcdef0".parse::<FilterId>().unwrap(),
        number: 100.try_into().unwrap(),
        vni: Some(10_000_000 + u32::try_from(number).unwrap()),
        packet_length: None,
        description: String::new(),
        tags: fleet.iter().map(|fleet| (FLEET_TAG.to_owned(), (*fleet).to_owned())).collect(),
    }
}

fn target(id: &str, owner: &Place, destination: Destination) -> MirrorTarget {
    let (id, owner) = (id.parse().unwrap(), owner.account.clone());
    MirrorTarget { id, owner, destination, description: String::new(), tags: Tags::new() }
}

fn selected(inventory: &Inventory) -> BTreeMap<MemberKey, Member> {
    let rules = BTreeMap::from([("everything".to_owned(), Given::Known(RawRule::default()))]);
    let raw = RawSelection { rules: Given::Known(rules), ..RawSelection::default() };
    selection::select(&selection::parse(&raw).0.unwrap(), inventory).members
}

/// Through Terraform and back.
fn carried(inventory: &Inventory) -> (Dynamic, Observation) {
    let members = selected(inventory);
    let addresses: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap()];
    let rows = members
        .iter()
        .map(|(key, member)| (key.to_string(), MemberModel::of(member, addresses.clone(), Tags::new())));
    let places = places(inventory, &members, &place(1).account).into_iter();
    let places = places.map(|(place, entry)| {
        (place.to_string(), MemberModel { place: Some(entry), ..MemberModel::default() })
    });
    let mut value = Dynamic::map(rows.chain(places).map(|(key, model)| (key, model.to_dynamic())));
    members_type().complete(&mut value).unwrap();
    let observation = read(value.to_typed().unwrap()).unwrap();
    assert_eq!(
        observation.members,
        members.into_iter().map(|(key, member)| (key, as_carried(member))).collect()
    );
    (value, observation)
}

/// A member without what the resource has no use for, or finds in the entry of its place.
fn as_carried(mut member: Member) -> Member {
    member.instance_type = None;
    for held in member.held.iter_mut().filter(|held| held.fleet.is_none()) {
        held.target = None;
    }
    member
}

fn fleet(name: &str, destination: &str) -> FleetSpec {
    let text = |text: &str| Given::Known(text.to_owned());
    let target = spec::RawTarget { network_interface_id: text(destination), ..spec::RawTarget::default() };
    let targets = BTreeMap::from([("one".to_owned(), Given::Known(target))]);
    let raw =
        spec::RawFleet { name: text(name), targets: Given::Known(targets), ..spec::RawFleet::default() };
    let (spec, problems) = spec::parse(&raw);
    spec.unwrap_or_else(|| panic!("{problems:?}"))
}

#[test]
fn an_ordinary_world_has_little_to_tell() {
    let mut seen = world(&place(1), 3);
    seen.targets.push(target(
        "tmt-0123456789abcdef0",
        &place(1),
        Destination::NetworkLoadBalancer("arn".into()),
    ));
    seen.sessions.push(session(1, &place(1), 0, "tmt-0123456789abcdef0", Some("prod")));
    let inventory = Inventory { places: BTreeMap::from([(place(1), seen)]), ..Inventory::default() };
    let (value, observation) = carried(&inventory);
    assert_eq!(value.as_map().unwrap().len(), 4, "members, and where their sessions send");
    assert_eq!(observation.members.values().map(|member| member.held.len()).sum::<usize>(), 1);
    assert_eq!(observation.places[&place(1)].interfaces[0].ipv4, Some(Ipv4Addr::new(10, 0, 0, 1)));
}

#[test]
fn an_unread_place_travels_with_its_reason() {
    let mut inventory =
        Inventory { places: BTreeMap::from([(place(1), world(&place(1), 1))]), ..Inventory::default() };
    inventory.unread.insert(place(2), "the role is gone".to_owned());
    let (_, observation) = carried(&inventory);
    assert_eq!(observation.unread, BTreeMap::from([(place(2), "the role is gone".to_owned())]));
    assert!(!observation.places.contains_key(&place(2)), "what was not read is not empty either");
}

/// A collector behind an interface target in account 1; a stranger on a member of account 2 and on somebody of
/// account 9, who is not read, and sessions of this and of another fleet.
fn strange_world() -> Inventory {
    let (home, away, nowhere) = (place(1), place(2), place(9));
    let (behind, balanced) = ("tmt-0000000000000000c", "tmt-0000000000000000b");
    let mut here = world(&home, 1);
    let site = Site {
        vpc: here.subnets[0].vpc.clone(),
        subnet: here.subnets[0].id.clone(),
        zone: here.subnets[0].zone.clone(),
    };
    let collector = instance(0xc, "c5.24xlarge", Tags::new());
    here.interfaces.push(interface(&home, COLLECTOR.parse().unwrap(), site, Some(collector.id.clone())));
    here.instances.push(collector);
    here.targets.push(target(behind, &home, Destination::Interface(COLLECTOR.parse().unwrap())));
    here.targets.push(target(balanced, &home, Destination::NetworkLoadBalancer("arn".into())));
    let mut there = world(&away, 3);
    there.targets.clone_from(&here.targets);
    there.sessions = vec![
        session(1, &away, 0, behind, None),
        session(2, &away, 1, behind, Some("prod")),
        session(3, &away, 2, balanced, Some("forensics")),
        session(4, &away, 77, balanced, Some("forensics")),
        session(5, &away, 78, balanced, None),
    ];
    // The targets' account sees all of them, without tags, and others'.
    here.sessions =
        there.sessions.iter().map(|seen| MirrorSession { tags: Tags::new(), ..seen.clone() }).collect();
    here.sessions.push(session(6, &nowhere, 5, behind, None));
    here.sessions.push(session(7, &nowhere, 6, balanced, None));
    Inventory { places: BTreeMap::from([(home, here), (away, there)]), ..Inventory::default() }
}

#[test]
fn facts_from_what_was_carried_are_those_of_the_whole_observation() {
    let inventory = strange_world();
    let (_, observation) = carried(&inventory);
    for name in ["prod", "third"] {
        let mut spec = fleet(name, COLLECTOR);
        spec.safety.adopt = spec::Adopt::Matching;
        let carried = observation.facts(&spec, &place(1), &Known::default());
        let whole = Facts::of(&spec, &place(1), &inventory.places);
        let one: Label = "one".parse().unwrap();
        assert_eq!(carried.adoptable, whole.adoptable);
        assert_eq!(carried.adoptable.len(), 1);
        assert_eq!(carried.labels, whole.labels);
        assert_eq!(carried.targets[&one].instance_type.as_deref(), Some("c5.24xlarge"));
        // Sessions of a fleet on members are in their `held`; everything else is the same.
        let held: BTreeSet<u32> = observation
            .members
            .values()
            .flat_map(|member| &member.held)
            .filter_map(|held| held.vni)
            .collect();
        let missing: Vec<_> = whole.stranger_vnis.difference(&carried.stranger_vnis).collect();
        assert!(missing.iter().all(|vni| held.contains(vni)), "{missing:?}");
        assert!(carried.stranger_vnis.is_subset(&whole.stranger_vnis));
        let sources = |facts: &Facts| facts.targets[&one].strangers.len();
        assert_eq!(sources(&carried), sources(&whole));
        assert_eq!(sources(&carried), if name == "prod" { 2 } else { 3 });
    }
}

#[test]
fn an_interface_that_may_become_a_target_tells_its_room_before() {
    let spec = fleet("prod", COLLECTOR);
    let type_of = |inventory: &Inventory| {
        let facts = carried(inventory).1.facts(&spec, &place(1), &Known::default());
        facts.targets.values().next().and_then(|one| one.instance_type.clone())
    };
    let mut inventory = strange_world();
    for seen in inventory.places.values_mut() {
        (seen.targets, seen.sessions) = (Vec::new(), Vec::new());
    }
    assert_eq!(type_of(&inventory).as_deref(), Some("c5.24xlarge"));
    // What takes as few as any needs no mention.
    inventory.places.get_mut(&place(1)).unwrap().instances[1].instance_type = "c5.large".to_owned();
    assert_eq!(type_of(&inventory), None);
}

#[test]
fn sessions_of_an_account_that_could_not_be_read_are_no_strangers() {
    let mut inventory = strange_world();
    inventory.places.remove(&place(2));
    inventory.unread.insert(place(2), "the role is gone".to_owned());
    let (_, observation) = carried(&inventory);
    let owners: BTreeSet<_> =
        observation.places[&place(1)].sessions.iter().map(|s| s.owner.clone()).collect();
    assert_eq!(owners, BTreeSet::from([place(9).account]), "they may well be the fleet's own");
}

#[test]
fn ten_thousand_members_are_lean() {
    let (here, count) = (place(1), 10_000);
    let mut seen = world(&here, count);
    seen.targets.push(target("tmt-0123456789abcdef0", &here, Destination::NetworkLoadBalancer("arn".into())));
    seen.sessions = (0..count).map(|n| session(n, &here, n, "tmt-0123456789abcdef0", Some("prod"))).collect();
    let inventory = Inventory { places: BTreeMap::from([(here, seen)]), ..Inventory::default() };
    let (value, _) = carried(&inventory);
    // States and plans hold JSON.
    let each = serde_json::to_string(&value).unwrap().len() / count;
    assert!(each < 430, "{each} bytes for each member");
    println!("{each} bytes for each member, with a session on it");
}

#[test]
fn zones_travel_with_their_ids_so_that_accounts_can_be_compared() {
    let mut inventory = Inventory::default();
    for (account, id) in [(1, "use1-az1"), (2, "use1-az4")] {
        let mut seen = world(&place(account), 1);
        seen.subnets[0].zone_id = Some(id.parse().unwrap());
        inventory.places.insert(place(account), seen);
    }
    let (_, observation) = carried(&inventory);
    let zones = observation.facts(&fleet("prod", COLLECTOR), &place(1), &Known::default()).zones;
    assert_eq!(zones, Zones::of(&inventory.places));
    assert!(!zones.is_empty());
}
