//! The loop: what happens, and what is done about it.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::diagnostic::Diagnostics;
use feed_reconcile::dns::ZoneId;
use feed_reconcile::dns::keeper::{Command, Event, Keeper};
use feed_reconcile::options::Adoption;
use feed_reconcile::summary::summaries;
use feed_supervisor::runtime::shutdown::{Phase, Shutdown};
use feed_supervisor::runtime::source::{SourceReader, SourceState};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{Instrument, Span, info_span};

use crate::endpoints::{LoadBalancers, Wanted};
use crate::leadership::Leadership;
use crate::report::{Reporter, State};
use crate::zone::HostedZones;

/// After this long, a call that is under way when the process is told to end is given up.
const LAST_CALL: Duration = Duration::from_secs(10);

/// How often is looked at what has become late while calls are under way.
const LOOK_ROUND: Duration = Duration::from_secs(5);

/// The same while none is: nothing can have changed but by an event.
const QUIET_ROUND: Duration = Duration::from_hours(1);

/// Zones whose calls wait for their turn in the account's quota.
pub type Waiting = Box<dyn Fn() -> BTreeSet<ZoneId> + Send + Sync>;

/// Keeps the zones in step with the cluster.
pub struct Control<Z, L> {
    /// Decides what is done.
    pub keeper: Keeper,
    /// Where zones are opened, listed and changed.
    pub zones: Z,
    /// Where load balancers are found, unless records point to hostnames that are given.
    pub balancers: Option<(L, Wanted)>,
    /// Zones whose calls wait for their turn.
    pub waiting: Waiting,
    /// Which Ingresses are ours.
    pub adoption: Adoption,
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
}

impl<Z, L> std::fmt::Debug for Control<Z, L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control").field("keeper", &self.keeper).finish_non_exhaustive()
    }
}

/// A call under way; whether it changes something.
type Call = Pin<Box<dyn Future<Output = Event> + Send>>;

/// The cluster as it was seen last.
#[derive(Debug, Default)]
pub struct Cluster {
    state: SourceState,
    diagnostics: Diagnostics,
    /// When the oldest change was seen that has not been carried out yet.
    changed_at: Option<Instant>,
}

impl<Z: HostedZones, L: LoadBalancers> Control<Z, L> {
    /// Runs until the process is to end.
    pub async fn run(mut self) {
        let (begin, mut cluster) = (Instant::now(), Cluster::default());
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
                () = self.act(begin, &mut cluster) => {}
                () = term.expired() => {}
                () = async { end.draining().await; sleep(LAST_CALL).await } => {}
            }
            self.reporter.acts(false);
        }
    }

    /// Acts until this replica may not any more, or the process is to end, and what it began to change is done.
    async fn act(&mut self, begin: Instant, cluster: &mut Cluster) {
        let mut calls = FuturesUnordered::new();
        let mut changes = FuturesUnordered::new();
        let (mut term, mut end) = (self.leadership.clone(), self.shutdown.clone());
        self.keeper.restart(begin.elapsed());
        let mut event = Event::Woken;
        loop {
            let pass = info_span!("pass");
            let now = begin.elapsed();
            for zone in (self.waiting)() {
                self.keeper.waits(now, &zone);
            }
            let commands = info_span!(parent: &pass, "decide").in_scope(|| self.keeper.step(now, event));
            let may_write = term.is_held() && end.phase() == Phase::Running;
            for command in commands {
                match command {
                    Command::Change(..) if may_write => changes.push(self.call(command, &pass)),
                    // The end is near: it is not begun any more.
                    Command::Change(..) => {}
                    command => calls.push(self.call(command, &pass)),
                }
            }
            drop(pass);
            self.report(now, cluster);
            let wake_at = self.keeper.wake_at(now).map(|at| begin + at);
            let is_quiet = calls.is_empty() && changes.is_empty();
            let look_round = begin + now + if is_quiet { QUIET_ROUND } else { LOOK_ROUND };
            let wake_at = wake_at.map_or(look_round, |at| at.min(look_round));
            event = tokio::select! {
                biased;
                () = end.draining() => break,
                () = term.lost() => break,
                Some(event) = changes.next() => event,
                Some(event) = calls.next() => event,
                state = self.source.changed() => self.seen(cluster, state),
                () = self.look_again.notified() => Event::LookAgain,
                () = sleep_until(wake_at) => Event::Woken,
            };
        }
        drop(calls);
        while let Some(event) = changes.next().await {
            let now = begin.elapsed();
            let _nothing_more = self.keeper.step(now, event);
            self.report(now, cluster);
        }
    }

    /// The cluster has changed.
    fn seen(&self, cluster: &mut Cluster, state: SourceState) -> Event {
        // What was not carried out yet is as old as its oldest change.
        cluster.changed_at = cluster.changed_at.or(state.changed_at);
        let (ingresses, diagnostics) = summaries(&state.snapshot, &self.adoption);
        (cluster.state, cluster.diagnostics) = (state, diagnostics);
        Event::Ingresses(ingresses.into())
    }

    fn report(&mut self, now: Duration, cluster: &mut Cluster) {
        self.reporter.news(self.keeper.news(), self.keeper.hosted());
        if cluster.state.complete
            && self.keeper.is_done(now)
            && let Some(changed_at) = cluster.changed_at.take()
        {
            self.reporter.metrics.carried_out(changed_at.elapsed());
        }
        self.reporter.state(&State {
            keeper: &self.keeper,
            now,
            source: &cluster.state.diagnostics,
            ingresses: &cluster.diagnostics,
        });
    }

    fn call(&self, command: Command, pass: &Span) -> Call {
        let look = || info_span!(parent: pass, "look");
        match command {
            Command::Find => {
                let balancers = self.balancers.clone();
                let find = async move {
                    let Some((balancers, wanted)) = balancers else { return Event::Woken };
                    let found = balancers.find(&wanted).await;
                    Event::Found(found.map_err(|error| error.to_string()))
                };
                Box::pin(find.instrument(look()))
            }
            Command::Open(id) => {
                let zones = self.zones.clone();
                Box::pin(async move {
                    let opened = zones.open(&id).await.map_err(|error| error.to_string());
                    Event::Opened(id, opened)
                })
            }
            Command::List(id) => {
                let zones = self.zones.clone();
                let list = async move {
                    let listed = zones.list(&id).await.map_err(|error| error.to_string());
                    Event::Listed(id, listed)
                };
                Box::pin(list.instrument(look()))
            }
            Command::Change(id, batch) => {
                let zones = self.zones.clone();
                let change = async move {
                    let outcome = zones.change(&id, &batch).await;
                    Event::Changed(id, outcome)
                };
                Box::pin(change.instrument(info_span!(parent: pass, "carry out")))
            }
        }
    }

    /// Looks at everything once, for these Ingresses, and changes nothing.
    pub async fn look(&mut self, state: &SourceState) -> (Duration, Diagnostics) {
        let begin = Instant::now();
        let mut calls = FuturesUnordered::new();
        let (ingresses, diagnostics) = summaries(&state.snapshot, &self.adoption);
        let mut event = Event::Ingresses(ingresses.into());
        while !self.keeper.has_looked() {
            let commands = self.keeper.step(begin.elapsed(), event);
            let looks = commands.into_iter().filter(|command| !matches!(command, Command::Change(..)));
            calls.extend(looks.map(|command| self.call(command, &Span::none())));
            event = calls.next().await.unwrap_or(Event::Woken);
            if let Event::Woken = event {
                break;
            }
        }
        let now = begin.elapsed();
        let _nothing_more = self.keeper.step(now, Event::Woken);
        (now, diagnostics)
    }
}

#[cfg(test)]
mod tests;
