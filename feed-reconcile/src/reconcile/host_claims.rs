//! Conflicts: who serves what of one host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::certificate::KeyPair;
use crate::compile::{Claim, Compiled};
use crate::desired::{PathMatch, Route, VirtualServer};
use crate::diagnostic::{Code, Diagnostic};
use crate::host::Host;
use crate::key::{ObjectKey, ObjectName};

/// An Ingress that declares a host. The first in order wins: the older, then by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Claimant {
    /// Nanoseconds since 1970; what has no time is oldest.
    pub(super) created: Option<i128>,
    pub(super) name: ObjectName,
}

/// What two routes cannot both have: the path without its last slash, unless the match is exact.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot<'a> {
    path: &'a str,
    exact: bool,
}

impl<'a> Slot<'a> {
    pub(super) fn of(route: &'a Route) -> Self {
        let path = route.path.as_str();
        match route.path_match {
            PathMatch::Exact => Self { path, exact: true },
            PathMatch::Prefix | PathMatch::Directory => {
                Self { path: path.strip_suffix('/').unwrap_or(path), exact: false }
            }
        }
    }
}

/// The routes of one host (`None`: of the undeclared ones), and what lost against them. A claim that cannot be served
/// wins as any other does.
pub(super) fn merge(
    host: Option<&Host>,
    claimants: &BTreeSet<Claimant>,
    compiled: &BTreeMap<ObjectName, Compiled>,
) -> (VirtualServer, Vec<Diagnostic>) {
    let key = host.cloned();
    let claims = || {
        let of_host = claimants.iter().filter_map(|claimant| compiled.get(&claimant.name)?.hosts.get(&key));
        of_host.flatten()
    };
    let mut winners: BTreeMap<Slot<'_>, &Claim> = BTreeMap::new();
    let mut conflicts = Vec::new();
    // What is declared for a path comes before what is left over for a default backend, whatever their ages.
    let declared = claims().filter(|claim| !claim.is_default());
    for claim in declared.chain(claims().filter(|claim| claim.is_default())) {
        let winner = *winners.entry(Slot::of(&claim.route)).or_insert(claim);
        if !std::ptr::eq(winner, claim) {
            conflicts.push(conflict(host, claim, winner));
        }
    }
    let mut routes: Vec<Arc<Route>> = winners.into_values().map(|claim| Arc::clone(&claim.route)).collect();
    routes.sort_by(|one, other| (&one.path, one.path_match).cmp(&(&other.path, other.path_match)));
    let certificate = host.and_then(|host| certificate(host, claimants, compiled, &mut conflicts));
    (VirtualServer { routes, certificate }, conflicts)
}

/// The certificate of a host: what the first Ingress that gives it a Secret says, even if that cannot be served.
fn certificate(
    host: &Host,
    claimants: &BTreeSet<Claimant>,
    compiled: &BTreeMap<ObjectName, Compiled>,
    conflicts: &mut Vec<Diagnostic>,
) -> Option<KeyPair> {
    let mut claims = claimants
        .iter()
        .filter_map(|claimant| Some((&claimant.name, compiled.get(&claimant.name)?.tls.get(host)?)));
    let (winning, winner) = claims.next()?;
    for (losing, loser) in claims {
        let same = loser.secret == winner.secret || (loser.pair.is_some() && loser.pair == winner.pair);
        if !same {
            conflicts.push(Diagnostic {
                object: ObjectKey::ingress(losing),
                field: loser.field(),
                code: Code::ConflictingCertificate,
                message: format!(
                    "The certificate of host {host} is that of {winning}, which is older or first by name."
                ),
                help: Some("Name the same certificate in both Ingresses, or none in this one.".to_owned()),
                related: Some(ObjectKey::ingress(winning)),
            });
        }
    }
    winner.pair.clone()
}

fn conflict(host: Option<&Host>, loser: &Claim, winner: &Claim) -> Diagnostic {
    let host = host.map_or_else(|| "hosts that nobody declares".to_owned(), |host| format!("host {host}"));
    let winning = &winner.route.ingress;
    let path = &loser.route.path;
    let same_ingress = loser.route.ingress == *winning;
    let (code, message, help) = if loser.is_default() && !winner.is_default() {
        (
            Code::ShadowedDefaultBackend,
            format!("The default backend gets no requests of {host}: / is declared by {winning}."),
            "Remove the default backend, or the path / of that host.",
        )
    } else if same_ingress {
        (
            Code::DuplicateRoute,
            format!("The path {path} of {host} is declared twice in this Ingress; the first one counts."),
            "Remove one of the two.",
        )
    } else {
        (
            Code::DuplicateRoute,
            format!("The path {path} of {host} belongs to {winning}, which is older or first by name."),
            "Remove the path from one of the two Ingresses.",
        )
    };
    Diagnostic {
        object: ObjectKey::ingress(&loser.route.ingress),
        field: loser.field(),
        code,
        message,
        help: Some(help.to_owned()),
        related: Some(ObjectKey::ingress(winning)),
    }
}
