//! What is known of the zones, and how it is brought in step with the Ingresses.

use std::collections::{BTreeMap, BTreeSet};

use feed_reconcile::diagnostic::{Code, Diagnostic, Diagnostics, Field};
use feed_reconcile::dns::{
    self, Change, Endpoints, HostedZone, NameChange, Plan, Problem, RecordName, ZoneId, ZoneRecords, Zones,
};
use feed_reconcile::key::ObjectKey;
use feed_reconcile::options::Adoption;
use feed_reconcile::snapshot::ClusterSnapshot;
use feed_reconcile::summary::summaries;
use feed_supervisor::runtime::aws::CallError;
use futures::future::join_all;

use crate::endpoints::{Found, LoadBalancers, Wanted};
use crate::zone::{Applied, Zone, apply};

/// Where records may point to.
#[derive(Clone, Debug)]
pub enum Frontends<L> {
    /// Load balancers that AWS knows of.
    Discovered(L, Wanted),
    /// What the operator said.
    Given(Endpoints),
}

/// What of a cluster counts, and how much may go at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which Ingresses are ours.
    pub adoption: Adoption,
    /// The share of our records that may be deleted in one pass, 0 to 100.
    pub max_deletion_percent: u8,
}

/// Knows what the zones hold and where the load balancers are, and changes the zones.
#[derive(Debug)]
pub struct Keeper<Z, L> {
    zones: Zones,
    remote: BTreeMap<ZoneId, Z>,
    frontends: Frontends<L>,
    policy: Policy,
    /// What each zone holds; a zone that is not in here has to be listed.
    records: BTreeMap<ZoneId, ZoneRecords>,
    /// The load balancers found last, and what is wrong with them.
    found: Option<(Endpoints, Vec<String>)>,
    /// Whether load balancers have to be looked for.
    find: bool,
    /// The call that failed last for a zone, or (`None`) for the load balancers, if none succeeded since.
    troubles: BTreeMap<Option<ZoneId>, CallError>,
    /// Changes that a zone refused: not tried again before everything is forgotten, or before they are others.
    refused: BTreeMap<(ZoneId, RecordName), Refusal>,
}

#[derive(Clone, Debug)]
struct Refusal {
    changes: Vec<Change>,
    problem: Option<Problem>,
}

/// What should be done, and what is wrong.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// What to change; without what was refused before.
    pub plan: Plan,
    /// Hosts that get no record, and why.
    pub problems: BTreeSet<Problem>,
    /// What is wrong with the Ingresses themselves.
    pub diagnostics: Diagnostics,
}

impl Decision {
    /// Whether something would be deleted that no Ingress asks for any more.
    pub fn deletes(&self) -> bool {
        self.plan.zones.values().flatten().any(|change| change.ingress.is_none())
    }
}

/// A listing or a search that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The zone; `None` where load balancers were looked for.
    pub zone: Option<ZoneId>,
    /// What failed.
    pub error: CallError,
}

/// What became of a plan in one zone.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The zone.
    pub zone: HostedZone,
    /// What became of its changes.
    pub applied: Applied,
}

impl<Z: Zone, L: LoadBalancers> Keeper<Z, L> {
    /// Knows nothing yet.
    pub fn new(zones: Zones, remote: BTreeMap<ZoneId, Z>, frontends: Frontends<L>, policy: Policy) -> Self {
        let (records, found, troubles, refused) = Default::default();
        Self { zones, remote, frontends, policy, records, found, find: true, troubles, refused }
    }

    /// Forgets what the zones hold and what they refused, so that everything is looked at again.
    pub fn forget(&mut self) {
        self.records.clear();
        self.refused.clear();
        self.forget_endpoints();
    }

    /// Has load balancers looked for again; until then, and if that fails, those found last count.
    pub fn forget_endpoints(&mut self) {
        self.find = true;
    }

    /// Finds the load balancers and lists the zones that have to be listed. What failed is still missing afterwards.
    pub async fn look(&mut self) -> Vec<Failure> {
        let mut looked = Vec::new();
        if self.find {
            looked.push((None, self.find_endpoints().await));
        }
        let unknown = self.remote.iter().filter(|(id, _)| !self.records.contains_key(*id));
        let listed = join_all(unknown.map(async |(id, zone)| (id.clone(), zone.list().await))).await;
        for (id, listed) in listed {
            let listed = listed.map(|records| drop(self.records.insert(id.clone(), records)));
            looked.push((Some(id), listed));
        }
        let mut failures = Vec::new();
        for (zone, result) in looked {
            self.troubles.remove(&zone);
            if let Err(error) = result {
                self.troubles.insert(zone.clone(), error.clone());
                failures.push(Failure { zone, error });
            }
        }
        failures
    }

    /// Whether nothing has to be looked at.
    pub fn knows_everything(&self) -> bool {
        !self.find && self.remote.keys().all(|id| self.records.contains_key(id))
    }

    /// The calls that failed last, of those that did not succeed since.
    pub fn troubles(&self) -> impl Iterator<Item = &CallError> {
        self.troubles.values()
    }

    async fn find_endpoints(&mut self) -> Result<(), CallError> {
        self.found = Some(match &self.frontends {
            Frontends::Given(endpoints) => (endpoints.clone(), Vec::new()),
            Frontends::Discovered(balancers, wanted) => {
                let Found { endpoints, mut problems } = balancers.find(wanted).await?;
                let endpoints = Endpoints::new(endpoints);
                problems.extend(surplus(&endpoints));
                if endpoints.is_empty() {
                    problems.push("No load balancer was found, so no record can be made.".to_owned());
                }
                (endpoints, problems)
            }
        });
        self.find = false;
        Ok(())
    }

    /// What should be done for these Ingresses; nothing before load balancers were looked for.
    pub fn decide(&self, snapshot: &ClusterSnapshot) -> Decision {
        let Some((endpoints, _)) = &self.found else { return Decision::default() };
        let (ingresses, diagnostics) = summaries(snapshot, &self.policy.adoption);
        let (desired, mut problems) = dns::desired(&ingresses, &self.zones, endpoints);
        let percent = self.policy.max_deletion_percent;
        let mut plan = dns::plan(&desired, &self.records, &self.zones, endpoints, percent);
        problems.append(&mut plan.problems);
        self.leave_out_refused(&mut plan, &mut problems);
        Decision { plan, problems, diagnostics }
    }

    fn leave_out_refused(&self, plan: &mut Plan, problems: &mut BTreeSet<Problem>) {
        for (zone, changes) in &mut plan.zones {
            changes.retain(|change| {
                let refusal = self.refused.get(&(zone.clone(), change.name.clone()));
                let Some(refusal) = refusal.filter(|it| it.changes == change.changes) else { return true };
                problems.extend(refusal.problem.clone());
                false
            });
        }
        plan.zones.retain(|_, changes| !changes.is_empty());
    }

    /// Carries a plan out, for as long as `may_write` says so. A zone in which something went wrong has to be listed
    /// again.
    pub async fn carry_out(&mut self, plan: Plan, may_write: impl Fn() -> bool + Sync) -> Vec<Outcome> {
        let zones = plan.zones.into_iter().filter_map(|(id, changes)| {
            let (zone, remote) = (self.zones.get(&id)?.clone(), self.remote.get(&id)?);
            let may_write = &may_write;
            Some(async move { Outcome { zone, applied: apply(remote, changes, may_write).await } })
        });
        let outcomes = join_all(zones).await;
        for outcome in &outcomes {
            self.remember(outcome);
        }
        outcomes
    }

    fn remember(&mut self, Outcome { zone, applied }: &Outcome) {
        let id = &zone.id;
        if let Some(records) = self.records.get_mut(id) {
            applied.accepted.iter().for_each(|change| records.apply(change));
        }
        for (change, reason) in &applied.refused {
            let problem = refusal(id, change, reason);
            let refusal = Refusal { changes: change.changes.clone(), problem };
            self.refused.insert((id.clone(), change.name.clone()), refusal);
        }
        if let Some(error) = &applied.failure {
            self.troubles.insert(Some(id.clone()), error.clone());
        }
        if applied.failure.is_some() || !applied.refused.is_empty() {
            self.records.remove(id);
        }
    }

    /// The zones.
    pub fn zones(&self) -> &Zones {
        &self.zones
    }

    /// What of a cluster counts, and how much may go at once.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What a zone holds, as far as it is known.
    pub fn records(&self, zone: &ZoneId) -> Option<&ZoneRecords> {
        self.records.get(zone)
    }

    /// Where records point to, and what is wrong with the load balancers; `None` before they were looked for.
    pub fn endpoints(&self) -> Option<&(Endpoints, Vec<String>)> {
        self.found.as_ref()
    }
}

/// Sentences about load balancers that are there, but get no records.
fn surplus(endpoints: &Endpoints) -> impl Iterator<Item = String> {
    endpoints.unused().iter().filter_map(|(scheme, unused)| {
        let used = endpoints.of(*scheme)?;
        Some(format!(
            "{} gets no records, since {} is {} too and comes first by name: tag one of them only.",
            unused.dns_name,
            used.dns_name,
            scheme.as_str()
        ))
    })
}

fn refusal(zone: &ZoneId, change: &NameChange, reason: &str) -> Option<Problem> {
    let diagnostic = Diagnostic {
        object: ObjectKey::ingress(change.ingress.as_ref()?),
        field: Field::of(&["spec", "rules"]),
        code: Code::RecordRefused,
        message: format!("Route 53 refuses to change `{}`: {reason}", change.name),
        help: Some("Mend what it says; the change is tried again after --resync-period.".to_owned()),
        related: None,
    };
    Some(Problem { zone: Some(zone.clone()), diagnostic })
}

#[cfg(test)]
mod tests;
