//! When what is no longer declared is forgotten.

use std::time::{Duration, Instant};

/// How long something that is no longer declared is kept after its last request: old workers still serve it.
const GRACE: Duration = Duration::from_mins(10);

/// So much may be kept that is no longer declared, however little is.
const FEW: usize = 1_000;

/// The limit of what is kept beside so much that is declared.
pub(super) fn limit(declared: usize) -> usize {
    declared.max(FEW)
}

/// Decides what is forgotten, of what is retired since, or was last asked for at, those moments.
pub(super) struct Verdict {
    now: Instant,
    /// What is not newer than this is forgotten whatever its age.
    crowded_out: Option<Instant>,
}

impl Verdict {
    /// `declared` is how much there is beside the retired.
    pub(super) fn new(mut retired: Vec<Instant>, declared: usize, now: Instant) -> Self {
        retired.sort_unstable();
        let excess = retired.len().saturating_sub(limit(declared));
        let crowded_out = excess.checked_sub(1).and_then(|last| retired.get(last).copied());
        Self { now, crowded_out }
    }

    pub(super) fn keeps(&self, retired: Option<Instant>) -> bool {
        retired.is_none_or(|at| {
            self.now.saturating_duration_since(at) < GRACE
                && self.crowded_out.is_none_or(|crowded_out| at > crowded_out)
        })
    }
}
