//! A hosted zone, and what it refuses.

use std::collections::BTreeMap;

use super::record::{Data, Record, reversed_labels, stored_name};

/// A hosted zone.
#[derive(Debug, Clone)]
pub(super) struct Zone {
    pub(super) name: String,
    pub(super) private: bool,
    pub(super) read_only: bool,
    records: BTreeMap<Key, Record>,
}

type Key = (Vec<String>, String, Option<String>);

/// A change of one record set.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// `CREATE`, `UPSERT` or `DELETE`.
    pub(super) action: String,
    pub(super) record: Record,
}

impl Zone {
    pub(super) fn new(name: &str, private: bool) -> Self {
        let mut zone = Self { name: stored_name(name), private, read_only: false, records: BTreeMap::new() };
        zone.put(Record::values("NS", name, &["ns-1.awsdns-00.com.", "ns-2.awsdns-00.net."]));
        zone.put(Record::values(
            "SOA",
            name,
            &["ns-1.awsdns-00.com. hostmaster.example.com. 1 7200 900 1209600 86400"],
        ));
        zone
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The records from that name and type on.
    pub(super) fn records_from(
        &self,
        name: Option<&str>,
        kind: Option<&str>,
        identifier: Option<&str>,
    ) -> Vec<&Record> {
        let labels = name.map(|name| reversed_labels(&stored_name(name))).unwrap_or_default();
        let start = (labels, kind.unwrap_or_default().to_owned(), identifier.map(str::to_owned));
        self.records.range(start..).map(|(_, record)| record).collect()
    }

    fn records_at(&self, name: &str) -> impl Iterator<Item = &Record> {
        let labels = reversed_labels(name);
        let from = (labels.clone(), String::new(), None);
        self.records.range(from..).take_while(move |(key, _)| key.0 == labels).map(|(_, record)| record)
    }

    pub(super) fn is_apex(&self, record: &Record) -> bool {
        record.name == self.name
    }

    pub(super) fn put(&mut self, record: Record) {
        self.records.insert(record.key(), record);
    }

    pub(super) fn remove(&mut self, name: &str, kind: &str) {
        let labels = reversed_labels(&stored_name(name));
        self.records.retain(|key, _| key.0 != labels || key.1 != kind);
    }

    /// Makes all changes, or tells everything that is wrong with them.
    pub(super) fn change(&mut self, changes: &[Change]) -> Result<(), Vec<String>> {
        check_limits(changes)?;
        let mut next = self.clone();
        let mut wrong: Vec<String> = changes.iter().filter_map(|change| next.make(change).err()).collect();
        wrong.extend(changes.iter().filter_map(|change| next.conflict(&change.record)));
        wrong.sort();
        wrong.dedup();
        if wrong.is_empty() {
            *self = next;
            return Ok(());
        }
        Err(wrong)
    }

    fn make(&mut self, Change { action, record }: &Change) -> Result<(), String> {
        check_name(&record.name)?;
        if !record.name.ends_with(&format!(".{}", self.name)) && record.name != self.name {
            return Err(format!(
                "RRSet with DNS name {} is not permitted in zone {}",
                record.name, self.name
            ));
        }
        let set = format!("resource record set [name='{}', type='{}']", record.name, record.kind);
        let key = record.key();
        let policy = |other: &Record| {
            other.kind == record.kind && other.set_identifier.is_some() != record.set_identifier.is_some()
        };
        if action != "DELETE" && self.records_at(&record.name).any(policy) {
            return Err(format!(
                "RRSet with DNS name {}, type {} cannot be created because a non-matching routing policy exists",
                record.name, record.kind
            ));
        }
        match (action.as_str(), self.records.get(&key)) {
            ("CREATE", Some(_)) => Err(format!("Tried to create {set} but it already exists")),
            ("DELETE", None) => Err(format!("Tried to delete {set} but it was not found")),
            ("DELETE", Some(there)) if there != record => {
                Err(format!("Tried to delete {set} but the values provided do not match the current values"))
            }
            ("DELETE", Some(_)) => {
                self.records.remove(&key);
                Ok(())
            }
            _ => {
                self.records.insert(key, record.clone());
                Ok(())
            }
        }
    }

    fn conflict(&self, record: &Record) -> Option<String> {
        let here: Vec<&Record> = self.records_at(&record.name).collect();
        let cname = here.iter().any(|other| other.kind == "CNAME");
        if cname && self.is_apex(record) {
            return Some(format!(
                "RRSet of type CNAME with DNS name {} is not permitted at apex in zone {}",
                record.name, self.name
            ));
        }
        (cname && here.iter().any(|other| other.kind != "CNAME")).then(|| {
            format!(
                "RRSet of type {} with DNS name {} is not permitted because a conflicting RRSet of type CNAME with the \
                 same DNS name already exists in zone {}",
                record.kind, record.name, self.name
            )
        })
    }
}

/// RFC 1035, section 2.3.4.
fn check_name(name: &str) -> Result<(), String> {
    let label = name.trim_end_matches('.').split('.').find(|label| label.is_empty() || label.len() > 63);
    match label {
        Some(label) => Err(format!(
            "FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with '{label}'"
        )),
        None if name.len() > 255 => Err(format!("FATAL problem: DomainTooLong encountered with '{name}'")),
        None => Ok(()),
    }
}

fn check_limits(changes: &[Change]) -> Result<(), Vec<String>> {
    let (mut records, mut characters) = (0, 0);
    for Change { action, record } in changes {
        let times = if action == "UPSERT" { 2 } else { 1 };
        match &record.data {
            Data::Alias(..) => records += times,
            Data::Values(_, values) => {
                records += times * values.len();
                characters += times * values.iter().map(|value| value.chars().count()).sum::<usize>();
            }
        }
    }
    if records > 1_000 {
        return Err(vec!["Number of records limit of 1000 exceeded.".to_owned()]);
    }
    if characters > 32_000 {
        return Err(vec!["Number of characters limit of 32000 exceeded.".to_owned()]);
    }
    Ok(())
}
