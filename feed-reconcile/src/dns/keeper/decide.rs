//! What follows from all that is known: recomputed where something of it has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::machine::Keeper;
use crate::dns::desired::{DesiredRecords, Problem, Unopened, desired};
use crate::dns::endpoint::{Endpoints, Target};
use crate::dns::plan::{Action, HeldBack, NameChange, View, ZonePlan, guard};
use crate::dns::protect::Protected;
use crate::dns::zone::{ZoneId, ZoneRecords};

/// When the zones that answer are enough: so long after one was opened or read for the first time.
pub(super) const STILLNESS: Duration = Duration::from_secs(3);

/// What was computed, and from what.
#[derive(Clone, Debug, Default)]
pub(super) struct Derived {
    /// The load balancers, one of them chosen for each scheme.
    pub(super) endpoints: Endpoints,
    pub(super) desired: DesiredRecords,
    pub(super) problems: BTreeSet<Problem>,
    pub(super) protected: Protected,
    pub(super) plans: BTreeMap<ZoneId, ZonePlan>,
    pub(super) held_back: Option<HeldBack>,
    pub(super) unopened: Unopened,
    pub(super) complete: bool,
    /// Whether Ingresses, zones' names or load balancers have changed.
    pub(super) inputs_changed: bool,
    /// Zones whose records have changed.
    pub(super) changed: BTreeSet<ZoneId>,
}

impl Keeper {
    /// Whether every zone has been read, or need not be waited for.
    pub(super) fn is_complete(&self, now: Duration) -> bool {
        now >= self.progress_at + STILLNESS
            || self.zones.values().all(|zone| zone.is_read() || zone.was_tried)
    }

    fn unopened(&self, complete: bool) -> Unopened {
        let unopened = self.zones.values().any(|zone| zone.hosted.is_none());
        match (unopened, complete) {
            (false, _) => Unopened::None,
            (true, false) => Unopened::Soon,
            (true, true) => Unopened::Later,
        }
    }

    /// Computes what has to be computed again.
    pub(super) fn decide(&mut self, now: Duration) {
        let Some(ingresses) = &self.ingresses else { return };
        let Some(found) = &self.found else { return };
        let complete = self.is_complete(now);
        let unopened = self.unopened(complete);
        let was_complete = std::mem::replace(&mut self.derived.complete, complete);
        let first_reads = !was_complete && !self.derived.changed.is_empty();
        let mut all = std::mem::take(&mut self.derived.inputs_changed)
            || was_complete != complete
            || unopened != self.derived.unopened
            || first_reads;
        if all {
            self.derived.unopened = unopened;
            let before =
                if was_complete { std::mem::take(&mut self.derived.endpoints) } else { Endpoints::default() };
            let mut endpoints = found.clone();
            endpoints.choose(&before, self.records.values().flat_map(ZoneRecords::iter), complete);
            let (desired, problems) = desired(ingresses.iter(), &self.hosted, &endpoints, unopened);
            (self.derived.endpoints, self.derived.desired, self.derived.problems) =
                (endpoints, desired, problems);
        }
        if all || !self.derived.changed.is_empty() {
            let protected = Protected::new(&self.derived.endpoints, &self.hosted, &self.records);
            all |= protected != self.derived.protected;
            self.derived.protected = protected;
        }
        let changed = std::mem::take(&mut self.derived.changed);
        let view = View {
            desired: &self.derived.desired,
            zones: &self.hosted,
            endpoints: &self.derived.endpoints,
            protected: &self.derived.protected,
            owner: self.settings.rules.owner.as_ref(),
        };
        let mut plans = std::mem::take(&mut self.derived.plans);
        for zone in self.hosted.iter().filter(|zone| all || changed.contains(&zone.id)) {
            if let Some(records) = self.records.get(&zone.id) {
                plans.insert(zone.id.clone(), view.plan_zone(zone, records));
            }
        }
        plans.retain(|zone, _| self.records.contains_key(zone));
        let percent = self.settings.rules.max_deletion_percent;
        self.derived.held_back = guard(&plans, self.derived.desired.any_ingress, percent);
        self.derived.plans = plans;
    }

    /// What Ingresses ask of a zone.
    pub(super) fn wanted(&self, zone: &ZoneId) -> &[NameChange] {
        let plan = self.derived.plans.get(zone);
        plan.map_or(&[], |plan| &plan.changes)
    }

    /// What no Ingress asks of a zone any more, unless that is too much at once.
    pub(super) fn unwanted(&self, zone: &ZoneId) -> &[NameChange] {
        let held =
            self.derived.held_back.as_ref().is_some_and(|held_back| held_back.zones.contains_key(zone));
        let plan = self.derived.plans.get(zone);
        plan.filter(|_| !held).map_or(&[], |plan| &plan.deletions)
    }

    /// Whether a change may go out before every zone has been read: what stands at a name may be what a hostname that was
    /// given leads through, which only the other zones tell.
    pub(super) fn may_go_now(&self, change: &NameChange) -> bool {
        let creates = change.changes.iter().all(|change| change.action == Action::Create);
        let given =
            || self.derived.endpoints.iter().any(|(_, it)| matches!(it.target, Target::Hostname { .. }));
        self.derived.complete || creates || !given()
    }
}
