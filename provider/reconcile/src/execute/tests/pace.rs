//! How near an apply comes to what AWS's buckets allow, in virtual time: tokio's paused clock runs on while nobody works, so that
//! half an hour of pacing takes seconds and the figures are the same on every machine.

use enigma_fleet::ids::{InterfaceId, MemberKey, ObjectKey, Place};
use enigma_fleet::inventory::Destination;

use super::*;

/// What one call takes from outside its Region, roughly; AWS publishes no figure.
const LATENCY: Duration = Duration::from_millis(30);

/// A balancer's target, a filter and a session on each interface, all in one account.
fn whole_in(place: &Place, arn: &str, interfaces: &[InterfaceId]) -> [Vec<Action>; 4] {
    let key = |label: &str| ObjectKey { place: place.clone(), label: label.parse().unwrap() };
    let target = Action::CreateTarget {
        key: key("t"),
        destination: Destination::NetworkLoadBalancer(arn.to_owned()),
        description: String::new(),
        tags: Tags::new(),
    };
    let filter = Action::CreateFilter { key: key("f"), description: String::new(), tags: Tags::new() };
    let rule = Action::CreateRule {
        key: key("f"),
        filter: Ref::Planned(key("f")),
        rule: rule(10),
        tags: Tags::new(),
    };
    let sessions = interfaces.iter().map(|interface| Action::CreateSession {
        key: MemberKey { place: place.clone(), interface: interface.clone() },
        settings: settings(Ref::Planned(key("t")), Ref::Planned(key("f")), 7),
        tags: Tags::from([("enigma:fleet".to_owned(), "prod".to_owned())]),
    });
    [vec![target], vec![filter], vec![rule], sessions.collect()]
}

/// Makes so many sessions in each account against AWS's own buckets: the seconds that it took, and the least that AWS allows.
async fn creates(accounts: u64, each: u32) -> (f64, f64) {
    let aws = MemoryAws::new(home());
    let stages = [Stage::NewTargets, Stage::NewFilters, Stage::Rules, Stage::NewSessions];
    let mut waves = stages.map(|stage| (stage, Vec::new()));
    for number in 0..accounts {
        let account = format!("{:012}", 111_111_111_111 + number);
        let place = place(&format!("{account}/us-east-1"));
        let arn = ARN.replace("111111111111", &account);
        aws.add_place(&place);
        aws.add_load_balancer(&place, &arn);
        aws.delay(&place, "CreateTrafficMirrorSession", LATENCY);
        let interfaces: Vec<_> = (0..each).map(|_| aws.launch(&place, "m5.large", &Tags::new()).1).collect();
        for (wave, actions) in waves.iter_mut().zip(whole_in(&place, &arn, &interfaces)) {
            wave.1.extend(actions);
        }
    }
    aws.throttle(MUTATING.into(), TAGGING.into());
    let began = Instant::now();
    let outcomes = run(&aws, &plan(waves.into())).await;
    assert!(outcomes.is_complete(), "{:?}", outcomes.counts());
    let refused = aws.journal().iter().filter(|call| call.error.is_some()).count();
    assert_eq!(refused, 0, "AWS refused calls");
    let bound = (f64::from(each) - Bucket::from(MUTATING).burst) / Bucket::from(MUTATING).per_second;
    (began.elapsed().as_secs_f64(), bound)
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_creates_in_one_account_take_what_the_bucket_demands() {
    let (took, bound) = creates(1, 10_000).await;
    println!("10,000 creates in one account: {took:.1} s, AWS's bucket allows {bound:.1} s");
    assert!(took >= bound, "{took} s is faster than AWS allows");
    assert!(took <= bound * 1.1, "{took} s, the bound is {bound} s");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_creates_in_fifty_accounts_go_side_by_side() {
    let (took, bound) = creates(50, 200).await;
    println!("10,000 creates in 50 accounts: {took:.1} s, AWS's buckets allow {bound:.1} s");
    assert!(took >= bound, "{took} s is faster than AWS allows");
    assert!(took <= bound * 1.1, "{took} s, the bound is {bound} s");
}
