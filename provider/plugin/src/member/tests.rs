use enigma_fleet::ids::MemberKey;
use enigma_tfplugin::Diagnostics;

use super::*;

fn to_core(members: Members) -> Result<BTreeMap<MemberKey, Member>, Diagnostics> {
    observation::read(members).map(|seen| seen.members)
}

fn member() -> Member {
    Member {
        instance: Some("i-0123456789abcdef0".parse().unwrap()),
        instance_type: None,
        name: Some("web-1".to_owned()),
        vpc: "vpc-0123456789abcdef0".parse().unwrap(),
        subnet: "subnet-0123456789abcdef0".parse().unwrap(),
        zone: "us-east-1a".parse().unwrap(),
        rule: "everything".parse().unwrap(),
        targets: vec!["use1".parse().unwrap()],
        filter: None,
        number: None,
        packet_length: Some(128.try_into().unwrap()),
        held: vec![HeldSession {
            session: "tms-0123456789abcdef0".parse().unwrap(),
            fleet: Some("prod".to_owned()),
            target: Some("tmt-0123456789abcdef0".parse().unwrap()),
            number: 1.try_into().unwrap(),
            vni: Some(7),
        }],
    }
}

#[test]
fn a_member_survives_the_way_through_terraform() {
    let key = "111111111111/us-east-1/eni-0123456789abcdef0";
    let plain = Member { targets: vec![], packet_length: None, held: vec![], ..member() };
    let addresses: Vec<IpAddr> = ["10.0.0.1", "10.0.0.9", "fd00::1"].map(|one| one.parse().unwrap()).into();
    let tags = Tags::from([("team".to_owned(), "shop".to_owned())]);
    for member in [member(), plain] {
        let carried = MemberModel::of(&member, addresses.clone(), tags.clone()).to_dynamic();
        let mut carried = Dynamic::map([(key, carried)]);
        members_type().complete(&mut carried).unwrap();
        let read: Members = carried.to_typed().unwrap();
        let seen = observation::read(read).unwrap();
        assert_eq!(seen.members, BTreeMap::from([(key.parse().unwrap(), member)]));
        let interface = &seen.places.values().next().unwrap().interfaces[0];
        assert_eq!((interface.addresses(), &interface.tags), (addresses.clone(), &tags));
    }
}

#[test]
fn what_a_rule_leaves_to_the_fleet_takes_no_room() {
    let plain = Member { targets: vec![], packet_length: None, held: vec![], ..member() };
    let model = MemberModel::of(&plain, Vec::new(), Tags::new());
    assert_eq!((model.settings, model.held, model.addresses, model.tags), (None, None, None, None));
}

#[test]
fn every_bad_member_is_an_error_at_its_key() {
    let mut bad = MemberModel::of(&member(), Vec::new(), Tags::new());
    bad.vpc_id = Some("vpc".to_owned());
    let mut empty = MemberModel::of(&member(), Vec::new(), Tags::new());
    empty.rule = None;
    let members = Members::from([
        ("111111111111/us-east-1/eni-0123456789abcdef0".to_owned(), bad),
        ("111111111111/us-east-1/eni-0123456789abcdef1".to_owned(), empty),
        ("111111111111/us-east-1".to_owned(), MemberModel::of(&member(), Vec::new(), Tags::new())),
        ("nonsense".to_owned(), MemberModel::of(&member(), Vec::new(), Tags::new())),
    ]);
    let mistakes = to_core(members).unwrap_err();
    assert_eq!(mistakes.len(), 4);
    assert!(mistakes.iter().all(|m| m.attribute.to_string().starts_with("members[")), "{mistakes:?}");
    assert!(mistakes.iter().any(|m| m.detail.contains("rule has no value")), "{mistakes:?}");
}
