//! `elb`: classic load balancers, found by their tags. Their targets are EC2 instances.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_sdk_elasticloadbalancing::types::{Instance, InstanceState};
use feed_reconcile::membership::{Failure, Standing};

use super::aws::{Aws, Sorted};
use super::{Call, Frontend, Listing};
use crate::config::FrontendTags;
use crate::runtime::aws::CallError;
use crate::runtime::aws::balancers::{LoadBalancer, NOT_THERE};

/// Codes that say that there is nothing to leave: the load balancer is gone, or does not know the instance.
const NOTHING_TO_LEAVE: &[&str] = &["InvalidInstance", "InvalidEndPoint"];

/// Classic load balancers.
#[derive(Debug)]
pub(super) struct Elb {
    aws: Aws,
    tags: FrontendTags,
    known: Mutex<Known>,
}

/// What is known of load balancers, by their names.
#[derive(Debug, Default)]
struct Known {
    /// Those with which this process has registered itself.
    registered: BTreeSet<String>,
    /// Which instances each has, by a listing after which nothing was changed; for one look only.
    instances: BTreeMap<String, BTreeSet<String>>,
}

impl Elb {
    pub(super) fn new(aws: Aws, tags: FrontendTags) -> Self {
        Self { aws, tags, known: Mutex::default() }
    }

    async fn find(&self, known: &BTreeSet<String>) -> Result<Listing, Failure> {
        // What is changed meanwhile is not in the listing.
        self.known().instances.clear();
        let before = self.known().registered.clone();
        let inventory = self.aws.looking.classic().await?;
        let Sorted { ours, former, mut listing } = self.aws.sort("classic", inventory, &self.tags, known);
        listing.balancers = ours.iter().map(|it| it.name.clone()).collect();
        let mut known = self.known();
        let unchanged = known.registered == before;
        let instances =
            ours.into_iter().chain(former).map(|LoadBalancer { name, instances, .. }| (name, instances));
        known.instances = instances.filter(|_| unchanged).collect();
        Ok(listing)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the load balancer has the instance; `None` when it is not there.
    async fn has(&self, name: &str, id: &str) -> Result<Option<bool>, Failure> {
        let listed = self.known().instances.remove(name);
        if let Some(instances) = listed {
            return Ok(Some(instances.contains(id)));
        }
        let found = self.aws.looking.classic_named(name).await?;
        Ok(found.map(|found| found.instances.contains(id)))
    }

    async fn health(&self, name: &str) -> Result<Standing, Failure> {
        let id = self.aws.identity.instance_id().await?;
        let has_registered = self.known().registered.contains(name);
        let Some(is_listed) = self.has(name, &id).await? else { return Ok(Standing::Absent) };
        if !is_listed && !has_registered {
            return Ok(Standing::Absent);
        }
        let instance = Instance::builder().instance_id(id).build();
        let call = self.aws.looking.classic.describe_instance_health().load_balancer_name(name);
        match call.instances(instance).send().await {
            Ok(answer) => Ok(standing(answer.instance_states().first(), is_listed)),
            Err(error) => {
                let error = CallError::of(format!("DescribeInstanceHealth of {name}"), &error);
                match error {
                    error if error.is_any_of(NOT_THERE) => Ok(Standing::Absent),
                    error if error.is_any_of(NOTHING_TO_LEAVE) => Ok(standing(None, is_listed)),
                    error if error.is_denied() => Ok(Standing::Unseen(Failure::from(error).why)),
                    error => Err(error.into()),
                }
            }
        }
    }

    async fn register(&self, name: &str) -> Result<(), Failure> {
        let instance = self.instance().await?;
        let call = self.aws.changing.classic.register_instances_with_load_balancer().load_balancer_name(name);
        let answer = call.instances(instance).send().await;
        let failed = |error| CallError::of(format!("RegisterInstancesWithLoadBalancer of {name}"), &error);
        let mut known = self.known();
        known.instances.remove(name);
        answer.map_err(failed)?;
        known.registered.insert(name.to_owned());
        Ok(())
    }

    async fn deregister(&self, name: &str) -> Result<(), Failure> {
        let instance = self.instance().await?;
        let call = self.aws.changing.classic.deregister_instances_from_load_balancer();
        let answer = call.load_balancer_name(name).instances(instance).send().await;
        let failed = |error| CallError::of(format!("DeregisterInstancesFromLoadBalancer of {name}"), &error);
        match answer.map_err(failed) {
            Err(error) if !error.is_any_of(NOT_THERE) && !error.is_any_of(NOTHING_TO_LEAVE) => {
                return Err(error.into());
            }
            Ok(_) | Err(_) => {}
        }
        self.known().instances.remove(name);
        Ok(())
    }

    async fn instance(&self) -> Result<Instance, Failure> {
        Ok(Instance::builder().instance_id(self.aws.identity.instance_id().await?).build())
    }
}

impl Frontend for Elb {
    fn endpoints<'a>(&'a self, known: &'a BTreeSet<String>) -> Call<'a, Listing> {
        Box::pin(self.find(known))
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

/// What an instance's state says, by the API's `InstanceState`. Its description is for people. With connection draining an
/// instance that was deregistered may still be `InService`; and an instance may not be known to the health checks yet.
fn standing(state: Option<&InstanceState>, is_listed: bool) -> Standing {
    let Some(state) = state else {
        return if is_listed {
            Standing::Settling("AWS says nothing of the instance yet".to_owned())
        } else {
            Standing::Absent
        };
    };
    let text = |text: Option<&str>| text.filter(|text| !matches!(*text, "" | "N/A")).map(str::to_owned);
    match (state.state().unwrap_or("Unknown"), is_listed) {
        ("InService", true) => Standing::InService,
        ("InService", false) => Standing::Draining,
        (_, false) => Standing::Absent,
        (other, true) => {
            let why = text(state.description()).or_else(|| text(state.reason_code()));
            let why = why.map_or_else(String::new, |why| format!(": {}", why.trim_end_matches('.')));
            Standing::Settling(format!("its state is {other}{why}"))
        }
    }
}

#[cfg(test)]
mod tests;
