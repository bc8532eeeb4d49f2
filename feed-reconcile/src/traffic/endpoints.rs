//! The counts of endpoints.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::counts::{Class, EndpointCounts};
use super::record::Attempt;
use super::retired::{Verdict, limit};
use super::routes::Destination;
use crate::desired::{DesiredState, Upstream, UpstreamName};
use crate::difference::changed_keys;
use crate::host::Host;

/// The label `endpoint` of an address that is not declared any more.
const OTHER: &str = "other";

/// The endpoints that are declared, or were a short while ago, with their counts.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    /// What is declared.
    upstreams: BTreeMap<UpstreamName, Arc<Upstream>>,
    /// By the labels `name` and `endpoint`.
    names: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Counted>>,
    externals: BTreeMap<External, Counted>,
    declared: usize,
    /// How many were retired since the last sweep.
    newly_retired: usize,
}

/// An external destination, with its labels.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct External {
    name: Host,
    endpoint: String,
}

impl External {
    fn new(host: &Host, port: u16) -> Self {
        Self { name: host.clone(), endpoint: format!("{host}:{port}") }
    }
}

#[derive(Debug)]
struct Counted {
    counts: EndpointCounts,
    /// `None` while it is declared.
    retired: Option<Instant>,
}

impl Endpoints {
    /// Takes over what is declared now.
    pub(super) fn declare(&mut self, state: &DesiredState, now: Instant) {
        for name in changed_keys(&self.upstreams, &state.upstreams) {
            let before = self.upstreams.get(&name).map_or(0, |upstream| upstream.addresses.len());
            let addresses = state.upstreams.get(&name).map(|upstream| upstream.addresses.as_slice());
            let addresses = addresses.unwrap_or_default();
            let endpoints = self.names.entry(name.as_str().into()).or_default();
            for counted in endpoints.values_mut() {
                counted.retired.get_or_insert(now);
            }
            for address in addresses {
                counted(endpoints, &address.to_string(), now).retired = None;
            }
            self.declared = (self.declared + addresses.len()).saturating_sub(before);
            self.newly_retired += before;
        }
        self.upstreams.clone_from(&state.upstreams);
    }

    /// Counts what an endpoint was asked; `answered` is what the client got.
    pub(super) fn count(
        &mut self,
        destination: &Destination,
        attempt: &Attempt<'_>,
        answered: u16,
        now: Instant,
    ) {
        // Where there was nobody to ask, nginx names the upstream, or an address without a port that it was given instead.
        if attempt.address.parse::<SocketAddr>().map_or(0, |address| address.port()) == 0 {
            return;
        }
        let counted = match destination {
            Destination::Nothing => return,
            Destination::Upstream(name) => {
                let Some(endpoints) = self.names.get_mut(name.as_str()) else { return };
                let is_known = endpoints.contains_key(attempt.address);
                counted(endpoints, if is_known { attempt.address } else { OTHER }, now)
            }
            // The addresses of a name are whatever its owner says.
            Destination::External(host, port) => {
                let new = || Counted { counts: EndpointCounts::default(), retired: None };
                self.externals.entry(External::new(host, *port)).or_insert_with(new)
            }
        };
        counted.retired = counted.retired.map(|_| now);
        counted.counts.count(attempt, Class::of(attempt.status.unwrap_or(answered)));
    }

    /// Whether so much was retired that it should be looked what can be forgotten.
    pub(super) fn is_crowded(&self) -> bool {
        self.newly_retired > limit(self.declared)
    }

    /// Forgets what was not declared for long enough; of external destinations these are kept.
    pub(super) fn sweep<'a>(&mut self, externals: impl Iterator<Item = (&'a Host, u16)>, now: Instant) {
        self.newly_retired = 0;
        let externals: BTreeSet<_> = externals.map(|(host, port)| External::new(host, port)).collect();
        self.externals.retain(|external, _| externals.contains(external));
        let retired = self.names.values().flat_map(BTreeMap::values).filter_map(|counted| counted.retired);
        let verdict = Verdict::new(retired.collect(), self.declared, now);
        self.names.retain(|_, endpoints| {
            endpoints.retain(|_, counted| verdict.keeps(counted.retired));
            !endpoints.is_empty()
        });
    }

    /// The labels `name` and `endpoint` of everything that was asked, with the counts, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &EndpointCounts)> {
        let all = self.names.iter().flat_map(|(name, endpoints)| {
            endpoints.iter().map(move |(endpoint, counted)| (&**name, &**endpoint, &counted.counts))
        });
        let externals = self
            .externals
            .iter()
            .map(|(external, counted)| (external.name.as_str(), external.endpoint.as_str(), &counted.counts));
        all.chain(externals).filter(|(_, _, counts)| counts.total() > 0)
    }
}

/// An endpoint's counts; a new one counts as not declared.
fn counted<'a>(
    endpoints: &'a mut BTreeMap<Arc<str>, Counted>,
    endpoint: &str,
    now: Instant,
) -> &'a mut Counted {
    endpoints
        .entry(endpoint.into())
        .or_insert_with(|| Counted { counts: EndpointCounts::default(), retired: Some(now) })
}
