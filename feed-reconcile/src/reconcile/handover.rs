//! Paths that pass from one Ingress to another.

use std::collections::BTreeMap;

use super::host_claims::Slot;
use crate::desired::VirtualServer;
use crate::host::Host;
use crate::key::ObjectName;
use crate::path::RoutePath;

/// Paths of a host that belonged to one Ingress and belong to another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handover {
    /// The host; `None` stands for the hosts that nobody declares.
    pub host: Option<Host>,
    /// Whose the paths were.
    pub from: ObjectName,
    /// Whose they are.
    pub to: ObjectName,
    /// The paths, in order; never empty.
    pub paths: Vec<RoutePath>,
}

impl Handover {
    /// What passes on when the host's routes are replaced.
    pub(super) fn between(host: Option<&Host>, older: &VirtualServer, newer: &VirtualServer) -> Vec<Self> {
        let owners: BTreeMap<Slot<'_>, &ObjectName> =
            older.routes.iter().map(|route| (Slot::of(route), &route.ingress)).collect();
        let mut handovers: BTreeMap<(&ObjectName, &ObjectName), Vec<RoutePath>> = BTreeMap::new();
        for route in &newer.routes {
            if let Some(&from) = owners.get(&Slot::of(route))
                && *from != route.ingress
            {
                let paths = handovers.entry((from, &route.ingress)).or_default();
                if paths.last() != Some(&route.path) {
                    paths.push(route.path.clone());
                }
            }
        }
        let handover = |((from, to), paths): ((&ObjectName, &ObjectName), _)| Self {
            host: host.cloned(),
            from: from.clone(),
            to: to.clone(),
            paths,
        };
        handovers.into_iter().map(handover).collect()
    }
}
