//! What is known of one balancer.

use std::time::{Duration, Instant};

use super::{Jitter, Settings, Standing};

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
    /// Not looked at yet: an earlier process may have registered us.
    Unknown,
    None,
    /// A registration was sent, and it is not known what came of it.
    Perhaps,
    Attached,
    Detached(Instant),
    /// What it has of us is being removed.
    Releasing,
    Released,
}

/// Whose a balancer is, by the last list that tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    Ours,
    /// It was ours: we stay as long as we are registered.
    Former,
    /// It is others': we leave it.
    Foreign,
    /// It is not there any more.
    Gone,
}

/// What is known of one balancer.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) claim: Claim,
    pub(super) call: Option<Call>,
    /// When the last call was begun.
    pub(super) called_at: Option<Instant>,
    pub(super) tie: Tie,
    pub(super) standing: Option<Standing>,
    /// Since when we want its requests and it does not send any.
    pub(super) unsettled_since: Option<Instant>,
    /// The last registration that it took from us.
    pub(super) registered_at: Option<Instant>,
    /// When the next call is due.
    pub(super) due: Option<Instant>,
    pub(super) retry: Retry,
    /// Whether it was tried to leave.
    pub(super) has_tried_to_leave: bool,
}

impl Standing {
    /// Whether it shows that we are to be registered, for the first time or anew.
    fn asks_for_registration(&self) -> bool {
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
            claim: Claim::Ours,
            call: None,
            called_at: None,
            tie: Tie::Unknown,
            standing: None,
            unsettled_since: Some(now),
            registered_at: None,
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
        matches!(self.tie, Tie::Unknown | Tie::Perhaps | Tie::Attached)
    }

    /// Whether it counts among those that should send requests.
    pub(super) fn counts(&self) -> bool {
        matches!(self.claim, Claim::Ours | Claim::Former)
    }

    /// Whether we are to be registered now, for the first time or anew. Where we may not look, that is done each period, as
    /// somebody may have taken us out.
    pub(super) fn asks_for_registration(&self, settings: &Settings, now: Instant) -> bool {
        let Some(standing) = self.standing.as_ref().filter(|_| self.claim == Claim::Ours) else {
            return false;
        };
        match standing {
            Standing::Unseen(_) if self.tie == Tie::Attached && self.unsettled_since.is_some() => false,
            Standing::Unseen(_) if self.tie == Tie::Attached => {
                self.registered_at.is_none_or(|at| now >= at + settings.resync_period / 2)
            }
            Standing::Unseen(_) => true,
            standing => standing.asks_for_registration(),
        }
    }

    /// When it counts as sending requests although that cannot be seen.
    pub(super) fn settled_unseen_at(&self, settings: &Settings) -> Option<Instant> {
        let unseen = matches!(self.standing, Some(Standing::Unseen(_))) && self.tie == Tie::Attached;
        Some(self.registered_at.filter(|_| unseen)? + settings.unseen_settles_after())
    }

    /// A call is made.
    pub(super) fn begin(&mut self, call: Call, now: Instant) {
        self.call = Some(call);
        self.called_at = Some(now);
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
