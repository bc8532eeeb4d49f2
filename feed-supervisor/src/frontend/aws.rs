//! What AWS's load balancers have in common: clients, who we are, and what is found.

mod identity;
mod target_group;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use feed_reconcile::desired::Scheme;
use feed_reconcile::host::Host;
use feed_reconcile::membership::Failure;
use feed_reconcile::options::Endpoint;

use self::identity::Identity;
pub(super) use self::target_group::{Described, TargetGroup, TargetGroups};
use super::alb::Alb;
use super::elb::Elb;
use super::nlb::Nlb;
use super::{Frontend, Listing};
use crate::config::{AwsBalancers, AwsFrontend, FrontendTags};
use crate::runtime::aws::balancers::{Balancers, CLASS_TAG, FRONTEND_TAG, Inventory, LoadBalancer};
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
    /// Where we look.
    pub(super) region: String,
}

/// The frontend that was asked for. Nothing is called yet.
pub async fn open(config: &AwsFrontend, calls: &AwsCalls) -> Box<dyn Frontend> {
    let looking = aws::config(config.region.clone(), LOOKING).await;
    let changing = aws::config(config.region.clone(), CHANGING).await;
    let aws = Aws {
        looking: Balancers::new(&looking, calls),
        changing: Balancers::new(&changing, calls),
        identity: Identity::new(config.instance_id.clone(), config.instance_ip),
        region: config.region.clone(),
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
        let why = match advice(&error) {
            Some(advice) => format!("{error} ({advice})"),
            None => error.to_string(),
        };
        Self { why, refused: error.refused }
    }
}

/// What helps against an error that lasts.
fn advice(error: &CallError) -> Option<String> {
    let operation = error.operation.split(' ').next().unwrap_or_default();
    if error.is_denied() {
        return Some(format!("the IAM policy must allow elasticloadbalancing:{operation}"));
    }
    let advice = match error.code.as_deref()? {
        "TooManyTargets"
        | "TooManyTargetsException"
        | "TooManyRegistrationsForTargetId"
        | "TooManyRegistrationsForTargetIdException" => {
            "raise this quota of the account, or take other targets out"
        }
        "InvalidTarget" | "InvalidTargetException" => {
            "the target has to be in the VPC of the target group, and of its target type: see --instance-id and --instance-ip"
        }
        "InvalidInstance" | "InvalidEndPoint" | "InvalidInstanceID.NotFound" => {
            "there has to be such an instance in the region and the VPC of the load balancer: see --instance-id and --region"
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" | "AuthFailure" => {
            "AWS does not take these credentials"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

/// What Ingress status says of these load balancers, and what is odd about them; the names by which they are joined are for
/// the caller to add.
pub(super) fn shown<'a>(balancers: impl IntoIterator<Item = &'a LoadBalancer>) -> Listing {
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

/// What was found of the load balancers with certain tags.
pub(super) struct Sorted {
    /// Those that have them.
    pub(super) ours: Vec<LoadBalancer>,
    /// Those that know us, and lack one.
    pub(super) former: Vec<LoadBalancer>,
    /// What Ingress status says, and what is odd.
    pub(super) listing: Listing,
}

impl Aws {
    /// Sorts load balancers of that kind by whose they are. Those of these names know us.
    pub(super) fn sort(
        &self,
        kind: &str,
        inventory: Inventory,
        tags: &FrontendTags,
        known: &BTreeSet<String>,
    ) -> Sorted {
        let pairs = tags.pairs();
        let (ours, others): (Vec<_>, Vec<_>) = inventory.balancers.into_iter().partition(|it| it.has(&pairs));
        let (former, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|it| known.contains(&it.name));
        let is_found = !ours.is_empty() || !former.is_empty();
        let remark = (!is_found).then(|| nothing_found(kind, &self.region, tags, &others));
        let mut listing = shown(ours.iter().chain(&former));
        listing.remarks.extend(remark);
        listing.remarks.extend(former.iter().map(|it| tag_lost(it, &pairs)));
        listing.former = former.iter().map(|it| it.name.clone()).collect();
        listing.incomplete = !inventory.failures.is_empty();
        listing.failures = inventory.failures.into_iter().map(|failure| Failure::from(failure).why).collect();
        Sorted { ours, former, listing }
    }
}

/// What is odd when nothing has the tags.
fn nothing_found(kind: &str, region: &str, tags: &FrontendTags, others: &[LoadBalancer]) -> String {
    /// How many are named.
    const NAMED: usize = 5;
    let pairs = tags.pairs();
    let [(frontend, value), (class, class_value)] = pairs;
    let mut text = format!(
        "there is no {kind} load balancer in {region} with the tags {frontend}={value} and {class}={class_value}"
    );
    let near: Vec<_> = others.iter().filter(|it| pairs.iter().any(|pair| it.has(&[*pair]))).collect();
    let named = near.iter().take(NAMED).map(|it| format!("{} {}", it.name, differences(it, &pairs)));
    if !near.is_empty() {
        text += "; one of both has ";
        text += &named.collect::<Vec<_>>().join(", ");
    }
    if near.len() > NAMED {
        let more = (near.len() - NAMED).to_string();
        text.extend([" and ", &more, " more"]);
    }
    text
}

/// In which of these tags a load balancer differs.
fn differences(balancer: &LoadBalancer, tags: &[(&str, &str)]) -> String {
    let missing = tags.iter().filter(|tag| !balancer.has(&[**tag]));
    let told = missing.map(|(key, _)| match balancer.tags.get(*key) {
        Some(value) => format!("(its {key} is {value})"),
        None => format!("(without {key})"),
    });
    told.collect::<Vec<_>>().join(" ")
}

fn tag_lost(balancer: &LoadBalancer, tags: &[(&str, &str)]) -> String {
    let lost = tags.iter().filter(|tag| !balancer.has(&[**tag])).map(|(key, value)| format!("{key}={value}"));
    format!(
        "the load balancer {} has lost its tag {} {}: it is kept as long as this target is registered with it; give it the tag again, or deregister the target",
        balancer.name,
        lost.collect::<Vec<_>>().join(" and "),
        differences(balancer, tags)
    )
}

#[cfg(test)]
mod tests;
