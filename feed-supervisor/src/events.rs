//! Telling the authors of Ingresses that nginx refuses these, by Kubernetes Events: `kubectl describe ingress` shows them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::diagnostic::{Code, Diagnostic, Diagnostics};
use k8s_openapi::api::networking::v1::Ingress;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use kube::{Api, Client, Resource as _};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::warn;

use crate::runtime::kubernetes::explain;
use crate::runtime::lease::identity;

/// How long publishing an event may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest note that the API takes, in bytes: `events.k8s.io/v1` Event.
const LONGEST_NOTE: usize = 1024;

/// Publishes an Event for every Ingress that is newly kept away from nginx. An Event that cannot be published is lost: the log, `/status`
/// and the metrics say the same.
pub async fn run(client: Client, mut diagnostics: watch::Receiver<Arc<Diagnostics>>) -> Infallible {
    let reporter = Reporter { controller: "feed-ingress".into(), instance: Some(identity()) };
    let recorder = Recorder::new(client.clone(), reporter);
    let mut known = BTreeSet::new();
    loop {
        let now = quarantined(&diagnostics.borrow_and_update());
        for diagnostic in now.difference(&known) {
            publish(&client, &recorder, diagnostic).await;
        }
        known = now;
        if diagnostics.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

fn quarantined(diagnostics: &Diagnostics) -> BTreeSet<Diagnostic> {
    diagnostics.iter().filter(|diagnostic| diagnostic.code == Code::Quarantined).cloned().collect()
}

async fn publish(client: &Client, recorder: &Recorder, diagnostic: &Diagnostic) {
    let name = &diagnostic.object.name;
    let event = Event {
        type_: EventType::Warning,
        reason: diagnostic.code.to_string(),
        note: Some(shortened(&diagnostic.message)),
        action: "Configure".into(),
        secondary: None,
    };
    let published = async {
        let ingresses: Api<Ingress> = Api::namespaced(client.clone(), &name.namespace);
        // `kubectl describe` looks for the events of this very object, by its uid.
        let reference = ingresses.get(&name.name).await?.object_ref(&());
        recorder.publish(&event, &reference).await
    };
    let why = match timeout(PATIENCE, published).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => explain(&error),
        Err(_) => format!("no answer within {PATIENCE:?}"),
    };
    warn!(ingress = %name, "An Event cannot be published: {why}.");
}

fn shortened(note: &str) -> String {
    let end = (0..=LONGEST_NOTE.min(note.len())).rev().find(|end| note.is_char_boundary(*end));
    note.get(..end.unwrap_or_default()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_cut_between_letters() {
        assert_eq!(shortened("short"), "short");
        let long = "ä".repeat(LONGEST_NOTE);
        assert_eq!(shortened(&format!("x{long}")).len(), LONGEST_NOTE - 1);
        assert_eq!(shortened(&long).len(), LONGEST_NOTE);
    }
}
