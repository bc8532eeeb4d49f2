//! Snapshots of hostile Ingresses, and of innocent Services that these name.

use std::sync::Arc;

use feed_reconcile::snapshot::ClusterSnapshot;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any};
use proptest::sample::select;
use serde_json::{Map, Value, json};

/// What ends a word, a directive or a block, begins a comment, a variable or a quotation, in nginx and in templates.
const SHARP: [&str; 24] = [
    ";",
    "{",
    "}",
    "\"",
    "'",
    "\\",
    "#",
    "$",
    "$host",
    "${uri}",
    " ",
    "\t",
    "\n",
    "\r",
    "\0",
    "%",
    "%00",
    "%0a",
    "%22",
    "%5C",
    "{{",
    "%}",
    "\u{e9}",
    "return 200 pwned;",
];

const ANNOTATIONS: [&str; 11] = [
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

const VALUES: [&str; 16] = [
    "",
    "true",
    "false",
    "0",
    "1",
    "8",
    "1000",
    "-1",
    "99999999999",
    "30s",
    "1h30m",
    "127.0.0.1",
    "10.0.0.0/8,::/0",
    "internal",
    "1;",
    "0x10",
];

/// The Services, by their `appProtocol`: named `service-N`.
const PROTOCOLS: [Option<&str>; 4] = [None, Some("https"), Some("grpc"), Some("strange;")];

/// A word with sharp edges.
fn word() -> impl Strategy<Value = String> {
    let plain = "[a-zA-Z0-9._~!$&'()*+,;=:@%-]{0,6}".boxed();
    let part = proptest::prop_oneof![3 => plain, 2 => select(&SHARP[..]).prop_map(str::to_owned), 1 => any::<String>()];
    vec(part, 0..4).prop_map(|parts| parts.concat())
}

fn path() -> impl Strategy<Value = String> {
    // Most begin as a path must, and some hold nothing that is not allowed, or nothing would come through.
    let good = vec("[a-zA-Z0-9._~!$&'()*+,;=:@-]{1,8}|%[2-7][0-9A-F]", 0..4)
        .prop_map(|segments| format!("/{}", segments.join("/")));
    proptest::prop_oneof![3 => good, 3 => word().prop_map(|word| format!("/{word}")), 1 => word()]
}

fn host() -> impl Strategy<Value = String> {
    let good = "(\\*\\.)?[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?(\\.[a-z]{1,5}){0,3}";
    proptest::prop_oneof![3 => good.boxed(), 1 => word()]
}

fn backend() -> impl Strategy<Value = Value> {
    (0..PROTOCOLS.len() + 2).prop_map(
        |number| json!({"service": {"name": format!("service-{number}"), "port": {"name": "http"}}}),
    )
}

fn rule() -> impl Strategy<Value = Value> {
    let path_type = select(&["Exact", "Prefix", "ImplementationSpecific"][..]);
    let path = (path(), path_type, backend());
    let path = path.prop_map(
        |(path, path_type, backend)| json!({"path": path, "pathType": path_type, "backend": backend}),
    );
    (option::weighted(0.9, host()), vec(path, 0..4))
        .prop_map(|(host, paths)| json!({"host": host, "http": {"paths": paths}}))
}

fn annotations() -> impl Strategy<Value = Map<String, Value>> {
    let value = proptest::prop_oneof![3 => select(&VALUES[..]).prop_map(str::to_owned), 1 => word()];
    let annotation = (select(&ANNOTATIONS[..]), value);
    vec(annotation.prop_map(|(name, value)| (format!("sky.uk/{name}"), json!(value))), 0..3)
        .prop_map(Map::from_iter)
}

fn ingress() -> impl Strategy<Value = Value> {
    (annotations(), vec(rule(), 0..3), option::weighted(0.2, backend())).prop_map(|(annotations, rules, default)| {
        json!({"metadata": {"annotations": annotations}, "spec": {"rules": rules, "defaultBackend": default}})
    })
}

fn services() -> impl Iterator<Item = Value> {
    let cluster = PROTOCOLS.iter().enumerate().map(|(number, protocol)| {
        let ports = json!([{"name": "http", "port": 80, "appProtocol": protocol}]);
        json!({"metadata": {"name": format!("service-{number}"), "namespace": "default"}, "spec": {"clusterIP": format!("10.0.0.{number}"), "ports": ports}})
    });
    let ports = json!([{"name": "http", "port": 80}]);
    let spec = json!({"type": "ExternalName", "externalName": "outside.example.com", "ports": ports});
    let outside = json!({"metadata": {"name": format!("service-{}", PROTOCOLS.len()), "namespace": "default"}, "spec": spec});
    cluster.chain([outside])
}

pub(super) fn snapshot() -> impl Strategy<Value = ClusterSnapshot> {
    (Just(()), vec(ingress(), 1..12)).prop_map(|((), ingresses)| {
        let mut snapshot = ClusterSnapshot::default();
        for service in services() {
            snapshot.services.insert(Arc::new(serde_json::from_value(service).unwrap()));
        }
        for (number, mut ingress) in ingresses.into_iter().enumerate() {
            ingress["metadata"]["name"] = json!(format!("ingress-{number}"));
            ingress["metadata"]["namespace"] = json!("default");
            snapshot.ingresses.insert(Arc::new(serde_json::from_value(ingress).unwrap()));
        }
        snapshot
    })
}
