//! What is done about one balancer while the process serves.

use std::time::{Duration, Instant};

use super::member::{Call, Claim, Member, Tie};
use super::{Command, Jitter, POLL, Settings, Standing};

impl Settings {
    /// When a registration counts as in service although that cannot be seen.
    pub(super) fn unseen_settles_after(&self) -> Duration {
        self.resync_period.min(self.ready_timeout)
    }
}

impl Member {
    /// What is due.
    pub(super) fn stay<K>(&mut self, name: K, settings: &Settings, now: Instant) -> Option<Command<K>> {
        if !self.is_due(now) {
            return None;
        }
        match self.claim {
            Claim::Gone => return None,
            Claim::Former if !self.may_be_attached() => return None,
            Claim::Foreign if self.tie == Tie::None => return None,
            Claim::Foreign if self.may_be_attached() => {
                self.begin(Call::Detaching, now);
                return Some(Command::Detach(name));
            }
            Claim::Ours | Claim::Former | Claim::Foreign => {}
        }
        if !self.asks_for_registration(settings, now) {
            self.begin(Call::Observing, now);
            return Some(Command::Observe(name));
        }
        let lost = matches!(self.standing, Some(Standing::Absent | Standing::Draining));
        self.begin(Call::Attaching { first: self.tie == Tie::None, lost }, now);
        if self.tie == Tie::None {
            self.tie = Tie::Perhaps;
        }
        // What was seen before says nothing of what will be.
        self.standing = None;
        Some(Command::Attach(name))
    }

    /// What follows from a look.
    pub(super) fn seen(&mut self, standing: Standing, settings: &Settings, now: Instant, jitter: Jitter) {
        let was_registered_just_now = self.tie == Tie::Attached && self.standing.is_none();
        match (&standing, self.tie) {
            (Standing::Absent, Tie::Unknown) => self.tie = Tie::None,
            (standing, Tie::Unknown | Tie::None | Tie::Perhaps | Tie::Detached(_))
                if standing.is_registered() =>
            {
                self.tie = Tie::Attached;
            }
            _ => {}
        }
        let why = standing.why_not_as_registered();
        let in_service = matches!(standing, Standing::InService);
        let sends_requests = standing.sends_requests();
        let unseen = matches!(standing, Standing::Unseen(_));
        self.standing = Some(standing);
        let unseen_settles_at = self.settled_unseen_at(settings);
        let stays_settled = unseen && self.unsettled_since.is_none() && self.tie == Tie::Attached;
        if sends_requests || stays_settled || unseen_settles_at.is_some_and(|at| now >= at) {
            self.unsettled_since = None;
        } else {
            self.unsettled_since.get_or_insert(now);
        }
        let next_list = now + settings.resync_period * 3 / 2;
        if self.claim != Claim::Ours {
            self.seen_elsewhere(next_list, now);
        } else if self.asks_for_registration(settings, now) {
            // Failures count until the balancer shows that it knows us.
            self.call = None;
            self.due = Some(now);
            if was_registered_just_now && !unseen {
                let why = self.retry.why.take().unwrap_or(why);
                self.failed(why, now, jitter);
            }
        } else if in_service || (unseen && self.unsettled_since.is_none()) {
            // The next list asks for another look; this one is for when there is none.
            self.succeeded(Some(next_list));
        } else {
            let settles_at = unseen_settles_at.filter(|at| *at > now);
            self.succeeded(Some(settles_at.map_or(now + POLL, |at| at.min(now + POLL))));
        }
    }

    /// The same of a balancer that is not ours, or not any more: who takes us out there means it.
    fn seen_elsewhere(&mut self, next_list: Instant, now: Instant) {
        match self.standing {
            Some(Standing::Absent) => {
                match self.tie {
                    // It may go on sending requests for a while, which counts in the end.
                    Tie::Perhaps | Tie::Attached => self.tie = Tie::Detached(now),
                    Tie::Unknown => self.tie = Tie::None,
                    _ => {}
                }
                self.succeeded(None);
            }
            Some(Standing::Draining) => {
                if self.may_be_attached() {
                    self.tie = Tie::Detached(now);
                }
                self.succeeded(Some(now + POLL));
            }
            _ if self.claim == Claim::Foreign && self.may_be_attached() => self.succeeded(Some(now + POLL)),
            _ => self.succeeded(Some(next_list)),
        }
    }
}
