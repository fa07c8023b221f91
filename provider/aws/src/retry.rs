//! What one call is allowed to take: tries, back-off and time.
//!
//! Reads are retried here in every case. A write is tried once: the executor repeats it, because it paces all writes of a place
//! with one bucket and must learn that it is too fast, and because a person who presses Ctrl-C waits for the try that
//! is under way and for no other. How long a refusal is borne is a person's to configure; silence ends within a
//! minute.

use std::time::Duration;

use aws_sdk_ec2::config::retry::RetryPartition;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextMut,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use enigma_fleet::ids::Place;
use thiserror::Error;
use tokio::time::Instant;

use crate::config::{AwsConfig, RetryMode};
use crate::errors::chain;

/// Attempts the SDK makes when nobody says anything.
const SDK_DEFAULT_ATTEMPTS: u32 = 3;
/// hashicorp/aws's documented default of `max_retries`: with the SDK's back-off (capped at 20 s) it rides out several minutes of
/// throttled reads in a busy account.
const DEFAULT_RETRIES: u32 = 25;

/// The retry settings: what the configuration says, else what the environment or profile said (`resolved`), else
/// [`DEFAULT_RETRIES`]. Whoever wants exactly the SDK's three attempts writes `max_retries = 2`.
pub(crate) fn retry_config(config: &AwsConfig, resolved: Option<&RetryConfig>) -> RetryConfig {
    let base = resolved.cloned().unwrap_or_else(RetryConfig::standard);
    let attempts = match config.max_retries {
        Some(retries) => retries.saturating_add(1),
        None if base.max_attempts() == SDK_DEFAULT_ATTEMPTS => DEFAULT_RETRIES + 1,
        None => base.max_attempts(),
    };
    let base = match config.retry_mode {
        Some(RetryMode::Standard) => base.with_retry_mode(aws_smithy_types::retry::RetryMode::Standard),
        Some(RetryMode::Adaptive) => base.with_retry_mode(aws_smithy_types::retry::RetryMode::Adaptive),
        None => base,
    };
    base.with_max_attempts(attempts)
}

/// How often in a row anything is tried that gets no reply at all. An endpoint that nobody resolves, or where nothing
/// listens, is as silent the tenth time as the third; with the back-off between them, 15 s at most, five tries
/// outlast a router that restarts a connection. hashicorp/aws stops such calls early, too.
const SILENT_TRIES: u32 = 5;
/// After how long no further try is made for such silence. What a firewall swallows costs each try its whole limit
/// ([`READ`]), so that the second is the last one then: a plan waits 51 s for such a place and not five minutes.
/// Where no connection comes about ([`CONNECT`]) all five fit in.
const SILENCE: Duration = Duration::from_secs(45);
/// For a connection. A TCP and TLS handshake to the other side of the world takes well under a second; 5 s allows for
/// lost packets.
const CONNECT: Duration = Duration::from_secs(5);
/// For the first byte of a reply to a read. A page of 1,000 interfaces may take several seconds in a loaded account;
/// this is several times that.
const READ: Duration = Duration::from_secs(25);
/// For a whole reply to a read: a page of 1,000 instances is a few megabytes, which a line of 1 Mbit/s brings in half
/// of this. A body that stops coming is given up earlier, by the SDK's protection against stalled streams.
const WHOLE: Duration = Duration::from_secs(60);
/// For a whole write.
const WRITE: Duration = Duration::from_secs(30);

/// Writes: what goes wrong goes to the executor.
pub(crate) fn once() -> RetryConfig {
    RetryConfig::disabled()
}

/// Time limits of one try of a write: all are small and take a second or two, and nobody who presses Ctrl-C should
/// wait longer than half a minute for a reply that does not come. The effect of one that came late is found by its
/// client token.
pub(crate) fn write_timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(WRITE)
        .operation_attempt_timeout(WRITE)
        .build()
}

/// Time limits of one try of a read. There is none over all tries: who is answered waits as long as was configured,
/// and silence is given up.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .read_timeout(READ)
        .operation_attempt_timeout(WHOLE)
        .build()
}

/// What the retries of one service in one place draw on. By default the SDK shares it among all accounts of a Region:
/// one that is throttled or silent would use up the tries of the others, and slow them down in adaptive mode.
pub(crate) fn partition(service: &str, place: &Place) -> RetryPartition {
    RetryPartition::new(format!("{service} in {place}"))
}

/// Stops trying where nobody answers. Replies that say no, throttling among them, are tried again as often as
/// configured, and end a silence.
///
/// An interceptor, since the SDK lets nobody else see each try; what it puts in the place of a silence is no error that the SDK
/// tries again.
#[derive(Debug)]
pub(crate) struct GivesUpOnSilence;

/// So often in a row a call was made without a reply, and how long that took; with what happened the last time.
#[derive(Debug, Error)]
#[error("no reply came in {tries} tries within {} s: {last}", waited.as_secs())]
pub(crate) struct Silent {
    tries: u32,
    waited: Duration,
    last: String,
}

/// When the present try of a call began, and the tries without a reply that came right before it.
#[derive(Clone, Debug)]
struct Tries {
    began: Instant,
    silent: u32,
    silent_since: Option<Instant>,
}

impl Storable for Tries {
    type Storer = StoreReplace<Self>;
}

impl Intercept for GivesUpOnSilence {
    fn name(&self) -> &'static str {
        "GivesUpOnSilence"
    }

    fn read_before_attempt(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let (silent, silent_since) =
            bag.load::<Tries>().map_or((0, None), |tries| (tries.silent, tries.silent_since));
        bag.interceptor_state().store_put(Tries { began: Instant::now(), silent, silent_since });
        Ok(())
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(before) = bag.load::<Tries>().cloned() else { return Ok(()) };
        let error = match context.output_or_error() {
            Some(Err(error)) if error.is_connector_error() || error.is_timeout_error() => error,
            _ => {
                bag.interceptor_state().store_put(Tries { silent: 0, silent_since: None, ..before });
                return Ok(());
            }
        };
        let (tries, since) = (before.silent + 1, before.silent_since.unwrap_or(before.began));
        let waited = since.elapsed();
        if tries >= SILENT_TRIES || waited >= SILENCE {
            let last = error
                .as_connector_error()
                .map_or_else(|| "it took too long".to_owned(), |error| chain(error));
            return Err(Silent { tries, waited, last }.into());
        }
        bag.interceptor_state().store_put(Tries { silent: tries, silent_since: Some(since), ..before });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_share_no_tries() {
        let place = |text: &str| {
            let (account, region) = text.split_once('/').unwrap();
            Place { account: account.parse().unwrap(), region: region.parse().unwrap() }
        };
        let one = partition("ec2", &place("111111111111/us-east-1"));
        assert_eq!(one, partition("ec2", &place("111111111111/us-east-1")));
        for other in ["222222222222/us-east-1", "111111111111/eu-west-1"] {
            assert_ne!(one, partition("ec2", &place(other)));
        }
    }
}
