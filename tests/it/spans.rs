//! Spans of what feed-ingress does, at an OpenTelemetry collector.

use std::collections::BTreeSet;
use std::time::Duration;

use feed_tests::{Collector, ControlPlane, Feed, NginxBinary, Span, eventually, free_port};
use nix::sys::signal::Signal;

use crate::world::{World, manifest, route};

const PATIENCE: Duration = Duration::from_secs(30);

async fn end(feed: &mut Feed) {
    feed.signal(Signal::SIGINT);
    let status = feed.wait_exit(PATIENCE).await;
    assert!(status.success(), "{status}: {}", feed.log());
}

fn names(spans: &[Span]) -> BTreeSet<(&str, Option<&str>)> {
    spans.iter().map(|span| (span.name.as_str(), span.parent.as_deref())).collect()
}

#[tokio::test]
async fn a_change_is_computed_written_reloaded_and_confirmed() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let (world, collector) = (World::start().await, Collector::start().await);
    let objects =
        |backend| manifest(&[world.services(), vec![route("a", "test", "a.test", backend)]].concat());
    let feed = Feed::builder(&nginx).manifest("all.yaml", &objects("a"));
    let mut feed = feed.flag("--otlp-endpoint", &collector.url()).ready().await;
    feed.write_manifest("all.yaml", &objects("b"));
    feed.wait_served_by("b", "a.test", "/").await;
    eventually("the reload is confirmed", async || {
        let confirmed = "feed_ingress_reload_outcomes_total{outcome=\"confirmed\"}";
        feed.metric(confirmed).await.filter(|count| *count > 0.0).ok_or("not yet")
    })
    .await;
    // What has not been sent is sent at the end.
    end(&mut feed).await;
    let spans = collector.spans();
    let expected = [
        ("compute", None),
        ("reconcile", Some("compute")),
        ("render", Some("compute")),
        ("write", None),
        ("test", None),
        ("name", None),
        ("start", None),
        ("reload", None),
        ("confirm", Some("start")),
        ("confirm", Some("reload")),
        ("keep", None),
    ];
    assert_eq!(names(&spans), BTreeSet::from(expected));
    assert!(spans.iter().all(|span| span.service == "feed-ingress" && span.failure.is_none()), "{spans:#?}");
}

#[tokio::test]
async fn a_reload_that_nginx_refuses_is_a_span_that_says_why() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let (world, collector) = (World::start().await, Collector::start().await);
    let objects = |host: &str| manifest(&[world.services(), vec![route("a", "test", host, "a")]].concat());
    let feed = Feed::builder(&nginx).manifest("all.yaml", &objects("a.test"));
    let feed = feed.flag("--nginx-server-names-hash-bucket-size", "64");
    let mut feed = feed.flag("--otlp-endpoint", &collector.url()).ready().await;
    // Too long for buckets of that size.
    let long = "a-label-of-some-forty-characters-to-fill-it.another-label-of-the-same-sort.test";
    feed.write_manifest("all.yaml", &objects(long));
    eventually("the reload is refused", async || {
        let refused = "feed_ingress_reload_outcomes_total{outcome=\"refused\"}";
        feed.metric(refused).await.filter(|count| *count > 0.0).ok_or("not yet")
    })
    .await;
    end(&mut feed).await;
    let spans = collector.spans();
    let failed: Vec<_> = spans.iter().filter(|span| span.failure.is_some()).collect();
    let [reload] = failed[..] else { panic!("{spans:#?}") };
    assert_eq!(reload.name, "reload");
    assert!(reload.failure.as_ref().unwrap().contains("server_names_hash"), "{reload:?}");
}

#[tokio::test]
async fn calls_to_the_api_server_are_spans() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::shared().await) else {
        return;
    };
    let (namespace, collector) = (control_plane.namespace().await, Collector::start().await);
    let world = World::start().await;
    let mut ingress = route("a", namespace.name(), "a.test", "a");
    ingress["metadata"]["annotations"] = serde_json::json!({"sky.uk/frontend-scheme": "internal"});
    namespace.apply(&manifest(&[world.services(), vec![ingress]].concat()));
    let feed = Feed::builder(&nginx).command("static").flag("--internal-hostname", "lb.example.com");
    let feed = feed.flag("--lease-namespace", namespace.name()).kubernetes(&namespace);
    let mut feed = feed.flag("--otlp-endpoint", &collector.url()).ready().await;
    eventually("the status is written", async || {
        let path = "jsonpath={.status.loadBalancer.ingress[0].hostname}";
        let written = namespace.kubectl(&["get", "ingress", "a", "-o", path], "");
        if written == "lb.example.com" { Ok(()) } else { Err(written) }
    })
    .await;
    end(&mut feed).await;
    let spans = collector.spans();
    let names = names(&spans);
    for name in ["list ingresses", "list services", "create leases", "patch ingresses/status"] {
        assert!(names.contains(&(name, None)), "{name} is not in {names:?}");
    }
    assert!(!names.iter().any(|(name, _)| name.starts_with("watch")), "{names:?}");
}

#[tokio::test]
async fn a_collector_that_is_away_is_told_once_and_holds_nothing_up() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let objects =
        |backend| manifest(&[world.services(), vec![route("a", "test", "a.test", backend)]].concat());
    let port = free_port();
    let feed = Feed::builder(&nginx).manifest("all.yaml", &objects("a"));
    let feed = feed.variable("OTEL_BSP_SCHEDULE_DELAY", "50");
    let mut feed = feed.flag("--otlp-endpoint", &format!("127.0.0.1:{port}")).ready().await;
    let told = |feed: &Feed| feed.log().matches("Spans cannot be sent to the collector").count();
    eventually("that is told", async || if told(&feed) == 1 { Ok(()) } else { Err(feed.log()) }).await;
    feed.write_manifest("all.yaml", &objects("b"));
    feed.wait_served_by("b", "a.test", "/").await;
    let collector = Collector::start_at(port).await;
    feed.write_manifest("all.yaml", &objects("c"));
    feed.wait_served_by("c", "a.test", "/").await;
    eventually("spans arrive", async || if collector.spans().is_empty() { Err("none") } else { Ok(()) })
        .await;
    eventually("that is told too", async || {
        let told = feed.log().contains("Spans are sent to the collector again.");
        if told { Ok(()) } else { Err(feed.log()) }
    })
    .await;
    assert_eq!(told(&feed), 1, "{}", feed.log());
    drop(collector);
    end(&mut feed).await;
}
