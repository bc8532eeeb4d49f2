//! The counts of routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::counts::RouteCounts;
use super::ledger::{NO_ROUTE, UNDECLARED};
use super::mark::RouteMark;
use super::record::Record;
use super::retired::{Verdict, limit};
use crate::desired::{Backend, DesiredState, UpstreamName, VirtualServer};
use crate::difference::changed_keys;
use crate::host::Host;
use crate::path::RoutePath;

/// The routes that are declared, or were a short while ago, with their counts.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// What is declared.
    servers: BTreeMap<Host, Arc<VirtualServer>>,
    undeclared: Arc<VirtualServer>,
    /// By the label `host`.
    hosts: BTreeMap<Arc<str>, HostCounts>,
    declared: usize,
    /// How many were retired since the last sweep.
    newly_retired: usize,
}

#[derive(Debug, Default)]
struct HostCounts {
    /// `None` while it is declared.
    retired: Option<Instant>,
    marks: BTreeMap<RouteMark, Marked>,
    paths: BTreeMap<RoutePath, RouteCounts>,
    no_route: RouteCounts,
}

/// What a mark stands for.
#[derive(Debug)]
struct Marked {
    path: RoutePath,
    destination: Destination,
    /// `None` while it is declared.
    retired: Option<Instant>,
}

/// Whose endpoints answer a route's requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// Those of an upstream.
    Upstream(UpstreamName),
    /// An external one.
    External(Host, u16),
    /// Nobody's.
    Nothing,
}

impl Destination {
    fn of(backend: &Backend) -> Self {
        match backend {
            Backend::Upstream(upstream) => Self::Upstream(upstream.name.clone()),
            Backend::External { host, port, .. } => Self::External(host.clone(), *port),
            Backend::Unavailable | Backend::Forbidden => Self::Nothing,
        }
    }
}

impl Routes {
    /// Takes over what is declared now.
    pub(super) fn declare(&mut self, state: &DesiredState, now: Instant) {
        for host in changed_keys(&self.servers, &state.servers) {
            let before = self.servers.get(&host).map_or(0, |server| server.routes.len());
            let server = state.servers.get(&host);
            self.declare_host(host.as_str(), server, before, now);
        }
        if !Arc::ptr_eq(&self.undeclared, &state.undeclared) || !self.hosts.contains_key(UNDECLARED) {
            let before = self.undeclared.routes.len();
            self.declare_host(UNDECLARED, Some(&state.undeclared), before, now);
        }
        self.servers.clone_from(&state.servers);
        self.undeclared = Arc::clone(&state.undeclared);
    }

    fn declare_host(&mut self, host: &str, server: Option<&Arc<VirtualServer>>, before: usize, now: Instant) {
        if !self.hosts.contains_key(host) {
            self.hosts.insert(host.into(), HostCounts::default());
        }
        let Some(counts) = self.hosts.get_mut(host) else { return };
        counts.retired = server.is_none().then_some(now);
        for marked in counts.marks.values_mut() {
            marked.retired.get_or_insert(now);
        }
        let routes = server.map(|server| server.routes.as_slice()).unwrap_or_default();
        for route in routes {
            let marked = Marked {
                path: route.path.clone(),
                destination: Destination::of(&route.backend),
                retired: None,
            };
            counts.marks.insert(RouteMark::of(route), marked);
            counts.paths.entry(route.path.clone()).or_default();
        }
        self.declared = (self.declared + routes.len()).saturating_sub(before);
        self.newly_retired += before + 1;
    }

    /// Counts a request, and says who was asked for it.
    pub(super) fn count(
        &mut self,
        record: &Record<'_>,
        bounds: &[Duration],
        now: Instant,
    ) -> Option<&Destination> {
        let host = self.host_mut(record.host.unwrap_or(UNDECLARED))?;
        host.retired = host.retired.map(|_| now);
        let marked = record.mark.and_then(|mark| host.marks.get_mut(&mark));
        let path = marked.as_ref().and_then(|marked| host.paths.get_mut(&marked.path));
        path.unwrap_or(&mut host.no_route).count(record, bounds);
        let marked = marked?;
        marked.retired = marked.retired.map(|_| now);
        Some(&marked.destination)
    }

    /// The counts of a host: of itself, of the wildcard that it falls under, or of all that nobody has declared.
    fn host_mut(&mut self, host: &str) -> Option<&mut HostCounts> {
        let wildcard;
        let label = if self.hosts.contains_key(host) {
            host
        } else {
            wildcard = host.split_once('.').map(|(_, suffix)| format!("*.{suffix}")).unwrap_or_default();
            if self.hosts.contains_key(wildcard.as_str()) { &wildcard } else { UNDECLARED }
        };
        self.hosts.get_mut(label)
    }

    /// Whether so much was retired that it should be looked what can be forgotten.
    pub(super) fn is_crowded(&self) -> bool {
        self.newly_retired > limit(self.declared)
    }

    /// Forgets what was not declared for long enough.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.newly_retired = 0;
        let retired = self
            .hosts
            .values()
            .flat_map(|host| host.marks.values().filter_map(|marked| marked.retired).chain(host.retired));
        let verdict = Verdict::new(retired.collect(), self.declared, now);
        self.hosts.retain(|_, host| {
            host.marks.retain(|_, marked| verdict.keeps(marked.retired));
            let HostCounts { marks, paths, .. } = host;
            let kept: BTreeSet<&RoutePath> = marks.values().map(|marked| &marked.path).collect();
            paths.retain(|path, _| kept.contains(path));
            !host.marks.is_empty() || verdict.keeps(host.retired)
        });
    }

    /// The external destinations of all of them.
    pub(super) fn externals(&self) -> impl Iterator<Item = (&Host, u16)> {
        let marks = self.hosts.values().flat_map(|host| host.marks.values());
        marks.filter_map(|marked| match &marked.destination {
            Destination::External(host, port) => Some((host, *port)),
            Destination::Upstream(_) | Destination::Nothing => None,
        })
    }

    /// The labels `host` and `path` of everything that was asked for, with the counts, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &RouteCounts)> {
        let all = self.hosts.iter().flat_map(|(label, host)| {
            let paths = host.paths.iter().map(|(path, counts)| (path.as_str(), counts));
            let all = paths.chain([(NO_ROUTE, &host.no_route)]);
            all.map(move |(path, counts)| (&**label, path, counts))
        });
        all.filter(|(_, _, counts)| counts.total() > 0)
    }
}
