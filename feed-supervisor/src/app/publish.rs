//! Telling the cluster where the Ingresses are served, and what is wrong with them.

use std::collections::BTreeSet;
use std::sync::Arc;

use feed_reconcile::desired::Scheme;
use feed_reconcile::diagnostic::Diagnostics;
use feed_reconcile::options::{Adoption, Endpoint};
use kube::Client;
use tokio::sync::watch;
use tracing::warn;

use crate::runtime::events;
use crate::runtime::lease::{Participant, identity};
use crate::runtime::settings::LeaseConfig;
use crate::runtime::shutdown::Shutdown;
use crate::runtime::source::SourceState;
use crate::status::StatusWriter;

/// Writes Events about what is wrong with Ingresses, of several replicas by one, until the process is to end; then gives the Lease up.
///
/// It is another Lease than that of status: the holder of that has found load balancers, and where there is no status to write,
/// nobody must keep it from those who have some.
///
/// Returns at the end of the process, be there something to write or not.
pub(super) async fn events(
    writing: Option<(LeaseConfig, Client)>,
    diagnostics: watch::Receiver<Arc<Diagnostics>>,
    state: watch::Receiver<SourceState>,
    mut shutdown: Shutdown,
) {
    let Some((lease, client)) = writing else {
        return shutdown.draining().await;
    };
    let lease = LeaseConfig { name: format!("{}-events", lease.name), ..lease };
    events::run(client, &lease, "feed-ingress", diagnostics, state, shutdown).await;
}

/// Writes Ingress status, of several replicas by one that has found its load balancers, until the process is to end; then
/// gives the Lease up.
///
/// Returns at the end of the process, be there something to write or not.
pub(super) async fn status(
    writing: Option<(LeaseConfig, Client)>,
    adoption: Adoption,
    state: watch::Receiver<SourceState>,
    mut endpoints: watch::Receiver<BTreeSet<(Scheme, Endpoint)>>,
    mut shutdown: Shutdown,
) {
    let Some((lease, client)) = writing else {
        return shutdown.draining().await;
    };
    // They are looked for when nginx serves.
    tokio::select! {
        found = endpoints.wait_for(|endpoints| !endpoints.is_empty()) => if found.is_err() {
            return;
        },
        () = shutdown.draining() => return,
    }
    let (participant, claim) = Participant::new(client.clone(), &lease, &identity());
    let writer = StatusWriter::new(client, claim, adoption, endpoints);
    tokio::select! {
        () = participant.run(shutdown.draining()) => {}
        () = writer.run(state) => warn!("Ingress status is not written any more: the cluster is not followed."),
    }
}
