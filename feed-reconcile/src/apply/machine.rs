//! The machine itself: what each event changes.

mod next;
mod situation;

use std::time::{Duration, Instant};

pub use self::situation::{Problem, Situation};
use super::restarts::Restarts;
use super::{
    Command, Configuration, Event, FILE_RETRY, FIRST_RETRY, Failure, Found, LAST_RETRY, Outcome, Report,
    Running, Settings, Version,
};
use crate::nginx::Generation;
use crate::reload::{Bucket, Pace};

/// Decides which configuration nginx is given, and when it is started.
#[derive(Debug)]
pub struct Apply<C> {
    settings: Settings,
    phase: Phase<C>,
    /// Whether nginx runs.
    up: bool,
    /// Whether nginx is known to serve `confirmed`, and nothing else.
    live: bool,
    confirmed: Option<Version<C>>,
    /// Whether nginx can be started with `confirmed`.
    startable: bool,
    /// Whether the last start with `confirmed` failed.
    start_failed: bool,
    desired: Option<Configuration<C>>,
    /// The last configuration that failed, until another is confirmed.
    failure: Option<Failure<C>>,
    last: Generation,
    /// Whether the first configuration is still to come: it takes no token.
    start_up: bool,
    /// Whether what is desired takes no token either.
    urgent: bool,
    /// Whether the first configuration has been dealt with.
    settled: bool,
    down_because: Option<String>,
    stuck: Option<String>,
    restarts: Restarts,
    pace: Pace,
    /// Whether nginx was last seen to serve something else.
    doubted: bool,
    /// Not before this is nginx started again.
    start_at: Option<Instant>,
    /// Not before this is nginx told to go back to `confirmed` again.
    restore_at: Option<Instant>,
    given_up: bool,
    wake_at: Option<Instant>,
}

/// What is under way.
#[derive(Debug)]
enum Phase<C> {
    /// Nothing.
    Idle,
    /// A configuration is being applied.
    Attempting(Step, Attempt<C>),
    /// The name goes back to the confirmed configuration; tried again at `wake_at`, if that is set.
    Returning,
    /// A running nginx goes back to the confirmed configuration, by `wake_at` at the latest.
    Restoring,
    /// nginx is started with the confirmed configuration, or somebody else's is waited for.
    Starting,
}

/// How far a configuration has come.
#[derive(Clone, Copy, Debug)]
enum Step {
    Writing,
    Testing,
    Naming,
    Starting,
    /// By `wake_at` at the latest.
    Reloading,
    /// Tried again at `wake_at`, if that is set.
    Keeping,
}

#[derive(Debug)]
struct Attempt<C> {
    version: Version<C>,
    /// When nginx was told of it.
    told: Option<Instant>,
    /// How long it took nginx to confirm it.
    took: Option<Duration>,
    /// Whether nginx is started with it, rather than reloaded.
    starts: bool,
}

impl<C: Clone + PartialEq> Apply<C> {
    /// Takes over what an earlier process has left.
    pub fn begin(
        settings: Settings,
        found: Found<C>,
        now: Instant,
        bucket: &mut dyn Bucket,
    ) -> (Self, Vec<Command<C>>) {
        let confirmed = found.confirmed.as_ref().map(|version| version.generation);
        let is_named = confirmed.is_none() || found.named == confirmed;
        let mut machine = Self {
            settings,
            phase: if is_named { Phase::Idle } else { Phase::Returning },
            up: found.running != Running::No,
            live: is_named && confirmed.is_some() && found.running == Running::Yes(confirmed),
            confirmed: found.confirmed,
            startable: found.startable,
            start_failed: false,
            desired: None,
            failure: None,
            last: found.last,
            start_up: true,
            urgent: false,
            settled: false,
            down_because: None,
            stuck: None,
            restarts: Restarts::new(settings.max_restarts),
            pace: Pace::default(),
            doubted: false,
            start_at: None,
            restore_at: None,
            given_up: false,
            wake_at: None,
        };
        let mut commands = Vec::new();
        if machine.up {
            machine.restarts.up(now);
        }
        match confirmed {
            Some(generation) if !is_named => commands.push(Command::Name(generation)),
            _ => machine.proceed(now, bucket, &mut commands),
        }
        (machine, commands)
    }

    /// Takes an event in; the commands are to be carried out in their order.
    pub fn step(&mut self, event: Event<C>, now: Instant, bucket: &mut dyn Bucket) -> Vec<Command<C>> {
        let mut commands = Vec::new();
        match event {
            Event::Desired(configuration) => self.desired(configuration, now),
            Event::Finished(result) => self.finished(result, now, &mut commands),
            Event::Started { confirmed } => self.started(confirmed, now, &mut commands),
            Event::Emergency(text) => self.emergency(text, now, &mut commands),
            Event::Died(text) => self.nginx_died(text, now, &mut commands),
            Event::Observed(generation) => self.observed(generation),
            Event::Urgent(urgent) => self.urgent = urgent,
            Event::Woken => self.woken(now, &mut commands),
        }
        if matches!(self.phase, Phase::Idle) {
            self.proceed(now, bucket, &mut commands);
        }
        commands
    }

    /// The configuration that was confirmed last.
    pub fn confirmed_configuration(&self) -> Option<&Configuration<C>> {
        self.confirmed.as_ref().map(|version| &version.configuration)
    }

    /// When [`Event::Woken`] should come, if nothing else comes before.
    pub fn wake_at(&self) -> Option<Instant> {
        self.wake_at
    }

    fn desired(&mut self, configuration: Configuration<C>, now: Instant) {
        if self.desired.as_ref() != Some(&configuration) {
            self.pace.changed(now);
            self.desired = Some(configuration);
        }
    }

    /// Something else counts when it is seen twice: the first answer may be from before the last confirmation.
    fn observed(&mut self, generation: Generation) {
        let confirmed = self.confirmed.as_ref().map(|version| version.generation);
        let differs =
            matches!(self.phase, Phase::Idle) && self.up && confirmed.is_some_and(|own| own != generation);
        if differs && self.doubted {
            self.live = false;
        }
        self.doubted = differs;
    }

    fn woken(&mut self, now: Instant, commands: &mut Vec<Command<C>>) {
        if self.wake_at.is_none_or(|wake_at| now < wake_at) {
            return;
        }
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Idle | Phase::Starting => {}
            Phase::Attempting(Step::Reloading, attempt) => {
                self.live = false;
                let text = format!("nginx has not confirmed it within {:?}", self.settings.confirm_timeout);
                self.fail(attempt, Outcome::TimedOut, text, now, commands);
                self.return_name(commands);
            }
            Phase::Attempting(Step::Keeping, attempt) => self.keep(attempt, commands),
            Phase::Attempting(step, attempt) => self.phase = Phase::Attempting(step, attempt),
            Phase::Returning => self.return_name(commands),
            Phase::Restoring => self.not_restored(now),
        }
    }

    fn finished(&mut self, result: Result<(), String>, now: Instant, commands: &mut Vec<Command<C>>) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Idle => {}
            Phase::Attempting(step, attempt) => match result {
                Ok(()) => self.advance(step, attempt, now, commands),
                Err(text) => self.failed(step, attempt, text, now, commands),
            },
            Phase::Returning => match result {
                Ok(()) => self.stuck = None,
                Err(text) => {
                    self.stuck = Some(text);
                    self.phase = Phase::Returning;
                    self.wake_at = Some(now + FILE_RETRY);
                }
            },
            Phase::Restoring => match result {
                Ok(()) => self.live = true,
                Err(_) => self.not_restored(now),
            },
            Phase::Starting => {
                self.start_failed = true;
                self.down(result.err(), now, commands);
            }
        }
    }

    /// The next step of a configuration after one that went well.
    fn advance(&mut self, step: Step, mut attempt: Attempt<C>, now: Instant, commands: &mut Vec<Command<C>>) {
        let generation = attempt.version.generation;
        let lost = !self.up && !attempt.starts;
        let (step, command) = match step {
            // nginx died meanwhile: it is started with what is confirmed, and this comes again afterwards.
            Step::Writing if lost => return self.pace.ended(now),
            Step::Naming if lost => {
                self.pace.ended(now);
                return self.return_name(commands);
            }
            Step::Writing if attempt.starts => (Step::Testing, Command::Test(generation)),
            Step::Writing | Step::Testing => (Step::Naming, Command::Name(generation)),
            Step::Naming if attempt.starts => {
                attempt.told = Some(now);
                (Step::Starting, Command::Start(Some(generation)))
            }
            Step::Naming => {
                attempt.told = Some(now);
                self.wake_at = Some(now + self.settings.confirm_timeout);
                (Step::Reloading, Command::Reload(generation))
            }
            Step::Starting | Step::Reloading => return self.confirmed(attempt, now, commands),
            Step::Keeping => return self.confirm(attempt, now, commands),
        };
        self.phase = Phase::Attempting(step, attempt);
        commands.push(command);
    }

    /// A step of a configuration went wrong.
    fn failed(
        &mut self,
        step: Step,
        attempt: Attempt<C>,
        text: String,
        now: Instant,
        commands: &mut Vec<Command<C>>,
    ) {
        match step {
            Step::Writing => self.fail(attempt, Outcome::Failed, text, now, commands),
            Step::Testing => self.fail(attempt, Outcome::Refused, text, now, commands),
            Step::Naming => {
                self.fail(attempt, Outcome::Failed, text, now, commands);
                self.return_name(commands);
            }
            Step::Reloading => {
                self.live = false;
                self.fail(attempt, Outcome::Failed, text, now, commands);
                self.return_name(commands);
            }
            // Starting again is the restarts' business, not that of the configuration: its test went well.
            Step::Starting => {
                commands.push(Command::Tell(attempt.report(Outcome::Failed, Some(text.clone()), now)));
                self.return_name(commands);
                self.down(Some(text), now, commands);
            }
            Step::Keeping => {
                self.phase = Phase::Attempting(Step::Keeping, attempt);
                self.wake_at = Some(now + FILE_RETRY);
            }
        }
    }

    fn started(&mut self, confirmed: bool, now: Instant, commands: &mut Vec<Command<C>>) {
        self.up = true;
        self.down_because = None;
        self.restarts.up(now);
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Attempting(Step::Starting, attempt) if confirmed => self.confirmed(attempt, now, commands),
            Phase::Attempting(Step::Starting, attempt) => {
                self.live = false;
                let text = format!("nginx has not confirmed it within {:?}", self.settings.confirm_timeout);
                self.fail(attempt, Outcome::TimedOut, text, now, commands);
                self.return_name(commands);
            }
            Phase::Starting => {
                self.live = confirmed;
                self.start_failed = false;
            }
            other => self.phase = other,
        }
    }

    fn emergency(&mut self, text: String, now: Instant, commands: &mut Vec<Command<C>>) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Attempting(Step::Reloading, attempt) => {
                self.fail(attempt, Outcome::Refused, text, now, commands);
                self.return_name(commands);
            }
            Phase::Restoring => self.not_restored(now),
            other => self.phase = other,
        }
    }

    fn nginx_died(&mut self, text: String, now: Instant, commands: &mut Vec<Command<C>>) {
        if !self.up {
            return;
        }
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Attempting(Step::Reloading, attempt) => {
                let text = format!("{text} while it took it up");
                self.fail(attempt, Outcome::Failed, text, now, commands);
                self.return_name(commands);
            }
            Phase::Restoring => {}
            other => self.phase = other,
        }
        self.down(Some(text), now, commands);
    }

    /// nginx does not run: it is started again after a pause, or given up.
    fn down(&mut self, why: Option<String>, now: Instant, commands: &mut Vec<Command<C>>) {
        self.up = false;
        self.live = false;
        self.restore_at = None;
        if !self.settings.sidecar {
            self.start_at = self.restarts.died(now).map(|pause| now + pause);
            self.given_up = self.start_at.is_none();
        }
        if self.given_up {
            let why = why.as_deref().unwrap_or("it did not start");
            let times = self.settings.max_restarts;
            commands.push(Command::GiveUp(format!(
                "nginx cannot be kept alive: {why}; it was started again {times} times (--nginx-max-restarts)"
            )));
        }
        self.down_because = why;
    }

    /// The name goes back to what is confirmed, if there is such a thing.
    fn return_name(&mut self, commands: &mut Vec<Command<C>>) {
        self.wake_at = None;
        match &self.confirmed {
            Some(version) => {
                commands.push(Command::Name(version.generation));
                self.phase = Phase::Returning;
            }
            None => self.phase = Phase::Idle,
        }
    }

    fn not_restored(&mut self, now: Instant) {
        self.live = false;
        self.restore_at = Some(now + FIRST_RETRY);
    }

    fn confirmed(&mut self, mut attempt: Attempt<C>, now: Instant, commands: &mut Vec<Command<C>>) {
        attempt.took = attempt.told.map(|told| now.saturating_duration_since(told));
        self.keep(attempt, commands);
    }

    fn keep(&mut self, attempt: Attempt<C>, commands: &mut Vec<Command<C>>) {
        self.wake_at = None;
        commands.push(Command::Keep(attempt.version.generation));
        self.phase = Phase::Attempting(Step::Keeping, attempt);
    }

    fn confirm(&mut self, attempt: Attempt<C>, now: Instant, commands: &mut Vec<Command<C>>) {
        commands.push(Command::Tell(attempt.report(Outcome::Confirmed, None, now)));
        self.live = self.up;
        // Even if the next one goes out at once.
        self.settled = true;
        self.startable = true;
        self.start_failed = false;
        self.failure = None;
        self.restore_at = None;
        self.confirmed = Some(attempt.version);
        self.pace.ended(now);
    }

    fn fail(
        &mut self,
        attempt: Attempt<C>,
        outcome: Outcome,
        text: String,
        now: Instant,
        commands: &mut Vec<Command<C>>,
    ) {
        commands.push(Command::Tell(attempt.report(outcome, Some(text.clone()), now)));
        let content = &attempt.version.configuration;
        let again = self.failure.as_ref().filter(|failure| failure.version.configuration == *content);
        let delay = again.map_or(FIRST_RETRY, |failure| (failure.delay * 2).min(LAST_RETRY));
        self.failure =
            Some(Failure { version: attempt.version, outcome, text, retry_at: now + delay, delay });
        self.pace.ended(now);
    }
}

impl<C: Clone> Attempt<C> {
    fn report(&self, outcome: Outcome, text: Option<String>, now: Instant) -> Report<C> {
        let until_now = self.told.map(|told| now.saturating_duration_since(told));
        let took = self.took.or(until_now).unwrap_or_default();
        Report { version: self.version.clone(), outcome, text, starts: self.starts, took }
    }
}
