//! Ever longer pauses between tries.

use std::time::Duration;

/// When to try again after failures that follow one another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pauses {
    failures: u32,
    until: Duration,
}

impl Pauses {
    /// Another failure: the pause is twice the one before, `first` to `longest`.
    pub(super) fn failed(&mut self, now: Duration, first: Duration, longest: Duration) {
        self.until = now + doubled(first, self.failures).min(longest);
        self.failures += 1;
    }

    /// A success.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// Whether the pause is over.
    pub(super) fn is_over(&self, now: Duration) -> bool {
        now >= self.until
    }

    /// Whether the last try failed.
    pub(super) fn has_failed(&self) -> bool {
        self.failures > 0
    }

    /// When the pause is over.
    pub(super) fn until(&self) -> Duration {
        self.until
    }
}

/// So long, doubled so many times.
pub(super) fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times.min(20)))
}
