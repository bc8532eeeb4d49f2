//! SIGUSR1: nginx opens its log files anew, so that they can be rotated.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::{info, warn};

use super::executor::Known;

/// Listens for SIGUSR1, which would end the process otherwise.
pub fn listen() -> io::Result<Signal> {
    signal(SignalKind::user_defined1())
}

/// Passes every SIGUSR1 on to nginx's master.
pub async fn run(mut asked: Signal, known: watch::Receiver<Known>) -> Result<(), io::Error> {
    while asked.recv().await.is_some() {
        let master = known.borrow().master.clone();
        match master.as_deref().map(|master| (master.pid(), master.reopen_logs())) {
            None => warn!("SIGUSR1: nginx does not run, so there is no log to open anew."),
            Some((pid, Ok(()))) => info!(%pid, "SIGUSR1: nginx opens its logs anew."),
            Some((_, Err(error))) => warn!(%error, "SIGUSR1: nginx cannot be told to open its logs anew."),
        }
    }
    Err(io::ErrorKind::BrokenPipe.into())
}
