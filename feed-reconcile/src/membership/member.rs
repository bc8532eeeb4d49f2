//! What is known of one balancer.

use std::time::{Duration, Instant};

use super::{Jitter, Standing};

/// The pause after a first failure; twice as long each further time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The longest pause.
const LAST_PAUSE: Duration = Duration::from_secs(30);

/// A call that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Observing,
    Attaching {
        /// Whether it was certain that the balancer did not know us.
        first: bool,
        /// Whether the balancer has let us go, as far as is known.
        lost: bool,
    },
    Detaching,
    Releasing,
}

/// Whether a balancer may know us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tie {
    None,
    /// A registration was sent, and it is not known what came of it.
    Perhaps,
    Attached,
    Detached(Instant),
    /// What it has of us is being removed.
    Releasing,
    Released,
}

/// What is known of one balancer.
#[derive(Debug)]
pub(super) struct Member {
    /// Whether it was in the last list.
    pub(super) listed: bool,
    pub(super) call: Option<Call>,
    pub(super) tie: Tie,
    pub(super) standing: Option<Standing>,
    /// Since when we want its requests and it does not send any.
    pub(super) unsettled_since: Option<Instant>,
    /// When the next call is due.
    pub(super) due: Option<Instant>,
    pub(super) retry: Retry,
    /// Whether it was tried to leave.
    pub(super) has_tried_to_leave: bool,
}

impl Standing {
    /// Whether we are to be registered, for the first time or anew.
    pub(super) fn asks_for_registration(&self) -> bool {
        matches!(self, Self::Absent | Self::Draining | Self::Outdated(_))
    }

    pub(super) fn is_registered(&self) -> bool {
        matches!(self, Self::Settling(_) | Self::InService | Self::Outdated(_))
    }

    pub(super) fn sends_requests(&self) -> bool {
        matches!(self, Self::InService | Self::Outdated(_))
    }

    /// What is wrong with a registration that has only just been made.
    pub(super) fn why_not_as_registered(&self) -> String {
        match self {
            Self::Outdated(difference) => format!("it does not keep to the registration: {difference}"),
            _ => "it took the registration, and does not know of it".to_owned(),
        }
    }
}

impl Member {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            listed: true,
            call: None,
            tie: Tie::None,
            standing: None,
            unsettled_since: Some(now),
            due: Some(now),
            retry: Retry::default(),
            has_tried_to_leave: false,
        }
    }

    /// Whether a call may be made now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.call.is_none() && self.due.is_some_and(|due| due <= now)
    }

    pub(super) fn may_be_attached(&self) -> bool {
        matches!(self.tie, Tie::Perhaps | Tie::Attached)
    }

    /// A call is made.
    pub(super) fn begin(&mut self, call: Call) {
        self.call = Some(call);
        self.due = None;
    }

    /// The call has ended well; the next is due then.
    pub(super) fn succeeded(&mut self, due: Option<Instant>) {
        self.call = None;
        self.due = due;
        self.retry = Retry::default();
    }

    /// The call has failed.
    pub(super) fn failed(&mut self, why: String, now: Instant, jitter: Jitter) {
        self.call = None;
        self.due = Some(self.retry.failed(why, now, jitter));
    }
}

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Retry {
    pub(super) failures: u32,
    /// The first of them.
    pub(super) since: Option<Instant>,
    /// The last of them.
    pub(super) why: Option<String>,
}

impl Retry {
    /// Counts a failure; when to try again.
    pub(super) fn failed(&mut self, why: String, now: Instant, jitter: Jitter) -> Instant {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(LAST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.since.get_or_insert(now);
        self.why = Some(why);
        now + jitter.cut(pause)
    }

    /// Whether nothing but failures came for so long.
    pub(super) fn is_lasting(&self, period: Duration, now: Instant) -> bool {
        self.since.is_some_and(|since| now.saturating_duration_since(since) >= period)
    }
}
