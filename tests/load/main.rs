//! End-to-end tests that need the machine for themselves: they run in a program of their own, one after another.

#![expect(clippy::unwrap_used, reason = "here a failed expectation is a failed test")]

mod burst;
mod reloads;
mod rolling;

use feed_tests::{Backend, Feed};
use serde_json::{Value, json};
use tokio::sync::{Mutex, MutexGuard};

/// Held by the test that runs.
async fn machine() -> MutexGuard<'static, ()> {
    static MACHINE: Mutex<()> = Mutex::const_new(());
    MACHINE.lock().await
}

fn service(backend: &Backend) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": backend.name()},
        "spec": {"clusterIP": backend.ip(), "ports": [{"name": "http", "port": backend.port()}]},
    })
}

/// An Ingress that leads `NAME.test` to a backend.
fn ingress(name: &str, class: &str, backend: &Backend) -> Value {
    let service = json!({"service": {"name": backend.name(), "port": {"name": "http"}}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": service});
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": name},
        "spec": {"ingressClassName": class, "rules": [{"host": format!("{name}.test"), "http": {"paths": [path]}}]},
    })
}

fn list(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

async fn reloads(feed: &Feed) -> f64 {
    feed.metric("feed_ingress_reloads").await.unwrap()
}
