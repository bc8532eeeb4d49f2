mod properties;

use super::{Claim, Compiled, compile};
use crate::desired::{Backend, PathMatch};
use crate::diagnostic::Diagnostic;
use crate::fixture;
use crate::options::{BackendMode, Options};

/// Services that every test may use.
const SERVICES: &str = "
kind: Service
metadata: {name: web, namespace: ns}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80}]}
---
kind: Service
metadata: {name: api, namespace: ns}
spec: {clusterIP: 10.0.0.2, ports: [{name: http, port: 80}, {name: admin, port: 81}]}
---
kind: Service
metadata: {name: empty, namespace: ns}
spec: {clusterIP: None, ports: [{name: http, port: 80}]}
";

/// Compiles the first Ingress of a fixture.
fn compiled(yaml: &str, options: &Options) -> Compiled {
    let snapshot = fixture::snapshot(yaml);
    let slices = fixture::slice_index(&snapshot);
    let (name, ingress) = snapshot.ingresses.iter().next().expect("an Ingress");
    compile(name, ingress, &snapshot, &slices, options)
}

/// Compiles the Ingress `ns/it` with those annotations (`sky.uk/KEY: VALUE`) and that `spec`.
fn ingress(annotations: &[(&str, &str)], spec: &str) -> Compiled {
    let annotations: Vec<String> =
        annotations.iter().map(|(key, value)| format!("sky.uk/{key}: \"{value}\"")).collect();
    let ingress = format!(
        "kind: Ingress\nmetadata: {{name: it, namespace: ns, annotations: {{{}}}}}\nspec:{}",
        annotations.join(", "),
        spec.trim_end().replace('\n', "\n  ")
    );
    let options = Options { tls: true, ..Options::default() };
    compiled(&format!("{ingress}\n---\n{SERVICES}"), &options)
}

/// What is claimed of each host, and what is wrong.
fn show(compiled: &Compiled) -> String {
    let mut lines = Vec::new();
    for (host, claims) in &compiled.hosts {
        lines.push(host.as_ref().map_or_else(|| "(undeclared hosts)".to_owned(), ToString::to_string));
        lines.extend(claims.iter().map(claim));
    }
    lines.extend(compiled.diagnostics.iter().map(diagnostic));
    lines.join("\n")
}

fn claim(claim: &Claim) -> String {
    let route = &claim.route;
    let path_match = match route.path_match {
        PathMatch::Exact => "exact",
        PathMatch::Prefix => "prefix",
        PathMatch::Directory => "directory",
    };
    let backend = match &route.backend {
        Backend::Upstream(upstream) if upstream.addresses.is_empty() => "503".to_owned(),
        Backend::Upstream(upstream) => upstream.name.as_str().to_owned(),
        Backend::External { host, port, .. } => format!("external {host}:{port}"),
        Backend::Unavailable => "503".to_owned(),
        Backend::Forbidden => "403".to_owned(),
    };
    let strip = if route.strip { ", stripped" } else { "" };
    let default = if claim.is_default() { ", default" } else { "" };
    format!("  {path_match} {} -> {backend}{strip}{default}", route.path)
}

fn diagnostic(diagnostic: &Diagnostic) -> String {
    let Diagnostic { code, field, message, help, .. } = diagnostic;
    let severity = format!("{:?}", code.severity()).to_lowercase();
    format!("{severity} {code} {field}: {message} {}", help.as_deref().unwrap_or_default())
}

#[test]
fn every_kind_of_path() {
    let compiled = ingress(
        &[],
        "
rules:
- host: www.example.com
  http:
    paths:
    - {path: /exact/, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /prefix/, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
    - {path: /specific, pathType: ImplementationSpecific, backend: {service: {name: api, port: {name: admin}}}}
    - {path: relative, pathType: ImplementationSpecific, backend: {service: {name: api, port: {number: 81}}}}
    - {path: /, pathType: Prefix, backend: {service: {name: empty, port: {number: 80}}}}
",
    );
    insta::assert_snapshot!(show(&compiled), @r"
www.example.com
  exact /exact/ -> ns.web.80, stripped
  prefix /prefix -> ns.web.80, stripped
  directory /specific/ -> ns.api.81, stripped
  directory /relative/ -> ns.api.81, stripped
  prefix / -> 503
warning NoReadyEndpoints spec.rules[0].http.paths[4].backend: No endpoint of port 80 of Service ns/empty is ready, so 503 is answered. See why its pods are not ready, and whether its selector and target port are right.
");
}

#[test]
fn an_empty_path_is_the_root() {
    let compiled = ingress(
        &[],
        "
rules:
- host: a.example.com
  http: {paths: [{path: '', pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}]}
- host: b.example.com
  http: {paths: [{pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
- host: c.example.com
  http: {paths: [{path: null, pathType: ImplementationSpecific, backend: {service: {name: web, port: {number: 80}}}}]}
",
    );
    insta::assert_snapshot!(show(&compiled), @r"
a.example.com
  exact / -> ns.web.80
b.example.com
  prefix / -> ns.web.80
c.example.com
  prefix / -> ns.web.80
");
}

#[test]
fn exact_path_and_strip_path() {
    let spec = "
rules:
- host: www.example.com
  http:
    paths:
    - {path: /exact, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /prefix/, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
    - {path: specific, pathType: ImplementationSpecific, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
";
    insta::assert_snapshot!(show(&ingress(&[("exact-path", "true")], spec)), @r"
www.example.com
  exact /exact -> ns.web.80, stripped
  exact /prefix/ -> ns.web.80, stripped
  exact /specific -> ns.web.80, stripped
  exact / -> ns.web.80
");
    insta::assert_snapshot!(show(&ingress(&[("exact-path", "false"), ("strip-path", "false")], spec)), @r"
www.example.com
  exact /exact -> ns.web.80
  prefix /prefix -> ns.web.80
  directory /specific/ -> ns.web.80
  prefix / -> ns.web.80
");
}

#[test]
fn hosts() {
    let compiled = ingress(
        &[],
        "
rules:
- host: WWW.Example.com
  http: &paths {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
- host: '*.example.com'
  http: *paths
- host: ''
  http: *paths
- host: 192.0.2.1
  http: *paths
- host: '[2001:db8::1]'
  http: *paths
- host: a.*.example.com
  http: *paths
- host: 'evil.example.com; } server {'
  http: *paths
- host: example.com:8080
  http: *paths
- host: under_score.example.com
  http: *paths
",
    );
    insta::assert_snapshot!(show(&compiled), @r#"
(undeclared hosts)
  prefix / -> ns.web.80
*.example.com
  prefix / -> ns.web.80
www.example.com
  prefix / -> ns.web.80
error InvalidHost spec.rules[3].host: "192.0.2.1" is an IP address, and a host must be a name, so the rule is ignored. Write a host name such as `www.example.com`, or `*.example.com`.
error InvalidHost spec.rules[4].host: "[2001:db8::1]" is an IP address, and a host must be a name, so the rule is ignored. Write a host name such as `www.example.com`, or `*.example.com`.
error InvalidHost spec.rules[5].host: "a.*.example.com" is no DNS name: labels of 1 to 63 letters, digits or `-`, which begin and end with a letter or digit, separated by dots, after `*.` at most, so the rule is ignored. Write a host name such as `www.example.com`, or `*.example.com`.
error InvalidHost spec.rules[6].host: "evil.example.com; } server {" is no DNS name: labels of 1 to 63 letters, digits or `-`, which begin and end with a letter or digit, separated by dots, after `*.` at most, so the rule is ignored. Write a host name such as `www.example.com`, or `*.example.com`.
error InvalidHost spec.rules[7].host: "example.com:8080" is no DNS name: labels of 1 to 63 letters, digits or `-`, which begin and end with a letter or digit, separated by dots, after `*.` at most, so the rule is ignored. Write a host name such as `www.example.com`, or `*.example.com`.
error InvalidHost spec.rules[8].host: "under_score.example.com" is no DNS name: labels of 1 to 63 letters, digits or `-`, which begin and end with a letter or digit, separated by dots, after `*.` at most, so the rule is ignored. Write a host name such as `www.example.com`, or `*.example.com`.
"#);
    let hosts: Vec<&str> = compiled.summary.hosts.iter().map(crate::host::Host::as_str).collect();
    assert_eq!(hosts, ["*.example.com", "www.example.com"]);
}

#[test]
fn rules_of_one_host_come_together_in_the_order_of_the_document() {
    let compiled = ingress(
        &[],
        "
rules:
- host: www.example.com
  http:
    paths:
    - {path: /b, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /a, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
- host: WWW.example.com
  http:
    paths:
    - {path: /b/, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}
",
    );
    insta::assert_snapshot!(show(&compiled), @r"
www.example.com
  prefix /b -> ns.web.80, stripped
  prefix /a -> ns.web.80, stripped
  prefix /b -> ns.api.80, stripped
");
    let fields: Vec<String> =
        compiled.hosts.values().flatten().map(|claim| claim.field().to_string()).collect();
    insta::assert_snapshot!(fields.join("\n"), @r"
spec.rules[0].http.paths[0]
spec.rules[0].http.paths[1]
spec.rules[1].http.paths[0]
");
}

#[test]
fn a_default_backend_takes_what_the_paths_leave_over() {
    let compiled = ingress(
        &[],
        "
defaultBackend: {service: {name: api, port: {number: 80}}}
rules:
- host: paths.example.com
  http: {paths: [{path: /foo, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
- host: nothing.example.com
- host: empty.example.com
  http: {paths: []}
- host: root.example.com
  http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
- host: '*.example.com'
  http: {paths: [{path: /, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}]}
- host: 10.0.0.1
",
    );
    insta::assert_snapshot!(show(&compiled), @r#"
*.example.com
  exact / -> ns.web.80
  prefix / -> ns.api.80, default
empty.example.com
  prefix / -> ns.api.80, default
nothing.example.com
  prefix / -> ns.api.80, default
paths.example.com
  prefix /foo -> ns.web.80, stripped
  prefix / -> ns.api.80, default
root.example.com
  prefix / -> ns.web.80
  prefix / -> ns.api.80, default
error InvalidHost spec.rules[5].host: "10.0.0.1" is an IP address, and a host must be a name, so the rule is ignored. Write a host name such as `www.example.com`, or `*.example.com`.
"#);
    let mut defaults = compiled.hosts.values().flatten().filter(|claim| claim.is_default());
    assert!(defaults.all(|claim| claim.field().to_string() == "spec.defaultBackend"));
}

#[test]
fn a_default_backend_without_hosts_is_for_undeclared_ones() {
    for rules in ["", "\nrules: []", "\nrules: [{}]"] {
        let spec = format!("{rules}\ndefaultBackend: {{service: {{name: web, port: {{number: 80}}}}}}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(show(&ingress(&[], &spec)), @r"
            (undeclared hosts)
              prefix / -> ns.web.80, default
            ");
        }
    }
    let beside = "
defaultBackend: {service: {name: api, port: {number: 80}}}
rules:
- http: {paths: [{path: /foo, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
";
    insta::assert_snapshot!(show(&ingress(&[], beside)), @r"
(undeclared hosts)
  prefix /foo -> ns.web.80, stripped
  prefix / -> ns.api.80, default
");
}

#[test]
fn a_default_backend_whose_rules_are_all_invalid_serves_nobody() {
    let spec = "
defaultBackend: {service: {name: api, port: {number: 80}}}
rules: [{host: 192.0.2.1}]
";
    insta::assert_snapshot!(show(&ingress(&[], spec)), @r#"error InvalidHost spec.rules[0].host: "192.0.2.1" is an IP address, and a host must be a name, so the rule is ignored. Write a host name such as `www.example.com`, or `*.example.com`."#);
}

#[test]
fn a_default_backend_that_does_not_resolve() {
    let spec = "
defaultBackend: {service: {name: nobody, port: {number: 80}}}
rules: [{host: www.example.com}]
";
    insta::assert_snapshot!(show(&ingress(&[], spec)), @"
www.example.com
  prefix / -> 503, default
error ServiceNotFound spec.defaultBackend.service.name: There is no Service ns/nobody, so the route is not served: its path answers 503. Create the Service in the Ingress's namespace, or correct the name.
");
    insta::assert_snapshot!(show(&ingress(&[], "\ndefaultBackend: {}")), @"
(undeclared hosts)
  prefix / -> 503, default
error EmptyBackend spec.defaultBackend: The backend names no Service, so the route is not served: its path answers 503. Name a Service and one of its ports in `service`.
");
    insta::assert_snapshot!(show(&ingress(&[], "\ndefaultBackend: {resource: {kind: a, name: b}}")), @"
(undeclared hosts)
  prefix / -> 503, default
error ResourceBackend spec.defaultBackend.resource: A backend that is a resource is not supported, so the route is not served: its path answers 503. Name a Service in `service` instead.
");
}

#[test]
fn shapes_that_surprise() {
    for spec in ["", " {}", " {rules: null}", " {rules: [], defaultBackend: null, tls: null}"] {
        let compiled = ingress(&[], spec);
        assert!(compiled.hosts.is_empty());
        insta::allow_duplicates! {
            insta::assert_snapshot!(show(&compiled), @r"warning EmptyRule spec: There are neither paths nor a default backend, so nothing is served for it. Add `http.paths`, or a `defaultBackend`.");
        }
    }
    let rules = "
rules:
- {}
- {host: null, http: null}
- {host: no-http.example.com}
- {host: no-paths.example.com, http: {}}
- {host: null-paths.example.com, http: {paths: null}}
- {host: odd-paths.example.com, http: {paths: [{}, {backend: {service: null}}, {backend: {service: {}}}]}}
tls: [{}, {hosts: null, secretName: null}, {secretName: ''}]
";
    insta::assert_snapshot!(show(&ingress(&[], rules)), @r#"
(undeclared hosts)
no-http.example.com
no-paths.example.com
null-paths.example.com
odd-paths.example.com
  prefix / -> 503
  prefix / -> 503
  prefix / -> 503
warning EmptyRule spec.rules[0]: There are neither paths nor a default backend, so nothing is served for it. Add `http.paths`, or a `defaultBackend`.
warning EmptyRule spec.rules[1]: There are neither paths nor a default backend, so nothing is served for it. Add `http.paths`, or a `defaultBackend`.
warning EmptyRule spec.rules[2]: There are neither paths nor a default backend, so nothing is served for it. Add `http.paths`, or a `defaultBackend`.
warning EmptyRule spec.rules[3]: There are neither paths nor a default backend, so nothing is served for it. Add `http.paths`, or a `defaultBackend`.
warning EmptyRule spec.rules[4]: There are neither paths nor a default backend, so nothing is served for it. Add `http.paths`, or a `defaultBackend`.
warning MissingPathType spec.rules[5].http.paths[0].pathType: There is no `pathType`, so `ImplementationSpecific` is assumed. Write `Exact`, `Prefix` or `ImplementationSpecific`.
error EmptyBackend spec.rules[5].http.paths[0].backend: The backend names no Service, so the route is not served: its path answers 503. Name a Service and one of its ports in `service`.
warning MissingPathType spec.rules[5].http.paths[1].pathType: There is no `pathType`, so `ImplementationSpecific` is assumed. Write `Exact`, `Prefix` or `ImplementationSpecific`.
error EmptyBackend spec.rules[5].http.paths[1].backend: The backend names no Service, so the route is not served: its path answers 503. Name a Service and one of its ports in `service`.
warning MissingPathType spec.rules[5].http.paths[2].pathType: There is no `pathType`, so `ImplementationSpecific` is assumed. Write `Exact`, `Prefix` or `ImplementationSpecific`.
error ServiceNotFound spec.rules[5].http.paths[2].backend.service.name: No Service can be named "" in a namespace "ns", so the route is not served: its path answers 503. Names of Services and namespaces have 1 to 63 lower-case letters, digits or `-`, and begin and end with a letter or digit.
"#);
}

#[test]
fn without_metadata() {
    let compiled = compiled("kind: Ingress\nspec: {rules: [{host: a.b}]}", &Options::default());
    assert_eq!(compiled.hosts.len(), 1);
    assert_eq!(compiled.summary.created, None);
}

#[test]
fn path_types() {
    let spec = "
rules:
- host: www.example.com
  http:
    paths:
    - {path: /a, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /b, pathType: Regex, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /c, pathType: prefix, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /d, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
";
    insta::assert_snapshot!(show(&ingress(&[], spec)), @r#"
www.example.com
  directory /a/ -> ns.web.80, stripped
  exact /b -> 503, stripped
  prefix /b -> 503, stripped
  exact /c -> 503, stripped
  prefix /c -> 503, stripped
  prefix /d -> ns.web.80, stripped
warning MissingPathType spec.rules[0].http.paths[0].pathType: There is no `pathType`, so `ImplementationSpecific` is assumed. Write `Exact`, `Prefix` or `ImplementationSpecific`.
error InvalidPathType spec.rules[0].http.paths[1].pathType: "Regex" is no `pathType`, so the route is not served: its path answers 503. Write `Exact`, `Prefix` or `ImplementationSpecific`.
error InvalidPathType spec.rules[0].http.paths[2].pathType: "prefix" is no `pathType`, so the route is not served: its path answers 503. Write `Exact`, `Prefix` or `ImplementationSpecific`.
"#);
}

#[test]
fn one_bad_path_rejects_that_route_alone() {
    let spec = r#"
rules:
- host: www.example.com
  http:
    paths:
    - {path: /good, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
    - {path: "/a;}\n\"'$x\\ {", pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
    - {path: no-slash, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /a//b, pathType: ImplementationSpecific, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /a/../b, pathType: ImplementationSpecific, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /a%2fb, pathType: ImplementationSpecific, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /100%, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /%00, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /%ff, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /nobody, pathType: Prefix, backend: {service: {name: nobody, port: {number: 80}}}}
    - {path: /a b, pathType: Bad, backend: {service: {name: web, port: {name: nothing}}}}
    - {path: "/$x;'()*+,=:@!&", pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /also-good, pathType: Prefix, backend: {service: {name: api, port: {number: 80}}}}
"#;
    insta::assert_snapshot!(show(&ingress(&[], spec)), @r#"
www.example.com
  prefix /good -> ns.web.80, stripped
  prefix /nobody -> 503, stripped
  exact /$x;'()*+,=:@!& -> ns.web.80, stripped
  prefix /also-good -> ns.api.80, stripped
error InvalidPath spec.rules[0].http.paths[1].path: "/a;}\n\"'$x\\ {" holds '}', which RFC 3986 allows in a path only percent-encoded, so the route is not served. Percent-encode it, or use another path.
error InvalidPath spec.rules[0].http.paths[2].path: "no-slash" does not begin with `/`, so the route is not served. Begin the path with `/`.
error InvalidPath spec.rules[0].http.paths[3].path: "/a//b" holds `//`, which nginx can never match, so the route is not served. Write a single `/`.
error InvalidPath spec.rules[0].http.paths[4].path: "/a/../b" holds a segment `.` or `..`, which nginx can never match, so the route is not served. Write the path that it resolves to.
error InvalidPath spec.rules[0].http.paths[5].path: "/a%2fb" holds an encoded slash (`%2F`), which nginx can never match, so the route is not served. Use a plain `/`, or another path.
error InvalidPath spec.rules[0].http.paths[6].path: "/100%" holds a `%` that is not followed by two hexadecimal digits, so the route is not served. Write a literal percent sign as `%25`.
error InvalidPath spec.rules[0].http.paths[7].path: "/%00" holds an encoded control character, so the route is not served. Use another path.
error InvalidPath spec.rules[0].http.paths[8].path: "/%ff" is not UTF-8 once decoded, so the route is not served. Use another path.
error ServiceNotFound spec.rules[0].http.paths[9].backend.service.name: There is no Service ns/nobody, so the route is not served: its path answers 503. Create the Service in the Ingress's namespace, or correct the name.
error InvalidPathType spec.rules[0].http.paths[10].pathType: "Bad" is no `pathType`, so the route is not served: its path answers 503. Write `Exact`, `Prefix` or `ImplementationSpecific`.
error InvalidPath spec.rules[0].http.paths[10].path: "/a b" holds ' ', which RFC 3986 allows in a path only percent-encoded, so the route is not served. Percent-encode it, or use another path.
error ServicePortNotFound spec.rules[0].http.paths[10].backend.service.port: Service ns/web has no TCP port "nothing", so the route is not served: its path answers 503. Name a TCP port of the Service's `spec.ports`, by `name` or by `number` (not its target port).
warning WildcardInPath spec.rules[0].http.paths[11].path: "/$x;'()*+,=:@!&" holds `*`, which stands for itself: nothing else is matched by it. Write `pathType: Prefix` and the path up to the `/*`, if all below it is meant.
"#);
}

#[test]
fn an_invalid_allow_list_rejects_all_routes_and_keeps_their_places() {
    let spec = "
defaultBackend: {service: {name: api, port: {number: 80}}}
rules:
- host: www.example.com
  http:
    paths:
    - {path: /a, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /b, pathType: Prefix, backend: {service: {name: nobody, port: {number: 80}}}}
";
    let compiled = ingress(&[("allow", "10.0.0.0/8,oops")], spec);
    insta::assert_snapshot!(show(&compiled), @r#"
www.example.com
  prefix /a -> 403, stripped
  prefix /b -> 403, stripped
  prefix / -> 403, default
error InvalidAllowList metadata.annotations[sky.uk/allow]: "oops" is no IP address or CIDR, so all routes of this Ingress answer 403. Write addresses and CIDRs such as `10.0.0.0/8,192.0.2.7,2001:db8::/32`, separated by commas.
error ServiceNotFound spec.rules[0].http.paths[1].backend.service.name: There is no Service ns/nobody, so the route is not served. Create the Service in the Ingress's namespace, or correct the name.
"#);
    assert_eq!(compiled.references.services.len(), 3, "what is looked up does not depend on it");
}

#[test]
fn all_routes_share_their_settings() {
    let compiled = ingress(
        &[("allow", "192.0.2.0/24"), ("backend-max-connections", "5"), ("backend-timeout-seconds", "7")],
        "
defaultBackend: {service: {name: api, port: {number: 80}}}
rules:
- host: a.example.com
  http: {paths: [{path: /a, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
- host: b.example.com
  http: {paths: [{path: /b, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
",
    );
    insta::assert_snapshot!(show(&compiled), @r"
a.example.com
  prefix /a -> ns.web.80.m5, stripped
  prefix / -> ns.api.80.m5, default
b.example.com
  prefix /b -> ns.web.80.m5, stripped
  prefix / -> ns.api.80.m5, default
");
    let claims: Vec<&Claim> = compiled.hosts.values().flatten().collect();
    assert!(
        claims.iter().all(|claim| std::sync::Arc::ptr_eq(&claim.route.settings, &claims[0].route.settings))
    );
    assert_eq!(claims[0].route.settings.backend_timeout_seconds, 7);
    assert_eq!(claims[0].route.settings.allow.networks(), ["192.0.2.0/24".parse().unwrap()]);
}

#[test]
fn everything_that_was_looked_up_is_a_reference() {
    let compiled = ingress(
        &[],
        "
defaultBackend: {service: {name: api, port: {number: 80}}}
rules:
- host: www.example.com
  http:
    paths:
    - {path: /a, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /b, pathType: Prefix, backend: {service: {name: web, port: {number: 1}}}}
    - {path: /c, pathType: Nonsense, backend: {service: {name: nobody, port: {number: 80}}}}
    - {path: /d, pathType: Prefix, backend: {service: {name: not.a.name, port: {number: 80}}}}
- host: 192.0.2.1
  http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: ignored, port: {number: 80}}}}]}
tls: [{secretName: there-is-none}]
",
    );
    let names = |names: &std::collections::BTreeSet<crate::key::ObjectName>| {
        names.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(names(&compiled.references.services), ["ns/api", "ns/nobody", "ns/web"]);
    assert_eq!(names(&compiled.references.secrets), ["ns/there-is-none"]);
}

#[test]
fn the_summary() {
    let compiled = compiled(
        "
kind: Ingress
metadata:
  name: it
  namespace: ns
  creationTimestamp: 2026-01-02T03:04:05Z
  annotations: {sky.uk/frontend-scheme: internet-facing}
spec: {rules: [{host: b.example.com}, {host: a.example.com}, {host: B.example.com}, {http: null}, {host: bad_name}]}
",
        &Options::default(),
    );
    insta::assert_debug_snapshot!(compiled.summary, @r#"
IngressSummary {
    scheme: Some(
        InternetFacing,
    ),
    hosts: [
        Host(
            "a.example.com",
        ),
        Host(
            "b.example.com",
        ),
    ],
    routes: 0,
    created: Some(
        1767323045000000000,
    ),
}
"#);
}

#[test]
fn services_are_those_of_the_backend_mode() {
    let yaml = "
kind: Ingress
metadata: {name: it, namespace: ns}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
---
kind: Service
metadata: {name: web, namespace: ns}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
";
    let endpoints = Options { backend_mode: BackendMode::Endpoints, ..Options::default() };
    insta::assert_snapshot!(show(&compiled(yaml, &endpoints)), @r"
(undeclared hosts)
  prefix / -> 503, default
warning NoReadyEndpoints spec.defaultBackend: No endpoint of port 80 of Service ns/web is ready, so 503 is answered. See why its pods are not ready, and whether its selector and target port are right.
");
}

#[test]
fn an_asterisk_stands_for_itself() {
    let spec = "
rules:
- host: www.example.com
  http:
    paths:
    - {path: /foo/*, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
    - {path: '*', pathType: ImplementationSpecific, backend: {service: {name: web, port: {number: 80}}}}
    - {path: '*', pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
    - {path: /%2A, pathType: Exact, backend: {service: {name: web, port: {number: 80}}}}
";
    insta::assert_snapshot!(show(&ingress(&[], spec)), @r#"
www.example.com
  prefix /foo/* -> ns.web.80, stripped
  directory /*/ -> ns.web.80, stripped
  exact /* -> ns.web.80, stripped
warning WildcardInPath spec.rules[0].http.paths[0].path: "/foo/*" holds `*`, which stands for itself: nothing else is matched by it. Write `pathType: Prefix` and the path up to the `/*`, if all below it is meant.
warning WildcardInPath spec.rules[0].http.paths[1].path: "*" holds `*`, which stands for itself: nothing else is matched by it. Write `pathType: Prefix` and the path up to the `/*`, if all below it is meant.
error InvalidPath spec.rules[0].http.paths[2].path: "*" does not begin with `/`, so the route is not served. Begin the path with `/`.
"#);
}

#[test]
fn what_an_api_server_assigns_later_may_be_assumed() {
    let yaml = |service: &str| {
        format!(
            "
kind: Ingress
metadata: {{name: it, namespace: ns}}
spec:
  rules:
  - http:
      paths:
      - {{path: /, pathType: Prefix, backend: {{service: {{name: web, port: {{name: http}}}}}}}}
      - {{path: /port, pathType: Prefix, backend: {{service: {{name: web, port: {{number: 81}}}}}}}}
---
kind: Service
metadata: {{name: web, namespace: ns}}
spec: {{{service}ports: [{{name: http, port: 80}}]}}
"
        )
    };
    for backend_mode in [BackendMode::ServiceIp, BackendMode::Endpoints] {
        let options = Options { assume_assigned: true, backend_mode, ..Options::default() };
        for service in
            ["", "clusterIP: '', ", "type: LoadBalancer, ", "type: NodePort, ", "clusterIP: None, "]
        {
            let shown = show(&compiled(&yaml(service), &options));
            assert!(shown.contains("  prefix / -> ns.web.80\n"), "{service}: {shown}");
            assert!(shown.contains("  prefix /port -> 503"), "{service}: {shown}");
            assert!(shown.contains("error ServicePortNotFound"), "{service}: {shown}");
            assert_eq!(shown.lines().count(), 4, "{service}: {shown}");
        }
        let refused = show(&compiled(&yaml("type: ExternalName, externalName: a.example, "), &options));
        assert!(refused.contains("ExternalNameRefused"), "{refused}");
    }
    let serving = show(&compiled(&yaml(""), &Options::default()));
    assert!(serving.contains("error InvalidServiceAddress"), "{serving}");
}

#[test]
fn what_cannot_be_read_is_not_called_missing() {
    let snapshot = || {
        fixture::snapshot(
            "
kind: Ingress
metadata: {name: it, namespace: ns}
spec:
  defaultBackend: {service: {name: web, port: {number: 80}}}
  tls: [{secretName: cert}]
",
        )
    };
    let mut unreadable = snapshot();
    let key = |kind, name| crate::key::ObjectKey { kind, name: crate::key::ObjectName::new("ns", name) };
    let keys = [key(crate::key::ObjectKind::Service, "web"), key(crate::key::ObjectKind::Secret, "cert")];
    unreadable.unreadable = std::sync::Arc::new(keys.into());
    let mut reconciler = crate::Reconciler::new(Options::default());
    for (snapshot, expected) in [
        (snapshot(), ["There is no Secret", "There is no Service"]),
        (unreadable, ["is there, but cannot be read.", "Service ns/web is there, but cannot be read, so"]),
        (snapshot(), ["There is no Secret", "There is no Service"]),
    ] {
        let mut messages: Vec<String> =
            reconciler.update(&snapshot).diagnostics.iter().map(|it| it.message.clone()).collect();
        messages.sort_by_key(|message| message.contains("Service"));
        for (message, expected) in messages.iter().zip(expected) {
            assert!(message.contains(expected), "{messages:?}");
        }
        assert_eq!(messages.len(), 2);
    }
}

#[test]
fn one_that_is_closed_keeps_its_paths_and_nothing_else() {
    let yaml = "
kind: Ingress
metadata:
  name: it
  namespace: ns
  annotations: {sky.uk/allow: 10.0.0.0/8, sky.uk/exact-path: 'true', sky.uk/proxy-buffer-blocks: '2'}
spec:
  defaultBackend: {service: {name: web, port: {number: 80}}}
  rules:
  - host: www.example.com
    http: {paths: [{path: /a, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}
  tls: [{secretName: cert}]
";
    let mut snapshot = fixture::snapshot(&format!("{yaml}---\n{SERVICES}"));
    let mut reconciler = crate::Reconciler::new(Options { tls: true, ..Options::default() });
    let served = reconciler.update(&snapshot).clone();
    let name = crate::key::ObjectName::new("ns", "it");
    snapshot.closed = std::sync::Arc::new([name.clone()].into());
    let closed = reconciler.update(&snapshot);
    let routes = |state: &crate::desired::DesiredState| -> Vec<(String, PathMatch, Option<u16>, bool)> {
        let routes = state.servers.values().flat_map(|server| &server.routes);
        routes
            .map(|it| {
                (
                    it.path.to_string(),
                    it.path_match,
                    it.backend.refusal(),
                    it.settings.proxy_buffer_blocks == 2,
                )
            })
            .collect()
    };
    let [root, a] = ["/", "/a"].map(str::to_owned);
    assert_eq!(
        routes(&served.state),
        [(root.clone(), PathMatch::Prefix, None, true), (a.clone(), PathMatch::Exact, None, true)]
    );
    assert_eq!(
        routes(&closed.state),
        [(root, PathMatch::Prefix, Some(503), false), (a, PathMatch::Exact, Some(503), false)]
    );
    assert!(closed.state.upstreams.is_empty());
    snapshot.closed = std::sync::Arc::default();
    assert_eq!(*reconciler.update(&snapshot), served);
}
