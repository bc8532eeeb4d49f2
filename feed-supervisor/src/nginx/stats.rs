//! Asking nginx regularly how busy it is and what it serves.

use std::convert::Infallible;
use std::time::Duration;

use feed_reconcile::apply::Event;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};

use super::content::Content;
use super::executor::Known;
use super::status_port::{StatusError, StatusPort};
use crate::metrics::IngressMetrics;
use crate::runtime::health::{Condition, Health};

const PERIOD: Duration = Duration::from_secs(1);

/// So many questions in a row without an answer are too many.
const TOO_MANY: u32 = 5;

/// Shows how busy nginx is, and tells what it serves, while it runs.
pub async fn watch(
    status: StatusPort,
    known: watch::Receiver<Known>,
    metrics: IngressMetrics,
    health: Health,
    events: mpsc::Sender<Event<Content>>,
) -> Infallible {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut unanswered = 0;
    loop {
        ticks.tick().await;
        if known.borrow().master.is_none() {
            unanswered = 0;
            continue;
        }
        match look(status, &metrics, &events).await {
            Ok(()) => unanswered = 0,
            Err(error) => {
                unanswered += 1;
                if unanswered >= TOO_MANY {
                    health.report("nginx answers", Condition::Down(error.to_string()));
                }
            }
        }
        if unanswered == 0 {
            health.report("nginx answers", Condition::Good);
        }
    }
}

async fn look(
    status: StatusPort,
    metrics: &IngressMetrics,
    events: &mpsc::Sender<Event<Content>>,
) -> Result<(), StatusError> {
    metrics.stub_status(&status.stub_status().await?);
    let served = status.generation().await?;
    // While the process leaves, nobody wants to know.
    let _unheard = events.send(Event::Observed(served.generation)).await;
    Ok(())
}
