use super::*;
use crate::expand::{Facts, Prior, PriorSession, PriorState, expand};
use crate::given::Given;
use crate::ids::Place;
use crate::spec::{RawFleet, RawTarget, parse};

fn home() -> Place {
    Place { account: "111111111111".parse().unwrap(), region: "eu-west-1".parse().unwrap() }
}

fn key(number: u32) -> MemberKey {
    MemberKey { place: home(), interface: format!("eni-{number:08x}").parse().unwrap() }
}

fn member(zone: &str) -> Member {
    Member {
        instance: None,
        instance_type: None,
        name: None,
        vpc: "vpc-00000001".parse().unwrap(),
        subnet: "subnet-00000001".parse().unwrap(),
        zone: zone.parse().unwrap(),
        rule: "everything".parse().unwrap(),
        targets: Vec::new(),
        filter: None,
        number: None,
        packet_length: None,
        held: Vec::new(),
    }
}

fn spec(zones: Given<Vec<Given<String>>>) -> FleetSpec {
    let arn = "arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/net/x/0123456789abcdef";
    let target = RawTarget {
        network_load_balancer_arn: Given::Known(arn.to_owned()),
        availability_zones: zones,
        ..RawTarget::default()
    };
    let raw = RawFleet {
        name: Given::Known("prod".to_owned()),
        targets: Given::Known([("main".to_owned(), Given::Known(target))].into()),
        ..RawFleet::default()
    };
    parse(&raw).0.unwrap()
}

#[test]
fn sessions_are_priced_by_the_month_and_crossings_counted() {
    let spec = spec(Given::Known(vec![Given::Known("eu-west-1a".to_owned())]));
    let members = BTreeMap::from([
        (key(1), member("eu-west-1a")),
        (key(2), member("eu-west-1b")),
        (key(3), member("eu-west-1b")),
    ]);
    // One more in a place that could not be read: it is charged all the same.
    let elsewhere = Place { account: "222222222222".parse().unwrap(), ..home() };
    let kept = PriorSession {
        session: None,
        target: Some("main".parse().unwrap()),
        filter: None,
        number: 100.try_into().unwrap(),
        vni: None,
        packet_length: None,
        rule: None,
        state: PriorState::Active,
    };
    let prior = Prior {
        sessions: [(MemberKey { place: elsewhere.clone(), interface: key(9).interface }, kept)].into(),
        unread: [elsewhere].into(),
        ..Prior::default()
    };
    let expansion = expand(&spec, &home(), &members, &prior, &Facts::default());
    let cost = estimate(&spec, &members, &expansion, DEFAULT_HOURLY_PRICE);
    // AWS's example: 0.015 an hour is 10.95 for a month of 730 hours.
    assert_eq!(cost, Cost { sessions: 4, monthly: Usd(43_800_000), crossing: 2, zone_unknown: 1 });
    assert_eq!(cost.to_string(), "about USD 43.80 a month for 4 sessions, and traffic of 2 between zones");
}

#[test]
fn without_zones_nothing_is_said_about_crossings() {
    let spec = spec(Given::Absent);
    let members = BTreeMap::from([(key(1), member("eu-west-1a"))]);
    let expansion = expand(&spec, &home(), &members, &Prior::default(), &Facts::default());
    let cost = estimate(&spec, &members, &expansion, Usd(17_123));
    assert_eq!(cost, Cost { sessions: 1, monthly: Usd(12_499_790), crossing: 0, zone_unknown: 1 });
    assert_eq!(cost.monthly.to_string(), "12.50");
}
