//! A route that is rejected keeps its place, and a claim holds until its Ingress or its rule ends.

use super::{SERVICES, ingress, routes};
use crate::fixture::snapshot;
use crate::options::{Adoption, Options};
use crate::snapshot::ClusterSnapshot;
use crate::{Reconciler, reconcile};

const OLDER: &str = "2024-01-01T00:00:00Z";
const YOUNGER: &str = "2025-01-01T00:00:00Z";

fn cluster(ingresses: &[String]) -> ClusterSnapshot {
    snapshot(&format!("{SERVICES}{}", ingresses.concat()))
}

/// Who has which path of the host, or of the undeclared ones for an empty host.
fn owners(ingresses: &[String], host: &str) -> String {
    let state = reconcile(&cluster(ingresses), &Options::default()).state;
    match host {
        "" => routes(&state.undeclared),
        host => routes(&state.servers[&crate::host::Host::new(host).unwrap()]),
    }
}

/// An Ingress with that `spec`, and `sky.uk/allow` of that value.
fn with_allow(name: &str, created: &str, allow: &str, spec: &str) -> String {
    format!(
        "kind: Ingress\n\
         metadata: {{name: {name}, namespace: default, creationTimestamp: {created}, annotations: {{sky.uk/allow: '{allow}'}}}}\n\
         spec: {spec}\n\
         ---\n"
    )
}

#[test]
fn every_kind_of_path_and_host_keeps_its_place() {
    for host in ["a.example.com", "*.example.com", ""] {
        for (kind, path, shown) in [
            ("Exact", "/x", "Exact /x"),
            ("Exact", "/x/", "Exact /x/"),
            ("Exact", "/", "Exact /"),
            ("Prefix", "/x", "Prefix /x"),
            ("Prefix", "/", "Prefix /"),
            ("ImplementationSpecific", "x", "Directory /x/"),
            ("ImplementationSpecific", "/", "Prefix /"),
        ] {
            let missing = ingress("a", OLDER, host, &format!("{kind} {path} none"));
            let younger = ingress("b", YOUNGER, host, &format!("{kind} {path} two"));
            let claims = [missing, younger];
            let expected = format!("  {shown} -> 503 (default/a)\n");
            assert_eq!(owners(&claims, host), expected, "{kind} {path} of {host:?}");
        }
    }
}

#[test]
fn an_exact_path_and_a_prefix_are_two_places() {
    let broken_exact = ingress("a", OLDER, "a.example.com", "Exact /x none\nPrefix /x one");
    assert_eq!(
        owners(&[broken_exact], "a.example.com"),
        "  Exact /x -> 503 (default/a)\n  Prefix /x -> default.one.80 (default/a)\n"
    );
    let broken_prefix = ingress("a", OLDER, "a.example.com", "Exact /x one\nPrefix /x none");
    assert_eq!(
        owners(&[broken_prefix], "a.example.com"),
        "  Exact /x -> default.one.80 (default/a)\n  Prefix /x -> 503 (default/a)\n"
    );
}

#[test]
fn a_path_of_no_known_type_keeps_what_it_may_stand_for() {
    let unknown = ingress("a", OLDER, "a.example.com", "exact /x one");
    let younger = ingress("b", YOUNGER, "a.example.com", "Exact /x two\nPrefix /x two\nPrefix /x/y two");
    assert_eq!(
        owners(&[unknown, younger], "a.example.com"),
        "  Exact /x -> 503 (default/a)\n  Prefix /x -> 503 (default/a)\n  Prefix /x/y -> default.two.80 (default/b)\n"
    );
}

#[test]
fn a_restriction_that_cannot_be_read_forbids_all_of_the_ingress() {
    let rules = "{host: a.example.com, http: {paths: [\
        {pathType: Prefix, path: /x, backend: {service: {name: one, port: {number: 80}}}}, \
        {pathType: Exact, path: /y, backend: {service: {name: none, port: {number: 80}}}}, \
        {pathType: other, path: /z, backend: {}}]}}";
    let default = "defaultBackend: {service: {name: one, port: {number: 80}}}";
    let closed = with_allow("a", OLDER, "10.0.0.0/8;::1", &format!("{{{default}, rules: [{rules}]}}"));
    let younger = ingress("b", YOUNGER, "a.example.com", "Prefix /x two\nPrefix /x/y two");
    assert_eq!(
        owners(&[closed, younger], "a.example.com"),
        "  Prefix / -> 403 (default/a)\n  Prefix /x -> 403 (default/a)\n  Prefix /x/y -> default.two.80 (default/b)\n  \
         Exact /y -> 403 (default/a)\n  Exact /z -> 403 (default/a)\n  Prefix /z -> 403 (default/a)\n"
    );
    let default = with_allow("a", OLDER, "oops", &format!("{{{default}}}"));
    assert_eq!(owners(&[default], ""), "  Prefix / -> 403 (default/a)\n");
}

#[test]
fn a_default_backend_that_is_missing_keeps_its_place() {
    let default = |name: &str, created: &str, service: &str, rules: &str| {
        format!(
            "kind: Ingress\n\
             metadata: {{name: {name}, namespace: default, creationTimestamp: {created}}}\n\
             spec: {{defaultBackend: {{service: {{name: {service}, port: {{number: 80}}}}}}, rules: [{rules}]}}\n\
             ---\n"
        )
    };
    let beside = [
        default("a", OLDER, "none", "{host: a.example.com}"),
        default("b", YOUNGER, "two", "{host: a.example.com}"),
        default("c", YOUNGER, "two", ""),
    ];
    assert_eq!(owners(&beside, "a.example.com"), "  Prefix / -> 503 (default/a)\n");
    assert_eq!(owners(&beside, ""), "  Prefix / -> default.two.80 (default/c)\n");
    let alone = [default("a", OLDER, "none", ""), default("b", YOUNGER, "two", "")];
    assert_eq!(owners(&alone, ""), "  Prefix / -> 503 (default/a)\n");
}

/// What changes hands from one state of the cluster to the next, one line each.
fn handovers(reconciler: &mut Reconciler, ingresses: &[String]) -> Vec<String> {
    reconciler.update(&cluster(ingresses));
    let line = |it: &crate::reconcile::Handover| {
        let host = it.host.as_ref().map_or("undeclared", crate::host::Host::as_str);
        let paths: Vec<&str> = it.paths.iter().map(crate::path::RoutePath::as_str).collect();
        format!("{host} {}: {} -> {}", paths.join(" "), it.from, it.to)
    };
    reconciler.handovers().iter().map(line).collect()
}

#[test]
fn only_the_end_of_the_winner_passes_a_path_on() {
    let of = |name: &str, created: &str, service: &str| {
        ingress(name, created, "a.example.com", &format!("Prefix / {service}"))
    };
    let mut reconciler = Reconciler::new(Options::default());
    let none: [&str; 0] = [];
    let (second, third) = (of("b", YOUNGER, "none"), of("c", YOUNGER, "two"));
    let first = |service: &str| of("a", OLDER, service);
    assert_eq!(handovers(&mut reconciler, &[first("one"), second.clone(), third.clone()]), none);
    assert_eq!(handovers(&mut reconciler, &[first("none"), second.clone(), third.clone()]), none);
    let passed = handovers(&mut reconciler, &[second.clone(), third.clone()]);
    assert_eq!(passed, ["a.example.com /: default/a -> default/b"]);
    let server = &reconciler.reconciled().state.servers.values().next().unwrap().clone();
    assert_eq!(routes(server), "  Prefix / -> 503 (default/b)\n");
    assert_eq!(
        handovers(&mut reconciler, &[of("b", YOUNGER, "one"), third.clone()]),
        none,
        "it is served again"
    );
    assert_eq!(
        handovers(&mut reconciler, &[first("one"), second, third]),
        ["a.example.com /: default/b -> default/a"]
    );
}

#[test]
fn the_end_of_a_rule_passes_on_what_it_had() {
    let of = |name: &str, host: &str, paths: &str| ingress(name, OLDER, host, paths);
    let mut reconciler = Reconciler::new(Options::default());
    let other = of("b", "a.example.com", "Exact /x two\nPrefix /x two\nPrefix /y two");
    handovers(
        &mut reconciler,
        &[of("a", "a.example.com", "Exact /x none\nPrefix /x/ one\nPrefix /y one"), other.clone()],
    );
    assert_eq!(
        handovers(&mut reconciler, &[of("a", "a.example.com", "Prefix /y one"), other.clone()]),
        ["a.example.com /x: default/a -> default/b"]
    );
    assert_eq!(
        handovers(&mut reconciler, &[of("a", "b.example.com", "Prefix /y one"), other]),
        ["a.example.com /y: default/a -> default/b"]
    );
}

#[test]
fn an_ingress_of_another_class_has_no_claim_any_more() {
    let adoption = Adoption { class: Some("ours".into()), include_classless: true, ..Adoption::default() };
    let mut reconciler = Reconciler::new(Options { adoption, ..Options::default() });
    let (first, second) = (
        ingress("a", OLDER, "a.example.com", "Prefix / none"),
        ingress("b", YOUNGER, "a.example.com", "Prefix / two"),
    );
    let left = first.replace("spec: {", "spec: {ingressClassName: other, ");
    handovers(&mut reconciler, &[first, second.clone()]);
    assert_eq!(handovers(&mut reconciler, &[left, second]), ["a.example.com /: default/a -> default/b"]);
}

#[test]
fn the_undeclared_hosts_change_hands_too() {
    let mut reconciler = Reconciler::new(Options::default());
    let both = [ingress("a", OLDER, "", "Prefix /x none"), ingress("b", OLDER, "", "Prefix /x two")];
    handovers(&mut reconciler, &both);
    assert_eq!(handovers(&mut reconciler, &both[1..]), ["undeclared /x: default/a -> default/b"]);
}
