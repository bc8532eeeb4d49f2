//! Where records point to: the load balancers of this controller.

use std::collections::btree_map::Entry;
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
    by_scheme: BTreeMap<Scheme, Arc<Endpoint>>,
    own: BTreeSet<RecordName>,
    unused: Vec<(Scheme, Endpoint)>,
}

impl Endpoints {
    /// These endpoints. Of several with one scheme the first by name gets the records; what points to the others
    /// is still ours.
    pub fn new(endpoints: impl IntoIterator<Item = (Scheme, Endpoint)>) -> Self {
        let mut result = Self::default();
        let ordered: BTreeSet<(Scheme, Endpoint)> = endpoints.into_iter().collect();
        for (scheme, endpoint) in ordered {
            result.own.insert(endpoint.dns_name.without_dualstack());
            match result.by_scheme.entry(scheme) {
                Entry::Vacant(entry) => {
                    entry.insert(Arc::new(endpoint));
                }
                Entry::Occupied(_) => result.unused.push((scheme, endpoint)),
            }
        }
        result
    }

    /// The endpoint that the records of a scheme point to.
    pub fn of(&self, scheme: Scheme) -> Option<&Arc<Endpoint>> {
        self.by_scheme.get(&scheme)
    }

    /// The endpoints in use, by scheme.
    pub fn iter(&self) -> impl Iterator<Item = (Scheme, &Endpoint)> {
        self.by_scheme.iter().map(|(scheme, endpoint)| (*scheme, &**endpoint))
    }

    /// Endpoints that get no records, since another one has their scheme.
    pub fn unused(&self) -> &[(Scheme, Endpoint)] {
        &self.unused
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.by_scheme.is_empty()
    }

    /// Whether a record set is ours: an address without routing policy that points to one of these endpoints.
    pub fn own(&self, record: &RecordSet) -> bool {
        record.routing.is_none()
            && record.record_type.is_address()
            && record.data.target().is_some_and(|target| self.own.contains(&target.without_dualstack()))
    }
}
