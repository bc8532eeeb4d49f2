//! The metrics of `feed-dns`.
//!
//! | name, after `feed_dns_` | type | meaning |
//! | --- | --- | --- |
//! | `route53_records{zone}` | gauge | record sets in the zones of that name, others' included |
//! | `route53_owned_records{zone}` | gauge | those of them that are ours |
//! | `route53_held_back_deletions{zone}` | gauge | record sets that would be deleted, but are not: they are too many at once |
//! | `route53_updates{zone}` | untyped, grows | record sets that were created, changed or deleted |
//! | `route53_failures{zone}` | untyped, grows | listings and changes that failed, and changes that were refused |
//! | `skipped_ingress_entries{zone}` | gauge | hosts of Ingresses that get no record; those in no zone, and those without a scheme, have an empty `zone` |
//! | `change_to_route53_seconds` | histogram | time from when an object's change was seen until Route 53 had accepted what follows from it |
//! | `zone_up{zone,zone_id}` | gauge | whether the zone has been read and takes its changes; the name is empty until it is known |
//! | `lease_held` | gauge | whether this replica is the one that acts |
//! | `diagnostics{code,severity}` | gauge | problems in the cluster's objects, by their code |
//! | `unhealthy_time` | untyped, grows | seconds during which `/health` was not 200 |
//! | `cluster_state_age_seconds` | gauge | for how long the cluster may have changed unseen, 0 while changes arrive |
//! | `aws_requests_total{service,operation,outcome}` | counter | requests to AWS, retries included, by how they ended: `ok`, an HTTP status, or `unreachable` |
//! | `api_requests_total{verb,resource,outcome}` | counter | requests to the Kubernetes API, by how they ended |

use std::collections::BTreeMap;
use std::time::Duration;

use feed_reconcile::diagnostic::Diagnostic;
use feed_reconcile::dns::keeper::{Stage, ZoneView};
use feed_supervisor::runtime::health::Health;
use feed_supervisor::runtime::metrics::common::{DiagnosticCounts, register_pulled};
use feed_supervisor::runtime::metrics::{Metrics, Untyped};
use feed_supervisor::runtime::source::freshness::Freshness;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

/// Labels that only these metrics have, and so what is pushed may not be given.
pub const OWN_LABELS: &[&str] = &["zone", "zone_id"];

/// In seconds: from one quick call to a pass over very many records.
const DURATION_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

/// Where what happens is counted; clones count together.
#[derive(Clone, Debug)]
pub struct DnsMetrics {
    records: Family<Labels, Gauge>,
    owned: Family<Labels, Gauge>,
    held_back: Family<Labels, Gauge>,
    skipped: Family<Labels, Gauge>,
    updates: Family<Labels, Untyped>,
    failures: Family<Labels, Untyped>,
    change_to_route53: Histogram,
    lease_held: Gauge,
    zone_up: Family<ZoneLabels, Gauge>,
    diagnostics: DiagnosticCounts,
}

/// A zone's name, or nothing. Zones of one name are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    zone: String,
}

/// A zone's name, as far as it is known, and its id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ZoneLabels {
    zone: String,
    zone_id: String,
}

/// Numbers by a zone's name.
pub type ByZone = BTreeMap<String, usize>;

impl DnsMetrics {
    /// Registers all of them but the counts of requests.
    pub fn register(metrics: &mut Metrics, health: &Health, freshness: &Freshness) -> Self {
        let registry = metrics.registry_mut();
        register_pulled(registry, health, freshness);
        Self {
            records: add(registry, "route53_records", "Record sets in the zone", Family::default()),
            owned: add(registry, "route53_owned_records", "Record sets that are ours", Family::default()),
            held_back: add(
                registry,
                "route53_held_back_deletions",
                "Record sets that would be deleted, but are too many at once",
                Family::default(),
            ),
            skipped: add(
                registry,
                "skipped_ingress_entries",
                "Hosts of Ingresses that get no record",
                Family::default(),
            ),
            updates: add(
                registry,
                "route53_updates",
                "Record sets that were created, changed or deleted",
                Family::default(),
            ),
            failures: add(
                registry,
                "route53_failures",
                "Listings and changes that failed or were refused",
                Family::default(),
            ),
            change_to_route53: add(
                registry,
                "change_to_route53_seconds",
                "Time from when an object's change was seen until Route 53 had accepted what follows",
                Histogram::new(DURATION_BUCKETS),
            ),
            lease_held: add(
                registry,
                "lease_held",
                "Whether this replica is the one that acts",
                Gauge::default(),
            ),
            zone_up: add(
                registry,
                "zone_up",
                "Whether the zone is read and all its changes are made",
                Family::default(),
            ),
            diagnostics: DiagnosticCounts::register(registry),
        }
    }

    /// Shows zeros for a zone, so that its series are there from the start.
    pub fn zone(&self, name: &str) {
        for gauge in [&self.records, &self.owned, &self.held_back, &self.skipped] {
            drop(gauge.get_or_create(&labels(name)));
        }
        self.updated(name, 0);
        self.failed(name, 0);
    }

    /// Shows whether each zone is as it should be.
    pub fn zones(&self, zones: &[ZoneView<'_>]) {
        for zone in zones {
            let name = zone.hosted.map_or(String::new(), |zone| zone.name.to_string());
            let is_well = zone.stage == Stage::Read && zone.failures.is_empty() && zone.refused.is_empty();
            let is_well = is_well && zone.denied.is_none() && zone.contested.is_empty();
            let labels = ZoneLabels { zone: name, zone_id: zone.id.to_string() };
            if !labels.zone.is_empty() {
                self.zone_up.remove(&ZoneLabels { zone: String::new(), ..labels.clone() });
            }
            self.zone_up.get_or_create(&labels).set(i64::from(is_well));
        }
    }

    /// Shows what the zones hold; zones that are not known keep what they showed last.
    pub fn records(&self, records: &ByZone, owned: &ByZone) {
        show(&self.records, records);
        show(&self.owned, owned);
    }

    /// Shows how many deletions are held back in each of all zones.
    pub fn held_back(&self, deletions: &ByZone) {
        show(&self.held_back, deletions);
    }

    /// Shows how many hosts get no record, in each of all zones and in none.
    pub fn skipped(&self, hosts: &ByZone) {
        show(&self.skipped, hosts);
    }

    /// Shows what is wrong with the cluster's objects.
    pub fn diagnostics<'a>(&self, diagnostics: impl IntoIterator<Item = &'a Diagnostic>) {
        self.diagnostics.show(diagnostics);
    }

    /// Counts record sets that were changed.
    pub fn updated(&self, zone: &str, record_sets: usize) {
        self.updates.get_or_create(&labels(zone)).inc_by(u64::try_from(record_sets).unwrap_or(u64::MAX));
    }

    /// Counts calls that failed, or changes that were refused.
    pub fn failed(&self, zone: &str, times: usize) {
        self.failures.get_or_create(&labels(zone)).inc_by(u64::try_from(times).unwrap_or(u64::MAX));
    }

    /// Counts a change of the cluster as carried out, so long after it was seen.
    pub fn carried_out(&self, after: Duration) {
        self.change_to_route53.observe(after.as_secs_f64());
    }

    /// Shows whether this replica acts.
    pub fn lease_held(&self, held: bool) {
        self.lease_held.set(i64::from(held));
    }
}

fn labels(zone: &str) -> Labels {
    Labels { zone: zone.to_owned() }
}

fn show(family: &Family<Labels, Gauge>, numbers: &ByZone) {
    for (zone, number) in numbers {
        family.get_or_create(&labels(zone)).set(i64::try_from(*number).unwrap_or(i64::MAX));
    }
}

fn add<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}
