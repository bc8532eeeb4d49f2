//! Which records there should be: a zone and an endpoint for every host.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::endpoint::{Endpoint, Endpoints};
use super::name::RecordName;
use super::zone::{ZoneId, Zones};
use crate::annotation::FRONTEND_SCHEME;
use crate::desired::{IngressSummary, Scheme};
use crate::diagnostic::{Code, Diagnostic, Field};
use crate::host::Host;
use crate::key::{ObjectKey, ObjectName};

/// The names that there should be records for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredRecords {
    /// The names of each zone; a zone that no host belongs to may be missing.
    pub zones: BTreeMap<ZoneId, BTreeMap<RecordName, DesiredName>>,
    /// Whether there is any Ingress at all; without one, nothing is ever deleted.
    pub any_ingress: bool,
}

/// What a name should lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredName {
    /// Where its records should point; `None` where the scheme has no endpoint, and then the name is left alone.
    pub endpoint: Option<Arc<Endpoint>>,
    /// The scheme it is served with.
    pub scheme: Scheme,
    /// The Ingress that declares it; the oldest where several do.
    pub ingress: ObjectName,
}

/// A host that gets no record, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The zone that the host belongs to, if there is one.
    pub zone: Option<ZoneId>,
    /// What is wrong.
    pub diagnostic: Diagnostic,
}

/// Gives each host of these Ingresses to a zone and an endpoint.
///
/// A name in a zone leads to one endpoint: of Ingresses that ask for different ones the oldest wins, ties broken
/// by namespace and name. The result does not depend on the order of the Ingresses.
pub fn desired<'a>(
    ingresses: impl IntoIterator<Item = (&'a ObjectName, &'a IngressSummary)>,
    zones: &Zones,
    endpoints: &Endpoints,
) -> (DesiredRecords, BTreeSet<Problem>) {
    let mut by_age: Vec<_> = ingresses.into_iter().collect();
    by_age.sort_unstable_by_key(|(name, ingress)| (ingress.created, *name));

    let mut records = DesiredRecords { any_ingress: !by_age.is_empty(), ..DesiredRecords::default() };
    let mut problems = BTreeSet::new();
    for (ingress, summary) in by_age {
        for host in &summary.hosts {
            problems.extend(claim(&mut records, ingress, summary.scheme, host, zones, endpoints));
        }
    }
    (records, problems)
}

/// Enters a host, if nobody older has its record; what keeps it from having one is returned.
fn claim(
    records: &mut DesiredRecords,
    ingress: &ObjectName,
    scheme: Option<Scheme>,
    host: &Host,
    zones: &Zones,
    endpoints: &Endpoints,
) -> Option<Problem> {
    let name = RecordName::from(host);
    let Some(scheme) = scheme else {
        return Some(without_scheme(ingress, host));
    };
    let Some(zone) = zones.of(&name, scheme) else {
        return Some(in_no_zone(ingress, host, zones));
    };
    let problem = |diagnostic| Problem { zone: Some(zone.id.clone()), diagnostic };
    match records.zones.entry(zone.id.clone()).or_default().entry(name) {
        Entry::Occupied(entry) if entry.get().scheme == scheme => None,
        Entry::Occupied(entry) => Some(problem(conflicting(ingress, scheme, host, entry.get()))),
        Entry::Vacant(entry) => {
            let endpoint = endpoints.of(scheme).cloned();
            let missing = endpoint.is_none();
            entry.insert(DesiredName { endpoint, scheme, ingress: ingress.clone() });
            missing.then(|| problem(without_endpoint(ingress, scheme, host)))
        }
    }
}

fn without_scheme(ingress: &ObjectName, host: &Host) -> Problem {
    let diagnostic = Diagnostic {
        object: ObjectKey::ingress(ingress),
        field: Field::annotation(FRONTEND_SCHEME),
        code: Code::MissingFrontendScheme,
        message: format!(
            "`{host}` gets no DNS record, since the Ingress does not say which load balancer serves it."
        ),
        help: Some(format!("Annotate it with `{FRONTEND_SCHEME}`: `internal` or `internet-facing`.")),
        related: None,
    };
    Problem { zone: None, diagnostic }
}

fn in_no_zone(ingress: &ObjectName, host: &Host, zones: &Zones) -> Problem {
    let diagnostic = Diagnostic {
        object: ObjectKey::ingress(ingress),
        field: Field::of(&["spec", "rules"]),
        code: Code::HostInNoZone,
        message: format!(
            "`{host}` gets no DNS record, since it lies in none of the zones ({}).",
            zones.names()
        ),
        help: Some("Give its zone with `--r53-hosted-zone`, or choose another host.".to_owned()),
        related: None,
    };
    Problem { zone: None, diagnostic }
}

fn conflicting(ingress: &ObjectName, scheme: Scheme, host: &Host, winner: &DesiredName) -> Diagnostic {
    Diagnostic {
        object: ObjectKey::ingress(ingress),
        field: Field::annotation(FRONTEND_SCHEME),
        code: Code::ConflictingFrontendScheme,
        message: format!(
            "`{host}` does not lead to the {} load balancer, since Ingress {}, which is older or first by name, \
             says `{}`.",
            scheme.as_str(),
            winner.ingress,
            winner.scheme.as_str()
        ),
        help: Some("Give both Ingresses the same scheme, or different hosts.".to_owned()),
        related: Some(ObjectKey::ingress(&winner.ingress)),
    }
}

fn without_endpoint(ingress: &ObjectName, scheme: Scheme, host: &Host) -> Diagnostic {
    Diagnostic {
        object: ObjectKey::ingress(ingress),
        field: Field::annotation(FRONTEND_SCHEME),
        code: Code::NoLoadBalancer,
        message: format!(
            "The DNS record of `{host}` is left as it is, since there is no {} load balancer.",
            scheme.as_str()
        ),
        help: Some(
            "Check the load balancers' tags and schemes, or `--internal-hostname` and `--external-hostname`."
                .to_owned(),
        ),
        related: None,
    }
}

#[cfg(test)]
mod tests;
