//! Clients of AWS's APIs: what all of them share.
//!
//! Credentials and endpoints come from where the SDK always takes them: environment, profile, web identity, the
//! container's or the instance's role, `AWS_ENDPOINT_URL`. Proxies are those of the environment: `HTTPS_PROXY`,
//! `HTTP_PROXY`, `NO_PROXY`, also in lower case.

use std::error::Error;
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use limit::{Classify, Turns};

use credentials::RenewableCredentials;

pub mod balancers;
pub mod calls;
mod credentials;
mod http;
pub mod limit;
pub mod metadata;
pub mod renew;
mod whole;

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much a client puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often a call that is throttled, times out or fails on AWS's side is tried again, with jittered exponential
    /// backoff.
    pub retries: u32,
    /// How long one try of a call may take, waiting for its turn included.
    pub attempt_timeout: Duration,
}

/// Settings that all clients share.
pub async fn config(region: String, patience: Patience) -> SdkConfig {
    let Patience { retries, attempt_timeout } = patience;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT.min(attempt_timeout))
        .operation_attempt_timeout(attempt_timeout)
        .build();
    let region = Region::new(region);
    let http_client = http_client();
    aws_config::defaults(BehaviorVersion::latest())
        .region(region.clone())
        .retry_config(RetryConfig::standard().with_max_attempts(retries.saturating_add(1)))
        .timeout_config(timeouts)
        // The provider keeps credentials itself, as it has to forget those that AWS refuses.
        .identity_cache(IdentityCache::no_cache())
        .credentials_provider(RenewableCredentials::new(region, http_client.clone()))
        .http_client(http_client)
        .load()
        .await
}

/// An HTTP client of its own, for [`config`] or to be limited. It goes by the proxies of the environment, and tells which
/// credentials AWS refuses.
fn http_client() -> SharedHttpClient {
    renew::watched(http::by_proxy())
}

/// An HTTP client each of whose requests, retries included, waits for its turn, and may then take so long.
pub fn limited_http_client(turns: &Turns, classify: Classify, limit: Duration) -> SharedHttpClient {
    limit::limited(http_client(), turns.clone(), classify, limit)
}

/// A call that failed, also after its retries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{operation} failed: {message}")]
pub struct CallError {
    /// What was called, and for what: `ListResourceRecordSets of zone Z1`.
    pub operation: String,
    /// AWS's code, such as `AccessDenied`; `None` where there was no answer.
    pub code: Option<String>,
    /// The code and what AWS says, or why there was no answer.
    pub message: String,
    /// Whether the last try has certainly changed nothing: it was not sent, or AWS refused it (a status from 400 to
    /// 499). After another failure it may have been carried out.
    pub refused: bool,
}

impl CallError {
    /// What the SDK says of a call.
    pub fn of<E>(operation: String, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let code = error.code().map(str::to_owned);
        let message = match (&code, error.message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.clone(),
            (None, _) => chain(error),
        };
        let refused = match error {
            SdkError::ConstructionFailure(_) => true,
            SdkError::ServiceError(context) => context.raw().status().is_client_error(),
            _ => false,
        };
        Self { operation, code, message, refused }
    }

    /// Whether AWS has answered with one of these codes.
    pub fn is_any_of(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Whether there were too many calls.
    pub fn is_throttled(&self) -> bool {
        self.is_any_of(&[
            "Throttling",
            "ThrottlingException",
            "RequestLimitExceeded",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
        ])
    }

    /// Whether the IAM policy does not allow it.
    pub fn is_denied(&self) -> bool {
        self.is_any_of(&["AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "NotAuthorized"])
    }

    /// Whether trying again cannot help: what was asked for does not exist or is not allowed.
    pub fn is_final(&self) -> bool {
        self.is_any_of(&[
            "AccessDenied",
            "AccessDeniedException",
            "InvalidInput",
            "ValidationError",
            "NoSuchHostedZone",
        ])
    }
}

/// An error and its causes, each once.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests;
