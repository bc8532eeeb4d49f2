//! The metrics of a running system, as parsers understand them that owe nothing to feed, and as the README promises them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use crate::world::{World, manifest, route};
use feed_tests::{
    ControlPlane, Family, Feed, NginxBinary, Request, ScriptedGateway, eventually, free_port, parse_metrics,
    promtool_complaints,
};

const README: &str = include_str!("../../README.md");

/// The README's table of metrics: for each its type, and its labels' names.
fn promised() -> BTreeMap<String, (String, BTreeSet<String>)> {
    let rows = README.lines().skip_while(|line| !line.starts_with("| metric | type ")).skip(2);
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

/// What a parser of Prometheus's text format has found, in the same form.
fn found(families: &[Family]) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let own = families.iter().map(|family| {
        let name = family.name.strip_prefix("feed_ingress_").unwrap_or(&family.name);
        // The parser drops the suffix of a counter, and knows what is untyped as unknown.
        let (suffix, kind) = match family.kind.as_str() {
            "counter" => ("_total", "counter"),
            "unknown" => ("", "untyped"),
            other => ("", other),
        };
        let labels = family.samples.iter().flat_map(|(_, labels, _)| labels.keys());
        let labels = labels.filter(|label| *label != "le").cloned().collect();
        (format!("{name}{suffix}"), (kind.to_owned(), labels))
    });
    own.collect()
}

/// A feed that does everything there is a metric for; it finds no AWS.
async fn complete(nginx: &NginxBinary, world: &World, gateway: &ScriptedGateway) -> Option<Feed> {
    let namespace = ControlPlane::shared().await?.namespace().await;
    namespace
        .apply(&manifest(&[world.services(), vec![route("a", namespace.name(), "a.test", "a")]].concat()));
    let feed = Feed::builder(nginx).command("elb").flag("--elb-frontend-tag-value", "none");
    let feed = feed.flag("--instance-id", "i-0").variable("AWS_ACCESS_KEY_ID", "a");
    let feed = feed.variable("AWS_SECRET_ACCESS_KEY", "secret");
    let feed = feed.variable("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{}", free_port()));
    let feed = feed.flag("--lease-namespace", namespace.name()).flag("--pushgateway", &gateway.url());
    let pair = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    fs::write(pair.path().join("tls.crt"), made.cert.pem()).unwrap();
    fs::write(pair.path().join("tls.key"), made.signing_key.serialize_pem()).unwrap();
    let feed = feed.flag("--ssl-path", pair.path().join("tls").to_str().unwrap());
    let feed = feed.flag("--ingress-https-port", &free_port().to_string());
    let feed = feed.kubernetes(&namespace).spawn();
    feed.wait_served_by("a", "a.test", "/").await;
    let confirmed = async || feed.metric("feed_ingress_configuration_age_seconds").await.ok_or("not yet");
    eventually("that is confirmed", confirmed).await;
    Some(feed)
}

#[tokio::test]
async fn every_metric_is_there_with_the_type_and_labels_that_the_readme_says() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let (world, gateway) = (World::start().await, ScriptedGateway::start(Some((200, ""))).await);
    let Some(feed) = complete(&nginx, &world, &gateway).await else { return };
    eventually("every metric is there", async || {
        let Some(families) = parse_metrics("text", &feed.metrics().await) else { return Ok(()) };
        let (found, promised) = (found(&families.unwrap()), promised());
        if found == promised {
            Ok(())
        } else {
            let missing: Vec<_> = promised.iter().filter(|metric| !found.contains_key(metric.0)).collect();
            let other: Vec<_> =
                found.iter().filter(|(name, as_is)| promised.get(*name) != Some(as_is)).collect();
            Err(format!("missing or otherwise: {missing:#?}, found: {other:#?}"))
        }
    })
    .await;
}

#[tokio::test]
async fn promtool_and_a_parser_of_openmetrics_find_nothing_wrong() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let (world, gateway) = (World::start().await, ScriptedGateway::start(Some((200, ""))).await);
    let Some(feed) = complete(&nginx, &world, &gateway).await else { return };
    eventually("AWS was asked", async || {
        feed.metrics().await.contains("feed_ingress_aws_requests_total{").then_some(()).ok_or("not yet")
    })
    .await;
    let text = feed.metrics().await;
    if let Some(complaints) = promtool_complaints(&text) {
        assert_eq!(complaints, "", "{text}");
    }
    let request = Request::get("localhost", "/metrics").header("Accept", "application/openmetrics-text");
    let open_metrics = request.send(feed.admin_address()).await.unwrap().text();
    let (Some(from_text), Some(from_open_metrics)) =
        (parse_metrics("text", &text), parse_metrics("openmetrics", &open_metrics))
    else {
        return;
    };
    let names = |families: Result<Vec<Family>, String>| -> BTreeMap<String, String> {
        let families = families.unwrap_or_else(|error| panic!("{error}\n{open_metrics}"));
        families.into_iter().map(|family| (family.name, family.kind)).collect()
    };
    assert_eq!(names(from_text), names(from_open_metrics));
}

#[tokio::test]
async fn after_known_traffic_every_count_is_exact() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let mut objects = [world.services(), vec![route("a", "test", "a.test", "a")]].concat();
    let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects)).ready().await;
    for _ in 0..3 {
        assert_eq!(feed.get("a.test", "/").await.status, 200);
    }
    assert_eq!(feed.get("unknown.test", "/").await.status, 404);
    let mut second = route("b", "test", "b.test", "b");
    second["metadata"]["annotations"] = serde_json::json!({"sky.uk/strip-path": "perhaps"});
    objects.push(second);
    feed.write_manifest("all.yaml", &manifest(&objects));

    let endpoint = world.backends["a"].address();
    let expected = [
        ("reloads", "1"),
        (r#"reload_outcomes_total{outcome="confirmed"}"#, "1"),
        (r#"reload_outcomes_total{outcome="refused"}"#, "0"),
        (r#"reload_outcomes_total{outcome="timed_out"}"#, "0"),
        (r#"reload_outcomes_total{outcome="failed"}"#, "0"),
        ("reload_duration_seconds_count", "1"),
        ("change_to_serving_seconds_count", "2"),
        ("configuration_generation", "2"),
        ("configuration_routes", "2"),
        ("quarantined_ingresses", "0"),
        ("frontends_attached", "0"),
        ("frontends_expected", "0"),
        (r#"diagnostics{code="InvalidAnnotation",severity="warning"}"#, "1"),
        (r#"diagnostics{code="DuplicateRoute",severity="error"}"#, "0"),
        (r#"ingress_requests{host="a.test",path="/",code="2xx"}"#, "3"),
        (r#"ingress_requests{host="*",path="none",code="4xx"}"#, "1"),
        (r#"ingress_request_duration_seconds_count{host="a.test",path="/"}"#, "3"),
    ];
    eventually("every count is what it should be", async || {
        let metrics = feed.metrics().await;
        let has = |(sample, value): &(&str, &str)| {
            metrics.lines().any(|line| line == format!("feed_ingress_{sample} {value}"))
        };
        let wrong: Vec<_> = expected.iter().filter(|sample| !has(sample)).collect();
        if wrong.is_empty() { Ok(()) } else { Err(format!("{wrong:#?} of {metrics}")) }
    })
    .await;
    let metrics = feed.metrics().await;
    let of_endpoint: Vec<&str> = metrics
        .lines()
        .filter(|line| line.contains(&format!("endpoint=\"{endpoint}\",code=\"2xx\"")))
        .collect();
    assert!(matches!(of_endpoint[..], [line] if line.ends_with(" 3")), "{of_endpoint:?}");
    // feed itself asks on the status port, so that only a least number is known of all connections and requests.
    eventually("nginx's own numbers are there", async || {
        let value = async |name: &str| feed.metric(&format!("feed_ingress_{name}")).await.unwrap_or_default();
        let (requests, accepts) = (value("nginx_requests").await, value("nginx_accepts").await);
        let (handled, connections) = (value("nginx_handled").await, value("nginx_connections").await);
        let right = requests >= 4.0 && accepts >= 4.0 && handled >= 4.0 && connections >= 1.0;
        if right { Ok(()) } else { Err(format!("{requests} {accepts} {handled} {connections}")) }
    })
    .await;
}

/// These must be able to fail.
#[test]
fn the_checkers_complain_of_what_is_wrong() {
    if let Some(complaints) = promtool_complaints("# TYPE a counter\na 1\n") {
        assert!(complaints.contains("counter metrics should have \"_total\" suffix"), "{complaints}");
    }
    for (format, text) in [("text", "a{b=\"c} 1\n"), ("openmetrics", "# TYPE a counter\na_total 1\n")] {
        if let Some(parsed) = parse_metrics(format, text) {
            assert!(parsed.is_err(), "{format}: {parsed:?}");
        }
    }
}
