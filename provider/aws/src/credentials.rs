//! Credentials of one account: loaded once for all that need them, renewed before they end or when AWS says that they have, and
//! failing once for all.
//!
//! The SDK caches what loads, but not what fails: with a broken role every call of every place of the account would ask STS
//! again, with back-off, and a person would read one error per call. Knows nothing of accounts, nor of what needs the
//! credentials.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use enigma_reconcile::ports::AwsError;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::errors;

/// Credentials are renewed this long before they end: a call signed just before the end must still arrive in time, after its
/// retries. AWS refuses requests whose token has ended, not those that were merely signed before. A third of the shortest
/// session that AWS gives (15 minutes), so that the shortest are not renewed all the time.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);
/// How long loading credentials may take. The SDK's 5 s is too short for a role assumed through a role over a slow link.
const LOAD_CREDENTIALS: Duration = Duration::from_secs(30);
/// How long a failure answers for those that ask next. All places of an account ask within seconds of each other; after this time
/// somebody may have mended the role, and a program that runs on finds out.
const FAILURE_STANDS: Duration = Duration::from_secs(30);

/// Loads, remembers and renews. Clones share what they remember.
#[derive(Clone, Debug)]
pub(crate) struct Remembered(Arc<Account>);

#[derive(Debug)]
struct Account {
    source: SharedCredentialsProvider,
    /// Held while loading, so that whoever comes meanwhile waits for the one load instead of starting another.
    last: Mutex<Option<Last>>,
}

#[derive(Debug)]
enum Last {
    /// What serves, and when it was tried in vain to renew it.
    Loaded(Credentials, Option<Instant>),
    /// What went wrong and when.
    Failed(NotLoaded, Instant),
}

/// Why credentials could not be loaded: the SDK's errors cannot be cloned, and bury STS's words in their own.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{message} ({code})")]
pub(crate) struct NotLoaded {
    /// STS's code, or a word of ours in parentheses.
    pub(crate) code: String,
    /// STS's message, or what prevented the call.
    pub(crate) message: String,
}

impl NotLoaded {
    /// What an error of a provider comes down to, remembered or fresh.
    pub(crate) fn of(error: &CredentialsError) -> Self {
        for source in errors::sources(error) {
            if let Some(known) = source.downcast_ref::<Self>() {
                return known.clone();
            }
            if let Some(refused) = source.downcast_ref::<AssumeRoleError>()
                && let (Some(code), Some(message)) = (refused.code(), refused.message())
            {
                return Self { code: code.to_owned(), message: message.to_owned() };
            }
        }
        Self { code: "(no credentials)".to_owned(), message: errors::chain(error) }
    }
}

impl Remembered {
    pub(crate) fn new(source: SharedCredentialsProvider) -> Self {
        Self(Arc::new(Account { source, last: Mutex::new(None) }))
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let mut last = self.0.last.lock().await;
        match &*last {
            Some(Last::Loaded(known, _)) if is_fresh(known.expiry(), SystemTime::now()) => {
                return Ok(known.clone());
            }
            // While STS does not answer, not every call should wait for it to say so.
            Some(Last::Loaded(known, Some(failed)))
                if failed.elapsed() < FAILURE_STANDS && is_valid(known, SystemTime::now()) =>
            {
                return Ok(known.clone());
            }
            Some(Last::Failed(why, at)) if at.elapsed() < FAILURE_STANDS => {
                return Err(CredentialsError::provider_error(why.clone()));
            }
            _ => {}
        }
        let loading = tokio::time::timeout(LOAD_CREDENTIALS, self.0.source.provide_credentials());
        let loaded =
            loading.await.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(LOAD_CREDENTIALS)));
        match loaded {
            Ok(loaded) => {
                *last = Some(Last::Loaded(loaded.clone(), None));
                Ok(loaded)
            }
            Err(error) => {
                // What is still valid goes on serving: STS may be back before it ends.
                if let Some(Last::Loaded(known, failed)) = &mut *last
                    && is_valid(known, SystemTime::now())
                {
                    *failed = Some(Instant::now());
                    tracing::warn!(%error, "credentials could not be renewed; the old ones are used until they end");
                    return Ok(known.clone());
                }
                let why = NotLoaded::of(&error);
                *last = Some(Last::Failed(why.clone(), Instant::now()));
                Err(CredentialsError::provider_error(why))
            }
        }
    }

    /// Carries out a call, and once more where AWS says that the credentials it was signed with have ended: a role's
    /// sessions end before their time when somebody revokes them or makes the role anew. Many calls hear of it at
    /// once, and one AssumeRole serves them all.
    ///
    /// A call that was refused so has had no effect; of several within one `call` those before it had theirs, so
    /// `call` must be one that can be repeated, as all of the ports' are.
    pub(crate) async fn renewing<T, F>(&self, call: impl Fn() -> F) -> Result<T, AwsError>
    where
        F: Future<Output = Result<T, AwsError>>,
    {
        let signed_with = match self.credentials().await {
            Ok(known) => known.access_key_id().to_owned(),
            // The call says why.
            Err(_) => return call().await,
        };
        match call().await {
            Err(error) if errors::have_ended(&error) && self.replace(&signed_with).await => {
                tracing::info!(%error, "credentials ended before their time; the call is made again with new ones");
                call().await
            }
            other => other,
        }
    }

    /// Forgets these credentials, so that whoever needs some next loads new ones; not those that replaced them
    /// already. Says whether there can be others: keys without a token are a person's, and no new ones come for the
    /// asking.
    async fn replace(&self, ended: &str) -> bool {
        let mut last = self.0.last.lock().await;
        let (is_lasting, is_ended) = match &*last {
            Some(Last::Loaded(known, _)) => (known.session_token().is_none(), known.access_key_id() == ended),
            _ => (false, false),
        };
        if is_ended && !is_lasting {
            *last = None;
        }
        !is_lasting
    }
}

/// Credentials without an end, such as static keys, always are.
fn is_fresh(end: Option<SystemTime>, now: SystemTime) -> bool {
    end.is_none_or(|end| end > now + RENEW_BEFORE)
}

/// Whether AWS still takes credentials that had to be renewed.
fn is_valid(known: &Credentials, now: SystemTime) -> bool {
    known.expiry().is_some_and(|end| end > now)
}

impl ProvideCredentials for Remembered {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

#[cfg(test)]
mod tests;
