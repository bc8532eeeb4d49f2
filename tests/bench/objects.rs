//! Ingresses and Services by number.

use std::net::{Ipv4Addr, SocketAddr};

use feed_tests::Backend;
use serde_json::{Value, json};

/// How many Ingresses share their Service.
const SHARED_BY: usize = 10;
const PORT: u16 = 8000;

/// The host of the Ingress of that number.
pub(crate) fn host(number: usize) -> String {
    format!("host-{number}.example.com")
}

/// An Ingress with one host and three Prefix paths; `extra` is a fourth.
pub(crate) fn ingress(number: usize, class: &str, extra: Option<&str>) -> Value {
    let service = format!("service-{}", number / SHARED_BY);
    let path = |path: &str| {
        json!({
            "path": path,
            "pathType": "Prefix",
            "backend": {"service": {"name": service, "port": {"number": PORT}}},
        })
    };
    let paths: Vec<Value> = ["/", "/api", "/static"].into_iter().chain(extra).map(path).collect();
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": format!("ingress-{number}")},
        "spec": {"ingressClassName": class, "rules": [{"host": host(number), "http": {"paths": paths}}]},
    })
}

/// The Services of that many Ingresses.
pub(crate) fn services(ingresses: usize) -> Vec<Value> {
    let service = |number: usize| {
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": format!("service-{number}")},
            "spec": {"clusterIP": cluster_ip(number), "ports": [{"port": PORT}]},
        })
    };
    (0..ingresses.div_ceil(SHARED_BY)).map(service).collect()
}

/// A backend on the address of each of these Services.
pub(crate) async fn backends(ingresses: usize) -> Vec<Backend> {
    let mut backends = Vec::new();
    for number in 0..ingresses.div_ceil(SHARED_BY) {
        let address = SocketAddr::from((cluster_ip(number), PORT));
        backends.push(Backend::http_at(&format!("service-{number}"), address).await);
    }
    backends
}

/// Loopback addresses from the control plane's range of ClusterIPs, where nothing is allotted by itself.
fn cluster_ip(number: usize) -> Ipv4Addr {
    let [_, high, low, last] = u32::try_from(number / 250 * 256 + number % 250 + 1).unwrap().to_be_bytes();
    Ipv4Addr::new(127, 96 + high, 100 + low, last)
}

/// Objects as one document.
pub(crate) fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}
