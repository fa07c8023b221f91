//! The arithmetic of one bucket against a model of AWS's, and the waiting.

use proptest::prelude::*;

use enigma_fleet::calls::MUTATING;

use super::*;

fn level(now: Instant) -> Level {
    Level::new(Bucket { burst: 45.0, per_second: 4.9 }, now)
}

#[test]
fn a_burst_goes_at_once_and_then_one_at_a_time() {
    let now = Instant::now();
    let mut level = level(now);
    assert!((0..45).all(|_| level.take(now).is_ok()));
    let wait = level.take(now).unwrap_err();
    assert!(wait > Duration::from_millis(200) && wait < Duration::from_millis(210), "{wait:?}");
    assert!(level.take(now + wait).is_ok());
    assert!(level.take(now + wait).is_err());
}

/// Sixteen calls of one moment come back over some milliseconds, most of them throttled and a few not.
#[test]
fn throttling_halves_once_per_cause_however_its_replies_are_spread() {
    let now = Instant::now();
    let mut level = level(now);
    let tokens: Vec<Token> = (0..16).map(|_| level.take(now).unwrap()).collect();
    for (index, token) in tokens.iter().enumerate() {
        let later = now + Duration::from_millis(7 * index as u64);
        if index % 5 == 4 { level.accepted(token) } else { level.throttled(token, later) }
    }
    assert!((level.share - 0.5).abs() < 1e-9, "{}", level.share);
    assert!(level.take(now + Duration::from_millis(120)).is_err(), "the bucket was emptied");
}

#[test]
fn throttling_at_the_halved_rate_halves_again_and_success_recovers() {
    let mut now = Instant::now();
    let mut level = level(now);
    let next = |level: &mut Level, now: &mut Instant| loop {
        match level.take(*now) {
            Ok(token) => return token,
            Err(wait) => *now += wait,
        }
    };
    for expected in [0.5, 0.25, 0.125, SLOWEST, SLOWEST] {
        let token = next(&mut level, &mut now);
        level.throttled(&token, now);
        assert!((level.share - expected).abs() < 1e-9, "{}", level.share);
    }
    for _ in 0..50 {
        let token = next(&mut level, &mut now);
        level.accepted(&token);
    }
    assert!((level.share - 1.0).abs() < 1e-9, "{}", level.share);
}

#[tokio::test(start_paused = true)]
async fn a_waiter_that_gives_up_takes_no_token() {
    let paced = Paced::new(Bucket { burst: 1.0 / SHARE_OF_BURST, per_second: 1.0 }, Instant::now());
    paced.acquire().await;
    assert!(tokio::time::timeout(Duration::from_millis(100), paced.acquire()).await.is_err());
    let began = Instant::now();
    paced.acquire().await;
    assert!(began.elapsed() < Duration::from_millis(1000), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn places_and_actions_have_buckets_of_their_own() {
    let pacer = Pacer::new();
    let place = |text: &str| crate::kit::place(text);
    let first = pacer.bucket(&place("111111111111/us-east-1"), "CreateTrafficMirrorSession");
    assert!(Arc::ptr_eq(
        &first,
        &pacer.bucket(&place("111111111111/us-east-1"), "CreateTrafficMirrorSession")
    ));
    assert!(!Arc::ptr_eq(
        &first,
        &pacer.bucket(&place("111111111111/us-east-2"), "CreateTrafficMirrorSession")
    ));
    assert!(!Arc::ptr_eq(
        &first,
        &pacer.bucket(&place("111111111111/us-east-1"), "DeleteTrafficMirrorSession")
    ));
    let tags = pacer.bucket(&place("111111111111/us-east-1"), "CreateTags");
    assert!((tags.lock().full.burst - 90.0).abs() < 1e-9);
}

proptest! {
    /// Whenever callers come, a bucket of AWS's size that sees each call at once never runs dry.
    #[test]
    fn we_never_ask_more_than_aws_gives(gaps in prop::collection::vec(0_u64..3000, 1..300)) {
        let mut now = Instant::now();
        let aws = Bucket::from(MUTATING);
        let full =
            Bucket { burst: aws.burst * SHARE_OF_BURST, per_second: aws.per_second * SHARE_OF_RATE };
        let mut ours = Level::new(full, now);
        let (mut theirs, mut at) = (aws.burst, now);
        for gap in gaps {
            now += Duration::from_millis(gap);
            // Come in groups of ten, each waiting its turn.
            for _ in 0..10 {
                while let Err(wait) = ours.take(now) {
                    now += wait;
                }
                theirs = (theirs + (now - at).as_secs_f64() * aws.per_second).min(aws.burst);
                at = now;
                prop_assert!(theirs >= 1.0, "throttled with {theirs} tokens");
                theirs -= 1.0;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn all_writes_of_ram_share_one_bucket() {
    let pacer = Pacer::new();
    let place = crate::kit::home();
    let writes =
        ["CreateResourceShare", "AssociateResourceShare", "AcceptResourceShareInvitation", "TagResource"];
    let start = Instant::now();
    for number in 0..13 {
        pacer.bucket(&place, writes[number % writes.len()]).acquire().await;
    }
    // Nine at once, then a little less than two a second.
    let waited = start.elapsed().as_secs_f64();
    assert!((2.0..2.2).contains(&waited), "{waited}");
}
