//! One hosted zone: what is known of it, and which call comes next.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Settings;
use super::pauses::{Pauses, doubled};
use super::split::{Past, Split};
use super::writer::Written;
use crate::dns::batch::Batch;
use crate::dns::name::RecordName;
use crate::dns::plan::{Change, NameChange};
use crate::dns::zone::{HostedZone, ZoneRecords};

/// When a call that failed is made again; twice as long after each further failure.
pub(super) const FIRST_PAUSE: Duration = Duration::from_secs(1);
pub(super) const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// When a change that was refused is tried again; twice as long after each further refusal, up to the resync period.
const FIRST_RETRY: Duration = Duration::from_secs(5);

/// One hosted zone.
#[derive(Clone, Debug, Default)]
pub(super) struct Zone {
    /// What it is called, once that is known.
    pub(super) hosted: Option<HostedZone>,
    /// Whether it is being opened or listed.
    pub(super) reading: bool,
    /// Whether a listing was complete, or failed, since the zone was taken up.
    pub(super) was_tried: bool,
    /// When the last listing began that was complete.
    listed_at: Option<Duration>,
    listing_since: Duration,
    /// Whether what is known may be wrong, so that it has to be listed before anything is changed.
    pub(super) is_stale: bool,
    /// Whether it should be listed again soon, as a change was refused that should have been possible.
    pub(super) is_doubtful: bool,
    /// Whether that was found out while a listing was under way, which does not tell.
    again: bool,
    /// Changes accepted while a listing is under way, which may lack them.
    meanwhile: Vec<NameChange>,
    pub(super) reads: Pauses,
    pub(super) changes: Pauses,
    /// Why it could not be read, or changed.
    pub(super) read_trouble: Option<String>,
    pub(super) change_trouble: Option<String>,
    /// The changes under way.
    pub(super) sent: Option<Batch>,
    pub(super) split: Split,
    /// Changes that were refused, by name.
    pub(super) refused: BTreeMap<RecordName, Refusal>,
    /// Why all changes of the zone are refused, if they are.
    pub(super) denied: Option<String>,
    /// Whether a change was accepted.
    pub(super) was_accepted: bool,
    pub(super) written: Written,
    /// Since when it has not been as it should be.
    pub(super) late_since: Option<Duration>,
}

/// A change that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) changes: Vec<Change>,
    /// Why; `None` where it was only given up together with others that were refused.
    pub(super) why: Option<String>,
    pub(super) tries: u32,
    pub(super) again_at: Duration,
}

impl Zone {
    /// When it is to be opened or listed next.
    pub(super) fn read_at(&self, settings: &Settings) -> Duration {
        let due = match self.listed_at {
            Some(_) if self.is_stale || self.is_doubtful => Duration::ZERO,
            Some(at) => at + settings.resync_period,
            None => Duration::ZERO,
        };
        due.max(self.reads.until())
    }

    /// Whether it is known what the zone holds.
    pub(super) fn is_read(&self) -> bool {
        self.listed_at.is_some()
    }

    pub(super) fn listing(&mut self, now: Duration) {
        self.reading = true;
        self.listing_since = now;
        self.meanwhile.clear();
    }

    /// The listing is complete: what the zone holds now.
    pub(super) fn listed(&mut self, mut records: ZoneRecords) -> ZoneRecords {
        self.reading = false;
        self.was_tried = true;
        self.listed_at = Some(self.listing_since);
        (self.is_stale, self.is_doubtful) = (std::mem::take(&mut self.again), false);
        self.reads.end();
        self.read_trouble = None;
        self.meanwhile.drain(..).for_each(|change| records.apply(&change));
        records
    }

    pub(super) fn read_failed(&mut self, now: Duration, why: String, settings: &Settings) {
        self.reading = false;
        self.was_tried = true;
        self.read_trouble = Some(why);
        self.reads.failed(now, FIRST_PAUSE, LONGEST_PAUSE.min(settings.resync_period));
    }

    pub(super) fn accepted(&mut self, change: &NameChange) {
        if self.reading {
            self.meanwhile.push(change.clone());
        }
        self.refused.remove(&change.name);
        self.was_accepted = true;
    }

    pub(super) fn change_failed(&mut self, now: Duration, why: String, unknown: bool, settings: &Settings) {
        self.change_trouble = Some(why);
        self.changes.failed(now, FIRST_PAUSE, LONGEST_PAUSE.min(settings.resync_period));
        if unknown {
            self.doubt();
        }
    }

    /// What is known may be wrong.
    pub(super) fn doubt(&mut self) {
        self.is_stale = true;
        self.again = self.reading;
    }

    pub(super) fn past(&self) -> Past {
        match (&self.denied, self.was_accepted) {
            (Some(_), _) => Past::Denied,
            (None, true) => Past::Accepted,
            (None, false) => Past::Unknown,
        }
    }

    /// A change was refused once more, or given up.
    pub(super) fn refuse(
        &mut self,
        now: Duration,
        change: NameChange,
        why: Option<String>,
        settings: &Settings,
    ) {
        let before = self.refused.get(&change.name).filter(|it| it.changes == change.changes);
        let tries = before.map_or(0, |it| it.tries + 1);
        let why = why.or_else(|| before.and_then(|it| it.why.clone()));
        let again_at = now + doubled(FIRST_RETRY, tries).min(settings.resync_period);
        self.refused.insert(change.name, Refusal { changes: change.changes, why, tries, again_at });
    }

    /// Whether just this change was refused and its time has not come again.
    pub(super) fn refusal(&self, change: &NameChange) -> Option<&Refusal> {
        self.refused.get(&change.name).filter(|it| it.changes == change.changes)
    }

    /// Everything is tried again at once that waits for its time.
    pub(super) fn look_again(&mut self, now: Duration) {
        self.is_doubtful = true;
        self.reads.end();
        self.changes.end();
        self.refused.values_mut().for_each(|refusal| refusal.again_at = now);
    }

    /// Begins from nothing but the zone's name, as others may have acted meanwhile.
    pub(super) fn restart(&mut self) {
        *self = Self { hosted: self.hosted.take(), ..Self::default() };
    }
}
