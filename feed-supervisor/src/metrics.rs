//! The metrics of `feed-ingress`.
//!
//! | name, after `feed_ingress_` | type | meaning |
//! | --- | --- | --- |
//! | `nginx_connections` | gauge | client connections of nginx, idle ones included |
//! | `nginx_connections_reading` | gauge | connections on which nginx is reading a request's header |
//! | `nginx_connections_writing` | gauge | connections on which nginx is handling a request |
//! | `nginx_connections_waiting` | gauge | idle connections |
//! | `nginx_accepts` | untyped, grows | connections accepted since nginx's start |
//! | `nginx_handled` | untyped, grows | connections handled since nginx's start; fewer than accepted when a limit was reached |
//! | `nginx_requests` | untyped, grows | requests since nginx's start |
//! | `nginx_shutting_down_workers` | gauge | old workers that finish their last connections after a reload |
//! | `reloads` | untyped, grows | reloads of nginx that were begun |
//! | `unhealthy_time` | untyped, grows | seconds during which `/health` was not 200 |
//! | `frontends_attached` | gauge | load balancers that this process is attached to |
//! | `frontends_expected` | gauge | load balancers that it should be attached to at least; 0 where that is not checked |
//! | `configuration_generation` | gauge | generation of the configuration that nginx was last confirmed to serve |
//! | `configuration_age_seconds` | gauge | time since that was confirmed; absent before |
//! | `configuration_routes` | gauge | routes in that configuration |
//! | `reload_duration_seconds` | histogram | time from the signal to nginx until the configuration was confirmed |
//! | `reload_outcomes_total{outcome}` | counter | ends of reloads: `confirmed`, `refused`, `timed_out`, `failed` |
//! | `change_to_serving_seconds` | histogram | time from when an object's change was seen until it was confirmed to be served; of changes that went out together, the oldest |
//! | `ingress_requests{host,path,code}` | untyped, grows | requests by route and status, `1xx` to `5xx`; this and what follows to `request_log_bytes` is [`traffic`](crate::traffic)'s |
//! | `ingress_bytes{host,path,direction}` | untyped, grows | bytes from clients (`in`) and to clients (`out`) |
//! | `endpoint_requests{name,endpoint,code}` | untyped, grows | requests by endpoint and status |
//! | `endpoint_bytes{name,endpoint,direction}` | untyped, grows | bytes from the endpoint (`in`) and to it (`out`) |
//! | `ingress_request_duration_seconds{host,path}` | histogram | time from a request's first byte to the answer's last |
//! | `request_log_unreadable_lines_total` | counter | lines of nginx's log of requests that could not be read |
//! | `request_log_bytes` | gauge | memory or disk that the log occupies |
//! | `certificate_expiry_seconds{namespace,secret}` | gauge | time until a certificate in use ends to be valid, negative after; the default one is `{namespace="",secret="default"}` |
//! | `diagnostics{code,severity}` | gauge | problems in the cluster's objects, by their code: those of severity `error` are not served |
//! | `quarantined_ingresses` | gauge | Ingresses that are kept away from nginx, since it refuses what comes of them |
//! | `cluster_state_age_seconds` | gauge | for how long the cluster may have changed unseen, 0 while changes arrive; absent before everything was listed |
//! | `api_requests_total{verb,resource,outcome}` | counter | requests to the Kubernetes API, by how they ended: `ok`, an HTTP status, or `unreachable` |

mod certificates;

/// Labels that only these metrics have, and so what is pushed may not be given.
pub const OWN_LABELS: &[&str] = &["direction", "endpoint", "host", "name", "namespace", "path", "secret"];

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use feed_reconcile::apply::Outcome;
use feed_reconcile::diagnostic::Diagnostic;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};
use tokio::time::Instant;

use self::certificates::Countdown;
use crate::certificates::overview::Entry;
use crate::runtime::health::Health;
use crate::runtime::metrics::common::{self, DiagnosticCounts};
use crate::runtime::metrics::{Metrics, Pulled, Untyped};
use crate::runtime::source::freshness::Freshness;

/// In seconds: from the fastest reload there is to one that is all but given up.
const DURATION_BUCKETS: [f64; 13] = [0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 30.0, 60.0, 120.0];

/// What nginx's `stub_status` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StubStatus {
    /// Client connections, idle ones included.
    pub connections: u32,
    /// Connections accepted since nginx's start.
    pub accepts: u64,
    /// Connections handled since nginx's start.
    pub handled: u64,
    /// Requests since nginx's start.
    pub requests: u64,
    /// Connections on which a request's header is read.
    pub reading: u32,
    /// Connections on which a request is handled.
    pub writing: u32,
    /// Idle connections.
    pub waiting: u32,
}

/// Where what happens is counted; clones count together.
#[derive(Clone, Debug)]
pub struct IngressMetrics {
    connections: Gauge,
    reading: Gauge,
    writing: Gauge,
    waiting: Gauge,
    accepts: Untyped,
    handled: Untyped,
    requests: Untyped,
    reloads: Untyped,
    frontends_attached: Gauge,
    frontends_expected: Gauge,
    generation: Gauge<u64, AtomicU64>,
    routes: Gauge,
    confirmed_at: Arc<Mutex<Option<Instant>>>,
    reload_duration: Histogram,
    reload_outcomes: Family<ReloadLabels, Counter>,
    change_to_serving: Histogram,
    diagnostics: DiagnosticCounts,
    quarantined: Gauge,
    countdown: Countdown,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    outcome: &'static str,
}

impl IngressMetrics {
    /// Registers all of them but `api_requests_total`, which is
    /// [`ApiCalls`](crate::runtime::kubernetes::calls::ApiCalls)' own.
    pub fn register(metrics: &mut Metrics, health: &Health, freshness: &Freshness) -> Self {
        let registry = metrics.registry_mut();
        let registered = Self::register_nginx(registry);
        common::register_pulled(registry, health, freshness);
        register_age(registry, &registered.confirmed_at);
        for outcome in Outcome::ALL {
            registered.reload_outcomes(outcome).inc_by(0);
        }
        registered
    }

    fn register_nginx(to: &mut Registry) -> Self {
        let durations = || Histogram::new(DURATION_BUCKETS);
        Self {
            connections: add(to, "nginx_connections", "Client connections of nginx, idle ones included"),
            reading: add(
                to,
                "nginx_connections_reading",
                "Connections on which nginx is reading a request's header",
            ),
            writing: add(to, "nginx_connections_writing", "Connections on which nginx is handling a request"),
            waiting: add(to, "nginx_connections_waiting", "Idle client connections of nginx"),
            accepts: add(to, "nginx_accepts", "Connections accepted since the start of nginx"),
            handled: add(to, "nginx_handled", "Connections handled since the start of nginx"),
            requests: add(to, "nginx_requests", "Requests since the start of nginx"),
            reloads: add(to, "reloads", "Reloads of nginx that were begun"),
            frontends_attached: add(
                to,
                "frontends_attached",
                "Load balancers that this process is attached to",
            ),
            frontends_expected: add(
                to,
                "frontends_expected",
                "Load balancers that this process should be attached to at least",
            ),
            generation: add(to, "configuration_generation", "Generation of the configuration confirmed last"),
            routes: add(to, "configuration_routes", "Routes in the configuration confirmed last"),
            confirmed_at: Arc::default(),
            reload_duration: add_as(
                to,
                "reload_duration_seconds",
                "Time from the signal to nginx until the configuration was confirmed",
                durations(),
            ),
            reload_outcomes: add(to, "reload_outcomes", "Reloads of nginx by how they ended"),
            change_to_serving: add_as(
                to,
                "change_to_serving_seconds",
                "Time from when an object's change was seen until it was confirmed to be served",
                durations(),
            ),
            diagnostics: DiagnosticCounts::register(to),
            quarantined: add(
                to,
                "quarantined_ingresses",
                "Ingresses that are kept away from nginx, since it refuses what comes of them",
            ),
            countdown: Countdown::register(to),
        }
    }

    /// Shows what nginx said of itself.
    pub fn stub_status(&self, status: &StubStatus) {
        self.connections.set(status.connections.into());
        self.reading.set(status.reading.into());
        self.writing.set(status.writing.into());
        self.waiting.set(status.waiting.into());
        self.accepts.set(status.accepts);
        self.handled.set(status.handled);
        self.requests.set(status.requests);
    }

    /// Counts a reload that begins.
    pub fn reload_begun(&self) {
        self.reloads.inc();
    }

    /// Counts a reload that ended so, this long after the signal.
    pub fn reload_ended(&self, outcome: Outcome, duration: Duration) {
        self.reload_outcomes(outcome).inc();
        if outcome == Outcome::Confirmed {
            self.reload_duration.observe(duration.as_secs_f64());
        }
    }

    fn reload_outcomes(&self, outcome: Outcome) -> Counter {
        self.reload_outcomes.get_or_create_owned(&ReloadLabels { outcome: outcome.as_str() })
    }

    /// Shows the configuration that nginx is known to serve from this moment on, be it after a reload, a start, or when a
    /// running nginx was taken over.
    pub fn configuration_confirmed(&self, generation: u64, routes: usize) {
        self.generation.set(generation);
        self.routes.set(i64::try_from(routes).unwrap_or(i64::MAX));
        *self.confirmed_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Counts a change of the cluster, seen at that moment, as confirmed to be served now.
    pub fn change_served(&self, seen: Instant) {
        self.change_to_serving.observe(seen.elapsed().as_secs_f64());
    }

    /// Shows the certificates in use.
    pub fn certificates(&self, certificates: &Arc<[Entry]>) {
        self.countdown.show(certificates);
    }

    /// Shows how many load balancers this process is attached to, and should be at least.
    pub fn frontends(&self, attached: usize, expected: usize) {
        self.frontends_attached.set(i64::try_from(attached).unwrap_or(i64::MAX));
        self.frontends_expected.set(i64::try_from(expected).unwrap_or(i64::MAX));
    }

    /// Shows all problems that there are now.
    pub fn diagnostics<'a>(&self, diagnostics: impl IntoIterator<Item = &'a Diagnostic>) {
        self.diagnostics.show(diagnostics);
    }

    /// Shows how many Ingresses are kept away from nginx.
    pub fn quarantined(&self, count: usize) {
        self.quarantined.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

/// The metric that is read when it is asked for.
fn register_age(registry: &mut Registry, confirmed_at: &Arc<Mutex<Option<Instant>>>) {
    let confirmed_at = Arc::clone(confirmed_at);
    let configuration_age = move || {
        let confirmed_at = *confirmed_at.lock().unwrap_or_else(PoisonError::into_inner);
        confirmed_at.map(|confirmed_at| confirmed_at.elapsed().as_secs_f64())
    };
    registry.register(
        "configuration_age_seconds",
        "Time since the configuration was confirmed",
        Pulled::gauge(configuration_age),
    );
}

/// Registers the number of old workers, which is counted when it is asked for.
pub fn register_old_workers(metrics: &mut Metrics, count: impl Fn() -> usize + Send + Sync + 'static) {
    let count = move || u32::try_from(count()).ok().map(f64::from);
    metrics.registry_mut().register(
        "nginx_shutting_down_workers",
        "Old workers of nginx that finish their last connections",
        Pulled::gauge(count),
    );
}

fn add<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    add_as(registry, name, help, M::default())
}

fn add_as<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

#[cfg(test)]
mod tests;
