//! How old the state is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feed_reconcile::key::ObjectKind;
use tokio::time::Instant;

/// Since when each kind of object is not followed any more; clones share it.
#[derive(Clone, Debug)]
pub struct Freshness(Arc<Mutex<BTreeMap<ObjectKind, Following>>>);

#[derive(Clone, Copy, Debug)]
enum Following {
    /// Not listed yet.
    NotYet,
    /// Changes arrive as they happen.
    Current,
    /// Changes have not arrived since then.
    LostAt(Instant),
}

impl Freshness {
    /// None of these kinds has been listed.
    pub fn of(kinds: &BTreeSet<ObjectKind>) -> Self {
        Self(Arc::new(Mutex::new(kinds.iter().map(|kind| (*kind, Following::NotYet)).collect())))
    }

    /// The state of that kind is the cluster's, and changes to it will arrive.
    pub fn current(&self, kind: ObjectKind) {
        self.lock().insert(kind, Following::Current);
    }

    /// Changes to objects of that kind arrive again, and none was missed. Returns for how long they had not arrived, if
    /// they had not.
    pub fn resumed(&self, kind: ObjectKind) -> Option<Duration> {
        let mut kinds = self.lock();
        let following = kinds.get_mut(&kind)?;
        let Following::LostAt(lost) = *following else { return None };
        *following = Following::Current;
        Some(lost.elapsed())
    }

    /// From now on changes to objects of that kind may be missed. Returns whether they have arrived until now.
    pub fn lost(&self, kind: ObjectKind) -> bool {
        let mut kinds = self.lock();
        let following = kinds.get_mut(&kind).filter(|following| matches!(following, Following::Current));
        following.map(|following| *following = Following::LostAt(Instant::now())).is_some()
    }

    /// For how long the state may have differed from the cluster's: zero while changes arrive, `None` before everything
    /// has been listed once.
    pub fn age(&self) -> Option<Duration> {
        let mut oldest = Duration::ZERO;
        for following in self.lock().values() {
            match following {
                Following::NotYet => return None,
                Following::Current => {}
                Following::LostAt(lost) => oldest = oldest.max(lost.elapsed()),
            }
        }
        Some(oldest)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ObjectKind, Following>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
