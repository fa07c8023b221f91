//! What one call is allowed to take: tries, back-off and time.
//!
//! Reads are retried here in every case. A write of EC2 is tried once: the executor repeats it, because it paces all writes of a place
//! with one bucket and must learn that it is too fast, and because a person who presses Ctrl-C waits for the try that is under way and
//! for no other. Writes of RAM, a handful in a fleet's life, are repeated here a few times, with the token that RAM asks for; a
//! throttled one is given back at once, for the same bucket.

use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    FinalizerInterceptorContextMut, InterceptorContext,
};
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::retry::{ErrorKind, RetryConfig};
use aws_smithy_types::timeout::TimeoutConfig;

use thiserror::Error;

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

/// How often anything is tried that gets no reply at all. An endpoint that a firewall swallows, or that nobody resolves, is as silent the
/// tenth time as the third, and every plan would wait minutes for it; with the back-off between them five tries outlast a router
/// that restarts a connection. hashicorp/aws stops such calls early, too.
const SILENT_ATTEMPTS: u32 = 5;
/// How often a write of RAM is tried: the SDK's own default.
const RAM_ATTEMPTS: u32 = SDK_DEFAULT_ATTEMPTS;

/// Writes of EC2: what goes wrong goes to the executor.
pub(crate) fn once() -> RetryConfig {
    RetryConfig::disabled()
}

/// Writes of RAM, which nobody else repeats.
pub(crate) fn few(configured: Option<&RetryConfig>) -> RetryConfig {
    let base = configured.cloned().unwrap_or_else(RetryConfig::standard);
    let attempts = base.max_attempts().min(RAM_ATTEMPTS);
    base.with_max_attempts(attempts)
}

/// Time limits of one try of a write: all are small and take a second or two, and nobody who presses Ctrl-C should wait longer than
/// half a minute for a reply that does not come. The effect of one that came late is found by its client token.
pub(crate) fn write_timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(30))
        .operation_attempt_timeout(Duration::from_secs(30))
        .build()
}

/// Time limits of one try of a read. There is none over all tries: who reads drops what takes too long, and silence is given up.
pub(crate) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        // A TCP and TLS handshake to the other side of the world takes well under a second; 5 s allows for lost packets.
        .connect_timeout(Duration::from_secs(5))
        // The first byte of a page of 1,000 interfaces may take several seconds in a loaded account.
        .read_timeout(Duration::from_secs(60))
        // The whole reply: a page of 1,000 instances is a few megabytes.
        .operation_attempt_timeout(Duration::from_secs(120))
        .build()
}

/// Stops trying where nobody answers. Replies that say no, throttling among them, are tried again as often as configured.
///
/// An interceptor, since the SDK tells the number of a try to nobody else; what it puts in the place of a silence is no error that the SDK
/// tries again.
#[derive(Debug)]
pub(crate) struct GivesUpOnSilence;

/// So often a call was made without a reply; with what happened the last time.
#[derive(Debug, Error)]
#[error("no reply came in {SILENT_ATTEMPTS} tries: {0}")]
pub(crate) struct Silent(String);

impl Intercept for GivesUpOnSilence {
    fn name(&self) -> &'static str {
        "GivesUpOnSilence"
    }

    fn modify_before_attempt_completion(
        &self,
        context: &mut FinalizerInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let attempts = bag.load::<RequestAttempts>().map_or(0, RequestAttempts::attempts);
        match context.output_or_error() {
            Some(Err(error))
                if attempts >= SILENT_ATTEMPTS
                    && (error.is_connector_error() || error.is_timeout_error()) =>
            {
                let last = error
                    .as_connector_error()
                    .map_or_else(|| "it took too long".to_owned(), |error| chain(error));
                Err(Silent(last).into())
            }
            _ => Ok(()),
        }
    }
}

/// Hands throttled writes of RAM to the executor instead of trying again.
#[derive(Debug)]
pub(crate) struct SurfaceThrottling;

impl ClassifyRetry for SurfaceThrottling {
    fn classify_retry(&self, _ctx: &InterceptorContext) -> RetryAction {
        RetryAction::NoActionIndicated
    }

    fn classify_retry_v2(&self, _ctx: &InterceptorContext, previous: &RetryAction) -> RetryAction {
        match previous {
            // EC2 answers RequestLimitExceeded with status 503; the SDK's code classifier has called it throttling by now.
            RetryAction::RetryIndicated(RetryReason::RetryableError {
                kind: ErrorKind::ThrottlingError,
                ..
            }) => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "throttled writes go to the executor"
    }

    fn priority(&self) -> RetryClassifierPriority {
        // After all of the SDK's own, whose verdict it overrides.
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}
