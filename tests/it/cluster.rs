//! What is shipped for a cluster, in a cluster.

use std::path::Path;

use feed_tests::{Backend, ControlPlane, ENDPOINTS, Feed, NginxBinary, eventually, in_network_namespace};
use serde_json::json;

use crate::world::{World, manifest, route};

fn manifests() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests").to_str().unwrap().to_owned()
}

/// `none` and `static` do all they do with the rights of the shipped roles.
#[tokio::test]
async fn the_shipped_roles_are_enough() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::start().await) else {
        return;
    };
    control_plane.kubectl(&["apply", "-f", &format!("{}/rbac.yaml", manifests())], "");
    let token = control_plane.kubectl(&["create", "token", "feed-ingress", "--namespace", "feed"], "");
    let kubeconfig = control_plane.kubeconfig_for("feed-ingress", token.trim());
    let world = World::start().await;
    let namespace = control_plane.namespace().await;
    let mut ingress = route("a", "feed", "a.test", "a");
    ingress["metadata"]["annotations"] = json!({"sky.uk/frontend-scheme": "internal"});
    let mut objects = world.services();
    objects.push(ingress);
    namespace.apply(&manifest(&objects));

    let feed =
        Feed::builder(&nginx).command("static").kubeconfig(&kubeconfig).flag("--ingress-class", "feed");
    let feed =
        feed.flag("--lease-namespace", "feed").flag("--internal-hostname", "lb.example.com").ready().await;
    feed.wait_served_by("a", "a.test", "/").await;
    eventually("status is written", async || {
        let path = "jsonpath={.status.loadBalancer.ingress[0].hostname}";
        let hostname = namespace.kubectl(&["get", "ingress", "a", "-o", path], "");
        if hostname == "lb.example.com" { Ok(()) } else { Err(format!("{hostname:?}\n{}", feed.log())) }
    })
    .await;
    assert!(!feed.log().to_lowercase().contains("forbidden"), "{}", feed.log());
}

#[tokio::test]
async fn the_endpoints_of_a_headless_service_are_followed() {
    if !in_network_namespace("cluster::the_endpoints_of_a_headless_service_are_followed") {
        return;
    }
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::start().await) else {
        return;
    };
    let namespace = control_plane.namespace().await;
    let one = Backend::http_at("one", (ENDPOINTS[0], 8080).into()).await;
    let two = Backend::http_at("two", (ENDPOINTS[1], 8080).into()).await;
    let slice = |addresses: &[&Backend]| {
        let endpoints = addresses.iter().map(|backend| json!({"addresses": [backend.ip()]}));
        json!({
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "pods-1", "labels": {"kubernetes.io/service-name": "pods"}},
            "addressType": "IPv4",
            "endpoints": endpoints.collect::<Vec<_>>(),
            "ports": [{"name": "http", "port": 8080}],
        })
    };
    let ports = json!([{"name": "http", "port": 80, "targetPort": 8080}]);
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "pods"}, "spec": {"clusterIP": "None", "ports": ports}});
    namespace.apply(&manifest(&[
        service,
        slice(&[&one]),
        route("pods", namespace.name(), "pods.test", "pods"),
    ]));
    let feed = Feed::builder(&nginx).kubernetes(&namespace).ready().await;
    feed.wait_served_by("one", "pods.test", "/").await;
    namespace.apply(&slice(&[&two]).to_string());
    feed.wait_served_by("two", "pods.test", "/").await;
}

/// What help texts tell people to run.
#[tokio::test]
async fn commands_that_help_texts_name_run() {
    let Some(control_plane) = ControlPlane::shared().await else { return };
    for field in [
        "ingress",
        "ingress.spec.rules",
        "ingress.spec.rules.http.paths.backend.service.port.number",
        "ingress.metadata.annotations",
        "ingressclass.spec",
        "service.spec.ports",
        "namespace.metadata",
        "secret.data",
        "endpointslice.endpoints.conditions",
    ] {
        let explained = control_plane.kubectl(&["explain", field], "");
        assert!(explained.contains("DESCRIPTION"), "{field}: {explained}");
    }
    let help = control_plane.kubectl(&["create", "secret", "tls", "--help"], "");
    assert!(help.contains("--cert") && help.contains("--key"), "{help}");
}
