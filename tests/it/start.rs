//! Starts that cannot succeed: one sentence, no success, and nothing half-started.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use feed_tests::{Feed, FeedBuilder, NginxBinary, free_port, processes_in};

/// Waits for the end of a feed that cannot start and checks that it says these things on its last line.
async fn check_refused(builder: FeedBuilder, says: &[&str]) {
    let mut feed = builder.spawn();
    let status = feed.wait_exit(Duration::from_secs(30)).await;
    let log = feed.log();
    assert!(!status.success(), "{status}");
    let last = log.lines().last().unwrap_or_default();
    for part in says {
        assert!(last.contains(part), "{part:?} is not in {last:?}");
    }
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(processes_in(feed.sandbox().path()), [], "something was left behind: {log}");
}

fn nginx() -> NginxBinary {
    NginxBinary::system().unwrap_or_else(|| panic!("no nginx"))
}

fn script(folder: &tempfile::TempDir, text: &str) -> String {
    let path = folder.path().join("nginx");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn nginx_is_missing() {
    check_refused(Feed::builder(&nginx()).flag("--nginx-binary", "/nowhere/nginx"), &["/nowhere/nginx"])
        .await;
}

#[tokio::test]
async fn nginx_is_not_executable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nginx");
    fs::write(&path, "text").unwrap();
    let path = path.to_str().unwrap();
    check_refused(Feed::builder(&nginx()).flag("--nginx-binary", path), &[path]).await;
}

#[tokio::test]
async fn nginx_is_not_nginx() {
    check_refused(Feed::builder(&nginx()).flag("--nginx-binary", "/bin/true"), &["/bin/true"]).await;
}

#[tokio::test]
async fn nginx_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let old = script(&folder, "#!/bin/sh\necho 'nginx version: nginx/1.10.3' >&2\n");
    check_refused(Feed::builder(&nginx()).flag("--nginx-binary", &old), &["1.10.3"]).await;
}

#[tokio::test]
async fn a_port_is_in_use() {
    for flag in ["--ingress-port", "--ingress-health-port", "--health-port"] {
        let port = free_port();
        let _holder = TcpListener::bind(("0.0.0.0", port)).unwrap();
        let text = port.to_string();
        check_refused(Feed::builder(&nginx()).flag(flag, &text), &[&text]).await;
    }
}

#[tokio::test]
async fn the_workdir_is_not_writable() {
    // Not even root writes there.
    check_refused(Feed::builder(&nginx()).flag("--nginx-workdir", "/proc/feed"), &["/proc/feed"]).await;
}

#[tokio::test]
async fn the_workdir_is_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    check_refused(Feed::builder(&nginx()).flag("--nginx-workdir", path), &[path]).await;
}

#[tokio::test]
async fn there_are_no_manifests() {
    check_refused(Feed::builder(&nginx()).flag("--manifests", "/nowhere"), &["/nowhere"]).await;
}

#[tokio::test]
async fn there_is_no_kubeconfig() {
    let feed = Feed::builder(&nginx()).without_manifests().flag("--kubeconfig", "/nowhere/config");
    check_refused(feed, &["/nowhere/config"]).await;
}

#[tokio::test]
async fn a_template_does_not_render() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "http { {{ nothing }} }").unwrap();
    check_refused(
        Feed::builder(&nginx()).flag("--nginx-template", file.path().to_str().unwrap()),
        &["nothing"],
    )
    .await;
}

#[tokio::test]
async fn requests_cannot_be_logged_or_traced() {
    // Not even root writes there.
    let log = Feed::builder(&nginx()).argument("--access-log").flag("--access-log-dir", "/proc/logs");
    check_refused(log, &["/proc/logs", "--access-log-dir"]).await;
    let traced = Feed::builder(&nginx()).flag("--nginx-otel-endpoint", "127.0.0.1:4317");
    let traced = traced.flag("--nginx-modules-path", "/nowhere");
    check_refused(traced, &["/nowhere/ngx_otel_module.so", "--nginx-modules-path"]).await;
}

#[tokio::test]
async fn two_feeds_do_not_share_a_workdir() {
    let first = Feed::builder(&nginx()).ready().await;
    let workdir = first.workdir();
    let (master, workers) = (first.nginx_master(), first.nginx_workers());
    check_refused(Feed::builder(&nginx()).flag("--nginx-workdir", workdir.to_str().unwrap()), &[]).await;
    assert_eq!((first.nginx_master(), first.nginx_workers()), (master, workers));
}

#[tokio::test]
async fn a_module_that_nginx_cannot_load_ends_the_start_with_nginx_own_words_and_convicts_nobody() {
    let modules = tempfile::tempdir().unwrap();
    fs::write(modules.path().join("ngx_otel_module.so"), "this is no module").unwrap();
    for nginx in NginxBinary::all() {
        let ingress = "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: innocent}, spec: {ingressClassName: test, rules: [{host: a.test}]}}";
        let builder = Feed::builder(&nginx)
            .manifest("innocent.yaml", ingress)
            .flag("--nginx-modules-path", modules.path().to_str().unwrap())
            .flag("--nginx-otel-endpoint", "localhost:4317")
            .flag("--drain-delay", "0s");
        let mut feed = builder.spawn();
        let status = feed.wait_exit(Duration::from_secs(30)).await;
        let log = feed.log();
        assert_eq!(status.code(), Some(1), "{log}");
        let last = log.lines().last().unwrap_or_default();
        assert!(
            last.contains("nginx does not start: dlopen()") && last.contains("ngx_otel_module.so"),
            "{log}"
        );
        assert!(!log.contains("Quarantined") && !log.contains("HeldBack"), "{log}");
        assert_eq!(processes_in(feed.sandbox().path()), []);
    }
}
