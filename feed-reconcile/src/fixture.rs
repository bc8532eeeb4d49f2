//! Cluster snapshots from YAML, for tests.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::backend::{SliceIndex, service_of_slice};
use crate::snapshot::ClusterSnapshot;

#[derive(Deserialize)]
struct Kind {
    kind: String,
}

/// The objects of a YAML stream. Kinds are told apart by `kind` alone.
pub(crate) fn snapshot(yaml: &str) -> ClusterSnapshot {
    let mut snapshot = ClusterSnapshot::default();
    for document in yaml.split("\n---\n").filter(|document| !document.trim().is_empty()) {
        match parse::<Kind>(document).kind.as_str() {
            "Ingress" => snapshot.ingresses.insert(Arc::new(parse(document))),
            "IngressClass" => snapshot.ingress_classes.insert(Arc::new(parse(document))),
            "Service" => snapshot.services.insert(Arc::new(parse(document))),
            "Namespace" => snapshot.namespaces.insert(Arc::new(parse(document))),
            "Secret" => snapshot.secrets.insert(Arc::new(parse(document))),
            "EndpointSlice" => snapshot.endpoint_slices.insert(Arc::new(parse(document))),
            other => panic!("a {other} in a fixture"),
        }
    }
    snapshot
}

/// One object from YAML.
pub(crate) fn parse<T: DeserializeOwned>(yaml: &str) -> T {
    serde_saphyr::from_str(yaml).unwrap_or_else(|error| panic!("{error} in the fixture\n{yaml}"))
}

/// The snapshot's EndpointSlices by their Services.
pub(crate) fn slice_index(snapshot: &ClusterSnapshot) -> SliceIndex {
    let mut index = SliceIndex::new();
    for (name, slice) in snapshot.endpoint_slices.iter() {
        if let Some(service) = service_of_slice(slice) {
            index.entry(service).or_default().insert(name.clone());
        }
    }
    index
}
