//! Hosted zones, and which of them a host belongs to.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::name::RecordName;
use super::plan::{Action, Change, NameChange};
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

impl HostedZone {
    /// What people need to find it: `example.com (Z1)`.
    pub fn label(&self) -> String {
        format!("{} ({})", self.name, self.id)
    }
}

/// The zones that this controller keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Zones {
    by_name: BTreeMap<RecordName, BTreeSet<(Visibility, ZoneId)>>,
    by_id: BTreeMap<ZoneId, HostedZone>,
}

impl Zones {
    /// These zones; the same zone given twice is one.
    pub fn new(zones: impl IntoIterator<Item = HostedZone>) -> Self {
        let mut result = Self::default();
        for zone in zones {
            result.insert(zone);
        }
        result
    }

    /// Adds a zone, or takes it in place of the one of its id.
    pub fn insert(&mut self, zone: HostedZone) {
        if let Some(before) = self.by_id.get(&zone.id)
            && let Some(of_name) = self.by_name.get_mut(&before.name)
        {
            of_name.remove(&(before.visibility, before.id.clone()));
        }
        self.by_name.entry(zone.name.clone()).or_default().insert((zone.visibility, zone.id.clone()));
        self.by_id.insert(zone.id.clone(), zone);
    }

    /// The zones that a host's record belongs to: those with the longest name that the host ends with, among the zones
    /// whose clients the scheme is for.
    ///
    /// Hosts of the internet are never in private zones. Internal ones may be in public zones, but of zones with one name
    /// the private ones are theirs. Several zones of one name and visibility serve different clients, so all of them count.
    pub fn of(&self, name: &RecordName, scheme: Scheme) -> Vec<&HostedZone> {
        let of_visibility = |of_name: &BTreeSet<(Visibility, ZoneId)>, wanted: Visibility| {
            let ids = of_name.iter().filter(|(visibility, _)| *visibility == wanted).map(|(_, id)| id);
            ids.filter_map(|id| self.by_id.get(id)).collect::<Vec<_>>()
        };
        let order: &[Visibility] = match scheme {
            Scheme::Internal => &[Visibility::Private, Visibility::Public],
            Scheme::InternetFacing => &[Visibility::Public],
        };
        let fitting =
            name.ancestors().filter_map(|ancestor| self.by_name.get(ancestor)).find_map(|of_name| {
                order.iter().map(|wanted| of_visibility(of_name, *wanted)).find(|zones| !zones.is_empty())
            });
        fitting.unwrap_or_default()
    }

    /// All zones whose name the name ends with.
    pub fn around<'a>(&'a self, name: &'a RecordName) -> impl Iterator<Item = &'a HostedZone> {
        let of_name = name.ancestors().filter_map(|ancestor| self.by_name.get(ancestor));
        of_name.flatten().filter_map(|(_, id)| self.by_id.get(id))
    }

    /// Whether another zone has the same name and the same kind of clients, so that the name alone does not tell it.
    pub fn has_twin(&self, zone: &HostedZone) -> bool {
        let same = self.by_name.get(&zone.name).into_iter().flatten();
        same.filter(|(visibility, _)| *visibility == zone.visibility).count() > 1
    }

    /// All zones, ordered by name, public before private, then by id.
    pub fn iter(&self) -> impl Iterator<Item = &HostedZone> {
        self.by_name.values().flatten().filter_map(|(_, id)| self.by_id.get(id))
    }

    /// The zone of that id.
    pub fn get(&self, id: &ZoneId) -> Option<&HostedZone> {
        self.by_id.get(id)
    }

    /// The names of all zones, for people: `example.com, example.org`.
    pub fn names(&self) -> String {
        let of_name = self.by_name.iter().filter(|(_, zones)| !zones.is_empty());
        of_name.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
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
        for Change { action, record: written } in &change.changes {
            let records = self.0.entry(written.name.clone()).or_default();
            records.retain(|record| record.routing.is_some() || record.record_type != written.record_type);
            if *action != Action::Delete {
                records.push(written.clone());
            }
            if records.is_empty() {
                self.0.remove(&written.name);
            }
        }
    }

    /// The delegation that takes a name away from the zone of that name: the name itself, or one above it, that has NS
    /// records. Below it other servers are asked (RFC 1034, section 4.3.2).
    pub fn delegation(&self, name: &RecordName, zone: &RecordName) -> Option<&RecordName> {
        let below_apex = name.ancestors().take_while(|ancestor| *ancestor != zone.as_str());
        let cuts = below_apex.filter_map(|ancestor| self.0.get_key_value(ancestor));
        let cuts = cuts.filter(|(_, records)| records.iter().any(|it| it.record_type.as_str() == "NS"));
        // The highest one: what is below it is nobody's business here.
        cuts.map(|(cut, _)| cut).last()
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
