//! Hosted zones, and which of them a host belongs to.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::name::RecordName;
use super::plan::{Action, NameChange};
use super::record::RecordSet;
use crate::desired::Scheme;

/// A hosted zone's id, without `/hostedzone/`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ZoneId(Arc<str>);

impl ZoneId {
    /// The id, with or without `/hostedzone/` before it.
    pub fn new(text: &str) -> Self {
        Self(text.trim_start_matches('/').trim_start_matches("hostedzone/").into())
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for ZoneId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ZoneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for ZoneId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Who is answered from a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// Everybody.
    Public,
    /// The networks that the zone is associated with.
    Private,
}

impl Visibility {
    /// `public` or `private`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
        }
    }
}

/// A hosted zone that this controller keeps.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostedZone {
    /// Its id.
    pub id: ZoneId,
    /// Its name: every record's name is this one or ends with it.
    pub name: RecordName,
    /// Who is answered from it.
    pub visibility: Visibility,
}

/// Two of the given zones hold the same names for the same clients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the hosted zones {first} and {second} are both {} zones of {name}, so a host would belong to both: \
     give one of them",
    visibility.as_str()
)]
pub struct ZoneConflict {
    /// The zone that was given first.
    pub first: ZoneId,
    /// The other one.
    pub second: ZoneId,
    /// The name of both.
    pub name: RecordName,
    /// The visibility of both.
    pub visibility: Visibility,
}

/// The zones that this controller keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zones(BTreeMap<RecordName, BTreeMap<Visibility, HostedZone>>);

impl Zones {
    /// These zones; the same zone given twice is one.
    pub fn new(zones: impl IntoIterator<Item = HostedZone>) -> Result<Self, ZoneConflict> {
        let mut result = Self::default();
        for zone in zones {
            let of_name = result.0.entry(zone.name.clone()).or_default();
            match of_name.get(&zone.visibility) {
                Some(other) if other.id != zone.id => {
                    return Err(ZoneConflict {
                        first: other.id.clone(),
                        second: zone.id,
                        name: zone.name,
                        visibility: zone.visibility,
                    });
                }
                _ => of_name.insert(zone.visibility, zone),
            };
        }
        Ok(result)
    }

    /// The zone that a host's record belongs to: the one with the longest name that the host ends with.
    ///
    /// Of a public and a private zone of one name, internal hosts are in the private one.
    pub fn of(&self, name: &RecordName, scheme: Scheme) -> Option<&HostedZone> {
        let wanted = match scheme {
            Scheme::Internal => Visibility::Private,
            Scheme::InternetFacing => Visibility::Public,
        };
        let of_name = name.ancestors().find_map(|ancestor| self.0.get(ancestor))?;
        of_name.get(&wanted).or_else(|| of_name.values().next())
    }

    /// All zones, ordered by name, public before private.
    pub fn iter(&self) -> impl Iterator<Item = &HostedZone> {
        self.0.values().flat_map(BTreeMap::values)
    }

    /// The zone of that id.
    pub fn get(&self, id: &ZoneId) -> Option<&HostedZone> {
        self.iter().find(|zone| zone.id == *id)
    }

    /// The names of all zones, for people: `example.com, example.org`.
    pub fn names(&self) -> String {
        self.0.keys().map(RecordName::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// What a zone holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneRecords(BTreeMap<RecordName, Vec<RecordSet>>);

impl ZoneRecords {
    /// All record sets of a name.
    pub fn at(&self, name: &RecordName) -> &[RecordSet] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// All record sets, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = &RecordSet> {
        self.0.values().flatten()
    }

    /// The names that have a record set, in order.
    pub fn names(&self) -> impl Iterator<Item = &RecordName> {
        self.0.keys()
    }

    /// How many record sets there are.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the zone holds once Route 53 has accepted the change.
    pub fn apply(&mut self, change: &NameChange) {
        let records = self.0.entry(change.name.clone()).or_default();
        for change in &change.changes {
            let written = &change.record;
            records.retain(|record| record.routing.is_some() || record.record_type != written.record_type);
            if change.action != Action::Delete {
                records.push(written.clone());
            }
        }
        if records.is_empty() {
            self.0.remove(&change.name);
        }
    }
}

impl FromIterator<RecordSet> for ZoneRecords {
    fn from_iter<I: IntoIterator<Item = RecordSet>>(records: I) -> Self {
        let mut result = Self::default();
        for record in records {
            result.0.entry(record.name.clone()).or_default().push(record);
        }
        result
    }
}

#[cfg(test)]
mod tests;
