use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::runtime::metrics::Format;

#[test]
fn calls_are_named_as_rbac_names_them() {
    for (method, uri, expected) in [
        (Method::GET, "/apis/networking.k8s.io/v1/ingresses?limit=500", ("list", "ingresses")),
        (
            Method::GET,
            "/apis/networking.k8s.io/v1/ingresses?watch=true&timeoutSeconds=9",
            ("watch", "ingresses"),
        ),
        (Method::GET, "/api/v1/namespaces?watch=false", ("list", "namespaces")),
        (Method::GET, "/api/v1/namespaces/default", ("get", "namespaces")),
        (Method::GET, "/api/v1/namespaces/default/services", ("list", "services")),
        (
            Method::PUT,
            "/apis/networking.k8s.io/v1/namespaces/a/ingresses/b/status",
            ("update", "ingresses/status"),
        ),
        (Method::POST, "/apis/coordination.k8s.io/v1/namespaces/a/leases", ("create", "leases")),
        (Method::PATCH, "/apis/coordination.k8s.io/v1/namespaces/a/leases/b", ("patch", "leases")),
        (Method::DELETE, "/apis/coordination.k8s.io/v1/namespaces/a/leases/b", ("delete", "leases")),
        (Method::HEAD, "/", ("other", "")),
    ] {
        let call = Call::of(&Request::builder().method(method).uri(uri).body(()).unwrap());
        assert_eq!((call.verb, call.resource.as_str()), expected, "{uri}");
    }
}

/// Calls that URI of a server that answers with this status, or not at all.
async fn call(layer: &ObserveLayer, uri: &str, status: Option<u16>) {
    let mut service = layer.layer(tower::service_fn(move |_: Request<()>| async move {
        status.map(|status| Response::builder().status(status).body(()).unwrap()).ok_or("connection refused")
    }));
    let answer = service.call(Request::builder().uri(uri).body(()).unwrap()).await;
    assert_eq!(answer.ok().map(|answer| answer.status().as_u16()), status);
}

#[tokio::test]
async fn outcomes_are_counted() {
    let mut metrics = Metrics::new("feed_test");
    let layer = ObserveLayer::new(ApiCalls::register(&mut metrics));
    for status in [Some(200), Some(200), Some(403), None] {
        call(&layer, "/api/v1/services", status).await;
    }
    let text = metrics.encode(Format::Text).unwrap();
    let mut samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    samples.sort_unstable();
    insta::assert_snapshot!(samples.join("\n"), @r#"
        feed_test_api_requests_total{verb="list",resource="services",outcome="403"} 1
        feed_test_api_requests_total{verb="list",resource="services",outcome="ok"} 2
        feed_test_api_requests_total{verb="list",resource="services",outcome="unreachable"} 1
        "#);
}

#[tokio::test(start_paused = true)]
async fn an_open_watch_makes_a_kind_that_was_lost_current_again() {
    let freshness = Freshness::of(&BTreeSet::from([ObjectKind::Service]));
    let layer = ObserveLayer::new(ApiCalls::default()).with_freshness(freshness.clone());
    let watch = "/api/v1/services?watch=true";
    call(&layer, watch, Some(200)).await;
    assert_eq!(freshness.age(), None, "it was not listed yet");
    freshness.current(ObjectKind::Service);
    freshness.lost(ObjectKind::Service);
    tokio::time::advance(Duration::from_secs(5)).await;
    for (uri, status) in [(watch, None), (watch, Some(410)), ("/api/v1/services", Some(200))] {
        call(&layer, uri, status).await;
        assert_eq!(freshness.age(), Some(Duration::from_secs(5)));
    }
    call(&layer, watch, Some(200)).await;
    assert_eq!(freshness.age(), Some(Duration::ZERO));
}
