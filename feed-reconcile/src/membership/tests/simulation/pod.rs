//! A pod: one process after another, and the nginx that they share.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::aws::{Aws, Kind, NEIGHBOURS};
use super::*;

type Name = &'static str;

/// What becomes of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    Refused,
    /// It was done, and the answer is lost.
    AnswerLost,
    /// It was not done.
    QuestionLost,
}

/// A call that is under way.
#[derive(Debug)]
struct Call {
    command: Command<Name>,
    fate: Fate,
    /// When it is carried out, and whether it was.
    at: Instant,
    is_done: bool,
    answered: Instant,
    /// What is told of it.
    event: Option<Event<Name>>,
}

/// One process.
#[derive(Debug)]
struct Process {
    machine: Membership<Name>,
    calls: Vec<Call>,
    /// When nginx is known to serve.
    serves_at: Option<Instant>,
    /// Those that it has been told of: with others it has nothing to do.
    listed: BTreeSet<Name>,
    /// Those of which it knows that they knew us.
    seen: BTreeSet<Name>,
    /// Those that it has been told are others'.
    foreign: BTreeSet<Name>,
    is_leaving: bool,
}

#[derive(Debug)]
pub(super) struct Pod {
    kind: Kind,
    pub(super) aws: Aws,
    pub(super) weather: Weather,
    pub(super) now: Instant,
    process: Process,
    ended: Option<(Instant, End<Name>)>,
    /// When nginx has ended.
    stopped: Option<Instant>,
}

impl Process {
    fn new(kind: Kind, serves_at: Instant) -> Self {
        Self {
            seen: BTreeSet::new(),
            foreign: BTreeSet::new(),
            is_leaving: false,
            machine: Membership::new(kind.settings()),
            calls: Vec::new(),
            serves_at: Some(serves_at),
            listed: BTreeSet::new(),
        }
    }
}

impl Pod {
    #[expect(
        clippy::disallowed_methods,
        reason = "an instant can only be made from the clock; only differences matter"
    )]
    pub(super) fn new(kind: Kind, dice: &mut Dice) -> Self {
        let now = Instant::now();
        let weather = if dice.one_in(2) { Weather::FINE } else { Weather::of(dice) };
        let process = Process::new(kind, now + dice.time(seconds(10)));
        let aws = Aws::new(kind, now, dice);
        Self { kind, aws, weather, now, process, ended: None, stopped: None }
    }

    /// The process is killed, and comes back; nginx goes on.
    pub(super) fn kill(&mut self, dice: &mut Dice) {
        let calls = std::mem::take(&mut self.process.calls);
        for call in calls.into_iter().filter(|call| !call.is_done) {
            // It was sent, or not yet.
            if dice.one_in(2) {
                self.carry_out(&call.command, &call.fate);
            }
        }
        self.process = Process::new(self.kind, self.now + dice.time(seconds(10)));
    }

    pub(super) fn leave(&mut self) {
        self.process.is_leaving = true;
        self.step(Event::Leave, &mut Dice::new(1));
    }

    pub(super) fn problems(&self) -> Vec<String> {
        self.process.machine.situation(self.now).problems.iter().map(ToString::to_string).collect()
    }

    pub(super) fn end(&self) -> End<Name> {
        self.ended.clone().expect("it has ended").1
    }

    /// No request comes to an nginx that has ended, unless it was said that some may.
    pub(super) fn check_the_end(&self) {
        let (_, end) = self.ended.as_ref().expect("it has ended");
        let stopped = self.stopped.expect("nginx has ended");
        for name in &self.process.listed {
            let is_told = end.cut_short.is_some() || end.left_behind.iter().any(|(left, _)| left == name);
            assert!(is_told || !self.aws.has_us(name), "{name} is left behind: {end:?}");
            // Of one that somebody else took us out of before the first look, nothing tells that it still sends requests.
            let sends = self.process.seen.contains(name) && self.aws.sends(name, stopped);
            assert!(is_told || !sends, "{name} sends requests to nobody: {end:?}");
        }
        assert!(self.aws.has_us(NEIGHBOURS), "what others have registered stays");
    }

    /// Lets so much time pass.
    pub(super) fn run(&mut self, time: Duration, dice: &mut Dice) {
        let until = self.now + time;
        for _ in 0..100_000 {
            if self.ended.is_some() {
                break;
            }
            let Process { machine, calls, serves_at, .. } = &self.process;
            let of_calls = calls.iter().map(|call| if call.is_done { call.answered } else { call.at });
            let next = of_calls.chain(machine.wake_at()).chain(*serves_at).min();
            let Some(next) = next.filter(|next| *next <= until) else { break };
            self.now = self.now.max(next);
            self.happen(dice);
        }
        self.now = self.now.max(until);
    }

    /// What is due.
    fn happen(&mut self, dice: &mut Dice) {
        let now = self.now;
        if let Some(index) = self.process.calls.iter().position(|call| !call.is_done && call.at <= now) {
            let mut call = self.process.calls.remove(index);
            call.event = Some(self.carry_out(&call.command, &call.fate));
            call.is_done = true;
            self.process.calls.push(call);
        } else if let Some(index) = self.process.calls.iter().position(|call| call.answered <= now) {
            let call = self.process.calls.remove(index);
            let event = call.event.expect("it was carried out");
            if let Event::Listed(Ok(Listed { ours, former, foreign, .. })) = &event {
                self.process.listed.extend(ours.iter().chain(former).chain(foreign));
                self.process.foreign.extend(foreign);
            }
            match &event {
                Event::Observed(name, Ok(standing)) if *standing != Standing::Absent => {
                    self.process.seen.insert(*name);
                }
                Event::Attached(name, Ok(())) | Event::Detached(name, Ok(())) => {
                    self.process.seen.insert(*name);
                }
                _ => {}
            }
            self.step(event, dice);
        } else if self.process.serves_at.is_some_and(|at| at <= now) {
            self.process.serves_at = None;
            self.step(Event::Serving, dice);
        } else {
            self.step(Event::Woken, dice);
        }
    }

    fn step(&mut self, event: Event<Name>, dice: &mut Dice) {
        let jitter = Jitter::new(f64::from(u32::try_from(dice.below(100)).unwrap()) / 100.0);
        for command in self.process.machine.step(event, self.now, jitter) {
            self.take(command, dice);
        }
    }

    fn take(&mut self, command: Command<Name>, dice: &mut Dice) {
        let now = self.now;
        if let Command::End(end) = command {
            self.ended = Some((now, end));
            return;
        }
        if let Command::Detach(name) = command {
            let Process { listed, foreign, is_leaving, .. } = &self.process;
            assert!(listed.contains(name), "{name} is none of its business");
            assert!(*is_leaving || foreign.contains(name), "{name} is not left before the end");
        }
        if let Some(name) = subject(&command) {
            self.process.calls.retain(|call| call.command != Command::Observe(name));
            let busy = self.process.calls.iter().any(|call| subject(&call.command) == Some(name));
            assert!(!busy, "{command:?} while another call is under way");
        }
        let of_nginx =
            matches!(command, Command::FinishRequests | Command::CleanUp | Command::Stop | Command::StopNow);
        let slowness = if of_nginx { seconds(3) } else { self.weather.slowness };
        let answered = now + dice.time(slowness);
        let at = now + (answered - now).mul_f64(0.5);
        let fate = if of_nginx { Fate::Done } else { self.fate(dice) };
        self.process.calls.push(Call { command, fate, at, is_done: false, answered, event: None });
    }

    fn fate(&self, dice: &mut Dice) -> Fate {
        let Weather { refused, answer_lost, question_lost, .. } = self.weather;
        match dice.below(16) {
            number if number < refused => Fate::Refused,
            number if number < refused + answer_lost => Fate::AnswerLost,
            number if number < refused + answer_lost + question_lost => Fate::QuestionLost,
            _ => Fate::Done,
        }
    }

    /// Does what was asked, if it comes to that; what will be told of it.
    fn carry_out(&mut self, command: &Command<Name>, fate: &Fate) -> Event<Name> {
        let now = self.now;
        let is_done = matches!(fate, Fate::Done | Fate::AnswerLost);
        let lost = match fate {
            Fate::Done => None,
            Fate::Refused => Some("throttled".to_owned()),
            Fate::AnswerLost | Fate::QuestionLost => Some("no answer".to_owned()),
        };
        let failure = lost.clone().map(|why| Failure { why, refused: *fate == Fate::Refused });
        let outcome = lost.clone().map_or(Ok(()), Err);
        match command {
            Command::List(known) => {
                let is_cut_off = self.weather.cut_off > 8;
                let hidden = is_cut_off.then_some("b");
                Event::Listed(lost.map_or_else(|| Ok(self.aws.list(known, hidden)), Err))
            }
            Command::Observe(name) => {
                let standing = if self.weather.blind {
                    Standing::Unseen("not allowed".to_owned())
                } else {
                    self.aws.standing(name, now)
                };
                Event::Observed(name, lost.map_or(Ok(standing), Err))
            }
            Command::Attach(name) => {
                let found = if is_done { self.aws.register(name, now) } else { Some(()) };
                let missing = Failure { why: "it is not there".to_owned(), refused: true };
                let answer = failure.or_else(|| found.is_none().then_some(missing)).map_or(Ok(()), Err);
                Event::Attached(name, answer)
            }
            Command::Detach(name) => {
                if is_done {
                    self.aws.take_out(name, now);
                }
                Event::Detached(name, outcome)
            }
            Command::Release(name) => Event::Released(name, outcome),
            Command::CleanUp => Event::CleanedUp,
            Command::FinishRequests => Event::RequestsDone,
            Command::Stop | Command::StopNow => {
                self.stopped = Some(now);
                Event::Stopped
            }
            Command::End(_) => unreachable!("the end is not carried out"),
        }
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
