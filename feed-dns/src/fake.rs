//! Zones and load balancers that do what a test says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use feed_reconcile::dns::keeper::{Found, Outcome, Refused};
use feed_reconcile::dns::{
    Action, Batch, HostedZone, RecordName, RecordSet, Visibility, ZoneId, ZoneRecords,
};
use feed_supervisor::runtime::aws::CallError;

use crate::endpoints::{LoadBalancers, Wanted};
use crate::zone::HostedZones;

/// Zones in memory; clones are the same zones.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeZones(Arc<Mutex<BTreeMap<ZoneId, State>>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    name: String,
    pub(crate) records: ZoneRecords,
    /// Names whose changes are refused.
    pub(crate) refused: BTreeSet<String>,
    /// The next calls fail.
    pub(crate) failures: VecDeque<CallError>,
    /// Listings are never answered.
    pub(crate) hangs: bool,
    /// `open`, `list`, or the names of a batch.
    pub(crate) calls: Vec<String>,
}

impl FakeZones {
    pub(crate) fn create(&self, id: &str, name: &str, records: impl IntoIterator<Item = RecordSet>) {
        let records = records.into_iter().collect();
        let state = State { name: name.to_owned(), records, ..State::default() };
        self.0.lock().unwrap().insert(ZoneId::new(id), state);
    }

    pub(crate) fn with<T>(&self, id: &str, f: impl FnOnce(&mut State) -> T) -> T {
        f(self.0.lock().unwrap().get_mut(id).unwrap())
    }

    /// The calls for a zone since this was asked last.
    pub(crate) fn calls(&self, id: &str) -> Vec<String> {
        self.with(id, |state| std::mem::take(&mut state.calls))
    }
}

pub(crate) fn failure(code: &str) -> CallError {
    CallError {
        operation: "Fake".to_owned(),
        code: Some(code.to_owned()),
        message: code.to_owned(),
        refused: true,
    }
}

impl HostedZones for FakeZones {
    async fn open(&self, id: &ZoneId) -> Result<HostedZone, CallError> {
        self.with(id.as_str(), |state| {
            state.calls.push("open".to_owned());
            let name = RecordName::new(&state.name);
            let zone = HostedZone { id: id.clone(), name, visibility: Visibility::Private };
            state.failures.pop_front().map_or(Ok(zone), Err)
        })
    }

    async fn list(&self, id: &ZoneId) -> Result<ZoneRecords, CallError> {
        let answer = self.with(id.as_str(), |state| {
            state.calls.push("list".to_owned());
            let answer = state.failures.pop_front().map_or_else(|| Ok(state.records.clone()), Err);
            (!state.hangs).then_some(answer)
        });
        match answer {
            Some(answer) => answer,
            None => std::future::pending().await,
        }
    }

    async fn change(&self, id: &ZoneId, batch: &Batch) -> Outcome {
        self.with(id.as_str(), |state| {
            let names: Vec<_> = batch.changes.iter().map(|change| change.name.to_string()).collect();
            state.calls.push(names.join(" "));
            if let Some(error) = state.failures.pop_front() {
                return Outcome::Failed { why: error.to_string(), unknown: false };
            }
            let bad = |change: &&feed_reconcile::dns::NameChange| {
                let exists = state.records.at(&change.name).iter().any(|record| {
                    change.changes.iter().any(|change| {
                        change.action == Action::Create && change.record.record_type == record.record_type
                    })
                });
                exists || state.refused.contains(change.name.as_str())
            };
            let bad: Vec<_> =
                batch.changes.iter().filter(bad).map(|it| format!("name='{}.'", it.name)).collect();
            if !bad.is_empty() {
                return Outcome::Refused(Refused { reasons: bad, ..Refused::default() });
            }
            batch.changes.iter().for_each(|change| state.records.apply(change));
            Outcome::Accepted
        })
    }
}

/// Load balancers that a test found; clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeBalancers(pub(crate) Arc<Mutex<VecDeque<Result<Found, CallError>>>>);

impl LoadBalancers for FakeBalancers {
    /// The next answer; the last one again and again.
    async fn find(&self, _: &Wanted) -> Result<Found, CallError> {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        answer.unwrap_or_else(|| Ok(Found::default()))
    }
}
