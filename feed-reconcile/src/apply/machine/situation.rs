//! How things stand, for health and `/status`.

use std::fmt;

use super::Apply;
use crate::apply::{Configuration, Outcome};
use crate::nginx::Generation;

/// How things stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Situation {
    /// The generation that was confirmed last.
    pub confirmed: Option<Generation>,
    /// How many routes are in it.
    pub routes: usize,
    /// Whether nginx is known to serve that one and no other.
    pub live: bool,
    /// Whether nginx serves what was desired last.
    pub up_to_date: bool,
    /// Whether nginx runs and serves a configuration that was confirmed, and the first one that was asked for has been
    /// dealt with.
    pub ready: bool,
    /// What an operator should know; empty when all is well.
    pub problems: Vec<Problem>,
}

/// What an operator should know. Its text is a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// nginx does not run.
    Down {
        /// Why, if it should.
        why: Option<String>,
        /// Whether somebody else must start it.
        sidecar: bool,
    },
    /// The name of what nginx reads cannot be set back.
    Stuck(String),
    /// The newest configuration failed.
    Failed {
        /// Its generation.
        generation: Generation,
        /// How it failed.
        outcome: Outcome,
        /// Why: nginx's own text, where there is one.
        text: String,
        /// The generation that is served instead.
        served: Option<Generation>,
    },
    /// The newest configuration has no route, and is held back.
    Empty {
        /// How many routes are served instead.
        routes: usize,
    },
    /// nginx serves something else than was confirmed last.
    Unconfirmed,
}

impl<C: Clone + PartialEq> Apply<C> {
    /// How things stand.
    pub fn situation(&self) -> Situation {
        Situation {
            confirmed: self.confirmed.as_ref().map(|version| version.generation),
            routes: self.confirmed.as_ref().map_or(0, |version| version.configuration.routes),
            live: self.live,
            up_to_date: self.is_up_to_date(),
            ready: self.up && self.settled && self.confirmed.is_some(),
            problems: self.problems(),
        }
    }

    /// Whether nginx serves what was desired last.
    pub fn is_up_to_date(&self) -> bool {
        let confirmed = self.confirmed.as_ref().map(|version| &version.configuration);
        self.live && self.desired.as_ref() == confirmed
    }

    fn problems(&self) -> Vec<Problem> {
        let served = self.confirmed.as_ref().filter(|_| self.up).map(|version| version.generation);
        let down = || Problem::Down { why: self.down_because.clone(), sidecar: self.settings.sidecar };
        let stuck = self.stuck.as_ref().map(|why| Problem::Stuck(why.clone()));
        let failed = self.failure.as_ref().map(|failure| Problem::Failed {
            generation: failure.version.generation,
            outcome: failure.outcome,
            text: failure.text.clone(),
            served,
        });
        let empty = self.desired.as_ref().and_then(|desired| self.routes_that_would_go(desired));
        let unconfirmed = self.up && self.settled && !self.live && self.confirmed.is_some();
        let problems = [
            (!self.up).then(down),
            stuck,
            failed,
            empty.map(|routes| Problem::Empty { routes }),
            unconfirmed.then_some(Problem::Unconfirmed),
        ];
        problems.into_iter().flatten().collect()
    }

    /// How many routes an empty configuration would remove against the operator's will.
    pub(super) fn routes_that_would_go(&self, configuration: &Configuration<C>) -> Option<usize> {
        let served = self.confirmed.as_ref().filter(|_| self.up || self.startable);
        let routes = served.map_or(0, |version| version.configuration.routes);
        (configuration.routes == 0 && routes > 0 && !self.settings.allow_empty).then_some(routes)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down { why: Some(why), .. } => write!(f, "nginx does not run: {why}"),
            Self::Down { why: None, sidecar: true } => {
                f.write_str("nginx does not run: waiting for the neighbouring container to start it")
            }
            Self::Down { why: None, sidecar: false } => {
                f.write_str("nginx does not run yet: nothing is known of the cluster so far")
            }
            Self::Stuck(why) => {
                write!(f, "what nginx would read is not confirmed, and cannot be set back: {why}")
            }
            Self::Failed { generation, outcome, text, served } => {
                match outcome {
                    Outcome::Refused => write!(f, "nginx refused configuration {generation}: {text}")?,
                    _ => write!(f, "configuration {generation} could not be applied: {text}")?,
                }
                match served {
                    Some(served) => write!(f, "; {served} is served instead"),
                    None => f.write_str("; nothing is served"),
                }
            }
            Self::Empty { routes } => write!(
                f,
                "there is no route any more: the last {routes} are still served; with --allow-empty they would not be"
            ),
            Self::Unconfirmed => {
                f.write_str("nginx serves another configuration than the one confirmed last")
            }
        }
    }
}
