//! What to do for each name of a zone.

use std::collections::BTreeMap;

use super::obstacle::Obstacle;
use super::{Action, Change, NameChange, ZonePlan};
use crate::dns::desired::{Caution, DesiredName, DesiredRecords, Problem};
use crate::dns::endpoint::Endpoints;
use crate::dns::name::RecordName;
use crate::dns::protect::Protected;
use crate::dns::record::{RecordSet, RecordType};
use crate::dns::registry::{self, Owned, OwnerId};
use crate::dns::zone::{HostedZone, ZoneRecords, Zones};

/// All that decides what a zone should hold.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The names that there should be records for.
    pub desired: &'a DesiredRecords,
    /// All zones.
    pub zones: &'a Zones,
    /// Where records may point to.
    pub endpoints: &'a Endpoints,
    /// Names that must not be touched.
    pub protected: &'a Protected,
    /// Whose records ours are; without it, those that point to our endpoints are.
    pub owner: Option<&'a OwnerId>,
}

/// A zone, and what it holds.
#[derive(Clone, Copy)]
struct Held<'a> {
    zone: &'a HostedZone,
    records: &'a ZoneRecords,
}

impl View<'_> {
    /// What to change in a zone that holds these records.
    pub fn plan_zone(&self, zone: &HostedZone, records: &ZoneRecords) -> ZonePlan {
        let held = Held { zone, records };
        let no_names = BTreeMap::new();
        let names = self.desired.zones.get(&zone.id).unwrap_or(&no_names);
        let mut plan = ZonePlan::default();
        for (name, wanted) in names {
            match self.reach(held, name, wanted) {
                Ok(change) => plan.changes.extend(change),
                Err(obstacle) => {
                    let diagnostic = obstacle.diagnostic(name, wanted, zone, self.zones);
                    plan.problems.insert(Problem { zone: Some(zone.id.clone()), diagnostic });
                }
            }
        }
        let unwanted = records.names().filter(|name| {
            !names.contains_key(name.as_str())
                && !self.desired.kept.contains(*name)
                && !self.protected.contains(&zone.id, name)
        });
        plan.deletions = unwanted.filter_map(|name| self.deletion(held, name)).collect();
        plan.owned = records.iter().filter(|record| self.is_ours(held, record)).count();
        plan
    }

    /// What to do so that a name leads where it should; `None` when it does, or when it stays as it is.
    fn reach(
        &self,
        held: Held<'_>,
        name: &RecordName,
        wanted: &DesiredName,
    ) -> Result<Option<NameChange>, Obstacle> {
        let Held { zone, records } = held;
        if self.protected.contains(&zone.id, name) {
            return Err(Obstacle::Reserved);
        }
        if let Some(cut) = records.delegation(name, &zone.name) {
            return Err(Obstacle::Delegated(cut.clone()));
        }
        let current = records.at(name);
        let Some(endpoint) = &wanted.endpoint else { return Ok(None) };
        let endpoint = self.endpoints.in_use(wanted.scheme, current).unwrap_or(endpoint);
        if let Some(policy) = current.iter().find_map(|record| record.routing) {
            return Err(Obstacle::RoutingPolicy(policy.to_string()));
        }
        let records = endpoint.records(name);
        if self.stays(held, wanted, current) {
            return Ok(None);
        }
        self.may_touch(held, current, &records)?;
        if records.iter().any(|record| record.record_type == RecordType::Cname) {
            can_be_cname(name, &zone.name, current)?;
        }
        let mut changes = difference(current, records.clone());
        if let Some(owner) = self.owner {
            changes.extend(entries(held, owner, current, &records, wanted)?);
        }
        let change = NameChange { name: name.clone(), changes, ingress: Some(wanted.ingress.clone()) };
        Ok((!change.changes.is_empty()).then_some(change))
    }

    /// Whether what is there is not to be changed for the time being.
    fn stays(&self, held: Held<'_>, wanted: &DesiredName, current: &[RecordSet]) -> bool {
        let mut addresses = current.iter().filter(|record| record.record_type.is_address());
        match wanted.caution {
            None => false,
            Some(Caution::Unopened) => addresses.next().is_some(),
            Some(Caution::Unreadable) => addresses.any(|record| self.is_ours(held, record)),
        }
    }

    /// Whether a record set is ours.
    fn is_ours(&self, held: Held<'_>, record: &RecordSet) -> bool {
        match self.owner {
            None => self.endpoints.own(record),
            Some(owner) => {
                record.routing.is_none()
                    && record.record_type.is_address()
                    && matches!(registry::owner(held.records, &held.zone.name, record, owner), Owned::Us(_))
            }
        }
    }

    /// With an owner, only what belongs to it is touched: what is there, and what the registry says of what is to come.
    fn may_touch(&self, held: Held<'_>, current: &[RecordSet], wanted: &[RecordSet]) -> Result<(), Obstacle> {
        let Some(owner) = self.owner else { return Ok(()) };
        let there = current.iter().filter(|record| record.record_type.is_address());
        let there = there.map(|record| (record, true));
        for (record, is_there) in there.chain(wanted.iter().map(|record| (record, false))) {
            match registry::owner(held.records, &held.zone.name, record, owner) {
                Owned::Another(owner) => return Err(Obstacle::Another(owner)),
                Owned::Nobody if is_there => return Err(Obstacle::Nobody),
                Owned::Nobody | Owned::Us(_) => {}
            }
        }
        Ok(())
    }

    /// The deletion of what is ours of a name that nobody wants.
    fn deletion(&self, held: Held<'_>, name: &RecordName) -> Option<NameChange> {
        let delete = |record: &RecordSet| Change { action: Action::Delete, record: record.clone() };
        let ours: Vec<_> = held.records.at(name).iter().filter(|record| self.is_ours(held, record)).collect();
        let mut changes: Vec<Change> = ours.iter().map(|record| delete(record)).collect();
        if let Some(owner) = self.owner {
            for record in ours {
                if let Owned::Us(entries) = registry::owner(held.records, &held.zone.name, record, owner) {
                    changes.extend(entries.into_iter().map(delete));
                }
            }
            let mut seen = Vec::new();
            changes.retain(|change| {
                let is_new = !seen.contains(change);
                seen.extend(is_new.then(|| change.clone()));
                is_new
            });
        }
        (!changes.is_empty()).then(|| NameChange { name: name.clone(), changes, ingress: None })
    }
}

/// The registry's entries that come with the wanted records, and go with those that are in their way.
fn entries(
    held: Held<'_>,
    owner: &OwnerId,
    current: &[RecordSet],
    wanted: &[RecordSet],
    desired: &DesiredName,
) -> Result<Vec<Change>, Obstacle> {
    let zone = &held.zone.name;
    let mut changes = Vec::new();
    let mut kept = Vec::new();
    for record in wanted {
        if let Owned::Us(entries) = registry::owner(held.records, zone, record, owner) {
            kept.extend(entries);
            continue;
        }
        let entry = owner.entry(&record.name, &record.record_type, zone, &desired.ingress);
        let there = held.records.at(&entry.name);
        let in_the_way =
            there.iter().any(|other| matches!(other.record_type, RecordType::Cname | RecordType::Txt));
        if in_the_way && entry.name != record.name {
            return Err(Obstacle::Entry(entry.name));
        }
        if there.iter().any(|other| other.record_type == RecordType::Txt) {
            return Err(Obstacle::Entry(entry.name));
        }
        changes.push(Change { action: Action::Create, record: entry });
    }
    // A and AAAA of a zone's own name share one entry.
    changes.dedup();
    let going = current.iter().filter(|record| {
        record.record_type.is_address() && !wanted.iter().any(|it| it.record_type == record.record_type)
    });
    for record in going {
        if let Owned::Us(entries) = registry::owner(held.records, zone, record, owner) {
            let gone = entries.into_iter().filter(|entry| !kept.contains(entry));
            changes.splice(0..0, gone.map(|entry| Change { action: Action::Delete, record: entry.clone() }));
        }
    }
    Ok(changes)
}

/// What makes these records of what a name has; other addresses are in the way.
fn difference(current: &[RecordSet], wanted: Vec<RecordSet>) -> Vec<Change> {
    let in_the_way = current.iter().filter(|record| {
        record.record_type.is_address() && !wanted.iter().any(|it| it.record_type == record.record_type)
    });
    let mut changes: Vec<Change> =
        in_the_way.map(|record| Change { action: Action::Delete, record: record.clone() }).collect();
    for record in wanted {
        let same_type = current.iter().find(|other| other.record_type == record.record_type);
        match same_type {
            Some(other) if other.data.says_the_same(&record.data) => {}
            Some(_) => changes.push(Change { action: Action::Upsert, record }),
            None => changes.push(Change { action: Action::Create, record }),
        }
    }
    changes
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
