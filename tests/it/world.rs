//! Backends, the objects that route to them, and a feed that has read these from a folder or from the API server.

use std::collections::BTreeMap;

use feed_tests::{Backend, ControlPlane, Feed, FeedBuilder, NginxBinary};
use serde_json::{Value, json};

/// The backends of a test, by name: each has a Service of its name whose port is named `http`.
pub(crate) struct World {
    pub(crate) backends: BTreeMap<&'static str, Backend>,
}

/// What the backends speak, and what their Services say that they do.
const BACKENDS: [(&str, Protocol, Option<&str>); 10] = [
    ("a", Protocol::Http, None),
    ("b", Protocol::Http, None),
    ("c", Protocol::Http, None),
    ("plain", Protocol::Http, Some("http")),
    ("socket", Protocol::Http, Some("kubernetes.io/ws")),
    ("unknown", Protocol::Http, Some("example.com/unknown")),
    ("tls", Protocol::Tls, Some("https")),
    ("secure-socket", Protocol::Tls, Some("kubernetes.io/wss")),
    ("grpc", Protocol::Grpc, Some("grpc")),
    ("h2c", Protocol::Grpc, Some("kubernetes.io/h2c")),
];

#[derive(Clone, Copy)]
enum Protocol {
    Http,
    Tls,
    Grpc,
}

/// Where feed finds the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Manifests,
    Kubernetes,
}

impl World {
    pub(crate) async fn start() -> Self {
        let mut backends = BTreeMap::new();
        for (name, protocol, _) in BACKENDS {
            let backend = match protocol {
                Protocol::Http => Backend::http(name).await,
                Protocol::Tls => Backend::tls(name).await,
                Protocol::Grpc => Backend::grpc(name).await,
            };
            backends.insert(name, backend);
        }
        Self { backends }
    }

    /// The Services of all backends.
    pub(crate) fn services(&self) -> Vec<Value> {
        BACKENDS.iter().map(|(name, _, app_protocol)| self.service(name, *app_protocol)).collect()
    }

    fn service(&self, name: &str, app_protocol: Option<&str>) -> Value {
        let backend = &self.backends[name];
        let mut port = json!({"name": "http", "port": backend.port()});
        if let Some(app_protocol) = app_protocol {
            port["appProtocol"] = json!(app_protocol);
        }
        json!({
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"clusterIP": backend.ip(), "ports": [port]},
        })
    }
}

/// Completes an Ingress: `backend: a` stands for port `http` of the Service `a`, and a class is added unless it has one.
pub(crate) fn ingress(name: &str, class: &str, mut ingress: Value) -> Value {
    write_backends_out(&mut ingress["spec"]);
    ingress["apiVersion"] = json!("networking.k8s.io/v1");
    ingress["kind"] = json!("Ingress");
    if ingress["metadata"]["name"].is_null() {
        ingress["metadata"]["name"] = json!(name);
    }
    ingress["spec"]["ingressClassName"] = json!(class);
    ingress
}

fn write_backends_out(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match (key.as_str(), field.as_str()) {
                    ("backend" | "defaultBackend", Some(name)) => {
                        *field = json!({"service": {"name": name, "port": {"name": "http"}}});
                    }
                    _ => write_backends_out(field),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_backends_out),
        _ => {}
    }
}

/// An Ingress that leads one host's `/` to a backend.
pub(crate) fn route(name: &str, class: &str, host: &str, backend: &str) -> Value {
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    ingress(name, class, json!({"spec": {"rules": [{"host": host, "http": {"paths": [path]}}]}}))
}

/// A manifest of several objects; JSON is YAML.
pub(crate) fn manifest(objects: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string()
}

/// Runs `check` with a ready feed that has read `objects`, made for its class: from manifests with each nginx, and from the
/// API server with the newest.
pub(crate) async fn everywhere(
    flags: &[&str],
    objects: impl Fn(&World, Source, &str) -> Vec<Value>,
    check: impl AsyncFn(&World, &Feed, Source),
) {
    let flags = |nginx: &NginxBinary| {
        let builder = Feed::builder(nginx);
        flags.iter().fold(builder, |builder: FeedBuilder, flag| builder.argument(flag))
    };
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let yaml = manifest(&objects(&world, Source::Manifests, "test"));
        let feed = flags(&nginx).manifest("all.yaml", &yaml).ready().await;
        check(&world, &feed, Source::Manifests).await;
    }
    if let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::shared().await) {
        let world = World::start().await;
        let namespace = control_plane.namespace().await;
        namespace.apply(&manifest(&objects(&world, Source::Kubernetes, namespace.name())));
        let feed = flags(&nginx).kubernetes(&namespace).ready().await;
        check(&world, &feed, Source::Kubernetes).await;
    }
}
