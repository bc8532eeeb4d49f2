//! The same state with harmless hosts and paths.

use std::collections::BTreeMap;
use std::sync::Arc;

use feed_reconcile::desired::{DesiredState, PathMatch, Route, VirtualServer};
use feed_reconcile::host::Host;
use feed_reconcile::path::RoutePath;
use feed_reconcile::traffic::RouteMark;
use feed_tests::Directive;

use super::sorted;

/// A state with a harmless word for each host and for each segment of a path, and where these words came from.
pub(super) struct Twin {
    pub(super) state: DesiredState,
    /// What stands in `server_name` for each host: what must stand there in the twin.
    names: BTreeMap<String, String>,
    /// What stands in `location` for each path.
    paths: BTreeMap<String, String>,
    /// By what `set` names each route for the log.
    marks: BTreeMap<String, String>,
}

impl Twin {
    pub(super) fn of(state: &DesiredState) -> Self {
        let mut twin = Self {
            state: state.clone(),
            names: BTreeMap::new(),
            paths: BTreeMap::new(),
            marks: BTreeMap::new(),
        };
        let mut segments = BTreeMap::new();
        twin.state.servers.clear();
        for (number, (host, server)) in state.servers.iter().enumerate() {
            let harmless = match host.wildcard_suffix() {
                Some(_) => format!("*.h{number}.test"),
                None => format!("h{number}.test"),
            };
            let harmless = Host::new(&harmless).unwrap();
            twin.names.insert(server_name(host), server_name(&harmless));
            let server = twin.harmless(server, &mut segments);
            twin.state.servers.insert(harmless, Arc::new(server));
        }
        twin.state.undeclared = Arc::new(twin.harmless(&state.undeclared, &mut segments));
        twin
    }

    fn harmless(&mut self, server: &VirtualServer, segments: &mut BTreeMap<String, usize>) -> VirtualServer {
        let mut routes: Vec<Arc<Route>> = Vec::new();
        for route in &server.routes {
            let path = substitute(route.path.as_str(), segments);
            self.paths.insert(route.path.as_str().to_owned(), path.clone());
            if route.path_match == PathMatch::Prefix {
                self.paths.insert(format!("{}/", route.path), format!("{path}/"));
            }
            if let (PathMatch::Directory, Some(without)) =
                (route.path_match, route.path.as_str().strip_suffix('/'))
            {
                self.paths.insert(without.to_owned(), path.trim_end_matches('/').to_owned());
            }
            let harmless = Route { path: RoutePath::decode(&path).unwrap(), ..Route::clone(route) };
            self.marks.insert(RouteMark::of(route).to_string(), RouteMark::of(&harmless).to_string());
            routes.push(Arc::new(harmless));
        }
        routes.sort_by(|one, other| (&one.path, one.path_match).cmp(&(&other.path, other.path_match)));
        VirtualServer { routes, certificate: None }
    }

    /// The directives of the first configuration with the twin's words in the place of hosts and paths. A word that is
    /// neither host nor path stays, and is then missed in the twin.
    pub(super) fn substituted(&self, mut directives: Vec<Directive>) -> Vec<Directive> {
        for directive in &mut directives {
            self.substitute(directive);
        }
        sorted(directives)
    }

    fn substitute(&self, directive: &mut Directive) {
        let words = match directive.directive.as_str() {
            "server_name" => &self.names,
            "location" => &self.paths,
            "set" => &self.marks,
            _ => &BTreeMap::new(),
        };
        for argument in &mut directive.args {
            if let Some(word) = words.get(argument.as_str()) {
                argument.clone_from(word);
            }
        }
        directive.block.iter_mut().flatten().for_each(|directive| self.substitute(directive));
    }
}

/// How the renderer writes a host down.
fn server_name(host: &Host) -> String {
    match host.wildcard_suffix() {
        Some(suffix) => format!("~^[^.]+\\.{}$", suffix.replace('.', "\\.")),
        None => host.as_str().to_owned(),
    }
}

/// `/a;b/c` becomes `/s0/s1`: slashes stay where they are.
fn substitute(path: &str, segments: &mut BTreeMap<String, usize>) -> String {
    let words = path.split('/').map(|segment| {
        if segment.is_empty() {
            return String::new();
        }
        let next = segments.len();
        format!("s{}", segments.entry(segment.to_owned()).or_insert(next))
    });
    words.collect::<Vec<_>>().join("/")
}
