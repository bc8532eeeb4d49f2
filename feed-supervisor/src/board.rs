//! What operators see: health, metrics, `/status`, and the log.

mod page;

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use feed_reconcile::apply::{Outcome, Problem, Report, Situation};
use feed_reconcile::diagnostic::{Diagnostics, Severity};
use feed_reconcile::key::ObjectName;
use feed_reconcile::nginx::{Generation, Rendered};
use feed_reconcile::path::RoutePath;
use feed_reconcile::reconcile::Handover;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info, warn};

pub use self::page::NginxPage;
use crate::certificates::overview::Entry;
use crate::compute::Computed;
use crate::metrics::IngressMetrics;
use crate::nginx::content::Content;
use crate::runtime::health::{Condition, Health};

/// How many Ingresses a line of the log names.
const FIRST: usize = 5;

/// How many ends of reloads `/status` shows.
const HISTORY: usize = 20;

/// What operators see; clones show the same.
#[derive(Clone, Debug)]
pub struct Board {
    health: Health,
    metrics: IngressMetrics,
    shown: Arc<Mutex<Shown>>,
    ready: watch::Sender<bool>,
    diagnostics: watch::Sender<Arc<Diagnostics>>,
}

#[derive(Debug, Default)]
struct Shown {
    /// The configuration that nginx is known to serve, and since when.
    served: Option<Served>,
    ingresses: usize,
    /// What was said last of what was computed.
    said: Option<Counts>,
    certificates: Arc<[Entry]>,
    problems: Vec<String>,
    /// The newest first.
    history: VecDeque<Past>,
    /// The last that was not confirmed.
    failure: Option<Past>,
}

#[derive(Clone, Copy, Debug)]
struct Served {
    generation: Generation,
    routes: usize,
    since: Instant,
}

/// What was computed, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    /// Adopted ones.
    ingresses: usize,
    routes: usize,
    errors: usize,
    warnings: usize,
    quarantined: usize,
}

impl Counts {
    fn of(computed: &Computed) -> Self {
        let of = |severity| {
            computed.diagnostics.iter().filter(|diagnostic| diagnostic.code.severity() == severity).count()
        };
        Self {
            ingresses: computed.ingresses,
            routes: computed.rendered.as_ref().map_or(0, Rendered::routes),
            errors: of(Severity::Error),
            warnings: of(Severity::Warning),
            quarantined: computed.quarantined,
        }
    }
}

/// How a configuration ended.
#[derive(Clone, Debug)]
struct Past {
    generation: Generation,
    outcome: Outcome,
    at: Timestamp,
    starts: bool,
    took: Duration,
    routes: usize,
    /// nginx's own text, where there is one.
    text: Option<String>,
    blame: Blame,
}

/// What nginx complains of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blame {
    /// The line of its configuration, from 1.
    pub line: Option<usize>,
    /// The Ingresses behind that line.
    pub ingresses: BTreeSet<ObjectName>,
}

impl Board {
    /// A board that shows nothing yet.
    pub fn new(health: Health, metrics: IngressMetrics) -> Self {
        let (ready, diagnostics) = (watch::Sender::new(false), watch::Sender::default());
        Self { health, metrics, shown: Arc::default(), ready, diagnostics }
    }

    /// Everything that is wrong with the cluster's objects.
    pub fn diagnostics(&self) -> watch::Receiver<Arc<Diagnostics>> {
        self.diagnostics.subscribe()
    }

    /// Whether nginx serves what it should, so that others may be told to send requests here.
    pub fn readiness(&self) -> watch::Receiver<bool> {
        self.ready.subscribe()
    }

    /// Shows what was computed.
    pub fn computed(&self, computed: &Computed) {
        self.metrics.diagnostics(computed.diagnostics.iter());
        let condition = match &computed.rendered {
            Ok(_) => Condition::Good,
            Err(error) => Condition::Unhealthy(format!("{error}; what was served last still is")),
        };
        self.health.report("template", condition);
        self.metrics.quarantined(computed.quarantined);
        let before = self.diagnostics.send_replace(Arc::clone(&computed.diagnostics));
        log_new(&before, &computed.diagnostics);
        computed.handovers.iter().for_each(log_handover);
        let mut shown = self.shown();
        shown.ingresses = computed.ingresses;
        let counts = Counts::of(computed);
        if shown.said.replace(counts) != Some(counts) {
            let Counts { ingresses, routes, errors, warnings, quarantined } = counts;
            info!(ingresses, routes, errors, warnings, quarantined, "Computed what is to be served.");
        }
        shown.certificates = Arc::clone(&computed.certificates);
        drop(shown);
        self.metrics.certificates(&computed.certificates);
    }

    /// Says why there is a new configuration: the Ingresses by which it differs from the one before.
    pub fn changes(&self, generation: Generation, ingresses: &BTreeSet<ObjectName>) {
        let (ingresses, others) = (first_names(ingresses), ingresses.len().saturating_sub(FIRST));
        match (ingresses.is_empty(), others) {
            (true, _) => info!(%generation, "A new configuration goes out; its routes are the same."),
            (false, 0) => info!(%generation, ingresses, "A new configuration goes out."),
            (false, others) => info!(%generation, ingresses, others, "A new configuration goes out."),
        }
    }

    /// Counts a reload that begins.
    pub fn reload_begun(&self) {
        self.metrics.reload_begun();
    }

    /// Counts a change, seen at that moment, that is served now.
    pub fn change_served(&self, seen: Option<Instant>) {
        if let Some(seen) = seen {
            self.metrics.change_served(seen);
        }
    }

    /// Shows what became of a configuration.
    pub fn told(&self, report: &Report<Content>, blame: Blame) {
        let past = Past {
            generation: report.version.generation,
            outcome: report.outcome,
            at: Timestamp::now(),
            starts: report.starts,
            took: report.took,
            routes: report.version.configuration.routes,
            text: report.text.clone(),
            blame,
        };
        past.log();
        if !past.starts {
            self.metrics.reload_ended(past.outcome, past.took);
        }
        let mut shown = self.shown();
        if past.outcome != Outcome::Confirmed {
            shown.failure = Some(past.clone());
        }
        shown.history.push_front(past);
        shown.history.truncate(HISTORY);
    }

    /// Shows how things stand; `complete` says whether nobody innocent may be missing in what was confirmed last.
    pub fn situation(&self, situation: &Situation, complete: bool) {
        let mut shown = self.shown();
        if let (Some(generation), true) = (situation.confirmed, situation.live)
            && shown.served.is_none_or(|served| served.generation != generation)
        {
            let routes = situation.routes;
            shown.served = Some(Served { generation, routes, since: Instant::now() });
            self.metrics.configuration_confirmed(generation.0, routes);
        }
        // What is incomplete is nothing to begin with, but better than what nobody serves.
        let ready = situation.ready && (*self.ready.borrow() || complete);
        self.ready.send_replace(ready);
        let down = situation.problems.iter().find(|problem| matches!(problem, Problem::Down { .. }));
        let others = situation.problems.iter().filter(|problem| !matches!(problem, Problem::Down { .. }));
        let others: Vec<String> = others.map(|problem| sentence(problem, shown.failure.as_ref())).collect();
        self.health.report("nginx", down.map_or(Condition::Good, condition_of_down));
        self.health.report("configuration", condition_of_configuration(ready, down.is_some(), &others));
        let problems: Vec<String> = down.map(ToString::to_string).into_iter().chain(others).collect();
        if shown.problems != problems {
            for problem in problems.iter().filter(|problem| !shown.problems.contains(problem)) {
                if matches!(down, Some(Problem::Down { why: None, .. })) {
                    info!("{}.", capitalized(problem));
                } else {
                    warn!("{}.", capitalized(problem));
                }
            }
            if problems.is_empty() {
                info!("All is well: nginx serves what it should.");
            }
            shown.problems = problems;
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Past {
    fn log(&self) {
        let Self { generation, routes, took, .. } = self;
        match (self.outcome, &self.text) {
            (Outcome::Confirmed, _) => info!(%generation, routes, ?took, "nginx serves a new configuration."),
            (outcome, text) => error!(
                %generation,
                outcome = outcome.as_str(),
                ingresses = names(&self.blame.ingresses),
                "nginx does not serve a new configuration: {}.",
                text.as_deref().unwrap_or_default()
            ),
        }
    }
}

/// The sentence for a problem, with the Ingresses to look at.
fn sentence(problem: &Problem, failure: Option<&Past>) -> String {
    let blamed = match problem {
        Problem::Failed { generation, .. } => failure.filter(|failure| failure.generation == *generation),
        _ => None,
    };
    match blamed.map(|failure| &failure.blame.ingresses).filter(|ingresses| !ingresses.is_empty()) {
        Some(ingresses) => format!("{problem}; the line is there because of Ingress {}", names(ingresses)),
        None => problem.to_string(),
    }
}

fn capitalized(sentence: &str) -> String {
    let mut letters = sentence.chars();
    let first = letters.next().filter(|_| !sentence.starts_with("nginx"));
    first.map_or_else(|| sentence.to_owned(), |first| first.to_uppercase().chain(letters).collect())
}

fn first_names(ingresses: &BTreeSet<ObjectName>) -> String {
    names(&ingresses.iter().take(FIRST).cloned().collect())
}

fn names(ingresses: &BTreeSet<ObjectName>) -> String {
    ingresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn condition_of_down(problem: &Problem) -> Condition {
    match problem {
        Problem::Down { why: None, .. } => Condition::NotReady(problem.to_string()),
        _ => Condition::Down(problem.to_string()),
    }
}

fn condition_of_configuration(ready: bool, is_down: bool, problems: &[String]) -> Condition {
    let sentence = problems.join("; ");
    match (sentence.is_empty(), ready) {
        (false, true) => Condition::Unhealthy(sentence),
        (false, false) => Condition::Down(sentence),
        (true, false) if !is_down => {
            Condition::NotReady("the first complete configuration is not confirmed yet".into())
        }
        (true, _) => Condition::Good,
    }
}

/// Logs that paths of a host change hands: a warning where they leave the namespace.
fn log_handover(Handover { host, from, to, paths }: &Handover) {
    let first: Vec<&str> = paths.iter().take(FIRST).map(RoutePath::as_str).collect();
    let others = match paths.len().saturating_sub(FIRST) {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    let paths = first.join(", ");
    let what = host.as_ref().map_or_else(
        || "What is declared for undeclared hosts changes hands".to_owned(),
        |host| format!("Host {host} changes hands"),
    );
    if from.namespace == to.namespace {
        info!(%from, %to, "{what} from Ingress {from} to Ingress {to}: {paths}{others}.");
    } else {
        warn!(%from, %to, "{what} from Ingress {from} to Ingress {to} of another namespace: {paths}{others}.");
    }
}

/// Logs the problems that were not there before.
fn log_new(before: &Diagnostics, now: &Diagnostics) {
    for diagnostic in now.difference(before) {
        let object = diagnostic.object.to_string();
        let (code, field) = (diagnostic.code.as_str(), diagnostic.field.to_string());
        match diagnostic.code.severity() {
            Severity::Error => error!(code, object, field, "{}", diagnostic.message),
            Severity::Warning => warn!(code, object, field, "{}", diagnostic.message),
        }
    }
}

#[cfg(test)]
mod tests;
