//! The cluster's objects from a Kubernetes API server: a list of each kind, and a watch of what happens to it.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;

use feed_reconcile::key::ObjectKind;
use futures::StreamExt;
use k8s_openapi::api::core::v1::{Namespace, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::networking::v1::{Ingress, IngressClass};
use kube::core::DeserializeGuard;
use kube::runtime::watcher;
use kube::{Api, Client, Config, Resource};
use tokio::task::{JoinError, JoinSet};
use tokio::time::sleep;

mod follower;
mod trouble;

use follower::Follower;

use super::object::{TLS_SECRET, Tracked};
use super::{SourceReader, SourceWriter};
use crate::runtime::health::Health;
use crate::runtime::kubernetes::calls::{ApiCalls, ObserveLayer};
use crate::runtime::kubernetes::{self, ClientError};

/// After this many seconds the API server ends a watch, and the next one begins where it ended. A connection that is
/// dead without saying so is noticed five seconds later.
const WATCH_SECONDS: u32 = 120;

/// Keeps a state in step with a cluster.
pub struct KubeSource {
    client: Client,
    kinds: BTreeSet<ObjectKind>,
    writer: SourceWriter,
    health: Health,
    with_keys: bool,
}

impl fmt::Debug for KubeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KubeSource").field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

impl KubeSource {
    /// A source of all objects of these kinds; of Secrets, those that hold a certificate.
    ///
    /// `health` is bad until every kind has been listed, and says what is waited for. After that, while the API server is
    /// away, the last state stays, and its [age](SourceReader::freshness) grows.
    ///
    /// # Errors
    ///
    /// When the certificates or credentials of the configuration cannot be used.
    pub fn new(
        config: Config,
        kinds: BTreeSet<ObjectKind>,
        calls: ApiCalls,
        health: Health,
    ) -> Result<(Self, SourceReader), ClientError> {
        let (writer, reader) = super::channel(&kinds);
        let observe = ObserveLayer::new(calls).with_freshness(writer.freshness().clone());
        let client = kubernetes::client(config, &observe)?;
        Ok((Self { client, kinds, writer, health, with_keys: true }, reader))
    }

    /// Of Secrets nothing is kept but that they are there.
    #[must_use]
    pub fn without_keys(mut self) -> Self {
        self.with_keys = false;
        self
    }

    /// Follows the changes until the process ends.
    ///
    /// # Errors
    ///
    /// When following a kind fails unexpectedly.
    pub async fn run(self) -> Result<Infallible, JoinError> {
        let mut following = JoinSet::new();
        for kind in &self.kinds {
            match kind {
                ObjectKind::Ingress => following.spawn(self.follow::<Ingress>()),
                ObjectKind::IngressClass => following.spawn(self.follow::<IngressClass>()),
                ObjectKind::Service => following.spawn(self.follow::<Service>()),
                ObjectKind::Namespace => following.spawn(self.follow::<Namespace>()),
                ObjectKind::Secret => following.spawn(self.follow::<Secret>()),
                ObjectKind::EndpointSlice => following.spawn(self.follow::<EndpointSlice>()),
                ObjectKind::Manifest => continue,
            };
        }
        loop {
            match following.join_next().await {
                Some(Err(error)) => return Err(error),
                Some(Ok(())) | None => std::future::pending().await,
            }
        }
    }

    fn follow<K>(&self) -> impl Future<Output = ()> + Send + 'static
    where
        K: Tracked + Resource<DynamicType = ()>,
    {
        let api = Api::<DeserializeGuard<K>>::all(self.client.clone());
        let config = watcher::Config::default().timeout(WATCH_SECONDS);
        let config = match K::OBJECT_KIND {
            ObjectKind::Secret => config.fields(&format!("type={TLS_SECRET}")),
            _ => config,
        };
        let mut follower = Follower::<K>::new(self.writer.clone(), self.health.clone(), self.with_keys);
        async move {
            let mut events = watcher::watcher(api, config).boxed();
            while let Some(event) = events.next().await {
                match event {
                    Ok(event) => follower.happened(event),
                    Err(error) => sleep(follower.failed(&error)).await,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
