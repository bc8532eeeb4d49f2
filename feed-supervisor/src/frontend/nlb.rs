//! `nlb`: network load balancers, found by their tags. Joined is every target group that one uses.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use feed_reconcile::membership::{Failure, Standing};
use futures::future::join_all;

use super::aws::{Aws, TargetGroup, TargetGroups, nothing_found, shown};
use super::{Call, Frontend, Listing};
use crate::config::FrontendTags;

/// Network load balancers.
#[derive(Debug)]
pub(super) struct Nlb {
    groups: TargetGroups,
    tags: FrontendTags,
    /// By the load balancers' names.
    known: Mutex<BTreeMap<String, Groups>>,
}

/// The target groups of a load balancer.
#[derive(Clone, Debug, Default)]
struct Groups {
    used: Vec<TargetGroup>,
    /// Those that it used before: they may still know us.
    former: Vec<TargetGroup>,
}

impl Nlb {
    pub(super) fn new(aws: Aws, tags: FrontendTags) -> Self {
        Self { groups: TargetGroups::new(aws), tags, known: Mutex::default() }
    }

    async fn find(&self) -> Result<Listing, Failure> {
        let tags = self.tags.pairs();
        let mut network = self.groups.aws.looking.v2().await?;
        network.retain(|balancer| balancer.is_network);
        let found = self.groups.aws.looking.v2_tagged(network, &tags).await?;
        let all = if found.is_empty() { Vec::new() } else { self.groups.all().await? };
        let mut listing = shown(&found);
        if found.is_empty() {
            listing.remarks.push(nothing_found("network", &self.tags));
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for balancer in found {
            let mut used = Vec::new();
            for described in all.iter().filter(|it| it.balancer_arns.contains(&balancer.id)) {
                match &described.group {
                    Ok(group) => used.push(group.clone()),
                    Err(why) => listing.faults.push(why.clone()),
                }
            }
            if used.is_empty() {
                let name = &balancer.name;
                listing.faults.push(format!("the network load balancer {name} uses no target group to join"));
            } else {
                listing.balancers.push(balancer.name.clone());
            }
            known.entry(balancer.name).or_default().renew(used);
        }
        Ok(listing)
    }

    fn groups_of(&self, name: &str) -> Groups {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned().unwrap_or_default()
    }

    async fn health(&self, name: &str) -> Result<Standing, Failure> {
        let groups = self.groups_of(name);
        let observed = join_all(groups.used.iter().map(|group| self.groups.observe(group))).await;
        together(observed)
    }

    async fn register(&self, name: &str) -> Result<(), Failure> {
        let groups = self.groups_of(name);
        all_of(join_all(groups.used.iter().map(|group| self.groups.register(group))).await)
    }

    async fn deregister(&self, name: &str) -> Result<(), Failure> {
        let groups = self.groups_of(name);
        let groups = groups.used.iter().chain(&groups.former);
        all_of(join_all(groups.map(|group| self.groups.deregister(group))).await)
    }
}

impl Groups {
    fn renew(&mut self, used: Vec<TargetGroup>) {
        self.former.append(&mut self.used);
        self.former.sort();
        self.former.dedup();
        self.former.retain(|group| !used.contains(group));
        self.used = used;
    }
}

/// How all groups together see us. Where they differ, we have left the load balancer only once all have let us go. One that
/// cannot be asked does not keep us out of the others.
fn together(observed: Vec<Result<Standing, Failure>>) -> Result<Standing, Failure> {
    let is_out = |standing: &Standing| matches!(standing, Standing::Absent | Standing::Draining);
    if observed.iter().all(|it| *it == Ok(Standing::Absent)) {
        return Ok(Standing::Absent);
    }
    if observed.iter().flatten().any(is_out) {
        return Ok(Standing::Draining);
    }
    let standings = observed.into_iter().collect::<Result<Vec<_>, _>>()?;
    let settling = standings.into_iter().find(|standing| matches!(standing, Standing::Settling(_)));
    Ok(settling.unwrap_or(Standing::InService))
}

/// What calls for several groups come to. Nothing has changed only if all were refused.
fn all_of(outcomes: Vec<Result<(), Failure>>) -> Result<(), Failure> {
    let calls = outcomes.len();
    let failures: Vec<Failure> = outcomes.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() {
        return Ok(());
    }
    let refused = failures.len() == calls && failures.iter().all(|failure| failure.refused);
    let why = failures.into_iter().map(|failure| failure.why).collect::<Vec<_>>().join("; ");
    Err(Failure { why, refused })
}

impl Frontend for Nlb {
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

#[cfg(test)]
mod tests;
