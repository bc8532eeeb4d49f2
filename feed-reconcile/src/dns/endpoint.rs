//! Where records point to: the load balancers of this controller.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::name::RecordName;
use super::record::{RecordData, RecordSet, RecordType};
use crate::desired::Scheme;

/// A load balancer, or a name that stands for one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Its DNS name.
    pub dns_name: RecordName,
    /// How a record points to it.
    pub target: Target,
}

/// How a record points to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// By an alias.
    LoadBalancer {
        /// The load balancer's canonical hosted zone.
        zone_id: Arc<str>,
        /// Whether it has IPv6 addresses too.
        dual_stack: bool,
    },
    /// By a CNAME.
    Hostname {
        /// How long answers may be kept, in seconds.
        ttl_seconds: u32,
    },
}

impl Endpoint {
    /// The record sets that a name needs so that it leads here.
    pub fn records(&self, name: &RecordName) -> Vec<RecordSet> {
        let record = |record_type, data| RecordSet { name: name.clone(), record_type, data, routing: None };
        match &self.target {
            Target::LoadBalancer { zone_id, dual_stack } => {
                let alias = RecordData::Alias {
                    dns_name: self.dns_name.to_string(),
                    zone_id: zone_id.to_string(),
                    evaluate_target_health: false,
                };
                let ipv6 = dual_stack.then(|| record(RecordType::Aaaa, alias.clone()));
                std::iter::once(record(RecordType::A, alias)).chain(ipv6).collect()
            }
            Target::Hostname { ttl_seconds } => {
                let values = vec![self.dns_name.to_string()];
                let ttl_seconds = u64::from(*ttl_seconds);
                vec![record(RecordType::Cname, RecordData::Values { ttl_seconds, values })]
            }
        }
    }
}

/// Every endpoint of this controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    all: BTreeMap<(Scheme, RecordName), Arc<Endpoint>>,
    own: BTreeSet<RecordName>,
    chosen: BTreeMap<Scheme, Arc<Endpoint>>,
    undecided: BTreeSet<Scheme>,
}

impl Endpoints {
    /// These endpoints. Of several with one scheme the first by name is chosen for new records.
    pub fn new(endpoints: impl IntoIterator<Item = (Scheme, Endpoint)>) -> Self {
        let mut result = Self::default();
        let ordered: BTreeSet<(Scheme, Endpoint)> = endpoints.into_iter().collect();
        for (scheme, endpoint) in ordered {
            let name = endpoint.dns_name.without_dualstack();
            result.own.insert(name.clone());
            result.all.entry((scheme, name)).or_insert_with(|| Arc::new(endpoint));
        }
        for ((scheme, _), endpoint) in &result.all {
            result.chosen.entry(*scheme).or_insert_with(|| Arc::clone(endpoint));
        }
        result
    }

    /// Chooses, of several endpoints with one scheme, the one for new records: the one that was chosen before, if it is
    /// still there, else the one that most of these records point to, else the first by name.
    ///
    /// Where records do not tell yet, as zones are still to be read (`complete` is false), none is chosen.
    pub fn choose<'a>(
        &mut self,
        before: &Self,
        records: impl IntoIterator<Item = &'a RecordSet>,
        complete: bool,
    ) {
        let (chosen, mut undecided) = (std::mem::take(&mut self.chosen), BTreeSet::new());
        let several: BTreeSet<Scheme> = self.unchosen(&chosen).map(|(scheme, _)| scheme).collect();
        let uses = if several.is_empty() { BTreeMap::new() } else { uses(records) };
        for (scheme, first) in chosen {
            let kept = before
                .chosen
                .get(&scheme)
                .and_then(|endpoint| self.all.get(&(scheme, endpoint.dns_name.without_dualstack())));
            let of_scheme = self.all.iter().filter(|((other, _), _)| *other == scheme);
            // The first of those that are used most.
            let most_used = of_scheme.rev().filter_map(|((_, name), it)| Some((*uses.get(name)?, it)));
            let most_used = most_used.max_by_key(|(count, _)| *count).map(|(_, endpoint)| endpoint);
            match kept.or(most_used) {
                Some(endpoint) => drop(self.chosen.insert(scheme, Arc::clone(endpoint))),
                None if several.contains(&scheme) && !complete => drop(undecided.insert(scheme)),
                None => drop(self.chosen.insert(scheme, first)),
            }
        }
        self.undecided = undecided;
    }

    /// The endpoint that new records of a scheme point to.
    pub fn of(&self, scheme: Scheme) -> Option<&Arc<Endpoint>> {
        self.chosen.get(&scheme)
    }

    /// Whether there are endpoints of the scheme, of which none is chosen yet.
    pub fn is_undecided(&self, scheme: Scheme) -> bool {
        self.undecided.contains(&scheme)
    }

    /// The endpoint of a scheme that a name has already: what points to any of them stays.
    pub fn in_use(&self, scheme: Scheme, current: &[RecordSet]) -> Option<&Arc<Endpoint>> {
        let targets = current.iter().filter(|record| record.routing.is_none()).filter_map(target);
        let used = targets.filter_map(|target| self.all.get(&(scheme, target)));
        used.max_by_key(|endpoint| self.chosen.get(&scheme) == Some(*endpoint))
    }

    /// The endpoints in use, by scheme.
    pub fn iter(&self) -> impl Iterator<Item = (Scheme, &Endpoint)> {
        self.chosen.iter().map(|(scheme, endpoint)| (*scheme, &**endpoint))
    }

    /// Endpoints that get no new records, since another one of their scheme does.
    pub fn unused(&self) -> impl Iterator<Item = (Scheme, &Endpoint)> {
        self.unchosen(&self.chosen)
    }

    fn unchosen<'a>(
        &'a self,
        chosen: &'a BTreeMap<Scheme, Arc<Endpoint>>,
    ) -> impl Iterator<Item = (Scheme, &'a Endpoint)> {
        let all = self.all.iter().map(|((scheme, _), endpoint)| (*scheme, endpoint));
        let others = all.filter(|(scheme, it)| chosen.get(scheme).is_some_and(|chosen| chosen != *it));
        others.map(|(scheme, endpoint)| (scheme, &**endpoint))
    }

    /// The names of all endpoints, without `dualstack.`.
    pub fn names(&self) -> impl Iterator<Item = &RecordName> {
        self.own.iter()
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether a record set points here: an address without routing policy whose target is one of these endpoints.
    pub fn own(&self, record: &RecordSet) -> bool {
        record.routing.is_none() && target(record).is_some_and(|target| self.own.contains(&target))
    }
}

/// The name that an address points to, for comparison.
fn target(record: &RecordSet) -> Option<RecordName> {
    let target = record.data.target().filter(|_| record.record_type.is_address())?;
    Some(target.without_dualstack())
}

/// How many record sets point to each name.
fn uses<'a>(records: impl IntoIterator<Item = &'a RecordSet>) -> BTreeMap<RecordName, usize> {
    let mut uses = BTreeMap::new();
    for target in records.into_iter().filter(|record| record.routing.is_none()).filter_map(target) {
        *uses.entry(target).or_default() += 1;
    }
    uses
}
