//! Another writer that changes back what is changed here.
//!
//! A change by hand is put right. Who changes the same name back a second time will do so for ever, and so would we:
//! then the name is left alone. A name that has no record at all is no such matter: it is made again, with ever longer
//! pauses, since an Ingress needs it, and since another of our kind stops deleting it once it has come back twice.

use std::collections::BTreeMap;
use std::time::Duration;

use super::pauses::doubled;
use crate::dns::name::RecordName;
use crate::dns::plan::{Action, NameChange};
use crate::dns::record::RecordSet;

/// The same change, made so many times and changed back each time, is not made again.
const TIMES: u32 = 2;

/// Changes that lie further apart have nothing to do with one another, at least.
const SHORTEST_MEMORY: Duration = Duration::from_hours(1);

/// The pauses before a record that was taken away is made for the fourth time, and later.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_mins(15);

/// What was written, and how often it did not stay.
#[derive(Clone, Debug, Default)]
pub(super) struct Written(BTreeMap<RecordName, Entry>);

#[derive(Clone, Debug)]
struct Entry {
    /// The addresses that the name had after the change.
    result: Vec<RecordSet>,
    times: u32,
    at: Duration,
    contested: bool,
}

/// Whether a change is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is.
    Make,
    /// Not before that time, as the record was taken away again and again.
    Later(Duration),
    /// It is not, as another writer would only change it back.
    Leave,
}

impl Written {
    /// A change was made of a name that had these records.
    pub(super) fn made(
        &mut self,
        now: Duration,
        change: &NameChange,
        before: &[RecordSet],
        resync: Duration,
    ) {
        let result = result(change, before);
        match self.0.get_mut(&change.name) {
            Some(entry) if entry.result == result && now <= entry.at + memory(resync) => {
                entry.times += 1;
                entry.at = now;
            }
            _ => {
                let entry = Entry { result, times: 1, at: now, contested: false };
                self.0.insert(change.name.clone(), entry);
            }
        }
    }

    /// Whether a change is to be made of a name that has these records.
    pub(super) fn judge(
        &self,
        now: Duration,
        change: &NameChange,
        current: &[RecordSet],
        resync: Duration,
    ) -> Verdict {
        let Some(entry) = self.0.get(&change.name) else { return Verdict::Make };
        let forgotten = !entry.contested && now > entry.at + memory(resync);
        if forgotten || entry.times < TIMES || entry.result != result(change, current) {
            return Verdict::Make;
        }
        let has_address = current.iter().any(|record| record.record_type.is_address());
        if has_address {
            return Verdict::Leave;
        }
        let again = entry.at
            + match entry.times.checked_sub(TIMES + 1) {
                None => Duration::ZERO,
                Some(times) => doubled(FIRST_PAUSE, times).min(LONGEST_PAUSE),
            };
        if now >= again { Verdict::Make } else { Verdict::Later(again) }
    }

    /// A name is left alone from now on; whether that is new.
    pub(super) fn leave(&mut self, name: &RecordName) -> bool {
        self.0.get_mut(name).is_some_and(|entry| !std::mem::replace(&mut entry.contested, true))
    }

    /// A name is as it should be: whoever changed it back has stopped.
    pub(super) fn settle(&mut self, is_contested: impl Fn(&RecordName) -> bool) {
        for (name, entry) in &mut self.0 {
            entry.contested = entry.contested && is_contested(name);
        }
    }
}

/// For how long a change is remembered.
fn memory(resync: Duration) -> Duration {
    (resync * 10).max(SHORTEST_MEMORY)
}

/// The addresses that a name has after a change.
fn result(change: &NameChange, before: &[RecordSet]) -> Vec<RecordSet> {
    let mut after: Vec<RecordSet> =
        before.iter().filter(|record| record.record_type.is_address()).cloned().collect();
    for change in change.changes.iter().filter(|it| it.record.record_type.is_address()) {
        after.retain(|record| record.record_type != change.record.record_type);
        if change.action != Action::Delete {
            after.push(change.record.clone());
        }
    }
    after.sort_unstable();
    after
}
