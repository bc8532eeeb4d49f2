//! nginx's end, as the machine that leaves load balancers asks for it.

use std::time::Duration;

use feed_reconcile::membership::CutShort;
use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{error, info};

use super::AppError;
use crate::frontend::runner::{Left, Server};
use crate::nginx::executor::Nginx;
use crate::nginx::leave::LeaveError;

/// nginx, and who acts on it.
pub(super) struct Ending<'a> {
    pub(super) nginx: &'a Nginx,
    /// Closed as soon as nobody acts on nginx any more.
    pub(super) busy: watch::Receiver<()>,
    /// Says that nobody should act on nginx any more.
    pub(super) finishing: watch::Sender<bool>,
}

/// How long those who act on nginx may take to end where there is no time.
const HASTE: Duration = Duration::from_secs(1);

impl Ending<'_> {
    /// Waits until nobody acts on nginx any more.
    async fn alone(&self) {
        self.finishing.send_replace(true);
        let mut busy = self.busy.clone();
        while busy.changed().await.is_ok() {}
    }
}

impl Server for Ending<'_> {
    type Error = LeaveError;

    fn finish_requests(&self) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.alone().await;
            self.nginx.requests_done().await;
        })
    }

    fn stop(&self) -> BoxFuture<'_, Result<(), LeaveError>> {
        Box::pin(self.nginx.stop())
    }

    fn stop_now(&self) -> BoxFuture<'_, Result<(), LeaveError>> {
        Box::pin(async move {
            let _late = timeout(HASTE, self.alone()).await;
            self.nginx.abort().await
        })
    }
}

/// Whether leaving went as it should.
pub(super) fn verdict(left: Left<LeaveError>, grace_period: Duration) -> Result<(), AppError> {
    let Left { end, stopped } = left;
    for (balancer, why) in &end.left_behind {
        error!(balancer, why, "This load balancer was not left: it may still send requests here.");
    }
    if let Some(why) = &end.unlisted {
        error!(why, "It is not known which load balancers there are: some may still send requests here.");
    }
    if let (Err(error), true) = (&stopped, end.cut_short.is_some()) {
        error!(%error, "nginx cannot be ended.");
    }
    match end.cut_short {
        Some(CutShort::Aborted) => return Err(AppError::Aborted),
        Some(CutShort::GracePeriodOver) => return Err(AppError::GracePeriodOver(grace_period)),
        None => stopped?,
    }
    let names: Vec<&str> = end.left_behind.iter().map(|(name, _)| name.as_str()).collect();
    match end.unlisted {
        None if names.is_empty() => {
            info!("Left.");
            Ok(())
        }
        Some(why) if names.is_empty() => Err(AppError::Unlisted(why)),
        _ => Err(AppError::LeftBehind(names.join(", "))),
    }
}
