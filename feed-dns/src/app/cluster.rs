//! The cluster's objects, and which replica acts on them.

use std::collections::BTreeSet;

use feed_reconcile::key::ObjectKind;
use feed_supervisor::runtime::health::Health;
use feed_supervisor::runtime::kubernetes;
use feed_supervisor::runtime::kubernetes::calls::{ApiCalls, ObserveLayer};
use feed_supervisor::runtime::lease::{Claim, Participant, identity};
use feed_supervisor::runtime::metrics::Metrics;
use feed_supervisor::runtime::settings::Source;
use feed_supervisor::runtime::source::SourceReader;
use feed_supervisor::runtime::source::kube::KubeSource;
use feed_supervisor::runtime::source::manifests::ManifestSource;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tracing::error;

use super::{AppError, Tasks};
use crate::config::Config;
use crate::leadership::Leadership;

/// Where the cluster's objects come from, not followed yet.
pub(super) enum Cluster {
    Kubernetes { source: KubeSource, reader: SourceReader, participant: Box<Participant>, claim: Claim },
    Manifests { source: ManifestSource, reader: SourceReader },
}

impl Cluster {
    pub(super) async fn open(
        config: &Config,
        metrics: &mut Metrics,
        health: &Health,
    ) -> Result<Self, AppError> {
        match &config.source {
            Source::Manifests(directory) => {
                let (source, reader) = ManifestSource::open(directory.clone()).await?;
                Ok(Self::Manifests { source, reader })
            }
            Source::Kubernetes { kubeconfig } => {
                let api = kubernetes::config(kubeconfig.as_deref()).await?;
                let calls = ApiCalls::register(metrics);
                let client = kubernetes::client(api.clone(), &ObserveLayer::new(calls.clone()))?;
                let (participant, claim) = Participant::new(client, &config.lease, &identity());
                let (source, reader) = KubeSource::new(api, kinds(config), calls, health.clone())?;
                Ok(Self::Kubernetes { source, reader, participant: Box::new(participant), claim })
            }
        }
    }

    pub(super) fn reader(&self) -> &SourceReader {
        match self {
            Self::Kubernetes { reader, .. } | Self::Manifests { reader, .. } => reader,
        }
    }

    /// Begins to follow the objects' changes. The election is not taken part in yet.
    pub(super) fn follow(self, tasks: &mut Tasks) -> (SourceReader, Candidate) {
        match self {
            Self::Kubernetes { source, reader, participant, claim } => {
                tasks.spawn("the watch of the Kubernetes API", source.run());
                (reader, Candidate::Replica(participant, claim))
            }
            Self::Manifests { source, reader } => {
                tasks.spawn("the watch of the manifests", source.run());
                (reader, Candidate::Alone)
            }
        }
    }
}

/// This replica, before it takes part in the election.
pub(super) enum Candidate {
    Replica(Box<Participant>, Claim),
    Alone,
}

/// This replica's part in the election.
pub(super) struct Candidacy {
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Candidate {
    /// Takes part from now on.
    pub(super) fn run(self) -> (Leadership, Candidacy) {
        match self {
            Self::Alone => (Leadership::Alone, Candidacy { running: None }),
            Self::Replica(participant, claim) => {
                let (stop, stopped) = oneshot::channel();
                let running = tokio::spawn(participant.run(async { drop(stopped.await) }));
                (Leadership::Elected(claim), Candidacy { running: Some((stop, running)) })
            }
        }
    }
}

impl Candidacy {
    /// Gives the Lease up, if it is held, so that another replica takes over at once.
    pub(super) async fn end(self) {
        if let Some((stop, running)) = self.running {
            drop(stop);
            if let Err(error) = running.await {
                error!(%error, "What keeps the Lease has failed.");
            }
        }
    }
}

/// The kinds of objects that decide which records there should be: those alone are read, and have to be readable.
fn kinds(config: &Config) -> BTreeSet<ObjectKind> {
    let adoption = &config.adoption;
    let class = adoption.class.is_some().then_some(ObjectKind::IngressClass);
    let namespace = (!adoption.namespace_selectors.is_empty()).then_some(ObjectKind::Namespace);
    std::iter::once(ObjectKind::Ingress).chain(class).chain(namespace).collect()
}
