//! A hosted zone as Route 53 keeps it, for tests: it spells names its own way and refuses what Route 53 refuses.

use std::collections::BTreeMap;

use super::*;

/// Record sets by name, type and routing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ModelZone {
    pub(super) records: BTreeMap<(RecordName, RecordType, Option<RoutingPolicy>), RecordSet>,
}

impl ModelZone {
    pub(super) fn new(records: impl IntoIterator<Item = RecordSet>) -> Self {
        let mut zone = Self::default();
        for record in records {
            zone.insert(record);
        }
        zone
    }

    fn insert(&mut self, record: RecordSet) {
        let key = (record.name.clone(), record.record_type.clone(), record.routing);
        self.records.insert(key, record);
    }

    /// What `ListResourceRecordSets` gives: names lowered, escaped and with a last dot.
    pub(super) fn listed(&self) -> ZoneRecords {
        self.records.values().map(as_listed).collect()
    }

    /// One call: all of it or nothing.
    pub(super) fn change(&mut self, zone_name: &RecordName, batch: &Batch) -> Result<(), String> {
        let mut next = self.clone();
        for change in batch.changes.iter().flat_map(|change| &change.changes) {
            next.change_one(change)?;
        }
        next.check_cnames(zone_name)?;
        *self = next;
        Ok(())
    }

    fn change_one(&mut self, change: &Change) -> Result<(), String> {
        let record = as_stored(&change.record);
        let key = (record.name.clone(), record.record_type.clone(), None);
        let holds_policy = self.records.keys().any(|(name, kind, routing)| {
            *name == record.name && *kind == record.record_type && routing.is_some()
        });
        match change.action {
            _ if holds_policy => Err(format!("{} has a routing policy", record.name)),
            Action::Create if self.records.contains_key(&key) => Err(format!("{} exists", record.name)),
            Action::Delete if self.records.get(&key).map(as_stored) != Some(record.clone()) => {
                Err(format!("{} is not there with these values", record.name))
            }
            Action::Delete => {
                self.records.remove(&key);
                Ok(())
            }
            Action::Create | Action::Upsert => {
                self.insert(record);
                Ok(())
            }
        }
    }

    fn check_cnames(&self, zone_name: &RecordName) -> Result<(), String> {
        for (name, kind, _) in self.records.keys().filter(|(_, kind, _)| *kind == RecordType::Cname) {
            let other = self.records.keys().any(|(other, other_kind, _)| other == name && other_kind != kind);
            if other || name == zone_name {
                return Err(format!("CNAME {name} beside another type or at the apex"));
            }
        }
        Ok(())
    }
}

fn as_listed(record: &RecordSet) -> RecordSet {
    let mut record = as_stored(record);
    let spelled = format!("{}.", record.name.as_str().replace('*', r"\052").to_uppercase());
    record.name = RecordName::new(&spelled);
    record
}

/// Targets are kept in lower case with a last dot.
fn as_stored(record: &RecordSet) -> RecordSet {
    let mut record = record.clone();
    if let RecordData::Alias { dns_name, .. } = &mut record.data {
        *dns_name = format!("{}.", dns_name.trim_end_matches('.').to_lowercase());
    }
    record
}
