//! The metrics that both binaries have.

use std::collections::BTreeMap;

use feed_reconcile::diagnostic::{Code, Diagnostic, Severity};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::Pulled;
use crate::runtime::health::Health;
use crate::runtime::source::freshness::Freshness;

/// `diagnostics{code,severity}`; clones are the same.
#[derive(Clone, Debug)]
pub struct DiagnosticCounts(Family<Labels, Gauge>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    code: &'static str,
    severity: &'static str,
}

impl DiagnosticCounts {
    /// Registers the counts, all 0.
    pub fn register(registry: &mut Registry) -> Self {
        let counts = Self(Family::default());
        registry.register("diagnostics", "Problems in the cluster's objects by their code", counts.0.clone());
        counts.show([]);
        counts
    }

    /// Shows all problems that there are now.
    pub fn show<'a>(&self, diagnostics: impl IntoIterator<Item = &'a Diagnostic>) {
        let mut counts: BTreeMap<Code, i64> = Code::ALL.iter().map(|code| (*code, 0)).collect();
        for diagnostic in diagnostics {
            *counts.entry(diagnostic.code).or_default() += 1;
        }
        for (code, count) in counts {
            let severity = match code.severity() {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            self.0.get_or_create(&Labels { code: code.as_str(), severity }).set(count);
        }
    }
}

/// Registers `unhealthy_time` and `cluster_state_age_seconds`, which are read when they are asked for.
pub fn register_pulled(registry: &mut Registry, health: &Health, freshness: &Freshness) {
    let (health, freshness) = (health.clone(), freshness.clone());
    let unhealthy_time = move || Some(health.unhealthy_time().as_secs_f64());
    let state_age = move || freshness.age().map(|age| age.as_secs_f64());
    registry.register(
        "unhealthy_time",
        "Seconds during which health was bad",
        Pulled::untyped(unhealthy_time),
    );
    registry.register(
        "cluster_state_age_seconds",
        "For how long the cluster may have changed unseen",
        Pulled::gauge(state_age),
    );
}
