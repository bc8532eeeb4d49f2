//! Credentials that AWS refuses, although they should still be good: they were revoked, or a clock is wrong.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

/// Codes by which AWS says that it does not take the credentials (any more).
const REFUSALS: &[&str] = &[
    "ExpiredToken",
    "ExpiredTokenException",
    "TokenRefreshRequired",
    "InvalidToken",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
    "AuthFailure",
];

/// More than a process has credentials at a time.
const MOST: usize = 64;

/// Ids of the access keys that were refused last. One for the process, as it is about AWS's view of a key, whoever uses it: the
/// clients of all services learn from each other, and credentials need not know whose clients they are for.
static REFUSED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn refused() -> MutexGuard<'static, BTreeSet<String>> {
    REFUSED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether AWS has refused that access key, and not taken it since.
pub(super) fn is_refused(access_key_id: &str) -> bool {
    refused().contains(access_key_id)
}

fn told(access_key_id: &str, is_refused: bool) {
    let mut refused = refused();
    if !is_refused {
        refused.remove(access_key_id);
    } else if refused.len() < MOST || refused.pop_first().is_some() {
        refused.insert(access_key_id.to_owned());
    }
}

/// The client; what its answers say of credentials is noted.
pub(super) fn watched(client: SharedHttpClient) -> SharedHttpClient {
    http_client_fn(move |settings: &HttpConnectorSettings, components: &RuntimeComponents| {
        SharedHttpConnector::new(Watched(client.http_connector(settings, components)))
    })
}

#[derive(Debug)]
struct Watched(SharedHttpConnector);

impl HttpConnector for Watched {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let key = request.headers().get("authorization").and_then(access_key_id).map(str::to_owned);
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            match key {
                Some(key) if answer.status().is_success() => told(&key, false),
                Some(key) if matches!(answer.status().as_u16(), 400 | 401 | 403) => {
                    return look(&key, answer).await;
                }
                _ => {}
            }
            Ok(answer)
        })
    }
}

/// Looks whether an answer says that the access key is refused.
async fn look(key: &str, mut answer: HttpResponse) -> Result<HttpResponse, ConnectorError> {
    let body = std::mem::replace(answer.body_mut(), SdkBody::empty());
    let body = ByteStream::new(body).collect().await.map_err(|error| ConnectorError::io(error.into()))?;
    let body = body.into_bytes();
    if refuses_credentials(&body) {
        told(key, true);
    }
    *answer.body_mut() = SdkBody::from(body);
    Ok(answer)
}

/// `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, …`
fn access_key_id(authorization: &str) -> Option<&str> {
    let (_, credential) = authorization.split_once("Credential=")?;
    credential.split_once('/').map(|(key, _)| key).filter(|key| !key.is_empty())
}

/// Whether an error, in XML, says that the credentials are not taken.
fn refuses_credentials(body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body);
    let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    code.is_some_and(|(code, _)| REFUSALS.contains(&code.trim()))
}

/// Makes a call again whose credentials were refused: by then there may be others.
#[derive(Clone, Copy, Debug)]
pub struct AgainWithOthers;

impl ClassifyRetry for AgainWithOthers {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let body = context.response().filter(|it| !it.status().is_success()).and_then(|it| it.body().bytes());
        if body.is_some_and(refuses_credentials) {
            RetryAction::transient_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "AgainWithOthers"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_other_errors() {
        for (body, expected) in [
            ("<ErrorResponse><Error><Code>ExpiredToken</Code></Error></ErrorResponse>", true),
            ("<Error><Code> InvalidClientTokenId </Code></Error>", true),
            ("<Error><Code>AccessDenied</Code><Message>ExpiredToken</Message></Error>", false),
            ("", false),
        ] {
            assert_eq!(refuses_credentials(body.as_bytes()), expected, "{body}");
        }
    }

    #[test]
    fn a_request_says_whose_it_is() {
        let signed = "AWS4-HMAC-SHA256 Credential=AKID/20260101/eu-west-1/route53/aws4_request, Signature=00";
        assert_eq!(access_key_id(signed), Some("AKID"));
        for other in ["", "Bearer x", "Credential=", "Credential=/x"] {
            assert_eq!(access_key_id(other), None, "{other}");
        }
    }

    #[test]
    fn a_key_that_is_taken_again_is_not_refused() {
        assert!(!is_refused("KEY-OF-A-TEST"));
        told("KEY-OF-A-TEST", true);
        assert!(is_refused("KEY-OF-A-TEST"));
        told("KEY-OF-A-TEST", false);
        assert!(!is_refused("KEY-OF-A-TEST"));
    }
}
