//! `nlb`: network load balancers, found by their tags. Joined is every target group that one uses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use feed_reconcile::membership::{Failure, Standing};
use futures::future::join_all;

use super::aws::{Aws, Described, Sorted, TargetGroup, TargetGroups};
use super::{Call, Frontend, Listing};
use crate::config::FrontendTags;
use crate::runtime::aws::balancers::name_in;

/// Network load balancers.
#[derive(Debug)]
pub(super) struct Nlb {
    groups: TargetGroups,
    tags: FrontendTags,
    /// By the load balancers' names; and those that others have taken over, each by a name of its own.
    known: Mutex<BTreeMap<String, Groups>>,
}

/// The target groups of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Groups {
    used: Vec<TargetGroup>,
    /// Those that it used before: they may still know us.
    former: Vec<TargetGroup>,
}

impl Nlb {
    pub(super) fn new(aws: Aws, tags: FrontendTags) -> Self {
        Self { groups: TargetGroups::new(aws), tags, known: Mutex::default() }
    }

    async fn find(&self, known: &BTreeSet<String>) -> Result<Listing, Failure> {
        let inventory = self.groups.aws.looking.network().await?;
        let Sorted { ours, former, mut listing } =
            self.groups.aws.sort("network", inventory, &self.tags, known);
        let nothing_to_know = ours.is_empty() && known.is_empty();
        let (all, failure) = if nothing_to_know { (Vec::new(), None) } else { self.groups.all().await };
        if let Some(failure) = failure {
            listing.incomplete = true;
            listing.failures.push(Failure::from(failure).why);
        }
        let mut groups = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for balancer in ours.iter().chain(&former) {
            let name = &balancer.name;
            let mut used = Vec::new();
            for described in all.iter().filter(|it| it.balancer_arns.contains(&balancer.id)) {
                match &described.group {
                    Ok(group) => used.push(group.clone()),
                    Err(why) => listing.faults.push(why.clone()),
                }
            }
            if used.is_empty() && !listing.incomplete {
                listing.faults.push(format!("the network load balancer {name} uses no target group to join"));
            } else if !used.is_empty() && !listing.former.contains(name) {
                listing.balancers.push(name.clone());
            }
            groups.entry(name.clone()).or_default().renew(used, listing.incomplete);
        }
        let arns: BTreeSet<&str> = ours.iter().chain(&former).map(|it| it.id.as_str()).collect();
        let (foreign, remarks) = leave_others(&mut groups, &all, &arns, listing.incomplete);
        listing.foreign = foreign;
        listing.remarks.extend(remarks);
        Ok(listing)
    }

    fn groups_of(&self, name: &str) -> Groups {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned().unwrap_or_default()
    }

    async fn health(&self, name: &str) -> Result<Standing, Failure> {
        let groups = self.groups_of(name);
        let groups = if groups.used.is_empty() { &groups.former } else { &groups.used };
        let observed = join_all(groups.iter().map(|group| self.groups.observe(group))).await;
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
    /// Takes in what it uses now. A listing that was cut off says nothing of what it does not name.
    fn renew(&mut self, used: Vec<TargetGroup>, incomplete: bool) {
        self.former.append(&mut self.used);
        self.former.sort();
        self.former.dedup();
        self.former.retain(|group| !used.contains(group));
        self.used = used;
        if incomplete {
            self.used.append(&mut self.former);
        }
    }
}

/// Which of the groups that our load balancers used before are others' now; each is a load balancer of its own from here on, by
/// the name that is returned. And what is odd about those that nobody uses.
fn leave_others(
    known: &mut BTreeMap<String, Groups>,
    all: &[Described],
    ours: &BTreeSet<&str>,
    incomplete: bool,
) -> (Vec<String>, Vec<String>) {
    let (mut foreign, mut remarks) = (BTreeMap::new(), Vec::new());
    if incomplete {
        return (known.keys().filter(|name| is_foreign(name)).cloned().collect(), remarks);
    }
    for (name, groups) in known.iter_mut() {
        groups.former.retain(|group| {
            let Some(described) = all.iter().find(|it| it.group.as_ref() == Ok(group)) else { return false };
            if described.balancer_arns.iter().any(|arn| ours.contains(arn.as_str())) {
                return false;
            }
            let users: Vec<&str> = described.balancer_arns.iter().map(|arn| name_in(arn)).collect();
            if users.is_empty() {
                remarks.push(format!(
                    "no load balancer uses the target group {} any more, which {name} has used: this target stays in it until the end",
                    group.name
                ));
                return true;
            }
            remarks.push(format!(
                "the target group {} is used by {} now, which is not ours: this target leaves it",
                group.name,
                users.join(", ")
            ));
            foreign.insert(foreign_name(&group.name), group.clone());
            false
        });
    }
    for (name, group) in foreign {
        known.insert(name, Groups { used: vec![], former: vec![group] });
    }
    // One that is ours again, or gone, needs no leaving any more: it is known there, or not at all.
    known.retain(|name, groups| !is_foreign(name) || !groups.former.is_empty());
    (known.keys().filter(|name| is_foreign(name)).cloned().collect(), remarks)
}

/// No load balancer has a name with a space.
const FOREIGN: &str = "target group ";

fn foreign_name(group: &str) -> String {
    format!("{FOREIGN}{group}")
}

fn is_foreign(name: &str) -> bool {
    name.starts_with(FOREIGN)
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
    let unseen = standings.iter().find(|standing| matches!(standing, Standing::Unseen(_)));
    let settling = standings.iter().find(|standing| matches!(standing, Standing::Settling(_)));
    Ok(unseen.or(settling).cloned().unwrap_or(Standing::InService))
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

#[cfg(test)]
mod tests;
