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
            let token = Some("token".to_owned());
            Ok(Credentials::new(format!("AKIA{number}"), "secret", token, Some(end), "test"))
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

/// Lives once, and fails from then on.
#[derive(Clone, Debug)]
struct Fading(Arc<AtomicUsize>);

impl ProvideCredentials for Fading {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        let end = SystemTime::now() + RENEW_BEFORE - Duration::from_secs(1);
        future::ProvideCredentials::ready(match number {
            0 => Ok(Credentials::new("AKIA0", "secret", Some("token".to_owned()), Some(end), "test")),
            _ => Err(CredentialsError::provider_error("STS does not answer")),
        })
    }
}

#[tokio::test]
async fn a_renewal_that_fails_is_tried_once_for_all_that_ask_in_time() {
    let asked = Arc::new(AtomicUsize::new(0));
    let credentials = Remembered::new(SharedCredentialsProvider::new(Fading(Arc::clone(&asked))));
    for _ in 0..50 {
        assert_eq!(credentials.provide_credentials().await.unwrap().access_key_id(), "AKIA0");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2, "what is still valid serves while STS is away");
}

fn ended(code: &str) -> AwsError {
    let kind = enigma_reconcile::ports::ErrorKind::Credentials;
    errors::local(None, "DescribeTrafficMirrorSessions", kind, code, "over".to_owned())
}

/// The key that a call was signed with, or AWS's word that those up to `last` have ended.
async fn call(credentials: &Remembered, last: &str) -> Result<String, AwsError> {
    let key = credentials.provide_credentials().await.unwrap().access_key_id().to_owned();
    tokio::task::yield_now().await;
    if key.as_str() <= last { Err(ended("ExpiredToken")) } else { Ok(key) }
}

#[tokio::test]
async fn what_ended_before_its_time_is_replaced_once_for_all_its_calls() {
    let (credentials, asked) = remembered(Ok(Duration::from_secs(3600)));
    let all =
        futures::future::join_all((0..50).map(|_| credentials.renewing(|| call(&credentials, "AKIA0"))));
    assert!(all.await.iter().all(|one| one.as_deref() == Ok("AKIA1")));
    assert_eq!(asked.load(Ordering::SeqCst), 2);

    // New ones that are refused too are an error, not a loop.
    let error = credentials.renewing(|| call(&credentials, "AKIA9")).await.unwrap_err();
    assert_eq!((error.code.as_str(), asked.load(Ordering::SeqCst)), ("ExpiredToken", 3));
}

#[tokio::test]
async fn other_refusals_replace_nothing() {
    let (credentials, asked) = remembered(Ok(Duration::from_secs(3600)));
    for code in ["AuthFailure", "SignatureDoesNotMatch", "UnauthorizedOperation"] {
        let refused = || async {
            credentials.provide_credentials().await.unwrap();
            Err::<(), _>(ended(code))
        };
        assert_eq!(credentials.renewing(refused).await.unwrap_err().code, code);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    for code in ["ExpiredToken", "RequestExpired", "InvalidClientTokenId", "ExpiredTokenException"] {
        assert!(errors::have_ended(&ended(code)), "{code}");
    }
}

#[tokio::test]
async fn keys_of_a_person_are_not_asked_for_again() {
    let keys = Credentials::new("AKIA", "secret", None, None, "test");
    let credentials = Remembered::new(SharedCredentialsProvider::new(keys));
    let calls = AtomicUsize::new(0);
    let refused = || async {
        credentials.provide_credentials().await.unwrap();
        calls.fetch_add(1, Ordering::SeqCst);
        Err::<(), _>(ended("InvalidClientTokenId"))
    };
    assert!(credentials.renewing(refused).await.is_err());
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn static_keys_never_end() {
    let now = SystemTime::now();
    assert!(is_fresh(None, now));
    assert!(!is_fresh(Some(now), now));
    assert!(is_fresh(Some(now + RENEW_BEFORE + Duration::from_secs(1)), now));
}
