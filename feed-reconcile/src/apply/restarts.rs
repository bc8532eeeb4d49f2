//! How often, and how soon, a dead nginx is started again.

use std::time::{Duration, Instant};

/// A start after which nginx lived so long does not count any more.
const STABLE: Duration = Duration::from_mins(1);

/// The pause before the first restart; twice as long each further time.
const FIRST: Duration = Duration::from_millis(100);

/// The longest pause.
const LAST: Duration = Duration::from_secs(10);

/// Counts the deaths of nginx.
#[derive(Debug)]
pub(super) struct Restarts {
    max: u32,
    in_a_row: u32,
    up_since: Option<Instant>,
}

impl Restarts {
    pub(super) fn new(max: u32) -> Self {
        Self { max, in_a_row: 0, up_since: None }
    }

    /// nginx runs.
    pub(super) fn up(&mut self, now: Instant) {
        self.up_since = Some(now);
    }

    /// nginx has died or did not start: how long to wait before it is started, or `None` when that is no use.
    pub(super) fn died(&mut self, now: Instant) -> Option<Duration> {
        let stable = |since| now.saturating_duration_since(since) >= STABLE;
        if self.up_since.take().is_some_and(stable) {
            self.in_a_row = 0;
        }
        if self.in_a_row >= self.max {
            return None;
        }
        let pause = FIRST.saturating_mul(1 << self.in_a_row.min(16));
        self.in_a_row += 1;
        Some(pause.min(LAST))
    }
}
