//! Where the cluster's state comes from: one task writes it, others read it, and only the latest state counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use feed_reconcile::diagnostic::Diagnostics;
use feed_reconcile::key::ObjectKind;
use feed_reconcile::snapshot::ClusterSnapshot;
use tokio::sync::watch;
use tokio::time::Instant;

pub mod freshness;
pub mod kube;
pub mod manifests;
mod object;

use freshness::Freshness;

/// What is known of the cluster at one moment; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SourceState {
    /// The cluster's objects.
    pub snapshot: ClusterSnapshot,
    /// Whether every kind has been listed: before that, nothing may be decided.
    pub complete: bool,
    /// What the source could not read.
    pub diagnostics: Arc<Diagnostics>,
    /// When the oldest change was seen that no reader has [taken](SourceReader::changed) yet.
    ///
    /// A change of an Ingress's status alone is none: the new object is in the snapshot, but decides nothing.
    pub changed_at: Option<Instant>,
}

/// The writing end; clones write the same state.
#[derive(Clone, Debug)]
pub struct SourceWriter {
    state: watch::Sender<SourceState>,
    freshness: Freshness,
}

/// The reading end of the one reader that decides what is served.
#[derive(Debug)]
pub struct SourceReader {
    /// For taking the changes out of the state.
    state: watch::Sender<SourceState>,
    seen: watch::Receiver<SourceState>,
    freshness: Freshness,
}

/// A state that is complete once these kinds have been listed.
pub fn channel(kinds: &BTreeSet<ObjectKind>) -> (SourceWriter, SourceReader) {
    let (state, seen) = watch::channel(SourceState::default());
    let freshness = Freshness::of(kinds);
    (
        SourceWriter { state: state.clone(), freshness: freshness.clone() },
        SourceReader { state, seen, freshness },
    )
}

impl SourceWriter {
    /// Changes the state because of what was seen at that moment. `modify` says what its change amounts to.
    pub fn modify(&self, seen: Instant, modify: impl FnOnce(&mut SourceState) -> Change) {
        self.state.send_if_modified(|state| {
            let change = modify(state);
            if change == Change::Decisive {
                state.changed_at.get_or_insert(seen);
            }
            change != Change::None
        });
    }

    /// The snapshot as it is.
    pub fn snapshot(&self) -> ClusterSnapshot {
        self.state.borrow().snapshot.clone()
    }

    /// How old the state is.
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }
}

/// How much of the state was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing.
    None,
    /// Only what decides nothing, such as an Ingress's status.
    Informative,
    /// What may be decided from it.
    Decisive,
}

impl SourceReader {
    /// Waits until the state is complete and holds a change, and takes that: `changed_at` is set in what is returned, and
    /// the next call waits for the next change. Cancel safe.
    pub async fn changed(&mut self) -> SourceState {
        loop {
            // Changes that come from here on are waited for below, if they are not taken at once.
            self.seen.mark_unchanged();
            if let Some(state) = self.take() {
                return state;
            }
            if self.seen.changed().await.is_err() {
                // Cannot be, as this reader itself holds a sender.
                std::future::pending::<()>().await;
            }
        }
    }

    /// The state as it is, for those who only look at it.
    pub fn subscribe(&self) -> watch::Receiver<SourceState> {
        self.state.subscribe()
    }

    /// How old the state is.
    pub fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    fn take(&self) -> Option<SourceState> {
        let mut taken = None;
        self.state.send_if_modified(|state| {
            if state.complete && state.changed_at.is_some() {
                taken = Some(state.clone());
                state.changed_at = None;
            }
            false
        });
        taken
    }
}

#[cfg(test)]
mod tests;
