//! Ending the workers that a dead master has left behind.
//!
//! They would serve an old configuration for ever, and hold the ports that a new master needs.

use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::process;

/// How long a worker may take to stop accepting connections once it is told to finish.
const PATIENCE: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(5);

/// Tells leftover workers to finish what they are doing, and waits until none of them holds a port any more.
///
/// Their last requests are served to the end; a worker that does not listen is killed.
pub async fn end_workers(master: Option<Pid>, workdir: &Path) {
    let workers = process::leftover_workers(master, workdir);
    if workers.is_empty() {
        return;
    }
    info!(?workers, "Ending the workers that a dead nginx master has left behind.");
    signal(&workers, Signal::SIGQUIT);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let accepting: Vec<Pid> = workers.iter().copied().filter(|pid| process::accepts(*pid)).collect();
        if accepting.is_empty() {
            return;
        }
        if Instant::now() >= deadline {
            warn!(workers = ?accepting, "Killing workers that do not finish.");
            return signal(&accepting, Signal::SIGKILL);
        }
        sleep(POLL).await;
    }
}

fn signal(workers: &[Pid], signal: Signal) {
    for worker in workers {
        if let Err(error) = kill(*worker, signal) {
            warn!(%worker, %signal, %error, "A worker cannot be signalled.");
        }
    }
}
