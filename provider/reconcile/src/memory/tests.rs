//! The faults and the time of the memory AWS. What each call answers is proved against the simulator by the contract suite.

use std::time::Duration;

use super::*;
use crate::kit::{ARN, aws, aws_with, home};
use crate::ports::{ClientToken, MirrorScope};
use enigma_fleet::calls::{MUTATING, TAGGING};
use enigma_fleet::inventory::Destination;

fn token(text: &str) -> ClientToken {
    ClientToken(text.to_owned())
}

async fn make_filter(aws: &MemoryAws, text: &str) -> Result<String, ErrorKind> {
    let open = aws.open(&home()).await.unwrap();
    open.create_filter("d", &Tags::new(), &token(text)).await.map(|id| id.to_string()).map_err(|e| e.kind)
}

#[tokio::test(start_paused = true)]
async fn a_killed_caller_stays_dead_until_healed() {
    for (when, left_behind) in [(When::Before, 1), (When::After, 2)] {
        let aws = aws();
        aws.kill_at(1, when);
        assert!(make_filter(&aws, "a").await.is_ok());
        assert_eq!(make_filter(&aws, "b").await, Err(ErrorKind::NoReply));
        assert_eq!(make_filter(&aws, "c").await, Err(ErrorKind::NoReply));
        assert_eq!(aws.contents(&home()).filters.len(), left_behind, "{when:?}");
        let took_effect: Vec<bool> = aws.journal().iter().map(|call| call.took_effect).collect();
        assert_eq!(took_effect, [true, when == When::After, false]);
        aws.heal();
        assert!(make_filter(&aws, "c").await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn calls_fail_as_often_as_asked_and_without_effect() {
    let aws = aws();
    aws.fail_next("CreateTrafficMirrorFilter", 2, ErrorKind::Unavailable);
    assert_eq!(make_filter(&aws, "a").await, Err(ErrorKind::Unavailable));
    assert_eq!(make_filter(&aws, "a").await, Err(ErrorKind::Unavailable));
    assert_eq!(aws.contents(&home()).filters.len(), 0);
    assert!(make_filter(&aws, "a").await.is_ok());
    aws.fail_every("CreateTrafficMirrorFilter", 3, ErrorKind::Quota);
    let mut failed = Vec::new();
    for number in 0..9 {
        failed.push(make_filter(&aws, &format!("n{number}")).await.is_err());
    }
    assert_eq!(failed, [false, false, true, false, false, true, false, false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_has_its_effect_and_the_token_finds_it() {
    let aws = aws();
    aws.lose_replies("CreateTrafficMirrorFilter", 1);
    assert_eq!(make_filter(&aws, "a").await, Err(ErrorKind::NoReply));
    let made = aws.contents(&home()).filters[0].id.to_string();
    assert_eq!(make_filter(&aws, "a").await, Ok(made));
    assert_eq!(aws.contents(&home()).filters.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn reads_show_the_past_for_as_long_as_asked() {
    let aws = aws();
    let past = aws.freeze();
    make_filter(&aws, "a").await.unwrap();
    aws.show(&past, 2);
    let open = aws.open(&home()).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(open.filters(&MirrorScope::All).await.unwrap().len());
    }
    assert_eq!(seen, [0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_buckets_are_those_of_aws() {
    let aws = aws();
    aws.throttle(MUTATING.into(), TAGGING.into());
    let mut accepted = 0;
    while make_filter(&aws, &format!("{accepted}")).await.is_ok() {
        accepted += 1;
    }
    assert_eq!(accepted, 50);
    assert_eq!(make_filter(&aws, "x").await, Err(ErrorKind::Throttled));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(make_filter(&aws, "x").await.is_ok());
    assert!(make_filter(&aws, "y").await.is_ok());
    assert_eq!(make_filter(&aws, "z").await, Err(ErrorKind::Throttled));
    // Another action has a bucket of its own.
    let open = aws.open(&home()).await.unwrap();
    let destination = Destination::NetworkLoadBalancer(ARN.to_owned());
    assert!(open.create_target(&destination, "", &Tags::new(), &token("t")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_stopped_instance_is_no_source_for_a_new_session() {
    let (aws, interfaces) = aws_with(1);
    let instance = aws.contents(&home()).instances[0].id.clone();
    aws.set_instance_state(&home(), &instance, "stopped");
    let plan = crate::kit::whole(&interfaces);
    let options = crate::execute::Options::new(1, Arc::default());
    let cloud = Arc::new(aws.clone());
    let outcomes =
        crate::execute::execute(&plan, cloud, &options, &tokio_util::sync::CancellationToken::new()).await;
    let refused = |step: &crate::outcome::Step| matches!(&step.outcome, crate::outcome::Outcome::Failed(e) if e.kind == ErrorKind::SourceUnsupported);
    assert_eq!(outcomes.steps.iter().filter(|step| refused(step)).count(), 1);
    assert_eq!(aws.contents(&home()).sessions.len(), 0);
}
