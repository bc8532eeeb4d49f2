//! Joins the load balancers once nginx serves, keeps attached, and at the end leaves them before nginx ends.
//!
//! Everything is decided by [`feed_reconcile::membership`]; this carries it out, for every kind of frontend alike.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use feed_reconcile::desired::Scheme;
use feed_reconcile::membership::{Command, End, Event, Jitter, Listed, Membership, Settings};
use feed_reconcile::options::Endpoint;
use futures::future::{AbortHandle, BoxFuture, abortable};
use futures::stream::{FuturesUnordered, StreamExt};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

use super::page::Page;
use super::{Frontend, Listing};
use crate::metrics::IngressMetrics;
use crate::runtime::health::Health;
use crate::runtime::shutdown::Shutdown;

/// What serves the requests, as far as leaving has to do with it.
pub trait Server: Sync {
    /// Why it does not end.
    type Error: Display + Send;

    /// Waits until no request is under way.
    fn finish_requests(&self) -> BoxFuture<'_, ()>;

    /// Ends it once its requests are finished.
    fn stop(&self) -> BoxFuture<'_, Result<(), Self::Error>>;

    /// Ends it at once.
    fn stop_now(&self) -> BoxFuture<'_, Result<(), Self::Error>>;
}

/// How leaving went.
#[derive(Debug)]
pub struct Left<E> {
    /// How the load balancers were left.
    pub end: End<String>,
    /// Whether the server has ended.
    pub stopped: Result<(), E>,
}

/// What others see of the load balancers.
#[derive(Clone, Debug)]
pub struct View {
    /// The value of `frontends` in `/status`.
    pub status: watch::Receiver<Value>,
    /// What Ingress status says.
    pub endpoints: watch::Receiver<BTreeSet<(Scheme, Endpoint)>>,
}

/// Drives the membership of one process.
pub struct Runner<'a> {
    frontend: &'a dyn Frontend,
    machine: Membership<String>,
    page: Page,
}

/// What has come of a command.
enum Outcome<E> {
    Event(Event<String>),
    Listed(Listing),
    Stopped(Result<(), E>),
    /// Another command has taken its place.
    Replaced,
}

/// The calls that are under way.
struct Calls<'a, E> {
    running: FuturesUnordered<BoxFuture<'a, Outcome<E>>>,
    /// By the load balancer that they concern, or none for nginx's end.
    handles: BTreeMap<Option<String>, AbortHandle>,
}

impl<'a> Runner<'a> {
    /// A runner that has joined nothing yet; the kind is the subcommand's name.
    pub fn new(
        kind: &'static str,
        frontend: &'a dyn Frontend,
        settings: Settings,
        health: Health,
        metrics: IngressMetrics,
    ) -> (Self, View) {
        let (status, known_status) = watch::channel(json!({}));
        let (endpoints, known_endpoints) = watch::channel(BTreeSet::new());
        let mut page = Page::new(kind, health, metrics, status, endpoints);
        let machine = Membership::new(settings);
        page.situation(&machine.situation(Instant::now().into_std()));
        (Self { frontend, machine, page }, View { status: known_status, endpoints: known_endpoints })
    }

    /// Joins when nginx serves, and leaves when the process is to end. Returns when that is done.
    pub async fn run<S: Server>(
        mut self,
        server: &'a S,
        mut serving: watch::Receiver<bool>,
        mut shutdown: Shutdown,
    ) -> Left<S::Error> {
        let mut calls = Calls { running: FuturesUnordered::new(), handles: BTreeMap::new() };
        let (mut hurry, mut cut_short) = (shutdown.clone(), shutdown.clone());
        let (mut joined, mut left, mut hurried, mut aborted) = (false, false, false, false);
        let mut stopped = Ok(());
        loop {
            let wake_at = self.machine.wake_at().map(Instant::from_std);
            let event = tokio::select! {
                Some(outcome) = calls.running.next() => match outcome {
                    Outcome::Event(event) => event,
                    Outcome::Listed(listing) => {
                        self.page.listing(&listing);
                        Event::Listed(Ok(listing.into()))
                    }
                    Outcome::Stopped(result) => {
                        stopped = result;
                        Event::Stopped
                    }
                    Outcome::Replaced => continue,
                },
                Ok(_) = serving.wait_for(|serving| *serving), if !joined => {
                    joined = true;
                    Event::Serving
                }
                () = shutdown.draining(), if !left => {
                    left = true;
                    Event::Leave
                }
                () = hurry.hurrying(), if left && !hurried => {
                    hurried = true;
                    Event::Hurry
                }
                () = cut_short.aborting(), if left && !aborted => {
                    aborted = true;
                    Event::Abort
                }
                () = until(wake_at) => Event::Woken,
            };
            if let Some(end) = self.step(event, server, &mut calls) {
                return Left { end, stopped };
            }
        }
    }

    fn step<S: Server>(
        &mut self,
        event: Event<String>,
        server: &'a S,
        calls: &mut Calls<'a, S::Error>,
    ) -> Option<End<String>> {
        let now = Instant::now().into_std();
        let commands = self.machine.step(event, now, Jitter::new(fastrand::f64()));
        self.page.situation(&self.machine.situation(now));
        for command in commands {
            match command {
                Command::End(end) => return Some(end),
                command => calls.begin(self.frontend, server, command),
            }
        }
        None
    }
}

impl From<Listing> for Listed<String> {
    fn from(listing: Listing) -> Self {
        let Listing { balancers: ours, former, foreign, failures, incomplete, .. } = listing;
        let trouble = (!failures.is_empty()).then(|| failures.join("; "));
        Self { ours, former, foreign, trouble, complete: !incomplete }
    }
}

impl<'a, E: Display + Send + 'a> Calls<'a, E> {
    fn begin<S: Server<Error = E>>(
        &mut self,
        frontend: &'a dyn Frontend,
        server: &'a S,
        command: Command<String>,
    ) {
        let subject = match &command {
            Command::Observe(name)
            | Command::Attach(name)
            | Command::Detach(name)
            | Command::Release(name) => Some(Some(name.clone())),
            Command::FinishRequests | Command::Stop | Command::StopNow => Some(None),
            Command::List(_) | Command::CleanUp | Command::End(_) => None,
        };
        let (call, handle) = abortable(carry_out(frontend, server, command));
        if let Some(replaced) = subject.and_then(|subject| self.handles.insert(subject, handle)) {
            replaced.abort();
        }
        self.running.push(Box::pin(async { call.await.unwrap_or(Outcome::Replaced) }));
    }
}

async fn carry_out<'a, S: Server>(
    frontend: &'a dyn Frontend,
    server: &'a S,
    command: Command<String>,
) -> Outcome<S::Error> {
    Outcome::Event(match command {
        Command::List(known) => match frontend.endpoints(&known).await {
            Ok(listing) => return Outcome::Listed(listing),
            Err(failure) => Event::Listed(Err(failure.why)),
        },
        Command::Observe(name) => {
            let standing = frontend.observe(&name).await.map_err(|failure| failure.why);
            Event::Observed(name, standing)
        }
        Command::Attach(name) => {
            let attached = frontend.attach(&name).await;
            Event::Attached(name, attached)
        }
        Command::Detach(name) => {
            let detached = frontend.detach(&name).await.map_err(|failure| failure.why);
            Event::Detached(name, detached)
        }
        Command::Release(name) => {
            let released = frontend.release(&name).await.map_err(|failure| failure.why);
            Event::Released(name, released)
        }
        Command::CleanUp => {
            if let Err(failure) = frontend.clean_up().await {
                warn!("Could not clean up: {}.", failure.why);
            }
            Event::CleanedUp
        }
        Command::FinishRequests => {
            info!("No load balancer sends requests any more: finishing those under way.");
            server.finish_requests().await;
            Event::RequestsDone
        }
        Command::Stop => return Outcome::Stopped(server.stop().await),
        Command::StopNow => return Outcome::Stopped(server.stop_now().await),
        // The end is the caller's.
        Command::End(_) => return Outcome::Replaced,
    })
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
