//! Manifests that are broken, gone or swapped.

use std::os::unix::fs::symlink;

use feed_tests::{Feed, NginxBinary, eventually};

use super::{CLASS, FILE, routes, serving_a};
use crate::world::{World, manifest, route};

async fn wait_diagnostic(feed: &Feed, code: &str) -> serde_json::Value {
    eventually(&format!("a diagnostic {code}"), async || {
        let status = feed.status().await;
        let diagnostics = status["diagnostics"].as_array().unwrap();
        diagnostics.iter().find(|diagnostic| diagnostic["code"] == code).cloned().ok_or(status)
    })
    .await
}

#[tokio::test]
async fn a_manifest_that_does_not_parse_keeps_its_last_good_version() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let feed = serving_a(&nginx, &world).ready().await;
    feed.write_manifest(FILE, "apiVersion: v1\nkind: [\n");
    let diagnostic = wait_diagnostic(&feed, "InvalidManifest").await;
    assert!(diagnostic.to_string().contains(FILE), "{diagnostic}");
    feed.write_manifest("more.yaml", &manifest(&[route("more", CLASS, "b.test", "b")]));
    feed.wait_served_by("b", "b.test", "/").await;
    feed.wait_served_by("a", "a.test", "/").await;

    feed.write_manifest(FILE, &routes(&world, &[("a.test", "c")]));
    feed.wait_served_by("c", "a.test", "/").await;
}

#[tokio::test]
async fn a_manifest_that_never_parsed_hides_no_other() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let feed = serving_a(&nginx, &world).manifest("broken.yaml", "kind: Ingress\n  spec: x\n").ready().await;
    feed.wait_served_by("a", "a.test", "/").await;
    wait_diagnostic(&feed, "InvalidManifest").await;
    assert_eq!(feed.admin("/readiness").await.unwrap().status, 200);
}

#[tokio::test]
async fn no_routes_at_all_do_not_replace_routes() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let mut feed = serving_a(&nginx, &world).ready().await;
    feed.remove_manifest(FILE);
    // The Service alone goes first, so that it can be seen when feed has read the folder again.
    feed.write_manifest("broken.yaml", "{");
    wait_diagnostic(&feed, "InvalidManifest").await;
    feed.wait_served_by("a", "a.test", "/").await;
    feed.kill();
    feed.start();
    feed.wait_served_by("a", "a.test", "/").await;
}

#[tokio::test]
async fn allow_empty_lets_the_last_route_go() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let feed = serving_a(&nginx, &world).argument("--allow-empty").ready().await;
    feed.remove_manifest(FILE);
    feed.wait_status(404, "a.test", "/").await;
}

#[tokio::test]
async fn a_folder_without_an_ingress_is_served_as_nothing() {
    for nginx in NginxBinary::all() {
        let feed = Feed::builder(&nginx).ready().await;
        assert_eq!(feed.get("a.test", "/").await.status, 404);
        let world = World::start().await;
        feed.write_manifest(FILE, &routes(&world, &[("a.test", "a")]));
        feed.wait_served_by("a", "a.test", "/").await;
    }
}

/// The way in which kubelet replaces the files of a mounted `ConfigMap`.
#[tokio::test]
async fn the_swap_of_a_mounted_config_map_is_seen() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let feed = Feed::builder(&nginx).build();
    let folder = feed.sandbox().join("manifests");
    let write = |version: &str, backend: &str| {
        std::fs::create_dir(folder.join(version)).unwrap();
        std::fs::write(folder.join(version).join(FILE), routes(&world, &[("a.test", backend)])).unwrap();
        symlink(version, folder.join("..data_tmp")).unwrap();
        std::fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
    };
    write("..2026_01", "a");
    symlink(format!("..data/{FILE}"), folder.join(FILE)).unwrap();
    let mut feed = feed;
    feed.start();
    feed.wait_served_by("a", "a.test", "/").await;
    write("..2026_02", "b");
    std::fs::remove_dir_all(folder.join("..2026_01")).unwrap();
    feed.wait_served_by("b", "a.test", "/").await;
}

/// Half of a manifest may lack what restricts the other half.
#[tokio::test]
async fn a_manifest_that_is_written_with_pauses_is_not_served_half() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let feed = serving_a(&nginx, &world).ready().await;
    let open = format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: half\nspec:\n  ingressClassName: {CLASS}\n  rules:\n  - host: half.test\n    http:\n      paths:\n      - path: /\n        pathType: Prefix\n        backend:\n          service:\n            name: a\n            port:\n              name: http\n"
    );
    let rest = "  tls: []\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: end}\n";
    let file = feed.sandbox().join("manifests/half.yaml");
    let mut written = std::fs::File::create(&file).unwrap();
    let pause = std::time::Duration::from_millis(400);
    let (first, second) = open.split_at(open.len() / 2);
    for piece in [first, second, rest] {
        std::io::Write::write_all(&mut written, piece.as_bytes()).unwrap();
        let end = std::time::Instant::now() + pause;
        while std::time::Instant::now() < end {
            assert_eq!(feed.get("half.test", "/").await.status, 404, "half of the file is served");
        }
    }
    drop(written);
    feed.wait_served_by("a", "half.test", "/").await;
    // What is renamed is taken at once, and the other file goes on being waited for.
    feed.write_manifest("more.yaml", &manifest(&[route("more", CLASS, "b.test", "b")]));
    feed.wait_served_by("b", "b.test", "/").await;
}
