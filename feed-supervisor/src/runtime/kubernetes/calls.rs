//! Every call to the API server, observed: counted by its outcome, and, for watches, taken as proof that changes arrive.

use std::task::{Context, Poll};

use axum::http::{Method, Request, Response, StatusCode};
use feed_reconcile::key::ObjectKind;
use futures::FutureExt;
use futures::future::BoxFuture;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use tower::{Layer, Service};
use tracing::field::Empty;
use tracing::{Instrument, Span, info, info_span};

use crate::runtime::metrics::Metrics;
use crate::runtime::source::freshness::Freshness;
use crate::runtime::telemetry::failed;

/// The counters of all calls; clones count together.
#[derive(Clone, Debug, Default)]
pub struct ApiCalls(Family<Labels, Counter>);

/// Bounded, as the calls that this program makes are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    verb: &'static str,
    resource: String,
    outcome: String,
}

impl ApiCalls {
    /// Registers `api_requests_total`.
    pub fn register(metrics: &mut Metrics) -> Self {
        let calls = Self::default();
        metrics.registry_mut().register(
            "api_requests",
            "Requests to the Kubernetes API by how they ended",
            calls.0.clone(),
        );
        calls
    }

    fn count(&self, call: Call, status: Option<StatusCode>) {
        let outcome = match status {
            None => "unreachable".to_owned(),
            Some(status) if status.is_success() => "ok".to_owned(),
            Some(status) => status.as_str().to_owned(),
        };
        self.0.get_or_create(&Labels { verb: call.verb, resource: call.resource, outcome }).inc();
    }
}

/// What is called.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Call {
    /// As RBAC names it.
    verb: &'static str,
    /// As RBAC names it: `ingresses`, `ingresses/status`.
    resource: String,
}

impl Call {
    fn of<B>(request: &Request<B>) -> Self {
        let mut segments = request.uri().path().split('/').filter(|segment| !segment.is_empty());
        // `/api/VERSION/...` or `/apis/GROUP/VERSION/...`
        let skipped = if segments.next() == Some("apis") { 2 } else { 1 };
        let mut rest: Vec<&str> = segments.skip(skipped).collect();
        if let ["namespaces", _, _, ..] = rest.as_slice() {
            rest.drain(..2);
        }
        let named = rest.len() > 1;
        let resource = match rest.as_slice() {
            [resource, _, subresource, ..] => format!("{resource}/{subresource}"),
            [resource, ..] => (*resource).to_owned(),
            [] => String::new(),
        };
        let watched =
            request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"));
        let verb = match *request.method() {
            Method::GET if watched => "watch",
            Method::GET if named => "get",
            Method::GET => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => "other",
        };
        Self { verb, resource }
    }

    /// The span of the call, up to when its answer begins. A watch, whose answer goes on, has none.
    fn span(&self) -> Span {
        if self.verb == "watch" {
            return Span::none();
        }
        info_span!(
            "kubernetes",
            otel.name = format!("{} {}", self.verb, self.resource),
            otel.kind = "client",
            otel.status_code = Empty,
            otel.status_description = Empty
        )
    }

    /// The kind whose changes arrive if this call succeeds.
    fn follows(&self) -> Option<ObjectKind> {
        let kind = match self.resource.as_str() {
            "ingresses" => ObjectKind::Ingress,
            "ingressclasses" => ObjectKind::IngressClass,
            "services" => ObjectKind::Service,
            "namespaces" => ObjectKind::Namespace,
            "secrets" => ObjectKind::Secret,
            "endpointslices" => ObjectKind::EndpointSlice,
            _ => return None,
        };
        (self.verb == "watch").then_some(kind)
    }
}

/// Makes a client's calls observed.
#[derive(Clone, Debug)]
pub struct ObserveLayer {
    calls: ApiCalls,
    freshness: Option<Freshness>,
}

impl ObserveLayer {
    /// Counts calls.
    pub fn new(calls: ApiCalls) -> Self {
        Self { calls, freshness: None }
    }

    /// Also notes the watches that are open again: for the client of a source.
    #[must_use]
    pub fn with_freshness(self, freshness: Freshness) -> Self {
        Self { freshness: Some(freshness), ..self }
    }

    fn observe(&self, call: Call, status: Option<StatusCode>) {
        if let (Some(freshness), Some(kind)) = (&self.freshness, call.follows())
            && status.is_some_and(|status| status.is_success())
            && let Some(lost) = freshness.resumed(kind)
        {
            let (resource, seconds) = (&call.resource, lost.as_secs());
            info!(resource, seconds, "The cluster is followed again.");
        }
        self.calls.count(call, status);
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observed<S>;

    fn layer(&self, inner: S) -> Observed<S> {
        Observed { inner, observe: self.clone() }
    }
}

/// A service whose calls are observed.
#[derive(Clone, Debug)]
pub struct Observed<S> {
    inner: S,
    observe: ObserveLayer,
}

impl<S, A, B> Service<Request<A>> for Observed<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let call = Call::of(&request);
        let observe = self.observe.clone();
        let span = call.span();
        let answer = self.inner.call(request).instrument(span.clone());
        answer
            .inspect(move |answer| {
                let status = answer.as_ref().ok().map(Response::status);
                if !status.is_some_and(|status| status.is_success()) {
                    failed(&span, &status.map_or("no answer".to_owned(), |status| status.to_string()));
                }
                observe.observe(call, status);
            })
            .boxed()
    }
}

#[cfg(test)]
mod tests;
