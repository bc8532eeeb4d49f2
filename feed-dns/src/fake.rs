//! A zone and load balancers that do what a test says.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use feed_reconcile::dns::{Action, Batch, RecordSet, ZoneRecords};
use feed_supervisor::runtime::aws::CallError;

use crate::endpoints::{Found, LoadBalancers, Wanted};
use crate::zone::{ChangeError, Zone};

/// A zone in memory; clones are the same zone.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeZone(Arc<Mutex<State>>);

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) records: ZoneRecords,
    /// Names whose changes are refused.
    pub(crate) refused: BTreeSet<String>,
    /// Whether a refusal says which names are at fault.
    pub(crate) silent: bool,
    /// The next calls fail.
    pub(crate) failures: VecDeque<CallError>,
    /// `list`, or the names of a batch.
    pub(crate) calls: Vec<String>,
}

impl FakeZone {
    pub(crate) fn new(records: impl IntoIterator<Item = RecordSet>) -> Self {
        let zone = Self::default();
        zone.with(|state| state.records = records.into_iter().collect());
        zone
    }

    pub(crate) fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    /// The calls since this was asked last.
    pub(crate) fn calls(&self) -> Vec<String> {
        self.with(|state| std::mem::take(&mut state.calls))
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

impl Zone for FakeZone {
    async fn list(&self) -> Result<ZoneRecords, CallError> {
        self.with(|state| {
            state.calls.push("list".to_owned());
            state.failures.pop_front().map_or_else(|| Ok(state.records.clone()), Err)
        })
    }

    async fn change(&self, batch: &Batch) -> Result<(), ChangeError> {
        self.with(|state| {
            let names: Vec<_> = batch.changes.iter().map(|change| change.name.to_string()).collect();
            state.calls.push(names.join(" "));
            if let Some(error) = state.failures.pop_front() {
                return Err(error.into());
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
                let silent = vec!["no".to_owned()];
                return Err(ChangeError::Refused(if state.silent { silent } else { bad }));
            }
            batch.changes.iter().for_each(|change| state.records.apply(change));
            Ok(())
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
