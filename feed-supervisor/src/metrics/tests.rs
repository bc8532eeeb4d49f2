use std::collections::BTreeSet;
use std::convert::Infallible;

use axum::http::{Request, Response};
use feed_reconcile::diagnostic::{Code, Field};
use feed_reconcile::key::{ObjectKey, ObjectName};
use tower::{Layer, Service};

use super::*;
use crate::runtime::kubernetes::calls::{ApiCalls, ObserveLayer};
use crate::runtime::metrics::Format;
use crate::traffic::Traffic;

fn registered() -> (Metrics, IngressMetrics) {
    let mut metrics = Metrics::new("feed_ingress");
    let freshness = Freshness::of(&BTreeSet::new());
    let ingress = IngressMetrics::register(&mut metrics, &Health::new(), &freshness);
    register_old_workers(&mut metrics, || 1);
    (metrics, ingress)
}

fn diagnostic(code: Code, name: &str) -> Diagnostic {
    Diagnostic {
        object: ObjectKey::ingress(&ObjectName::new("default", name)),
        field: Field::default(),
        code,
        message: String::new(),
        help: None,
        related: None,
    }
}

/// In order, the samples that are not zero, histograms' buckets left out.
fn samples(metrics: &Metrics) -> String {
    let text = metrics.encode(Format::Text).unwrap();
    let told = |line: &&str| !line.starts_with('#') && !line.contains("_bucket") && !line.ends_with(" 0");
    let mut samples: Vec<&str> = text.lines().filter(told).collect();
    samples.sort_unstable();
    samples.join("\n")
}

#[tokio::test(start_paused = true)]
async fn what_happens_is_shown() {
    let (metrics, ingress) = registered();
    ingress.stub_status(&StubStatus {
        connections: 4,
        accepts: 100,
        handled: 99,
        requests: 1000,
        reading: 1,
        writing: 2,
        waiting: 3,
    });
    ingress.frontends(2, 3);
    ingress.quarantined(2);
    let seen = Instant::now();
    tokio::time::advance(Duration::from_millis(500)).await;
    ingress.reload_begun();
    ingress.reload_ended(Outcome::Refused, Duration::from_secs(9));
    ingress.reload_begun();
    ingress.reload_ended(Outcome::Confirmed, Duration::from_millis(250));
    ingress.configuration_confirmed(42, 123);
    ingress.change_served(seen);
    ingress.diagnostics(&[
        diagnostic(Code::DuplicateRoute, "a"),
        diagnostic(Code::DuplicateRoute, "b"),
        diagnostic(Code::InvalidAnnotation, "a"),
    ]);
    ingress.diagnostics(&[diagnostic(Code::DuplicateRoute, "b")]);
    tokio::time::advance(Duration::from_mins(1)).await;
    insta::assert_snapshot!(samples(&metrics), @r#"
    feed_ingress_change_to_serving_seconds_count 1
    feed_ingress_change_to_serving_seconds_sum 0.5
    feed_ingress_cluster_state_age_seconds 0.0
    feed_ingress_configuration_age_seconds 60.0
    feed_ingress_configuration_generation 42
    feed_ingress_configuration_routes 123
    feed_ingress_diagnostics{code="DuplicateRoute",severity="error"} 1
    feed_ingress_frontends_attached 2
    feed_ingress_frontends_expected 3
    feed_ingress_nginx_accepts 100
    feed_ingress_nginx_connections 4
    feed_ingress_nginx_connections_reading 1
    feed_ingress_nginx_connections_waiting 3
    feed_ingress_nginx_connections_writing 2
    feed_ingress_nginx_handled 99
    feed_ingress_nginx_requests 1000
    feed_ingress_nginx_shutting_down_workers 1.0
    feed_ingress_quarantined_ingresses 2
    feed_ingress_reload_duration_seconds_count 1
    feed_ingress_reload_duration_seconds_sum 0.25
    feed_ingress_reload_outcomes_total{outcome="confirmed"} 1
    feed_ingress_reload_outcomes_total{outcome="refused"} 1
    feed_ingress_reloads 2
    feed_ingress_unhealthy_time 0.0
    "#);
}

#[test]
fn every_diagnostic_code_is_there_from_the_start() {
    let (metrics, _) = registered();
    let text = metrics.encode(Format::Text).unwrap();
    assert!(
        text.contains("\nfeed_ingress_diagnostics{code=\"InvalidHost\",severity=\"error\"} 0\n"),
        "{text}"
    );
    assert!(
        text.contains("\nfeed_ingress_diagnostics{code=\"EmptyRule\",severity=\"warning\"} 0\n"),
        "{text}"
    );
}

#[tokio::test]
async fn the_table_lists_every_metric_with_its_type() {
    let (mut metrics, ingress) = registered();
    Traffic::register(&mut metrics, &[Duration::from_secs(1)]);
    let observe = ObserveLayer::new(ApiCalls::register(&mut metrics));
    let mut api =
        observe.layer(tower::service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(()))));
    api.call(Request::new(())).await.unwrap();
    ingress.configuration_confirmed(1, 1);
    ingress.certificates(&certificates());
    let text = metrics.encode(Format::Text).unwrap();
    let served: BTreeSet<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE feed_ingress_")?.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    let documented: BTreeSet<(String, String)> = include_str!("../metrics.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `")?.split_once("` | "))
        .map(|(name, rest)| {
            let kind = rest.split([',', ' ']).next().unwrap_or_default();
            (name.split('{').next().unwrap_or_default().to_owned(), kind.to_owned())
        })
        .collect();
    assert_eq!(served, documented);
}

/// A Secret's certificate that ended long ago, one that could not be read, and the default one.
fn certificates() -> Arc<[Entry]> {
    let entry = |secret: Option<&str>, not_after: Option<&str>| Entry {
        secret: secret.map(|name| ObjectName::new("ns", name)),
        names: Vec::new(),
        not_after: not_after.map(|time| time.parse().unwrap()),
        problem: None,
    };
    Arc::new([
        entry(None, Some("9000-01-01T00:00:00Z")),
        entry(Some("a"), Some("2024-01-01T00:00:00Z")),
        entry(Some("b"), None),
    ])
}

#[tokio::test]
async fn certificates_are_counted_down() {
    let (metrics, ingress) = registered();
    assert!(!metrics.encode(Format::Text).unwrap().contains("certificate_expiry_seconds"));
    ingress.certificates(&certificates());
    let text = metrics.encode(Format::Text).unwrap();
    let left = |labels: &str| -> f64 {
        let begin = format!("feed_ingress_certificate_expiry_seconds{{{labels}}} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&begin));
        line.unwrap_or_else(|| panic!("no {begin} in {text}")).parse().unwrap()
    };
    assert!(left(r#"namespace="",secret="default""#) > 1e11);
    assert!(left(r#"namespace="ns",secret="a""#) < -1e6);
    assert!(!text.contains(r#"secret="b""#), "{text}");
}
