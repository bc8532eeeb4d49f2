//! `alb`: target groups of application load balancers, by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use feed_reconcile::membership::{Failure, Standing};

use super::aws::{Aws, TargetGroup, TargetGroups, shown};
use super::{Call, Frontend, Listing};

/// Target groups of these names.
#[derive(Debug)]
pub(super) struct Alb {
    groups: TargetGroups,
    names: BTreeSet<String>,
    known: Mutex<BTreeMap<String, TargetGroup>>,
}

impl Alb {
    pub(super) fn new(aws: Aws, names: BTreeSet<String>) -> Self {
        Self { groups: TargetGroups::new(aws), names, known: Mutex::default() }
    }

    async fn find(&self) -> Result<Listing, Failure> {
        let mut found = self.groups.all().await?;
        found.retain(|described| self.names.contains(&described.name));
        let balancers: BTreeSet<String> =
            found.iter().flat_map(|described| described.balancer_arns.iter().cloned()).collect();
        let balancers = Vec::from_iter(balancers);
        let mut listing = shown(&self.groups.aws.looking.v2_by_arn(&balancers).await?);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &self.names {
            let Some(described) = found.iter().find(|described| described.name == *name) else {
                listing.faults.push(format!("there is no target group named {name}"));
                continue;
            };
            match &described.group {
                Ok(group) => {
                    listing.balancers.push(name.clone());
                    known.insert(name.clone(), group.clone());
                }
                Err(why) => listing.faults.push(why.clone()),
            }
            if described.balancer_arns.is_empty() {
                listing.remarks.push(format!("no load balancer uses the target group {name}"));
            }
        }
        Ok(listing)
    }

    fn group(&self, name: &str) -> Result<TargetGroup, Failure> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(name)
            .cloned()
            .ok_or_else(|| Failure { why: format!("there is no target group named {name}"), refused: true })
    }
}

impl Frontend for Alb {
    fn endpoints(&self) -> Call<'_, Listing> {
        Box::pin(self.find())
    }

    fn observe<'a>(&'a self, name: &'a str) -> Call<'a, Standing> {
        Box::pin(async { self.groups.observe(&self.group(name)?).await })
    }

    fn attach<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(async { self.groups.register(&self.group(name)?).await })
    }

    fn detach<'a>(&'a self, name: &'a str) -> Call<'a, ()> {
        Box::pin(async { self.groups.deregister(&self.group(name)?).await })
    }
}
