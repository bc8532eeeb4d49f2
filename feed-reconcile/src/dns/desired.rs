//! Which records there should be: a zone and an endpoint for every host.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::endpoint::{Endpoint, Endpoints};
use super::name::RecordName;
use super::zone::{HostedZone, Visibility, ZoneId, Zones};
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
    /// Names, in whichever zone, whose records stay as they are where nothing else is wanted: Ingresses have them, but it
    /// cannot be told what they want.
    pub kept: BTreeSet<RecordName>,
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
    /// Whether a record that is there already stays as it is.
    pub caution: Option<Caution>,
}

/// Why an existing record is not changed though another is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caution {
    /// An older Ingress has the name too, but cannot be understood: what is ours stays.
    Unreadable,
    /// The name may belong to a zone that could not be opened yet: whatever is there stays.
    Unopened,
}

/// Zones whose names are not known yet, so that it is not certain which zone a host belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unopened {
    /// There are none.
    #[default]
    None,
    /// They will soon be known: hosts that may belong to them wait.
    Soon,
    /// It is not known when: hosts that may belong to them get records where there are none.
    Later,
}

/// A host that gets no record, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The zone that the host belongs to, if there is one.
    pub zone: Option<ZoneId>,
    /// What is wrong.
    pub diagnostic: Diagnostic,
}

/// Gives each host of these Ingresses to its zones and an endpoint.
///
/// A name in a zone leads to one endpoint: of Ingresses that ask for different ones the oldest wins, ties broken
/// by namespace and name. The result does not depend on the order of the Ingresses.
pub fn desired<'a>(
    ingresses: impl IntoIterator<Item = (&'a ObjectName, &'a IngressSummary)>,
    zones: &Zones,
    endpoints: &Endpoints,
    unopened: Unopened,
) -> (DesiredRecords, BTreeSet<Problem>) {
    let mut by_age: Vec<_> = ingresses.into_iter().collect();
    by_age.sort_unstable_by_key(|(name, ingress)| (ingress.created, *name));

    let mut records = DesiredRecords { any_ingress: !by_age.is_empty(), ..DesiredRecords::default() };
    let mut problems = BTreeSet::new();
    for (ingress, summary) in by_age {
        for host in &summary.hosts {
            let name = RecordName::from(host);
            let Some(scheme) = summary.scheme else {
                records.kept.insert(name);
                problems.insert(without_scheme(ingress, host));
                continue;
            };
            let fitting = zones.of(&name, scheme);
            if fitting.is_empty() {
                if unopened != Unopened::Soon {
                    problems.insert(in_no_zone(ingress, scheme, host, zones));
                }
                records.kept.insert(name);
                continue;
            }
            for zone in fitting {
                let is_certain = unopened == Unopened::None || is_certain(&name, scheme, zone);
                if !is_certain && unopened == Unopened::Soon {
                    records.kept.insert(name.clone());
                    continue;
                }
                let claim = Claim { ingress, scheme, host, zone, is_certain };
                problems.extend(claim.enter(&mut records, name.clone(), endpoints));
            }
        }
    }
    (records, problems)
}

/// Whether a zone whose name is not known can hardly be the one that a name belongs to: one for that name alone is unusual,
/// and internal hosts may have a private zone.
fn is_certain(name: &RecordName, scheme: Scheme, zone: &HostedZone) -> bool {
    let labels_below = name.ancestors().take_while(|ancestor| *ancestor != zone.name.as_str()).count();
    labels_below < 2 && (scheme == Scheme::InternetFacing || zone.visibility == Visibility::Private)
}

/// What an Ingress wants of a zone.
#[derive(Clone, Copy)]
struct Claim<'a> {
    ingress: &'a ObjectName,
    scheme: Scheme,
    host: &'a Host,
    zone: &'a HostedZone,
    is_certain: bool,
}

impl Claim<'_> {
    /// Enters a host, if nobody older has its record; what keeps it from having one is returned.
    fn enter(self, records: &mut DesiredRecords, name: RecordName, endpoints: &Endpoints) -> Option<Problem> {
        let Self { ingress, scheme, host, zone, is_certain } = self;
        let problem = |diagnostic| Problem { zone: Some(zone.id.clone()), diagnostic };
        let caution = match (is_certain, records.kept.contains(&name)) {
            (false, _) => Some(Caution::Unopened),
            (true, true) => Some(Caution::Unreadable),
            (true, false) => None,
        };
        match records.zones.entry(zone.id.clone()).or_default().entry(name) {
            Entry::Occupied(entry) if entry.get().scheme == scheme => None,
            Entry::Occupied(entry) => Some(problem(conflicting(ingress, scheme, host, entry.get()))),
            Entry::Vacant(entry) => {
                let endpoint = endpoints.of(scheme).cloned();
                let missing = endpoint.is_none() && !endpoints.is_undecided(scheme);
                entry.insert(DesiredName { endpoint, scheme, ingress: ingress.clone(), caution });
                missing.then(|| problem(without_endpoint(ingress, scheme, host)))
            }
        }
    }
}

fn without_scheme(ingress: &ObjectName, host: &Host) -> Problem {
    let diagnostic = Diagnostic {
        object: ObjectKey::ingress(ingress),
        field: Field::annotation(FRONTEND_SCHEME),
        code: Code::MissingFrontendScheme,
        message: format!(
            "`{host}` gets no DNS record, and one that it has stays as it is, since the Ingress does not say which load \
             balancer serves it."
        ),
        help: Some(format!("Annotate it with `{FRONTEND_SCHEME}`: `internal` or `internet-facing`.")),
        related: None,
    };
    Problem { zone: None, diagnostic }
}

fn in_no_zone(ingress: &ObjectName, scheme: Scheme, host: &Host, zones: &Zones) -> Problem {
    let only_private = zones.around(&RecordName::from(host)).next().is_some();
    let message = if only_private {
        format!(
            "`{host}` gets no DNS record, since it lies in private zones only, and `{}` hosts are not looked up there.",
            scheme.as_str()
        )
    } else {
        format!("`{host}` gets no DNS record, since it lies in none of the zones ({}).", zones.names())
    };
    let help = if only_private {
        format!("Give the public zone with `--r53-hosted-zone`, or annotate `{FRONTEND_SCHEME}: internal`.")
    } else {
        "Give its zone with `--r53-hosted-zone`, or choose another host.".to_owned()
    };
    let diagnostic = Diagnostic {
        object: ObjectKey::ingress(ingress),
        field: Field::of(&["spec", "rules"]),
        code: Code::HostInNoZone,
        message,
        help: Some(help),
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
