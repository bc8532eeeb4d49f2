//! Which Ingresses make two configurations differ.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::rendered::{Origin, Part, Rendered};
use crate::desired::Route;
use crate::key::ObjectName;

impl Rendered {
    /// The Ingresses with routes that are in one of the two only: they came, went, or lead elsewhere.
    ///
    /// Routes are compared by pointer, as unchanged ones are shared. Two configurations that were computed independently
    /// share nothing, and differ by every Ingress.
    pub fn ingresses_changed_since(&self, before: Option<&Self>) -> BTreeSet<ObjectName> {
        let (old, new) = (before.map(Self::routes_by_address).unwrap_or_default(), self.routes_by_address());
        let only = |these: &BTreeMap<*const Route, Arc<Route>>,
                    others: &BTreeMap<*const Route, Arc<Route>>| {
            let changed = these.iter().filter(|(address, _)| !others.contains_key(address));
            changed.map(|(_, route)| route.ingress.clone()).collect::<BTreeSet<_>>()
        };
        only(&old, &new).into_iter().chain(only(&new, &old)).collect()
    }

    fn routes_by_address(&self) -> BTreeMap<*const Route, Arc<Route>> {
        let mut routes = BTreeMap::new();
        for part in self.parts.iter() {
            if let Part::Chunk(chunk) = part
                && let Origin::Servers(servers) = &chunk.origin
            {
                let of_servers = servers.iter().flat_map(|server| &server.routes);
                routes.extend(of_servers.map(|route| (Arc::as_ptr(route), Arc::clone(route))));
            }
        }
        routes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{DesiredState, PathMatch};
    use crate::host::Host;
    use crate::nginx::Renderer;
    use crate::nginx::tests::{options, route, state};
    use crate::options::RouteDefaults;

    #[test]
    fn only_who_changed_is_named() {
        let mut renderer = Renderer::new(options(), RouteDefaults::default()).unwrap();
        let of = |name: &str| {
            let mut route = route("/", PathMatch::Prefix, false);
            route.ingress = ObjectName::new("default", name);
            vec![route]
        };
        let names = |rendered: &Rendered, before| -> Vec<String> {
            rendered.ingresses_changed_since(before).iter().map(ToString::to_string).collect()
        };
        let mut first: DesiredState = state(&[("a.test", of("a")), ("b.test", of("b"))]);
        let one = renderer.update(&first).unwrap();
        assert_eq!(names(&one, None), ["default/a", "default/b"]);

        let other = state(&[("b.test", of("changed")), ("c.test", of("c"))]);
        first.servers.extend(other.servers);
        let two = renderer.update(&first).unwrap();
        assert_eq!(names(&two, Some(&one)), ["default/b", "default/c", "default/changed"]);

        first.servers.remove(&Host::new("a.test").unwrap());
        let three = renderer.update(&first).unwrap();
        assert_eq!(names(&three, Some(&two)), ["default/a"]);
        assert_eq!(names(&three, Some(&three)), [] as [&str; 0]);
    }
}
