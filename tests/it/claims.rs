//! A route that cannot be served keeps its place, and a claim to a host and a path holds until its Ingress ends.

use feed_tests::{Feed, NginxBinary, Request, eventually};
use serde_json::{Value, json};

use crate::world::{World, everywhere, ingress, manifest};

/// A client that is on no allow list.
const STRANGER: [u8; 4] = [127, 0, 0, 5];

async fn status(feed: &Feed, host: &str, path: &str) -> u16 {
    feed.send(&Request::get(host, path).from_address(STRANGER)).await.unwrap().status
}

async fn wait_status(feed: &Feed, expected: u16, host: &str, path: &str) {
    eventually(&format!("{expected} for {host}{path}"), async || {
        let status = status(feed, host, path).await;
        if status == expected { Ok(()) } else { Err(status) }
    })
    .await;
}

/// An Ingress of one host, with paths `KIND PATH BACKEND`, where an empty backend names a Service that there is not.
fn paths(name: &str, class: &str, host: &str, allow: Option<&str>, paths: &[&str]) -> Value {
    let path = |line: &&str| {
        let [kind, path, backend] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        json!({"path": path, "pathType": kind, "backend": backend})
    };
    let paths: Vec<Value> = paths.iter().map(path).collect();
    let mut rule = json!({"http": {"paths": paths}});
    if !host.is_empty() {
        rule["host"] = json!(host);
    }
    let mut annotations = json!({"sky.uk/strip-path": "false"});
    if let Some(allow) = allow {
        annotations["sky.uk/allow"] = json!(allow);
    }
    ingress(name, class, json!({"metadata": {"annotations": annotations}, "spec": {"rules": [rule]}}))
}

/// The paths that are broken, on every kind of host, above a `/` of another Ingress that is not.
fn broken(class: &str) -> Vec<Value> {
    let mut objects = Vec::new();
    for (number, host) in HOSTS.iter().enumerate() {
        objects.push(paths(&format!("z-root-{number}"), class, host, None, &["Prefix / a"]));
        let missing = [
            "Exact /exact none",
            "Prefix /prefix none",
            "ImplementationSpecific /directory none",
            "Exact /both none",
            "Prefix /both b",
        ];
        objects.push(paths(&format!("b-missing-{number}"), class, host, None, &missing));
        let closed = [
            "Exact /closed/exact b",
            "Prefix /closed/prefix b",
            "ImplementationSpecific /closed/directory b",
        ];
        objects.push(paths(&format!("b-closed-{number}"), class, host, Some("10.0.0.0/8;::1"), &closed));
    }
    let port = json!({"service": {"name": "a", "port": {"number": 1}}});
    let resource = json!({"resource": {"apiGroup": "example.com", "kind": "Bucket", "name": "x"}});
    let other = |path: &str, backend: &Value| json!({"path": path, "pathType": "Prefix", "backend": backend});
    let rules = json!([
        {"host": HOSTS[0], "http": {"paths": [other("/port", &port), other("/resource", &resource)]}},
        {"host": "only.test", "http": {"paths": [other("/", &port)]}},
    ]);
    objects.push(ingress("other", class, json!({"spec": {"rules": rules}})));
    let default = json!({"spec": {"defaultBackend": "none", "rules": [{"host": "default.test"}]}});
    objects.push(ingress("default", class, default));
    objects
}

/// Of one, of a wildcard, and of those that nobody declared.
const HOSTS: [&str; 3] = ["shop.test", "*.shop.test", ""];

#[tokio::test]
async fn a_route_that_is_rejected_keeps_its_place() {
    let objects = |world: &World, _, class: &str| {
        let mut objects = world.services();
        objects.extend(broken(class));
        objects
    };
    everywhere(&[], objects, async |_, feed, source| {
        for host in ["shop.test", "any.shop.test", "undeclared.test"] {
            for (expected, paths) in [
                (
                    200,
                    &[
                        "/",
                        "/exact/",
                        "/exact/x",
                        "/prefixed",
                        "/closed",
                        "/closed/exact/",
                        "/closed/prefixed",
                        "/both/x",
                    ][..],
                ),
                (
                    503,
                    &[
                        "/exact",
                        "/prefix",
                        "/prefix/",
                        "/prefix/x",
                        "/directory",
                        "/directory/",
                        "/directory/x",
                        "/both",
                    ],
                ),
                (
                    403,
                    &[
                        "/closed/exact",
                        "/closed/prefix",
                        "/closed/prefix/x",
                        "/closed/directory",
                        "/closed/directory/x",
                    ],
                ),
            ] {
                for path in paths {
                    assert_eq!(status(feed, host, path).await, expected, "{source:?} {host}{path}");
                }
            }
        }
        for (host, path) in [
            ("shop.test", "/port"),
            ("shop.test", "/port/x"),
            ("shop.test", "/resource"),
            ("only.test", "/"),
            ("only.test", "/x"),
            ("default.test", "/x"),
        ] {
            assert_eq!(status(feed, host, path).await, 503, "{source:?} {host}{path}");
        }
        for (path, code) in [("/closed/prefix", "4xx"), ("/prefix", "5xx"), ("/directory/", "5xx")] {
            let sample =
                format!(r#"feed_ingress_ingress_requests{{host="shop.test",path="{path}",code="{code}"}}"#);
            eventually(&sample, async || {
                feed.metric(&sample).await.filter(|count| *count > 0.0).ok_or("not counted")
            })
            .await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_mistake_opens_nothing_and_what_is_mended_is_served_again() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = Feed::builder(&nginx).flag("--nginx-update-burst", "100");
        let admin =
            |allow: &str| manifest(&[paths("admin", "test", "shop.test", Some(allow), &["Prefix /admin b"])]);
        let services = |without: &str| {
            let services = world.services().into_iter();
            manifest(&services.filter(|service| service["metadata"]["name"] != without).collect::<Vec<_>>())
        };
        let public = manifest(&[paths("public", "test", "shop.test", None, &["Prefix / a"])]);
        let right = admin("10.0.0.0/8,192.168.0.0/16");
        let feed = feed
            .manifest("services.yaml", &services(""))
            .manifest("public.yaml", &public)
            .manifest("admin.yaml", &right)
            .ready()
            .await;
        let asked = || world.backends["a"].requests() + world.backends["b"].requests();
        assert_eq!(status(&feed, "shop.test", "/admin/users").await, 403);
        feed.write_manifest("admin.yaml", &admin("10.0.0.0/8;192.168.0.0/16"));
        // The list of those that are allowed is no longer known, so that not even this machine is.
        feed.wait_status(403, "shop.test", "/admin/users").await;
        let before = asked();
        assert_eq!(status(&feed, "shop.test", "/admin/users").await, 403);
        assert_eq!(asked(), before);
        assert_eq!(status(&feed, "shop.test", "/").await, 200);
        assert_eq!(status(&feed, "shop.test", "/administrator").await, 200);
        feed.write_manifest("admin.yaml", &right);
        feed.wait_served_by("b", "shop.test", "/admin/users").await;
        wait_status(&feed, 403, "shop.test", "/admin/users").await;

        feed.write_manifest("services.yaml", &services("b"));
        feed.wait_status(503, "shop.test", "/admin/users").await;
        assert_ne!(status(&feed, "shop.test", "/admin/users").await, 200);
        feed.write_manifest("services.yaml", &services(""));
        feed.wait_served_by("b", "shop.test", "/admin/users").await;
        wait_status(&feed, 403, "shop.test", "/admin/users").await;
    }
}

#[tokio::test]
async fn when_everything_is_refused_nothing_old_is_served() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let all = |allow: &str| {
        let mut objects = world.services();
        objects.push(paths("all", "test", "shop.test", Some(allow), &["Prefix / a"]));
        manifest(&objects)
    };
    let mut feed = Feed::builder(&nginx).manifest("all.yaml", &all("127.0.0.5")).ready().await;
    assert_eq!(status(&feed, "shop.test", "/").await, 200);
    feed.write_manifest("all.yaml", &all("127.0.0.6,"));
    wait_status(&feed, 403, "shop.test", "/").await;
    feed.kill();
    feed.start();
    feed.wait_ready().await;
    assert_eq!(status(&feed, "shop.test", "/").await, 403);
    assert_eq!(feed.status().await["routes"], 1);
}

/// The Service `b`, and an Ingress for `login.test` that leads to it, in a namespace.
fn team(world: &World, namespace: &str, created: &str, with_service: bool) -> String {
    let mut route = paths("web", "test", "login.test", None, &["Prefix / b", "Exact /exact b"]);
    route["metadata"]["namespace"] = json!(namespace);
    route["metadata"]["creationTimestamp"] = json!(created);
    let mut objects = vec![route];
    if with_service {
        let name = if namespace == "team-a" { "a" } else { "b" };
        let mut service = world.services().into_iter().find(|it| it["metadata"]["name"] == name).unwrap();
        service["metadata"] = json!({"name": "b", "namespace": namespace});
        objects.push(service);
    }
    manifest(&objects)
}

#[tokio::test]
async fn a_host_changes_hands_only_when_its_ingress_ends() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let older = |with_service: bool| team(&world, "team-a", "2024-01-01T00:00:00Z", with_service);
        let feed = Feed::builder(&nginx)
            .flag("--nginx-update-burst", "100")
            .manifest("a.yaml", &older(true))
            .manifest("b.yaml", &team(&world, "team-b", "2025-01-01T00:00:00Z", false))
            .manifest("c.yaml", &team(&world, "team-c", "2026-01-01T00:00:00Z", true))
            .ready()
            .await;
        feed.wait_served_by("a", "login.test", "/login").await;
        feed.write_manifest("a.yaml", &older(false));
        for path in ["/login", "/exact"] {
            feed.wait_status(503, "login.test", path).await;
        }
        let winners = async || {
            let status = feed.status().await;
            let of = |it: &&Value| it["code"] == "DuplicateRoute";
            let diagnostics = status["diagnostics"].as_array().unwrap().iter().filter(of);
            diagnostics.map(|it| it["related"]["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(winners().await, ["team-a/web"; 4]);
        assert!(!feed.log().contains("changes hands"), "{}", feed.log());

        feed.remove_manifest("a.yaml");
        eventually("the second claimant", async || {
            let winners = winners().await;
            if winners == ["team-b/web"; 2] { Ok(()) } else { Err(winners.join(" ")) }
        })
        .await;
        let line = "Host login.test changes hands from Ingress team-a/web to Ingress team-b/web of another namespace: /, /exact.";
        assert!(feed.log().contains(line), "{}", feed.log());
        for path in ["/login", "/exact"] {
            feed.wait_status(503, "login.test", path).await;
        }
        feed.write_manifest("b.yaml", &team(&world, "team-b", "2025-01-01T00:00:00Z", true));
        feed.wait_served_by("b", "login.test", "/login").await;
    }
}
