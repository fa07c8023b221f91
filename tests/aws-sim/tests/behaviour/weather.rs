//! Faults, throttling, stale reads: what goes wrong between a caller and AWS.

use std::time::{Duration, Instant};

use enigma_aws_sim::{Bucket, Fault, Outcome, Scope, Staleness, Throttle};

use crate::client::{eni, start};

#[test]
fn a_lost_reply_leaves_the_effect_and_the_token_finds_it_again() {
    let (sim, client) = start();
    let to = client.target_and_filter(&eni("probe"));
    let scope = Scope::action("CreateTrafficMirrorSession");
    sim.admin().fault(Fault::Lose { scope, times: 1, effect: true, skip: 0 });
    let form = [
        ("NetworkInterfaceId", eni("web-1")),
        ("TrafficMirrorTargetId", to.0),
        ("TrafficMirrorFilterId", to.1),
        ("SessionNumber", "1".to_owned()),
        ("ClientToken", "again".to_owned()),
    ];
    let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let lost = client.try_ec2("CreateTrafficMirrorSession", &form);
    assert!(lost.is_err(), "{lost:?}");
    assert_eq!(client.sessions().len(), 1);
    let again = client.ec2("CreateTrafficMirrorSession", &form).ok();
    assert_eq!(client.sessions(), [again.one("trafficMirrorSessionId")]);
    let creates: Vec<Outcome> = sim
        .journal()
        .into_iter()
        .filter(|call| call.action == "CreateTrafficMirrorSession")
        .map(|call| call.outcome)
        .collect();
    assert_eq!(creates, [Outcome::ReplyLost, Outcome::Ok]);
}

#[test]
fn a_lost_request_has_no_effect() {
    let (sim, client) = start();
    let scope = Scope::action("CreateTrafficMirrorFilter");
    sim.admin().fault(Fault::Lose { scope, times: 1, effect: false, skip: 1 });
    client.ec2("CreateTrafficMirrorFilter", &[]).ok();
    assert!(client.try_ec2("CreateTrafficMirrorFilter", &[]).is_err());
    let left = client.ec2("DescribeTrafficMirrorFilters", &[]).all("trafficMirrorFilterId");
    assert_eq!(left.len(), 1);
    assert_eq!(sim.journal()[1].outcome, Outcome::RequestLost);
}

#[test]
fn failures_have_no_effect_and_end() {
    let (sim, client) = start();
    let scope = Scope::action("CreateTrafficMirrorFilter");
    sim.admin().fault(Fault::FailNext { scope, code: "InternalError".to_owned(), times: 2 });
    for _ in 0..2 {
        let reply = client.ec2("CreateTrafficMirrorFilter", &[]);
        assert_eq!((reply.status, reply.code().as_str()), (500, "InternalError"));
    }
    client.ec2("CreateTrafficMirrorFilter", &[]).ok();
    assert_eq!(client.ec2("DescribeTrafficMirrorFilters", &[]).all("trafficMirrorFilterId").len(), 1);
    sim.admin().fault(Fault::Deny { scope: Scope::action("Describe*").of_account("222222222222") });
    client.ec2("DescribeVpcs", &[]).ok();
    let other = client.with_key("other").ec2("DescribeVpcs", &[]);
    assert_eq!((other.status, other.code().as_str()), (403, "UnauthorizedOperation"));
}

#[test]
fn throttled_calls_pass_again_when_the_bucket_has_refilled() {
    let (sim, client) = start();
    let bucket = Bucket { size: 2.0, refill: 1.0 };
    let buckets = [("CreateTrafficMirrorFilter".to_owned(), bucket)].into();
    sim.admin().throttle(Throttle { enabled: true, time_scale: 10.0, buckets });
    let codes = |count: usize| -> Vec<String> {
        (0..count).map(|_| client.ec2("CreateTrafficMirrorFilter", &[]).code()).collect()
    };
    assert_eq!(codes(3), ["", "", "RequestLimitExceeded"]);
    // Another account and another action have buckets of their own.
    let other = client.clone().with_key("other");
    assert_eq!(other.ec2("CreateTrafficMirrorFilter", &[]).code(), "");
    client.ec2("DescribeTrafficMirrorFilters", &[]).ok();
    // A tenth of a second here is a second of AWS's: one token.
    sim.admin().clock().advance(Duration::from_millis(100));
    assert_eq!(codes(2), ["", "RequestLimitExceeded"]);
}

#[test]
fn stale_readers_miss_changes_until_the_window_ends() {
    let (sim, client) = start();
    sim.admin().staleness(Staleness { milliseconds: 1000, reads: 0 });
    let to = client.target_and_filter(&eni("probe"));
    // A call that names them misses them as well.
    let early = client.session(&eni("web-1"), &to, &[]);
    assert_eq!(early.code(), "InvalidTrafficMirrorTargetId.NotFound");
    sim.admin().clock().advance(Duration::from_millis(1000));
    let session = client.session(&eni("web-1"), &to, &[]).ok().one("trafficMirrorSessionId");
    let by_id = [("TrafficMirrorSessionId.1", session.as_str())];
    assert!(client.sessions().is_empty());
    let missing = client.ec2("DescribeTrafficMirrorSessions", &by_id);
    assert_eq!(missing.code(), "InvalidTrafficMirrorSessionId.NotFound");
    sim.admin().clock().advance(Duration::from_millis(1000));
    assert_eq!(client.sessions(), std::slice::from_ref(&session));

    client
        .ec2("CreateTags", &[("ResourceId.1", &session), ("Tag.1.Key", "late"), ("Tag.1.Value", "yes")])
        .ok();
    let by_tag = [("Filter.1.Name", "tag:late"), ("Filter.1.Value.1", "yes")];
    assert!(client.ec2("DescribeTrafficMirrorSessions", &by_tag).all("trafficMirrorSessionId").is_empty());
    sim.admin().clock().advance(Duration::from_millis(1000));
    assert_eq!(client.ec2("DescribeTrafficMirrorSessions", &by_tag).all("trafficMirrorSessionId").len(), 1);

    client.ec2("DeleteTrafficMirrorSession", &[("TrafficMirrorSessionId", &session)]).ok();
    assert_eq!(client.sessions(), std::slice::from_ref(&session));
    // What is seen and what is there differ: the truth decides about changes.
    let again = client.ec2("DeleteTrafficMirrorSession", &[("TrafficMirrorSessionId", &session)]);
    assert_eq!(again.code(), "InvalidTrafficMirrorSessionId.NotFound");
    sim.admin().clock().advance(Duration::from_millis(1000));
    assert!(client.sessions().is_empty());
}

#[test]
fn a_number_of_reads_can_be_stale() {
    let (sim, client) = start();
    sim.admin().staleness(Staleness { milliseconds: 0, reads: 2 });
    client.ec2("CreateTrafficMirrorFilter", &[]).ok();
    let seen = || client.ec2("DescribeTrafficMirrorFilters", &[]).all("trafficMirrorFilterId").len();
    assert_eq!([seen(), seen(), seen()], [0, 0, 1]);
}

#[test]
fn delays_hold_the_reply_back_not_the_effect() {
    let (sim, client) = start();
    let scope = Scope::action("CreateTrafficMirrorFilter");
    // Long enough to be told from scheduling noise, short enough for a test.
    sim.admin().fault(Fault::Delay { scope, milliseconds: 300 });
    let begun = Instant::now();
    let slow = {
        let client = client.clone();
        std::thread::spawn(move || client.ec2("CreateTrafficMirrorFilter", &[]))
    };
    let seen = || client.ec2("DescribeTrafficMirrorFilters", &[]).all("trafficMirrorFilterId").len();
    enigma_test_support::wait::until(Duration::from_secs(10), "the filter to exist", || seen() == 1);
    slow.join().unwrap().ok();
    assert!(begun.elapsed() >= Duration::from_millis(300));
}
