//! The end: deregister, wait, finish, remove, stop.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::machine::{List, Membership, Phase};
use super::member::{Call, Member, Retry, Tie};
use super::{Command, CutShort, End, Event, Jitter, LEAST_DRAIN, POLL, Settings, Standing};

/// How long before the end of the grace period entries are removed, although requests are still under way.
const LEAST_RELEASE: Duration = Duration::from_secs(5);

/// How often in a row the removal of an entry may fail.
const RELEASE_TRIES: u32 = 5;

/// How far leaving has come.
#[derive(Debug)]
pub(super) struct Leaving {
    /// The first signal.
    told_at: Instant,
    /// When it has begun.
    since: Instant,
    cut_short: Option<CutShort>,
    requests: Task,
    clean_up: Task,
    stop: Task,
    stop_now: Task,
}

/// Something that is done once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    Open,
    UnderWay,
    Done,
}

impl Task {
    /// Pushes the command, unless that was done before; whether the task is done.
    fn drive<K>(&mut self, command: Command<K>, commands: &mut Vec<Command<K>>) -> bool {
        if *self == Self::Open {
            *self = Self::UnderWay;
            commands.push(command);
        }
        *self == Self::Done
    }
}

impl Settings {
    /// How long others may take to learn of the end, if requests are to be finished in time all the same.
    pub(super) fn notice(&self) -> Duration {
        self.notice.min(self.grace_period / 2)
    }

    /// How long a balancer is believed to send requests in any case.
    pub(super) fn least_drain(&self) -> Duration {
        LEAST_DRAIN.min(self.drain_delay)
    }

    /// When entries are removed at the latest, counted from the first signal.
    fn release_after(&self) -> Duration {
        self.grace_period.saturating_sub(LEAST_RELEASE.min(self.grace_period / 10))
    }
}

impl Leaving {
    fn new(told_at: Instant, since: Instant) -> Self {
        let [requests, clean_up, stop, stop_now] = [Task::Open; 4];
        Self { told_at, since, cut_short: None, requests, clean_up, stop, stop_now }
    }

    pub(super) fn times(&self, settings: &Settings) -> impl Iterator<Item = Instant> {
        let of_signal = [settings.release_after(), settings.grace_period].map(|after| self.told_at + after);
        of_signal.into_iter().chain([self.since + settings.drain_delay])
    }
}

impl Member {
    /// What is to be done so that the balancer sends nothing any more, or to see whether it does.
    fn drain<K>(&mut self, name: K, now: Instant) -> Option<Command<K>> {
        let looks = self.call == Some(Call::Observing);
        let is_due = self.due.is_some_and(|due| due <= now);
        let may_call = self.call.is_none() && is_due;
        let leaves = match self.tie {
            // With luck it does not know us, and there is nothing to wait for.
            Tie::Unknown if may_call && self.retry.since.is_none() => {
                self.begin(Call::Observing, now);
                return Some(Command::Observe(name));
            }
            Tie::Unknown => may_call || self.looked_long_enough_at().is_some_and(|at| now >= at),
            Tie::Perhaps | Tie::Attached => may_call || (looks && is_due),
            Tie::Detached(_) if may_call => {
                self.begin(Call::Observing, now);
                return Some(Command::Observe(name));
            }
            _ => false,
        };
        leaves.then(|| {
            self.begin(Call::Detaching, now);
            self.has_tried_to_leave = true;
            Command::Detach(name)
        })
    }

    /// When a look that is under way has taken too long to be waited for.
    pub(super) fn looked_long_enough_at(&self) -> Option<Instant> {
        let looks = self.tie == Tie::Unknown && self.call == Some(Call::Observing);
        Some(self.called_at.filter(|_| looks)? + POLL)
    }

    /// What follows from a look.
    pub(super) fn seen_leaving(&mut self, standing: Standing, now: Instant, jitter: Jitter) {
        if matches!(self.tie, Tie::Detached(_)) && standing.is_registered() {
            // A registration that was given up has come late, or somebody has put us back.
            self.tie = Tie::Attached;
            self.standing = Some(standing);
            return self.failed("it has this target registered again".to_owned(), now, jitter);
        }
        let next = match (self.tie, &standing) {
            (Tie::Unknown, Standing::Absent) => {
                self.tie = Tie::None;
                None
            }
            (Tie::Unknown, Standing::Draining) => {
                self.tie = Tie::Detached(now);
                Some(now + POLL)
            }
            (Tie::Unknown, _) => {
                self.tie = Tie::Perhaps;
                Some(now)
            }
            (Tie::Perhaps | Tie::Attached, _) => Some(now),
            _ => Some(now + POLL),
        };
        self.succeeded(next);
        self.standing = Some(standing);
    }

    /// Whether the balancer sends nothing any more, or nothing more can be done about it.
    fn is_drained(&self, settings: &Settings, since: Instant, now: Instant) -> bool {
        match self.tie {
            Tie::None => self.call.is_none(),
            Tie::Releasing | Tie::Released => true,
            Tie::Unknown | Tie::Perhaps | Tie::Attached => {
                // A registration may have taken longer than the delay.
                now >= since + settings.drain_delay
                    && self.has_tried_to_leave
                    && matches!(self.call, None | Some(Call::Observing))
            }
            Tie::Detached(at) => {
                let is_gone = self.standing == Some(Standing::Absent) && !settings.drains_fully;
                now >= at + if is_gone { settings.least_drain() } else { settings.drain_delay }
            }
        }
    }

    /// What is to be done so that the balancer forgets us.
    fn release<K>(&mut self, name: K, now: Instant) -> Option<Command<K>> {
        match self.tie {
            Tie::Detached(_) => (self.tie, self.retry) = (Tie::Releasing, Retry::default()),
            Tie::Releasing if self.is_due(now) && self.is_releasing() => {}
            _ => return None,
        }
        self.begin(Call::Releasing, now);
        Some(Command::Release(name))
    }

    fn is_releasing(&self) -> bool {
        self.tie == Tie::Releasing && self.retry.failures < RELEASE_TRIES
    }

    /// Why the balancer may still know us at the end.
    fn left_behind(&self, settings: &Settings) -> Option<String> {
        match self.tie {
            Tie::None | Tie::Released => return None,
            Tie::Detached(_) if !settings.releases => return None,
            Tie::Unknown | Tie::Perhaps | Tie::Attached | Tie::Detached(_) | Tie::Releasing => {}
        }
        Some(self.retry.why_or_no_time())
    }
}

impl Retry {
    fn why_or_no_time(&self) -> String {
        self.why.clone().unwrap_or_else(|| "there was no time left".to_owned())
    }
}

impl List {
    /// Whether it tells what may know us, or nothing more can be done about it.
    fn is_over(&self, drain_is_over: bool) -> bool {
        self.was_complete || (drain_is_over && !self.is_under_way)
    }
}

impl<K: Clone + Ord> Membership<K> {
    /// Takes in an event that leaving is about.
    pub(super) fn leaving_event(&mut self, event: &Event<K>, now: Instant) {
        match (event, &self.phase) {
            (Event::Leave, Phase::Joined) => self.phase = Phase::Noticed(now),
            (Event::Leave, Phase::Waiting) if self.settings.taken_over => self.phase = Phase::Noticed(now),
            (Event::Leave | Event::Hurry | Event::Abort, Phase::Waiting | Phase::Joined) => {
                self.begin_to_leave(now, now);
            }
            (Event::Hurry | Event::Abort, Phase::Noticed(told_at)) => self.begin_to_leave(*told_at, now),
            _ => {}
        }
        let Phase::Leaving(leaving) = &mut self.phase else { return };
        match event {
            Event::Abort => leaving.cut_short = leaving.cut_short.or(Some(CutShort::Aborted)),
            Event::RequestsDone => leaving.requests = Task::Done,
            Event::CleanedUp => leaving.clean_up = Task::Done,
            Event::Stopped => leaving.stop = Task::Done,
            _ => {}
        }
    }

    /// Leaves, once others have had the time to learn of it.
    pub(super) fn end_notice(&mut self, now: Instant) {
        if let Phase::Noticed(told_at) = self.phase
            && now >= told_at + self.settings.notice()
        {
            self.begin_to_leave(told_at, now);
        }
    }

    fn begin_to_leave(&mut self, told_at: Instant, now: Instant) {
        self.phase = Phase::Leaving(Leaving::new(told_at, now));
        self.members.values_mut().for_each(|member| member.due = Some(now));
        self.list.due = (!self.list.was_complete).then_some(now);
    }

    /// What is due while the process leaves.
    pub(super) fn leave(&mut self, now: Instant) -> Vec<Command<K>> {
        let settings = self.settings;
        let Phase::Leaving(leaving) = &mut self.phase else { return Vec::new() };
        if now >= leaving.told_at + settings.grace_period {
            leaving.cut_short = leaving.cut_short.or(Some(CutShort::GracePeriodOver));
        }
        if leaving.stop == Task::Done {
            let cut_short = leaving.cut_short;
            self.phase = Phase::Ended;
            return vec![Command::End(self.end(cut_short))];
        }
        let mut commands = Vec::new();
        if leaving.cut_short.is_some() {
            leaving.stop_now.drive(Command::StopNow, &mut commands);
            return commands;
        }
        let since = leaving.since;
        let drain_is_over = now >= since + settings.drain_delay;
        if leaving.requests == Task::Open {
            if !drain_is_over || self.list.retry.since.is_none() {
                commands.extend(self.list(now));
            }
            let is_drained = |member: &Member| member.is_drained(&settings, since, now);
            if !self.list.is_over(drain_is_over) || !self.members.values().all(is_drained) {
                let members = self.members.iter_mut();
                commands.extend(members.filter_map(|(name, member)| member.drain(name.clone(), now)));
                return commands;
            }
            self.list.due = None;
        }
        let Self { phase: Phase::Leaving(leaving), members, .. } = self else { return commands };
        leaving.finish(&settings, members, now, &mut commands);
        commands
    }

    fn end(&self, cut_short: Option<CutShort>) -> End<K> {
        let left_behind =
            |(name, member): (&K, &Member)| Some((name.clone(), member.left_behind(&self.settings)?));
        End {
            left_behind: self.members.iter().filter_map(left_behind).collect(),
            unlisted: (!self.list.was_complete).then(|| self.list.retry.why_or_no_time()),
            cut_short,
        }
    }
}

impl Leaving {
    /// Goes as far as is possible now that no balancer sends anything.
    fn finish<K: Clone + Ord>(
        &mut self,
        settings: &Settings,
        members: &mut BTreeMap<K, Member>,
        now: Instant,
        commands: &mut Vec<Command<K>>,
    ) {
        let requests_done = self.requests.drive(Command::FinishRequests, commands);
        if !requests_done && now < self.told_at + settings.release_after() {
            return;
        }
        if settings.releases {
            commands
                .extend(members.iter_mut().filter_map(|(name, member)| member.release(name.clone(), now)));
            if members.values().any(Member::is_releasing) {
                return;
            }
        }
        if self.clean_up.drive(Command::CleanUp, commands) && requests_done {
            self.stop.drive(Command::Stop, commands);
        }
    }
}
