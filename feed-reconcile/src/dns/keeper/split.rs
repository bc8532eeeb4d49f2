//! Finding the changes at fault in a batch that was refused.
//!
//! A batch is halved until the change at fault stands alone; where the reasons name records, these are taken apart first. A
//! refusal for lack of permission does not say what is forbidden, and it may be everything: while nothing was accepted,
//! single changes from all over the batch are tried, so that this is found out with few calls.

use super::Refused;
use crate::dns::batch::Batch;
use crate::dns::name::RecordName;
use crate::dns::plan::NameChange;
use crate::dns::record::{RecordData, RecordSet};

/// Refused changes after which the rest is given up for a while: they must have something in common, and each costs calls.
const MOST_REFUSED: usize = 20;

/// The same where all of the zone was forbidden before.
const MOST_REFUSED_AGAIN: usize = 3;

/// With fewer forbidden changes, each is told for itself, though there are no others.
const FEWEST_DENIED: usize = 5;

/// Batches that were refused, in parts.
#[derive(Clone, Debug, Default)]
pub(super) struct Split {
    parts: Vec<Batch>,
    /// Refused changes that stood alone, since the first of these batches.
    refused: usize,
    /// Those of them that may say something of the whole zone: forbidden while nothing was accepted.
    denied: Vec<(NameChange, String)>,
    accepted: bool,
    /// Whether the whole zone is forbidden as far as is known.
    again: bool,
}

/// What became of a zone's changes before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Past {
    /// Nothing was accepted yet, and not everything forbidden.
    #[default]
    Unknown,
    /// Some were accepted.
    Accepted,
    /// All were forbidden.
    Denied,
}

/// What follows from a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Changes that are refused, each with the reason.
    pub(super) refused: Vec<(NameChange, String)>,
    /// Changes that are given up for now.
    pub(super) given_up: Vec<NameChange>,
    /// Why every change of the zone is refused, if it is.
    pub(super) denied: Option<String>,
}

impl Split {
    /// Whether nothing is left to try.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether a change of the name is in one of the parts, or was refused without being told yet.
    pub(super) fn contains(&self, name: &RecordName) -> bool {
        let open = self.parts.iter().flat_map(|part| &part.changes);
        open.chain(self.denied.iter().map(|(change, _)| change)).any(|change| change.name == *name)
    }

    /// The part to try next, without what is not wanted any more.
    pub(super) fn next(&mut self, is_wanted: impl Fn(&NameChange) -> bool) -> Option<Batch> {
        for part in &mut self.parts {
            part.changes.retain(&is_wanted);
        }
        self.parts.retain(|part| !part.is_empty());
        if (self.denied.is_empty() && !self.again) || self.accepted {
            return self.parts.pop();
        }
        // One change out of the middle of the largest part.
        let largest =
            (0..self.parts.len()).max_by_key(|index| self.parts.get(*index).map(|it| it.changes.len()))?;
        let Batch { mut changes } = self.parts.swap_remove(largest);
        let mut after = changes.split_off(changes.len() / 2);
        let single = (!after.is_empty()).then(|| after.remove(0))?;
        let rest = [after, changes].into_iter().filter(|changes| !changes.is_empty());
        self.parts.extend(rest.map(|changes| Batch { changes }));
        Some(Batch { changes: vec![single] })
    }

    /// Something was accepted: not everything is forbidden, and what was, is a matter of single changes.
    pub(super) fn accepted(&mut self) -> Verdict {
        self.accepted = true;
        self.again = false;
        self.settled()
    }

    /// A batch was refused, of a zone whose changes have been accepted before, or all been forbidden, or neither.
    pub(super) fn refused(&mut self, batch: Batch, refused: &Refused, past: Past) -> Verdict {
        self.again |= past == Past::Denied;
        let parts =
            if stand_together(&batch, &refused.reasons) { Vec::new() } else { batch.split(&refused.reasons) };
        if !parts.is_empty() {
            self.parts.extend(parts.into_iter().rev());
            return Verdict::default();
        }
        let reason = refused.reasons.join("; ");
        self.refused += 1;
        let changes = batch.changes.into_iter().map(|change| (change, reason.clone()));
        if refused.denied && !self.accepted {
            self.denied.extend(changes);
            let most = if self.again { MOST_REFUSED_AGAIN } else { MOST_REFUSED };
            let few = past == Past::Accepted || (self.denied.len() < FEWEST_DENIED && !self.again);
            return if self.denied.len() >= most || (self.parts.is_empty() && !few) {
                self.all_denied(reason)
            } else {
                self.settled()
            };
        }
        let mut verdict = Verdict { refused: changes.collect(), ..Verdict::default() };
        let Verdict { refused, given_up, .. } = self.settled();
        verdict.refused.extend(refused);
        verdict.given_up = given_up;
        verdict
    }

    /// A call failed for a reason that lies in none of these changes: they are tried again.
    pub(super) fn put_back(&mut self, batch: Batch) {
        if !self.is_empty() {
            self.parts.push(batch);
        }
    }

    /// What is left may have been wrong already: nothing of it is known.
    pub(super) fn forget(&mut self) -> Verdict {
        self.parts.clear();
        self.settled()
    }

    fn all_denied(&mut self, reason: String) -> Verdict {
        let denied = self.denied.drain(..).map(|(change, _)| change);
        let rest = self.parts.drain(..).flat_map(|part| part.changes);
        let given_up = denied.chain(rest).collect();
        *self = Self::default();
        Verdict { given_up, denied: Some(reason), ..Verdict::default() }
    }

    /// What is certain by now.
    fn settled(&mut self) -> Verdict {
        let mut verdict = Verdict::default();
        if self.accepted || self.parts.is_empty() {
            verdict.refused.append(&mut self.denied);
        }
        if self.refused >= MOST_REFUSED {
            verdict.given_up = self.parts.drain(..).flat_map(|part| part.changes).collect();
        }
        if self.parts.is_empty() {
            *self = Self::default();
        }
        verdict
    }
}

/// Whether the reasons are about a target that all changes have, so that each alone would be refused for it too.
fn stand_together(batch: &Batch, reasons: &[String]) -> bool {
    let names = |changes: &NameChange| {
        changes.changes.iter().map(|change| change.record.name.clone()).collect::<Vec<_>>()
    };
    let is_of_target = |reason: &String| {
        let words: Vec<RecordName> = words(reason).collect();
        let has_record = batch.changes.iter().flat_map(names).any(|name| words.contains(&name));
        let all_have = batch.changes.iter().all(|change| {
            let mut targets = change.changes.iter().filter_map(|it| alias_target(&it.record));
            targets.any(|target| words.iter().any(|word| word.without_dualstack() == target))
        });
        !has_record && all_have
    };
    batch.changes.len() > 1 && !reasons.is_empty() && reasons.iter().all(is_of_target)
}

fn alias_target(record: &RecordSet) -> Option<RecordName> {
    match &record.data {
        RecordData::Alias { dns_name, .. } => Some(RecordName::new(dns_name).without_dualstack()),
        RecordData::Values { .. } => None,
    }
}

fn words(reason: &str) -> impl Iterator<Item = RecordName> {
    crate::dns::batch::names_in(reason)
}

#[cfg(test)]
mod tests;
