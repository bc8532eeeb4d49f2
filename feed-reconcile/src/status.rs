//! The status of Ingresses: through which load balancer their hosts are reached.

use std::collections::BTreeSet;

use k8s_openapi::api::networking::v1::{Ingress, IngressLoadBalancerIngress};

use crate::desired::{DesiredState, IngressSummary, Scheme};
use crate::key::ObjectName;
use crate::options::Endpoint;
use crate::snapshot::ClusterSnapshot;

/// What to write to one Ingress.
#[derive(Clone, Debug, PartialEq)]
pub struct StatusChange {
    /// The Ingress.
    pub ingress: ObjectName,
    /// Its new `status.loadBalancer.ingress`, whole.
    pub load_balancer: Vec<IngressLoadBalancerIngress>,
}

/// What to write so that every Ingress says where it is served; nothing for those that are right already.
///
/// `endpoints` are our load balancers by the scheme of the Ingresses that they serve.
pub fn status_changes(
    snapshot: &ClusterSnapshot,
    state: &DesiredState,
    endpoints: &BTreeSet<(Scheme, Endpoint)>,
) -> Vec<StatusChange> {
    let changes = snapshot.ingresses.iter().filter_map(|(name, ingress)| {
        let load_balancer = status_change(ingress, state.ingresses.get(name), endpoints)?;
        Some(StatusChange { ingress: name.clone(), load_balancer })
    });
    changes.collect()
}

/// The list that one Ingress should have; `None` when it has it. `adopted` is `None` for an Ingress that is not
/// ours.
///
/// Of an adopted Ingress the whole list is ours. From any other one our own endpoints are taken out, which it may
/// have from a time when it was adopted.
pub fn status_change(
    ingress: &Ingress,
    adopted: Option<&IngressSummary>,
    endpoints: &BTreeSet<(Scheme, Endpoint)>,
) -> Option<Vec<IngressLoadBalancerIngress>> {
    let balancer = ingress.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let current = balancer.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default();
    let Some(summary) = adopted else {
        let is_ours =
            |entry: &IngressLoadBalancerIngress| endpoints.iter().any(|(_, ours)| names(entry, ours));
        let others = || current.iter().filter(|entry| !is_ours(entry));
        return (others().count() < current.len()).then(|| others().cloned().collect());
    };
    let desired = || endpoints.iter().filter(|(scheme, _)| summary.scheme == Some(*scheme)).map(|(_, it)| it);
    let has = |endpoint| current.iter().any(|entry| names(entry, endpoint) && has_no_ports(entry));
    let is_right = desired().count() == current.len() && desired().all(has);
    (!is_right).then(|| desired().map(entry_of).collect())
}

/// Whether the entry stands for that endpoint, whatever its ports.
fn names(entry: &IngressLoadBalancerIngress, endpoint: &Endpoint) -> bool {
    match (endpoint, entry.ip.as_deref(), entry.hostname.as_deref()) {
        (Endpoint::Ip(address), Some(ip), None) => ip.parse() == Ok(*address),
        (Endpoint::Name(host), None, Some(hostname)) => hostname == host.as_str(),
        _ => false,
    }
}

fn has_no_ports(entry: &IngressLoadBalancerIngress) -> bool {
    entry.ports.as_ref().is_none_or(Vec::is_empty)
}

fn entry_of(endpoint: &Endpoint) -> IngressLoadBalancerIngress {
    match endpoint {
        Endpoint::Ip(address) => IngressLoadBalancerIngress {
            ip: Some(address.to_string()),
            ..IngressLoadBalancerIngress::default()
        },
        // `Host` is in lower case: the API server refuses any other.
        Endpoint::Name(host) => IngressLoadBalancerIngress {
            hostname: Some(host.as_str().to_owned()),
            ..IngressLoadBalancerIngress::default()
        },
    }
}

#[cfg(test)]
mod tests;
