//! The end: requests are finished first, then nginx.

use std::time::Duration;

use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::executor::{Mode, Nginx};
use super::files::FilesError;
use super::master::MasterError;

/// How often is looked whether requests are still under way.
const POLL: Duration = Duration::from_millis(50);

/// How long nginx may take to end at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why nginx cannot be ended.
#[derive(Debug, thiserror::Error)]
pub enum LeaveError {
    /// It cannot be signalled.
    #[error(transparent)]
    Master(#[from] MasterError),
    /// A neighbour's nginx cannot be told.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// It does not end.
    #[error("nginx has not ended within {PATIENCE:?}")]
    Stubborn,
}

impl Nginx {
    /// Ends nginx gently: a child is quit and waited for, the workers that a dead one has left behind are told to finish, a
    /// neighbour is told that it may stop.
    pub async fn stop(&self) -> Result<(), LeaveError> {
        match (&self.mode, self.master()) {
            (Mode::Sidecar, _) => self.files.mark_drained()?,
            (Mode::Child(_), None) => self.end_leftover_workers().await,
            (Mode::Child(_), Some(master)) => {
                info!("Telling nginx to finish.");
                master.quit()?;
                let how = master.gone().await;
                info!(%how, "nginx has finished.");
            }
        }
        Ok(())
    }

    /// Ends a child at once, whatever it is doing; a neighbour is told that it may stop.
    pub async fn abort(&self) -> Result<(), LeaveError> {
        match (&self.mode, self.master()) {
            (Mode::Sidecar, _) => self.files.mark_drained()?,
            (Mode::Child(_), None) => self.end_leftover_workers().await,
            (Mode::Child(_), Some(master)) => {
                master.terminate()?;
                timeout(PATIENCE, master.gone()).await.map_err(|_| LeaveError::Stubborn)?;
            }
        }
        Ok(())
    }

    /// Waits until nginx handles no request but ours.
    ///
    /// A worker that was killed has left its requests in nginx's counters for ever; then nothing is waited for here:
    /// a quitting nginx finishes its requests as well, it only takes no new ones.
    pub async fn requests_done(&self) {
        while let Some(master) = self.master() {
            if self.follower.has_lost_a_worker(master.pid()) {
                warn!(
                    "nginx has lost a worker, so its count of requests is not right; not waiting for them."
                );
                return;
            }
            match self.status.stub_status().await {
                Ok(status) if status.reading + status.writing <= 1 => return,
                Ok(_) => sleep(POLL).await,
                Err(error) => {
                    warn!(%error, "Not waiting for requests.");
                    return;
                }
            }
        }
    }

    fn master(&self) -> Option<std::sync::Arc<super::master::Master>> {
        self.known.borrow().master.clone()
    }
}
