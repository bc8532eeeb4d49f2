//! The machine itself: what each event changes.

use std::collections::BTreeMap;
use std::time::Instant;

use super::leaving::Leaving;
use super::member::{Call, Claim, Member, Retry, Tie};
use super::{Command, Event, Failure, Jitter, Listed, Settings, Standing};

/// Decides when to join balancers and when to leave them.
#[derive(Debug)]
pub struct Membership<K> {
    pub(super) settings: Settings,
    pub(super) phase: Phase,
    pub(super) members: BTreeMap<K, Member>,
    pub(super) list: List,
    /// Whether all balancers have sent requests at the same time before.
    pub(super) settled_once: bool,
    wake_at: Option<Instant>,
}

/// How far the process's life has come.
#[derive(Debug)]
pub(super) enum Phase {
    /// nginx does not serve yet.
    Waiting,
    Joined,
    /// The process is to leave, and others do not know of it yet; since then.
    Noticed(Instant),
    Leaving(Leaving),
    Ended,
}

/// The list of balancers.
#[derive(Debug, Default)]
pub(super) struct List {
    pub(super) is_under_way: bool,
    pub(super) is_known: bool,
    /// Whether one has told all, so that there is nothing from before that is not known.
    pub(super) was_complete: bool,
    pub(super) due: Option<Instant>,
    pub(super) retry: Retry,
}

impl<K: Clone + Ord> Membership<K> {
    /// A process that has joined nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            phase: Phase::Waiting,
            members: BTreeMap::new(),
            list: List::default(),
            settled_once: false,
            wake_at: None,
        }
    }

    /// Takes an event in, and says what to do.
    pub fn step(&mut self, event: Event<K>, now: Instant, jitter: Jitter) -> Vec<Command<K>> {
        match event {
            Event::Serving if matches!(self.phase, Phase::Waiting) => {
                self.phase = Phase::Joined;
                self.list.due = Some(now);
            }
            Event::Listed(listed) => self.listed(listed, now, jitter),
            Event::Observed(name, outcome) => self.observed(&name, outcome, now, jitter),
            Event::Attached(name, outcome) => self.attached(&name, outcome, now, jitter),
            Event::Detached(name, outcome) => self.detached(&name, outcome, now, jitter),
            Event::Released(name, outcome) => self.released(&name, outcome, now, jitter),
            Event::Leave
            | Event::Hurry
            | Event::Abort
            | Event::RequestsDone
            | Event::CleanedUp
            | Event::Stopped => {
                self.leaving_event(&event, now);
            }
            Event::Serving | Event::Woken => {}
        }
        self.end_notice(now);
        let commands = match self.phase {
            Phase::Joined | Phase::Noticed(_) => self.stay(now),
            Phase::Leaving(_) => self.leave(now),
            Phase::Waiting | Phase::Ended => Vec::new(),
        };
        self.settled_once |= self.is_settled();
        self.wake_at = self.times().into_iter().flatten().filter(|time| *time > now).min();
        commands
    }

    /// When to give [`Event::Woken`], unless another event comes before.
    pub fn wake_at(&self) -> Option<Instant> {
        self.wake_at
    }

    /// Whether the process is to be attached.
    fn stays(&self) -> bool {
        matches!(self.phase, Phase::Joined | Phase::Noticed(_))
    }

    /// Asks for the list, if that is due.
    pub(super) fn list(&mut self, now: Instant) -> Option<Command<K>> {
        let is_due = !self.list.is_under_way && self.list.due.is_some_and(|due| due <= now);
        let known = self.members.iter().filter(|(_, member)| member.may_be_attached());
        is_due.then(|| {
            self.list.is_under_way = true;
            Command::List(known.map(|(name, _)| name.clone()).collect())
        })
    }

    /// What is due while the process serves.
    fn stay(&mut self, now: Instant) -> Vec<Command<K>> {
        let mut commands: Vec<_> = self.list(now).into_iter().collect();
        let members = self.members.iter_mut();
        commands.extend(members.filter_map(|(name, member)| member.stay(name.clone(), &self.settings, now)));
        commands
    }

    fn listed(&mut self, listed: Result<Listed<K>, String>, now: Instant, jitter: Jitter) {
        self.list.is_under_way = false;
        let listed = match listed {
            Ok(listed) => listed,
            Err(why) => return self.list.due = Some(self.list.retry.failed(why, now, jitter)),
        };
        self.list.is_known = true;
        self.list.was_complete |= listed.complete;
        self.list.due = Some(match listed.trouble {
            None => {
                self.list.retry = Retry::default();
                now + self.settings.resync_period
            }
            Some(why) => self.list.retry.failed(why, now, jitter),
        });
        if !self.stays() {
            // What is new may know us from before; the rest is known already.
            for name in listed.ours {
                self.members.entry(name).or_insert_with(|| Member::new(now));
            }
            return;
        }
        if listed.complete {
            self.members.values_mut().for_each(|member| member.claim = Claim::Gone);
        }
        let of_ours = listed.ours.into_iter().map(|name| (name, Claim::Ours));
        let of_former = listed.former.into_iter().map(|name| (name, Claim::Former));
        let of_foreign = listed.foreign.into_iter().map(|name| (name, Claim::Foreign));
        for (name, claim) in of_foreign.chain(of_former).chain(of_ours) {
            self.claim(name, claim, now);
        }
    }

    /// A balancer is in the list: it is looked at soon, but one that fails not sooner than it would be anyway.
    fn claim(&mut self, name: K, claim: Claim, now: Instant) {
        let member = self.members.entry(name).or_insert_with(|| Member::new(now));
        member.claim = claim;
        if member.call.is_none() && member.retry.since.is_none() {
            member.due = Some(now);
        }
    }

    fn observed(&mut self, name: &K, outcome: Result<Standing, String>, now: Instant, jitter: Jitter) {
        let leaves = !self.stays();
        let Some(member) = self.members.get_mut(name) else { return };
        if member.call != Some(Call::Observing) {
            return;
        }
        let was_former = member.claim == Claim::Former && member.may_be_attached();
        match outcome {
            Ok(standing) if leaves => member.seen_leaving(standing, now, jitter),
            Ok(standing) => member.seen(standing, &self.settings, now, jitter),
            Err(why) => {
                member.failed(why, now, jitter);
                if leaves && member.may_be_attached() {
                    // To leave needs no look.
                    member.due = Some(now);
                }
            }
        }
        if !leaves && was_former && !member.may_be_attached() {
            // With that it is none of ours any more, which the next list tells.
            self.list.due = self.list.due.map(|_| now);
        }
    }

    fn attached(&mut self, name: &K, outcome: Result<(), Failure>, now: Instant, jitter: Jitter) {
        let leaves = !self.stays();
        let Some(member) = self.members.get_mut(name) else { return };
        let Some(Call::Attaching { first, lost }) = member.call else { return };
        match outcome {
            Ok(()) => {
                member.tie = Tie::Attached;
                member.call = None;
                member.due = Some(now);
                member.retry.why = None;
                member.registered_at = Some(now);
            }
            Err(Failure { why, refused }) => {
                if refused && first {
                    member.tie = Tie::None;
                } else if lost {
                    member.tie = Tie::Perhaps;
                }
                member.failed(why, now, jitter);
                if leaves {
                    // The pause is before another registration, of which there will be none.
                    member.due = Some(now);
                }
            }
        }
    }

    fn detached(&mut self, name: &K, outcome: Result<(), String>, now: Instant, jitter: Jitter) {
        let Some(member) = self.members.get_mut(name) else { return };
        if member.call != Some(Call::Detaching) {
            return;
        }
        match outcome {
            Ok(()) => {
                member.tie = Tie::Detached(now);
                member.standing = None;
                member.succeeded(Some(now));
            }
            Err(why) => member.failed(why, now, jitter),
        }
    }

    fn released(&mut self, name: &K, outcome: Result<(), String>, now: Instant, jitter: Jitter) {
        let Some(member) = self.members.get_mut(name) else { return };
        if member.call != Some(Call::Releasing) {
            return;
        }
        match outcome {
            Ok(()) => {
                member.tie = Tie::Released;
                member.succeeded(None);
            }
            Err(why) => member.failed(why, now, jitter),
        }
    }

    /// Every time at which something changes although nothing happens.
    fn times(&self) -> Vec<Option<Instant>> {
        let settings = &self.settings;
        let mut times = Vec::new();
        match &self.phase {
            Phase::Joined | Phase::Noticed(_) => {
                if let Phase::Noticed(since) = self.phase {
                    times.push(Some(since + settings.notice()));
                }
                times.push(self.list.due);
                times.push(self.list.retry.since.map(|since| since + settings.resync_period));
                for member in self.members.values().filter(|member| member.claim != Claim::Gone) {
                    times.push(member.due);
                    times.push(member.unsettled_since.map(|since| since + settings.ready_timeout));
                    times.push(member.retry.since.map(|since| since + settings.resync_period));
                }
            }
            Phase::Leaving(leaving) => {
                times.extend(leaving.times(settings).map(Some));
                times.push(self.list.due);
                for member in self.members.values() {
                    times.push(member.due);
                    times.push(member.looked_long_enough_at());
                    if let Tie::Detached(at) = member.tie {
                        times.push(Some(at + settings.least_drain()));
                        times.push(Some(at + settings.drain_delay));
                    }
                }
            }
            Phase::Waiting | Phase::Ended => {}
        }
        times
    }
}
