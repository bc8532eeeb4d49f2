//! The countdown of certificates.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use crate::certificates::overview::Entry;

/// The time that certificates have left, read when the metrics are; of as many as Ingresses name Secrets.
#[derive(Clone, Debug, Default)]
pub(super) struct Countdown(Arc<Mutex<Arc<[Entry]>>>);

impl Countdown {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let countdown = Self::default();
        registry.register(
            "certificate_expiry_seconds",
            "Time until a certificate in use ends to be valid; the default one has no namespace",
            countdown.clone(),
        );
        countdown
    }

    pub(super) fn show(&self, certificates: &Arc<[Entry]>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(certificates);
    }

    fn shown(&self) -> Arc<[Entry]> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl EncodeMetric for Countdown {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let now = Timestamp::now();
        for entry in self.shown().iter() {
            let Some(not_after) = entry.not_after else { continue };
            let (namespace, secret) = match &entry.secret {
                Some(name) => (&*name.namespace, &*name.name),
                None => ("", "default"),
            };
            let left = not_after.duration_since(now).as_secs_f64();
            encoder.encode_family(&[("namespace", namespace), ("secret", secret)])?.encode_gauge(&left)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }

    fn is_empty(&self) -> bool {
        self.shown().iter().all(|entry| entry.not_after.is_none())
    }
}
