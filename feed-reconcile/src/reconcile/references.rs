//! Who has to be looked at again when an object changes.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::discovery::v1::EndpointSlice;

use crate::backend::{SliceIndex, service_of_slice};
use crate::compile::References;
use crate::key::ObjectName;
use crate::snapshot::Store;

/// The Ingresses that looked up an object, whether it was there or not.
#[derive(Debug, Default)]
pub(super) struct ReferenceIndex {
    services: Users,
    secrets: Users,
}

type Users = BTreeMap<ObjectName, BTreeSet<ObjectName>>;

impl ReferenceIndex {
    pub(super) fn insert(&mut self, ingress: &ObjectName, references: &References) {
        add(&mut self.services, ingress, &references.services);
        add(&mut self.secrets, ingress, &references.secrets);
    }

    pub(super) fn remove(&mut self, ingress: &ObjectName, references: &References) {
        take_out(&mut self.services, ingress, &references.services);
        take_out(&mut self.secrets, ingress, &references.secrets);
    }

    pub(super) fn users_of_service(&self, service: &ObjectName) -> impl Iterator<Item = &ObjectName> {
        self.services.get(service).into_iter().flatten()
    }

    pub(super) fn users_of_secret(&self, secret: &ObjectName) -> impl Iterator<Item = &ObjectName> {
        self.secrets.get(secret).into_iter().flatten()
    }
}

fn add<'a>(users: &mut Users, ingress: &ObjectName, objects: impl IntoIterator<Item = &'a ObjectName>) {
    for object in objects {
        users.entry(object.clone()).or_default().insert(ingress.clone());
    }
}

fn take_out<'a>(users: &mut Users, ingress: &ObjectName, objects: impl IntoIterator<Item = &'a ObjectName>) {
    for object in objects {
        let Some(others) = users.get_mut(object) else { continue };
        others.remove(ingress);
        if others.is_empty() {
            users.remove(object);
        }
    }
}

/// Brings the index in step with the newer slices; the Services whose slices changed.
pub(super) fn update_slice_index(
    index: &mut SliceIndex,
    older: &Store<EndpointSlice>,
    newer: &Store<EndpointSlice>,
) -> Vec<ObjectName> {
    let mut services = Vec::new();
    for name in older.changed(newer) {
        if let Some(service) = older.get(&name).and_then(|slice| service_of_slice(slice)) {
            take_out(index, &name, [&service]);
            services.push(service);
        }
        if let Some(service) = newer.get(&name).and_then(|slice| service_of_slice(slice)) {
            add(index, &name, [&service]);
            services.push(service);
        }
    }
    services
}
