//! SIGUSR1: nginx opens its log files anew, so that they can be rotated.

use std::convert::Infallible;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use super::executor::Known;

/// Has nginx open its log files again whenever that is asked for.
pub async fn run(asked: Arc<Notify>, known: watch::Receiver<Known>) -> Infallible {
    loop {
        asked.notified().await;
        let master = known.borrow().master.clone();
        match master.as_deref().map(|master| (master.pid(), master.reopen_logs())) {
            None => warn!("SIGUSR1: nginx does not run, so there is no log to open anew."),
            Some((pid, Ok(()))) => info!(%pid, "SIGUSR1: nginx opens its logs anew."),
            Some((_, Err(error))) => warn!(%error, "SIGUSR1: nginx cannot be told to open its logs anew."),
        }
    }
}
