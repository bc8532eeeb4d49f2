//! Spans of what the process does, sent to an OpenTelemetry collector.
//!
//! They are sent in batches by a thread of their own. While the collector is away they wait in a queue of bounded length,
//! and what does not fit is dropped: nothing is ever held up by it.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter as Exporter};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing::{Span, Subscriber, info, warn};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::runtime::settings::SpansConfig;

/// How long a collector may take to answer.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the last spans may hold up the end of the process.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Spans cannot be sent to that collector, whether it is there or not.
#[derive(Debug, thiserror::Error)]
#[error("cannot send spans to {endpoint}: {source} (--otlp-endpoint)")]
pub struct SpansError {
    endpoint: String,
    source: ExporterBuildError,
}

/// The way to the collector, if there is one.
#[derive(Debug, Default)]
pub struct Spans(Option<SdkTracerProvider>);

impl Spans {
    pub(super) fn to(
        config: &SpansConfig,
        service: &'static str,
        runtime: &Handle,
    ) -> Result<Self, SpansError> {
        // The connection is made, and kept, on the runtime's threads.
        let _entered = runtime.enter();
        let exporter = SpanExporter::builder().with_tonic();
        let exporter = exporter.with_endpoint(config.endpoint.clone()).with_timeout(EXPORT_TIMEOUT);
        let exporter =
            exporter.build().map_err(|source| SpansError { endpoint: config.endpoint.clone(), source })?;
        let resource = Resource::builder()
            .with_service_name(service)
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource.build())
            .with_batch_exporter(Observed { exporter, away: AtomicBool::new(false) });
        Ok(Self(Some(provider.build())))
    }

    /// What hands our own spans over.
    pub(super) fn layer<S>(&self, service: &'static str) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'s> LookupSpan<'s> + Send + Sync,
    {
        let provider = self.0.as_ref()?;
        let ours = ["feed_ingress", "feed_supervisor", "feed_dns"];
        let ours = Targets::new().with_targets(ours.map(|target| (target, LevelFilter::INFO)));
        let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer(service));
        Some(layer.with_filter(ours))
    }

    /// Sends what has not been sent yet, if that is quickly done.
    pub fn end(self) {
        if let Some(provider) = self.0 {
            // Who is not there at the end was away before, which has been told.
            let _sent = provider.shutdown_with_timeout(FLUSH_TIMEOUT);
        }
    }
}

/// Marks a span as one of something that failed. It must have been made with the two fields, empty.
pub fn failed(span: &Span, why: &str) {
    span.record("otel.status_code", "ERROR").record("otel.status_description", why);
}

/// An exporter that says once when the collector is away, and once when it is back.
#[derive(Debug)]
struct Observed<E> {
    exporter: E,
    away: AtomicBool,
}

impl<E: Exporter> Exporter for Observed<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        let was_away = self.away.swap(result.is_err(), Ordering::Relaxed);
        match (&result, was_away) {
            (Err(error), false) => {
                warn!(%error, "Spans cannot be sent to the collector; they are dropped until it is back.");
            }
            (Ok(()), true) => info!("Spans are sent to the collector again."),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.exporter.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

#[cfg(test)]
mod tests;
