//! The load balancers that records point to.

use std::collections::BTreeSet;

use feed_reconcile::desired::Scheme;
use feed_reconcile::dns::{Endpoint, RecordName, Target};
use feed_supervisor::runtime::aws::CallError;

mod elb;

pub use elb::Elb;

/// Which load balancers are ours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Classic and network load balancers whose tag [`TAG`] has this value.
    pub label_value: Option<String>,
    /// Application load balancers of these names.
    pub alb_names: BTreeSet<String>,
}

/// The tag that marks a load balancer as a frontend of a cluster.
pub const TAG: &str = "sky.uk/KubernetesClusterFrontend";

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The load balancers by scheme; several may have the same.
    pub endpoints: Vec<(Scheme, Endpoint)>,
    /// What is wrong with the others: sentences.
    pub problems: Vec<String>,
}

/// Where load balancers are looked up. The one real implementation is [`Elb`].
pub trait LoadBalancers: Send + Sync {
    /// The load balancers that are wanted and there.
    fn find(&self, wanted: &Wanted) -> impl Future<Output = Result<Found, CallError>> + Send;
}

/// A load balancer as AWS describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Described {
    /// A classic load balancer's name, or the others' ARN: what its tags are asked for by.
    id: String,
    name: String,
    scheme: Option<String>,
    dns_name: Option<String>,
    zone_id: Option<String>,
    dual_stack: bool,
}

impl Found {
    /// Adds a load balancer, or what it lacks.
    fn add(&mut self, described: Described) {
        let Described { name, scheme, dns_name, zone_id, dual_stack, .. } = described;
        let known = [Scheme::Internal, Scheme::InternetFacing];
        let scheme = known.into_iter().find(|known| scheme.as_deref() == Some(known.as_str()));
        let text = |text: Option<String>| text.filter(|text| !text.is_empty());
        match (scheme, text(dns_name), text(zone_id)) {
            (Some(scheme), Some(dns_name), Some(zone_id)) => {
                let target = Target::LoadBalancer { zone_id: zone_id.into(), dual_stack };
                self.endpoints.push((scheme, Endpoint { dns_name: RecordName::new(&dns_name), target }));
            }
            _ => self.problems.push(format!(
                "The load balancer {name} gets no records, since AWS does not tell its scheme, DNS name or hosted zone."
            )),
        }
    }
}

#[cfg(test)]
mod tests;
