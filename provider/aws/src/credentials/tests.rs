//! Loaded once, renewed in time, failing once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// Gives credentials that live so long, or fails; counts how often it was asked.
#[derive(Clone, Debug)]
struct Source {
    asked: Arc<AtomicUsize>,
    lives: Result<Duration, &'static str>,
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        future::ProvideCredentials::new(async move {
            // Others get their turn while this one loads.
            tokio::task::yield_now().await;
            let lives = self.lives.map_err(CredentialsError::provider_error)?;
            let end = SystemTime::now() + lives;
            Ok(Credentials::new(format!("AKIA{number}"), "secret", None, Some(end), "test"))
        })
    }
}

fn remembered(lives: Result<Duration, &'static str>) -> (Remembered, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let source = Source { asked: Arc::clone(&asked), lives };
    (Remembered::new(SharedCredentialsProvider::new(source)), asked)
}

#[tokio::test]
async fn many_callers_share_one_load() {
    let (credentials, asked) = remembered(Ok(Duration::from_secs(3600)));
    let all = futures::future::join_all((0..50).map(|_| credentials.provide_credentials())).await;
    assert!(all.iter().all(|one| one.as_ref().unwrap().access_key_id() == "AKIA0"));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_ends_soon_is_renewed() {
    let (credentials, asked) = remembered(Ok(RENEW_BEFORE - Duration::from_secs(1)));
    assert_eq!(credentials.provide_credentials().await.unwrap().access_key_id(), "AKIA0");
    assert_eq!(credentials.provide_credentials().await.unwrap().access_key_id(), "AKIA1");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_failure_is_one_for_all_that_ask_in_time() {
    let (credentials, asked) = remembered(Err("no such role"));
    for _ in 0..50 {
        let error = NotLoaded::of(&credentials.provide_credentials().await.unwrap_err());
        assert!(error.message.contains("no such role"), "{error:?}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn static_keys_never_end() {
    let now = SystemTime::now();
    assert!(is_fresh(None, now));
    assert!(!is_fresh(Some(now), now));
    assert!(is_fresh(Some(now + RENEW_BEFORE + Duration::from_secs(1)), now));
}
