//! Counts of requests by route and endpoint, as metrics.
//!
//! What is counted under which labels is decided by [`feed_reconcile::traffic`].

mod labels;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use feed_reconcile::desired::DesiredState;
use feed_reconcile::traffic::{Class, Ledger};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;

use self::labels::Labels;
use crate::runtime::metrics::Metrics;

/// Where requests are counted; clones count together.
#[derive(Clone, Debug)]
pub struct Traffic {
    ledger: Arc<Mutex<Ledger>>,
    log_bytes: Arc<AtomicU64>,
    /// Whether it was told once what is declared.
    declared: Arc<AtomicBool>,
}

impl Traffic {
    /// Registers the metrics; `bounds` are those of the latency buckets, none for no histogram.
    pub fn register(metrics: &mut Metrics, bounds: &[Duration]) -> Self {
        let traffic = Self {
            ledger: Arc::new(Mutex::new(Ledger::new(bounds))),
            log_bytes: Arc::default(),
            declared: Arc::default(),
        };
        metrics.registry_mut().register_collector(Box::new(traffic.clone()));
        traffic
    }

    /// Takes over what is declared, which nginx may serve from now on.
    pub fn declare(&self, state: &DesiredState) {
        self.ledger().declare(state, Instant::now());
        self.declared.store(true, Ordering::Release);
    }

    /// Whether it is known what is declared. Before that no request can be counted: it would be one to no route.
    pub fn is_declared(&self) -> bool {
        self.declared.load(Ordering::Acquire)
    }

    /// Counts the requests of the whole lines that a piece of nginx's log begins with; returns their length in bytes.
    pub fn read(&self, log: &[u8]) -> usize {
        self.ledger().read(log, Instant::now())
    }

    /// Forgets what was not declared for long enough, and shows how much the log occupies.
    pub fn looked(&self, log_bytes: u64) {
        self.log_bytes.store(log_bytes, Ordering::Relaxed);
        self.ledger().sweep(Instant::now());
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Traffic {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let ledger = self.ledger();
        let mut describe = |name: &'static str, help: &str, metric_type: MetricType, write: Write<'_>| {
            write(&ledger, encoder.encode_descriptor(name, help, None, metric_type)?)
        };
        let unknown = MetricType::Unknown;
        describe("ingress_requests", "Requests by route and status.", unknown, &ingress_requests)?;
        describe("ingress_bytes", "Bytes from and to clients by route.", unknown, &ingress_bytes)?;
        describe("endpoint_requests", "Requests by endpoint and status.", unknown, &endpoint_requests)?;
        describe("endpoint_bytes", "Bytes from and to endpoints.", unknown, &endpoint_bytes)?;
        if !ledger.bounds().is_empty() {
            let help = "Time from a request's first byte to the answer's last by route.";
            describe("ingress_request_duration_seconds", help, MetricType::Histogram, &durations)?;
        }
        let help = "Lines of the log of requests that could not be read.";
        describe("request_log_unreadable_lines", help, MetricType::Counter, &|ledger, mut encoder| {
            encoder.encode_counter::<NoLabelSet, _, u64>(&ledger.unreadable(), None)
        })?;
        let help = "Memory or disk that the log of requests occupies.";
        describe("request_log_bytes", help, MetricType::Gauge, &|_, mut encoder| {
            encoder.encode_gauge(&self.log_bytes.load(Ordering::Relaxed))
        })
    }
}

type Write<'a> = &'a dyn Fn(&Ledger, MetricEncoder<'_>) -> fmt::Result;

fn ingress_requests(ledger: &Ledger, mut encoder: MetricEncoder<'_>) -> fmt::Result {
    let mut labels = Labels::default();
    for (host, path, counts) in ledger.routes() {
        labels.start([("host", host), ("path", path)]);
        by_class(&mut labels, &mut encoder, |class| counts.requests(class))?;
    }
    Ok(())
}

fn ingress_bytes(ledger: &Ledger, mut encoder: MetricEncoder<'_>) -> fmt::Result {
    let mut labels = Labels::default();
    for (host, path, counts) in ledger.routes() {
        labels.start([("host", host), ("path", path)]);
        by_direction(&mut labels, &mut encoder, counts.received, counts.sent)?;
    }
    Ok(())
}

fn endpoint_requests(ledger: &Ledger, mut encoder: MetricEncoder<'_>) -> fmt::Result {
    let mut labels = Labels::default();
    for (name, endpoint, counts) in ledger.endpoints() {
        labels.start([("name", name), ("endpoint", endpoint)]);
        by_class(&mut labels, &mut encoder, |class| counts.requests(class))?;
    }
    Ok(())
}

fn endpoint_bytes(ledger: &Ledger, mut encoder: MetricEncoder<'_>) -> fmt::Result {
    let mut labels = Labels::default();
    for (name, endpoint, counts) in ledger.endpoints() {
        labels.start([("name", name), ("endpoint", endpoint)]);
        by_direction(&mut labels, &mut encoder, counts.received, counts.sent)?;
    }
    Ok(())
}

fn by_class(
    labels: &mut Labels,
    encoder: &mut MetricEncoder<'_>,
    requests: impl Fn(Class) -> u64,
) -> fmt::Result {
    for class in Class::ALL {
        encoder.encode_family(labels.with("code", class.as_str()))?.encode_gauge(&requests(class))?;
    }
    Ok(())
}

fn by_direction(labels: &mut Labels, encoder: &mut MetricEncoder<'_>, into: u64, out: u64) -> fmt::Result {
    for (direction, bytes) in [("in", into), ("out", out)] {
        encoder.encode_family(labels.with("direction", direction))?.encode_gauge(&bytes)?;
    }
    Ok(())
}

fn durations(ledger: &Ledger, mut encoder: MetricEncoder<'_>) -> fmt::Result {
    let bounds: Vec<f64> = ledger.bounds().iter().map(Duration::as_secs_f64).chain([f64::INFINITY]).collect();
    let mut buckets = Vec::with_capacity(bounds.len());
    let mut labels = Labels::default();
    for (host, path, counts) in ledger.routes() {
        buckets.clear();
        buckets.extend(bounds.iter().copied().zip(counts.latency.buckets().iter().copied()));
        let sum = counts.latency.time().as_secs_f64();
        let labels = labels.start([("host", host), ("path", path)]);
        let mut encoder = encoder.encode_family(labels)?;
        encoder.encode_histogram::<NoLabelSet>(sum, counts.total(), &buckets, None)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
