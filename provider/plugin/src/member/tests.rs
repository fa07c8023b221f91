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
    for member in [member(), plain] {
        let carried = MemberModel::of(&member, Some("10.0.0.1".to_owned())).to_dynamic();
        let mut carried = Dynamic::map([(key, carried)]);
        members_type().complete(&mut carried).unwrap();
        let read: Members = carried.into_typed().unwrap();
        assert_eq!(to_core(read).unwrap(), BTreeMap::from([(key.parse().unwrap(), member)]));
    }
}

#[test]
fn what_a_rule_leaves_to_the_fleet_takes_no_room() {
    let plain = Member { targets: vec![], packet_length: None, held: vec![], ..member() };
    let model = MemberModel::of(&plain, None);
    assert_eq!((model.settings, model.held), (None, None));
}

#[test]
fn every_bad_member_is_an_error_at_its_key() {
    let mut bad = MemberModel::of(&member(), None);
    bad.vpc_id = Some("vpc".to_owned());
    let mut empty = MemberModel::of(&member(), None);
    empty.rule = None;
    let members = Members::from([
        ("111111111111/us-east-1/eni-0123456789abcdef0".to_owned(), bad),
        ("111111111111/us-east-1/eni-0123456789abcdef1".to_owned(), empty),
        ("111111111111/us-east-1".to_owned(), MemberModel::of(&member(), None)),
        ("nonsense".to_owned(), MemberModel::of(&member(), None)),
    ]);
    let mistakes = to_core(members).unwrap_err();
    assert_eq!(mistakes.len(), 4);
    assert!(mistakes.iter().all(|m| m.attribute.to_string().starts_with("members[")), "{mistakes:?}");
    assert!(mistakes.iter().any(|m| m.detail.contains("rule has no value")), "{mistakes:?}");
}
