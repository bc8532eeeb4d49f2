//! Models of AWS's load balancers, as far as one target of theirs sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::*;

/// The load balancers that may be ours. There is another that never is.
pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];

/// Somebody else's, on this very instance.
pub(super) const NEIGHBOURS: &str = "neighbours";

/// News of a deregistration take so long to reach all parts of a load balancer.
const LAG: Duration = Duration::from_secs(5);

pub(super) const LONGEST_SETTLING: Duration = Duration::from_secs(40);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Classic,
    Network,
    Application,
}

impl Kind {
    pub(super) fn settings(self) -> Settings {
        let drain_delay = match self {
            Self::Classic => seconds(60),
            Self::Network => seconds(120),
            Self::Application => seconds(300),
        };
        Settings {
            drain_delay,
            grace_period: seconds(900),
            fewer_are_ready: self == Self::Application,
            drains_fully: self == Self::Network,
            ..super::super::settings()
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Ours,
    /// It has lost a tag.
    Untagged,
    /// Others have taken it over.
    Foreign,
}

#[derive(Debug)]
struct Balancer {
    owner: Owner,
    /// Since when we are registered.
    registered: Option<Instant>,
    /// When we were deregistered last.
    left: Option<Instant>,
    settles_after: Duration,
    /// How long it says that we are draining.
    drains_in: Duration,
    /// How long it sends requests after a deregistration, whatever it says.
    sends_for: Duration,
}

#[derive(Debug)]
pub(super) struct Aws {
    kind: Kind,
    balancers: BTreeMap<&'static str, Balancer>,
}

impl Aws {
    pub(super) fn new(kind: Kind, now: Instant, dice: &mut Dice) -> Self {
        let mut aws = Self { kind, balancers: BTreeMap::new() };
        for name in NAMES.into_iter().chain([NEIGHBOURS]) {
            aws.create(name, dice);
        }
        // A neighbour of another class has registered the instance with its own.
        aws.register(NEIGHBOURS, now);
        aws.give_to(NEIGHBOURS, Owner::Foreign);
        aws
    }

    /// Makes it, unless it is there.
    pub(super) fn create(&mut self, name: &'static str, dice: &mut Dice) {
        let delay = self.kind.settings().drain_delay;
        let drains_in = if self.kind == Kind::Network { dice.time(seconds(30)) } else { dice.time(delay) };
        let sends_for =
            if self.kind == Kind::Network { dice.time(delay) } else { drains_in.max(dice.time(LAG)) };
        let settles_after = dice.time(LONGEST_SETTLING);
        self.balancers.entry(name).or_insert(Balancer {
            owner: Owner::Ours,
            registered: None,
            left: None,
            settles_after,
            drains_in,
            sends_for,
        });
    }

    pub(super) fn delete(&mut self, name: &str) {
        self.balancers.remove(name);
    }

    pub(super) fn give_to(&mut self, name: &str, owner: Owner) {
        if let Some(balancer) = self.balancers.get_mut(name) {
            balancer.owner = owner;
        }
    }

    /// Registers us; `None` when it is not there.
    pub(super) fn register(&mut self, name: &str, now: Instant) -> Option<()> {
        self.balancers.get_mut(name)?.registered.get_or_insert(now);
        Some(())
    }

    /// Deregisters us, which may be a person's doing.
    pub(super) fn take_out(&mut self, name: &str, now: Instant) {
        if let Some(balancer) = self.balancers.get_mut(name)
            && balancer.registered.take().is_some()
        {
            balancer.left = Some(now);
        }
    }

    /// What a list says to a process that may be known to these; where it is cut off, only of some.
    pub(super) fn list(&self, known: &BTreeSet<&'static str>, hidden: Option<&str>) -> Listed<&'static str> {
        let seen = self.balancers.iter().filter(|(name, _)| Some(**name) != hidden);
        let of = |owner: Owner| {
            let of_owner = seen.clone().filter(move |(_, it)| it.owner == owner).map(|(name, _)| *name);
            of_owner.filter(|name| owner == Owner::Ours || known.contains(name)).collect()
        };
        Listed {
            ours: of(Owner::Ours),
            former: of(Owner::Untagged),
            foreign: of(Owner::Foreign),
            trouble: hidden.map(|name| format!("{name} cannot be seen")),
            complete: hidden.is_none(),
        }
    }

    pub(super) fn standing(&self, name: &str, now: Instant) -> Standing {
        let Some(balancer) = self.balancers.get(name) else { return Standing::Absent };
        match (balancer.registered, balancer.left) {
            (Some(since), _) if now < since + balancer.settles_after => {
                Standing::Settling("its health checks go on".to_owned())
            }
            (Some(_), _) => Standing::InService,
            (None, Some(left)) if now < left + balancer.drains_in => Standing::Draining,
            _ => Standing::Absent,
        }
    }

    pub(super) fn is_in_service(&self, name: &str, now: Instant) -> bool {
        self.standing(name, now) == Standing::InService
    }

    pub(super) fn has_us(&self, name: &str) -> bool {
        self.balancers.get(name).is_some_and(|it| it.registered.is_some())
    }

    /// Whether requests come from it.
    pub(super) fn sends(&self, name: &str, now: Instant) -> bool {
        self.balancers.get(name).is_some_and(|it| {
            it.registered.is_some() || it.left.is_some_and(|left| now < left + it.sends_for)
        })
    }
}
