//! What there is, and what each operation does to it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::{ElbCall, ElbFault};

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) balancers: BTreeMap<String, Balancer>,
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) settling: Duration,
    pub(super) draining: Duration,
    /// Whether the health of an instance that is not registered is told without words.
    pub(super) wordless: bool,
    pub(super) calls: VecDeque<ElbCall>,
    pub(super) faults: Vec<FaultOf>,
    /// Access keys that are not taken.
    pub(super) refused_keys: BTreeSet<String>,
    /// Credentials that were given for a web identity.
    pub(super) given_keys: usize,
}

/// What goes wrong with requests for an operation.
#[derive(Debug)]
pub(super) struct FaultOf {
    pub(super) operation: &'static str,
    /// Only with those about this load balancer or target group, perhaps among others.
    pub(super) subject: Option<String>,
    pub(super) fault: ElbFault,
    /// How many times it is still to happen, if not for ever.
    pub(super) times: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Balancer {
    /// `classic`, `network` or `application`.
    pub(super) kind: &'static str,
    pub(super) scheme: String,
    pub(super) tags: BTreeMap<String, String>,
    /// Of a classic one.
    pub(super) targets: BTreeMap<String, Target>,
}

#[derive(Debug)]
pub(super) struct Group {
    pub(super) target_type: String,
    /// The load balancers that use it.
    pub(super) balancers: BTreeSet<String>,
    pub(super) targets: BTreeMap<String, Target>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    since: Instant,
    pub(super) left: Option<Instant>,
}

impl Target {
    /// In the words of target groups, after so much time to settle and to drain.
    pub(super) fn state(&self, (settling, draining): (Duration, Duration)) -> &'static str {
        match self.left {
            Some(left) if left.elapsed() < draining => "draining",
            Some(_) => "unused",
            None if self.since.elapsed() < settling => "initial",
            None => "healthy",
        }
    }
}

impl State {
    /// The targets of a classic load balancer or a target group.
    pub(super) fn targets(&mut self, name: &str) -> Option<&mut BTreeMap<String, Target>> {
        match self.groups.get_mut(name) {
            Some(group) => Some(&mut group.targets),
            None => self.balancers.get_mut(name).map(|balancer| &mut balancer.targets),
        }
    }

    /// Registers targets: those that are there already stay as they are.
    pub(super) fn register(&mut self, name: &str, ids: &[String]) -> Option<()> {
        let targets = self.targets(name)?;
        let new = Target { since: Instant::now(), left: None };
        for id in ids {
            let target = targets.entry(id.clone()).or_insert(new);
            if target.left.is_some() {
                *target = new;
            }
        }
        Some(())
    }

    /// Takes targets out; those that are not there are no error.
    pub(super) fn deregister(&mut self, name: &str, ids: &[String]) -> Option<()> {
        let targets = self.targets(name)?;
        for id in ids {
            if let Some(target) = targets.get_mut(id) {
                target.left.get_or_insert(Instant::now());
            }
        }
        Some(())
    }

    /// The state of a target, in the words of target groups.
    pub(super) fn target_state(&mut self, name: &str, id: &str) -> Option<&'static str> {
        let times = (self.settling, self.draining);
        Some(self.targets(name)?.get(id).map_or("unused", |target| target.state(times)))
    }

    /// What goes wrong with a request for that operation.
    pub(super) fn fault(&mut self, operation: &str, subjects: &[String]) -> Option<ElbFault> {
        let index = self.faults.iter().position(|it| {
            it.operation == operation && it.subject.as_ref().is_none_or(|subject| subjects.contains(subject))
        })?;
        let FaultOf { fault, times, .. } = &mut self.faults[index];
        let fault = *fault;
        if let Some(times) = times {
            *times -= 1;
            if *times == 0 {
                self.faults.remove(index);
            }
        }
        Some(fault)
    }
}
