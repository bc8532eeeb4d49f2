//! How things stand, for health and `/status`.

use std::fmt;
use std::time::{Duration, Instant};

use super::Standing;
use super::machine::{Membership, Phase};
use super::member::{Claim, Member, Tie};

/// How things stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation<K> {
    /// How many of the balancers that are there we are registered with.
    pub attached: usize,
    /// How many there should be at least; 0 where it does not matter.
    pub expected: usize,
    /// Every balancer that is ours, or that may still know us.
    pub members: Vec<MemberSituation<K>>,
    /// What an operator should know; empty when all is well.
    pub problems: Vec<Problem<K>>,
}

/// How things stand with one balancer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberSituation<K> {
    /// Its name.
    pub name: K,
    /// How we are tied to it.
    pub bond: Bond,
    /// Why the last call failed, if it did.
    pub error: Option<String>,
}

/// How we are tied to a balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bond {
    /// It does not know us.
    None,
    /// It may know us.
    Attaching,
    /// It knows us, and sends no requests yet.
    Settling,
    /// It sends requests.
    InService,
    /// We are deregistered.
    Detached,
}

impl Bond {
    /// The stable name, for `/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Attaching => "attaching",
            Self::Settling => "settling",
            Self::InService => "in_service",
            Self::Detached => "detached",
        }
    }
}

/// What an operator should know. Its text is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem<K> {
    /// nginx does not serve yet.
    Waiting,
    /// It is not known yet which balancers there are; with the reason, if something has failed.
    Searching(Option<String>),
    /// The list of balancers cannot be renewed any more.
    ListOutdated(String),
    /// A balancer does not send requests yet; with the reason.
    Settling(K, String),
    /// A balancer does not send requests although it had time enough; with the reason.
    Overdue(K, String),
    /// A balancer cannot be joined; with the reason, that lasts.
    Failing(K, String),
    /// We may not look at a balancer; with the reason, and the time after which it counts as sending requests.
    Blind(K, String, Duration),
    /// It is not known any more how a balancer sees us; with the reason.
    Unseen(K, String),
    /// A balancer sends requests, but cannot be made to do it as it should; with the reason.
    Outdated(K, String),
    /// There are fewer balancers than expected.
    TooFew {
        /// With so many we are registered.
        attached: usize,
        /// So many there should be.
        expected: usize,
        /// Whether requests may come all the same.
        is_ready: bool,
    },
    /// A balancer cannot be left; with the reason.
    Stuck(K, String),
    /// The process is to leave, and serves as before until others know of it.
    Noticed,
    /// The process leaves.
    Leaving,
}

impl<K> Problem<K> {
    /// Whether requests should go elsewhere.
    pub fn takes_readiness(&self) -> bool {
        match self {
            Self::Failing(..)
            | Self::Blind(..)
            | Self::ListOutdated(_)
            | Self::Unseen(..)
            | Self::Outdated(..)
            | Self::Stuck(..)
            | Self::Noticed => false,
            Self::TooFew { is_ready, .. } => !is_ready,
            Self::Waiting | Self::Searching(_) | Self::Settling(..) | Self::Overdue(..) | Self::Leaving => {
                true
            }
        }
    }

    /// Whether somebody should look.
    pub fn is_unhealthy(&self) -> bool {
        !matches!(
            self,
            Self::Waiting
                | Self::Searching(_)
                | Self::Settling(..)
                | Self::Blind(..)
                | Self::Noticed
                | Self::Leaving
        )
    }

    /// Whether somebody should know, although nothing is wrong.
    pub fn is_warning(&self) -> bool {
        matches!(self, Self::Blind(..))
    }

    /// Whether it belongs to the life of every process, so that there is no need to say it.
    pub fn is_ordinary(&self) -> bool {
        matches!(self, Self::Waiting | Self::Searching(None) | Self::Leaving)
    }
}

impl<K: fmt::Display> fmt::Display for Problem<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("no load balancer is joined before nginx serves"),
            Self::Searching(None) => f.write_str("the load balancers are not known yet"),
            Self::Searching(Some(why)) => write!(f, "the load balancers are not known yet: {why}"),
            Self::ListOutdated(why) => write!(f, "the list of load balancers is out of date: {why}"),
            Self::Settling(name, why) => write!(f, "{name} does not send requests yet: {why}"),
            Self::Overdue(name, why) => write!(f, "{name} does not send requests: {why}"),
            Self::Failing(name, why) => write!(f, "{name} cannot be joined: {why}"),
            Self::Blind(name, why, settles_after) => write!(
                f,
                "{name} is joined without seeing how it sees us: {why}; it counts as sending requests {settles_after:?} after the registration, and is left with the whole drain delay"
            ),
            Self::Unseen(name, why) => write!(f, "{name} cannot be looked at: {why}"),
            Self::Outdated(name, why) => {
                write!(f, "{name} sends requests otherwise than it should: {why}")
            }
            Self::TooFew { attached, expected, .. } => {
                write!(f, "attached to {attached} load balancers where {expected} are expected")
            }
            Self::Stuck(name, why) => write!(f, "{name} cannot be left: {why}"),
            Self::Noticed => {
                f.write_str("this process is to end, and serves as before until others know of it")
            }
            Self::Leaving => f.write_str("this process is about to end"),
        }
    }
}

impl<K: Clone + Ord> Membership<K> {
    /// How things stand at that time.
    pub fn situation(&self, now: Instant) -> Situation<K> {
        let shown = |member: &Member| match member.tie {
            _ if member.claim == Claim::Ours => true,
            Tie::Unknown | Tie::None | Tie::Released => false,
            Tie::Detached(at) => now < at + self.settings.drain_delay,
            Tie::Perhaps | Tie::Attached | Tie::Releasing => true,
        };
        let member = |(name, member): (&K, &Member)| MemberSituation {
            name: name.clone(),
            bond: member.bond(),
            error: member.retry.why.clone(),
        };
        Situation {
            attached: self.attachments(),
            expected: self.settings.expected,
            members: self.members.iter().filter(|(_, it)| shown(it)).map(member).collect(),
            problems: self.problems(now),
        }
    }

    fn attachments(&self) -> usize {
        self.members.values().filter(|member| member.counts() && member.tie == Tie::Attached).count()
    }

    /// Whether all balancers that are known send requests.
    pub(super) fn is_settled(&self) -> bool {
        self.list.is_known
            && self.members.values().all(|it| it.claim != Claim::Ours || it.unsettled_since.is_none())
            && (self.settings.fewer_are_ready || self.attachments() >= self.settings.expected)
    }

    fn problems(&self, now: Instant) -> Vec<Problem<K>> {
        match self.phase {
            Phase::Waiting => vec![Problem::Waiting],
            Phase::Noticed(_) => {
                std::iter::once(Problem::Noticed).chain(self.problems_of_being_attached(now)).collect()
            }
            Phase::Joined => self.problems_of_being_attached(now),
            Phase::Leaving(_) | Phase::Ended => {
                let why = self.list.retry.why.clone().filter(|_| !self.list.was_complete);
                let stuck = self.members.iter().filter_map(|(name, member)| member.stuck(name));
                let unlisted = why.map(|why| Problem::Searching(Some(why)));
                std::iter::once(Problem::Leaving).chain(unlisted).chain(stuck).collect()
            }
        }
    }

    fn problems_of_being_attached(&self, now: Instant) -> Vec<Problem<K>> {
        if self.list.is_known {
            return self.problems_of_staying(now);
        }
        let lasting = self.list.retry.is_lasting(self.settings.resync_period, now);
        let why = self.list.retry.why.clone();
        let outdated = why.clone().filter(|_| lasting).map(Problem::ListOutdated);
        std::iter::once(Problem::Searching(why)).chain(outdated).collect()
    }

    fn problems_of_staying(&self, now: Instant) -> Vec<Problem<K>> {
        let settings = &self.settings;
        let mut problems = Vec::new();
        let retry = &self.list.retry;
        if let (true, Some(why)) = (retry.is_lasting(settings.resync_period, now), &retry.why) {
            problems.push(Problem::ListOutdated(why.clone()));
        }
        let mut is_joining = false;
        for (name, member) in &self.members {
            match member.claim {
                Claim::Ours => {}
                Claim::Foreign if member.retry.is_lasting(settings.resync_period, now) => {
                    problems.extend(member.stuck(name));
                    continue;
                }
                Claim::Former | Claim::Foreign | Claim::Gone => continue,
            }
            if let (Some(Standing::Unseen(why)), Tie::Attached) = (&member.standing, member.tie) {
                let settles_after = settings.unseen_settles_after();
                problems.push(Problem::Blind(name.clone(), why.clone(), settles_after));
            }
            let lasts = member.retry.is_lasting(settings.resync_period, now);
            let why = || member.retry.why.clone().unwrap_or_default();
            match member.unsettled_since {
                Some(since) if now >= since + settings.ready_timeout => {
                    problems.push(Problem::Overdue(name.clone(), member.why_unsettled()));
                }
                Some(_) => {
                    // A balancer that comes later takes nothing away from the others' requests.
                    if !self.settled_once {
                        is_joining = true;
                        problems.push(Problem::Settling(name.clone(), member.why_unsettled()));
                    }
                    if lasts {
                        problems.push(Problem::Failing(name.clone(), member.why_unsettled()));
                    }
                }
                None if lasts => problems.push(match member.standing {
                    Some(Standing::InService | Standing::Unseen(_)) => Problem::Unseen(name.clone(), why()),
                    _ => Problem::Outdated(name.clone(), why()),
                }),
                None => {}
            }
        }
        let (attached, expected) = (self.attachments(), settings.expected);
        let listed = self.members.values().filter(|member| member.counts()).count();
        if attached < expected && !(is_joining && listed >= expected) {
            problems.push(Problem::TooFew { attached, expected, is_ready: settings.fewer_are_ready });
        }
        problems
    }
}

impl Member {
    fn bond(&self) -> Bond {
        match (self.tie, self.unsettled_since) {
            (Tie::Unknown | Tie::None, _) => Bond::None,
            (Tie::Perhaps, _) => Bond::Attaching,
            (Tie::Attached, Some(_)) => Bond::Settling,
            (Tie::Attached, None) => Bond::InService,
            (Tie::Detached(_) | Tie::Releasing | Tie::Released, _) => Bond::Detached,
        }
    }

    fn stuck<K: Clone>(&self, name: &K) -> Option<Problem<K>> {
        let why = self.retry.why.clone().filter(|_| self.may_be_attached());
        Some(Problem::Stuck(name.clone(), why?))
    }

    fn why_unsettled(&self) -> String {
        match (&self.retry.why, &self.standing) {
            (Some(why), _) | (None, Some(Standing::Settling(why) | Standing::Unseen(why))) => why.clone(),
            (None, Some(Standing::Draining)) => "somebody else has deregistered it".to_owned(),
            (None, _) => "it has only just been registered".to_owned(),
        }
    }
}
