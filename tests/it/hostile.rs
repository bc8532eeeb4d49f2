//! Ingresses of somebody who would like to write nginx's configuration, or to break it for everybody else.

use feed_tests::{ControlPlane, Feed, NginxBinary};
use serde_json::{Value, json};

use crate::world::{World, ingress, manifest, route};

/// What must not become configuration: were it to, `pwned.test` would answer.
const INJECTION: &str = r#"/a;} location / { return 200 pwned; } } server { listen 80; server_name pwned.test; return 200 "pwned"; }"#;

/// Paths that the API server accepts, all of them.
fn paths() -> Vec<String> {
    let mut paths: Vec<String> = [
        "/a;}\n\"'$x\\ {",
        "/$host",
        "/a b",
        "/\"",
        "/'",
        "/{",
        "/}",
        "/;",
        "/#",
        "/\\",
        "/%",
        "/%zz",
        "/%00",
        "/a\tb",
        "/\u{e9}",
        "/~",
        "/= /x",
        "/^~ /x",
        "/include /etc/passwd;",
        "/\r\nx",
        "/${uri}",
        "/{{ 7 }}",
        "/%s%n%d",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.push(INJECTION.to_owned());
    paths.push(format!("/{}", "x".repeat(5_000)));
    paths
}

fn rule(host: &str, path: &str, path_type: &str) -> Value {
    json!({"host": host, "http": {"paths": [{"path": path, "pathType": path_type, "backend": "a"}]}})
}

/// One Ingress for each hostile path, and one that is innocent.
fn hostile_paths(class: &str) -> Vec<Value> {
    let mut objects = vec![route("innocent", class, "innocent.test", "b")];
    for (number, path) in paths().iter().enumerate() {
        for path_type in ["Exact", "Prefix", "ImplementationSpecific"] {
            let name = format!("path-{number}-{}", path_type.to_lowercase());
            let spec = json!({"spec": {"rules": [rule(&format!("{name}.test"), path, path_type), rule(&format!("{name}.test"), "/good", "Exact")]}});
            objects.push(ingress(&name, class, spec));
        }
    }
    objects
}

fn hostile_annotations(class: &str) -> Vec<Value> {
    let names = [
        "allow",
        "strip-path",
        "exact-path",
        "backend-timeout-seconds",
        "backend-keepalive-seconds",
        "backend-max-connections",
        "backend-connection-keepalive",
        "backend-max-requests-per-connection",
        "proxy-buffer-size-in-kb",
        "proxy-buffer-blocks",
        "frontend-scheme",
    ];
    let values = [
        "",
        "-1",
        "0",
        "99999999999999999999",
        "1; return 200 pwned;",
        "}\n{",
        "\u{0}",
        "$host",
        "%s%n",
        "1e9",
        " 1 ",
    ];
    let mut objects = Vec::new();
    for (number, name) in names.iter().enumerate() {
        for (other, value) in values.iter().enumerate() {
            let id = format!("annotation-{number}-{other}");
            let mut annotations = json!({});
            annotations[format!("sky.uk/{name}")] = json!(value);
            let spec = json!({"metadata": {"annotations": annotations}, "spec": {"rules": [rule(&format!("{id}.test"), "/good", "Prefix")]}});
            objects.push(ingress(&id, class, spec));
        }
    }
    objects
}

async fn check_unharmed(feed: &Feed) {
    assert_eq!(feed.get("innocent.test", "/").await.echo().backend, "b");
    for host in ["pwned.test", "nobody.test"] {
        // A default backend that leads nowhere answers for them, if there is one.
        let status = feed.get(host, "/").await.status;
        assert!([404, 503].contains(&status), "{host}: {status}");
    }
    // Nothing of a path is left out or let in but by its own rule: the good path of the same host is served.
    for number in 0..paths().len() {
        for path_type in ["exact", "prefix", "implementationspecific"] {
            let host = format!("path-{number}-{path_type}.test");
            let response = feed.get(&host, "/good").await;
            assert_eq!(response.status, 200, "{host}: {:?}", paths()[number]);
            assert_ne!(feed.get(&host, "/").await.text(), "pwned");
        }
    }
    let health = feed.admin("/health").await.unwrap();
    assert_eq!(health.status, 200, "{}", health.text());
}

#[tokio::test]
async fn through_the_api_server() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let Some(control_plane) = ControlPlane::shared().await else { return };
    let world = World::start().await;
    let namespace = control_plane.namespace().await;
    let mut objects = world.services();
    objects.extend(hostile_paths(namespace.name()));
    objects.extend(hostile_annotations(namespace.name()));
    namespace.kubectl(&["create", "-f", "-"], &manifest(&objects));
    let feed = Feed::builder(&nginx).kubernetes(&namespace).ready().await;
    check_unharmed(&feed).await;
}

#[tokio::test]
async fn from_manifests_where_nothing_is_checked_before() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let mut objects = world.services();
        objects.extend(hostile_paths("test"));
        objects.extend(hostile_annotations("test"));
        objects.extend(strange_shapes("test"));
        let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects)).ready().await;
        check_unharmed(&feed).await;
    }
}

/// What an API server would refuse, or what no person would write.
fn strange_shapes(class: &str) -> Vec<Value> {
    let hosts = [
        "",
        "*",
        "*.",
        "**.test",
        "a..test",
        "-a.test",
        "A.test",
        "a_b.test",
        "10.0.0.1",
        "a.test:80",
        "a test",
        "a.test;",
        "*.*.test",
        "xn--a.test",
        "\u{e9}.test",
        ".test",
        "test.",
    ];
    let long_label = format!("{}.test", "x".repeat(64));
    let long_host = format!("{}test", "abcdefg.".repeat(40));
    let hosts =
        hosts.into_iter().chain([long_label.as_str(), long_host.as_str(), INJECTION.trim_start_matches('/')]);
    let mut objects: Vec<Value> = hosts
        .enumerate()
        .map(|(number, host)| {
            ingress(
                &format!("host-{number}"),
                class,
                json!({"spec": {"rules": [rule(host, "/strange", "Prefix")]}}),
            )
        })
        .collect();
    for (number, spec) in [
        json!({}),
        json!({"rules": null}),
        json!({"rules": []}),
        json!({"rules": [{}]}),
        json!({"rules": [{"host": "a.test", "http": null}]}),
        json!({"rules": [{"host": "a.test", "http": {"paths": []}}]}),
        json!({"rules": [{"host": "a.test", "http": {"paths": [{"path": null, "pathType": "Prefix", "backend": {}}]}}]}),
        json!({"rules": [{"host": "a.test", "http": {"paths": [{"path": "/", "pathType": "Regex", "backend": "a"}]}}]}),
        json!({"defaultBackend": {}}),
        json!({"defaultBackend": {"resource": {"kind": "Bucket", "name": "x", "apiGroup": null}}}),
        json!({"tls": [{}], "rules": []}),
    ]
    .into_iter()
    .enumerate()
    {
        objects.push(ingress(&format!("shape-{number}"), class, json!({"spec": spec})));
    }
    objects
}
