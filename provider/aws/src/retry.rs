//! What one call is allowed to take: tries, back-off and time.
//!
//! Reads are retried here in every case. Writes are retried here after lost connections and server-side failures, which is safe
//! because creates carry a client token and deletes and modifies can be repeated; but a *throttled* write is given back at once:
//! the executor paces all writes of a place with one bucket and must learn that it is too fast, and a retry inside a retry
//! would multiply the load at the worst moment.

use std::time::Duration;

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{
    ClassifyRetry, RetryAction, RetryClassifierPriority, RetryReason,
};
use aws_smithy_types::retry::{ErrorKind, RetryConfig};
use aws_smithy_types::timeout::TimeoutConfig;

use crate::config::{AwsConfig, RetryMode};

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

/// Time limits of one call. Each attempt has its own; there is no limit over all attempts, since the caller cancels between
/// calls and a call cut in half is worse than a slow one.
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

/// Hands throttled writes to the executor instead of trying again.
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
