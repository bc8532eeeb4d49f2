//! Waiting for something to become true.

use std::fmt::Display;
use std::panic::Location;
use std::time::{Duration, Instant};

/// Long enough for whatever should happen soon, on a machine that does much else.
const DEADLINE: Duration = Duration::from_secs(20);

/// Repeats `probe` until it succeeds and returns what it found; panics with its last error after 20 seconds.
#[track_caller]
pub fn eventually<T, E: Display, P: AsyncFnMut() -> Result<T, E>>(
    what: &str,
    probe: P,
) -> impl Future<Output = T> + use<T, E, P> {
    eventually_within(DEADLINE, what, probe)
}

/// [`eventually`] with a deadline of its own.
#[track_caller]
pub fn eventually_within<T, E: Display, P: AsyncFnMut() -> Result<T, E>>(
    deadline: Duration,
    what: &str,
    mut probe: P,
) -> impl Future<Output = T> + use<T, E, P> {
    let (caller, what) = (Location::caller(), what.to_owned());
    async move {
        let start = Instant::now();
        loop {
            match probe().await {
                Ok(found) => return found,
                Err(error) if start.elapsed() > deadline => {
                    panic!("{caller}: {what}: not within {deadline:?}: {error}")
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    }
}
