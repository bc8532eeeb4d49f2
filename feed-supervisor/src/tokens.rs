//! The token bucket that reloads are taken from, and what else they wait for.

use std::num::NonZeroU32;
use std::time::Duration;

use feed_reconcile::reload::Bucket;
use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tracing::info;

/// A token bucket; without a period it never runs dry.
#[derive(Debug)]
pub struct Tokens(Option<DefaultDirectRateLimiter>);

impl Tokens {
    /// A full bucket that holds `burst` tokens and gets a new one after each `period`.
    pub fn new(burst: NonZeroU32, period: Duration) -> Self {
        Self(Quota::with_period(period).map(|quota| RateLimiter::direct(quota.allow_burst(burst))))
    }
}

impl Tokens {
    /// A second may pass until nginx asks the right endpoints, where it learns of them by a reload alone. Such an nginx is older
    /// than 1.27.3, and its old workers are gone with their requests.
    pub fn for_endpoints() -> Self {
        Self::new(NonZeroU32::MIN.saturating_add(4), Duration::from_secs(1))
    }

    /// For what is new to an nginx that follows endpoints: there is little of it, and its old workers stay for a while.
    pub fn for_upstreams() -> Self {
        Self::new(NonZeroU32::MIN.saturating_add(4), Duration::from_secs(10))
    }
}

/// What reloads are taken from.
pub struct Budgets {
    /// For every change.
    pub common: Box<dyn Bucket + Send>,
    /// For endpoints that have come or gone.
    pub endpoints: Box<dyn Bucket + Send>,
    /// The same where nginx follows endpoints: for the Services that are new to it.
    pub upstreams: Box<dyn Bucket + Send>,
}

impl Bucket for Tokens {
    fn take(&mut self) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check().map_err(|until| until.wait_time_from(limiter.clock().now()))
    }
}

/// A bucket that gives nothing while too many old workers linger, so that nginx's memory is bounded.
pub struct Roomy<B> {
    bucket: B,
    /// So many may linger; 0 for no limit.
    limit: u32,
    lingering: Box<dyn Fn() -> usize + Send>,
    is_waiting: bool,
}

/// How often the old workers are counted while a reload waits for them.
const RECOUNT: Duration = Duration::from_secs(1);

impl<B> Roomy<B> {
    /// The bucket, with a limit to how many old workers there may be, and the count of them.
    pub fn new(bucket: B, limit: u32, lingering: impl Fn() -> usize + Send + 'static) -> Self {
        Self { bucket, limit, lingering: Box::new(lingering), is_waiting: false }
    }
}

impl<B: Bucket> Bucket for Roomy<B> {
    fn take(&mut self) -> Result<(), Duration> {
        let lingering = if self.limit > 0 { (self.lingering)() } else { 0 };
        let is_waiting = lingering > usize::try_from(self.limit).unwrap_or(usize::MAX);
        if is_waiting != self.is_waiting {
            self.is_waiting = is_waiting;
            if is_waiting {
                let limit = self.limit;
                info!(
                    lingering,
                    limit,
                    "A reload waits until old workers have finished (--nginx-max-shutting-down-workers)."
                );
            }
        }
        if is_waiting { Err(RECOUNT) } else { self.bucket.take() }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn nothing_is_given_while_too_many_old_workers_linger() {
        let lingering = Arc::new(AtomicUsize::new(3));
        let count = Arc::clone(&lingering);
        let mut room = Roomy::new(Tokens::new(NonZeroU32::MIN, Duration::from_secs(30)), 2, move || {
            count.load(Ordering::Relaxed)
        });
        assert_eq!(room.take(), Err(RECOUNT));
        lingering.store(2, Ordering::Relaxed);
        assert_eq!(room.take(), Ok(()), "the limit itself is allowed, and waiting has cost no token");
        assert!(room.take().unwrap_err() > RECOUNT, "the bucket is empty");
    }

    #[test]
    fn without_a_limit_nobody_is_counted() {
        let mut room = Roomy::new(Tokens::new(NonZeroU32::MIN, Duration::ZERO), 0, || panic!("counted"));
        assert_eq!(room.take(), Ok(()));
    }

    #[test]
    fn a_burst_goes_through_and_the_next_waits() {
        let period = Duration::from_secs(30);
        let mut tokens = Tokens::new(NonZeroU32::new(3).unwrap(), period);
        for _ in 0..3 {
            assert_eq!(tokens.take(), Ok(()));
        }
        let wait = tokens.take().unwrap_err();
        assert!(wait > Duration::from_secs(25) && wait <= period, "{wait:?}");
    }

    #[test]
    fn without_a_period_there_is_no_limit() {
        let mut tokens = Tokens::new(NonZeroU32::MIN, Duration::ZERO);
        assert!((0..1000).all(|_| tokens.take() == Ok(())));
    }
}
