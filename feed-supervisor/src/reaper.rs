//! Collecting the processes that nobody else does, as process 1 of a container must.
//!
//! A process that has ended stays in the kernel's table until its parent collects it. The children of a process that
//! ends become process 1's: nginx's workers when their master is killed, for one. What we have started ourselves is
//! collected by whoever started it, at once; so what nobody has collected for a while is an orphan.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::time::Duration;

use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use tokio::time::sleep;
use tracing::debug;

use crate::nginx::process;

/// Orphans wait no longer than twice this.
const PERIOD: Duration = Duration::from_secs(1);

/// Whether collecting orphans is up to this process.
pub fn is_needed() -> bool {
    Pid::this() == Pid::from_raw(1)
}

/// Collects orphans for ever.
pub async fn run() -> Infallible {
    let mut seen = BTreeSet::new();
    loop {
        sleep(PERIOD).await;
        seen = collect(&seen);
    }
}

/// Collects those of our ended children that were there before; returns the others.
fn collect(seen: &BTreeSet<Pid>) -> BTreeSet<Pid> {
    let own = Pid::this();
    let ended = process::all().into_iter().filter(|process| process.parent == own && process.state == b'Z');
    let ended: BTreeSet<Pid> = ended.map(|process| process.pid).collect();
    for orphan in ended.intersection(seen) {
        match waitpid(*orphan, Some(WaitPidFlag::WNOHANG)) {
            Ok(status) => debug!(?status, "Collected an orphan."),
            Err(error) => debug!(%orphan, %error, "An orphan is collected by somebody else."),
        }
    }
    ended.difference(seen).copied().collect()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::nginx::fixture::eventually;

    #[tokio::test]
    #[expect(clippy::zombie_processes, reason = "that is the point")]
    async fn what_nobody_collects_is_collected_at_the_second_look() {
        // A child that is never waited for stands for an orphan.
        let child = Command::new("true").spawn().unwrap();
        let pid = Pid::from_raw(child.id().cast_signed());
        eventually("its end", || process::process(pid).is_some_and(|process| process.state == b'Z')).await;
        // Other tests' children must be left to them.
        assert!(collect(&BTreeSet::new()).contains(&pid));
        assert!(process::process(pid).is_some());
        assert!(!collect(&BTreeSet::from([pid])).contains(&pid));
        assert_eq!(process::process(pid), None);
    }
}
