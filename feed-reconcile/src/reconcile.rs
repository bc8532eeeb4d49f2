//! From the cluster to the desired state, in whole or from what changed.

mod handover;
mod host_claims;
mod references;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use k8s_openapi::api::networking::v1::Ingress;

use crate::adopt::is_adopted;
use crate::backend::SliceIndex;
use crate::compile::{Compiled, compile};
use crate::desired::{Backend, DesiredState, UpstreamName, VirtualServer};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::host::Host;
use crate::key::{ObjectKey, ObjectKind, ObjectName};
use crate::options::Options;
use crate::snapshot::ClusterSnapshot;
pub use handover::Handover;
use host_claims::{Claimant, merge};
use references::{ReferenceIndex, update_slice_index};

/// What was computed: what to serve, and what is wrong with the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// What should be served.
    pub state: DesiredState,
    /// Everything that was rejected, clamped, conflicting or ignored.
    pub diagnostics: Diagnostics,
}

/// Computes what should be served. Total: problems of the input become diagnostics.
///
/// Equal objects give equal results, whatever the order in which they were handed over.
pub fn reconcile(snapshot: &ClusterSnapshot, options: &Options) -> Reconciled {
    let mut reconciler = Reconciler::new(options.clone());
    reconciler.update(snapshot);
    reconciler.reconciled
}

/// Computes what should be served from what changed since the last snapshot.
///
/// The result equals that of [`reconcile`] on the same snapshot; a change costs about as much as the hosts that
/// it touches. Values that stayed equal keep their `Arc`, so that whoever comes after can tell.
#[derive(Debug)]
pub struct Reconciler {
    options: Options,
    snapshot: ClusterSnapshot,
    compiled: BTreeMap<ObjectName, Compiled>,
    /// Which Ingresses declare a host, the winner of conflicts first; `None` is for undeclared hosts.
    claimants: BTreeMap<Option<Host>, BTreeSet<Claimant>>,
    conflicts: BTreeMap<Option<Host>, Vec<Diagnostic>>,
    references: ReferenceIndex,
    slices: SliceIndex,
    /// How many routes use an upstream.
    upstream_users: BTreeMap<UpstreamName, usize>,
    handovers: Vec<Handover>,
    reconciled: Reconciled,
}

impl Reconciler {
    /// A reconciler that has seen an empty cluster.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            snapshot: ClusterSnapshot::default(),
            compiled: BTreeMap::new(),
            claimants: BTreeMap::new(),
            conflicts: BTreeMap::new(),
            references: ReferenceIndex::default(),
            slices: SliceIndex::default(),
            upstream_users: BTreeMap::new(),
            handovers: Vec::new(),
            reconciled: Reconciled::default(),
        }
    }

    /// What was computed last.
    pub fn reconciled(&self) -> &Reconciled {
        &self.reconciled
    }

    /// What the last update has passed on from one Ingress to another.
    pub fn handovers(&self) -> &[Handover] {
        &self.handovers
    }

    /// Takes over a newer snapshot, and computes what it changes.
    pub fn update(&mut self, snapshot: &ClusterSnapshot) -> &Reconciled {
        let ingresses = self.affected_ingresses(snapshot);
        self.snapshot = snapshot.clone();
        self.handovers.clear();
        let mut hosts = BTreeSet::new();
        for name in &ingresses {
            self.forget(name, &mut hosts);
        }
        for name in ingresses {
            if let Some(ingress) = snapshot.ingresses.get(&name)
                && is_adopted(ingress, snapshot, &self.options.adoption)
            {
                self.adopt(name, ingress, &mut hosts);
            }
        }
        for host in &hosts {
            self.release(host.as_ref());
        }
        for host in hosts {
            self.serve(host);
        }
        self.drop_unused_upstreams();
        self.reconciled.state.default_certificate.clone_from(&snapshot.default_certificate);
        &self.reconciled
    }

    /// The Ingresses whose result may differ: those that changed, and those that refer to what changed.
    fn affected_ingresses(&mut self, newer: &ClusterSnapshot) -> BTreeSet<ObjectName> {
        let older = &self.snapshot;
        let slices = update_slice_index(&mut self.slices, &older.endpoint_slices, &newer.endpoint_slices);
        if !older.ingress_classes.changed(&newer.ingress_classes).is_empty() {
            // Classes change once in a cluster's life, and then may change who adopts what.
            return older
                .ingresses
                .iter()
                .chain(newer.ingresses.iter())
                .map(|(name, _)| name.clone())
                .collect();
        }
        let mut affected: BTreeSet<ObjectName> =
            older.ingresses.changed(&newer.ingresses).into_iter().collect();
        affected.extend(older.closed.symmetric_difference(&newer.closed).cloned());
        for namespace in older.namespaces.changed(&newer.namespaces) {
            affected.extend(newer.ingresses.in_namespace(&namespace.name).cloned());
        }
        let services = older.services.changed(&newer.services).into_iter().chain(slices);
        for service in services {
            affected.extend(self.references.users_of_service(&service).cloned());
        }
        for ObjectKey { kind, name } in older.unreadable.symmetric_difference(&newer.unreadable) {
            match kind {
                ObjectKind::Service => affected.extend(self.references.users_of_service(name).cloned()),
                ObjectKind::Secret => affected.extend(self.references.users_of_secret(name).cloned()),
                _ => {}
            }
        }
        let secrets = older.secrets.changed(&newer.secrets);
        for secret in secrets.into_iter().chain(older.certificates.changed(&newer.certificates)) {
            affected.extend(self.references.users_of_secret(&secret).cloned());
        }
        affected
    }

    fn forget(&mut self, name: &ObjectName, hosts: &mut BTreeSet<Option<Host>>) {
        let Some(compiled) = self.compiled.remove(name) else { return };
        for diagnostic in &compiled.diagnostics {
            self.reconciled.diagnostics.remove(diagnostic);
        }
        self.references.remove(name, &compiled.references);
        let claimant = Claimant { created: compiled.summary.created, name: name.clone() };
        for host in compiled.hosts.into_keys() {
            if let Some(claimants) = self.claimants.get_mut(&host) {
                claimants.remove(&claimant);
            }
            hosts.insert(host);
        }
        self.reconciled.state.ingresses.remove(name);
    }

    fn adopt(&mut self, name: ObjectName, ingress: &Ingress, hosts: &mut BTreeSet<Option<Host>>) {
        let compiled = compile(&name, ingress, &self.snapshot, &self.slices, &self.options);
        self.reconciled.diagnostics.extend(compiled.diagnostics.iter().cloned());
        self.references.insert(&name, &compiled.references);
        for host in compiled.hosts.keys() {
            let claimant = Claimant { created: compiled.summary.created, name: name.clone() };
            self.claimants.entry(host.clone()).or_default().insert(claimant);
            hosts.insert(host.clone());
        }
        self.reconciled.state.ingresses.insert(name.clone(), compiled.summary.clone());
        self.compiled.insert(name, compiled);
    }

    /// Takes back what the host's routes count for.
    fn release(&mut self, host: Option<&Host>) {
        let state = &mut self.reconciled.state;
        let server = match host {
            Some(host) => state.servers.get(host),
            None => Some(&state.undeclared),
        };
        for route in server.iter().flat_map(|server| &server.routes) {
            if route.backend.refusal().is_none()
                && let Some(summary) = state.ingresses.get_mut(&route.ingress)
            {
                summary.routes = summary.routes.saturating_sub(1);
            }
            if let Backend::Upstream(upstream) = &route.backend
                && let Some(users) = self.upstream_users.get_mut(&upstream.name)
            {
                *users = users.saturating_sub(1);
            }
        }
    }

    /// Settles who serves what of the host, and counts its routes.
    fn serve(&mut self, host: Option<Host>) {
        for diagnostic in self.conflicts.remove(&host).into_iter().flatten() {
            self.reconciled.diagnostics.remove(&diagnostic);
        }
        if self.claimants.get(&host).is_some_and(BTreeSet::is_empty) {
            self.claimants.remove(&host);
        }
        let Some(claimants) = self.claimants.get(&host) else {
            self.set_server(host, None);
            return;
        };
        let (server, conflicts) = merge(host.as_ref(), claimants, &self.compiled);
        for route in &server.routes {
            if route.backend.refusal().is_none()
                && let Some(summary) = self.reconciled.state.ingresses.get_mut(&route.ingress)
            {
                summary.routes += 1;
            }
            if let Backend::Upstream(upstream) = &route.backend {
                *self.upstream_users.entry(upstream.name.clone()).or_default() += 1;
                keep_equal(&mut self.reconciled.state.upstreams, &upstream.name, upstream);
            }
        }
        if !conflicts.is_empty() {
            self.reconciled.diagnostics.extend(conflicts.iter().cloned());
            self.conflicts.insert(host.clone(), conflicts);
        }
        self.set_server(host, Some(server));
    }

    fn set_server(&mut self, host: Option<Host>, server: Option<VirtualServer>) {
        let state = &mut self.reconciled.state;
        let before = match &host {
            Some(host) => state.servers.get(host),
            None => Some(&state.undeclared),
        };
        if let Some((before, server)) = before.zip(server.as_ref()) {
            self.handovers.extend(Handover::between(host.as_ref(), before, server));
        }
        match (host, server) {
            (Some(host), Some(server)) => keep_equal(&mut state.servers, &host, &Arc::new(server)),
            (Some(host), None) => drop(state.servers.remove(&host)),
            (None, server) => {
                let server = server.unwrap_or_default();
                if *state.undeclared != server {
                    state.undeclared = Arc::new(server);
                }
            }
        }
    }

    fn drop_unused_upstreams(&mut self) {
        let upstreams = &mut self.reconciled.state.upstreams;
        self.upstream_users.retain(|name, users| {
            if *users == 0 {
                upstreams.remove(name);
            }
            *users > 0
        });
    }
}

/// Inserts a value, unless an equal one is there already, whose `Arc` then stays.
fn keep_equal<K: Ord + Clone, V: PartialEq>(map: &mut BTreeMap<K, Arc<V>>, key: &K, value: &Arc<V>) {
    if map.get(key) != Some(value) {
        map.insert(key.clone(), Arc::clone(value));
    }
}
