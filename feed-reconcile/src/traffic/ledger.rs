//! Counts of everything that is declared.

use std::time::{Duration, Instant};

use super::counts::{EndpointCounts, RouteCounts};
use super::endpoints::Endpoints;
use super::record::Record;
use super::routes::Routes;
use crate::desired::DesiredState;

/// The label `host` of requests for hosts that nobody declared. No Ingress can declare a host of that name.
pub const UNDECLARED: &str = "*";

/// The label `path` of requests that reached no route: nothing matched, or nginx refused or redirected them before. Paths
/// of routes begin with a slash.
pub const NO_ROUTE: &str = "none";

/// How often is looked whether something can be forgotten.
const SWEEP_EVERY: Duration = Duration::from_mins(1);

/// Counts of requests, by the routes and endpoints that are declared.
///
/// What is no longer declared keeps its counts for ten minutes after its last request, but never more than as much as is
/// declared, or a thousand: so the numbers of a route survive changes, and their size depends on nothing that clients do.
#[derive(Debug)]
pub struct Ledger {
    /// Upper bounds of the latency buckets, in order.
    bounds: Box<[Duration]>,
    routes: Routes,
    endpoints: Endpoints,
    lines: u64,
    unreadable: u64,
    swept: Option<Instant>,
}

impl Ledger {
    /// A ledger in which nothing is declared. The upper bounds of the latency buckets ascend.
    pub fn new(bounds: impl Into<Box<[Duration]>>) -> Self {
        Self {
            bounds: bounds.into(),
            routes: Routes::default(),
            endpoints: Endpoints::default(),
            lines: 0,
            unreadable: 0,
            swept: None,
        }
    }

    /// Takes over what is declared now. What is computed is declared before nginx can serve it.
    pub fn declare(&mut self, state: &DesiredState, now: Instant) {
        self.routes.declare(state, now);
        self.endpoints.declare(state, now);
        if self.routes.is_crowded() || self.endpoints.is_crowded() {
            self.forget(now);
        }
    }

    /// Counts the requests of the whole lines that a piece of nginx's log begins with; returns their length in bytes.
    ///
    /// NULs are skipped: what was read before is made a hole.
    pub fn read(&mut self, log: &[u8], now: Instant) -> usize {
        let end = log.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let lines = log.get(..end).unwrap_or_default();
        for line in lines.split(|byte| *byte == b'\n') {
            self.line(line, now);
        }
        end
    }

    /// Each line begins with `\r`: what stands before is the rest of one that nginx could not write to its end.
    fn line(&mut self, line: &[u8], now: Instant) {
        let start = line.iter().rposition(|byte| *byte == b'\r');
        let (rest, line) = line.split_at(start.unwrap_or(line.len()));
        if rest.iter().any(|byte| *byte != 0) {
            self.unreadable += 1;
        }
        let Some((_, line)) = line.split_first() else { return };
        match Record::parse(line) {
            Some(record) => self.count(&record, now),
            None => self.unreadable += 1,
        }
    }

    fn count(&mut self, record: &Record<'_>, now: Instant) {
        self.lines += 1;
        let Some(destination) = self.routes.count(record, &self.bounds, now) else { return };
        for attempt in record.attempts() {
            self.endpoints.count(destination, &attempt, record.status, now);
        }
    }

    /// Forgets what was not declared for long enough. To be called now and then; most calls cost nothing.
    pub fn sweep(&mut self, now: Instant) {
        if self.swept.is_none_or(|swept| now.saturating_duration_since(swept) >= SWEEP_EVERY) {
            self.forget(now);
        }
    }

    fn forget(&mut self, now: Instant) {
        self.swept = Some(now);
        self.routes.sweep(now);
        self.endpoints.sweep(self.routes.externals(), now);
    }

    /// The upper bounds of the latency buckets.
    pub fn bounds(&self) -> &[Duration] {
        &self.bounds
    }

    /// The labels `host` and `path` of every route that was asked for, with its counts, in order.
    pub fn routes(&self) -> impl Iterator<Item = (&str, &str, &RouteCounts)> {
        self.routes.iter()
    }

    /// The labels `name` and `endpoint` of every endpoint that was asked, with its counts, in order.
    pub fn endpoints(&self) -> impl Iterator<Item = (&str, &str, &EndpointCounts)> {
        self.endpoints.iter()
    }

    /// Requests that were counted.
    pub fn counted(&self) -> u64 {
        self.lines
    }

    /// Lines, or pieces of lines, that could not be read.
    pub fn unreadable(&self) -> u64 {
        self.unreadable
    }
}

#[cfg(test)]
mod tests;
