//! What to change in the zones.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::desired::{DesiredRecords, Problem};
use super::endpoint::Endpoints;
use super::name::RecordName;
use super::protect::Protected;
use super::record::RecordSet;
use super::registry::OwnerId;
use super::zone::{ZoneId, ZoneRecords, Zones};
use crate::key::ObjectName;

mod names;
mod obstacle;

pub use names::View;

/// What happens to a record set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made; refused by Route 53 when somebody made it meanwhile.
    Create,
    /// It replaces the one of its name and type.
    Upsert,
    /// It goes; refused by Route 53 when it is not exactly this one any more.
    Delete,
}

/// One change of one record set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What happens.
    pub action: Action,
    /// The record set as it should be, or, to delete it, as it is.
    pub record: RecordSet,
}

/// All changes of one name: they belong in one call, so that the name is never left without an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameChange {
    /// The name.
    pub name: RecordName,
    /// The changes, deletions first; never empty. Those of entries of the registry come last, and are of other names.
    pub changes: Vec<Change>,
    /// The Ingress that asks for it; `None` where no Ingress has the name any more.
    pub ingress: Option<ObjectName>,
}

impl NameChange {
    /// Whether the name's records go, as no Ingress has it any more.
    pub fn is_deletion(&self) -> bool {
        self.ingress.is_none()
    }

    /// How many record sets of the name itself are changed.
    pub fn addresses(&self) -> usize {
        self.changes.iter().filter(|change| change.record.record_type.is_address()).count()
    }
}

/// Why deletions are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldBackReason {
    /// There is no Ingress at all, which is more likely a fault than a wish.
    NoIngress,
    /// They are too many at once.
    TooMany,
}

/// Deletions that are not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// Why.
    pub reason: HeldBackReason,
    /// The deletions of each zone.
    pub zones: BTreeMap<ZoneId, Vec<NameChange>>,
    /// How many record sets would go.
    pub deletions: usize,
    /// How many record sets are ours, in the zones that count: the one whose deletions are held back, or all.
    pub owned: usize,
}

/// What to change so that the zones are as desired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The changes of each zone: what Ingresses ask for first, then deletions, each ordered by name.
    pub zones: BTreeMap<ZoneId, Vec<NameChange>>,
    /// Deletions that are not among the changes.
    pub held_back: Option<HeldBack>,
    /// Names that cannot be as desired.
    pub problems: BTreeSet<Problem>,
    /// How many record sets of each zone are ours.
    pub owned: BTreeMap<ZoneId, usize>,
}

impl Plan {
    /// Whether the zones are as desired; deletions that are held back are changes.
    pub fn is_empty(&self) -> bool {
        self.zones.is_empty() && self.held_back.is_none()
    }
}

/// What decides besides the desired records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// The share of our record sets, 0 to 100, that may go in one pass: of each zone, and of all zones together.
    pub max_deletion_percent: u8,
    /// Whose records ours are; without it, those that point to our endpoints are.
    pub owner: Option<OwnerId>,
}

/// The least number of deletions that can be too many at once.
pub const MIN_GUARDED_DELETIONS: usize = 11;

/// What to change in one zone, before the guard has seen it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZonePlan {
    /// What Ingresses ask for, ordered by name.
    pub changes: Vec<NameChange>,
    /// What no Ingress asks for any more, ordered by name.
    pub deletions: Vec<NameChange>,
    /// Names that cannot be as desired.
    pub problems: BTreeSet<Problem>,
    /// How many record sets are ours, without the registry's entries.
    pub owned: usize,
}

/// Compares what the zones hold with what they should; zones that are not in `current` are left out.
pub fn plan(
    desired: &DesiredRecords,
    current: &BTreeMap<ZoneId, ZoneRecords>,
    zones: &Zones,
    endpoints: &Endpoints,
    rules: &Rules,
) -> Plan {
    let protected = Protected::new(endpoints, zones, current);
    let view = View { desired, zones, endpoints, protected: &protected, owner: rules.owner.as_ref() };
    let planned = zones.iter().filter_map(|zone| {
        let records = current.get(&zone.id)?;
        Some((zone.id.clone(), view.plan_zone(zone, records)))
    });
    let planned: BTreeMap<ZoneId, ZonePlan> = planned.collect();
    let held_back = guard(&planned, desired.any_ingress, rules.max_deletion_percent);
    let mut plan = Plan { held_back, ..Plan::default() };
    for (zone, ZonePlan { mut changes, deletions, problems, owned }) in planned {
        let held = plan.held_back.as_ref().is_some_and(|held_back| held_back.zones.contains_key(&zone));
        changes.extend(deletions.into_iter().filter(|_| !held));
        plan.problems.extend(problems);
        plan.owned.insert(zone.clone(), owned);
        if !changes.is_empty() {
            plan.zones.insert(zone, changes);
        }
    }
    plan
}

/// Which zones' deletions are held back: those of a zone where they are too many, and what is left where that is too many
/// over all zones, as the hosts of a namespace may be spread thinly.
pub fn guard(
    planned: &BTreeMap<ZoneId, ZonePlan>,
    any_ingress: bool,
    max_deletion_percent: u8,
) -> Option<HeldBack> {
    let count = |plan: &ZonePlan| plan.deletions.iter().map(NameChange::addresses).sum::<usize>();
    let too_many = |deletions: usize, owned: usize| {
        deletions >= MIN_GUARDED_DELETIONS
            && deletions.saturating_mul(100) > owned.saturating_mul(usize::from(max_deletion_percent))
    };
    let deleting = planned.iter().filter(|(_, plan)| count(plan) > 0);
    let (mut held, rest): (Vec<_>, Vec<_>) =
        deleting.partition(|(_, plan)| !any_ingress || too_many(count(plan), plan.owned));
    let left = rest.iter().map(|(_, plan)| count(plan)).sum();
    if too_many(left, planned.values().map(|plan| plan.owned).sum()) {
        held.extend(rest);
    }
    let of = if held.len() > 1 {
        planned.values().collect()
    } else {
        held.iter().map(|(_, plan)| *plan).collect::<Vec<_>>()
    };
    let reason = if any_ingress { HeldBackReason::TooMany } else { HeldBackReason::NoIngress };
    (!held.is_empty()).then(|| HeldBack {
        reason,
        deletions: held.iter().map(|(_, plan)| count(plan)).sum(),
        owned: of.iter().map(|plan| plan.owned).sum(),
        zones: held.into_iter().map(|(zone, plan)| (zone.clone(), plan.deletions.clone())).collect(),
    })
}

#[cfg(test)]
mod tests;
