//! The arithmetic of one bucket against a model of AWS's, and the waiting.

use proptest::prelude::*;

use super::*;

fn level(now: Instant) -> Level {
    let full = Bucket { burst: 45.0, per_second: 4.9 };
    Level { full, tokens: 45.0, share: 1.0, at: now }
}

#[test]
fn a_burst_goes_at_once_and_then_one_at_a_time() {
    let now = Instant::now();
    let mut level = level(now);
    assert!((0..45).all(|_| level.take(now).is_none()));
    let wait = level.take(now).unwrap();
    assert!(wait > Duration::from_millis(200) && wait < Duration::from_millis(210), "{wait:?}");
    assert!(level.take(now + wait).is_none());
    assert!(level.take(now + wait).is_some());
}

#[test]
fn throttling_empties_and_halves_once_per_cause_and_success_recovers() {
    let now = Instant::now();
    let mut level = level(now);
    level.throttled(now);
    assert!(level.take(now).is_some());
    // Fifteen more calls of the same moment come back throttled, too.
    for _ in 0..15 {
        level.throttled(now);
    }
    assert!((level.share - 0.5).abs() < 1e-9, "{}", level.share);
    level.throttled(now + Duration::from_secs(2));
    assert!((level.share - 0.25).abs() < 1e-9, "{}", level.share);
    for second in 2..100 {
        level.throttled(now + Duration::from_secs(2 * second));
    }
    assert!(level.share >= SLOWEST);
    for _ in 0..50 {
        level.accepted();
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
        let mut ours = Level {
            full: Bucket {
                burst: AWS_MUTATING.burst * SHARE_OF_BURST,
                per_second: AWS_MUTATING.per_second * SHARE_OF_RATE,
            },
            tokens: AWS_MUTATING.burst * SHARE_OF_BURST,
            share: 1.0,
            at: now,
        };
        let (mut theirs, mut at) = (AWS_MUTATING.burst, now);
        for gap in gaps {
            now += Duration::from_millis(gap);
            // Come in groups of ten, each waiting its turn.
            for _ in 0..10 {
                while let Some(wait) = ours.take(now) {
                    now += wait;
                }
                theirs = (theirs + (now - at).as_secs_f64() * AWS_MUTATING.per_second).min(AWS_MUTATING.burst);
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
