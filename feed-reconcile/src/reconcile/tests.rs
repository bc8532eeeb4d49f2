mod incremental;
mod rejected;

use std::fmt::Write as _;

use super::{Reconciled, reconcile};
use crate::desired::{Backend, VirtualServer};
use crate::fixture::snapshot;
use crate::options::{Adoption, Options};

const SERVICES: &str = "
kind: Service
metadata: {name: one, namespace: default}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
---
kind: Service
metadata: {name: two, namespace: default}
spec: {clusterIP: 10.0.0.2, ports: [{port: 80}]}
---
";

/// An Ingress of the default namespace; `paths` are `type path service` of one host, one a line.
fn ingress(name: &str, created: &str, host: &str, paths: &str) -> String {
    let created = if created.is_empty() { "null" } else { created };
    let path = |line: &str| {
        let [kind, path, service] = line.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
        format!(
            "{{pathType: {kind}, path: {path}, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}"
        )
    };
    let paths = paths.lines().map(path).collect::<Vec<_>>().join(", ");
    format!(
        "kind: Ingress\n\
         metadata: {{name: {name}, namespace: default, creationTimestamp: {created}}}\n\
         spec: {{rules: [{{host: '{host}', http: {{paths: [{paths}]}}}}]}}\n\
         ---\n"
    )
}

fn routes(server: &VirtualServer) -> String {
    let mut text = String::new();
    for route in &server.routes {
        let backend = match &route.backend {
            Backend::Upstream(upstream) => upstream.name.as_str(),
            Backend::Unavailable => "503",
            Backend::Forbidden => "403",
            Backend::External { .. } => panic!("{route:?}"),
        };
        writeln!(text, "  {:?} {} -> {backend} ({})", route.path_match, route.path, route.ingress).unwrap();
    }
    text
}

/// Who serves what, then the diagnostics.
fn summary(yaml: &str) -> String {
    let Reconciled { state, diagnostics } =
        reconcile(&snapshot(&format!("{SERVICES}{yaml}")), &Options::default());
    let mut text = String::new();
    for (host, server) in &state.servers {
        write!(text, "{host}\n{}", routes(server)).unwrap();
    }
    if !state.undeclared.routes.is_empty() {
        write!(text, "undeclared\n{}", routes(&state.undeclared)).unwrap();
    }
    for diagnostic in diagnostics {
        let related = diagnostic.related.map(|object| format!(" ({object})")).unwrap_or_default();
        let (object, field, message) = (diagnostic.object, diagnostic.field, diagnostic.message);
        writeln!(text, "{}{related}: {object} {field}: {message}", diagnostic.code).unwrap();
    }
    text
}

#[test]
fn the_older_ingress_wins_and_the_loser_is_told() {
    let yaml = ingress("new", "2024-01-02T00:00:00Z", "a.example.com", "Prefix /x two\nPrefix /y two")
        + &ingress("old", "2024-01-01T00:00:00Z", "a.example.com", "Prefix /x/ one\nExact /x one");
    insta::assert_snapshot!(summary(&yaml), @"
    a.example.com
      Exact /x -> default.one.80 (default/old)
      Prefix /x -> default.one.80 (default/old)
      Prefix /y -> default.two.80 (default/new)
    DuplicateRoute (Ingress default/old): Ingress default/new spec.rules[0].http.paths[0]: The path /x of host a.example.com belongs to default/old, which is older or first by name.
    ");
}

#[test]
fn names_break_ties_and_what_has_no_time_is_oldest() {
    let same = "2024-01-01T00:00:00Z";
    let yaml = ingress("a", same, "a.example.com", "Prefix / one")
        + &ingress("b", same, "a.example.com", "Prefix / two")
        + &ingress("c", same, "b.example.com", "Prefix / one")
        + &ingress("d", "", "b.example.com", "ImplementationSpecific / two");
    insta::assert_snapshot!(summary(&yaml), @"
    a.example.com
      Prefix / -> default.one.80 (default/a)
    b.example.com
      Prefix / -> default.two.80 (default/d)
    DuplicateRoute (Ingress default/a): Ingress default/b spec.rules[0].http.paths[0]: The path / of host a.example.com belongs to default/a, which is older or first by name.
    DuplicateRoute (Ingress default/d): Ingress default/c spec.rules[0].http.paths[0]: The path / of host b.example.com belongs to default/d, which is older or first by name.
    ");
}

#[test]
fn a_path_twice_in_one_ingress_is_served_by_the_first() {
    insta::assert_snapshot!(summary(&ingress("a", "", "a.example.com", "Exact /x one\nExact /x two")), @"
    a.example.com
      Exact /x -> default.one.80 (default/a)
    DuplicateRoute (Ingress default/a): Ingress default/a spec.rules[0].http.paths[1]: The path /x of host a.example.com is declared twice in this Ingress; the first one counts.
    ");
}

#[test]
fn a_default_backend_takes_what_is_left() {
    let default = "
kind: Ingress
metadata: {name: default, namespace: default}
spec:
  defaultBackend: {service: {name: two, port: {number: 80}}}
  rules: [{host: a.example.com}, {host: b.example.com}]
---
";
    let yaml = default.to_owned() + &ingress("root", "2024-01-01T00:00:00Z", "a.example.com", "Prefix / one");
    insta::assert_snapshot!(summary(&yaml), @"
    a.example.com
      Prefix / -> default.one.80 (default/root)
    b.example.com
      Prefix / -> default.two.80 (default/default)
    ShadowedDefaultBackend (Ingress default/root): Ingress default/default spec.defaultBackend: The default backend gets no requests of host a.example.com: / is declared by default/root.
    ");
    let alone = "
kind: Ingress
metadata: {name: default, namespace: default}
spec: {defaultBackend: {service: {name: two, port: {number: 80}}}}
---
";
    let yaml = alone.to_owned() + &ingress("rule", "", "", "Prefix /x one");
    insta::assert_snapshot!(summary(&yaml), @"
    undeclared
      Prefix / -> default.two.80 (default/default)
      Prefix /x -> default.one.80 (default/rule)
    ");
}

#[test]
fn a_missing_service_rejects_its_route_alone_which_keeps_its_place() {
    insta::assert_snapshot!(summary(&ingress("a", "", "a.example.com", "Prefix /x none\nPrefix /y one")), @"
a.example.com
  Prefix /x -> 503 (default/a)
  Prefix /y -> default.one.80 (default/a)
ServiceNotFound: Ingress default/a spec.rules[0].http.paths[0].backend.service.name: There is no Service default/none, so the route is not served: its path answers 503.
");
    insta::assert_snapshot!(summary(&ingress("a", "", "a.example.com", "Prefix /x none")), @"
a.example.com
  Prefix /x -> 503 (default/a)
ServiceNotFound: Ingress default/a spec.rules[0].http.paths[0].backend.service.name: There is no Service default/none, so the route is not served: its path answers 503.
");
}

#[test]
fn routes_served_are_counted() {
    let yaml = ingress("a", "", "a.example.com", "Prefix /x one\nPrefix /y one")
        + &ingress("b", "2024-01-01T00:00:00Z", "a.example.com", "Prefix /x one\nPrefix /z none");
    let reconciled = reconcile(&snapshot(&format!("{SERVICES}{yaml}")), &Options::default());
    let counts: Vec<_> =
        reconciled.state.ingresses.iter().map(|(name, summary)| (name.to_string(), summary.routes)).collect();
    assert_eq!(counts, [("default/a".to_owned(), 2), ("default/b".to_owned(), 0)]);
    assert_eq!(reconciled.state.upstreams.len(), 1);
}

#[test]
fn an_ingress_of_another_class_is_none_of_ours() {
    let options = Options {
        adoption: Adoption { class: Some("ours".into()), ..Adoption::default() },
        ..Options::default()
    };
    let yaml = format!("{SERVICES}{}", ingress("a", "", "a.example.com", "Prefix / one"));
    assert_eq!(reconcile(&snapshot(&yaml), &options), Reconciled::default());
}
