//! The only input: the cluster's objects at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use k8s_openapi::Metadata;
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::certificate::{Examined, KeyPair};
use crate::difference::changed_keys;
use crate::key::{ObjectKey, ObjectName};

/// The objects of one kind, ordered by namespace and name.
///
/// A clone shares everything with its original until one of them changes.
pub struct Store<K>(Arc<BTreeMap<ObjectName, Arc<K>>>);

/// The names alone: among the objects are Secrets.
impl<K> fmt::Debug for Store<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl<K> Clone for Store<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Metadata<Ty = ObjectMeta>> Store<K> {
    /// Adds an object, or replaces the one of the same name.
    pub fn insert(&mut self, object: Arc<K>) {
        Arc::make_mut(&mut self.0).insert(ObjectName::of(object.metadata()), object);
    }
}

impl<K: Metadata<Ty = ObjectMeta>> FromIterator<Arc<K>> for Store<K> {
    fn from_iter<I: IntoIterator<Item = Arc<K>>>(objects: I) -> Self {
        Self(Arc::new(
            objects.into_iter().map(|object| (ObjectName::of(object.metadata()), object)).collect(),
        ))
    }
}

impl<K> Store<K> {
    /// Adds what is known of the object of that name, or replaces it.
    pub fn set(&mut self, name: ObjectName, value: Arc<K>) {
        Arc::make_mut(&mut self.0).insert(name, value);
    }

    /// Removes the object of that name and returns it, if there was one.
    pub fn remove(&mut self, name: &ObjectName) -> Option<Arc<K>> {
        if !self.0.contains_key(name) {
            return None;
        }
        Arc::make_mut(&mut self.0).remove(name)
    }

    /// The object of that name.
    pub fn get(&self, name: &ObjectName) -> Option<&Arc<K>> {
        self.0.get(name)
    }

    /// All objects in the order of their names.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&ObjectName, &Arc<K>)> {
        self.0.iter()
    }

    /// The names of the objects in that namespace, in order.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &ObjectName> {
        let first = ObjectName::new(namespace, "");
        self.0.range(first..).map(|(name, _)| name).take_while(move |name| *name.namespace == *namespace)
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no object at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is a clone of the other, or the other way round, and neither was changed since.
    pub fn is_same_as(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The names whose object is not the very same `Arc` in both stores, in order.
    ///
    /// An object that was replaced by an equal one is named too. Costs one comparison an object, and nothing
    /// when the two stores still share everything.
    pub fn changed(&self, newer: &Self) -> Vec<ObjectName> {
        if Arc::ptr_eq(&self.0, &newer.0) { Vec::new() } else { changed_keys(&self.0, &newer.0) }
    }
}

/// Everything in the cluster that decides what is served.
///
/// Which objects are in it is the source's choice (see each field); an object that is missing is treated as
/// one that does not exist. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ClusterSnapshot {
    /// All Ingresses; which of them are adopted is decided here.
    pub ingresses: Store<Ingress>,
    /// The Ingresses that keep their paths and are not served: these answer 503.
    pub closed: Arc<BTreeSet<ObjectName>>,
    /// All IngressClasses.
    pub ingress_classes: Store<IngressClass>,
    /// All Services.
    pub services: Store<Service>,
    /// All Namespaces; needed only where namespaces are selected by label.
    pub namespaces: Store<Namespace>,
    /// Secrets of type `kubernetes.io/tls`. That they exist is all that is asked of them.
    pub secrets: Store<Secret>,
    /// What can be done with the certificates of those that [`named_secrets`](crate::tls::named_secrets) tells.
    pub certificates: Store<Examined>,
    /// What is served where no Secret is.
    pub default_certificate: Option<KeyPair>,
    /// Objects that are there and cannot be read, so that they are not among the others.
    pub unreadable: Arc<BTreeSet<ObjectKey>>,
    /// EndpointSlices of headless Services, or of all with `--backend-mode=endpoints`.
    pub endpoint_slices: Store<EndpointSlice>,
}
