//! What operators see and count on.

use feed_tests::{Feed, NginxBinary, Request, eventually};
use serde_json::{Value, json};

use crate::world::{World, manifest, route};

fn labelled(label: &str, annotation: &str) -> Value {
    let mut ingress = route("a", "test", "a.test", "a");
    ingress["metadata"]["labels"] = json!({"label": label});
    ingress["metadata"]["annotations"] = json!({"sky.uk/backend-timeout-seconds": annotation});
    ingress
}

/// A manifest of all Services and one Ingress.
fn with(world: &World, ingress: Value) -> String {
    let mut objects = world.services();
    objects.push(ingress);
    manifest(&objects)
}

#[tokio::test]
async fn what_is_served_does_not_change_and_nothing_is_reloaded() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let feed = Feed::builder(&nginx).manifest("all.yaml", &with(&world, labelled("old", "60"))).ready().await;
    let (reloads, configuration) = (feed.metric("feed_ingress_reloads").await, feed.configuration());
    // The diagnostic shows that feed has seen the change; the default is what the annotation said before.
    feed.write_manifest("all.yaml", &with(&world, labelled("new", "wrong")));
    eventually("the diagnostic", async || {
        let diagnostics = feed.status().await["diagnostics"].to_string();
        if diagnostics.contains("InvalidAnnotation") { Ok(()) } else { Err(diagnostics) }
    })
    .await;
    assert_eq!((feed.metric("feed_ingress_reloads").await, feed.configuration()), (reloads, configuration));
}

#[tokio::test]
async fn metrics_have_the_names_that_users_know() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let feed =
        Feed::builder(&nginx).manifest("all.yaml", &with(&world, labelled("label", "60"))).ready().await;
    assert_eq!(feed.get("a.test", "/").await.status, 200);
    let metrics = feed.metrics().await;
    for name in [
        "nginx_connections",
        "nginx_connections_waiting",
        "nginx_connections_writing",
        "nginx_connections_reading",
        "nginx_accepts",
        "nginx_handled",
        "nginx_requests",
        "reloads",
        "unhealthy_time",
    ] {
        let sample = format!("feed_ingress_{name}");
        assert!(metrics.contains(&format!("# HELP {sample} ")), "{name} is not described: {metrics}");
        assert!(metrics.contains(&format!("# TYPE {sample} ")), "{name} has no type: {metrics}");
        eventually(&format!("{name} has a value"), async || feed.metric(&sample).await.ok_or("none")).await;
    }
    let open_metrics = Request::get("localhost", "/metrics").header("Accept", "application/openmetrics-text");
    let open_metrics = open_metrics.send(feed.admin_address()).await.unwrap();
    assert!(open_metrics.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(open_metrics.text().ends_with("# EOF\n"));
}

#[tokio::test]
async fn idle_clients_are_counted_as_waiting() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed =
            Feed::builder(&nginx).manifest("all.yaml", &with(&world, labelled("label", "60"))).ready().await;
        let request = Request::get("a.test", "/");
        let mut idle = Vec::new();
        for _ in 0..12 {
            let mut connection = request.connect(feed.address()).await.unwrap();
            assert_eq!(connection.send(&request).await.unwrap().status, 200);
            idle.push(connection);
        }
        let waiting = async |expected: f64| {
            eventually("the idle clients are counted", async || {
                match feed.metric("feed_ingress_nginx_connections_waiting").await {
                    Some(waiting) if (waiting - expected).abs() < 0.5 => Ok(()),
                    other => Err(format!("{other:?}")),
                }
            })
            .await;
        };
        waiting(12.0).await;
        drop(idle);
        waiting(0.0).await;
    }
}

#[tokio::test]
async fn a_line_of_the_log_says_what_was_computed_and_why_a_configuration_goes_out() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let feed = Feed::builder(&nginx).manifest("all.yaml", &with(&world, labelled("label", "60")));
    let feed = feed.flag("--log-format", "json").ready().await;
    let mut objects = world.services();
    objects.extend([labelled("label", "wrong"), route("b", "test", "b.test", "b")]);
    feed.write_manifest("all.yaml", &manifest(&objects));
    feed.wait_served_by("b", "b.test", "/").await;
    let lines =
        || -> Vec<Value> { feed.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect() };
    let said = |message: &str| -> Vec<Value> {
        lines().into_iter().filter(|line| line["message"] == message).collect()
    };
    let computed = said("Computed what is to be served.");
    let numbers = |line: &Value| {
        ["ingresses", "routes", "errors", "warnings"].map(|field| line[field].as_u64().unwrap())
    };
    assert_eq!(computed.iter().map(numbers).collect::<Vec<_>>(), [[1, 1, 0, 0], [2, 2, 0, 1]]);
    let reasons = said("A new configuration goes out.");
    let ingresses: Vec<_> = reasons.iter().map(|line| line["ingresses"].as_str().unwrap()).collect();
    assert_eq!(ingresses, ["default/a", "default/b"]);
}

/// What nginx says of a backend that is away comes at its level, as JSON, with who said it.
#[tokio::test]
async fn nginxs_own_errors_are_in_the_log() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let away = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "away"},
        "spec": {"clusterIP": "127.0.0.1", "ports": [{"name": "http", "port": feed_tests::free_port()}]},
    });
    let objects = manifest(&[away, route("a", "test", "a.test", "away")]);
    let feed =
        Feed::builder(&nginx).manifest("all.yaml", &objects).flag("--log-format", "json").ready().await;
    assert_eq!(feed.get("a.test", "/").await.status, 502);
    let line = eventually("nginx's line is there", async || {
        let log = feed.log();
        let mut lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.rfind(|line| line["nginx"] == "error").ok_or(log.clone())
    })
    .await;
    assert_eq!(line["level"], "ERROR");
    assert!(line["message"].as_str().unwrap().contains("Connection refused"), "{line}");
    assert!(
        feed.nginx_workers().iter().any(|worker| i64::from(worker.0) == line["pid"].as_i64().unwrap()),
        "{line}"
    );
}

#[tokio::test]
async fn a_feed_that_serves_is_healthy_ready_and_alive() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let feed = Feed::builder(&nginx).ready().await;
    for page in ["/health", "/readiness", "/alive"] {
        assert_eq!(feed.admin(page).await.unwrap().status, 200, "{page}");
    }
    assert_eq!(feed.admin("/health").await.unwrap().text().trim_end(), "ok");
    assert_eq!(feed.admin("/nothing").await.unwrap().status, 404);
    let status = feed.status().await;
    for field in ["generation", "age_seconds", "routes", "diagnostics", "frontends", "reloads"] {
        assert!(status.get(field).is_some(), "{field} is not in {status}");
    }
}
