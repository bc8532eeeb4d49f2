//! Metrics at a push gateway.

use std::collections::BTreeSet;
use std::time::Duration;

use feed_tests::{Feed, NginxBinary, PushGateway, ScriptedGateway, eventually};
use nix::sys::signal::Signal;

const PATIENCE: Duration = Duration::from_secs(30);

fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

#[tokio::test]
async fn the_push_gateway_gives_every_metric_with_job_instance_and_labels() {
    let (Some(nginx), Some(gateway)) = (NginxBinary::newer(), PushGateway::start().await) else { return };
    let feed =
        Feed::builder(&nginx).flag("--pushgateway", &gateway.url()).flag("--pushgateway-interval", "1");
    let feed =
        feed.flag("--pushgateway-label", "environment=blue/green").flag("--pushgateway-label", "team=");
    let mut feed = feed.ready().await;
    let instance = host_name();
    let labels = format!(r#"{{environment="blue/green",instance="{instance}",job="feed-ingress",team=""}}"#);
    let sample = format!("feed_ingress_configuration_generation{labels} 1");
    eventually("the metrics are there", async || {
        let metrics = gateway.metrics().await;
        if metrics.lines().any(|line| line == sample) { Ok(()) } else { Err(metrics) }
    })
    .await;
    // The gateway drops what has no samples yet.
    let names = |metrics: &str| -> BTreeSet<String> {
        let samples = metrics.lines().filter(|line| line.starts_with("feed_"));
        samples.filter_map(|line| Some(line.split(['{', ' ']).next()?.to_owned())).collect()
    };
    eventually("all of them are there", async || {
        let (pushed, own) = (names(&gateway.metrics().await), names(&feed.metrics().await));
        if pushed == own { Ok(()) } else { Err(format!("{pushed:#?}\n{own:#?}")) }
    })
    .await;
    let pushes = feed.metric(r#"feed_ingress_pushes_total{outcome="ok"}"#).await;
    assert!(pushes.is_some_and(|pushes| pushes >= 1.0), "{pushes:?}");

    feed.signal(Signal::SIGINT);
    assert!(feed.wait_exit(PATIENCE).await.success());
}

#[tokio::test]
async fn the_last_push_tells_how_it_ended() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let gateway = ScriptedGateway::start(Some((200, ""))).await;
    let mut feed = Feed::builder(&nginx).flag("--pushgateway", &gateway.url()).ready().await;
    gateway.wait_pushes(0).await;
    let before = gateway.pushes().len();
    feed.signal(Signal::SIGINT);
    assert!(feed.wait_exit(PATIENCE).await.success());
    let pushes = gateway.pushes();
    // At once, and at the end; the interval of a minute is not over.
    assert_eq!((before, pushes.len()), (1, 2));
    let target = format!("PUT /metrics/job/feed-ingress/instance/{} HTTP/1.1", host_name());
    assert!(pushes.iter().all(|(first_line, _)| *first_line == target), "{pushes:?}");
    assert!(pushes[1].1.contains("\nfeed_ingress_configuration_generation 1\n"), "{}", pushes[1].1);
}

#[tokio::test]
async fn a_gateway_that_refuses_is_told_once_and_counted_each_time() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let gateway = ScriptedGateway::start(Some((400, "pushed metrics are\ninvalid"))).await;
    let feed =
        Feed::builder(&nginx).flag("--pushgateway", &gateway.url()).flag("--pushgateway-interval", "50ms");
    let feed = feed.ready().await;
    gateway.wait_pushes(3).await;
    gateway.answer(202, "");
    gateway.wait_pushes(3).await;
    eventually("it is told that all is well again", async || {
        let log = feed.log();
        if log.contains("The metrics are pushed again.") { Ok(()) } else { Err(log) }
    })
    .await;
    let log = feed.log();
    assert_eq!(log.matches("The metrics cannot be pushed").count(), 1, "{log}");
    assert!(log.contains("the push gateway answers 400 Bad Request: pushed metrics are invalid"), "{log}");
    let refused = feed.metric(r#"feed_ingress_pushes_total{outcome="400"}"#).await;
    assert!(refused.is_some_and(|refused| refused >= 3.0), "{refused:?}");
}

#[tokio::test]
async fn a_gateway_that_is_away_or_silent_delays_nothing() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let silent = ScriptedGateway::start(None).await;
    let away = format!("http://127.0.0.1:{}", feed_tests::free_port());
    for (url, told) in [
        (away, "The metrics cannot be pushed"),
        (
            silent.url(),
            "The metrics could not be pushed for the last time: the push gateway does not answer.",
        ),
    ] {
        let mut feed = Feed::builder(&nginx).flag("--pushgateway", &url).ready().await;
        assert_eq!(feed.get("a.test", "/").await.status, 404);
        feed.signal(Signal::SIGINT);
        assert!(feed.wait_exit(PATIENCE).await.success());
        let log = feed.log();
        assert!(log.contains(told), "{log}");
    }
}
