//! Telling the authors of Ingresses what is wrong with these, by Kubernetes Events: `kubectl describe ingress` shows them. What is
//! written when is decided by [`feed_reconcile::events`]; here it is written, by the one replica that holds a Lease.
//!
//! An Event has a name that says what it is about, so that whoever holds the Lease next writes over it, and counts on. It is one
//! of `v1`: those of `events.k8s.io/v1`, which are stored as the same objects, may not get another text.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::diagnostic::Diagnostics;
use feed_reconcile::events::{Decision, Journal, RENEWAL, Subject};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{sleep_until, timeout};
use tracing::warn;

use super::clock::Clock;
use super::kubernetes::explain;
use super::lease::{Claim, Participant, identity};
use super::settings::LeaseConfig;
use super::shutdown::Shutdown;
use super::source::SourceState;

/// How long reading and writing an Event may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest part of an Event's name that is the Ingress's: a name has 253 characters, and the rest has less than 80.
const LONGEST_NAME: usize = 170;

/// Writes Events for all errors of Ingresses while this replica holds the Lease, until the process is to end; then gives the Lease
/// up.
pub async fn run(
    client: Client,
    lease: &LeaseConfig,
    component: &'static str,
    diagnostics: watch::Receiver<Arc<Diagnostics>>,
    state: watch::Receiver<SourceState>,
    mut shutdown: Shutdown,
) {
    let identity = identity();
    let (participant, claim) = Participant::new(client.clone(), lease, &identity);
    let publisher = Publisher {
        client,
        claim,
        component,
        identity,
        state,
        clock: Clock::start(),
        journal: Journal::default(),
        told: BTreeSet::new(),
    };
    tokio::select! {
        () = participant.run(shutdown.draining()) => {}
        () = publisher.run(diagnostics) => {}
    }
}

struct Publisher {
    client: Client,
    claim: Claim,
    component: &'static str,
    identity: String,
    /// For the uid of an Ingress.
    state: watch::Receiver<SourceState>,
    clock: Clock,
    journal: Journal,
    /// What was logged of what went wrong, since all went well.
    told: BTreeSet<String>,
}

impl Publisher {
    async fn run(mut self, mut diagnostics: watch::Receiver<Arc<Diagnostics>>) {
        loop {
            self.claim.held().await;
            self.journal.taken_over();
            diagnostics.mark_changed();
            while self.claim.is_held() {
                if diagnostics.has_changed().unwrap_or_default() {
                    self.journal.observe(self.clock.now(), &diagnostics.borrow_and_update());
                }
                let due = match self.journal.next(self.clock.now()) {
                    Decision::Write(subject, note) => {
                        self.publish(subject, note).await;
                        continue;
                    }
                    Decision::Wait(until) => until.map(|until| self.clock.instant(until)),
                };
                tokio::select! {
                    changed = diagnostics.changed() => match changed {
                        Ok(()) => diagnostics.mark_changed(),
                        Err(_) => return std::future::pending().await,
                    },
                    () = self.claim.lost() => {}
                    () = async { sleep_until(due.unwrap_or_else(tokio::time::Instant::now)).await }, if due.is_some() => {}
                }
            }
        }
    }

    async fn publish(&mut self, subject: Subject, note: String) {
        let patience = PATIENCE.min(self.claim.longest_action());
        let why = match timeout(patience, self.write(&subject, &note)).await {
            Ok(Ok(at)) => {
                self.told.clear();
                self.journal.written(&subject, note, at);
                return;
            }
            Ok(Err(error)) => explain(&error),
            Err(_) => format!("the API server does not answer within {patience:?}"),
        };
        if self.told.insert(why.clone()) {
            warn!(ingress = %subject.ingress, code = %subject.code, "An Event cannot be written; it is tried again: {why}.");
        }
        self.journal.failed(&subject, self.clock.now());
    }

    /// Sees to it that there is an Event with this text; since when it has it.
    async fn write(&self, subject: &Subject, note: &str) -> kube::Result<Timestamp> {
        let now = self.clock.now();
        let Some(ingress) = self.reference(subject) else { return Ok(now) };
        let name = name(subject, ingress.uid.as_deref().unwrap_or_default());
        let events: Api<Event> = Api::namespaced(self.client.clone(), &subject.ingress.namespace);
        let Some(known) = events.get_opt(&name).await? else {
            let event = self.event(name, ingress, subject, note, now);
            return events.create(&PostParams::default(), &event).await.map(|_| now);
        };
        if let Some(Time(at)) = known.last_timestamp
            && known.message.as_deref() == Some(note)
            && now.duration_since(at) < RENEWAL
        {
            return Ok(at.min(now));
        }
        let patch = json!({
            "message": note,
            "count": known.count.unwrap_or(1).saturating_add(1),
            "lastTimestamp": Time(now),
            "reportingInstance": self.identity,
        });
        events.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await.map(|_| now)
    }

    /// The very object: `kubectl describe` looks for Events by its uid.
    fn reference(&self, subject: &Subject) -> Option<ObjectReference> {
        let state = self.state.borrow();
        let metadata = &state.snapshot.ingresses.get(&subject.ingress)?.metadata;
        Some(ObjectReference {
            api_version: Some("networking.k8s.io/v1".into()),
            kind: Some("Ingress".into()),
            namespace: metadata.namespace.clone(),
            name: metadata.name.clone(),
            uid: metadata.uid.clone(),
            ..ObjectReference::default()
        })
    }

    fn event(
        &self,
        name: String,
        ingress: ObjectReference,
        subject: &Subject,
        note: &str,
        now: Timestamp,
    ) -> Event {
        Event {
            metadata: ObjectMeta {
                name: Some(name),
                namespace: Some(subject.ingress.namespace.to_string()),
                ..ObjectMeta::default()
            },
            involved_object: ingress,
            type_: Some("Warning".into()),
            reason: Some(subject.code.to_string()),
            message: Some(note.to_owned()),
            action: Some("Configure".into()),
            count: Some(1),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            source: Some(EventSource { component: Some(self.component.into()), host: None }),
            reporting_component: Some(self.component.into()),
            reporting_instance: Some(self.identity.clone()),
            ..Event::default()
        }
    }
}

/// The name of the Event about an error of that very Ingress.
fn name(subject: &Subject, uid: &str) -> String {
    let name: String = subject.ingress.name.chars().take(LONGEST_NAME).collect();
    let code = subject.code.as_str().to_ascii_lowercase();
    format!("{}.{uid}.{code}", name.trim_end_matches(['.', '-']))
}

#[cfg(test)]
mod tests;
