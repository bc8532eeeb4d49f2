//! Bringing a configuration to nginx, and back: one at a time.
//!
//! A configuration is written → made live by its name → signalled → confirmed. When nginx refuses it, or does not
//! confirm it in time, the name goes back to the last confirmed one before anything else happens. So whatever dies
//! at whatever moment, what nginx reads is, or at once becomes again, something that was confirmed before.
//!
//! [`Apply`] decides; its caller carries out each [`Command`] and reports with an [`Event`] what came of it. At most
//! one command that is reported is under way; a further one takes its place.

mod machine;
mod restarts;
mod verdict;

use std::time::{Duration, Instant};

pub use self::machine::{Apply, Problem, Situation};
pub use self::verdict::{Place, place_of};
use crate::nginx::Generation;

/// What does not change while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether nginx is started by somebody else: then it is waited for, and never given up.
    pub sidecar: bool,
    /// How long nginx may take to confirm a configuration.
    pub confirm_timeout: Duration,
    /// How often in a row a dead nginx is started again.
    pub max_restarts: u32,
    /// Whether a configuration without routes may replace one with routes.
    pub allow_empty: bool,
}

/// A configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration<C> {
    /// The file's content but for its generation. Equal contents are never applied one after the other.
    pub content: C,
    /// How many routes are in it.
    pub routes: usize,
}

/// A configuration with its generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version<C> {
    /// Its generation.
    pub generation: Generation,
    /// The configuration.
    pub configuration: Configuration<C>,
}

/// What an earlier process has left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<C> {
    /// The configuration that was confirmed last.
    pub confirmed: Option<Version<C>>,
    /// Whether nginx could be started with it: not if it listens elsewhere than is asked for now.
    pub startable: bool,
    /// The generation that nginx would read.
    pub named: Option<Generation>,
    /// Whether nginx runs.
    pub running: Running,
    /// The largest generation that was ever used.
    pub last: Generation,
}

/// Whether nginx runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// It does not.
    No,
    /// It does, and says that it serves this generation, if it says anything.
    Yes(Option<Generation>),
}

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<C> {
    /// This is what should be served.
    Desired(Configuration<C>),
    /// The command under way has been carried out, or could not be: a sentence.
    Finished(Result<(), String>),
    /// [`Command::Start`] has been carried out: nginx runs.
    Started {
        /// Whether it answers with the generation asked for.
        confirmed: bool,
    },
    /// nginx has logged an error of level `emerg`: its own text.
    Emergency(String),
    /// nginx's master is no more: a sentence.
    Died(String),
    /// nginx says that it serves this generation.
    Observed(Generation),
    /// Whether everything that is desired goes out at once, without taking tokens: nobody is sent here before it is served.
    Urgent(bool),
    /// The time of [`Apply::wake_at`] has come.
    Woken,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command<C> {
    /// Write the configuration to a file of its own.
    Write(Version<C>),
    /// Let `nginx -t` read it.
    Test(Generation),
    /// Make it the one that nginx reads, by an atomic swap of the name.
    Name(Generation),
    /// Take over the nginx that runs, else start one (or wait for somebody to), and wait until it answers with this
    /// generation, or, with none, until it runs. Reported with [`Event::Started`], or a failure.
    Start(Option<Generation>),
    /// Signal nginx, and wait until it serves this generation and nothing else.
    Reload(Generation),
    /// Remember on disk that this one is confirmed, and remove what is no longer needed.
    Keep(Generation),
    /// Tell what became of a configuration. Not reported back.
    Tell(Report<C>),
    /// End the process, after leaving the load balancers: nginx cannot be kept alive. Not reported back.
    GiveUp(String),
}

/// What became of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<C> {
    /// The configuration.
    pub version: Version<C>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where it failed: nginx's own text, where there is one.
    pub text: Option<String>,
    /// Whether nginx was to be started with it, rather than reloaded.
    pub starts: bool,
    /// From the signal to nginx, or its start, until that; zero if it never came to a signal.
    pub took: Duration,
}

/// What became of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// nginx serves it and nothing else.
    Confirmed,
    /// nginx has refused it.
    Refused,
    /// nginx has neither confirmed nor refused it in time.
    TimedOut,
    /// It could not be written, named or signalled, or nginx died meanwhile.
    Failed,
}

impl Outcome {
    /// Every outcome there is.
    pub const ALL: [Self; 4] = [Self::Confirmed, Self::Refused, Self::TimedOut, Self::Failed];

    /// The stable name, for metrics and `/status`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Failed => "failed",
        }
    }
}

/// A configuration that failed, and when it may be tried again although it is the same.
#[derive(Clone, Debug)]
struct Failure<C> {
    version: Version<C>,
    outcome: Outcome,
    text: String,
    retry_at: Instant,
    delay: Duration,
}

/// How long a failed configuration is left alone at first; twice as long each further time.
const FIRST_RETRY: Duration = Duration::from_secs(30);

/// How long it is left alone at most.
const LAST_RETRY: Duration = Duration::from_mins(10);

/// How long until a swap of a name that failed is tried again.
const FILE_RETRY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests;
