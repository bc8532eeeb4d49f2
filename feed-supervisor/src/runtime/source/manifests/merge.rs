//! The objects of many files as one snapshot.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use feed_reconcile::key::{ObjectKey, ObjectKind, ObjectName};
use feed_reconcile::snapshot::{ClusterSnapshot, Store};

use super::document::{Entry, Object};
use crate::runtime::source::Change;
use crate::runtime::source::object::{self, Tracked};

/// Collects objects; of two with the same kind and name, the first.
#[derive(Debug)]
pub(super) struct Merge<'a> {
    before: &'a ClusterSnapshot,
    merged: ClusterSnapshot,
    /// The file of each object.
    files: HashMap<(ObjectKind, &'a ObjectName), &'a Path>,
}

impl<'a> Merge<'a> {
    /// Nothing yet; objects equal to those in `before` will be the very same.
    pub(super) fn new(before: &'a ClusterSnapshot) -> Self {
        Self { before, merged: ClusterSnapshot::default(), files: HashMap::new() }
    }

    /// Adds an object of that file, or returns the file that has it already.
    pub(super) fn add(&mut self, entry: &'a Entry, file: &'a Path) -> Option<&'a Path> {
        let key = (entry.object.kind(), &entry.name);
        if let Some(first) = self.files.get(&key) {
            return Some(first);
        }
        self.files.insert(key, file);
        match &entry.object {
            Object::Ingress(object) => self.insert(&entry.name, object),
            Object::IngressClass(object) => self.insert(&entry.name, object),
            Object::Service(object) => self.insert(&entry.name, object),
            Object::Namespace(object) => self.insert(&entry.name, object),
            Object::Secret(object) => self.insert(&entry.name, object),
            Object::EndpointSlice(object) => self.insert(&entry.name, object),
        }
        None
    }

    fn insert<K: Tracked>(&mut self, name: &ObjectName, object: &Arc<K>) {
        let before = K::store(self.before).get(name);
        let same = before.filter(|before| {
            Arc::ptr_eq(before, object) || object::compare(before.as_ref(), object.as_ref()) == Change::None
        });
        K::store_mut(&mut self.merged).insert(Arc::clone(same.unwrap_or(object)));
    }

    /// All objects that were added, and those that cannot be read.
    pub(super) fn into_snapshot(self, unreadable: BTreeSet<ObjectKey>) -> ClusterSnapshot {
        let Self { before, merged, .. } = self;
        ClusterSnapshot {
            ingresses: shared(&before.ingresses, merged.ingresses),
            ingress_classes: shared(&before.ingress_classes, merged.ingress_classes),
            services: shared(&before.services, merged.services),
            namespaces: shared(&before.namespaces, merged.namespaces),
            secrets: shared(&before.secrets, merged.secrets),
            endpoint_slices: shared(&before.endpoint_slices, merged.endpoint_slices),
            unreadable: Arc::new(unreadable),
            ..ClusterSnapshot::default()
        }
    }
}

/// The merged objects; the very store of before, where nothing in it changed.
fn shared<K: Tracked>(before: &Store<K>, merged: Store<K>) -> Store<K> {
    if before.changed(&merged).is_empty() { before.clone() } else { merged }
}

/// Whether the two hold the very same objects.
pub(super) fn is_same(one: &ClusterSnapshot, other: &ClusterSnapshot) -> bool {
    one.ingresses.changed(&other.ingresses).is_empty()
        && one.ingress_classes.changed(&other.ingress_classes).is_empty()
        && one.services.changed(&other.services).is_empty()
        && one.namespaces.changed(&other.namespaces).is_empty()
        && one.secrets.changed(&other.secrets).is_empty()
        && one.endpoint_slices.changed(&other.endpoint_slices).is_empty()
        && one.unreadable == other.unreadable
}
