//! What feed-dns tells others of itself: its metrics, scraped and pushed, and spans.

use std::collections::{BTreeMap, BTreeSet};

use feed_tests::{
    Collector, ControlPlane, FeedDns, PushGateway, ScriptedGateway, Span, eventually, parse_metrics,
    promtool_complaints,
};

use crate::world::{cname, keeper, route53, wait_records};

const README: &str = include_str!("../../README.md");

/// The README's table of metrics: for each its type, and its labels' names.
fn promised() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let rows = README.lines().skip_while(|line| !line.starts_with("| metric of feed-dns")).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let name = cells[1].trim_matches('`');
        let (name, labels) = name.split_once('{').unwrap_or((name, "}"));
        let labels = labels.trim_end_matches('}').split(',').filter(|label| !label.is_empty());
        let kind = cells[2].split([',', ' ']).next().unwrap();
        (name.to_owned(), (kind.to_owned(), labels.map(str::to_owned).collect()))
    })
    .collect()
}

/// The metrics of a feed-dns in the same form, as a parser has understood them.
fn found(text: &str) -> Option<BTreeMap<String, (String, BTreeSet<String>)>> {
    let families = parse_metrics("text", text)?.unwrap();
    let own = families.into_iter().map(|family| {
        let (suffix, kind) = match family.kind.as_str() {
            "counter" => ("_total", "counter"),
            "unknown" => ("", "untyped"),
            other => ("", other),
        };
        let labels = family.samples.iter().flat_map(|(_, labels, _)| labels.keys());
        let labels = labels.filter(|label| *label != "le").cloned().collect();
        let name = family.name.strip_prefix("feed_dns_").unwrap_or(&family.name);
        (format!("{name}{suffix}"), (kind.to_owned(), labels))
    });
    Some(own.collect())
}

#[tokio::test]
async fn every_metric_is_there_with_the_type_and_labels_that_the_readme_says() {
    let Some(control_plane) = ControlPlane::shared().await else { return };
    let (route53, gateway) = (route53().await, ScriptedGateway::start(Some((200, ""))).await);
    let namespace = control_plane.namespace().await;
    let feed = FeedDns::new(&route53.url(), &["--r53-hosted-zone=Z1", "--internal-hostname=lb.example.net"]);
    let feed = feed.flag(&format!("--kubeconfig={}", control_plane.kubeconfig().display()));
    let feed = feed.flag(&format!("--lease-namespace={}", namespace.name()));
    let feed = feed.flag(&format!("--pushgateway={}", gateway.url())).started();
    feed.wait_ready().await;
    eventually("every metric is there", async || {
        let (_, text) = feed.admin("/metrics").await;
        let (Some(found), promised) = (found(&text), promised()) else { return Ok(()) };
        if found == promised { Ok(()) } else { Err(format!("{found:#?}\n{promised:#?}")) }
    })
    .await;
    let (_, text) = feed.admin("/metrics").await;
    if let Some(complaints) = promtool_complaints(&text) {
        assert_eq!(complaints, "", "{text}");
    }
}

#[tokio::test]
async fn the_push_gateway_has_what_feed_dns_counts() {
    let Some(gateway) = PushGateway::start().await else { return };
    let route53 = route53().await;
    let feed = keeper(&route53).flag(&format!("--pushgateway={}", gateway.url()));
    let mut feed = feed.flag("--pushgateway-label=instance=mine").started();
    feed.write_ingresses(&[("a", "internal", &["a.example.com"])]);
    wait_records(&route53, "Z1", vec![cname("a.example.com")]).await;
    feed.wait_ready().await;
    // Pushed at the end.
    assert!(feed.stop().await.success());
    let sample = r#"feed_dns_route53_updates{instance="mine",job="feed-dns",zone="example.com"} 1"#;
    let metrics = gateway.metrics().await;
    assert!(metrics.lines().any(|line| line == sample), "{metrics}");
}

#[tokio::test]
async fn passes_and_calls_to_aws_are_spans() {
    let (route53, collector) = (route53().await, Collector::start().await);
    let mut feed = keeper(&route53).flag(&format!("--otlp-endpoint={}", collector.url())).started();
    feed.write_ingresses(&[("a", "internal", &["a.example.com"])]);
    wait_records(&route53, "Z1", vec![cname("a.example.com")]).await;
    feed.wait_ready().await;
    assert!(feed.stop().await.success());
    let spans = collector.spans();
    let has = |name: &str, parent: Option<&str>| {
        let same = |span: &Span| span.name == name && span.parent.as_deref() == parent;
        assert!(spans.iter().any(same), "no {name} in {parent:?}: {spans:#?}");
    };
    has("Route 53 GetHostedZone", None);
    has("pass", None);
    has("look", Some("pass"));
    has("Route 53 ListResourceRecordSets", Some("look"));
    has("decide", Some("pass"));
    has("carry out", Some("pass"));
    has("Route 53 ChangeResourceRecordSets", Some("carry out"));
    assert!(spans.iter().all(|span| span.service == "feed-dns" && span.failure.is_none()), "{spans:#?}");
}
