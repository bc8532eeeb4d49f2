//! When the next configuration may go out: now, or when.
//!
//! A change that comes alone goes out at once: waiting for company would only make it late. What comes during its
//! reload, or soon after that, belongs to the same burst; it is given the chance to go out together, and the more so the longer
//! the burst lasts, so that the few reloads that may follow one another are not spent on its beginning.
//! How many these are is a token bucket's business, and the bucket is the caller's.

use std::time::{Duration, Instant};

/// A token bucket.
pub trait Bucket {
    /// Takes a token, or tells how long it takes until there is one.
    fn take(&mut self) -> Result<(), Duration>;
}

/// A bucket for what cannot wait, and the one for everything else when it is empty.
pub struct Reserve<'a> {
    /// For what cannot wait.
    pub own: &'a mut dyn Bucket,
    /// For everything.
    pub common: &'a mut dyn Bucket,
}

impl Bucket for Reserve<'_> {
    fn take(&mut self) -> Result<(), Duration> {
        self.own.take().or_else(|wait| self.common.take().map_err(|other| other.min(wait)))
    }
}

/// Whether a configuration may go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// It may go out now; its token is taken.
    Now,
    /// Ask again then, or when there is another change.
    At(Instant),
}

/// After so long without a change and without a reload the next change is an isolated one, or a burst's first.
const QUIET: Duration = Duration::from_millis(500);

/// How long a burst's second reload waits for the next change. The ones after that wait three times as long.
const SETTLE: Duration = Duration::from_millis(50);

/// How much longer than for the next change a reload waits at most, when one change comes after another.
const PATIENCE: u32 = 6;

/// Spaces reloads out.
#[derive(Debug, Default)]
pub struct Pace {
    /// Reloads that went out in the burst that is under way.
    in_burst: u32,
    /// The first and the last change that have not gone out.
    waiting: Option<(Instant, Instant)>,
    /// When the last change came or the last reload ended, whichever is later.
    active: Option<Instant>,
}

impl Pace {
    /// A change has come that should go out.
    pub fn changed(&mut self, now: Instant) {
        if self.active.is_none_or(|active| now.saturating_duration_since(active) >= QUIET) {
            self.in_burst = 0;
        }
        let first = self.waiting.map_or(now, |(first, _)| first);
        self.waiting = Some((first, now));
        self.active = Some(now);
    }

    /// A reload has ended, however. If nothing has come meanwhile, its change was an isolated one.
    pub fn ended(&mut self, now: Instant) {
        self.active = Some(now);
        if self.waiting.is_none() && self.in_burst == 1 {
            self.in_burst = 0;
        }
    }

    /// Asks whether what has come until now may go out. To be asked only while no reload is under way.
    pub fn pass(&mut self, now: Instant, bucket: &mut dyn Bucket) -> Pass {
        let settled = self.settled(now);
        if settled > now {
            return Pass::At(settled);
        }
        match bucket.take() {
            Ok(()) => {
                self.went_out();
                Pass::Now
            }
            Err(wait) => Pass::At(now + wait),
        }
    }

    /// What has come until now goes out without asking, and takes no token.
    pub fn went_out(&mut self) {
        self.waiting = None;
        self.in_burst = self.in_burst.saturating_add(1);
    }

    /// When enough was waited for further changes.
    fn settled(&self, now: Instant) -> Instant {
        let settle = match self.in_burst {
            0 => return now,
            1 => SETTLE,
            _ => 3 * SETTLE,
        };
        self.waiting.map_or(now, |(first, last)| (last + settle).min(first + PATIENCE * settle))
    }
}

#[cfg(test)]
mod tests;
