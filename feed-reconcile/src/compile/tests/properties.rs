//! Whatever the cluster holds, compiling it ends, and what is served does not depend on what does not matter.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressLoadBalancerIngress,
    IngressLoadBalancerStatus, IngressRule, IngressServiceBackend, IngressSpec, IngressStatus, IngressTLS,
    ServiceBackendPort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;

use crate::backend::SliceIndex;
use crate::compile::{Compiled, compile};
use crate::diagnostic::{Code, Severity};
use crate::key::ObjectName;
use crate::options::Options;
use crate::snapshot::ClusterSnapshot;

/// Anything, and often something that nearly passes.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => any::<String>(),
        1 => "[a-z0-9./*%;{}$\"'\\\\ \n_-]{0,20}",
        1 => Just(String::new()),
    ]
}

fn host() -> impl Strategy<Value = String> {
    prop_oneof![3 => "(\\*\\.)?[a-zA-Z0-9-]{1,5}(\\.[a-z0-9]{1,4}){0,2}", 1 => text()]
}

fn path() -> impl Strategy<Value = String> {
    prop_oneof![3 => "/([a-z.%;$]{1,4}/?){0,3}", 1 => "(/|%|2[fFeE5]|\\.|a){0,12}", 1 => text()]
}

fn path_type() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("Exact".to_owned()),
        Just("Prefix".to_owned()),
        Just("ImplementationSpecific".to_owned()),
        text(),
    ]
}

fn service_name() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just("web".to_owned()), 1 => text()]
}

fn backend() -> impl Strategy<Value = IngressBackend> {
    let port = (of(text()), of(any::<i32>())).prop_map(|(name, number)| ServiceBackendPort { name, number });
    let port = prop_oneof![
        3 => Just(ServiceBackendPort { name: None, number: Some(80) }),
        1 => port,
    ];
    let service = (service_name(), of(port)).prop_map(|(name, port)| IngressServiceBackend { name, port });
    of(service).prop_map(|service| IngressBackend { service, resource: None })
}

fn rule() -> impl Strategy<Value = IngressRule> {
    let path = (of(path()), path_type(), backend()).prop_map(|(path, path_type, backend)| HTTPIngressPath {
        path,
        path_type,
        backend,
    });
    let http = vec(path, 0..4).prop_map(|paths| HTTPIngressRuleValue { paths });
    (of(host()), of(http)).prop_map(|(host, http)| IngressRule { host, http })
}

fn annotations() -> impl Strategy<Value = BTreeMap<String, String>> {
    let key = prop::sample::select(vec![
        "frontend-scheme",
        "frontend-elb-scheme",
        "allow",
        "strip-path",
        "exact-path",
        "backend-timeout-seconds",
        "backend-keepalive-seconds",
        "backend-max-connections",
        "backend-connection-keepalive",
        "backend-max-requests-per-connection",
        "proxy-buffer-size-in-kb",
        "proxy-buffer-blocks",
    ]);
    let value = prop_oneof![
        text(),
        "-?[0-9]{1,12}",
        "[0-9]{1,3}(h|m|s|ms)[0-9]{0,4}s?",
        "(true|false|internal|10.0.0.0/8|::1|,){0,4}",
    ];
    btree_map(key.prop_map(|key| format!("sky.uk/{key}")), value, 0..6)
}

fn ingress() -> impl Strategy<Value = Ingress> {
    let tls = of(text()).prop_map(|secret_name| IngressTLS { hosts: None, secret_name });
    (of(annotations()), of(backend()), of(vec(rule(), 0..4)), of(vec(tls, 0..3))).prop_map(
        |(annotations, default_backend, rules, tls)| Ingress {
            metadata: ObjectMeta {
                name: Some("it".to_owned()),
                namespace: Some("ns".to_owned()),
                annotations,
                ..ObjectMeta::default()
            },
            spec: Some(IngressSpec { default_backend, ingress_class_name: None, rules, tls }),
            status: None,
        },
    )
}

fn service() -> impl Strategy<Value = Service> {
    let port = (of(text()), of(text()), any::<i32>()).prop_map(|(name, app_protocol, port)| ServicePort {
        name,
        app_protocol,
        port,
        ..ServicePort::default()
    });
    let port = prop_oneof![2 => Just(ServicePort { port: 80, ..ServicePort::default() }), 1 => port];
    let cluster_ip = prop_oneof![2 => Just("10.0.0.1".to_owned()), 1 => Just("None".to_owned()), 1 => text()];
    let type_ = prop_oneof![3 => Just(None), 1 => Just(Some("ExternalName".to_owned())), 1 => of(text())];
    (of(cluster_ip), of(vec(port, 0..3)), type_, of(text())).prop_map(
        |(cluster_ip, ports, type_, external_name)| Service {
            metadata: ObjectMeta {
                name: Some("web".to_owned()),
                namespace: Some("ns".to_owned()),
                ..ObjectMeta::default()
            },
            spec: Some(ServiceSpec { cluster_ip, ports, type_, external_name, ..ServiceSpec::default() }),
            status: None,
        },
    )
}

fn compiled(ingress: &Ingress, service: &Service) -> Compiled {
    let mut snapshot = ClusterSnapshot::default();
    snapshot.services.insert(Arc::new(service.clone()));
    let options = Options { allow_external_name: true, ..Options::default() };
    compile(&ObjectName::of(&ingress.metadata), ingress, &snapshot, &SliceIndex::new(), &options)
}

/// Whether the path's Service has no endpoint that is ready.
fn no_endpoint(compiled: &Compiled, field: &str) -> bool {
    compiled
        .diagnostics
        .iter()
        .any(|it| it.code == Code::NoReadyEndpoints && it.field.to_string().starts_with(field))
}

/// What every controller writes to objects without meaning anything to us.
fn touched(ingress: &Ingress) -> Ingress {
    let mut touched = ingress.clone();
    touched.metadata.resource_version = Some("42".to_owned());
    touched.metadata.generation = Some(7);
    touched.metadata.uid = Some("0b1c".to_owned());
    touched.metadata.finalizers = Some(vec!["example.com/finalizer".to_owned()]);
    touched.metadata.labels = Some([("a".to_owned(), "b".to_owned())].into());
    touched.metadata.managed_fields = Some(vec![ManagedFieldsEntry::default()]);
    touched
        .metadata
        .annotations
        .get_or_insert_default()
        .insert("example.com/note".to_owned(), "x".to_owned());
    let balancer = IngressLoadBalancerIngress { ip: Some("192.0.2.1".to_owned()), ..Default::default() };
    touched.status = Some(IngressStatus {
        load_balancer: Some(IngressLoadBalancerStatus { ingress: Some(vec![balancer]) }),
    });
    touched
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_input_compiles_to_valid_routes_and_bounded_diagnostics(ingress in ingress(), service in service()) {
        let compiled = compiled(&ingress, &service);
        for (host, claims) in &compiled.hosts {
            prop_assert!(host.as_ref().is_none_or(|host| !host.as_str().is_empty()));
            for claim in claims {
                let path = claim.route.path.as_str();
                prop_assert!(path.starts_with('/') && !path.contains("//") && path.len() <= 250, "{path:?}");
                prop_assert!(!path.contains(|char: char| char.is_ascii_control()), "{path:?}");
                prop_assert!(!(claim.route.strip && path == "/"));
            }
        }
        for diagnostic in &compiled.diagnostics {
            prop_assert!(diagnostic.message.len() < 4_000, "{}", diagnostic.message);
            prop_assert!(!diagnostic.message.contains(char::is_control), "{:?}", diagnostic.message);
            prop_assert!(diagnostic.help.is_some());
        }
    }

    #[test]
    fn every_path_is_claimed_or_cannot_be_matched_and_what_is_not_served_is_reported(ingress in ingress(), service in service()) {
        let compiled = compiled(&ingress, &service);
        let rules = ingress.spec.iter().flat_map(|spec| spec.rules.iter().flatten());
        let errors: Vec<(Code, String)> = compiled
            .diagnostics
            .iter()
            .filter(|it| it.code.severity() == Severity::Error)
            .map(|it| (it.code, it.field.to_string()))
            .collect();
        let rejected = errors.iter().any(|(code, _)| *code == Code::InvalidAllowList);
        for (rule, paths) in rules.map(|rule| rule.http.iter().flat_map(|http| &http.paths).count()).enumerate() {
            for path in 0..paths {
                let field = format!("spec.rules[{rule}].http.paths[{path}]");
                let host = format!("spec.rules[{rule}].host");
                let claims: Vec<_> =
                    compiled.hosts.values().flatten().filter(|claim| claim.field().to_string() == field).collect();
                let unmatched = errors.iter().any(|(code, at)| match code {
                    Code::InvalidHost => *at == host,
                    Code::InvalidPath => at.starts_with(&format!("{field}.")),
                    _ => false,
                });
                prop_assert_eq!(claims.is_empty(), unmatched, "{}", field);
                let reported = errors.iter().any(|(_, at)| at.starts_with(&format!("{field}.")));
                for claim in claims {
                    let expected = match (rejected, reported) {
                        (true, _) => Some(403),
                        (false, true) => Some(503),
                        (false, false) => claim.route.backend.refusal().filter(|_| no_endpoint(&compiled, &field)),
                    };
                    prop_assert_eq!(claim.route.backend.refusal(), expected, "{}", field);
                }
            }
        }
    }

    #[test]
    fn what_does_not_matter_changes_nothing(ingress in ingress(), service in service()) {
        prop_assert_eq!(compiled(&touched(&ingress), &service), compiled(&ingress, &service));
    }
}
