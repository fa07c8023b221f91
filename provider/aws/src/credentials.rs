//! Credentials of one account: loaded once for all that need them, renewed before they end, and failing once for all.
//!
//! The SDK caches what loads, but not what fails: with a broken role every call of every place of the account would ask STS
//! again, with back-off, and a person would read one error per call. Knows nothing of accounts, nor of what needs the credentials.

use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use thiserror::Error;
use tokio::sync::Mutex;

use crate::errors;

/// Credentials are renewed this long before they end: a call signed just before the end must still arrive in time, after its
/// retries. AWS refuses requests whose token has ended, not those that were merely signed before. A third of the shortest
/// session that AWS gives (15 minutes), so that the shortest are not renewed all the time.
const RENEW_BEFORE: Duration = Duration::from_secs(5 * 60);
/// How long loading credentials may take. The SDK's 5 s is too short for a role assumed through a role over a slow link.
pub(crate) const LOAD_CREDENTIALS: Duration = Duration::from_secs(30);
/// How long a failure answers for those that ask next. All places of an account ask within seconds of each other; after this time
/// somebody may have mended the role, and a program that runs on finds out.
const FAILURE_STANDS: Duration = Duration::from_secs(30);

/// Loads, remembers and renews.
#[derive(Debug)]
pub(crate) struct Remembered {
    source: SharedCredentialsProvider,
    /// Held while loading, so that whoever comes meanwhile waits for the one load instead of starting another.
    last: Mutex<Option<Last>>,
}

#[derive(Debug)]
enum Last {
    Loaded(Credentials),
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
        Self { source, last: Mutex::new(None) }
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let mut last = self.last.lock().await;
        match &*last {
            Some(Last::Loaded(known)) if is_fresh(known.expiry(), SystemTime::now()) => {
                return Ok(known.clone());
            }
            Some(Last::Failed(why, at)) if at.elapsed() < FAILURE_STANDS => {
                return Err(CredentialsError::provider_error(why.clone()));
            }
            _ => {}
        }
        let loading = tokio::time::timeout(LOAD_CREDENTIALS, self.source.provide_credentials());
        let loaded =
            loading.await.unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(LOAD_CREDENTIALS)));
        match loaded {
            Ok(loaded) => {
                *last = Some(Last::Loaded(loaded.clone()));
                Ok(loaded)
            }
            Err(error) => {
                // What is still valid goes on serving: STS may be back before it ends.
                if let Some(Last::Loaded(known)) = &*last
                    && known.expiry().is_some_and(|end| end > SystemTime::now())
                {
                    tracing::warn!(%error, "credentials could not be renewed; the old ones are used until they end");
                    return Ok(known.clone());
                }
                let why = NotLoaded::of(&error);
                *last = Some(Last::Failed(why.clone(), Instant::now()));
                Err(CredentialsError::provider_error(why))
            }
        }
    }
}

/// Credentials without an end, such as static keys, always are.
fn is_fresh(end: Option<SystemTime>, now: SystemTime) -> bool {
    end.is_none_or(|end| end > now + RENEW_BEFORE)
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
