use std::collections::BTreeSet;
use std::sync::Arc;

use super::Backends;
use crate::annotation::UpstreamSettings;
use crate::desired::{Backend, DEFAULT_MAX_REQUESTS_PER_CONNECTION};
use crate::diagnostic::Diagnostic;
use crate::fixture;
use crate::key::{ObjectKey, ObjectName};
use crate::options::{BackendMode, Options};
use crate::place::Place;
use crate::report::Report;

const SETTINGS: UpstreamSettings = UpstreamSettings {
    max_connections: 0,
    keepalive_timeout_milliseconds: None,
    max_requests_per_connection: DEFAULT_MAX_REQUESTS_PER_CONNECTION,
};

struct Resolved {
    backend: Option<Backend>,
    diagnostics: Vec<Diagnostic>,
    services: BTreeSet<ObjectName>,
}

/// Resolves a backend, in YAML, of an Ingress in a namespace, against the objects of a fixture.
fn resolve_in(
    namespace: &str,
    backend: &str,
    objects: &str,
    options: &Options,
    settings: UpstreamSettings,
) -> Resolved {
    let snapshot = fixture::snapshot(objects);
    let slices = fixture::slice_index(&snapshot);
    let namespace: Arc<str> = namespace.into();
    let backends = Backends {
        namespace: &namespace,
        snapshot: &snapshot,
        slices: &slices,
        options,
        settings,
        rejected: false,
    };
    let mut report = Report::new(ObjectKey::ingress(&ObjectName::default()));
    let mut services = BTreeSet::new();
    let place = Place::Path { rule: 1, path: 2 };
    let backend = backends.resolve(&fixture::parse(backend), place, &mut services, &mut report);
    Resolved { backend, diagnostics: report.into_diagnostics(), services }
}

/// The backend as `NAME: ADDRESSES PROTOCOL`, then each diagnostic as `CODE FIELD: MESSAGE`, all on lines of
/// their own.
fn show(resolved: &Resolved) -> String {
    let backend = match &resolved.backend {
        None => "rejected".to_owned(),
        Some(Backend::Upstream(upstream)) if upstream.addresses.is_empty() && upstream.endpoints => {
            "unavailable".to_owned()
        }
        Some(Backend::Unavailable) => "refused".to_owned(),
        Some(Backend::Forbidden) => "forbidden".to_owned(),
        Some(Backend::External { host, port, protocol }) => format!("external {host}:{port} {protocol:?}"),
        Some(Backend::Upstream(upstream)) => {
            let addresses: Vec<String> = upstream.addresses.iter().map(ToString::to_string).collect();
            format!("{}: {} {:?}", upstream.name.as_str(), addresses.join(","), upstream.protocol)
        }
    };
    let mut lines = vec![backend];
    for diagnostic in &resolved.diagnostics {
        assert!(diagnostic.help.as_ref().is_some_and(|help| help.ends_with('.')));
        let field = diagnostic.field.to_string();
        let field = field.strip_prefix("spec.rules[1].http.paths[2].").expect("a field of the path");
        lines.push(format!("{} {field}: {}", diagnostic.code, diagnostic.message));
    }
    lines.join("\n")
}

fn resolve(backend: &str, objects: &str, options: &Options) -> String {
    show(&resolve_in("ns", backend, objects, options, SETTINGS))
}

/// Requests for a port, in YAML, of a Service `web` with that `spec`, with default options.
fn service(port: &str, spec: &str) -> String {
    let backend = format!("{{service: {{name: web, port: {port}}}}}");
    let objects = format!("kind: Service\nmetadata: {{name: web, namespace: ns}}\nspec: {spec}");
    resolve(&backend, &objects, &Options::default())
}

const TWO_PORTS: &str =
    "{clusterIP: 10.0.0.1, ports: [{name: http, port: 80, targetPort: 8080}, {name: admin, port: 81}]}";

#[test]
fn a_port_by_number_or_by_name() {
    assert_eq!(service("{number: 80}", TWO_PORTS), "ns.web.80: 10.0.0.1:80 Http");
    assert_eq!(service("{name: http}", TWO_PORTS), "ns.web.80: 10.0.0.1:80 Http");
    assert_eq!(service("{name: admin}", TWO_PORTS), "ns.web.81: 10.0.0.1:81 Http");
    assert_eq!(service("{name: admin, number: 0}", TWO_PORTS), "ns.web.81: 10.0.0.1:81 Http");
    assert_eq!(service("{name: '', number: 81}", TWO_PORTS), "ns.web.81: 10.0.0.1:81 Http");
}

#[test]
fn unknown_ports_are_refused() {
    let refused = |port: &str, message: &str| {
        let expected = format!(
            "rejected\nServicePortNotFound backend.service.port: Service ns/web {message}, so the route is not served: its path answers 503."
        );
        assert_eq!(service(port, TWO_PORTS), expected);
    };
    refused("{number: 8080}", "has no TCP port 8080");
    refused("{number: 65616}", "has no TCP port 65616");
    refused("{number: -1}", "has no TCP port -1");
    refused("{name: web}", "has no TCP port \"web\"");
    refused("{name: '80'}", "has no TCP port \"80\"");
    refused("{name: \"a\\n;\"}", "has no TCP port \"a\\n;\"");
    refused("null", "is named without a port");
    refused("{}", "is named without a port");
    refused("{name: http, number: 80}", "is named with both a port's name and a port's number");
}

#[test]
fn only_tcp_ports_that_exist_are_usable() {
    let not_found = "rejected\nServicePortNotFound backend.service.port: Service ns/web has no TCP port 53, so the \
                     route is not served: its path answers 503.";
    for ports in ["[{port: 53, protocol: UDP}]", "[{port: 53, protocol: SCTP}]", "[]", "null"] {
        assert_eq!(service("{number: 53}", &format!("{{clusterIP: 10.0.0.1, ports: {ports}}}")), not_found);
    }
    assert_eq!(service("{number: 53}", "null"), not_found);
    let both = "{clusterIP: 10.0.0.1, ports: [{name: u, port: 53, protocol: UDP}, {name: t, port: 53, protocol: TCP}]}";
    assert_eq!(service("{number: 53}", both), "ns.web.53: 10.0.0.1:53 Http");
    let out_of_range = "{clusterIP: 10.0.0.1, ports: [{name: big, port: 65536}, {name: zero, port: 0}]}";
    assert!(service("{name: big}", out_of_range).starts_with("rejected\nServicePortNotFound"));
    assert!(service("{name: zero}", out_of_range).starts_with("rejected\nServicePortNotFound"));
}

#[test]
fn a_number_that_a_manifest_has_twice_is_one_port() {
    let ports = "{clusterIP: 10.0.0.1, ports: [{name: a, port: 80}, {name: b, port: 80, appProtocol: grpc}]}";
    assert_eq!(service("{name: a}", ports), "ns.web.80: 10.0.0.1:80 Http");
    assert_eq!(service("{name: b}", ports), "ns.web.80: 10.0.0.1:80 Http");
}

#[test]
fn an_ipv6_cluster_ip_is_bracketed() {
    let spec = "{clusterIP: '2001:db8::1', ports: [{port: 80}]}";
    assert_eq!(service("{number: 80}", spec), "ns.web.80: [2001:db8::1]:80 Http");
}

#[test]
fn without_a_cluster_ip_there_is_nowhere_to_go() {
    for address in ["''", "null", "none", "example.com", "10.0.0.1;", "10.0.0.256"] {
        assert_eq!(
            service("{number: 80}", &format!("{{clusterIP: {address}, ports: [{{port: 80}}]}}")),
            "rejected\nInvalidServiceAddress backend.service: Service ns/web has no cluster IP, so the route is not \
             served: its path answers 503."
        );
    }
}

#[test]
fn app_protocols() {
    let with = |protocol: &str| {
        let resolved = service(
            "{number: 80}",
            &format!("{{clusterIP: 10.0.0.1, ports: [{{port: 80, appProtocol: {protocol}}}]}}"),
        );
        resolved.strip_prefix("ns.web.80: 10.0.0.1:80 ").expect("an upstream").to_owned()
    };
    for protocol in ["http", "kubernetes.io/ws", "null", "''"] {
        assert_eq!(with(protocol), "Http");
    }
    for protocol in ["https", "kubernetes.io/wss"] {
        assert_eq!(with(protocol), "Https");
    }
    for protocol in ["grpc", "kubernetes.io/h2c"] {
        assert_eq!(with(protocol), "Http2");
    }
    for protocol in ["HTTPS", "h2c", "tcp"] {
        assert_eq!(
            with(protocol),
            format!(
                "Http\nUnknownAppProtocol backend.service.port: The appProtocol \"{protocol}\" of port 80 of Service \
                 ns/web is not known, so HTTP/1.1 is spoken."
            )
        );
    }
}

#[test]
fn a_service_that_is_not_there() {
    let elsewhere = "kind: Service\nmetadata: {name: web, namespace: other}\nspec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}";
    let resolved = resolve_in(
        "ns",
        "{service: {name: web, port: {number: 80}}}",
        elsewhere,
        &Options::default(),
        SETTINGS,
    );
    assert_eq!(
        show(&resolved),
        "rejected\nServiceNotFound backend.service.name: There is no Service ns/web, so the route is not served: its path answers 503."
    );
    assert_eq!(resolved.services, [ObjectName::new("ns", "web")].into());
}

#[test]
fn names_that_no_service_can_have() {
    for name in ["", "a.b", "a/b", "-a", "a-", "A", "a b", "a\u{e9}", &"a".repeat(64), "x; return 200"] {
        let service = |name: &str| k8s_openapi::api::networking::v1::IngressServiceBackend {
            name: name.to_owned(),
            port: None,
        };
        let backend =
            k8s_openapi::api::networking::v1::IngressBackend { resource: None, service: Some(service(name)) };
        let yaml = serde_saphyr::to_string(&backend).unwrap();
        let resolved = resolve_in("ns", &yaml, "", &Options::default(), SETTINGS);
        assert_eq!(
            show(&resolved),
            format!(
                "rejected\nServiceNotFound backend.service.name: No Service can be named {name:?} in a namespace \
                 \"ns\", so the route is not served: its path answers 503."
            )
        );
        assert!(resolved.services.is_empty());
    }
    let long = "a".repeat(63);
    let resolved =
        resolve_in("ns", &format!("{{service: {{name: {long}}}}}"), "", &Options::default(), SETTINGS);
    assert_eq!(resolved.services, [ObjectName::new("ns", &long)].into());
}

#[test]
fn namespaces_that_cannot_be() {
    for namespace in ["", "a.b", "A"] {
        let backend = "{service: {name: web, port: {number: 80}}}";
        let resolved = resolve_in(namespace, backend, "", &Options::default(), SETTINGS);
        assert!(show(&resolved).starts_with("rejected\nServiceNotFound"));
    }
}

#[test]
fn resources_and_nothing_at_all_are_refused() {
    let check =
        |backend: &str, expected: &str| assert_eq!(resolve(backend, "", &Options::default()), expected);
    check(
        "{resource: {kind: StorageBucket, name: static}}",
        "rejected\nResourceBackend backend.resource: A backend that is a resource is not supported, so the route is \
         not served: its path answers 503.",
    );
    check(
        "{resource: {kind: StorageBucket, name: static}, service: {name: web, port: {number: 80}}}",
        "rejected\nResourceBackend backend.resource: A backend that is a resource is not supported, so the route is \
         not served: its path answers 503.",
    );
    for backend in ["{}", "{service: null}"] {
        check(
            backend,
            "rejected\nEmptyBackend backend: The backend names no Service, so the route is not served: its path answers 503.",
        );
    }
}

#[test]
fn the_service_is_named_as_related() {
    let resolved = resolve_in(
        "ns",
        "{service: {name: web, port: {number: 80}}}",
        "kind: Service\nmetadata: {name: web, namespace: ns}",
        &Options::default(),
        SETTINGS,
    );
    let related = resolved.diagnostics[0].related.as_ref().map(ToString::to_string);
    assert_eq!(related.as_deref(), Some("Service ns/web"));
}

#[test]
fn settings_go_into_the_upstream_and_its_name() {
    let settings = UpstreamSettings {
        max_connections: 5,
        keepalive_timeout_milliseconds: Some(30_000),
        max_requests_per_connection: 100,
    };
    let objects = format!("kind: Service\nmetadata: {{name: web, namespace: ns}}\nspec: {TWO_PORTS}");
    let backend = "{service: {name: web, port: {name: http}}}";
    let resolved = resolve_in("ns", backend, &objects, &Options::default(), settings);
    assert_eq!(show(&resolved), "ns.web.80.m5.t30000.r100: 10.0.0.1:80 Http");
    let Some(Backend::Upstream(upstream)) = resolved.backend else { panic!("no upstream") };
    assert_eq!(upstream.max_connections, 5);
    assert_eq!(upstream.keepalive_timeout_milliseconds, Some(30_000));
    assert_eq!(upstream.max_requests_per_connection, 100);
}

mod endpoints {
    use super::resolve;
    use crate::options::{BackendMode, Options};

    /// A headless Service with a port named `http` and an unnamed one of another Service, and slices.
    fn with_slices(slices: &str) -> String {
        let service = "kind: Service\nmetadata: {name: web, namespace: ns}\nspec: {clusterIP: None, ports: [{name: http, \
                       port: 80, targetPort: 8080}]}";
        resolve(
            "{service: {name: web, port: {number: 80}}}",
            &format!("{service}\n---\n{slices}"),
            &Options::default(),
        )
    }

    const METADATA: &str = "kind: EndpointSlice\nmetadata: {name: one, namespace: ns, labels: {kubernetes.io/service-name: web}}";

    const NONE_READY: &str = "unavailable\nNoReadyEndpoints backend: No endpoint of port 80 of Service ns/web is ready, \
                              so 503 is answered.";

    #[test]
    fn ready_ones_with_their_target_port_in_order_each_once() {
        let slices = format!(
            "{METADATA}
addressType: IPv4
ports: [{{name: metrics, port: 9090}}, {{name: http, port: 8080, protocol: TCP}}]
endpoints:
- {{addresses: [10.1.0.9], conditions: {{ready: true}}}}
- {{addresses: [10.1.0.2], conditions: {{ready: false, serving: true, terminating: true}}}}
- {{addresses: [10.1.0.3], conditions: {{ready: null}}}}
- {{addresses: [10.1.0.4], conditions: {{}}}}
- {{addresses: [10.1.0.5]}}
- {{addresses: [10.1.0.5]}}
- {{addresses: [10.1.0.6, 10.1.0.7]}}
- {{addresses: []}}
---
kind: EndpointSlice
metadata: {{name: two, namespace: ns, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv6
ports: [{{name: http, port: 8081}}]
endpoints: [{{addresses: ['2001:db8::1']}}, {{addresses: [10.1.0.1]}}]
---
kind: EndpointSlice
metadata: {{name: of-another, namespace: ns, labels: {{kubernetes.io/service-name: other}}}}
addressType: IPv4
ports: [{{name: http, port: 8080}}]
endpoints: [{{addresses: [10.9.9.9]}}]
---
kind: EndpointSlice
metadata: {{name: elsewhere, namespace: other, labels: {{kubernetes.io/service-name: web}}}}
addressType: IPv4
ports: [{{name: http, port: 8080}}]
endpoints: [{{addresses: [10.8.8.8]}}]
"
        );
        assert_eq!(
            with_slices(&slices),
            "ns.web.80: 10.1.0.1:8081,10.1.0.3:8080,10.1.0.4:8080,10.1.0.5:8080,10.1.0.6:8080,10.1.0.9:8080,\
             [2001:db8::1]:8081 Http"
        );
    }

    #[test]
    fn none_ready_is_answered_with_503() {
        let slice = |rest: &str| with_slices(&format!("{METADATA}\n{rest}"));
        assert_eq!(with_slices(""), NONE_READY);
        let ports = "ports: [{name: http, port: 8080}]";
        assert_eq!(slice(&format!("addressType: IPv4\n{ports}\nendpoints: []")), NONE_READY);
        assert_eq!(slice(&format!("addressType: IPv4\n{ports}\nendpoints: null")), NONE_READY);
        let not_ready = "endpoints: [{addresses: [10.1.0.1], conditions: {ready: false}}]";
        assert_eq!(slice(&format!("addressType: IPv4\n{ports}\n{not_ready}")), NONE_READY);
        let names = "endpoints: [{addresses: [pod.example.com]}]";
        assert_eq!(slice(&format!("addressType: FQDN\n{ports}\n{names}")), NONE_READY);
    }

    #[test]
    fn without_the_port_there_is_no_endpoint() {
        for ports in [
            "null",
            "[]",
            "[{name: https, port: 8080}]",
            "[{port: 8080}]",
            "[{name: http}]",
            "[{name: http, port: 0}]",
            "[{name: http, port: 65536}]",
            "[{name: http, port: 8080, protocol: UDP}]",
        ] {
            let slice = format!(
                "{METADATA}\naddressType: IPv4\nports: {ports}\nendpoints: [{{addresses: [10.1.0.1]}}]"
            );
            assert_eq!(with_slices(&slice), NONE_READY, "{ports}");
        }
    }

    #[test]
    fn an_unnamed_port_matches_an_unnamed_one() {
        let objects = format!(
            "kind: Service
metadata: {{name: web, namespace: ns}}
spec: {{clusterIP: None, ports: [{{port: 80}}]}}
---
{METADATA}
addressType: IPv4
ports: [{{name: '', port: 8080}}]
endpoints: [{{addresses: [10.1.0.1]}}]
"
        );
        let backend = "{service: {name: web, port: {number: 80}}}";
        assert_eq!(resolve(backend, &objects, &Options::default()), "ns.web.80: 10.1.0.1:8080 Http");
    }

    #[test]
    fn of_every_service_when_asked_for() {
        let objects = |cluster_ip: &str| {
            format!(
                "kind: Service
metadata: {{name: web, namespace: ns}}
spec: {{clusterIP: {cluster_ip}, ports: [{{name: http, port: 80, appProtocol: grpc}}]}}
---
{METADATA}
addressType: IPv4
ports: [{{name: http, port: 8080}}]
endpoints: [{{addresses: [10.1.0.1]}}]
"
            )
        };
        let backend = "{service: {name: web, port: {number: 80}}}";
        let endpoints = Options { backend_mode: BackendMode::Endpoints, ..Options::default() };
        assert_eq!(
            resolve(backend, &objects("10.0.0.1"), &Options::default()),
            "ns.web.80: 10.0.0.1:80 Http2"
        );
        assert_eq!(resolve(backend, &objects("10.0.0.1"), &endpoints), "ns.web.80: 10.1.0.1:8080 Http2");
        assert_eq!(resolve(backend, &objects("null"), &endpoints), "ns.web.80: 10.1.0.1:8080 Http2");
    }
}

mod external_names {
    use super::{BackendMode, Options, resolve};

    fn external(port: &str, spec: &str, options: &Options) -> String {
        let backend = format!("{{service: {{name: web, port: {port}}}}}");
        let objects = format!(
            "kind: Service\nmetadata: {{name: web, namespace: ns}}\nspec: {{type: ExternalName, {spec}}}"
        );
        resolve(&backend, &objects, options)
    }

    fn allowed() -> Options {
        Options { allow_external_name: true, ..Options::default() }
    }

    #[test]
    fn refused_unless_allowed() {
        assert_eq!(
            external("{number: 80}", "externalName: example.com", &Options::default()),
            "rejected\nExternalNameRefused backend.service: Service ns/web is of type ExternalName, which is not \
             allowed here, so the route is not served: its path answers 503."
        );
        assert_eq!(
            external("{number: 80}", "externalName: example.com", &allowed()),
            "external example.com:80 Http"
        );
    }

    #[test]
    fn the_backend_mode_does_not_matter() {
        let options = Options { backend_mode: BackendMode::Endpoints, ..allowed() };
        assert_eq!(external("{number: 80}", "externalName: a.b", &options), "external a.b:80 Http");
    }

    #[test]
    fn without_ports_any_number_will_do() {
        let with = |port: &str| external(port, "externalName: example.com", &allowed());
        assert_eq!(with("{number: 8443}"), "external example.com:8443 Http");
        for port in ["{name: https}", "{number: 65536}", "{number: -1}", "null"] {
            assert!(with(port).starts_with("rejected\nServicePortNotFound backend.service.port:"), "{port}");
        }
    }

    #[test]
    fn with_ports_one_of_them_must_be_meant() {
        let spec = "externalName: example.com, ports: [{name: https, port: 443, appProtocol: https}]";
        let with = |port: &str| external(port, spec, &allowed());
        assert_eq!(with("{name: https}"), "external example.com:443 Https");
        assert_eq!(with("{number: 443}"), "external example.com:443 Https");
        assert!(with("{number: 80}").starts_with("rejected\nServicePortNotFound"));
    }

    #[test]
    fn names_are_checked() {
        let with = |name: &str| external("{number: 80}", &format!("externalName: {name}"), &allowed());
        assert_eq!(with("Example.COM."), "external example.com:80 Http");
        for name in
            ["192.0.2.1", "'2001:db8::1'", "'*.example.com'", "''", "null", "'.'", "a_b.c", "'a;b'", "a..b"]
        {
            assert!(
                with(name).starts_with(
                    "rejected\nExternalNameRefused backend.service: Service ns/web cannot be resolved"
                ),
                "{name}"
            );
        }
    }
}
