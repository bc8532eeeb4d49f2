//! Whether the process does its job, and whether it may be sent requests: named conditions, each with a reason.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What one part of the process says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// All is well.
    Good,
    /// Requests should go elsewhere, though nothing is wrong; with the reason, a sentence.
    NotReady(String),
    /// Something needs attention, but requests are still served; with the reason, a sentence.
    Unhealthy(String),
    /// Something needs attention, and requests should go elsewhere; with the reason, a sentence.
    Down(String),
}

impl Condition {
    /// Why `/readiness` fails, if it does.
    fn not_ready(&self) -> Option<&str> {
        match self {
            Self::NotReady(reason) | Self::Down(reason) => Some(reason),
            Self::Good | Self::Unhealthy(_) => None,
        }
    }

    /// Why `/health` fails, if it does.
    fn unhealthy(&self) -> Option<&str> {
        match self {
            Self::Unhealthy(reason) | Self::Down(reason) => Some(reason),
            Self::Good | Self::NotReady(_) => None,
        }
    }
}

/// The conditions of all parts of the process; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<Conditions>>);

#[derive(Debug, Default)]
struct Conditions {
    /// By the name of the part, so that reasons come in a fixed order.
    parts: BTreeMap<&'static str, Condition>,
    /// The same of what is odd.
    warnings: BTreeMap<&'static str, Vec<String>>,
    unhealthy_since: Option<Instant>,
    /// Of the times before `unhealthy_since`.
    unhealthy_time: Duration,
}

impl Conditions {
    fn is_unhealthy(&self) -> bool {
        self.parts.values().any(|condition| condition.unhealthy().is_some())
    }
}

impl Health {
    /// Health without any condition: healthy and ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the condition of the part of that name.
    pub fn report(&self, part: &'static str, condition: Condition) {
        let mut conditions = self.lock();
        conditions.parts.insert(part, condition);
        let now = Instant::now();
        match (conditions.is_unhealthy(), conditions.unhealthy_since) {
            (true, None) => conditions.unhealthy_since = Some(now),
            (false, Some(since)) => {
                conditions.unhealthy_time += now.duration_since(since);
                conditions.unhealthy_since = None;
            }
            (true, Some(_)) | (false, None) => {}
        }
    }

    /// Sets what is odd about the part of that name, though nothing is wrong: sentences.
    pub fn warn(&self, part: &'static str, warnings: Vec<String>) {
        self.lock().warnings.insert(part, warnings);
    }

    /// What is odd, though nothing is wrong.
    pub fn warnings(&self) -> Vec<String> {
        self.lock().warnings.values().flatten().cloned().collect()
    }

    /// The reasons why the process is not healthy; none when it is.
    pub fn unhealthy(&self) -> Vec<String> {
        self.reasons(Condition::unhealthy)
    }

    /// The reasons why the process should not be sent requests; none when it should.
    pub fn not_ready(&self) -> Vec<String> {
        self.reasons(Condition::not_ready)
    }

    /// How long the process has been unhealthy in all.
    pub fn unhealthy_time(&self) -> Duration {
        let conditions = self.lock();
        let current = conditions.unhealthy_since.map_or(Duration::ZERO, |since| since.elapsed());
        conditions.unhealthy_time + current
    }

    fn reasons(&self, reason: impl Fn(&Condition) -> Option<&str>) -> Vec<String> {
        self.lock().parts.values().filter_map(|condition| reason(condition).map(str::to_owned)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Conditions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
