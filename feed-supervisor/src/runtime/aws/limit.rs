//! Requests one after another, no faster than an account's quota.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use governor::DefaultDirectRateLimiter;

/// The client, each of whose requests waits for its turn. Retries are requests of their own.
pub(super) fn limited(client: SharedHttpClient, limiter: Arc<DefaultDirectRateLimiter>) -> SharedHttpClient {
    http_client_fn(move |settings: &HttpConnectorSettings, components: &RuntimeComponents| {
        let inner = client.http_connector(settings, components);
        SharedHttpConnector::new(Limited { inner, limiter: Arc::clone(&limiter) })
    })
}

#[derive(Debug)]
struct Limited {
    inner: SharedHttpConnector,
    limiter: Arc<DefaultDirectRateLimiter>,
}

impl HttpConnector for Limited {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, limiter) = (self.inner.clone(), Arc::clone(&self.limiter));
        HttpConnectorFuture::new(async move {
            limiter.until_ready().await;
            inner.call(request).await
        })
    }
}
