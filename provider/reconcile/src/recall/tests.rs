//! Each kind is read once per place, until somebody writes or time passes; answers stay those of AWS.

use std::collections::BTreeMap;

use super::*;
use crate::kit::{ARN, aws_with, home};
use crate::memory::MemoryAws;
use crate::observe::{Scope, observe};
use crate::ports::ErrorKind;

fn recalled(interfaces: usize) -> (MemoryAws, Arc<Recall>) {
    let (aws, _) = aws_with(interfaces);
    let recall = Arc::new(Recall::new(Arc::new(aws.clone())));
    (aws, recall)
}

fn calls(aws: &MemoryAws) -> BTreeMap<&'static str, usize> {
    aws.journal().iter().fold(BTreeMap::new(), |mut counts, call| {
        *counts.entry(call.operation).or_default() += 1;
        counts
    })
}

#[tokio::test(start_paused = true)]
async fn discovery_refresh_and_plan_read_each_kind_once() {
    let (aws, recall) = recalled(5);
    let places = BTreeSet::from([home()]);
    let whole = observe(recall.as_ref(), &places, &Scope::Discovery).await;
    let ids = aws.contents(&home()).interfaces.iter().map(|one| one.id.clone()).take(2).collect();
    let scope = Scope::Mirroring { interfaces: BTreeMap::from([(home(), ids)]) };
    let part = observe(recall.as_ref(), &places, &scope).await;
    let owned = Scope::Owned { fleet: "prod".parse().unwrap() };
    observe(recall.as_ref(), &places, &owned).await;
    assert_eq!(whole.places[&home()], aws.contents(&home()));
    assert_eq!(part.places[&home()].interfaces.len(), 2);
    assert!(calls(&aws).values().all(|count| *count == 1), "{:?}", calls(&aws));
    assert_eq!(aws.journal().len(), 6);
}

#[tokio::test(start_paused = true)]
async fn those_who_ask_together_share_one_read() {
    let (aws, recall) = recalled(1);
    aws.delay(&home(), "DescribeSubnets", Duration::from_millis(100));
    let open = recall.open(&home()).await.unwrap();
    let all = futures::future::join_all((0..20).map(|_| open.subnets())).await;
    assert!(all.iter().all(|one| one.as_ref().is_ok_and(|subnets| subnets.len() == 1)));
    assert_eq!(aws.journal().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_forgets_and_so_does_time() {
    let (aws, recall) = recalled(1);
    let open = recall.open(&home()).await.unwrap();
    let token = ClientToken("t".to_owned());
    assert_eq!(open.filters(&MirrorScope::All).await.unwrap().len(), 0);
    open.create_filter("d", &Tags::new(), &token).await.unwrap();
    assert_eq!(open.filters(&MirrorScope::All).await.unwrap().len(), 1);
    // A write that fails may have had its effect.
    aws.lose_replies("CreateTrafficMirrorFilter", 1);
    assert!(open.create_filter("e", &Tags::new(), &ClientToken("u".to_owned())).await.is_err());
    assert_eq!(open.filters(&MirrorScope::All).await.unwrap().len(), 2);

    let id = aws.contents(&home()).filters[0].id.clone();
    aws.open(&home()).await.unwrap().delete_filter(&id).await.unwrap();
    assert_eq!(open.filters(&MirrorScope::All).await.unwrap().len(), 2, "remembered");
    tokio::time::sleep(KEPT).await;
    assert_eq!(open.filters(&MirrorScope::All).await.unwrap().len(), 1);
    recall.forget();
    open.filters(&MirrorScope::All).await.unwrap();
    assert_eq!(calls(&aws)["DescribeTrafficMirrorFilters"], 5);
}

#[tokio::test(start_paused = true)]
async fn a_read_that_began_before_a_write_ended_serves_nobody_else() {
    let (aws, recall) = recalled(1);
    let open = recall.open(&home()).await.unwrap();
    aws.delay(&home(), "DescribeTrafficMirrorFilters", Duration::from_millis(100));
    aws.delay(&home(), "CreateTrafficMirrorFilter", Duration::from_millis(150));
    let token = ClientToken("t".to_owned());
    let tags = Tags::new();
    let write = open.create_filter("d", &tags, &token);
    let (early, _) = tokio::join!(open.filters(&MirrorScope::All), write);
    assert_eq!(early.unwrap().len(), 0, "it was read before the filter was made");
    assert_eq!(open.filters(&MirrorScope::All).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn failures_are_not_remembered_and_balancers_are() {
    let (aws, recall) = recalled(1);
    let open = recall.open(&home()).await.unwrap();
    aws.fail_next("DescribeInstances", 1, ErrorKind::Unavailable);
    assert!(open.instances().await.is_err());
    assert!(open.instances().await.is_ok());
    let balancers = recall.balancers(&home()).await.unwrap();
    for _ in 0..3 {
        assert!(balancers.balancer(ARN).await.unwrap().is_some());
    }
    assert_eq!(calls(&aws)["DescribeLoadBalancers"], 1);
}

/// A data source, a refresh and a preflight read the same places; a plan that waited for a silence in each would take minutes.
#[tokio::test(start_paused = true)]
async fn a_silence_is_waited_for_once_until_somebody_writes_or_time_passes() {
    let (aws, recall) = recalled(1);
    let (away, given_up) = (crate::kit::place("222222222222/us-east-1"), Duration::from_secs(51));
    aws.add_place(&away);
    aws.silence(&away, given_up);
    let places = BTreeSet::from([home(), away.clone()]);
    let mirroring = Scope::Mirroring { interfaces: BTreeMap::new() };
    let look = async |scope: &Scope| {
        let began = Instant::now();
        let seen = observe(recall.as_ref(), &places, scope).await;
        assert_eq!(seen.unread.keys().collect::<Vec<_>>(), [&away]);
        assert!(seen.unread[&away].contains("222222222222/us-east-1"), "{:?}", seen.unread);
        began.elapsed()
    };
    assert_eq!(look(&Scope::Discovery).await, given_up);
    for scope in [&mirroring, &Scope::Discovery, &mirroring] {
        assert_eq!(look(scope).await, Duration::ZERO);
    }
    tokio::time::sleep(KEPT).await;
    assert_eq!(look(&mirroring).await, given_up);
    recall.forget();
    assert_eq!(look(&mirroring).await, given_up);
    aws.heal();
    recall.forget();
    assert_eq!(observe(recall.as_ref(), &places, &mirroring).await.unread, BTreeMap::new());
}

/// The goal of a plan over a company: at most 350 reads for fifty accounts, whoever asks how often.
#[tokio::test(start_paused = true)]
async fn fifty_accounts_take_six_reads_each_and_one_for_shares() {
    let (aws, recall) = recalled(1);
    let mut places = BTreeSet::from([home()]);
    for number in 1..50_u64 {
        let account = format!("{}/us-east-1", 222_222_222_000 + number);
        let place = crate::kit::place(&account);
        aws.launch(&place, "m5.large", &Tags::new());
        places.insert(place);
    }
    for scope in [
        Scope::Discovery,
        Scope::Mirroring { interfaces: BTreeMap::new() },
        Scope::Discovery,
        Scope::Mirroring { interfaces: BTreeMap::new() },
    ] {
        let seen = observe(recall.as_ref(), &places, &scope).await;
        assert_eq!(seen.places.len(), 50);
    }
    assert_eq!(aws.journal().len(), 50 * 6 + 1);
}
