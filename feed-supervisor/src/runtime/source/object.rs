//! The kinds of object that sources deal in, and what is kept of each.
//!
//! A cluster may hold many thousands of them, so everything that decides nothing here is dropped on arrival: an object
//! of which only that changed then equals the one before, and nothing is computed anew.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use feed_reconcile::key::{ObjectKind, ObjectName};
use feed_reconcile::snapshot::{ClusterSnapshot, Store};
use k8s_openapi::api::core::v1::{Namespace, Secret, Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointSlice};
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::{ByteString, Metadata};
use serde::de::DeserializeOwned;

use crate::runtime::source::Change;

/// A copy of the whole object, which `kubectl apply` leaves in it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The type of the Secrets that hold a certificate.
pub(super) const TLS_SECRET: &str = "kubernetes.io/tls";

/// A kind of object that decides what is served.
pub(super) trait Tracked:
    Metadata<Ty = ObjectMeta> + DeserializeOwned + Clone + fmt::Debug + PartialEq + Send + Sync + 'static
{
    /// Its name among ours.
    const OBJECT_KIND: ObjectKind;

    /// The objects of this kind.
    fn store(snapshot: &ClusterSnapshot) -> &Store<Self>;

    /// The objects of this kind, to be changed.
    fn store_mut(snapshot: &mut ClusterSnapshot) -> &mut Store<Self>;

    /// Drops what decides nothing.
    fn trim(&mut self);

    /// Drops what is secret.
    fn forget_keys(&mut self) {}

    /// Whether the same follows from both, once they are trimmed.
    fn decides_as(&self, other: &Self) -> bool {
        self == other
    }
}

macro_rules! tracked {
    ($kind:ident, $store:ident, $($rest:item)*) => {
        impl Tracked for $kind {
            const OBJECT_KIND: ObjectKind = ObjectKind::$kind;

            fn store(snapshot: &ClusterSnapshot) -> &Store<Self> {
                &snapshot.$store
            }

            fn store_mut(snapshot: &mut ClusterSnapshot) -> &mut Store<Self> {
                &mut snapshot.$store
            }

            $($rest)*
        }
    };
}

tracked! { Ingress, ingresses,
    /// The status is kept for who writes it, and with it the version that a write must name.
    fn trim(&mut self) {
        let metadata = &mut self.metadata;
        let version = metadata.resource_version.take();
        *metadata = ObjectMeta { resource_version: version, ..identity(metadata) };
        if let Some(rules) = self.spec.as_mut().and_then(|spec| spec.rules.as_mut()) {
            rules.shrink_to_fit();
            for http in rules.iter_mut().filter_map(|rule| rule.http.as_mut()) {
                http.paths.shrink_to_fit();
            }
        }
    }

    fn decides_as(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.metadata, &other.metadata);
        self.spec == other.spec
            && ours.annotations == theirs.annotations
            && ours.creation_timestamp == theirs.creation_timestamp
            && ours.uid == theirs.uid
    }
}

tracked! { IngressClass, ingress_classes,
    fn trim(&mut self) {
        self.metadata = identity(&mut self.metadata);
        self.spec = None;
    }
}

tracked! { Service, services,
    fn trim(&mut self) {
        self.metadata = ObjectMeta { annotations: None, ..identity(&mut self.metadata) };
        self.status = None;
        self.spec = self.spec.take().map(|spec| ServiceSpec {
            cluster_ip: first_cluster_ip(spec.cluster_ip, spec.cluster_ips),
            external_name: spec.external_name,
            ports: spec.ports.map(|ports| ports.into_iter().map(trim_port).collect()),
            type_: spec.type_,
            ..ServiceSpec::default()
        });
    }
}

tracked! { Namespace, namespaces,
    fn trim(&mut self) {
        let labels = self.metadata.labels.take();
        self.metadata = ObjectMeta { labels, annotations: None, ..identity(&mut self.metadata) };
        self.spec = None;
        self.status = None;
    }
}

tracked! { Secret, secrets,
    /// Only the certificate and its key are kept. What is written as text counts, as it does for the API server.
    fn trim(&mut self) {
        self.metadata = ObjectMeta { annotations: None, ..identity(&mut self.metadata) };
        let text = self.string_data.take().into_iter().flatten();
        let mut data = self.data.take().unwrap_or_default();
        data.extend(text.map(|(name, text)| (name, ByteString(text.into_bytes()))));
        data.retain(|name, _| matches!(name.as_str(), "tls.crt" | "tls.key"));
        self.data = Some(data).filter(|data| !data.is_empty());
    }

    fn forget_keys(&mut self) {
        self.data = None;
    }
}

tracked! { EndpointSlice, endpoint_slices,
    fn trim(&mut self) {
        let labels = self.metadata.labels.take();
        self.metadata = ObjectMeta { labels, annotations: None, ..identity(&mut self.metadata) };
        self.endpoints.shrink_to_fit();
        for endpoint in &mut self.endpoints {
            *endpoint = Endpoint {
                addresses: std::mem::take(&mut endpoint.addresses),
                conditions: endpoint.conditions.take(),
                ..Endpoint::default()
            };
        }
    }
}

/// What says which object it is, how old it is, and what its annotations ask for.
fn identity(metadata: &mut ObjectMeta) -> ObjectMeta {
    let annotations = metadata.annotations.take().map(|mut annotations| {
        annotations.remove(LAST_APPLIED);
        annotations
    });
    ObjectMeta {
        name: metadata.name.take(),
        namespace: metadata.namespace.take(),
        uid: metadata.uid.take(),
        creation_timestamp: metadata.creation_timestamp.take(),
        annotations: annotations.filter(|annotations: &BTreeMap<_, _>| !annotations.is_empty()),
        ..ObjectMeta::default()
    }
}

/// Of `clusterIP` and the first of `clusterIPs`, an API server copies the one to the other.
fn first_cluster_ip(one: Option<String>, several: Option<Vec<String>>) -> Option<String> {
    one.filter(|address| !address.is_empty()).or_else(|| several?.into_iter().next())
}

fn trim_port(port: ServicePort) -> ServicePort {
    ServicePort { node_port: None, ..port }
}

/// Puts a trimmed object into the snapshot, unless it equals the one that is there.
pub(super) fn put<K: Tracked>(snapshot: &mut ClusterSnapshot, object: K) -> Change {
    let store = K::store_mut(snapshot);
    let before = store.get(&ObjectName::of(object.metadata()));
    let change = before.map_or(Change::Decisive, |before| compare(before.as_ref(), &object));
    if change != Change::None {
        store.insert(Arc::new(object));
    }
    change
}

/// Puts all objects of a kind into the snapshot, and takes out those that are not among them. The objects that equal
/// those that are there already are the very same.
pub(super) fn replace<K: Tracked>(snapshot: &mut ClusterSnapshot, objects: Vec<Arc<K>>) -> Change {
    let store = K::store_mut(snapshot);
    let replaced: Store<K> = objects.into_iter().collect();
    let change = |name: &ObjectName| match (store.get(name), replaced.get(name)) {
        (Some(before), Some(after)) => compare(before.as_ref(), after.as_ref()),
        _ => Change::Decisive,
    };
    let change = store.changed(&replaced).iter().map(change).max().unwrap_or(Change::None);
    if change != Change::None {
        *store = replaced;
    }
    change
}

/// The object, or the one in the store if that equals it.
pub(super) fn shared<K: Tracked>(store: &Store<K>, object: K) -> Arc<K> {
    let before = store.get(&ObjectName::of(object.metadata()));
    let same = before.filter(|before| compare(before.as_ref(), &object) == Change::None);
    same.map_or_else(|| Arc::new(object), Arc::clone)
}

/// What the difference between two trimmed versions of an object amounts to.
pub(super) fn compare<K: Tracked>(old: &K, new: &K) -> Change {
    if old == new {
        Change::None
    } else if old.decides_as(new) {
        Change::Informative
    } else {
        Change::Decisive
    }
}

#[cfg(test)]
mod tests;
