//! Keeps `status.loadBalancer` of Ingresses in step with the load balancers that serve them. What to write is decided by
//! [`feed_reconcile::status`]; here it is written, by the one replica that holds the Lease.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::desired::{IngressSummary, Scheme};
use feed_reconcile::key::ObjectName;
use feed_reconcile::options::{Adoption, Endpoint};
use feed_reconcile::snapshot::{ClusterSnapshot, Store};
use feed_reconcile::status::status_change;
use feed_reconcile::summary::summaries;
use futures::StreamExt;
use k8s_openapi::api::networking::v1::{Ingress, IngressLoadBalancerIngress};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use crate::runtime::kubernetes::explain;
use crate::runtime::lease::Claim;
use crate::runtime::source::SourceState;

/// How many writes are under way at a time.
const CONCURRENT_WRITES: usize = 8;

/// How many writes are begun in a [`PERIOD`]: the API server has others to serve.
const WRITES_PER_PERIOD: usize = 50;

/// See [`WRITES_PER_PERIOD`]; changes that come within it are looked at together.
const PERIOD: Duration = Duration::from_secs(1);

/// How often a write is tried over a version that has changed meanwhile, before it waits for its next turn.
const TRIES: usize = 5;

/// When a write that failed is tried again: at first, then doubled, and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(2), Duration::from_mins(2));

/// For how long a version that was written over is left alone, if no newer one arrives.
const ARRIVAL: Duration = Duration::from_mins(2);

/// Writes the status of Ingresses.
pub struct StatusWriter {
    client: Client,
    claim: Claim,
    adoption: Adoption,
    known: watch::Receiver<BTreeSet<(Scheme, Endpoint)>>,
    /// Those that were known last.
    endpoints: BTreeSet<(Scheme, Endpoint)>,
    /// The Ingresses that are left alone for a while, unless they change.
    resting: BTreeMap<ObjectName, Rest>,
}

/// Why an Ingress is left alone.
#[derive(Clone, Debug)]
struct Rest {
    /// The version it is about.
    version: Option<String>,
    until: Instant,
    /// Of writes, in a row.
    failures: u32,
}

/// What became of a write.
enum Outcome {
    /// The Ingress is as it should be, or gone.
    Done,
    /// This replica may not write any more.
    NotHeld,
    /// What went wrong.
    Failed(String),
}

/// An Ingress that is not as it should be.
struct Change {
    name: ObjectName,
    version: Option<String>,
    load_balancer: Vec<IngressLoadBalancerIngress>,
}

impl fmt::Debug for StatusWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusWriter").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl StatusWriter {
    /// A writer of these endpoints, by the scheme of the Ingresses that they serve, to the Ingresses that are adopted.
    pub fn new(
        client: Client,
        claim: Claim,
        adoption: Adoption,
        known: watch::Receiver<BTreeSet<(Scheme, Endpoint)>>,
    ) -> Self {
        Self { client, claim, adoption, known, endpoints: BTreeSet::new(), resting: BTreeMap::new() }
    }

    /// Writes whenever this replica may and something is to be written, until the process ends. To be started when the
    /// load balancers are served.
    pub async fn run(mut self, mut state: watch::Receiver<SourceState>) {
        loop {
            self.claim.held().await;
            let begun = Instant::now();
            self.look_at_endpoints();
            let snapshot = {
                let state = state.borrow_and_update();
                state.complete.then(|| state.snapshot.clone())
            };
            let look_at = match snapshot {
                Some(snapshot) => self.round(&snapshot).await,
                None => None,
            };
            // What comes meanwhile is looked at with what is left.
            sleep_until(begun + PERIOD).await;
            tokio::select! {
                changed = state.changed() => if changed.is_err() {
                    return;
                },
                Ok(()) = self.known.changed() => {}
                () = sleep_until(look_at.unwrap_or(begun)), if look_at.is_some() => {}
            }
        }
    }

    /// Takes over which endpoints there are now. What was written before says nothing of new ones.
    fn look_at_endpoints(&mut self) {
        let known = self.known.borrow_and_update().clone();
        if self.endpoints != known {
            self.endpoints = known;
            self.resting.clear();
        }
    }

    /// Writes as much as may be written at once. Returns when there is more to do, if nothing changes until then.
    async fn round(&mut self, snapshot: &ClusterSnapshot) -> Option<Instant> {
        let now = Instant::now();
        let mut changes = self.changes(snapshot, now);
        let more = changes.len() > WRITES_PER_PERIOD;
        changes.truncate(WRITES_PER_PERIOD);
        let writes = changes.into_iter().map(|change| async {
            let (name, version) = (change.name.clone(), change.version.clone());
            (name, version, self.write(change, snapshot).await)
        });
        let outcomes: Vec<_> =
            futures::stream::iter(writes).buffer_unordered(CONCURRENT_WRITES).collect().await;
        self.note(outcomes);
        if more { Some(now) } else { self.resting.values().map(|rest| rest.until).min() }
    }

    /// What is to be written now.
    fn changes(&mut self, snapshot: &ClusterSnapshot, now: Instant) -> Vec<Change> {
        self.resting.retain(|name, rest| {
            snapshot
                .ingresses
                .get(name)
                .is_some_and(|ingress| ingress.metadata.resource_version == rest.version)
        });
        let (adopted, _) = summaries(snapshot, &self.adoption);
        let is_resting = |name| self.resting.get(name).is_some_and(|rest| now < rest.until);
        let changes = snapshot.ingresses.iter().filter(|(name, _)| !is_resting(name));
        changes.filter_map(|(name, ingress)| self.change(name, ingress, adopted.get(name))).collect()
    }

    fn change(
        &self,
        name: &ObjectName,
        ingress: &Ingress,
        adopted: Option<&IngressSummary>,
    ) -> Option<Change> {
        let load_balancer = status_change(ingress, adopted, &self.endpoints)?;
        Some(Change { name: name.clone(), version: ingress.metadata.resource_version.clone(), load_balancer })
    }

    async fn write(&self, mut change: Change, snapshot: &ClusterSnapshot) -> Outcome {
        let api: Api<Ingress> = Api::namespaced(self.client.clone(), &change.name.namespace);
        for _ in 0..TRIES {
            if !self.claim.is_held() {
                return Outcome::NotHeld;
            }
            let patch = Patch::Merge(json!({
                "metadata": {"resourceVersion": change.version},
                "status": {"loadBalancer": {"ingress": change.load_balancer}},
            }));
            match self.call(api.patch_status(&change.name.name, &PatchParams::default(), &patch)).await {
                Ok(_) | Err(CallError::Status(404, _)) => return Outcome::Done,
                Err(CallError::Status(409, _)) => {}
                Err(error) => return Outcome::Failed(error.to_string()),
            }
            let fresh = match self.call(api.get(&change.name.name)).await {
                Ok(fresh) => fresh,
                Err(CallError::Status(404, _)) => return Outcome::Done,
                Err(error) => return Outcome::Failed(error.to_string()),
            };
            match self.change_of_fresh(&change.name, fresh, snapshot) {
                Some(fresh_change) => change = fresh_change,
                // Another replica has written the same.
                None => return Outcome::Done,
            }
        }
        Outcome::Failed("it changes all the time".to_owned())
    }

    /// What is to be written to a version that the snapshot has not got yet.
    fn change_of_fresh(
        &self,
        name: &ObjectName,
        fresh: Ingress,
        snapshot: &ClusterSnapshot,
    ) -> Option<Change> {
        let fresh = Arc::new(fresh);
        let ingresses = Store::from_iter([Arc::clone(&fresh)]);
        let (adopted, _) = summaries(&ClusterSnapshot { ingresses, ..snapshot.clone() }, &self.adoption);
        self.change(name, &fresh, adopted.get(name))
    }

    /// A call that ends before anybody else acts.
    async fn call<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, CallError> {
        match timeout(self.claim.longest_action(), call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) => Err(CallError::Status(status.code, status.message)),
            Ok(Err(error)) => Err(CallError::Other(explain(&error))),
            Err(_) => Err(CallError::Timeout),
        }
    }

    /// Remembers what became of the writes, and logs it in a line or two.
    fn note(&mut self, outcomes: Vec<(ObjectName, Option<String>, Outcome)>) {
        let now = Instant::now();
        let (mut written, mut failed, mut reason) = (0_usize, 0_usize, None);
        for (name, version, outcome) in outcomes {
            let failures = match outcome {
                Outcome::NotHeld => continue,
                Outcome::Done => {
                    written += 1;
                    0
                }
                Outcome::Failed(text) => {
                    failed += 1;
                    reason.get_or_insert((name.clone(), text));
                    self.resting.get(&name).map_or(0, |rest| rest.failures) + 1
                }
            };
            self.resting.insert(name, Rest { version, until: now + rest_time(failures), failures });
        }
        if written > 0 {
            info!(ingresses = written, "Wrote Ingress status.");
        }
        if let Some((ingress, reason)) = reason {
            warn!(failed, %ingress, reason, "Could not write Ingress status, which is tried again.");
        }
    }
}

/// How long an Ingress is left alone after so many failures in a row.
fn rest_time(failures: u32) -> Duration {
    let (at_first, at_most) = RETRY;
    match failures.checked_sub(1) {
        None => ARRIVAL,
        Some(doublings) => at_first.saturating_mul(2_u32.saturating_pow(doublings)).min(at_most),
    }
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("the API server does not answer")]
    Timeout,
    #[error("{1}")]
    Status(u16, String),
    #[error("{0}")]
    Other(String),
}

#[cfg(test)]
mod tests;
