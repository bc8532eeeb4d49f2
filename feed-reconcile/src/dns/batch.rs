//! Calls that Route 53 accepts.

use std::collections::BTreeSet;

use super::name::RecordName;
use super::plan::{Action, NameChange};
use super::record::RecordData;

/// What one `ChangeResourceRecordSets` call may hold.
///
/// The source of the default is "Quotas" of the Route 53 developer guide, section on API requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Values and alias targets; those of an UPSERT count twice.
    pub records: usize,
    /// Characters of all values; those of an UPSERT count twice.
    pub characters: usize,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { records: 1_000, characters: 32_000 }
    }
}

/// Changes that are sent in one call: all are accepted, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// The changes, each of another name; never empty.
    pub changes: Vec<NameChange>,
}

impl Batch {
    /// How many record sets are changed.
    pub fn len(&self) -> usize {
        self.changes.iter().map(|change| change.changes.len()).sum()
    }

    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// What to try in place of a batch that was refused; nothing when its one change alone must be the reason.
    ///
    /// The names that Route 53's messages mention go in one batch and the others in another, so that one bad change
    /// among a thousand is found with two more calls; where that does not divide the batch, it is halved.
    pub fn split(&self, messages: &[String]) -> Vec<Self> {
        if self.changes.len() < 2 {
            return Vec::new();
        }
        let blamed: BTreeSet<RecordName> = messages.iter().flat_map(|message| names_in(message)).collect();
        let (blamed, others): (Vec<_>, Vec<_>) =
            self.changes.iter().cloned().partition(|change| is_blamed(change, &blamed));
        let parts = if blamed.is_empty() || others.is_empty() {
            let (first, second) = self.changes.split_at(self.changes.len() / 2);
            [first.to_vec(), second.to_vec()]
        } else {
            [others, blamed]
        };
        parts.map(|changes| Self { changes }).into()
    }
}

fn is_blamed(change: &NameChange, blamed: &BTreeSet<RecordName>) -> bool {
    change.changes.iter().any(|change| blamed.contains(&change.record.name))
}

/// Everything in a message that may be a name: `[Tried to create resource record set [name='a.example.com.', type='A']`.
pub(super) fn names_in(message: &str) -> impl Iterator<Item = RecordName> {
    message.split([' ', ',', '\'', '"', '[', ']']).filter(|word| word.contains('.')).map(RecordName::new)
}

/// Cuts changes into as few calls as their order allows; the changes of one name stay together.
///
/// A single name that is over the limits is a batch of its own, for Route 53 to refuse.
pub fn batches(changes: Vec<NameChange>, limits: BatchLimits) -> Vec<Batch> {
    let mut batches = Vec::new();
    let mut batch = Batch { changes: Vec::new() };
    let mut used = Cost::default();
    for change in changes {
        let cost = Cost::of(&change);
        let with_it = used.plus(cost);
        if !with_it.is_within(limits) && !batch.is_empty() {
            batches.push(std::mem::replace(&mut batch, Batch { changes: Vec::new() }));
            used = cost;
        } else {
            used = with_it;
        }
        batch.changes.push(change);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    batches
}

/// What Route 53 counts.
#[derive(Clone, Copy, Default)]
struct Cost {
    records: usize,
    characters: usize,
}

impl Cost {
    fn of(change: &NameChange) -> Self {
        change.changes.iter().fold(Self::default(), |total, change| {
            let (records, characters) = match &change.record.data {
                RecordData::Alias { .. } => (1, 0),
                RecordData::Values { values, .. } => {
                    (values.len(), values.iter().map(|value| value.chars().count()).sum())
                }
            };
            let times = if change.action == Action::Upsert { 2 } else { 1 };
            total.plus(Self { records: records * times, characters: characters * times })
        })
    }

    fn plus(self, other: Self) -> Self {
        Self { records: self.records + other.records, characters: self.characters + other.characters }
    }

    fn is_within(self, limits: BatchLimits) -> bool {
        self.records <= limits.records && self.characters <= limits.characters
    }
}

#[cfg(test)]
mod tests;
