//! When load balancers are looked for.

use std::time::Duration;

use super::pauses::Pauses;
use super::zone::{FIRST_PAUSE, LONGEST_PAUSE};
use super::{Found, Settings};

/// How often load balancers are looked for while one is missing.
const WHILE_MISSING: Duration = Duration::from_mins(1);

/// The search for load balancers; without one, endpoints are given.
#[derive(Clone, Debug, Default)]
pub(super) struct Search {
    /// Whether one is under way.
    pub(super) busy: bool,
    looked_at: Option<Duration>,
    pauses: Pauses,
    /// Why the last one failed.
    pub(super) trouble: Option<String>,
    /// What was found last.
    pub(super) found: Option<Found>,
    /// Since when one is due.
    pub(super) late_since: Option<Duration>,
}

impl Search {
    /// When the next one is due; `missing`: whether a load balancer is.
    pub(super) fn due_at(&self, missing: bool, settings: &Settings) -> Duration {
        let period = if missing { WHILE_MISSING.min(settings.resync_period) } else { settings.resync_period };
        let regular = self.looked_at.map_or(Duration::ZERO, |at| at + period);
        if self.pauses.has_failed() { self.pauses.until() } else { regular }
    }

    pub(super) fn began(&mut self, now: Duration) {
        self.busy = true;
        self.looked_at = Some(now);
        self.late_since.get_or_insert(now);
    }

    pub(super) fn ended(&mut self, now: Duration, result: Result<Found, String>, settings: &Settings) {
        self.busy = false;
        match result {
            Ok(found) => {
                self.found = Some(found);
                self.trouble = None;
                self.late_since = None;
                self.pauses.end();
            }
            Err(why) => {
                self.trouble = Some(why);
                self.pauses.failed(now, FIRST_PAUSE, LONGEST_PAUSE.min(settings.resync_period));
            }
        }
    }

    /// Looks again at once, whatever was found.
    pub(super) fn look_again(&mut self) {
        self.looked_at = None;
        self.pauses.end();
    }

    /// Looks again at once, as others may have acted meanwhile.
    pub(super) fn restart(&mut self) {
        *self = Self { found: self.found.take(), ..Self::default() };
    }
}
