use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;

use super::*;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    path: String,
}

/// One metric of each kind.
fn metrics() -> Metrics {
    let mut metrics = Metrics::new("feed_test");
    let registry = metrics.registry_mut();
    let reloads = Untyped::<u64>::default();
    reloads.inc_by(3);
    registry.register("reloads", "Reloads of nginx", reloads);
    let calls = Family::<Labels, Counter>::default();
    calls.get_or_create(&Labels { path: "/a\"\\\n# TYPE".to_owned() }).inc();
    registry.register("calls", "Calls", calls);
    let age = Gauge::<i64>::default();
    age.set(-7);
    registry.register("level", "Level", age);
    let duration = Histogram::new([0.5, 1.0]);
    duration.observe(0.75);
    registry.register("duration_seconds", "Duration", duration);
    registry.register("build", "Build", Info::new([("version", "1")]));
    registry.register("unhealthy_time", "Seconds unhealthy", Pulled::untyped(|| Some(1.5)));
    registry.register("age_seconds", "Age", Pulled::gauge(|| Some(2.0)));
    registry.register("nothing_yet", "Nothing", Pulled::gauge(|| None));
    metrics
}

#[test]
fn open_metrics() {
    insta::assert_snapshot!(metrics().encode(Format::OpenMetrics).unwrap(), @r#"
        # HELP feed_test_reloads Reloads of nginx.
        # TYPE feed_test_reloads unknown
        feed_test_reloads 3
        # HELP feed_test_calls Calls.
        # TYPE feed_test_calls counter
        feed_test_calls_total{path="/a\"\\\n# TYPE"} 1
        # HELP feed_test_level Level.
        # TYPE feed_test_level gauge
        feed_test_level -7
        # HELP feed_test_duration_seconds Duration.
        # TYPE feed_test_duration_seconds histogram
        feed_test_duration_seconds_sum 0.75
        feed_test_duration_seconds_count 1
        feed_test_duration_seconds_bucket{le="0.5"} 0
        feed_test_duration_seconds_bucket{le="1.0"} 1
        feed_test_duration_seconds_bucket{le="+Inf"} 1
        # HELP feed_test_build Build.
        # TYPE feed_test_build info
        feed_test_build_info{version="1"} 1
        # HELP feed_test_unhealthy_time Seconds unhealthy.
        # TYPE feed_test_unhealthy_time unknown
        feed_test_unhealthy_time 1.5
        # HELP feed_test_age_seconds Age.
        # TYPE feed_test_age_seconds gauge
        feed_test_age_seconds 2.0
        # EOF
        "#);
}

#[test]
fn text() {
    insta::assert_snapshot!(metrics().encode(Format::Text).unwrap(), @r#"
        # HELP feed_test_reloads Reloads of nginx.
        # TYPE feed_test_reloads untyped
        feed_test_reloads 3
        # HELP feed_test_calls_total Calls.
        # TYPE feed_test_calls_total counter
        feed_test_calls_total{path="/a\"\\\n# TYPE"} 1
        # HELP feed_test_level Level.
        # TYPE feed_test_level gauge
        feed_test_level -7
        # HELP feed_test_duration_seconds Duration.
        # TYPE feed_test_duration_seconds histogram
        feed_test_duration_seconds_sum 0.75
        feed_test_duration_seconds_count 1
        feed_test_duration_seconds_bucket{le="0.5"} 0
        feed_test_duration_seconds_bucket{le="1.0"} 1
        feed_test_duration_seconds_bucket{le="+Inf"} 1
        # HELP feed_test_build_info Build.
        # TYPE feed_test_build_info gauge
        feed_test_build_info{version="1"} 1
        # HELP feed_test_unhealthy_time Seconds unhealthy.
        # TYPE feed_test_unhealthy_time untyped
        feed_test_unhealthy_time 1.5
        # HELP feed_test_age_seconds Age.
        # TYPE feed_test_age_seconds gauge
        feed_test_age_seconds 2.0
        "#);
}

#[test]
fn the_format_is_negotiated() {
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
                      text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
    for (accept, expected) in [
        ("", Format::Text),
        ("*/*", Format::Text),
        ("text/plain", Format::Text),
        ("text/html, nonsense;;q=", Format::Text),
        (prometheus, Format::OpenMetrics),
        ("application/openmetrics-text; version=1.0.0", Format::OpenMetrics),
        ("application/openmetrics-text", Format::OpenMetrics),
        ("text/plain;q=1, application/openmetrics-text;q=0.2", Format::Text),
        ("application/openmetrics-text;q=0", Format::Text),
        ("application/openmetrics-text;q=high", Format::Text),
    ] {
        assert_eq!(Format::accepted(accept), expected, "{accept}");
    }
}
