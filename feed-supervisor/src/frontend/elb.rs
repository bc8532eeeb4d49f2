//! `elb`: classic load balancers, found by their tags. Their targets are EC2 instances.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use aws_sdk_elasticloadbalancing::types::{Instance, InstanceState};
use feed_reconcile::membership::{Failure, Standing};

use super::aws::{Aws, nothing_found, shown};
use super::{Call, Frontend, Listing};
use crate::config::FrontendTags;
use crate::runtime::aws::CallError;

/// Codes that say that there is nothing to leave: the load balancer is gone, or does not know the instance.
const NOT_THERE: &[&str] =
    &["LoadBalancerNotFound", "AccessPointNotFound", "AccessPointNotFoundException", "InvalidInstance"];

/// Classic load balancers.
#[derive(Debug)]
pub(super) struct Elb {
    aws: Aws,
    tags: FrontendTags,
    /// The load balancers with which this process has registered itself.
    registered: Mutex<BTreeSet<String>>,
}

impl Elb {
    pub(super) fn new(aws: Aws, tags: FrontendTags) -> Self {
        Self { aws, tags, registered: Mutex::default() }
    }

    async fn find(&self) -> Result<Listing, Failure> {
        let found = self.aws.looking.classic_tagged(&self.tags.pairs()).await?;
        let mut listing = shown(&found);
        if found.is_empty() {
            listing.remarks.push(nothing_found("classic", &self.tags));
        }
        listing.balancers = found.into_iter().map(|balancer| balancer.name).collect();
        Ok(listing)
    }

    async fn health(&self, name: &str) -> Result<Standing, Failure> {
        let instance = self.instance().await?;
        let call = self.aws.looking.classic.describe_instance_health().load_balancer_name(name);
        match call.instances(instance).send().await {
            Ok(answer) => {
                let has_registered =
                    self.registered.lock().unwrap_or_else(PoisonError::into_inner).contains(name);
                let state = answer.instance_states().first();
                // AWS says of an instance that it does not know that it is invalid, rather than nothing.
                let silent = || Standing::Settling(format!("{name} says nothing of the instance yet"));
                Ok(match state {
                    Some(state) => standing(state, has_registered),
                    None if has_registered => silent(),
                    None => Standing::Absent,
                })
            }
            Err(error) => {
                let error = CallError::of(format!("DescribeInstanceHealth of {name}"), &error);
                if error.is_any_of(NOT_THERE) { Ok(Standing::Absent) } else { Err(error.into()) }
            }
        }
    }

    async fn register(&self, name: &str) -> Result<(), Failure> {
        let instance = self.instance().await?;
        let call = self.aws.changing.classic.register_instances_with_load_balancer().load_balancer_name(name);
        let answer = call.instances(instance).send().await;
        let failed = |error| CallError::of(format!("RegisterInstancesWithLoadBalancer of {name}"), &error);
        answer.map_err(failed)?;
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned());
        Ok(())
    }

    async fn deregister(&self, name: &str) -> Result<(), Failure> {
        let instance = self.instance().await?;
        let call = self.aws.changing.classic.deregister_instances_from_load_balancer();
        let answer = call.load_balancer_name(name).instances(instance).send().await;
        let failed = |error| CallError::of(format!("DeregisterInstancesFromLoadBalancer of {name}"), &error);
        match answer.map_err(failed) {
            Err(error) if !error.is_any_of(NOT_THERE) => return Err(error.into()),
            Ok(_) | Err(_) => {}
        }
        self.registered.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        Ok(())
    }

    async fn instance(&self) -> Result<Instance, Failure> {
        Ok(Instance::builder().instance_id(self.aws.identity.instance_id().await?).build())
    }
}

impl Frontend for Elb {
    fn endpoints(&self) -> Call<'_, Listing> {
        Box::pin(self.find())
    }

    fn observe<'a>(&'a self, name: &'a str) -> Call<'a, Standing> {
        Box::pin(self.health(name))
    }

    fn attach<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(self.register(name))
    }

    fn detach<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(self.deregister(name))
    }
}

/// What an instance's state says. Whether it is registered is told by the description only, in the words of the API's
/// `InstanceState`; with connection draining an instance is `InService` while it is deregistered. `Unknown` is no news: then
/// to register once does no harm.
fn standing(state: &InstanceState, has_registered: bool) -> Standing {
    let description = state.description().unwrap_or_default().trim_end_matches('.');
    if description.contains("deregistration currently in progress") {
        return Standing::Draining;
    }
    match state.state().unwrap_or("Unknown") {
        "InService" => Standing::InService,
        _ if description.contains("is not currently registered") => Standing::Absent,
        "Unknown" if !has_registered => Standing::Absent,
        other if description.is_empty() || description == "N/A" => {
            Standing::Settling(format!("its state is {other}"))
        }
        other => Standing::Settling(format!("its state is {other}: {description}")),
    }
}

#[cfg(test)]
mod tests;
