//! What nginx says of errors is in the log once.

use feed_tests::{Feed, FeedBuilder, NginxBinary, Request, eventually};
use serde_json::{Value, json};

use crate::world::{World, manifest, route};

fn serving(nginx: &NginxBinary, world: &World) -> FeedBuilder {
    let mut objects = world.services();
    let mut ingress = route("a", "test", "a.test", "a");
    ingress["metadata"]["annotations"] = json!({"sky.uk/allow": "192.0.2.1"});
    objects.push(ingress);
    Feed::builder(nginx).manifest("all.yaml", &manifest(&objects)).flag("--nginx-update-burst", "100")
}

/// Has each path refused, and a last one that is waited for: what is said of the others is there by then.
async fn each_is_said_once(feed: &Feed, round: &str) {
    let paths: Vec<String> = (0..20).map(|number| format!("/{round}-{number}-")).collect();
    let refused = async |path: &str| {
        let request = Request::get("a.test", path).from_address([127, 0, 0, 5]);
        assert_eq!(feed.send(&request).await.unwrap().status, 403);
    };
    for path in &paths {
        refused(path).await;
    }
    for last in ["last", "very-last"] {
        let path = format!("/{round}-{last}");
        refused(&path).await;
        eventually("the log has the last line", async || {
            if feed.log().contains(&path) { Ok(()) } else { Err(feed.log()) }
        })
        .await;
    }
    for path in &paths {
        assert_eq!(feed.log().matches(path.as_str()).count(), 1, "{path}: {}", feed.log());
    }
}

#[tokio::test]
async fn each_error_is_one_line_through_reloads_and_deaths() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let mut feed = serving(&nginx, &world).ready().await;
        each_is_said_once(&feed, "first").await;
        let mut objects = world.services();
        objects.push(route("b", "test", "b.test", "b"));
        feed.write_manifest("more.yaml", &manifest(&objects[objects.len() - 1..]));
        feed.wait_served_by("b", "b.test", "/").await;
        each_is_said_once(&feed, "reloaded").await;

        let master = feed.nginx_master();
        master.kill();
        eventually("another master", async || match feed.nginx_masters()[..] {
            [new] if new != master => Ok(()),
            ref masters => Err(format!("{masters:?}")),
        })
        .await;
        feed.wait_ready().await;
        each_is_said_once(&feed, "started-again").await;

        feed.kill();
        feed.start();
        feed.wait_ready().await;
        each_is_said_once(&feed, "taken-over").await;
    }
}

#[tokio::test]
async fn a_backend_that_refuses_is_one_line_of_json() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let gone = feed_tests::free_port();
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "default", "name": "gone"},
        "spec": {"clusterIP": "127.0.0.1", "ports": [{"name": "http", "port": gone}]},
    });
    let objects = [service, route("gone", "test", "gone.test", "gone")];
    let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects));
    let feed = feed.flag("--log-format", "json").ready().await;
    drop(world);
    for path in ["/one", "/two", "/three", "/last"] {
        assert_eq!(feed.get("gone.test", path).await.status, 502);
    }
    let said = |path: &str| -> usize {
        let lines =
            feed.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>();
        let is_it = |line: &&Value| {
            line["nginx"] == "error" && line["message"].as_str().unwrap().contains(&format!("GET {path} "))
        };
        lines.iter().filter(is_it).count()
    };
    eventually(
        "the log has the last line",
        async || if said("/last") > 0 { Ok(()) } else { Err(feed.log()) },
    )
    .await;
    for path in ["/one", "/two", "/three"] {
        assert_eq!(said(path), 1, "{path}: {}", feed.log());
    }
}

#[tokio::test]
async fn without_the_socket_no_line_is_lost() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let feed = serving(&nginx, &world).ready().await;
    std::fs::remove_file(feed.workdir().join("errors.sock")).unwrap();
    let mut objects = world.services();
    objects.push(route("b", "test", "b.test", "b"));
    feed.write_manifest("more.yaml", &manifest(&objects[objects.len() - 1..]));
    feed.wait_served_by("b", "b.test", "/").await;
    each_is_said_once(&feed, "without").await;
}
