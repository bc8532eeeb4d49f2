//! What the events of one kind's watch do to the state.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use feed_reconcile::diagnostic::{Code, Diagnostic, Field};
use feed_reconcile::key::{ObjectKey, ObjectName};
use feed_reconcile::snapshot::Store;
use kube::Resource;
use kube::core::DeserializeGuard;
use kube::core::error_boundary::InvalidObject;
use kube::runtime::watcher::{self, Event};
use tokio::time::Instant;

use super::trouble::Trouble;
use crate::runtime::health::Health;
use crate::runtime::source::object::{self, Tracked};
use crate::runtime::source::{Change, SourceState, SourceWriter};

/// Between two tries, at first and at most; up to as much again is added at random.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(6));

/// A failure so soon after a listing counts as one more of the failures before it.
const LISTING_PAUSE: Duration = Duration::from_secs(10);

/// Applies the events of one kind.
#[derive(Debug)]
pub(super) struct Follower<K> {
    writer: SourceWriter,
    trouble: Trouble,
    with_keys: bool,
    backoff: ExponentialBackoff,
    listed_at: Option<Instant>,
    /// The objects before they are listed anew.
    before: Store<K>,
    /// What has been listed so far: it takes effect when all is.
    listed: Vec<Arc<K>>,
    /// The objects in the listing that cannot be understood.
    malformed: Vec<InvalidObject>,
}

impl<K: Tracked + Resource<DynamicType = ()>> Follower<K> {
    /// Nothing has been listed yet.
    pub(super) fn new(writer: SourceWriter, health: Health, with_keys: bool) -> Self {
        let trouble = Trouble::of::<K>(K::OBJECT_KIND, health);
        Self {
            writer,
            trouble,
            with_keys,
            backoff: backoff(),
            listed_at: None,
            before: Store::default(),
            listed: Vec::new(),
            malformed: Vec::new(),
        }
    }

    /// Applies what the API server told.
    pub(super) fn happened(&mut self, event: Event<DeserializeGuard<K>>) {
        let seen = Instant::now();
        match event {
            Event::Init => {
                self.before = K::store(&self.writer.snapshot()).clone();
                self.listed.clear();
                self.malformed.clear();
            }
            Event::InitApply(DeserializeGuard(Ok(mut object))) => {
                self.trim(&mut object);
                self.listed.push(object::shared(&self.before, object));
            }
            Event::InitApply(DeserializeGuard(Err(malformed))) => self.malformed.push(malformed),
            Event::InitDone => self.all_listed(seen),
            Event::Apply(DeserializeGuard(Ok(mut object))) => {
                self.trim(&mut object);
                self.writer.modify(seen, |state| {
                    let understood = forget::<K>(state, &ObjectName::of(object.metadata()));
                    understood.max(object::put(&mut state.snapshot, object))
                });
            }
            Event::Apply(DeserializeGuard(Err(malformed))) => {
                self.writer.modify(seen, |state| note::<K>(state, &malformed));
            }
            Event::Delete(DeserializeGuard(object)) => {
                let name =
                    ObjectName::of(object.as_ref().map_or_else(|malformed| &malformed.metadata, K::metadata));
                self.writer.modify(seen, |state| {
                    let removed = K::store_mut(&mut state.snapshot).remove(&name).map(|_| Change::Decisive);
                    forget::<K>(state, &name).max(removed.unwrap_or(Change::None))
                });
            }
        }
    }

    /// Notes that a list or watch failed, and says after what time to try again.
    pub(super) fn failed(&mut self, error: &watcher::Error) -> Duration {
        let was_current = self.writer.freshness().lost(K::OBJECT_KIND);
        self.trouble.failed(error, was_current);
        // Not after each listing, or a watch that fails at once would make us list without end.
        if was_current && self.listed_at.is_some_and(|listed_at| listed_at.elapsed() > LISTING_PAUSE) {
            self.backoff = backoff();
        }
        self.backoff.next().unwrap_or(BACKOFF.1)
    }

    fn trim(&self, object: &mut K) {
        object.trim();
        if !self.with_keys {
            object.forget_keys();
        }
    }

    fn all_listed(&mut self, seen: Instant) {
        let (mut listed, malformed) = (std::mem::take(&mut self.listed), std::mem::take(&mut self.malformed));
        let before = std::mem::take(&mut self.before);
        self.trouble.listed(listed.len() + malformed.len());
        self.listed_at = Some(seen);
        listed.extend(malformed.iter().filter_map(|it| before.get(&ObjectName::of(&it.metadata))).cloned());
        drop(before);
        self.writer.modify(seen, |state| {
            let diagnostics_before = Arc::clone(&state.diagnostics);
            Arc::make_mut(&mut state.diagnostics)
                .retain(|diagnostic| diagnostic.object.kind != K::OBJECT_KIND);
            if !state.snapshot.unreadable.is_empty() {
                let unreadable = Arc::make_mut(&mut state.snapshot.unreadable);
                unreadable.retain(|object| object.kind != K::OBJECT_KIND);
            }
            for malformed in &malformed {
                note::<K>(state, malformed);
            }
            let change = object::replace(&mut state.snapshot, listed);
            // Under the state's lock, so that whoever lists the last kind finds the objects of all others there.
            self.writer.freshness().current(K::OBJECT_KIND);
            let complete = self.writer.freshness().age().is_some();
            let is_news = state.complete != complete || state.diagnostics != diagnostics_before;
            state.complete = complete;
            if is_news { Change::Decisive } else { change }
        });
    }
}

fn backoff() -> ExponentialBackoff {
    let (at_first, at_most) = BACKOFF;
    let backoff = ExponentialBuilder::default().with_min_delay(at_first).with_max_delay(at_most);
    backoff.with_jitter().without_max_times().build()
}

/// Tells of an object that cannot be understood; its last good version stays.
fn note<K: Tracked>(state: &mut SourceState, malformed: &InvalidObject) -> Change {
    let name = ObjectName::of(&malformed.metadata);
    let object = ObjectKey { kind: K::OBJECT_KIND, name: name.clone() };
    let is_known = K::store(&state.snapshot).get(&name).is_some();
    let consequence = if is_known { "its last good version is used" } else { "it is left out" };
    let diagnostic = Diagnostic {
        object: object.clone(),
        field: Field::default(),
        code: Code::InvalidManifest,
        message: format!(
            "The API server's version of it cannot be understood, so {consequence}: {malformed}."
        ),
        help: Some(format!("See `kubectl explain {}`.", format!("{:?}", K::OBJECT_KIND).to_lowercase())),
        related: None,
    };
    if state.diagnostics.contains(&diagnostic) {
        return Change::None;
    }
    forget::<K>(state, &name);
    Arc::make_mut(&mut state.diagnostics).insert(diagnostic);
    if !is_known {
        Arc::make_mut(&mut state.snapshot.unreadable).insert(object);
    }
    Change::Decisive
}

/// Takes back what was told of an object.
fn forget<K: Tracked>(state: &mut SourceState, name: &ObjectName) -> Change {
    let is_about_it =
        |diagnostic: &Diagnostic| diagnostic.object.kind == K::OBJECT_KIND && diagnostic.object.name == *name;
    if !state.diagnostics.iter().any(is_about_it) {
        return Change::None;
    }
    Arc::make_mut(&mut state.diagnostics).retain(|diagnostic| !is_about_it(diagnostic));
    Arc::make_mut(&mut state.snapshot.unreadable)
        .retain(|object| object.kind != K::OBJECT_KIND || object.name != *name);
    Change::Decisive
}
