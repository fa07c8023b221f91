use super::*;
use crate::expand::{Facts, Prior, expand};
use crate::given::Given;
use crate::inventory::Attachment;
use crate::spec::{FleetSpec, RawFleet, RawSession, RawTarget, RawVniRange, parse};

fn home() -> Place {
    Place { account: "111111111111".parse().unwrap(), region: "eu-west-1".parse().unwrap() }
}

fn key(number: u32) -> MemberKey {
    MemberKey { place: home(), interface: format!("eni-{number:08x}").parse().unwrap() }
}

fn member(number: u32) -> Member {
    Member {
        instance: Some(format!("i-{number:08x}").parse().unwrap()),
        instance_type: None,
        name: Some(format!("web-{number}")),
        vpc: "vpc-00000001".parse().unwrap(),
        subnet: "subnet-00000001".parse().unwrap(),
        zone: "eu-west-1a".parse().unwrap(),
        rule: "everything".parse().unwrap(),
        targets: Vec::new(),
        filter: None,
        number: None,
        packet_length: None,
        held: Vec::new(),
    }
}

fn tags(tags: &[(&str, &str)]) -> Tags {
    tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn seen(number: u32) -> PlaceInventory {
    let interface = Interface {
        place: home(),
        id: key(number).interface,
        owner: home().account,
        kind: "interface".to_owned(),
        is_requester_managed: false,
        requester: None,
        description: String::new(),
        vpc: "vpc-00000001".parse().unwrap(),
        subnet: "subnet-00000001".parse().unwrap(),
        zone: "eu-west-1a".parse().unwrap(),
        ipv4: Some("10.0.0.7".parse().unwrap()),
        secondary_ipv4: vec!["10.0.0.9".parse().unwrap(), "10.0.0.8".parse().unwrap()],
        ipv6: vec!["fd00::2".parse().unwrap(), "fd00::1".parse().unwrap()],
        attachment: Some(Attachment {
            instance: member(number).instance,
            device_index: 0,
            status: "attached".to_owned(),
        }),
        tags: tags(&[("team", "net"), ("zone", "dmz"), ("secret", "x")]),
    };
    let instance = Instance {
        id: member(number).instance.unwrap(),
        instance_type: "m5.large".to_owned(),
        state: "running".to_owned(),
        tags: tags(&[("team", "web"), ("owner", "y")]),
    };
    PlaceInventory { interfaces: vec![interface], instances: vec![instance], ..PlaceInventory::default() }
}

fn spec(vnis: i64) -> FleetSpec {
    let arn = "arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/net/x/0123456789abcdef";
    let target =
        RawTarget { network_load_balancer_arn: Given::Known(arn.to_owned()), ..RawTarget::default() };
    let vni = RawVniRange { from: Given::Known(1), to: Given::Known(vnis) };
    let raw = RawFleet {
        name: Given::Known("prod".to_owned()),
        targets: Given::Known([("main".to_owned(), Given::Known(target))].into()),
        session: Given::Known(RawSession { vni: Given::Known(vni), ..RawSession::default() }),
        ..RawFleet::default()
    };
    parse(&raw).0.unwrap()
}

#[test]
fn a_vni_is_told_with_everything_that_was_seen() {
    let members = BTreeMap::from([(key(1), member(1))]);
    let expansion = expand(&spec(1), &home(), &members, &Prior::default(), &Facts::default());
    let chosen = ["team", "zone", "absent"].map(str::to_owned).into();
    let directory = Directory::of(&expansion, &members, &[(home(), seen(1))].into(), &chosen);
    assert_eq!(
        directory.to_json().unwrap(),
        concat!(
            r#"{"version":1,"fleet":"prod","sessions":[{"vni":1,"account_id":"111111111111","region":"eu-west-1","#,
            r#""eni":"eni-00000001","addresses":["10.0.0.7","10.0.0.8","10.0.0.9","fd00::1","fd00::2"],"instance_id":"i-00000001","#,
            r#""name":"web-1","tags":{"team":"web","zone":"dmz"},"vpc_id":"vpc-00000001","subnet_id":"subnet-00000001","#,
            r#""availability_zone":"eu-west-1a","target":"main"}]}"#
        )
    );
    let read: Directory = serde_json::from_str(&directory.to_json().unwrap()).unwrap();
    assert_eq!(read, directory);
}

#[test]
fn without_an_observation_names_remain_and_nothing_is_invented() {
    let members: BTreeMap<_, _> = (1..=9).map(|number| (key(number), member(number))).collect();
    let expansion = expand(&spec(9), &home(), &members, &Prior::default(), &Facts::default());
    let directory = Directory::of(&expansion, &members, &BTreeMap::new(), &BTreeSet::new());
    let vnis: Vec<u32> = directory.sources.iter().map(|entry| entry.vni.get()).collect();
    assert_eq!(vnis, (1..=9).collect::<Vec<_>>(), "every VNI once, in order");
    for entry in &directory.sources {
        assert!(entry.addresses.is_empty() && entry.tags.is_empty());
        assert_eq!(
            entry.name,
            members[&MemberKey { place: home(), interface: entry.interface_id.clone() }].name
        );
    }
}
