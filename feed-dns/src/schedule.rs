//! When zones are looked at, and when deletions are done.

use std::time::Duration;

use tokio::time::Instant;

/// Deletions wait until the cluster has been quiet for so long: the Ingresses of a namespace go one by one, and the
/// guard against deleting too much must see them all.
const QUIET: Duration = Duration::from_secs(1);

/// Deletions wait no longer than this, however much changes.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// When to look again after the first failure; twice as long after each further one.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// When to look again at the latest after a failure.
const LONGEST_RETRY: Duration = Duration::from_mins(5);

/// When to look for load balancers again when one is missing.
const SEARCH_PERIOD: Duration = Duration::from_mins(1);

/// Decides when what is done. All times are the caller's.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    resync_period: Duration,
    resync_at: Instant,
    /// When what failed is tried again.
    retry_at: Option<Instant>,
    failures: u32,
    search_at: Option<Instant>,
    changed_at: Instant,
    /// Since when deletions wait.
    waiting_since: Option<Instant>,
}

impl Schedule {
    /// Everything is to be looked at, as others may have acted meanwhile.
    pub(crate) fn new(resync_period: Duration, now: Instant) -> Self {
        Self {
            resync_period,
            resync_at: now,
            retry_at: None,
            failures: 0,
            search_at: None,
            changed_at: now,
            waiting_since: None,
        }
    }

    /// The cluster changed.
    pub(crate) fn changed(&mut self, now: Instant) {
        self.changed_at = now;
    }

    /// Everything is to be looked at again at once.
    pub(crate) fn look_again(&mut self, now: Instant) {
        self.resync_at = now;
    }

    /// Whether everything is to be looked at again, though nothing has changed. Said once a period.
    pub(crate) fn resyncs(&mut self, now: Instant) -> bool {
        let due = now >= self.resync_at;
        if due {
            self.resync_at = now + self.resync_period;
            self.retry_at = None;
        }
        due
    }

    /// Whether load balancers are to be looked for again. Said once.
    pub(crate) fn searches(&mut self, now: Instant) -> bool {
        let due = self.search_at.is_some_and(|at| now >= at);
        if due {
            self.search_at = None;
        }
        due
    }

    /// Whether what is missing may be looked at: not while the last failure is too recent.
    pub(crate) fn may_look(&self, now: Instant) -> bool {
        self.retry_at.is_none_or(|at| now >= at)
    }

    /// Whether deletions may be done; if not, they wait.
    pub(crate) fn may_delete(&mut self, now: Instant) -> bool {
        self.waiting_since.get_or_insert(now);
        self.delete_at().is_none_or(|at| now >= at)
    }

    fn delete_at(&self) -> Option<Instant> {
        let since = self.waiting_since?;
        Some((self.changed_at + QUIET).min(since + LONGEST_WAIT))
    }

    /// A pass ended, and nothing waits; `complete`: nothing is left that has to be looked at.
    pub(crate) fn ended(&mut self, now: Instant, complete: bool) {
        self.waiting_since = None;
        if complete {
            self.failures = 0;
            self.retry_at = None;
        } else if self.may_look(now) {
            let delay = FIRST_RETRY * 2_u32.saturating_pow(self.failures.min(16));
            self.failures += 1;
            self.retry_at = Some(now + delay.min(LONGEST_RETRY).min(self.resync_period));
        }
    }

    /// Whether a load balancer is missing.
    pub(crate) fn missing(&mut self, now: Instant, missing: bool) {
        if missing {
            self.search_at.get_or_insert(now + SEARCH_PERIOD);
        } else {
            self.search_at = None;
        }
    }

    /// When there may be something to do, should nothing happen before.
    pub(crate) fn wake_at(&self) -> Instant {
        let others = [self.retry_at, self.search_at, self.delete_at()];
        others.into_iter().flatten().fold(self.resync_at, Instant::min)
    }
}

#[cfg(test)]
mod tests;
