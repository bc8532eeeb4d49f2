//! What is changed in the cluster.

use std::collections::VecDeque;

use feed_tests::{Backend, ControlPlane, Namespace, TestCertificate};
use k8s_openapi::api::core::v1::{Secret, Service};
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

/// With buckets of 64 bytes nginx refuses it, and names no line.
const POISON: &str = "a-label-of-some-forty-characters-to-fill-it.another-label-of-the-same-sort.test";

/// The changes go to so many Ingresses in turn.
const INGRESSES: usize = 10;

/// Each has so many paths: one comes and one goes with each change.
const PATHS: usize = 12;

pub(crate) struct Cluster {
    class: String,
    backend: (String, String, u16),
    services: Api<Service>,
    ingresses: Api<Ingress>,
    secrets: Api<Secret>,
    paths: [VecDeque<usize>; INGRESSES],
}

impl Cluster {
    pub(crate) async fn new(
        control_plane: &ControlPlane,
        namespace: &Namespace<'_>,
        backend: &Backend,
    ) -> Self {
        let client = control_plane.client().await;
        let class = namespace.name().to_owned();
        Self {
            services: Api::namespaced(client.clone(), &class),
            ingresses: Api::namespaced(client.clone(), &class),
            secrets: Api::namespaced(client, &class),
            class,
            backend: (backend.name().to_owned(), backend.ip().to_string(), backend.port()),
            paths: Default::default(),
        }
    }

    /// What is there from the beginning: `busy.test`, and `own.test` with a certificate of its own.
    pub(crate) async fn begin(&self, certificate: &TestCertificate) {
        let (name, ip, port) = &self.backend;
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"clusterIP": ip, "ports": [{"name": "http", "port": port}]},
        });
        self.services.patch(name, &apply(), &Patch::Apply(service)).await.unwrap();
        self.write("busy", "busy.test", &["/".to_owned()], None).await;
        self.rotate(certificate).await;
        self.write("own", "own.test", &["/".to_owned()], Some("own")).await;
    }

    /// Makes the change of that number; the host and the path that it is served at.
    pub(crate) async fn change(&mut self, number: usize) -> (String, String) {
        let index = number % INGRESSES;
        let paths = &mut self.paths[index];
        paths.push_back(number);
        if paths.len() > PATHS {
            paths.pop_front();
        }
        let paths: Vec<String> = paths.iter().map(|number| format!("/change-{number}")).collect();
        let host = format!("moving-{index}.test");
        self.write(&format!("moving-{index}"), &host, &paths, None).await;
        (host, format!("/change-{number}"))
    }

    pub(crate) async fn rotate(&self, certificate: &TestCertificate) {
        self.secrets.patch("own", &apply(), &Patch::Apply(certificate.secret("own"))).await.unwrap();
    }

    /// Creates an Ingress that nginx refuses; its name.
    pub(crate) async fn poison(&self, number: usize) -> String {
        let name = format!("poison-{number}");
        self.write(&name, POISON, &["/".to_owned()], None).await;
        name
    }

    pub(crate) async fn remove(&self, name: &str) {
        self.ingresses.delete(name, &DeleteParams::default()).await.unwrap();
    }

    async fn write(&self, name: &str, host: &str, paths: &[String], secret: Option<&str>) {
        let service = json!({"service": {"name": self.backend.0, "port": {"name": "http"}}});
        let paths: Vec<Value> = paths
            .iter()
            .map(|path| json!({"path": path, "pathType": "Prefix", "backend": service}))
            .collect();
        let mut ingress = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"name": name},
            "spec": {"ingressClassName": self.class, "rules": [{"host": host, "http": {"paths": paths}}]},
        });
        if let Some(secret) = secret {
            ingress["spec"]["tls"] = json!([{"hosts": [host], "secretName": secret}]);
        }
        self.ingresses.patch(name, &apply(), &Patch::Apply(ingress)).await.unwrap();
    }
}

fn apply() -> PatchParams {
    PatchParams::apply("soak").force()
}
