//! From a line of the configuration back to the Ingresses that asked for it.
//!
//! nginx names a line when it refuses a file. Nothing is kept for that rare case: the rope knows which
//! servers and upstreams its parts were made from, and lines are counted when somebody asks.

use std::collections::BTreeSet;

use super::location::places;
use super::rendered::{Chunk, Origin, Part, Rendered};
use crate::desired::{Backend, Route, UpstreamName};
use crate::key::ObjectName;

impl Rendered {
    /// The Ingresses behind that line of the file, from 1; none for a line that no Ingress asked for.
    pub fn sources(&self, line: usize) -> BTreeSet<ObjectName> {
        let mut before = 1;
        for part in self.parts.iter() {
            let text = match part {
                Part::Text(text) => text,
                Part::Generation => continue,
                Part::Chunk(chunk) => chunk.text.as_str(),
            };
            let lines = text.bytes().filter(|byte| *byte == b'\n').count();
            if let (Part::Chunk(chunk), true) = (part, line < before + lines) {
                return self.sources_in(chunk, line.saturating_sub(before));
            }
            before += lines;
            if before > line {
                break;
            }
        }
        BTreeSet::new()
    }

    /// The Ingresses behind a line of a block, from 0.
    fn sources_in(&self, chunk: &Chunk, line: usize) -> BTreeSet<ObjectName> {
        match &chunk.origin {
            Origin::Upstream(name) => self.routes_to(name).map(|route| route.ingress.clone()).collect(),
            Origin::Servers(servers) => {
                let is_location = |line: &&str| line.trim_start().starts_with("location ");
                let location = chunk.text.lines().take(line + 1).filter(is_location).count();
                let routes = servers.iter().flat_map(|server| match location.checked_sub(1) {
                    None => server.routes.as_slice(),
                    Some(index) => route_of_location(&server.routes, index, self.follows_endpoints),
                });
                routes.map(|route| route.ingress.clone()).collect()
            }
        }
    }

    fn routes_to<'a>(&'a self, upstream: &'a UpstreamName) -> impl Iterator<Item = &'a Route> {
        let servers = self.parts.iter().filter_map(|part| match part {
            Part::Chunk(chunk) => match &chunk.origin {
                Origin::Servers(servers) => Some(servers),
                Origin::Upstream(_) => None,
            },
            Part::Text(_) | Part::Generation => None,
        });
        let routes = servers.flatten().flat_map(|server| &server.routes).map(|route| &**route);
        routes.filter(|route| matches!(&route.backend, Backend::Upstream(used) if used.name == *upstream))
    }
}

/// The route that a server's location of that index belongs to; none for those that answer for all.
fn route_of_location(
    routes: &[std::sync::Arc<Route>],
    index: usize,
    follows_endpoints: bool,
) -> &[std::sync::Arc<Route>] {
    let mut locations = 0;
    for (position, route) in routes.iter().enumerate() {
        locations += places(route, routes, follows_endpoints).count();
        if index < locations {
            return routes.get(position..=position).unwrap_or_default();
        }
    }
    &[]
}
