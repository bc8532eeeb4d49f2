//! Metrics and their two text formats.
//!
//! The registry is `prometheus-client`'s, which writes OpenMetrics 1.0; the older Prometheus format, text 0.0.4, is
//! made from that. Some names are a contract with users and end neither in `_total` nor in a unit, although their values
//! only grow: OpenMetrics forbids such counters, and `promtool check metrics` refuses them in the older format too.
//! These are [`Untyped`]; everything new is a proper counter, gauge or histogram.

use std::fmt;
use std::ops::Deref;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeGaugeValue, EncodeMetric, MetricEncoder, text};
use prometheus_client::metrics::gauge::{Atomic, Gauge};
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::Registry;

/// The metrics of a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// No metrics yet; the names of all will begin with this prefix and `_`, such as `feed_ingress`.
    pub fn new(prefix: &str) -> Self {
        Self { registry: Registry::with_prefix(prefix) }
    }

    /// Where metrics are registered. A help text has no full stop at its end: that is added.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// All metrics in that format.
    ///
    /// # Errors
    ///
    /// When a metric of our own fails to write itself.
    pub fn encode(&self, format: Format) -> Result<String, fmt::Error> {
        let mut encoded = String::new();
        text::encode(&mut encoded, &self.registry)?;
        Ok(match format {
            Format::OpenMetrics => encoded,
            Format::Text => text_format::from_open_metrics(&encoded),
        })
    }
}

/// How metrics are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus text, version 0.0.4.
    Text,
    /// OpenMetrics text, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// The format that a request with this `Accept` header is answered in: OpenMetrics where it is asked for and
    /// nothing textual is liked better, else text.
    pub fn accepted(accept: &str) -> Self {
        let mut open_metrics = 0.0_f32;
        let mut text = 0.0_f32;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let liked = match parts.next() {
                Some("application/openmetrics-text") => &mut open_metrics,
                Some("text/plain" | "text/*") => &mut text,
                _ => continue,
            };
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse);
            *liked = liked.max(quality.unwrap_or(0.0));
        }
        if open_metrics > 0.0 && open_metrics >= text { Self::OpenMetrics } else { Self::Text }
    }

    /// The `Content-Type` of this format.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// A number under a name that users know, of no type: see the module's documentation. Used like a [`Gauge`].
#[derive(Debug)]
pub struct Untyped<N = u64, A = AtomicU64>(Gauge<N, A>);

impl<N, A> Clone for Untyped<N, A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<N, A: Default> Default for Untyped<N, A> {
    fn default() -> Self {
        Self(Gauge::default())
    }
}

impl<N, A> Deref for Untyped<N, A> {
    type Target = Gauge<N, A>;

    fn deref(&self) -> &Gauge<N, A> {
        &self.0
    }
}

impl<N, A> TypedMetric for Untyped<N, A> {
    const TYPE: MetricType = MetricType::Unknown;
}

impl<N: EncodeGaugeValue, A: Atomic<N>> EncodeMetric for Untyped<N, A> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_gauge(&self.0.get())
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// A number that is read when the metrics are; absent while there is none to read.
pub struct Pulled<F> {
    read: F,
    metric_type: MetricType,
}

impl<F: Fn() -> Option<f64>> Pulled<F> {
    /// A gauge.
    pub fn gauge(read: F) -> Self {
        Self { read, metric_type: MetricType::Gauge }
    }

    /// A number of no type: see [`Untyped`].
    pub fn untyped(read: F) -> Self {
        Self { read, metric_type: MetricType::Unknown }
    }
}

impl<F> fmt::Debug for Pulled<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pulled").field("metric_type", &self.metric_type).finish_non_exhaustive()
    }
}

impl<F: Fn() -> Option<f64>> EncodeMetric for Pulled<F> {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        (self.read)().map_or(Ok(()), |value| encoder.encode_gauge(&value))
    }

    fn metric_type(&self) -> MetricType {
        self.metric_type
    }

    fn is_empty(&self) -> bool {
        (self.read)().is_none()
    }
}

pub mod common;
mod text_format;

#[cfg(test)]
mod tests;
