//! The end: requests are finished first, then nginx.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::executor::{Mode, Nginx};
use super::files::FilesError;
use super::master::{Master, MasterError};
use super::process;
use crate::metrics::StubStatus;

/// How often is looked whether requests are still under way.
const POLL: Duration = Duration::from_millis(50);

/// How long nginx may take to end at once.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long requests may come on connections that are there already, without a moment in which none is under way.
const BUSY: Duration = Duration::from_secs(2);

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

/// Whether clients go on sending requests on connections that they have.
#[derive(Debug, Default)]
struct HeldConnections {
    /// When it was looked first, and how many requests had not been the first of their connection.
    since: Option<(Instant, i128)>,
}

impl HeldConnections {
    /// Takes in a moment in which requests were under way. A question of ours is the first of its connection.
    fn are_busy(&mut self, status: &StubStatus, now: Instant) -> bool {
        let later_requests = i128::from(status.requests) - i128::from(status.accepts);
        let (since, before) = *self.since.get_or_insert((now, later_requests));
        if now < since + BUSY {
            return false;
        }
        self.since = Some((now, later_requests));
        later_requests > before
    }
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
                if let Err(error) = master.quit()
                    && !error.is_gone()
                {
                    return Err(error.into());
                }
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

    /// Waits until nginx handles no request but ours, or is gone.
    ///
    /// Some waits have no end: a worker that was killed has left its requests in nginx's counters for ever; and load
    /// balancers that pass connections on, rather than requests, leave clients the connections that they have. A child need
    /// not be waited for then: a quitting nginx finishes its requests as well, it only takes no new ones. A neighbour is
    /// told to replace its workers, which makes the old ones tell clients to leave, and end with their last request.
    pub async fn requests_done(&self) {
        let Some(master) = self.master() else { return };
        tokio::select! {
            () = self.idle(&master) => {}
            how = master.gone() => warn!(%how, "nginx has ended before it was told to."),
        }
    }

    async fn idle(&self, master: &Master) {
        let mut held = HeldConnections::default();
        let mut is_silent = false;
        loop {
            let lost_a_worker = self.follower.has_lost_a_worker(master.pid());
            let why = match self.status.stub_status().await {
                _ if lost_a_worker => "nginx has lost a worker, so its count of requests is not right.",
                Ok(status) if status.reading + status.writing <= 1 => return,
                Ok(status) if held.are_busy(&status, Instant::now()) => {
                    "Clients go on sending requests on connections that they have."
                }
                Ok(_) => {
                    sleep(POLL).await;
                    continue;
                }
                Err(error) => {
                    if !std::mem::replace(&mut is_silent, true) {
                        warn!(%error, "It is not known whether requests are under way: asking again.");
                    }
                    sleep(POLL).await;
                    continue;
                }
            };
            match self.mode {
                Mode::Child(_) => {
                    info!(
                        "{why} nginx finishes its requests when it is told to quit, and has clients connect anew."
                    );
                    return;
                }
                Mode::Sidecar => {
                    info!("{why} Telling nginx to replace its workers, which has clients connect anew.");
                    self.replace_workers(master).await;
                    if lost_a_worker {
                        return;
                    }
                }
            }
        }
    }

    /// Has nginx replace its workers, and waits until those of now have ended: each with its last request.
    async fn replace_workers(&self, master: &Master) {
        let old = process::accepting_workers(master.pid());
        if let Err(error) = master.reload() {
            warn!(%error, "nginx's workers cannot be replaced.");
            return sleep(PATIENCE).await;
        }
        let refused_at = Instant::now() + self.confirm_timeout;
        while old.iter().any(|worker| process::process(*worker).is_some()) {
            if Instant::now() >= refused_at && old.iter().any(|worker| process::accepts(*worker)) {
                warn!("nginx does not replace its workers.");
                return;
            }
            sleep(POLL).await;
        }
    }

    fn master(&self) -> Option<Arc<Master>> {
        self.known.borrow().master.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks every second; each look is a request of its own on a connection of its own.
    fn is_busy(moments: &[(u64, u64)]) -> bool {
        let (start, mut held) = (Instant::now(), HeldConnections::default());
        moments.iter().zip(1..).any(|((accepts, requests), second)| {
            let (accepts, requests) = (accepts + second, requests + second);
            let status = StubStatus { accepts, handled: accepts, requests, ..StubStatus::default() };
            held.are_busy(&status, start + Duration::from_secs(second))
        })
    }

    #[test]
    fn requests_on_connections_that_are_there_have_no_end() {
        for (moments, expected, why) in [
            (&[(10, 50), (10, 50), (10, 50), (10, 50)][..], false, "a long request"),
            (&[(10, 50), (11, 51), (12, 52), (13, 53)], false, "new connections"),
            (&[(10, 50), (11, 50), (12, 50), (13, 50)], false, "connections without a request"),
            (&[(10, 50), (10, 60)], false, "not long enough"),
            (&[(10, 50), (10, 60), (10, 70)], true, "connections that are held"),
            (&[(10, 50), (10, 50), (10, 50), (10, 60), (10, 70)], true, "such that begin later"),
        ] {
            assert_eq!(is_busy(moments), expected, "{why}");
        }
    }
}
