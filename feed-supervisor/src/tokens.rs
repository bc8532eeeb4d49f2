//! The token bucket that reloads are taken from.

use std::num::NonZeroU32;
use std::time::Duration;

use feed_reconcile::reload::Bucket;
use governor::clock::Clock;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

/// A token bucket; without a period it never runs dry.
#[derive(Debug)]
pub struct Tokens(Option<DefaultDirectRateLimiter>);

impl Tokens {
    /// A full bucket that holds `burst` tokens and gets a new one after each `period`.
    pub fn new(burst: NonZeroU32, period: Duration) -> Self {
        Self(Quota::with_period(period).map(|quota| RateLimiter::direct(quota.allow_burst(burst))))
    }
}

impl Bucket for Tokens {
    fn take(&mut self) -> Result<(), Duration> {
        let Some(limiter) = &self.0 else { return Ok(()) };
        limiter.check().map_err(|until| until.wait_time_from(limiter.clock().now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
