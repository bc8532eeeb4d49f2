//! Backends that are found otherwise than by a `ClusterIP`.

use std::net::IpAddr;

use feed_tests::{Backend, Dns, Feed, NginxBinary, eventually};
use serde_json::{Value, json};

use crate::world::{World, manifest, route};

const CLASS: &str = "test";

pub(crate) fn headless(name: &str) -> Value {
    let ports = json!([{"name": "http", "port": 80, "targetPort": 8080}]);
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"clusterIP": "None", "ports": ports}})
}

/// A slice of one backend's address.  All endpoints of a slice have the same port.
pub(crate) fn slice(service: &str, backend: &Backend, ready: bool) -> Value {
    let address_type = if matches!(backend.address().ip(), IpAddr::V4(_)) { "IPv4" } else { "IPv6" };
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": format!("{service}-{}", backend.name()), "labels": {"kubernetes.io/service-name": service}},
        "addressType": address_type,
        "endpoints": [{"addresses": [backend.address().ip()], "conditions": {"ready": ready}}],
        "ports": [{"name": "http", "port": backend.port()}],
    })
}

#[tokio::test]
async fn a_headless_service_is_its_ready_endpoints() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let objects = |a_is_ready: bool, b_is_ready: bool| {
            let a = slice("pods", &world.backends["a"], a_is_ready);
            let b = slice("pods", &world.backends["b"], b_is_ready);
            manifest(&[headless("pods"), a, b, route("pods", CLASS, "pods.test", "pods")])
        };
        let feed = Feed::builder(&nginx)
            .flag("--nginx-update-burst", "100")
            .manifest("all.yaml", &objects(true, true));
        let feed = feed.ready().await;
        for backend in ["a", "b"] {
            feed.wait_served_by(backend, "pods.test", "/").await;
        }
        feed.write_manifest("all.yaml", &objects(false, true));
        eventually("only b is asked", async || {
            for _ in 0..10 {
                let backend = feed.get("pods.test", "/").await.echo().backend;
                if backend != "b" {
                    return Err(backend);
                }
            }
            Ok(())
        })
        .await;
        feed.write_manifest("all.yaml", &objects(false, false));
        feed.wait_status(503, "pods.test", "/").await;
        feed.write_manifest("all.yaml", &objects(true, false));
        feed.wait_served_by("a", "pods.test", "/").await;
    }
}

#[tokio::test]
async fn endpoints_may_be_asked_for_every_service() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let mut objects = world.services();
    // The Service's own address leads to `a`, its endpoints to `b`.
    objects.push(slice("a", &world.backends["b"], true));
    objects.push(route("a", CLASS, "a.test", "a"));
    let feed =
        Feed::builder(&nginx).argument("--backend-mode=endpoints").manifest("all.yaml", &manifest(&objects));
    let feed = feed.ready().await;
    assert_eq!(feed.get("a.test", "/").await.echo().backend, "b");
}

#[tokio::test]
async fn ipv6_addresses_are_bracketed() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    for nginx in NginxBinary::all() {
        let six = Backend::http_at("six", "[::1]:0".parse().unwrap()).await;
        let ports = json!([{"name": "http", "port": six.port()}]);
        let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "six"}, "spec": {"clusterIP": "::1", "ports": ports}});
        let endpoint = slice("pods", &six, true);
        let routes = [route("six", CLASS, "six.test", "six"), route("pods", CLASS, "pods.test", "pods")];
        let objects = [[service, headless("pods"), endpoint].as_slice(), &routes].concat();
        let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects)).ready().await;
        for host in ["six.test", "pods.test"] {
            assert_eq!(feed.get(host, "/").await.echo().backend, "six");
        }
    }
}

#[tokio::test]
async fn an_external_name_is_resolved_at_run_time() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let outside = &world.backends["a"];
        let dns = Dns::start(outside.ip()).await;
        let ports = json!([{"name": "http", "port": outside.port()}]);
        let spec = json!({"type": "ExternalName", "externalName": "outside.example.com", "ports": ports});
        let service =
            json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside"}, "spec": spec});
        let yaml = manifest(&[service, route("outside", CLASS, "outside.test", "outside")]);

        let refused = Feed::builder(&nginx).manifest("all.yaml", &yaml).ready().await;
        assert_eq!(refused.get("outside.test", "/").await.status, 503);
        let diagnostics = refused.status().await["diagnostics"].to_string();
        assert!(diagnostics.contains("ExternalNameRefused"), "{diagnostics}");

        let allowed = Feed::builder(&nginx).manifest("all.yaml", &yaml).argument("--allow-external-name");
        let allowed = allowed.flag("--nginx-resolver", &dns.address().to_string()).ready().await;
        let echo = allowed.get("outside.test", "/a%2Fb?x").await.echo();
        assert_eq!((echo.backend.as_str(), echo.target.as_str()), ("a", "/a%2Fb?x"));
    }
}
