//! Telling the cluster where the Ingresses are served.

use feed_reconcile::options::Adoption;
use kube::Client;
use tokio::sync::watch;
use tracing::warn;

use crate::config::Frontend;
use crate::runtime::lease::{Participant, identity};
use crate::runtime::shutdown::Shutdown;
use crate::runtime::source::SourceState;
use crate::status::StatusWriter;

/// Writes Ingress status, of several replicas by one that is ready, until the process is to end; then gives the Lease up.
///
/// Returns at the end of the process, be there something to write or not.
pub(super) async fn run(
    frontend: Frontend,
    adoption: Adoption,
    client: Option<Client>,
    state: watch::Receiver<SourceState>,
    mut ready: watch::Receiver<bool>,
    mut shutdown: Shutdown,
) {
    let (Frontend::Static(balancers), Some(client)) = (frontend, client) else {
        return shutdown.draining().await;
    };
    tokio::select! {
        ready = ready.wait_for(|ready| *ready) => if ready.is_err() {
            return;
        },
        () = shutdown.draining() => return,
    }
    let (participant, claim) = Participant::new(client.clone(), &balancers.lease, &identity());
    let writer = StatusWriter::new(client, claim, adoption, balancers.endpoints);
    tokio::select! {
        () = participant.run(shutdown.draining()) => {}
        () = writer.run(state) => warn!("Ingress status is not written any more: the cluster is not followed."),
    }
}
