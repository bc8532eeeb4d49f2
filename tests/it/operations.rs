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
