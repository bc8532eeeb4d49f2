//! Which of several replicas acts: the life of a `coordination.k8s.io/v1` Lease as a machine.
//!
//! The caller reads the Lease, asks [`Election::decide`], does what it says, and reports a write that the API
//! server took with [`Election::written`]. No clock but the caller's own is ever compared with it: a record that
//! somebody else holds counts as expired when it has stayed the same for as long as it says *since it was first
//! seen here*, and a term of our own is counted from before the write was sent. So clocks may differ by any
//! amount, and in speed by a third.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

/// What to do about the Lease.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// It is free: write this, and only over the very version that was read (or create it).
    Acquire(LeaseSpec),
    /// It is ours: write this, and only over the very version that was read.
    Renew(LeaseSpec),
    /// Nothing is to be done before that time; looking earlier, when a watch reports a change, does no harm.
    Wait(Timestamp),
}

/// One participant's view of the Lease.
///
/// All times are the participant's own, of a clock that is never set back: the wall clock at the start and what
/// has passed since by the monotonic one.
#[derive(Clone, Debug)]
pub struct Election {
    identity: String,
    duration: SignedDuration,
    /// The record that another holds, and since when it has been seen unchanged.
    observed: Option<(LeaseSpec, Timestamp)>,
    /// When the write that was decided last was decided.
    decided: Option<Timestamp>,
    /// When the last write that succeeded was decided: our term began then.
    renewed: Option<Timestamp>,
}

impl Election {
    /// A participant that holds nothing yet.
    ///
    /// No two participants may have the same identity at the same time; one that starts again with its old
    /// identity goes on where it was. The duration is `--lease-duration`, more than zero.
    pub fn new(identity: &str, duration: SignedDuration) -> Self {
        Self { identity: identity.to_owned(), duration, observed: None, decided: None, renewed: None }
    }

    /// When this participant must have stopped acting; `None`, or a time that is over, when it does not hold the
    /// Lease.
    ///
    /// Two thirds of the duration after the last renewal: nobody takes over before the last third is over, which
    /// is left for what is under way, so nothing that is begun may take longer than a third.
    pub fn held_until(&self) -> Option<Timestamp> {
        self.renewed.map(|renewed| after(renewed, self.duration * 2 / 3))
    }

    /// Whether this participant may act at that time.
    pub fn is_held(&self, now: Timestamp) -> bool {
        self.held_until().is_some_and(|until| now < until)
    }

    /// When to look again after a request that failed: a tenth of the duration later.
    pub fn retry_at(&self, now: Timestamp) -> Timestamp {
        after(now, self.duration / 10)
    }

    /// What to do, `current` having been read (`None`: there is no Lease) and the answer having come before `now`.
    pub fn decide(&mut self, now: Timestamp, current: Option<&LeaseSpec>) -> Decision {
        self.decided = None;
        let holder = current.and_then(holder);
        if holder == Some(&self.identity) {
            self.observed = None;
            let due = self.renewed.map(|renewed| after(renewed, self.duration / 3));
            return match due {
                Some(due) if now < due => Decision::Wait(due),
                _ => Decision::Renew(self.record(now, current)),
            };
        }
        self.renewed = None;
        let Some(theirs) = current.filter(|_| holder.is_some()) else {
            return Decision::Acquire(self.record(now, current));
        };
        let free = after(self.unchanged_since(theirs, now), self.promised(theirs));
        if now < free {
            Decision::Wait(free.min(self.retry_at(now)))
        } else {
            Decision::Acquire(self.record(now, current))
        }
    }

    /// The API server took the record that was decided last.
    pub fn written(&mut self) {
        self.renewed = self.decided.take().or(self.renewed);
        self.observed = None;
    }

    /// Gives the Lease up: from now on this participant holds nothing.
    ///
    /// What to write so that another can take over at once; `None` when the Lease is not ours.
    pub fn release(&mut self, now: Timestamp, current: Option<&LeaseSpec>) -> Option<LeaseSpec> {
        (self.renewed, self.decided) = (None, None);
        let ours = current.filter(|spec| holder(spec) == Some(&self.identity))?;
        Some(LeaseSpec { holder_identity: None, renew_time: Some(micro(now)), ..ours.clone() })
    }

    /// Our record at that time.
    fn record(&mut self, now: Timestamp, current: Option<&LeaseSpec>) -> LeaseSpec {
        self.decided = Some(now);
        let current = current.cloned().unwrap_or_default();
        let is_ours = holder(&current) == Some(&self.identity);
        let seconds = self.duration.as_secs() + i64::from(self.duration.subsec_nanos() > 0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(seconds).unwrap_or(i32::MAX).max(1)),
            acquire_time: current.acquire_time.clone().filter(|_| is_ours).or_else(|| Some(micro(now))),
            renew_time: Some(micro(now)),
            lease_transitions: Some(match current.lease_transitions {
                Some(transitions) if is_ours => transitions,
                Some(transitions) => transitions.saturating_add(1),
                None => 0,
            }),
            ..current
        }
    }

    /// Since when another's record has been the same.
    fn unchanged_since(&mut self, record: &LeaseSpec, now: Timestamp) -> Timestamp {
        match &self.observed {
            Some((observed, since)) if observed == record => *since,
            _ => {
                self.observed = Some((record.clone(), now));
                now
            }
        }
    }

    /// For how long the holder of a record may act without renewing it; ours, where it does not say.
    fn promised(&self, record: &LeaseSpec) -> SignedDuration {
        let seconds = record.lease_duration_seconds.filter(|seconds| *seconds > 0);
        seconds.map_or(self.duration, |seconds| SignedDuration::from_secs(seconds.into()))
    }
}

/// Who holds the Lease; nobody does when it was released.
fn holder(spec: &LeaseSpec) -> Option<&String> {
    spec.holder_identity.as_ref().filter(|holder| !holder.is_empty())
}

fn after(time: Timestamp, duration: SignedDuration) -> Timestamp {
    time.checked_add(duration).unwrap_or(Timestamp::MAX)
}

/// The time as the API keeps it, in whole microseconds.
fn micro(time: Timestamp) -> MicroTime {
    MicroTime(Timestamp::from_microsecond(time.as_microsecond()).unwrap_or(time))
}

#[cfg(test)]
mod tests;
