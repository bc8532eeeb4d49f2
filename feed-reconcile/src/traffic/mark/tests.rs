use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::desired::{PathMatch, Protocol, RouteSettings};
use crate::host::Host;
use crate::key::ObjectName;
use crate::options::RouteDefaults;
use crate::path::RoutePath;

fn route(path: &str, path_match: PathMatch, backend: Backend) -> Route {
    let RouteDefaults {
        allow, backend_timeout_seconds, proxy_buffer_size_in_kb, proxy_buffer_blocks, ..
    } = RouteDefaults::default();
    Route {
        ingress: ObjectName::new("default", "web"),
        path: RoutePath::decode(path).unwrap(),
        path_match,
        backend,
        strip: false,
        settings: Arc::new(RouteSettings {
            allow,
            backend_timeout_seconds,
            proxy_buffer_size_in_kb,
            proxy_buffer_blocks,
        }),
    }
}

fn external(host: &str, port: u16) -> Backend {
    Backend::External { host: Host::new(host).unwrap(), port, protocol: Protocol::Http }
}

#[test]
fn paths_and_backends_decide() {
    let mut marks = BTreeMap::new();
    for path in ["/", "/a", "/a/", "/b"] {
        for backend in [Backend::Unavailable, external("a.example.com", 80), external("a.example.com", 81)] {
            let mark = RouteMark::of(&route(path, PathMatch::Prefix, backend.clone()));
            let exact = RouteMark::of(&route(path, PathMatch::Exact, backend.clone()));
            assert_eq!(mark, exact, "labels hold no kind of match");
            assert_eq!(marks.insert(mark, (path, format!("{backend:?}"))), None);
        }
    }
    assert_eq!(marks.len(), 12);
}

/// Lines that an nginx of an older version of feed has written are read by a newer one.
#[test]
fn marks_stay_what_they_are() {
    let mark = RouteMark::of(&route("/a", PathMatch::Prefix, Backend::Unavailable));
    assert_eq!(mark.to_string(), "ee2a3f17e6850777");
    assert_eq!(RouteMark::parse("ee2a3f17e6850777"), Some(mark));
}
