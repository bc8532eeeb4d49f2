//! Telling the cluster where the Ingresses are served.

use std::collections::BTreeSet;

use feed_reconcile::desired::Scheme;
use feed_reconcile::options::{Adoption, Endpoint};
use kube::Client;
use tokio::sync::watch;
use tracing::warn;

use crate::runtime::lease::{Participant, identity};
use crate::runtime::settings::LeaseConfig;
use crate::runtime::shutdown::Shutdown;
use crate::runtime::source::SourceState;
use crate::status::StatusWriter;

/// Writes Ingress status, of several replicas by one that has found its load balancers, until the process is to end; then
/// gives the Lease up.
///
/// Returns at the end of the process, be there something to write or not.
pub(super) async fn run(
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
