//! An Ingress that nginx refuses is kept away, and everybody else's changes go on.

use feed_tests::{ControlPlane, Feed, NginxBinary, eventually};
use nix::sys::signal::Signal;
use serde_json::Value;

use super::{CLASS, FILE, routes, serving_a};
use crate::world::{World, ingress, manifest, route};

/// With buckets of this size nginx refuses a long host, without saying where it stands.
const SMALL_BUCKETS: [&str; 2] = ["--nginx-server-names-hash-bucket-size", "64"];

const LONG: &str = "a-label-of-some-forty-characters-to-fill-it.another-label-of-the-same-sort.test";

async fn wait_quarantined(feed: &Feed, name: &str) -> Value {
    eventually("the Ingress at fault is found, and no other", async || {
        let status = feed.status().await;
        let quarantine = |it: &&Value| ["Quarantined", "HeldBack"].contains(&it["code"].as_str().unwrap());
        let held: Vec<Value> =
            status["diagnostics"].as_array().unwrap().iter().filter(quarantine).cloned().collect();
        match &held[..] {
            [one]
                if one["code"] == "Quarantined"
                    && one["object"]["name"].as_str().unwrap().ends_with(name) =>
            {
                Ok(one.clone())
            }
            _ => Err(format!("{held:?}")),
        }
    })
    .await
}

#[tokio::test]
async fn the_one_at_fault_is_found_without_a_line_and_the_others_are_served() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let mut feed = serving_a(&nginx, &world).flag(SMALL_BUCKETS[0], SMALL_BUCKETS[1]).ready().await;
        let hosts = ["b.test", "c.test", "d.test", "e.test", "f.test"];
        let mut wanted = vec![("a.test", "b"), (LONG, "b")];
        wanted.extend(hosts.iter().map(|host| (*host, "b")));
        feed.write_manifest(FILE, &routes(&world, &wanted));
        let diagnostic = wait_quarantined(&feed, LONG).await;
        assert!(
            diagnostic["message"].as_str().unwrap().contains("server_names_hash"),
            "nginx's words: {diagnostic}"
        );
        for host in ["a.test"].iter().chain(&hosts) {
            feed.wait_served_by("b", host, "/").await;
        }
        assert_eq!(feed.get(LONG, "/").await.status, 404);
        assert_eq!(feed.metric("feed_ingress_quarantined_ingresses").await, Some(1.0));
        eventually("it is healthy", async || match feed.admin("/health").await.unwrap() {
            health if health.status == 200 => Ok(()),
            health => Err(health.text()),
        })
        .await;

        eventually("all of it is confirmed", async || {
            let routes = feed.metric("feed_ingress_configuration_routes").await;
            if routes == Some(6.0) { Ok(()) } else { Err(format!("{routes:?}")) }
        })
        .await;

        // A restart knows, and goes on without a reload.
        let configuration = feed.configuration();
        feed.kill();
        feed.start();
        feed.wait_ready().await;
        wait_quarantined(&feed, LONG).await;
        assert_eq!(feed.configuration(), configuration);
        assert_eq!(feed.metric("feed_ingress_reloads").await, Some(0.0));

        wanted[1].0 = "short.test";
        feed.write_manifest(FILE, &routes(&world, &wanted));
        feed.wait_served_by("b", "short.test", "/").await;
        assert_eq!(feed.metric("feed_ingress_quarantined_ingresses").await, Some(0.0));
    }
}

#[tokio::test]
async fn a_pod_that_begins_is_ready_when_all_but_the_one_at_fault_are_served() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let hosts = [("a.test", "a"), (LONG, "b"), ("b.test", "b"), ("c.test", "c")];
    let feed = serving_a(&nginx, &world).manifest(FILE, &routes(&world, &hosts));
    let feed = feed.flag(SMALL_BUCKETS[0], SMALL_BUCKETS[1]).ready().await;
    wait_quarantined(&feed, LONG).await;
    for (host, backend) in [("a.test", "a"), ("b.test", "b"), ("c.test", "c")] {
        assert_eq!(feed.get(host, "/").await.echo().backend, backend);
    }
}

#[tokio::test]
async fn the_last_version_that_nginx_took_stays_and_an_event_says_so() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::shared().await) else {
        return;
    };
    let world = World::start().await;
    let namespace = control_plane.namespace().await;
    let class = namespace.name();
    let mut objects = world.services();
    objects.push(route("changing", class, "a.test", "a"));
    namespace.apply(&manifest(&objects));
    let feed = Feed::builder(&nginx).kubernetes(&namespace).flag(SMALL_BUCKETS[0], SMALL_BUCKETS[1]);
    let mut feed = feed.flag("--nginx-update-burst", "100").ready().await;
    namespace.apply(&manifest(&[route("changing", class, LONG, "b"), route("other", class, "b.test", "b")]));
    wait_quarantined(&feed, "changing").await;
    feed.wait_served_by("b", "b.test", "/").await;
    feed.wait_served_by("a", "a.test", "/").await;
    eventually("kubectl shows it", async || {
        let described = namespace.kubectl(&["describe", "ingress", "changing"], "");
        if described.contains("Quarantined") { Ok(()) } else { Err(described) }
    })
    .await;
    feed.signal(Signal::SIGINT);
    assert!(feed.wait_exit(std::time::Duration::from_secs(20)).await.success());
}

/// A template without the maps that stripping needs: nginx refuses what strips, and names the line.
fn template_that_cannot_strip() -> String {
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/nginx.conf.j2");
    let text = std::fs::read_to_string(built_in).unwrap();
    let (before, rest) = text.split_once("{%- for depth in strip_depths %}").unwrap();
    format!("{before}{}", rest.split_once("{%- endfor %}").unwrap().1)
}

#[tokio::test]
async fn one_that_nginx_never_took_keeps_its_paths() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let template = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(template.path(), template_that_cannot_strip()).unwrap();
    let admin = |strip: &str| {
        let path = serde_json::json!({"path": "/admin", "pathType": "Prefix", "backend": "b"});
        let rules = serde_json::json!([{"host": "a.test", "http": {"paths": [path]}}]);
        let annotations = serde_json::json!({"sky.uk/strip-path": strip});
        let spec = serde_json::json!({"metadata": {"annotations": annotations}, "spec": {"rules": rules}});
        manifest(&[ingress("admin", CLASS, spec)])
    };
    let feed =
        serving_a(&nginx, &world).flag("--nginx-template", template.path().to_str().unwrap()).ready().await;
    feed.write_manifest("admin.yaml", &admin("true"));
    let diagnostic = wait_quarantined(&feed, "admin").await;
    assert!(diagnostic["message"].as_str().unwrap().contains("its paths answer 503"), "{diagnostic}");
    for path in ["/admin", "/admin/x"] {
        feed.wait_status(503, "a.test", path).await;
    }
    assert_eq!(feed.get("a.test", "/").await.echo().backend, "a");
    feed.write_manifest("admin.yaml", &admin("false"));
    feed.wait_served_by("b", "a.test", "/admin/x").await;
}

/// What begins in a cluster where an Ingress is at fault.
fn among_many(world: &World) -> Vec<(String, &'static str)> {
    let mut wanted: Vec<(String, &str)> = (0..12).map(|number| (format!("h{number}.test"), "b")).collect();
    wanted.insert(7, (LONG.to_owned(), "b"));
    assert!(world.backends.contains_key("b"));
    wanted
}

fn written(world: &World, wanted: &[(String, &str)]) -> String {
    routes(world, &wanted.iter().map(|(host, backend)| (host.as_str(), *backend)).collect::<Vec<_>>())
}

#[tokio::test]
async fn a_search_goes_on_after_a_restart_in_its_midst() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    // Slow enough to be met in the midst of it.
    let feed = Feed::builder(&nginx).manifest(FILE, &routes(&world, &[("a.test", "a")]));
    let feed = feed.flag("--nginx-update-burst", "2").flag("--nginx-update-period", "1s");
    let mut feed = feed.flag(SMALL_BUCKETS[0], SMALL_BUCKETS[1]).ready().await;
    let master = feed.nginx_master();
    let wanted = among_many(&world);
    feed.write_manifest(FILE, &written(&world, &wanted));
    eventually("the search is under way", async || {
        let diagnostics = feed.status().await["diagnostics"].to_string();
        if diagnostics.contains("HeldBack") { Ok(()) } else { Err(diagnostics) }
    })
    .await;
    feed.kill();
    feed.start();
    feed.wait_ready().await;
    wait_quarantined(&feed, LONG).await;
    for (host, _) in wanted.iter().filter(|(host, _)| host != LONG) {
        feed.wait_served_by("b", host, "/").await;
    }
    assert_eq!(feed.nginx_master(), master);
}

#[tokio::test]
async fn a_pod_that_begins_in_a_busy_cluster_does_not_wait_for_its_tokens_to_be_ready() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let mut wanted = among_many(&world);
    let feed = Feed::builder(&nginx).manifest(FILE, &written(&world, &wanted));
    let mut feed = feed.flag(SMALL_BUCKETS[0], SMALL_BUCKETS[1]).build();
    feed.start();
    let mut number = 0;
    // With a change of somebody else's before anything can be confirmed.
    eventually("it is ready", async || {
        number += 1;
        wanted.push((format!("busy-{number}.test"), "b"));
        feed.write_manifest(FILE, &written(&world, &wanted));
        match feed.admin("/readiness").await {
            Ok(response) if response.status == 200 => Ok(()),
            Ok(response) => Err(response.text()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    for (host, _) in among_many(&world).iter().filter(|(host, _)| host != LONG) {
        assert_eq!(feed.get(host, "/").await.status, 200, "{host}");
    }
    wait_quarantined(&feed, LONG).await;
}
