//! What to change in the zones.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::desired::{DesiredName, DesiredRecords, Problem};
use super::endpoint::{Endpoint, Endpoints};
use super::name::RecordName;
use super::record::{RecordSet, RecordType};
use super::zone::{ZoneId, ZoneRecords, Zones};
use crate::diagnostic::{Code, Diagnostic, Field};
use crate::key::{ObjectKey, ObjectName};

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
    /// The changes, deletions first; never empty.
    pub changes: Vec<Change>,
    /// The Ingress that asks for it; `None` where no Ingress has the name any more.
    pub ingress: Option<ObjectName>,
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
    /// How many record sets are ours, in all zones.
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

/// The least number of deletions that can be too many at once.
pub const MIN_GUARDED_DELETIONS: usize = 11;

/// Compares what the zones hold with what they should; zones that are not in `current` are left out.
///
/// `max_deletion_percent` is the share of our record sets, over all zones, that may go in one pass: when more
/// would, and more than 10, none goes.
pub fn plan(
    desired: &DesiredRecords,
    current: &BTreeMap<ZoneId, ZoneRecords>,
    zones: &Zones,
    endpoints: &Endpoints,
    max_deletion_percent: u8,
) -> Plan {
    let mut plan = Plan::default();
    let mut deletions = BTreeMap::new();
    let no_names = BTreeMap::new();
    for zone in zones.iter() {
        let Some(records) = current.get(&zone.id) else { continue };
        let names = desired.zones.get(&zone.id).unwrap_or(&no_names);
        let mut changes = Vec::new();
        for (name, wanted) in names {
            match reach(wanted, records.at(name), name, &zone.name) {
                Ok(change) => changes.extend(change),
                Err(obstacle) => {
                    let diagnostic = obstacle.diagnostic(name, wanted);
                    plan.problems.insert(Problem { zone: Some(zone.id.clone()), diagnostic });
                }
            }
        }
        if !changes.is_empty() {
            plan.zones.insert(zone.id.clone(), changes);
        }
        let unwanted = records.names().filter(|name| !names.contains_key(name.as_str()));
        let gone: Vec<_> = unwanted.filter_map(|name| deletion(name, records.at(name), endpoints)).collect();
        if !gone.is_empty() {
            deletions.insert(zone.id.clone(), gone);
        }
        plan.owned.insert(zone.id.clone(), records.iter().filter(|record| endpoints.own(record)).count());
    }
    guard(&mut plan, deletions, desired.any_ingress, max_deletion_percent);
    plan
}

/// What to do so that a name leads where it should; `None` when it does.
fn reach(
    wanted: &DesiredName,
    current: &[RecordSet],
    name: &RecordName,
    zone: &RecordName,
) -> Result<Option<NameChange>, Obstacle> {
    let Some(endpoint) = &wanted.endpoint else { return Ok(None) };
    if let Some(policy) = current.iter().find_map(|record| record.routing) {
        return Err(Obstacle::RoutingPolicy(policy.to_string()));
    }
    let records = endpoint.records(name);
    if records.iter().any(|record| record.record_type == RecordType::Cname) {
        can_be_cname(name, zone, current)?;
    }
    let in_the_way = current.iter().filter(|record| {
        record.record_type.is_address()
            && !records.iter().any(|wanted| wanted.record_type == record.record_type)
    });
    let mut changes: Vec<Change> =
        in_the_way.map(|record| Change { action: Action::Delete, record: record.clone() }).collect();
    for record in records {
        let same_type = current.iter().find(|other| other.record_type == record.record_type);
        match same_type {
            Some(other) if other.data.says_the_same(&record.data) => {}
            Some(_) => changes.push(Change { action: Action::Upsert, record }),
            None => changes.push(Change { action: Action::Create, record }),
        }
    }
    let change = NameChange { name: name.clone(), changes, ingress: Some(wanted.ingress.clone()) };
    Ok((!change.changes.is_empty()).then_some(change))
}

/// A CNAME is alone at its name, and the apex has at least its SOA and NS (RFC 1034 section 3.6.2).
fn can_be_cname(name: &RecordName, zone: &RecordName, current: &[RecordSet]) -> Result<(), Obstacle> {
    if name == zone {
        return Err(Obstacle::Apex);
    }
    match current.iter().find(|record| !record.record_type.is_address()) {
        Some(other) => Err(Obstacle::OtherType(other.record_type.to_string())),
        None => Ok(()),
    }
}

/// The deletion of what is ours of a name that nobody wants.
fn deletion(name: &RecordName, current: &[RecordSet], endpoints: &Endpoints) -> Option<NameChange> {
    let ours = current.iter().filter(|record| endpoints.own(record));
    let changes: Vec<_> =
        ours.map(|record| Change { action: Action::Delete, record: record.clone() }).collect();
    (!changes.is_empty()).then(|| NameChange { name: name.clone(), changes, ingress: None })
}

/// Adds the deletions to the plan, or all of them to what is held back.
fn guard(
    plan: &mut Plan,
    zones: BTreeMap<ZoneId, Vec<NameChange>>,
    any_ingress: bool,
    max_deletion_percent: u8,
) {
    let deletions = zones.values().flatten().map(|change| change.changes.len()).sum::<usize>();
    let owned = plan.owned.values().sum::<usize>();
    let too_many = deletions >= MIN_GUARDED_DELETIONS
        && deletions.saturating_mul(100) > owned.saturating_mul(usize::from(max_deletion_percent));
    let reason = match (any_ingress, too_many) {
        (false, _) => HeldBackReason::NoIngress,
        (true, true) => HeldBackReason::TooMany,
        (true, false) => {
            for (zone, changes) in zones {
                plan.zones.entry(zone).or_default().extend(changes);
            }
            return;
        }
    };
    if deletions > 0 {
        plan.held_back = Some(HeldBack { reason, zones, deletions, owned });
    }
}

/// Why a name cannot lead where it should.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Obstacle {
    /// A record set with this routing policy holds the name.
    RoutingPolicy(String),
    /// A CNAME would stand at the zone's own name.
    Apex,
    /// A CNAME would stand beside a record set of this type.
    OtherType(String),
}

impl Obstacle {
    fn diagnostic(&self, name: &RecordName, wanted: &DesiredName) -> Diagnostic {
        let target = wanted.endpoint.as_deref().map_or("", |endpoint: &Endpoint| endpoint.dns_name.as_str());
        let (code, reason, help) = match self {
            Self::RoutingPolicy(policy) => (
                Code::RoutingPolicyInTheWay,
                format!("it has a record with a routing policy ({policy}), which is not ours to change"),
                "Delete that record, or point it to the load balancer yourself.",
            ),
            Self::Apex => (
                Code::CnameNotPossible,
                "it is the zone's own name, which cannot be a CNAME".to_owned(),
                "Use a host below it, or load balancers that are found by tag, which get an ALIAS.",
            ),
            Self::OtherType(other) => (
                Code::CnameNotPossible,
                format!("it has a {other} record, and a CNAME cannot stand beside another type"),
                "Delete that record, or use load balancers that are found by tag, which get an ALIAS.",
            ),
        };
        Diagnostic {
            object: ObjectKey::ingress(&wanted.ingress),
            field: Field::of(&["spec", "rules"]),
            code,
            message: format!("`{name}` does not lead to {target}, since {reason}."),
            help: Some(help.to_owned()),
            related: None,
        }
    }
}

#[cfg(test)]
mod tests;
