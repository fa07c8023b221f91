//! Each rule with a world that trips it, and one that barely does not.

use super::*;
use crate::expand::{Prior, expand};
use crate::inventory::{Attachment, Interface, MirrorFilter, MirrorSession, MirrorTarget, Tags};
use crate::selection::HeldSession;
use crate::spec::{RawFleet, RawSession, RawTarget, parse};

const ARN: &str = "arn:aws:elasticloadbalancing:eu-west-1:111111111111:loadbalancer/net/x/0123456789abcdef";

fn home() -> Place {
    Place { account: "111111111111".parse().unwrap(), region: "eu-west-1".parse().unwrap() }
}

fn key(number: usize) -> MemberKey {
    MemberKey { place: home(), interface: format!("eni-{number:08x}").parse().unwrap() }
}

fn member(number: usize) -> Member {
    Member {
        instance: Some(format!("i-{number:08x}").parse().unwrap()),
        instance_type: None,
        name: None,
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

fn nlb() -> RawTarget {
    RawTarget { network_load_balancer_arn: Given::Known(ARN.to_owned()), ..RawTarget::default() }
}

fn interface() -> RawTarget {
    RawTarget {
        network_interface_id: Given::Known("eni-0000ffff".to_owned()),
        max_sessions: Given::Known(100),
        ..RawTarget::default()
    }
}

fn gateway() -> RawTarget {
    RawTarget {
        gateway_load_balancer_endpoint_id: Given::Known("vpce-0123abcd".to_owned()),
        ..RawTarget::default()
    }
}

/// A scene with owned parts.
struct Stage {
    spec: FleetSpec,
    members: BTreeMap<MemberKey, Member>,
    places: BTreeMap<Place, PlaceInventory>,
    answers: Answers,
}

impl Stage {
    fn with(target: RawTarget, packet_length: Option<i64>, members: usize) -> Self {
        let raw = RawFleet {
            name: Given::Known("prod".to_owned()),
            targets: Given::Known([("main".to_owned(), Given::Known(target))].into()),
            session: Given::Known(RawSession {
                packet_length: packet_length.into(),
                ..RawSession::default()
            }),
            ..RawFleet::default()
        };
        Self {
            spec: parse(&raw).0.unwrap(),
            members: (1..=members).map(|number| (key(number), member(number))).collect(),
            places: BTreeMap::new(),
            answers: Answers::default(),
        }
    }

    /// Summaries with paths, and headroom.
    fn look(&self) -> (Vec<String>, Vec<Headroom>) {
        let facts = Facts::of(&self.spec, &home(), &self.places);
        self.look_with(&facts, &facts)
    }

    fn look_with(&self, planned: &Facts, facts: &Facts) -> (Vec<String>, Vec<Headroom>) {
        let expansion = expand(&self.spec, &home(), &self.members, &Prior::default(), planned);
        let found = preflight(&Scene {
            spec: &self.spec,
            home: &home(),
            members: &self.members,
            expansion: &expansion,
            places: &self.places,
            facts,
            answers: &self.answers,
        });
        let told =
            found.findings.iter().map(|one| format!("{:?} {}: {}", one.severity(), one.path, one.summary()));
        (told.collect(), found.headroom)
    }

    fn seen(&mut self) -> &mut PlaceInventory {
        self.places.entry(home()).or_default()
    }
}

fn session(number: usize, owner: &str, target: &str) -> MirrorSession {
    MirrorSession {
        id: format!("tms-{number:08x}").parse().unwrap(),
        owner: owner.parse().unwrap(),
        interface: key(number).interface,
        target: target.parse().unwrap(),
        filter: "tmf-00000001".parse().unwrap(),
        number: 1.try_into().unwrap(),
        vni: None,
        packet_length: None,
        description: String::new(),
        tags: Tags::new(),
    }
}

#[test]
fn a_plain_fleet_has_nothing_to_be_told() {
    let (told, headroom) = Stage::with(nlb(), None, 3).look();
    assert_eq!(told, [""; 0]);
    let shown: Vec<_> =
        headroom.iter().map(|one| format!("{} {} {}/{}", one.what, one.of, one.used, one.limit)).collect();
    assert_eq!(
        shown,
        [
            "sessions 111111111111/eu-west-1 3/10000",
            "targets 111111111111/eu-west-1 1/10000",
            "filters 111111111111/eu-west-1 1/10000",
            "rules default 4/10",
        ]
    );
    assert_eq!(headroom[3].percent_left(), 60);
}

#[test]
fn an_empty_selection_is_told() {
    let (told, _) = Stage::with(nlb(), None, 0).look();
    assert_eq!(told, ["Warning members: Nothing would be mirrored"]);
}

#[test]
fn quotas_count_everybodys_objects_of_the_account() {
    let mut stage = Stage::with(nlb(), None, 10);
    let others = |count: usize, owner: &'static str| {
        (100..100 + count).map(move |number| session(number, owner, "tmt-00000001"))
    };
    // Another account's sessions on our target are in sight and count in that account.
    stage.seen().sessions = others(8989, "111111111111").chain(others(5000, "222222222222")).collect();
    assert_eq!(stage.look().0, [""; 0], "8,999 are below nine tenths");
    stage.seen().sessions.push(session(1, "111111111111", "tmt-00000001"));
    let near = "Warning members: 9000 of 10000 sessions in 111111111111/eu-west-1 are used up";
    assert_eq!(stage.look().0, [near]);
    stage.seen().sessions = others(9990, "111111111111").collect();
    assert_eq!(
        stage.look().0,
        ["Warning members: 10000 of 10000 sessions in 111111111111/eu-west-1 are used up"]
    );
    stage.seen().sessions = others(9991, "111111111111").collect();
    let over = "Error members: 10001 sessions in 111111111111/eu-west-1 exceed AWS's quota of 10000";
    assert_eq!(stage.look().0, [over]);
}

#[test]
fn filters_and_targets_have_quotas_too() {
    let mut stage = Stage::with(nlb(), None, 1);
    let filter = |number: usize| MirrorFilter {
        id: format!("tmf-{number:08x}").parse().unwrap(),
        description: String::new(),
        amazon_dns: false,
        rules: Vec::new(),
        tags: Tags::new(),
    };
    let target = |number: usize| MirrorTarget {
        id: format!("tmt-{number:08x}").parse().unwrap(),
        owner: home().account,
        destination: Destination::NetworkLoadBalancer(format!("{ARN}-{number}")),
        description: String::new(),
        tags: Tags::new(),
    };
    stage.seen().filters = (1..=10_000).map(filter).collect();
    stage.seen().targets = (1..=9_000).map(target).collect();
    assert_eq!(
        stage.look().0,
        [
            "Error filters: 10001 filters in 111111111111/eu-west-1 exceed AWS's quota of 10000",
            "Warning targets: 9001 of 10000 targets in 111111111111/eu-west-1 are used up",
        ]
    );
}

#[test]
fn sources_of_strangers_fill_an_interface_target() {
    let mut stage = Stage::with(RawTarget { max_sessions: Given::Absent, ..interface() }, Some(1514), 4);
    stage.seen().targets.push(MirrorTarget {
        id: "tmt-00000001".parse().unwrap(),
        owner: home().account,
        destination: Destination::Interface("eni-0000ffff".parse().unwrap()),
        description: String::new(),
        tags: Tags::new(),
    });
    stage.seen().sessions =
        (101..=104).map(|number| session(number, "111111111111", "tmt-00000001")).collect();
    let used = |headroom: &[Headroom]| headroom.iter().find(|one| one.what == "sources").map(|one| one.used);
    let (told, headroom) = stage.look();
    assert_eq!((told.len(), used(&headroom)), (0, Some(8)));
    stage.seen().sessions.push(session(105, "111111111111", "tmt-00000001"));
    // A source of ours that a stranger sends there already is one source, not two.
    stage.seen().sessions.push(session(1, "111111111111", "tmt-00000001"));
    let (told, headroom) = stage.look();
    assert_eq!(told, ["Warning targets[\"main\"]: Target main has 9 of 10 sources"]);
    assert_eq!(used(&headroom), Some(9));
}

fn interface_of(member: &Member) -> Interface {
    Interface {
        place: home(),
        id: "eni-0000ffff".parse().unwrap(),
        owner: home().account,
        kind: "interface".to_owned(),
        is_requester_managed: false,
        requester: None,
        description: String::new(),
        vpc: "vpc-00000001".parse().unwrap(),
        subnet: "subnet-00000001".parse().unwrap(),
        zone: "eu-west-1a".parse().unwrap(),
        ipv4: None,
        secondary_ipv4: Vec::new(),
        ipv6: Vec::new(),
        attachment: Some(Attachment {
            instance: member.instance.clone(),
            device_index: 0,
            status: "attached".into(),
        }),
        tags: Tags::new(),
    }
}

#[test]
fn a_collectors_other_interfaces_are_an_error_where_the_plan_could_not_know() {
    let mut stage = Stage::with(interface(), Some(1514), 2);
    let seen = interface_of(&member(2));
    stage.seen().interfaces.push(seen);
    let facts = Facts::of(&stage.spec, &home(), &stage.places);
    // Members 1 and 2 lie in the receiver's subnet; only 2 is of its instance.
    let (told, _) = stage.look_with(&Facts::default(), &facts);
    let expected = "Error targets[\"main\"].network_interface_id: 1 interface of the collector i-00000002 would be mirrored";
    assert_eq!(told, [expected]);
    // A plan that knows leaves it out.
    assert_eq!(stage.look().0, [""; 0]);
    // Before anything sends to the target nothing in sight says whose it is, but AWS was asked.
    let mut first = Stage::with(interface(), Some(1514), 2);
    first.answers.paths.target_instances.insert("main".parse().unwrap(), "i-00000002".parse().unwrap());
    assert_eq!(first.look().0, [expected]);
}

#[test]
fn two_fleets_on_one_source_are_told_by_name() {
    let mut stage = Stage::with(nlb(), None, 3);
    for (number, fleet) in [(1, Some("other")), (2, None), (3, Some("prod"))] {
        let held = HeldSession {
            session: "tms-00000001".parse().unwrap(),
            fleet: fleet.map(str::to_owned),
            target: None,
            number: 100.try_into().unwrap(),
            vni: None,
        };
        stage.members.get_mut(&key(number)).unwrap().held.push(held);
    }
    assert_eq!(stage.look().0, ["Warning members: Fleet other has sessions on 1 interface too"]);
}

#[test]
fn packets_that_a_way_does_not_carry_are_told() {
    let told = |target: RawTarget, length: Option<i64>, way: Option<&str>, ipv6: bool| {
        let path = way.map(str::to_owned).into();
        let mut stage = Stage::with(RawTarget { path, ..target }, length, 1);
        stage.answers.paths.target_vpcs.insert("main".parse().unwrap(), "vpc-00000002".parse().unwrap());
        stage.answers.paths.over_ipv6.extend(ipv6.then(|| "main".parse().unwrap()));
        !stage.look().0.is_empty()
    };
    let gateway_way = Some("transit_gateway");
    // 8500 with a load balancer does not fit a transit gateway's 8500 with headers around it.
    assert!(told(nlb(), None, gateway_way, false));
    assert!(told(nlb(), Some(8465), gateway_way, false));
    assert!(!told(nlb(), Some(8464), gateway_way, false));
    assert!(told(nlb(), Some(8464), gateway_way, true));
    assert!(!told(nlb(), Some(8444), gateway_way, true));
    assert!(!told(nlb(), None, Some("peering"), false));
    // Whole packets of an interface with an MTU of 9001.
    assert!(told(interface(), None, gateway_way, false));
    assert!(!told(interface(), Some(8927), Some("peering"), true));
    // Nothing is assumed of a way that nobody told.
    assert!(!told(nlb(), None, None, false));
    assert!(told(gateway(), None, None, false));
    assert!(told(gateway(), Some(8447), None, false));
    assert!(!told(gateway(), Some(8446), None, false));
    assert!(!told(gateway(), Some(8426), None, true));
}

#[test]
fn a_path_counts_for_sources_of_other_vpcs_alone() {
    let target = RawTarget { path: Given::Known("transit_gateway".to_owned()), ..nlb() };
    let mut stage = Stage::with(target.clone(), None, 3);
    assert_eq!(stage.look().0, [""; 0], "which VPC the load balancer is in is not known");
    let target_vpc = |stage: &mut Stage, vpc: &str| {
        stage.answers.paths.target_vpcs.insert("main".parse().unwrap(), vpc.parse().unwrap());
    };
    target_vpc(&mut stage, "vpc-00000002");
    let expected =
        |at: &str, count: &str| format!("Warning {at}: Long packets of {count} may not reach target main");
    assert_eq!(stage.look().0, [expected("targets[\"main\"].path", "3 interfaces")]);
    // One of them comes to lie in the load balancer's VPC, then all.
    stage.members.get_mut(&key(1)).unwrap().vpc = "vpc-00000002".parse().unwrap();
    assert_eq!(stage.look().0, [expected("targets[\"main\"].path", "2 interfaces")]);
    target_vpc(&mut stage, "vpc-00000001");
    stage.members.remove(&key(1));
    assert_eq!(stage.look().0, [""; 0]);
    let mut long = Stage::with(target, Some(8465), 1);
    target_vpc(&mut long, "vpc-00000002");
    assert_eq!(long.look().0, [expected("session.packet_length", "1 interface")]);
    let endpoint = Stage::with(gateway(), None, 1);
    let at = "targets[\"main\"].gateway_load_balancer_endpoint_id";
    assert_eq!(endpoint.look().0, [expected(at, "1 interface")]);
}

#[test]
fn packets_that_the_interface_of_a_target_does_not_take_are_told() {
    let told = |mtu: Option<i64>, length: Option<i64>, ipv6: bool| {
        let target = RawTarget { mtu: mtu.into(), ..interface() };
        let mut stage = Stage::with(target, length, 2);
        stage.answers.paths.over_ipv6.extend(ipv6.then(|| "main".parse().unwrap()));
        stage.look().0
    };
    let cut = |at: &str, limit: u16| {
        [format!("Warning {at}: Packets of over {limit} bytes are cut on their way to target main")]
    };
    // AWS's own example: with 9001 at both ends, sources may have 8947 over IPv4.
    assert_eq!(told(None, None, false), cut("targets[\"main\"].network_interface_id", 8947));
    assert_eq!(told(None, None, true), cut("targets[\"main\"].network_interface_id", 8927));
    assert_eq!(told(Some(1500), None, false), cut("targets[\"main\"].mtu", 1446));
    assert_eq!(told(Some(1500), Some(1447), false), cut("session.packet_length", 1446));
    for (mtu, length, ipv6) in
        [(Some(1500), 1446, false), (None, 8947, false), (None, 8927, true), (None, 128, false)]
    {
        assert_eq!(told(mtu, Some(length), ipv6), [""; 0], "{mtu:?} {length}");
    }
    // A way that carries less is told of instead.
    let mut stage =
        Stage::with(RawTarget { path: Given::Known("transit_gateway".to_owned()), ..interface() }, None, 1);
    stage.answers.paths.target_vpcs.insert("main".parse().unwrap(), "vpc-00000002".parse().unwrap());
    assert_eq!(
        stage.look().0,
        ["Warning targets[\"main\"].path: Long packets of 1 interface may not reach target main"]
    );
}

fn balancer(listener: &str, zones: &[&str], receivers: &[(Option<&str>, bool)]) -> BalancerFacts {
    let receiver = |(zone, is_healthy): &(Option<&str>, bool)| ReceiverFacts {
        zone: zone.map(|zone| zone.parse().unwrap()),
        is_healthy: *is_healthy,
        ..ReceiverFacts::default()
    };
    let (protocol, port) = listener.split_once(' ').unwrap();
    BalancerFacts {
        listeners: vec![(protocol.to_owned(), port.parse().unwrap())],
        zones: zones.iter().map(|zone| zone.parse().unwrap()).collect(),
        is_cross_zone: false,
        receivers: receivers.iter().map(receiver).collect(),
    }
}

#[test]
fn a_load_balancer_from_which_nothing_arrives_is_told_by_its_first_cause() {
    let both = ["eu-west-1a", "eu-west-1b"];
    let told = |facts: Option<BalancerFacts>| {
        let mut stage = Stage::with(nlb(), None, 3);
        stage.answers.balancers.insert("main".parse().unwrap(), facts);
        stage.look().0
    };
    let at = "targets[\"main\"].network_load_balancer_arn: The load balancer of target main";
    assert_eq!(told(None), [format!("Error {at} does not exist")]);
    let deaf = format!("Warning {at} does not listen on UDP 4789");
    let healthy = (Some("eu-west-1a"), true);
    for listener in ["TCP 4789", "UDP 6081"] {
        assert_eq!(told(Some(balancer(listener, &both, &[healthy]))), std::slice::from_ref(&deaf));
    }
    let nobody = "Warning targets[\"main\"].network_load_balancer_arn: Nobody receives behind the load balancer of target main";
    assert_eq!(told(Some(balancer("UDP 4789", &both, &[]))), [nobody]);
    let sick = "Warning targets[\"main\"].network_load_balancer_arn: No receiver behind the load balancer of target main is healthy";
    assert_eq!(told(Some(balancer("UDP 4789", &both, &[(Some("eu-west-1a"), false)]))), [sick]);
    // The sources are in zone a.
    let unserved = format!("Warning {at} does not serve zone eu-west-1a");
    let elsewhere = (Some("eu-west-1b"), true);
    assert_eq!(told(Some(balancer("UDP 4789", &both, &[elsewhere]))), std::slice::from_ref(&unserved));
    assert_eq!(told(Some(balancer("TCP_UDP 4789", &["eu-west-1b"], &[elsewhere]))), [unserved]);
    let crossing =
        BalancerFacts { is_cross_zone: true, ..balancer("UDP 4789", &["eu-west-1b"], &[elsewhere]) };
    let crosses = "Warning targets[\"main\"].network_load_balancer_arn: 3 interfaces sent to target main in other zones";
    assert_eq!(told(Some(crossing)), [crosses], "they are served, from another zone");
    assert_eq!(
        told(Some(balancer("UDP 4789", &both, &[(None, true)]))),
        [""; 0],
        "an unknown zone is no guess"
    );
    assert_eq!(told(Some(balancer("UDP 4789", &both, &[healthy, (Some("eu-west-1b"), false)]))), [""; 0]);
}

/// What is told of three sources while somebody is registered behind the load balancer.
fn told_of(receiver: ReceiverFacts, seen: impl FnOnce(&mut Interface)) -> Vec<String> {
    let mut stage = Stage::with(nlb(), None, 3);
    let mut facts = balancer("UDP 4789", &["eu-west-1a"], &[(Some("eu-west-1a"), true)]);
    facts.receivers.push(receiver);
    stage.answers.balancers.insert("main".parse().unwrap(), Some(facts));
    stage.answers.paths.target_vpcs.insert("main".parse().unwrap(), "vpc-00000001".parse().unwrap());
    let mut interface = Interface { id: key(2).interface, ..interface_of(&member(2)) };
    interface.ipv4 = Some("10.0.0.2".parse().unwrap());
    interface.secondary_ipv4 = vec!["10.0.0.3".parse().unwrap()];
    interface.ipv6 = vec!["fd00::2".parse().unwrap()];
    seen(&mut interface);
    stage.seen().interfaces.push(interface);
    stage.look().0
}

#[test]
fn collectors_behind_a_load_balancer_are_no_sources_however_they_are_registered() {
    let error = "Error targets[\"main\"].network_load_balancer_arn: 1 interface of a collector behind target main would be mirrored";
    let at = |address: &str| ReceiverFacts { address: address.parse().ok(), ..ReceiverFacts::default() };
    let as_instance = ReceiverFacts { instance: member(3).instance, ..ReceiverFacts::default() };
    assert_eq!(told_of(as_instance, |_| ()), [error]);
    let as_interface = ReceiverFacts { interface: Some(key(1).interface), ..at("10.9.9.9") };
    assert_eq!(told_of(as_interface, |_| ()), [error]);
    for address in ["10.0.0.2", "10.0.0.3", "fd00::2"] {
        assert_eq!(told_of(at(address), |_| ()), [error], "{address}");
    }
    // Somebody else, and the same address in another VPC, which is another host.
    let other = ReceiverFacts { instance: member(9).instance, ..ReceiverFacts::default() };
    assert_eq!(told_of(other, |_| ()), [""; 0]);
    let move_away = |interface: &mut Interface| interface.vpc = "vpc-00000002".parse().unwrap();
    assert_eq!(told_of(at("10.0.0.2"), move_away), [""; 0]);
    assert_eq!(told_of(at("10.0.0.9"), |_| ()), [""; 0]);
}

#[test]
fn a_missing_permission_is_told_once_for_an_account() {
    let mut stage = Stage::with(nlb(), None, 1);
    let mut refuse = |account: &str, region: &str, action: &str| {
        stage.answers.refusals.push(Refusal {
            place: Place { account: account.parse().unwrap(), region: region.parse().unwrap() },
            action: action.to_owned(),
            message: "You are not authorized to perform this operation.".to_owned(),
        });
    };
    for region in ["eu-west-1", "us-east-1"] {
        refuse("222222222222", region, "ec2:CreateTrafficMirrorSession");
        refuse("222222222222", region, "ec2:CreateTags");
    }
    refuse("333333333333", "eu-west-1", "ec2:CreateTags");
    refuse("444444444444", "eu-west-1", "ec2:CreateTrafficMirrorTarget");
    refuse("555555555555", "eu-west-1", "ec2:CreateTrafficMirrorFilter");
    refuse("555555555555", "eu-west-1", "ec2:CreateTrafficMirrorFilterRule");
    let told = stage.look().0;
    assert_eq!(
        told,
        [
            "Error members: Account 222222222222 refuses ec2:CreateTags, ec2:CreateTrafficMirrorSession",
            "Error members: Account 333333333333 refuses ec2:CreateTags",
            "Error targets: Account 444444444444 refuses ec2:CreateTrafficMirrorTarget",
            "Error filters: Account 555555555555 refuses ec2:CreateTrafficMirrorFilter, ec2:CreateTrafficMirrorFilterRule",
        ]
    );
}

#[test]
fn an_apply_of_many_minutes_is_told() {
    let mut stage = Stage::with(nlb(), None, 1);
    let mut told = |seconds| {
        let time = Duration::from_secs(seconds);
        stage.answers.estimate = Some(Estimate { calls: 9000, time, slowest: Some(home()) });
        stage.look().0
    };
    assert_eq!(told(599), [""; 0]);
    assert_eq!(told(601), ["Warning timeouts: The apply takes 11 minutes or more"]);
}

#[test]
fn a_drained_target_is_not_nearly_full() {
    let mut stage = Stage::with(nlb(), None, 0);
    stage.spec.targets.values_mut().next().unwrap().max_sessions = Some(0);
    assert!(stage.look().0.iter().all(|one| !one.contains("sources")), "{:?}", stage.look().0);
}

#[test]
fn crossing_zones_is_told_of_every_session_whose_targets_zone_is_known() {
    let told = |target: RawTarget, edit: fn(&mut Stage)| {
        let mut stage = Stage::with(target, Some(1514), 3);
        stage.members.get_mut(&key(3)).unwrap().zone = "eu-west-1b".parse().unwrap();
        edit(&mut stage);
        stage.look().0
    };
    let at = "Warning targets[\"main\"]";
    // Of an interface AWS tells the zone, of load balancers those of their nodes.
    assert_eq!(told(interface(), |_| ()), [""; 0], "nobody asked");
    let in_b = |stage: &mut Stage| {
        stage.answers.paths.target_zones.insert("main".parse().unwrap(), "eu-west-1b".parse().unwrap());
    };
    let two = format!("{at}.network_interface_id: 2 interfaces sent to target main in other zones");
    assert_eq!(told(interface(), in_b), [two]);
    let written = Given::Known(vec![Given::Known("eu-west-1a".to_owned())]);
    let one = format!("{at}.availability_zones: 1 interface sent to target main in other zones");
    assert_eq!(told(RawTarget { availability_zones: written, ..nlb() }, |_| ()), [one]);
}

#[test]
fn zones_of_other_accounts_are_compared_by_id_or_not_at_all() {
    let theirs = Place { account: "222222222222".parse().unwrap(), ..home() };
    let told = |ids: &[(&Place, &str, &str)]| {
        let mut stage = Stage::with(nlb(), None, 0);
        // In their zone a, and the load balancer has a node in our zone a alone.
        stage.members.insert(MemberKey { place: theirs.clone(), ..key(1) }, member(1));
        let facts = balancer("UDP 4789", &["eu-west-1a"], &[(Some("eu-west-1a"), true)]);
        stage.answers.balancers.insert("main".parse().unwrap(), Some(facts));
        let mut facts = Facts::default();
        for (place, name, id) in ids {
            facts.zones.add(&place.account, name.parse().unwrap(), id.parse().unwrap());
        }
        stage.look_with(&facts, &facts).0
    };
    assert_eq!(told(&[]), [""; 0], "their names say nothing here");
    let ours = home();
    assert_eq!(told(&[(&ours, "eu-west-1a", "euw1-az1"), (&theirs, "eu-west-1a", "euw1-az1")]), [""; 0]);
    let unserved = "Warning targets[\"main\"].network_load_balancer_arn: The load balancer of target main does not serve zone euw1-az3";
    assert_eq!(told(&[(&ours, "eu-west-1a", "euw1-az1"), (&theirs, "eu-west-1a", "euw1-az3")]), [unserved]);
}

#[test]
fn an_interface_that_is_not_there_or_belongs_to_nobody_is_told() {
    let main: Label = "main".parse().unwrap();
    let told = |facts: Option<Option<InterfaceFacts>>| {
        let mut stage = Stage::with(RawTarget { max_sessions: Given::Absent, ..interface() }, Some(1514), 2);
        stage.answers.interfaces.extend(facts.map(|facts| (main.clone(), facts)));
        stage.look().0
    };
    let with = |is_attached| Some(Some(InterfaceFacts { is_attached }));
    let at = "targets[\"main\"].network_interface_id";
    assert_eq!(told(Some(None)), [format!("Error {at}: The interface of target main does not exist")]);
    assert_eq!(
        told(with(false)),
        [format!("Warning {at}: The interface of target main is attached to nothing")]
    );
    assert_eq!(told(with(true)), Vec::<String>::new());
    assert_eq!(told(None), Vec::<String>::new(), "nobody asked");
}
