//! Which of several replicas acts: the one that holds a Lease. What to do with the Lease is decided by
//! [`feed_reconcile::lease`]; here it is read and written.

use std::fs;
use std::time::Duration;

use feed_reconcile::lease::{Decision, Election};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

use super::clock::Clock;
use super::kubernetes::explain;
use super::settings::LeaseConfig;

/// Whether this process may act, and until when; clones tell the same.
#[derive(Clone, Debug)]
pub struct Claim {
    held_until: watch::Receiver<Option<Instant>>,
    longest_action: Duration,
}

impl Claim {
    /// Whether this process may begin to act now, for no longer than [`Claim::longest_action`].
    pub fn is_held(&self) -> bool {
        is_ahead(*self.held_until.borrow())
    }

    /// How long anything that is begun may take: nobody else acts before it is over.
    pub fn longest_action(&self) -> Duration {
        self.longest_action
    }

    /// Waits until this process may act. Cancel safe.
    pub async fn held(&mut self) {
        if self.held_until.wait_for(|until| is_ahead(*until)).await.is_err() {
            // Nobody renews it any more.
            std::future::pending::<()>().await;
        }
    }

    /// Waits until this process may not begin to act any more. Cancel safe.
    pub async fn lost(&mut self) {
        loop {
            let Some(until) = *self.held_until.borrow_and_update() else { return };
            tokio::select! {
                () = sleep_until(until) => return,
                renewed = self.held_until.changed() => {
                    if renewed.is_err() {
                        // Nobody renews it any more.
                        return sleep_until(until).await;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
impl Claim {
    /// A claim that a test gives and takes.
    pub(crate) fn for_tests(longest_action: Duration) -> (watch::Sender<Option<Instant>>, Self) {
        let (sender, held_until) = watch::channel(None);
        (sender, Self { held_until, longest_action })
    }
}

fn is_ahead(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() < until)
}

/// Takes part in the election.
#[derive(Debug)]
pub struct Participant {
    api: Api<Lease>,
    name: String,
    election: Election,
    clock: Clock,
    held_until: watch::Sender<Option<Instant>>,
    /// For one call to the API server.
    call_timeout: Duration,
    /// Whether it was logged last that this replica acts.
    acts: bool,
    /// What was logged last of what went wrong.
    told: Option<String>,
}

/// Why the Lease could not be read or written.
#[derive(Debug, thiserror::Error)]
enum LeaseError {
    #[error("the API server does not answer")]
    Timeout,
    #[error("{}", explain(.0))]
    Api(#[source] kube::Error),
}

impl Participant {
    /// A participant of that identity, which no other may have at the same time: see [`identity`]. The Lease is in the
    /// client's default namespace where the configuration names none.
    pub fn new(client: Client, config: &LeaseConfig, identity: &str) -> (Self, Claim) {
        let api = match &config.namespace {
            Some(namespace) => Api::namespaced(client, namespace),
            None => Api::default_namespaced(client),
        };
        let (held_until, claim) = watch::channel(None);
        let duration = SignedDuration::try_from(config.duration).unwrap_or(SignedDuration::MAX);
        let participant = Self {
            api,
            name: config.name.clone(),
            election: Election::new(identity, duration),
            clock: Clock::start(),
            held_until,
            // A renewal, read and write, fits into the third of the term that is between it and the end of the claim.
            call_timeout: config.duration / 6,
            acts: false,
            told: None,
        };
        (participant, Claim { held_until: claim, longest_action: config.duration / 3 })
    }

    /// Gets and keeps the Lease until told to stop; then gives it up, so that another takes over at once.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let look_at = self.look().await;
            tokio::select! {
                () = sleep_until(self.clock.instant(look_at)) => {}
                () = &mut stop => break,
            }
        }
        if let Err(error) = self.release().await {
            warn!(lease = self.name, %error, "The Lease could not be given up; it expires.");
        }
    }

    /// Does what is to be done now, and returns when to look again.
    async fn look(&mut self) -> Timestamp {
        let look_at = match self.advance().await {
            Ok(look_at) => {
                self.told = None;
                look_at
            }
            Err(error) => {
                self.tell(&error);
                self.election.retry_at(self.clock.now())
            }
        };
        self.publish();
        self.tell_whether_it_acts();
        look_at
    }

    async fn advance(&mut self) -> Result<Timestamp, LeaseError> {
        let current = self.read().await?;
        let spec = current.as_ref().and_then(|lease| lease.spec.as_ref());
        let record = match self.election.decide(self.clock.now(), spec) {
            Decision::Wait(until) => return Ok(until),
            Decision::Acquire(record) | Decision::Renew(record) => record,
        };
        // If another was faster, the next look finds out.
        if self.write(current, record.clone()).await? {
            self.election.written();
            if let Decision::Wait(due) = self.election.decide(self.clock.now(), Some(&record)) {
                return Ok(due);
            }
        }
        Ok(self.election.retry_at(self.clock.now()))
    }

    async fn read(&self) -> Result<Option<Lease>, LeaseError> {
        self.call(self.api.get_opt(&self.name)).await
    }

    /// Writes over the version that was read. Returns whether that was still the current one.
    async fn write(&self, current: Option<Lease>, record: LeaseSpec) -> Result<bool, LeaseError> {
        let parameters = PostParams::default();
        let written = if let Some(current) = current {
            let lease = Lease { spec: Some(record), ..current };
            self.call(self.api.replace(&self.name, &parameters, &lease)).await
        } else {
            let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
            let lease = Lease { metadata, spec: Some(record) };
            self.call(self.api.create(&parameters, &lease)).await
        };
        match written {
            Ok(_) => Ok(true),
            Err(LeaseError::Api(kube::Error::Api(status))) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn release(&mut self) -> Result<(), LeaseError> {
        // Nothing is begun any more, whatever becomes of the Lease.
        self.held_until.send_replace(None);
        let current = self.read().await?;
        let spec = current.as_ref().and_then(|lease| lease.spec.as_ref());
        if let Some(record) = self.election.release(self.clock.now(), spec)
            && self.write(current, record).await?
        {
            info!(lease = self.name, "Gave up the Lease.");
        }
        Ok(())
    }

    async fn call<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, LeaseError> {
        match timeout(self.call_timeout, call).await {
            Ok(answer) => answer.map_err(LeaseError::Api),
            Err(_) => Err(LeaseError::Timeout),
        }
    }

    fn publish(&self) {
        let held_until = self.election.held_until().map(|until| self.clock.instant(until));
        self.held_until.send_if_modified(|published| {
            let is_new = *published != held_until;
            *published = held_until;
            is_new
        });
    }

    /// A process that stood still may have lost it long ago.
    fn tell_whether_it_acts(&mut self) {
        let is_held = self.election.is_held(self.clock.now());
        if is_held && !self.acts {
            info!(lease = self.name, "This replica acts: it holds the Lease.");
        } else if self.acts && !is_held {
            warn!(lease = self.name, "This replica no longer acts: it lost the Lease.");
        }
        self.acts = is_held;
    }

    fn tell(&mut self, error: &LeaseError) {
        let text = error.to_string();
        if self.told.as_ref() != Some(&text) {
            warn!(lease = self.name, %error, "Cannot read or renew the Lease; it is tried again.");
        }
        self.told = Some(text);
    }
}

/// A name that no other participant has at this time: the host's, which is a pod's own, and the number of this process.
/// In a container that starts again both are usually the same, and it goes on where it was.
pub fn identity() -> String {
    format!("{}_{}", host_name(), std::process::id())
}

/// The host's name; a pod's own in a pod.
pub fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests;
