use super::{Compiled, compile};
use crate::fixture;
use crate::options::Options;

/// Compiles the one Ingress of the fixture.
fn compiled(yaml: &str, options: &Options) -> Compiled {
    let snapshot = fixture::snapshot(yaml);
    let slices = fixture::slice_index(&snapshot);
    let (name, ingress) = snapshot.ingresses.iter().next().expect("an Ingress");
    compile(name, ingress, &snapshot, &slices, options)
}

#[test]
fn nothing_at_all() {
    let compiled = compiled("kind: Ingress\nmetadata: {name: it, namespace: ns}", &Options::default());
    assert!(compiled.hosts.is_empty());
    assert_eq!(compiled.diagnostics.len(), 1);
}

#[test]
fn a_default_backend_yields_and_is_declared_in_the_spec() {
    let compiled = compiled(
        "
kind: Ingress
metadata: {name: it, namespace: ns}
spec: {defaultBackend: {service: {name: web, port: {number: 80}}}}
---
kind: Service
metadata: {name: web, namespace: ns}
spec: {clusterIP: 10.0.0.1, ports: [{port: 80}]}
",
        &Options::default(),
    );
    let claim = &compiled.hosts[&None][0];
    assert!(claim.is_default());
    assert_eq!(claim.field().to_string(), "spec.defaultBackend");
}
