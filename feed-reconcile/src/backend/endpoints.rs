//! The ready endpoints of a Service.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use k8s_openapi::api::discovery::v1::{Endpoint, EndpointPort, EndpointSlice};

use crate::key::ObjectName;
use crate::snapshot::Store;

/// The EndpointSlices of each Service.
pub(crate) type SliceIndex = BTreeMap<ObjectName, BTreeSet<ObjectName>>;

/// The label that names an EndpointSlice's Service.
const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// The Service that an EndpointSlice belongs to.
pub(crate) fn service_of_slice(slice: &EndpointSlice) -> Option<ObjectName> {
    let service = slice.metadata.labels.as_ref()?.get(SERVICE_LABEL)?;
    Some(ObjectName::new(slice.metadata.namespace.as_deref().unwrap_or_default(), service))
}

/// The addresses of a Service's ready endpoints for its port of that name (empty where it has none): in order,
/// each once.
pub(super) fn ready(
    service: &ObjectName,
    port_name: &str,
    slices: &Store<EndpointSlice>,
    index: &SliceIndex,
) -> Vec<SocketAddr> {
    let names = index.get(service).into_iter().flatten();
    let mut addresses: Vec<SocketAddr> =
        names.filter_map(|name| slices.get(name)).flat_map(|slice| ready_in(slice, port_name)).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

fn ready_in<'a>(slice: &'a EndpointSlice, port_name: &str) -> impl Iterator<Item = SocketAddr> + use<'a> {
    let ports = slice.ports.as_deref().unwrap_or_default();
    let port = ports.iter().find(|port| port.name.as_deref().unwrap_or_default() == port_name);
    let number = port.filter(|port| is_tcp(port)).and_then(|port| u16::try_from(port.port?).ok());
    let number = number.filter(|number| *number > 0);
    // Slices of names, of type FQDN, have no IP addresses and so drop out.
    let addresses = slice.endpoints.iter().filter(|endpoint| is_ready(endpoint)).filter_map(address);
    number.into_iter().flat_map(move |number| addresses.clone().map(move |it| SocketAddr::new(it, number)))
}

/// The first address: all addresses of an endpoint reach the same.
fn address(endpoint: &Endpoint) -> Option<IpAddr> {
    endpoint.addresses.first()?.parse().ok()
}

fn is_tcp(port: &EndpointPort) -> bool {
    port.protocol.as_deref().is_none_or(|protocol| protocol == "TCP")
}

/// An endpoint of which nothing is known counts as ready, as the API defines it.
fn is_ready(endpoint: &Endpoint) -> bool {
    endpoint.conditions.as_ref().and_then(|conditions| conditions.ready).unwrap_or(true)
}
