//! What AWS's load balancers have in common: clients, who we are, and what is found.

mod identity;
mod target_group;

use std::collections::BTreeMap;
use std::time::Duration;

use feed_reconcile::desired::Scheme;
use feed_reconcile::host::Host;
use feed_reconcile::membership::Failure;
use feed_reconcile::options::Endpoint;

use self::identity::Identity;
pub(super) use self::target_group::{TargetGroup, TargetGroups};
use super::alb::Alb;
use super::elb::Elb;
use super::nlb::Nlb;
use super::{Frontend, Listing};
use crate::config::{AwsBalancers, AwsFrontend, FrontendTags};
use crate::runtime::aws::balancers::{Balancers, CLASS_TAG, FRONTEND_TAG, LoadBalancer};
use crate::runtime::aws::calls::AwsCalls;
use crate::runtime::aws::{self, CallError, Patience};

/// Calls that only look. Listings are many calls, of which a throttled one should not spoil the others.
const LOOKING: Patience = Patience { retries: 2, attempt_timeout: ATTEMPT_TIMEOUT };

/// Calls that change something are tried once, so that it is known what came of them: the machine tries again.
const CHANGING: Patience = Patience { retries: 0, attempt_timeout: ATTEMPT_TIMEOUT };

/// An API that answers later must not hold up leaving.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// AWS, as far as frontends need it.
#[derive(Debug)]
pub(super) struct Aws {
    /// To look.
    pub(super) looking: Balancers,
    /// To change.
    pub(super) changing: Balancers,
    /// Who we are.
    pub(super) identity: Identity,
}

/// The frontend that was asked for. Nothing is called yet.
pub async fn open(config: &AwsFrontend, calls: &AwsCalls) -> Box<dyn Frontend> {
    let looking = aws::config(config.region.clone(), LOOKING).await;
    let changing = aws::config(config.region.clone(), CHANGING).await;
    let aws = Aws {
        looking: Balancers::new(&looking, calls),
        changing: Balancers::new(&changing, calls),
        identity: Identity::new(config.instance_id.clone(), config.instance_ip),
    };
    match &config.balancers {
        AwsBalancers::Elb(tags) => Box::new(Elb::new(aws, tags.clone())),
        AwsBalancers::Nlb(tags) => Box::new(Nlb::new(aws, tags.clone())),
        AwsBalancers::Alb(names) => Box::new(Alb::new(aws, names.clone())),
    }
}

impl FrontendTags {
    /// As AWS's calls take them.
    pub(super) fn pairs(&self) -> [(&str, &str); 2] {
        [(FRONTEND_TAG, self.frontend.as_str()), (CLASS_TAG, self.class.as_str())]
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self { why: error.to_string(), refused: error.refused }
    }
}

/// What Ingress status says of these load balancers, and what is odd about them; the names by which they are joined are for
/// the caller to add.
pub(super) fn shown(balancers: &[LoadBalancer]) -> Listing {
    let mut listing = Listing::default();
    let mut by_scheme: BTreeMap<Scheme, Vec<&str>> = BTreeMap::new();
    for LoadBalancer { name, scheme, dns_name, .. } in balancers {
        let host = dns_name.as_deref().and_then(|dns_name| Host::new(dns_name.trim_end_matches('.')).ok());
        if let (Some(scheme), Some(host)) = (scheme, host) {
            listing.endpoints.insert((*scheme, Endpoint::Name(host)));
            by_scheme.entry(*scheme).or_default().push(name);
        } else {
            listing.remarks.push(format!(
                "AWS does not tell the scheme or the DNS name of the load balancer {name}: Ingress status cannot name it"
            ));
        }
    }
    for (scheme, names) in by_scheme.iter().filter(|(_, names)| names.len() > 1) {
        listing.remarks.push(format!(
            "{} load balancers are {}, and all are joined: {}",
            names.len(),
            scheme.as_str(),
            names.join(", ")
        ));
    }
    listing
}

/// What is odd when nothing has the tags.
pub(super) fn nothing_found(kind: &str, tags: &FrontendTags) -> String {
    let [(frontend, value), (class, class_value)] = tags.pairs();
    format!("there is no {kind} load balancer with the tags {frontend}={value} and {class}={class_value}")
}

#[cfg(test)]
mod tests;
