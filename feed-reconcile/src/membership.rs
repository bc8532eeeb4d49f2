//! Joining load balancers late, staying attached, and leaving them before anything else ends.
//!
//! Nothing is attached before nginx serves its first complete configuration. From then on every balancer is looked at
//! once each period, and attached again where somebody has taken us out. What an earlier process has left registered is not known before each balancer was looked at,
//! so it counts as registered until then, also for leaving. Leaving goes the other way round: not ready → deregister → the balancers send nothing
//! any more, or the drain delay is over → the requests under way are done → what is left of us is removed → nginx ends.
//!
//! Where others decide who gets requests, they learn late of the end: everything goes on for a [notice](Settings#structfield.notice) before leaving begins.
//!
//! [`Membership`] decides; its caller carries out each [`Command`] and reports with an [`Event`] what came of it. A command for a balancer
//! takes the place of an [`Command::Observe`] that is under way for it; no other command does.

mod leaving;
mod machine;
mod member;
mod situation;
mod staying;

use std::collections::BTreeSet;
use std::time::Duration;

pub use self::machine::Membership;
pub use self::situation::{Bond, MemberSituation, Problem, Situation};

/// What does not change while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How often balancers are listed and looked at although nothing has happened.
    pub resync_period: Duration,
    /// How long a balancer may take until it sends requests.
    pub ready_timeout: Duration,
    /// How long after a deregistration a balancer may go on sending requests.
    pub drain_delay: Duration,
    /// How long everything goes on, readiness too, after the process is told to end; at most half the grace period.
    pub notice: Duration,
    /// How long leaving may take, the notice included.
    pub grace_period: Duration,
    /// With fewer balancers than this something is wrong; 0 where it does not matter.
    pub expected: usize,
    /// Whether requests may come although there are fewer: then that is unhealthy, but ready.
    pub fewer_are_ready: bool,
    /// Whether a balancer keeps an entry of us that has to be removed once the requests are done.
    pub releases: bool,
    /// Whether a balancer may send requests for the whole drain delay, whatever it says.
    pub drains_fully: bool,
    /// Whether nginx was running already when the process began, so that requests may come before it is known to serve.
    pub taken_over: bool,
}

/// How a balancer sees us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does not know us, or sends us nothing any more.
    Absent,
    /// We are registered, and it does not send requests yet; with its reason.
    Settling(String),
    /// It sends requests.
    InService,
    /// It sends requests, but has not got us registered as it should; with the difference.
    Outdated(String),
    /// We may not look; with the reason.
    Unseen(String),
    /// We are deregistered, and it may still send requests.
    Draining,
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A sentence.
    pub why: String,
    /// Whether the balancer has said no, so that nothing has changed there. Otherwise it may have done what was asked.
    pub refused: bool,
}

/// The balancers that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<K> {
    /// Those that we belong to.
    pub ours: Vec<K>,
    /// Those that may know us, and are not ours any more: we stay where we are registered, until somebody takes us out.
    pub former: Vec<K>,
    /// Those that may know us, and are others' by now: we leave them.
    pub foreign: Vec<K>,
    /// What has failed all the same: a sentence. The list is asked for again.
    pub trouble: Option<String>,
    /// Whether none is missing because of that.
    pub complete: bool,
}

impl<K> Default for Listed<K> {
    fn default() -> Self {
        Self { ours: Vec::new(), former: Vec::new(), foreign: Vec::new(), trouble: None, complete: true }
    }
}

/// Something that has happened. `K` is the name of a balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<K> {
    /// nginx serves a complete configuration.
    Serving,
    /// [`Command::List`] has been carried out, or could not be: a sentence.
    Listed(Result<Listed<K>, String>),
    /// [`Command::Observe`] has been carried out, or could not be: a sentence.
    Observed(K, Result<Standing, String>),
    /// [`Command::Attach`] has been carried out, or could not be.
    Attached(K, Result<(), Failure>),
    /// [`Command::Detach`] has been carried out, or could not be: a sentence.
    Detached(K, Result<(), String>),
    /// [`Command::Release`] has been carried out, or could not be: a sentence.
    Released(K, Result<(), String>),
    /// [`Command::CleanUp`] has been carried out, as well as it could be.
    CleanedUp,
    /// [`Command::FinishRequests`] has been carried out.
    RequestsDone,
    /// [`Command::Stop`] or [`Command::StopNow`] has been carried out, as well as it could be.
    Stopped,
    /// The process is to leave.
    Leave,
    /// It is to leave without a notice, or without the rest of it.
    Hurry,
    /// The process is to end at once.
    Abort,
    /// The time of [`Membership::wake_at`] has come.
    Woken,
}

/// Something to be done. Each is reported back with the [`Event`] of its name, but for [`Command::End`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<K> {
    /// List the balancers that we belong to, and those of these, which may know us, that are there besides.
    List(BTreeSet<K>),
    /// Look how a balancer sees us.
    Observe(K),
    /// Register with a balancer; harmless where that is done already.
    Attach(K),
    /// Make a balancer send nothing new; harmless where that is done already.
    Detach(K),
    /// Remove what a balancer still has of us.
    Release(K),
    /// Undo on this machine what attaching has changed.
    CleanUp,
    /// Wait until nginx has no request under way.
    FinishRequests,
    /// End nginx once it has finished its requests, and wait for that.
    Stop,
    /// End nginx at once.
    StopNow,
    /// End the process.
    End(End<K>),
}

/// How leaving went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End<K> {
    /// The balancers that may still send requests, each with the reason.
    pub left_behind: Vec<(K, String)>,
    /// Why it is not known which balancers there are besides, if it is not: others may still send requests.
    pub unlisted: Option<String>,
    /// Why it ended before its time.
    pub cut_short: Option<CutShort>,
}

/// Why leaving ended before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutShort {
    /// A second signal came.
    Aborted,
    /// The grace period was over.
    GracePeriodOver,
}

/// Spreads retries of many processes out: a number from 0 to 1, by which a pause is cut to between its half and the whole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// The number, brought into its range.
    pub fn new(number: f64) -> Self {
        Self(if number.is_nan() { 1.0 } else { number.clamp(0.0, 1.0) })
    }

    fn cut(self, pause: Duration) -> Duration {
        pause.mul_f64(self.0.mul_add(0.5, 0.5))
    }
}

/// Balancers take a moment to tell all their parts that a target has left.
const LEAST_DRAIN: Duration = Duration::from_secs(5);

/// How often is looked whether a balancer sends requests yet, or still.
const POLL: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
