//! What is said when a list or a watch fails: once in the log, and in health as long as nothing was listed.

use feed_reconcile::key::ObjectKind;
use kube::Resource;
use kube::core::Status;
use kube::runtime::watcher;
use tracing::{info, warn};

use crate::runtime::health::{Condition, Health};
use crate::runtime::kubernetes::explain;

/// The troubles with one kind.
#[derive(Debug)]
pub(super) struct Trouble {
    /// As RBAC and `kubectl` have it: `ingresses.networking.k8s.io`.
    resource: String,
    /// The part of the process in [`Health`].
    part: &'static str,
    health: Health,
    listed: bool,
    /// The status of what was logged last; 0 for no answer.
    told: Option<u16>,
}

impl Trouble {
    /// The kind has not been listed, and health says so.
    pub(super) fn of<K: Resource<DynamicType = ()>>(kind: ObjectKind, health: Health) -> Self {
        let (plural, group) = (K::plural(&()), K::group(&()));
        let resource = if group.is_empty() { plural.into_owned() } else { format!("{plural}.{group}") };
        let part = match kind {
            ObjectKind::Ingress => "cluster: ingresses",
            ObjectKind::IngressClass => "cluster: ingressclasses",
            ObjectKind::Service => "cluster: services",
            ObjectKind::Namespace => "cluster: namespaces",
            ObjectKind::Secret => "cluster: secrets",
            ObjectKind::EndpointSlice => "cluster: endpointslices",
            ObjectKind::Manifest => "cluster: manifests",
        };
        let trouble = Self { resource, part, health, listed: false, told: None };
        trouble.waits(None);
        trouble
    }

    /// All objects were listed.
    pub(super) fn listed(&mut self, count: usize) {
        let resource = &self.resource;
        if self.listed {
            info!(resource, count, "Listed again.");
        } else {
            info!(resource, count, "Listed.");
            self.health.report(self.part, Condition::Good);
        }
        (self.listed, self.told) = (true, None);
    }

    /// A list or a watch failed; `is_new` when all was well before.
    pub(super) fn failed(&mut self, error: &watcher::Error, is_new: bool) {
        let resource = &self.resource;
        if is_expired(error) {
            info!(
                resource,
                "What was missed is too long ago for the API server, so all objects are listed again."
            );
            return;
        }
        let (status, reason) = self.reason(error);
        if !self.listed {
            self.waits(Some(&reason));
        }
        if is_new || self.told != Some(status) {
            warn!(
                resource,
                "The cluster is not followed: {reason}. It is tried again; the last state stays."
            );
        }
        self.told = Some(status);
    }

    fn waits(&self, reason: Option<&str>) {
        let resource = &self.resource;
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let sentence = format!("The cluster's {resource} have not been listed yet{reason}.");
        self.health.report(self.part, Condition::Down(sentence));
    }

    /// The API server's status, 0 for no answer, and what is wrong.
    fn reason(&self, error: &watcher::Error) -> (u16, String) {
        let resource = &self.resource;
        let (verb, status, text) = match error {
            watcher::Error::InitialListFailed(error) => ("list", status(error), explain(error)),
            watcher::Error::WatchStartFailed(error) | watcher::Error::WatchFailed(error) => {
                ("watch", status(error), explain(error))
            }
            watcher::Error::WatchError(status) => ("watch", Some(&**status), status.message.clone()),
            watcher::Error::NoResourceVersion => ("watch", None, error.to_string()),
        };
        let code = status.map_or(0, |status| status.code);
        let reason = match code {
            401 => {
                format!("the API server does not know who we are, so we cannot {verb} {resource}: {text}")
            }
            403 => format!("we may not {verb} {resource}, which our ClusterRole should allow: {text}"),
            404 => format!("the API server has no {resource} to {verb}, so it may be too old: {text}"),
            _ => format!("cannot {verb} {resource}: {text}"),
        };
        (code, reason)
    }
}

fn status(error: &kube::Error) -> Option<&Status> {
    match error {
        kube::Error::Api(status) => Some(status),
        _ => None,
    }
}

/// Whether the API server says that it has forgotten where the watch should go on.
fn is_expired(error: &watcher::Error) -> bool {
    let status = match error {
        watcher::Error::WatchError(status) => Some(&**status),
        watcher::Error::WatchStartFailed(error) => status(error),
        _ => None,
    };
    status.is_some_and(|status| status.code == 410)
}
