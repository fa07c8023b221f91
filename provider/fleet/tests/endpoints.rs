//! Gateway Load Balancer endpoints and `vpc_ids`: sources send to a target of their own account and VPC, or are left out with the
//! reason that is theirs.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod world;

use std::collections::BTreeMap;

use enigma_fleet::expand::Expansion;
use enigma_fleet::finding::FindingKind;
use enigma_fleet::given::Given;
use enigma_fleet::ids::VpcId;
use enigma_fleet::spec::{FleetSpec, RawFleet, RawSafety, RawTarget, parse};
use world::company::{Company, arn, known};
use world::{eni, home};

fn vpc(number: u32) -> VpcId {
    format!("vpc-{number:08x}").parse().unwrap()
}

fn endpoint(number: u32, account: Option<&str>, vpcs: &[u32]) -> RawTarget {
    RawTarget {
        gateway_load_balancer_endpoint_id: known(&format!("vpce-{number:08x}")),
        account: account.map_or(Given::Absent, known),
        vpc_ids: of(vpcs),
        ..RawTarget::default()
    }
}

fn of(vpcs: &[u32]) -> Given<Vec<Given<String>>> {
    match vpcs {
        [] => Given::Absent,
        some => Given::Known(some.iter().map(|number| known(vpc(*number).as_str())).collect()),
    }
}

fn raw(targets: &[(&str, RawTarget)]) -> RawFleet {
    let targets = targets.iter().map(|(label, target)| ((*label).to_owned(), Given::Known(target.clone())));
    RawFleet {
        name: known("prod"),
        targets: Given::Known(targets.collect()),
        safety: Given::Known(RawSafety { max_removals: known("100%"), ..RawSafety::default() }),
        ..RawFleet::default()
    }
}

fn fleet(targets: &[(&str, RawTarget)]) -> FleetSpec {
    let (spec, problems) = parse(&raw(targets));
    assert_eq!(problems, []);
    spec.unwrap()
}

/// Interfaces 1 to 6 at home, in VPCs 1, 2, 3, 1, 2, 3.
fn spokes() -> Company {
    let mut company = Company::new();
    for number in 1..=6 {
        company.launch(&home(), number);
        let seen = &mut company.worlds.get_mut(&home()).unwrap().seen;
        seen.interfaces.last_mut().unwrap().vpc = vpc((number - 1) % 3 + 1);
    }
    company
}

fn sends(plan: &Expansion) -> BTreeMap<String, Vec<u32>> {
    let mut found: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (key, session) in &plan.sessions {
        let number = (1..=6).find(|number| key.interface == eni(*number)).unwrap();
        found.entry(session.target.label.to_string()).or_default().push(number);
    }
    found
}

fn told(plan: &Expansion) -> Vec<String> {
    plan.findings.iter().map(|one| format!("{} at {}", one.summary(), one.path)).collect()
}

#[test]
fn sources_send_to_the_endpoint_of_their_own_vpc() {
    let company = spokes();
    let wanted = company.wanted(&fleet(&[
        ("g1", endpoint(1, None, &[1])),
        ("g2", endpoint(2, None, &[2])),
        ("rest", endpoint(3, None, &[3])),
    ]));
    let expected = [("g1", vec![1, 4]), ("g2", vec![2, 5]), ("rest", vec![3, 6])];
    assert_eq!(sends(&wanted), expected.map(|(label, list)| (label.to_owned(), list)).into());
    assert_eq!(told(&wanted), [""; 0]);
}

#[test]
fn an_endpoint_that_says_no_vpc_is_told_where_it_gets_sources_of_several() {
    let company = spokes();
    let wanted = company.wanted(&fleet(&[("g1", endpoint(1, None, &[]))]));
    assert_eq!(wanted.sessions.len(), 6);
    assert_eq!(told(&wanted), ["Target g1 gets sources of 3 VPCs at targets[\"g1\"].vpc_ids"]);
    let detail = wanted.findings[0].detail();
    assert!(detail.contains("6 interfaces") && detail.contains("vpc-00000003"), "{detail}");
    // Whoever writes all of them has said that routes lead there; a load balancer is reached over any of them.
    assert_eq!(told(&company.wanted(&fleet(&[("g1", endpoint(1, None, &[1, 2, 3]))]))), [""; 0]);
    let nlb = RawTarget { network_load_balancer_arn: known(&arn("eu-west-1", "n")), ..RawTarget::default() };
    assert_eq!(told(&company.wanted(&fleet(&[("n", nlb)]))), [""; 0]);
}

#[test]
fn a_vpc_that_no_target_names_is_left_out_with_that_reason() {
    let wanted = spokes().wanted(&fleet(&[("g1", endpoint(1, None, &[1])), ("g2", endpoint(2, None, &[2]))]));
    assert_eq!(
        told(&wanted),
        ["2 interfaces in eu-west-1 not mirrored: no target for VPC vpc-00000003 at targets"]
    );
    let detail = wanted.findings[0].detail();
    assert!(detail.contains("targets g1, g2 name other VPCs"), "{detail}");
    let reasons: Vec<&str> = wanted.not_mirrored.values().map(|one| one.detail.as_str()).collect();
    let reason =
        "the fleet's targets that it could send to name other VPCs than vpc-00000003 in vpc_ids".to_owned();
    assert_eq!(reasons, [reason.as_str(); 2]);
}

#[test]
fn accounts_that_have_only_endpoints_of_others_are_not_told_to_write_the_region_they_have() {
    let mut company = Company::new();
    company.launch(&home(), 1);
    let wanted = company.wanted(&fleet(&[("spoke", endpoint(1, Some("222222222222"), &[]))]));
    assert_eq!(
        told(&wanted),
        ["1 interface in eu-west-1 not mirrored: no target for account 111111111111 there at targets"]
    );
    assert!(matches!(wanted.findings[0].kind, FindingKind::AccountWithoutTarget { .. }));
    let detail = wanted.findings[0].detail();
    assert!(!detail.contains("region =") && detail.contains("an endpoint with its account"), "{detail}");
    let reason = &wanted.not_mirrored.values().next().unwrap().detail;
    assert!(reason.contains("endpoints of other accounts"), "{reason}");
}

#[test]
fn sessions_stay_where_a_vpc_is_added_and_move_in_place_where_theirs_is_taken_away() {
    let mut company = spokes();
    let first = fleet(&[("g1", endpoint(1, None, &[1, 2])), ("g2", endpoint(2, None, &[3]))]);
    let plan = company.plan(&company.wanted(&first), &first);
    company.apply(&plan, usize::MAX);
    let wider = fleet(&[("g1", endpoint(1, None, &[1, 2])), ("g2", endpoint(2, None, &[2, 3]))]);
    assert!(company.plan(&company.wanted(&wider), &wider).is_empty());
    let moved = fleet(&[("g1", endpoint(1, None, &[1])), ("g2", endpoint(2, None, &[2, 3]))]);
    let wanted = company.wanted(&moved);
    assert_eq!((wanted.changes.added, wanted.changes.changed, wanted.changes.removed), (0, 2, 0));
    let plan = company.plan(&wanted, &moved);
    company.apply(&plan, usize::MAX);
    assert!(company.plan(&company.wanted(&moved), &moved).is_empty());
}

#[test]
fn mistakes_of_vpc_ids_are_told_where_they_are() {
    let mistakes = |ids: &[&str]| {
        let vpc_ids = Given::Known(ids.iter().map(|id| known(id)).collect());
        let target = RawTarget { vpc_ids, ..endpoint(1, None, &[]) };
        parse(&raw(&[("x", target)])).1.iter().map(|one| one.path.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(mistakes(&[]), ["targets[\"x\"].vpc_ids"]);
    assert_eq!(mistakes(&["subnet-00000001"]).len(), 1);
    assert_eq!(mistakes(&["vpc-00000001"]), [""; 0]);
    // Which VPC it is decides who sends there, so until that is known nothing is planned.
    let target = RawTarget { vpc_ids: Given::Known(vec![Given::Unknown]), ..endpoint(1, None, &[]) };
    assert_eq!(parse(&raw(&[("x", target)])), (None, Vec::new()));
    // A description of before has no such list.
    let before = fleet(&[("x", endpoint(1, None, &[]))]);
    assert!(!before.to_json().contains("vpcs"));
    let now = fleet(&[("x", endpoint(1, None, &[1]))]);
    assert_eq!(FleetSpec::from_json(&now.to_json()).unwrap(), now);
}
