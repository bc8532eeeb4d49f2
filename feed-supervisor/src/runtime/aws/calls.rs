//! Every request to AWS, counted by its outcome.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef,
};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tracing::field::Empty;
use tracing::{Span, info_span};

use crate::runtime::metrics::Metrics;
use crate::runtime::telemetry::failed;

/// The counters of all requests; clones count together. An interceptor for the SDK's clients.
#[derive(Clone, Debug, Default)]
pub struct AwsCalls(Family<Labels, Counter>);

/// Bounded, as the calls that this program makes are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    service: String,
    operation: String,
    outcome: String,
}

impl AwsCalls {
    /// Registers `aws_requests_total`.
    pub fn register(metrics: &mut Metrics) -> Self {
        let calls = Self::default();
        metrics.registry_mut().register(
            "aws_requests",
            "Requests to AWS by how they ended, retries included",
            calls.0.clone(),
        );
        calls
    }

    fn count(&self, service: &str, operation: &str, status: Option<u16>) {
        let outcome = match status {
            None => "unreachable".to_owned(),
            Some(200..300) => "ok".to_owned(),
            Some(status) => status.to_string(),
        };
        let labels = Labels { service: service.to_owned(), operation: operation.to_owned(), outcome };
        self.0.get_or_create(&labels).inc();
    }
}

/// The span of a request.
#[derive(Debug)]
struct Attempt(Span);

impl Storable for Attempt {
    type Storer = StoreReplace<Self>;
}

fn span(call: &Metadata) -> Span {
    info_span!(
        "aws",
        otel.name = format!("{} {}", call.service(), call.name()),
        otel.kind = "client",
        otel.status_code = Empty,
        otel.status_description = Empty
    )
}

impl Intercept for AwsCalls {
    fn name(&self) -> &'static str {
        "AwsCalls"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(span) = config.load::<Metadata>().map(span) {
            config.interceptor_state().store_put(Attempt(span));
        }
        Ok(())
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let status = context.response().map(|response| response.status().as_u16());
        if let Some(call) = config.load::<Metadata>() {
            self.count(call.service(), call.name(), status);
        }
        if let (Some(Attempt(span)), false) = (config.load::<Attempt>(), matches!(status, Some(200..300))) {
            failed(span, &status.map_or("no answer".to_owned(), |status| format!("HTTP status {status}")));
        }
        // Ends the span.
        config.interceptor_state().store_put(Attempt(Span::none()));
        Ok(())
    }
}
