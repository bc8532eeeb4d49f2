//! The API server is away, or has forgotten what feed has seen.

use std::time::{Duration, Instant};

use feed_tests::{ControlPlane, Feed, Namespace, NginxBinary, eventually};
use nix::sys::signal::Signal;

use crate::world::{World, manifest, route};

/// `a.test` leads to `a`.
fn apply_a(namespace: &Namespace<'_>, world: &World) {
    let mut objects = world.services();
    objects.push(route("a", namespace.name(), "a.test", "a"));
    namespace.apply(&manifest(&objects));
}

fn apply_route(namespace: &Namespace<'_>, host: &str, backend: &str) {
    namespace.apply(&manifest(&[route(backend, namespace.name(), host, backend)]));
}

#[tokio::test]
async fn a_minute_without_the_api_server_is_not_noticed_by_clients() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let Some(control_plane) = ControlPlane::start().await else { return };
    let world = World::start().await;
    let namespace = control_plane.namespace().await;
    apply_a(&namespace, &world);
    let feed = Feed::builder(&nginx).kubernetes(&namespace).ready().await;
    control_plane.kill_api_server();
    let start = Instant::now();
    while start.elapsed() < Duration::from_mins(1) {
        assert_eq!(feed.get("a.test", "/").await.echo().backend, "a");
        for page in ["/health", "/readiness", "/alive"] {
            let response = feed.admin(page).await.unwrap();
            assert_eq!(response.status, 200, "{page}: {}", response.text());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    control_plane.start_api_server().await;
    apply_route(&namespace, "b.test", "b");
    feed.wait_served_by("b", "b.test", "/").await;
}

#[tokio::test]
async fn a_start_without_the_api_server_waits_for_it() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let Some(control_plane) = ControlPlane::start().await else { return };
    let world = World::start().await;
    let namespace = control_plane.namespace().await;
    apply_a(&namespace, &world);
    control_plane.kill_api_server();
    let feed = Feed::builder(&nginx).kubernetes(&namespace).spawn();
    eventually("it answers that it is not ready", async || match feed.admin("/readiness").await {
        Ok(response) if response.status == 503 => Ok(()),
        Ok(response) => Err(response.status.to_string()),
        Err(error) => Err(error.to_string()),
    })
    .await;
    control_plane.start_api_server().await;
    feed.wait_ready().await;
    feed.wait_served_by("a", "a.test", "/").await;
}

#[tokio::test]
async fn an_expired_watch_is_listed_again() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let Some(control_plane) = ControlPlane::start().await else { return };
    let world = World::start().await;
    let namespace = control_plane.namespace().await;
    apply_a(&namespace, &world);
    apply_route(&namespace, "b.test", "b");
    let feed = Feed::builder(&nginx).kubernetes(&namespace).ready().await;

    // While feed sleeps one route comes and one goes, and both the API server and etcd forget that it happened.
    feed.signal(Signal::SIGSTOP);
    namespace.kubectl(&["delete", "ingress", "b"], "");
    apply_route(&namespace, "c.test", "c");
    control_plane.kill_api_server();
    control_plane.compact().await;
    control_plane.start_api_server().await;
    feed.signal(Signal::SIGCONT);

    feed.wait_served_by("c", "c.test", "/").await;
    feed.wait_status(404, "b.test", "/").await;
    feed.wait_served_by("a", "a.test", "/").await;
}
