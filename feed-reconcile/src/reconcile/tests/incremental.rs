//! Whatever changes, the result is that of a computation from nothing, and so are the bytes.

use std::sync::Arc;

use k8s_openapi::api::networking::v1::IngressStatus;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use proptest::prelude::*;
use serde::de::DeserializeOwned;

use crate::fixture::parse;
use crate::key::{ObjectKey, ObjectKind};
use crate::nginx::tests::options as nginx_options_for_tests;
use crate::nginx::{Generation, Renderer};
use crate::options::{Adoption, BackendMode, LabelSelector, Options, RouteDefaults};
use crate::snapshot::ClusterSnapshot;
use crate::{Reconciler, reconcile};

/// One object that comes, changes or goes.
#[derive(Clone, Debug)]
enum Change {
    Ingress {
        name: u8,
        host: u8,
        other_host: u8,
        path: u8,
        kind: u8,
        service: u8,
        created: u8,
        annotation: u8,
    },
    NoIngress(u8),
    Service {
        name: u8,
        kind: u8,
        port: u16,
    },
    NoService(u8),
    Slice {
        name: u8,
        service: u8,
        ready: bool,
    },
    NoSlice(u8),
    Namespace {
        name: u8,
        selected: bool,
    },
    Class {
        default: bool,
    },
    Closed {
        name: u8,
        closed: bool,
    },
    Unreadable {
        service: u8,
        unreadable: bool,
    },
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (0..5u8, 0..5u8, 0..5u8, 0..8u8, 0..4u8, 0..4u8, 0..3u8, 0..9u8).prop_map(
            |(name, host, other_host, path, kind, service, created, annotation)| Change::Ingress {
                name, host, other_host, path, kind, service, created, annotation
            }
        ),
        1 => (0..5u8).prop_map(Change::NoIngress),
        3 => (0..3u8, 0..4u8, 80..82u16).prop_map(|(name, kind, port)| Change::Service { name, kind, port }),
        1 => (0..3u8).prop_map(Change::NoService),
        2 => (0..3u8, 0..3u8, any::<bool>()).prop_map(|(name, service, ready)| Change::Slice { name, service, ready }),
        1 => (0..3u8).prop_map(Change::NoSlice),
        1 => (0..2u8, any::<bool>()).prop_map(|(name, selected)| Change::Namespace { name, selected }),
        1 => any::<bool>().prop_map(|default| Change::Class { default }),
        1 => (0..5u8, any::<bool>()).prop_map(|(name, closed)| Change::Closed { name, closed }),
        1 => (0..4u8, any::<bool>()).prop_map(|(service, unreadable)| Change::Unreadable { service, unreadable }),
    ]
}

const HOSTS: [&str; 5] = ["a.example.com", "b.example.com", "*.example.com", "bad_host", ""];
const PATHS: [&str; 8] = ["/", "/x", "/x/", "/x/y", "/a%20b", "relative", "/bad%2Fpath", ""];
const KINDS: [&str; 4] = ["Exact", "Prefix", "ImplementationSpecific", "Other"];
const ANNOTATIONS: [&str; 9] = [
    "unrelated: x",
    "sky.uk/strip-path: 'false'",
    "sky.uk/exact-path: 'true'",
    "sky.uk/allow: 10.0.0.0/8",
    "sky.uk/allow: nonsense",
    "sky.uk/backend-timeout-seconds: '5'",
    "sky.uk/backend-max-connections: '7'",
    "kubernetes.io/ingress.class: other",
    "sky.uk/proxy-buffer-blocks: '99'",
];

fn namespaced(name: u8) -> &'static str {
    if name.is_multiple_of(2) { "even" } else { "odd" }
}

fn object<T: DeserializeOwned>(yaml: &str) -> Arc<T> {
    Arc::new(parse(yaml))
}

fn apply(snapshot: &mut ClusterSnapshot, change: &Change) {
    let key = |name: String, namespace: &str| crate::key::ObjectName::new(namespace, &name);
    match *change {
        Change::Ingress { name, host, other_host, path, kind, service, created, annotation } => {
            let rule = |host: u8, path: u8| {
                format!(
                    "{{host: '{}', http: {{paths: [{{pathType: {}, path: '{}', backend: {{service: {{name: s{service}, port: {{number: 80}}}}}}}}]}}}}",
                    HOSTS[usize::from(host)],
                    KINDS[usize::from(kind)],
                    PATHS[usize::from(path)],
                )
            };
            let default = if path.is_multiple_of(3) {
                format!("defaultBackend: {{service: {{name: s{service}, port: {{number: 80}}}}}}, ")
            } else {
                String::new()
            };
            snapshot.ingresses.insert(object(&format!(
                "metadata: {{name: i{name}, namespace: {}, creationTimestamp: '2024-01-0{}T00:00:00Z', annotations: {{{}}}}}\n\
                 spec: {{{default}rules: [{}, {}]}}",
                namespaced(name),
                created + 1,
                ANNOTATIONS[usize::from(annotation)],
                rule(host, path),
                rule(other_host, (path + 1) % 8),
            )));
        }
        Change::NoIngress(name) => {
            snapshot.ingresses.remove(&key(format!("i{name}"), namespaced(name)));
        }
        Change::Service { name, kind, port } => {
            for namespace in ["even", "odd"] {
                let address = ["10.0.0.1", "10.0.0.2", "None", "fd00::1"][usize::from(kind)];
                snapshot.services.insert(object(&format!(
                    "metadata: {{name: s{name}, namespace: {namespace}}}\n\
                     spec: {{clusterIP: '{address}', ports: [{{port: {port}}}]}}",
                )));
            }
        }
        Change::NoService(name) => {
            snapshot.services.remove(&key(format!("s{name}"), "even"));
        }
        Change::Slice { name, service, ready } => {
            snapshot.endpoint_slices.insert(object(&format!(
                "metadata: {{name: e{name}, namespace: even, labels: {{kubernetes.io/service-name: s{service}}}}}\n\
                 addressType: IPv4\n\
                 endpoints: [{{addresses: [10.1.0.{name}], conditions: {{ready: {ready}}}}}]\n\
                 ports: [{{name: '', port: 8080}}]",
            )));
        }
        Change::NoSlice(name) => {
            snapshot.endpoint_slices.remove(&key(format!("e{name}"), "even"));
        }
        Change::Namespace { name, selected } => snapshot.namespaces.insert(object(&format!(
            "metadata: {{name: {}, labels: {{feed: '{selected}'}}}}",
            namespaced(name)
        ))),
        Change::Closed { name, closed } => {
            let key = key(format!("i{name}"), namespaced(name));
            let all = Arc::make_mut(&mut snapshot.closed);
            if closed { all.insert(key) } else { all.remove(&key) };
        }
        Change::Unreadable { service, unreadable } => {
            let key = ObjectKey { kind: ObjectKind::Service, name: key(format!("s{service}"), "even") };
            let all = Arc::make_mut(&mut snapshot.unreadable);
            if unreadable { all.insert(key) } else { all.remove(&key) };
        }
        Change::Class { default } => snapshot.ingress_classes.insert(object(&format!(
            "metadata: {{name: ours, annotations: {{ingressclass.kubernetes.io/is-default-class: '{default}'}}}}"
        ))),
    }
}

fn snapshot_after(changes: &[Change]) -> ClusterSnapshot {
    let mut snapshot = ClusterSnapshot::default();
    for change in changes {
        apply(&mut snapshot, change);
    }
    snapshot
}

fn options() -> impl Strategy<Value = Options> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(by_class, by_namespace, endpoints)| Options {
        adoption: Adoption {
            class: by_class.then(|| "ours".to_owned()),
            namespace_selectors: by_namespace
                .then(|| LabelSelector { name: "feed".into(), value: "true".into() })
                .into_iter()
                .collect(),
            ..Adoption::default()
        },
        backend_mode: if endpoints { BackendMode::Endpoints } else { BackendMode::ServiceIp },
        ..Options::default()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_change_gives_what_a_computation_from_nothing_gives(
        options in options(),
        batches in prop::collection::vec(prop::collection::vec(change(), 1..4), 1..12),
    ) {
        let renderer = || Renderer::new(nginx_options_for_tests(), RouteDefaults::default()).unwrap();
        let mut snapshot = ClusterSnapshot::default();
        let mut reconciler = Reconciler::new(options.clone());
        let mut kept = renderer();
        for batch in batches {
            for change in &batch {
                apply(&mut snapshot, change);
            }
            let changed = reconciler.update(&snapshot);
            let fresh = reconcile(&snapshot, &options);
            prop_assert_eq!(changed, &fresh);
            let changed = kept.update(&changed.state).unwrap().to_text(Generation(1));
            let fresh = renderer().update(&fresh.state).unwrap().to_text(Generation(1));
            prop_assert_eq!(changed, fresh);
        }
    }

    #[test]
    fn the_order_of_the_objects_does_not_matter(
        (changes, shuffled) in prop::collection::vec(change(), 1..20)
            .prop_flat_map(|changes| (Just(changes.clone()), Just(changes).prop_shuffle())),
    ) {
        let options = Options::default();
        let ordered = snapshot_after(&changes);
        let mut reversed = ordered.clone();
        reversed.ingresses = ordered.ingresses.iter().rev().map(|(_, object)| Arc::clone(object)).collect();
        reversed.services = ordered.services.iter().rev().map(|(_, object)| Arc::clone(object)).collect();
        // What was there before has no influence either.
        let mut reconciler = Reconciler::new(options.clone());
        reconciler.update(&snapshot_after(&shuffled));
        prop_assert_eq!(reconciler.update(&reversed), &reconcile(&ordered, &options));
    }

    #[test]
    fn what_is_not_served_changes_nothing(changes in prop::collection::vec(change(), 1..20), resource_version in 0..1000u32) {
        let snapshot = snapshot_after(&changes);
        let before = reconcile(&snapshot, &Options::default());
        let mut touched = snapshot.clone();
        for (_, ingress) in snapshot.ingresses.iter() {
            let mut ingress = (**ingress).clone();
            ingress.metadata.labels = Some([("label".to_owned(), "value".to_owned())].into());
            ingress.metadata.resource_version = Some(resource_version.to_string());
            ingress.metadata.managed_fields = Some(vec![ManagedFieldsEntry::default()]);
            ingress.status = Some(IngressStatus::default());
            touched.ingresses.insert(Arc::new(ingress));
        }
        prop_assert_eq!(before, reconcile(&touched, &Options::default()));
    }
}
