//! Balancers and an nginx whose time is simulated.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::super::*;

type Name = &'static str;

/// How a kind of call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    Refused,
    Unknown,
}

impl Fault {
    fn outcome<T>(self, value: T) -> Result<T, String> {
        match self {
            Self::None => Ok(value),
            Self::Refused => Err("refused".to_owned()),
            Self::Unknown => Err("no answer".to_owned()),
        }
    }
}

#[derive(Debug)]
pub(super) struct Balancer {
    pub(super) registered: bool,
    registered_at: Instant,
    deregistered_at: Option<Instant>,
    pub(super) settles_after: Duration,
    pub(super) drains_in: Duration,
    pub(super) forgets: bool,
    /// Whether somebody has changed the registration.
    pub(super) outdated: bool,
    /// Whether it stays like that when we register again.
    pub(super) insists: bool,
    /// Whether it does not tell us how it sees us.
    pub(super) hides: bool,
    pub(super) observe: Fault,
    pub(super) attach: Fault,
    pub(super) detach: Fault,
    pub(super) release: Fault,
}

impl Balancer {
    fn standing(&self, now: Instant) -> Standing {
        match self.deregistered_at {
            _ if self.hides => Standing::Unseen("not allowed".to_owned()),
            _ if self.registered && now < self.registered_at + self.settles_after => {
                Standing::Settling("still settling".to_owned())
            }
            _ if self.registered && self.outdated => Standing::Outdated("another port".to_owned()),
            _ if self.registered => Standing::InService,
            Some(at) if now < at + self.drains_in => Standing::Draining,
            _ => Standing::Absent,
        }
    }
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) machine: Membership<Name>,
    pub(super) now: Instant,
    start: Instant,
    pub(super) jitter: Jitter,
    pub(super) listed: Vec<Name>,
    pub(super) former: Vec<Name>,
    pub(super) foreign: Vec<Name>,
    /// Why not all are listed.
    pub(super) trouble: Option<String>,
    balancers: BTreeMap<Name, Balancer>,
    pub(super) listing: Fault,
    pub(super) calls_take: Duration,
    pub(super) requests_take: Duration,
    /// What will be reported, and when.
    pub(super) pending: Vec<(Instant, Command<Name>)>,
    pub(super) trace: Vec<(Instant, String)>,
    pub(super) ended: Option<End<Name>>,
}

impl World {
    #[expect(
        clippy::disallowed_methods,
        reason = "an instant can only be made from the clock; only differences matter"
    )]
    pub(super) fn new(settings: Settings, listed: &[Name]) -> Self {
        let start = Instant::now();
        let mut world = Self {
            machine: Membership::new(settings),
            now: start,
            start,
            jitter: Jitter::new(1.0),
            listed: Vec::new(),
            former: Vec::new(),
            foreign: Vec::new(),
            trouble: None,
            balancers: BTreeMap::new(),
            listing: Fault::None,
            calls_take: Duration::ZERO,
            requests_take: Duration::ZERO,
            pending: Vec::new(),
            trace: Vec::new(),
            ended: None,
        };
        for name in listed {
            world.add(name);
        }
        world
    }

    pub(super) fn add(&mut self, name: Name) {
        self.listed.push(name);
        let balancer = Balancer {
            registered: false,
            registered_at: self.now,
            deregistered_at: None,
            settles_after: Duration::ZERO,
            drains_in: Duration::ZERO,
            forgets: false,
            outdated: false,
            insists: false,
            hides: false,
            observe: Fault::None,
            attach: Fault::None,
            detach: Fault::None,
            release: Fault::None,
        };
        self.balancers.insert(name, balancer);
    }

    pub(super) fn balancer(&mut self, name: Name) -> &mut Balancer {
        self.balancers.get_mut(name).unwrap()
    }

    /// Whether any balancer may send requests.
    pub(super) fn is_in_use(&self) -> bool {
        self.balancers.values().any(|balancer| balancer.registered)
    }

    /// Gives an event, and takes the commands.
    pub(super) fn event(&mut self, event: Event<Name>) {
        for command in self.machine.step(event, self.now, self.jitter) {
            self.take(command);
        }
    }

    fn take(&mut self, command: Command<Name>) {
        self.trace.push((self.now, text(&command)));
        assert!(self.ended.is_none(), "nothing after the end");
        let takes = match &command {
            Command::End(end) => {
                self.ended = Some(end.clone());
                return;
            }
            Command::FinishRequests => self.requests_take,
            Command::CleanUp | Command::Stop => Duration::ZERO,
            Command::StopNow => {
                self.pending.clear();
                Duration::ZERO
            }
            Command::List(_) => self.calls_take,
            Command::Observe(name)
            | Command::Attach(name)
            | Command::Detach(name)
            | Command::Release(name) => {
                let name = *name;
                self.pending.retain(|(_, other)| *other != Command::Observe(name));
                let busy = self.pending.iter().any(|(_, other)| subject(other) == Some(name));
                assert!(!busy, "{command:?} while a call is under way: {:?}", self.pending);
                self.calls_take
            }
        };
        self.pending.push((self.now + takes, command));
    }

    /// Lets so much time pass.
    pub(super) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..100_000 {
            let next = self
                .pending
                .iter()
                .enumerate()
                .min_by_key(|(_, (at, _))| *at)
                .map(|(index, (at, _))| (index, *at));
            let wake_at = self.machine.wake_at();
            match (next, wake_at) {
                (Some((index, at)), _) if at <= until && wake_at.is_none_or(|wake_at| at <= wake_at) => {
                    self.now = self.now.max(at);
                    let (_, command) = self.pending.remove(index);
                    let event = self.carry_out(&command);
                    self.event(event);
                }
                (_, Some(wake_at)) if wake_at <= until => {
                    assert!(wake_at > self.now, "woken again without time having passed");
                    self.now = wake_at;
                    self.event(Event::Woken);
                }
                _ => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("too much happens: {}", self.trace());
    }

    fn carry_out(&mut self, command: &Command<Name>) -> Event<Name> {
        let now = self.now;
        match *command {
            Command::List(ref known) => {
                let listed = Listed {
                    ours: self.listed.clone(),
                    former: self.former.iter().filter(|name| known.contains(*name)).copied().collect(),
                    foreign: self.foreign.iter().filter(|name| known.contains(*name)).copied().collect(),
                    trouble: self.trouble.clone(),
                    complete: self.trouble.is_none(),
                };
                Event::Listed(self.listing.outcome(listed))
            }
            Command::Observe(name) => {
                let balancer = self.balancer(name);
                Event::Observed(name, balancer.observe.outcome(balancer.standing(now)))
            }
            Command::Attach(name) => {
                let balancer = self.balancer(name);
                let refused = balancer.attach == Fault::Refused;
                let outcome = balancer.attach.outcome(()).map_err(|why| Failure { why, refused });
                if outcome.is_ok() && !balancer.forgets {
                    (balancer.registered, balancer.registered_at) = (true, now);
                    balancer.outdated &= balancer.insists;
                }
                Event::Attached(name, outcome)
            }
            Command::Detach(name) => {
                let balancer = self.balancer(name);
                let outcome = balancer.detach.outcome(());
                if outcome.is_ok() {
                    (balancer.registered, balancer.deregistered_at) = (false, Some(now));
                }
                Event::Detached(name, outcome)
            }
            Command::Release(name) => Event::Released(name, self.balancer(name).release.outcome(())),
            Command::CleanUp => Event::CleanedUp,
            Command::FinishRequests => Event::RequestsDone,
            Command::Stop | Command::StopNow => Event::Stopped,
            Command::End(_) => unreachable!("the end is not carried out"),
        }
    }

    pub(super) fn problems(&self) -> Vec<String> {
        self.machine.situation(self.now).problems.iter().map(ToString::to_string).collect()
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.machine.situation(self.now).problems.iter().any(Problem::takes_readiness)
    }

    pub(super) fn is_healthy(&self) -> bool {
        !self.machine.situation(self.now).problems.iter().any(Problem::is_unhealthy)
    }

    pub(super) fn end(&self) -> End<Name> {
        self.ended.clone().unwrap_or_else(|| panic!("not ended:\n{}", self.trace()))
    }

    /// When the command was given last.
    pub(super) fn at(&self, command: &str) -> Instant {
        self.trace.iter().rev().find(|(_, text)| text == command).unwrap().0
    }

    /// Every command with the seconds since the start.
    pub(super) fn trace(&self) -> String {
        let mut lines = String::new();
        for (at, text) in &self.trace {
            let seconds = (*at - self.start).as_secs_f64();
            writeln!(lines, "{seconds} {text}").unwrap();
        }
        lines.trim_end().to_owned()
    }
}

fn subject(command: &Command<Name>) -> Option<Name> {
    match command {
        Command::Observe(name) | Command::Attach(name) | Command::Detach(name) | Command::Release(name) => {
            Some(name)
        }
        _ => None,
    }
}

fn text(command: &Command<Name>) -> String {
    match command {
        Command::List(_) => "list".to_owned(),
        Command::Observe(name) => format!("observe {name}"),
        Command::Attach(name) => format!("attach {name}"),
        Command::Detach(name) => format!("detach {name}"),
        Command::Release(name) => format!("release {name}"),
        Command::CleanUp => "clean up".to_owned(),
        Command::FinishRequests => "finish requests".to_owned(),
        Command::Stop => "stop".to_owned(),
        Command::StopNow => "stop now".to_owned(),
        Command::End(end) => match &end.unlisted {
            Some(why) => format!("end {:?} {:?} not listed: {why}", end.left_behind, end.cut_short),
            None => format!("end {:?} {:?}", end.left_behind, end.cut_short),
        },
    }
}
