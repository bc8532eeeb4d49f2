//! The loop: what happens, and what is done about it.

use std::sync::Arc;
use std::time::Duration;

use feed_supervisor::runtime::shutdown::{Phase, Shutdown};
use feed_supervisor::runtime::source::{SourceReader, SourceState};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{Instrument, info_span};

use crate::endpoints::LoadBalancers;
use crate::keeper::Keeper;
use crate::leadership::Leadership;
use crate::report::Reporter;
use crate::schedule::Schedule;
use crate::zone::Zone;

/// After this long, a call that is under way when the process is told to end is given up.
const LAST_CALL: Duration = Duration::from_secs(10);

/// Keeps the zones in step with the cluster.
#[derive(Debug)]
pub struct Control<Z, L> {
    /// What is known of the zones.
    pub keeper: Keeper<Z, L>,
    /// The cluster's objects.
    pub source: SourceReader,
    /// Whether this replica acts.
    pub leadership: Leadership,
    /// The end of the process.
    pub shutdown: Shutdown,
    /// An operator's wish that everything is looked at again.
    pub look_again: Arc<Notify>,
    /// Where is shown what happens.
    pub reporter: Reporter,
    /// How often everything is looked at though nothing has changed.
    pub resync_period: Duration,
}

impl<Z: Zone, L: LoadBalancers> Control<Z, L> {
    /// Runs until the process is to end.
    pub async fn run(mut self) {
        let mut cluster = None;
        let mut end = self.shutdown.clone();
        while end.phase() == Phase::Running {
            tokio::select! {
                biased;
                () = end.draining() => return,
                () = self.leadership.held() => {}
            }
            self.reporter.acts(true);
            let (mut term, mut end) = (self.leadership.clone(), self.shutdown.clone());
            tokio::select! {
                () = self.act(&mut cluster) => {}
                () = term.expired() => {}
                () = async { end.draining().await; sleep(LAST_CALL).await } => {}
            }
            self.reporter.acts(false);
        }
    }

    /// Acts until this replica may not any more, or the process is to end.
    async fn act(&mut self, cluster: &mut Option<SourceState>) {
        let mut schedule = Schedule::new(self.resync_period, Instant::now());
        let (mut term, mut end) = (self.leadership.clone(), self.shutdown.clone());
        loop {
            tokio::select! {
                biased;
                () = end.draining() => return,
                () = term.lost() => return,
                state = self.source.changed() => {
                    schedule.changed(Instant::now());
                    // What was not carried out yet is as old as its oldest change.
                    let oldest = cluster.as_ref().and_then(|cluster| cluster.changed_at);
                    let changed_at = oldest.or(state.changed_at);
                    *cluster = Some(SourceState { changed_at, ..state });
                }
                () = self.look_again.notified() => schedule.look_again(Instant::now()),
                () = sleep_until(schedule.wake_at()), if cluster.is_some() => {}
            }
            if let Some(cluster) = cluster {
                self.pass(&mut schedule, cluster).instrument(info_span!("pass")).await;
            }
        }
    }

    async fn pass(&mut self, schedule: &mut Schedule, cluster: &mut SourceState) {
        let now = Instant::now();
        if schedule.resyncs(now) {
            self.keeper.forget();
        } else if schedule.searches(now) {
            self.keeper.forget_endpoints();
        }
        if schedule.may_look(now) {
            let failures = self.keeper.look().instrument(info_span!("look")).await;
            self.reporter.failures(&failures, self.keeper.zones());
        }
        let mut decision = info_span!("decide").in_scope(|| self.keeper.decide(&cluster.snapshot));
        if decision.deletes() && !schedule.may_delete(Instant::now()) {
            self.reporter.decision(&self.keeper, &decision, &cluster.diagnostics);
            return;
        }
        if !decision.plan.zones.is_empty() {
            let (term, end) = (self.leadership.clone(), self.shutdown.clone());
            let may_write = || term.is_held() && end.phase() == Phase::Running;
            let outcomes = self.keeper.carry_out(decision.plan, may_write);
            let outcomes = outcomes.instrument(info_span!("carry out")).await;
            self.reporter.outcomes(&outcomes);
            decision = self.keeper.decide(&cluster.snapshot);
        }
        if self.keeper.knows_everything()
            && decision.plan.zones.is_empty()
            && let Some(changed_at) = cluster.changed_at.take()
        {
            self.reporter.metrics.carried_out(changed_at.elapsed());
        }
        schedule.ended(Instant::now(), self.keeper.knows_everything());
        let missing = self.keeper.endpoints().is_some_and(|(_, problems)| !problems.is_empty());
        schedule.missing(Instant::now(), missing);
        self.reporter.decision(&self.keeper, &decision, &cluster.diagnostics);
    }
}

#[cfg(test)]
mod tests;
