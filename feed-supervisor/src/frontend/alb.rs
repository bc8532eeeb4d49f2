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
        let (all, failure) = self.groups.all().await;
        let found: Vec<_> = all.iter().filter(|described| self.names.contains(&described.name)).collect();
        if let (Some(failure), true) = (&failure, found.is_empty()) {
            return Err(failure.clone().into());
        }
        let balancers: BTreeSet<String> =
            found.iter().flat_map(|described| described.balancer_arns.iter().cloned()).collect();
        let (balancers, failures) = self.groups.aws.looking.v2_by_arn(&Vec::from_iter(balancers)).await;
        let mut listing = shown(&balancers);
        listing.incomplete = failure.is_some();
        listing.failures = failure.into_iter().map(|failure| Failure::from(failure).why).collect();
        listing.endpoints_incomplete = !failures.is_empty();
        for failure in failures {
            let is_denied = failure.is_denied();
            let why = Failure::from(failure).why;
            if is_denied {
                listing.remarks.push(format!("Ingress status cannot name all load balancers: {why}"));
            } else {
                listing.failures.push(why);
            }
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &self.names {
            let Some(described) = found.iter().find(|described| described.name == *name) else {
                let region = &self.groups.aws.region;
                let near = similar(name, all.iter().map(|described| described.name.as_str()));
                listing.faults.push(format!("there is no target group named {name} in {region}{near}"));
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
    fn endpoints<'a>(&'a self, _: &'a BTreeSet<String>) -> Call<'a, Listing> {
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

/// The names among which one was perhaps meant: a clause.
fn similar<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> String {
    /// How many are named.
    const NAMED: usize = 5;
    let plain = |name: &str| {
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let wanted = plain(wanted);
    let is_near = |name: &&str| {
        let name = plain(name);
        !name.is_empty() && (name.contains(&wanted) || wanted.contains(&name))
    };
    let near: Vec<&str> = names.filter(is_near).take(NAMED).collect();
    if near.is_empty() { String::new() } else { format!("; there is {}", near.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::similar;

    #[test]
    fn a_near_miss_is_named() {
        for (wanted, expected) in
            [("Web", "; there is web, web-2"), ("web2", "; there is web, web-2"), ("api", "")]
        {
            assert_eq!(similar(wanted, ["web", "web-2", "other"].into_iter()), expected, "{wanted}");
        }
    }
}
