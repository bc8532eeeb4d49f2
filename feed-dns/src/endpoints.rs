//! The load balancers that records point to.

use std::collections::BTreeSet;

use feed_reconcile::dns::keeper::Found;
use feed_reconcile::dns::{Endpoint, RecordName, Target};
use feed_supervisor::runtime::aws::CallError;
use feed_supervisor::runtime::aws::balancers::LoadBalancer;

mod elb;

pub use elb::Elb;

/// Which load balancers are ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Classic and network load balancers whose tag `sky.uk/KubernetesClusterFrontend` has this value.
    pub label_value: Option<String>,
    /// Application load balancers of these names.
    pub alb_names: BTreeSet<String>,
    /// Of these, only those whose tag `sky.uk/KubernetesClusterIngressClass`, where they have it, has this value.
    pub class: Option<String>,
}

/// Where load balancers are looked up. The one real implementation is [`Elb`].
pub trait LoadBalancers: Clone + Send + Sync + 'static {
    /// The load balancers that are wanted and there.
    fn find(&self, wanted: &Wanted) -> impl Future<Output = Result<Found, CallError>> + Send;
}

/// Adds a load balancer, or what it lacks.
fn add(found: &mut Found, balancer: LoadBalancer) {
    let LoadBalancer { name, scheme, dns_name, zone_id, dual_stack, .. } = balancer;
    match (scheme, dns_name, zone_id) {
        (Some(scheme), Some(dns_name), Some(zone_id)) => {
            let target = Target::LoadBalancer { zone_id: zone_id.into(), dual_stack };
            found.endpoints.push((scheme, Endpoint { dns_name: RecordName::new(&dns_name), target }));
        }
        _ => found.missing.push(format!(
            "The load balancer {name} gets no records, since AWS does not tell its scheme, DNS name or hosted zone."
        )),
    }
}

#[cfg(test)]
mod tests;
