//! Requests one after another, no faster than an account's quota, the more important ones first.
//!
//! Waiting for a turn is no part of a request's time limit, and a request that hangs takes no turn but its own.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use governor::{DefaultDirectRateLimiter, Quota};
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Every so many turns the request goes first that has waited longest, so that none waits for ever.
const TURNS_FOR_THE_OLDEST: u64 = 5;

/// How important a request is, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// Lower ones go first.
    pub rank: u8,
    /// What it is about, such as a zone: while its requests fail, they go after all others.
    pub subject: String,
}

/// The turns of an account's requests; clones share them.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limiter: DefaultDirectRateLimiter,
    /// Whoever holds it waits for the next turn, and gives it to the request that should go first.
    gate: tokio::sync::Mutex<()>,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    /// By rank and arrival.
    waiting: BTreeMap<(u8, u64), Waiting>,
    arrivals: u64,
    turns: u64,
    /// Subjects whose last request failed.
    failing: BTreeSet<String>,
}

#[derive(Debug)]
struct Waiting {
    subject: String,
    is_retry: bool,
    wake: oneshot::Sender<()>,
}

impl Queue {
    /// The request that has the next turn.
    fn next(&mut self) -> Option<((u8, u64), Waiting)> {
        self.turns += 1;
        let oldest = self.waiting.keys().min_by_key(|(_, arrival)| *arrival).copied();
        let first = self.waiting.keys().next().copied();
        let key = if self.turns.is_multiple_of(TURNS_FOR_THE_OLDEST) { oldest } else { first }?;
        self.waiting.remove_entry(&key)
    }
}

/// Leaves the queue when the request is given up.
struct Place<'a> {
    inner: &'a Inner,
    key: (u8, u64),
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.inner.queue().waiting.remove(&self.key);
    }
}

impl Inner {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    /// So many a second, evenly.
    pub fn new(requests_per_second: NonZeroU32) -> Self {
        let quota = Quota::per_second(requests_per_second).allow_burst(NonZeroU32::MIN);
        let limiter = DefaultDirectRateLimiter::direct(quota);
        Self(Arc::new(Inner { limiter, gate: tokio::sync::Mutex::default(), queue: Mutex::default() }))
    }

    /// The subjects of requests that wait for their first turn.
    pub fn waiting(&self) -> BTreeSet<String> {
        let queue = self.0.queue();
        let first = queue.waiting.values().filter(|waiting| !waiting.is_retry);
        first.map(|waiting| waiting.subject.clone()).collect()
    }

    /// Waits for a request's turn.
    async fn turn(&self, ticket: &Ticket, is_retry: bool) {
        let (wake, mut woken) = oneshot::channel();
        let key = {
            let mut queue = self.0.queue();
            queue.arrivals += 1;
            let rank = if queue.failing.contains(&ticket.subject) { u8::MAX } else { ticket.rank };
            let key = (rank, queue.arrivals);
            queue.waiting.insert(key, Waiting { subject: ticket.subject.clone(), is_retry, wake });
            key
        };
        let _place = Place { inner: &self.0, key };
        loop {
            tokio::select! {
                biased;
                _ = &mut woken => return,
                _gate = self.0.gate.lock() => {
                    if !self.0.queue().waiting.contains_key(&key) {
                        return;
                    }
                    self.0.limiter.until_ready().await;
                    let next = self.0.queue().next();
                    match next {
                        Some((next, _)) if next == key => return,
                        // One that was given up meanwhile has left the queue.
                        Some((_, Waiting { wake, .. })) => drop(wake.send(())),
                        None => {}
                    }
                }
            }
        }
    }

    fn ended(&self, subject: &str, well: bool) {
        let mut queue = self.0.queue();
        if well {
            queue.failing.remove(subject);
        } else {
            queue.failing.insert(subject.to_owned());
        }
    }
}

/// Says of a request, by its method and URI, when its turn is.
pub type Classify = fn(method: &str, uri: &str) -> Ticket;

/// The client, each of whose requests waits for its turn, and may then take so long until all of its answer is there. Retries
/// are requests of their own.
pub(super) fn limited(
    client: SharedHttpClient,
    turns: Turns,
    classify: Classify,
    limit: Duration,
) -> SharedHttpClient {
    http_client_fn(move |settings: &HttpConnectorSettings, components: &RuntimeComponents| {
        let inner = client.http_connector(settings, components);
        SharedHttpConnector::new(Limited { inner, turns: turns.clone(), classify, limit })
    })
}

#[derive(Debug)]
struct Limited {
    inner: SharedHttpConnector,
    turns: Turns,
    classify: Classify,
    limit: Duration,
}

#[derive(Debug, thiserror::Error)]
#[error("there was no answer within {} s", .0.as_secs())]
struct NoAnswer(Duration);

impl HttpConnector for Limited {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { inner, turns, limit, .. } = self;
        let (inner, turns, limit) = (inner.clone(), turns.clone(), *limit);
        let ticket = (self.classify)(request.method(), request.uri());
        let attempt = request.headers().get("amz-sdk-request").unwrap_or_default();
        let is_retry = !attempt.is_empty() && !attempt.contains("attempt=1;") && attempt != "attempt=1";
        HttpConnectorFuture::new(async move {
            turns.turn(&ticket, is_retry).await;
            let answer = timeout(limit, whole(inner.call(request))).await;
            let answer = answer.unwrap_or_else(|_| Err(ConnectorError::timeout(NoAnswer(limit).into())));
            let well = answer.as_ref().is_ok_and(|answer| answer.status().is_success());
            turns.ended(&ticket.subject, well);
            answer
        })
    }
}

/// The answer, once all of it is there.
async fn whole(answer: HttpConnectorFuture) -> Result<HttpResponse, ConnectorError> {
    let mut answer = answer.await?;
    let body = std::mem::replace(answer.body_mut(), SdkBody::empty());
    let body = ByteStream::new(body).collect().await.map_err(|error| ConnectorError::io(error.into()))?;
    *answer.body_mut() = SdkBody::from(body.into_bytes());
    Ok(answer)
}

#[cfg(test)]
mod tests;
