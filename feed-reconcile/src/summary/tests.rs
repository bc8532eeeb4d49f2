use super::summaries;
use crate::compile::compile;
use crate::fixture;
use crate::options::{Adoption, Options};

const INGRESSES: &str = r#"
kind: Ingress
metadata:
  {name: all, namespace: ns, creationTimestamp: 2026-01-02T03:04:05Z, annotations: {sky.uk/frontend-scheme: internal}}
spec:
  defaultBackend: {service: {name: missing, port: {number: 80}}}
  rules:
    - {host: b.example.com}
    - {host: "*.Example.com", http: {paths: []}}
    - {host: b.example.com}
    - {host: ""}
    - {}
    - {host: 192.0.2.1}
    - {host: LONG.example.com}
---
kind: Ingress
metadata: {name: older-annotation, namespace: ns, annotations: {sky.uk/frontend-elb-scheme: internet-facing}}
spec: {ingressClassName: ours, rules: [{host: c.example.com}]}
---
kind: Ingress
metadata: {name: wrong, namespace: ns, annotations: {sky.uk/frontend-scheme: outside}}
---
kind: Ingress
metadata: {name: nothing, namespace: ns}
"#;

fn yaml() -> String {
    INGRESSES.replace("LONG", &"l".repeat(64))
}

#[test]
fn an_ingress_is_its_hosts_its_scheme_and_its_age() {
    let (summaries, diagnostics) = summaries(&fixture::snapshot(&yaml()), &Adoption::default());
    let lines: Vec<_> = summaries
        .iter()
        .map(|(name, it)| {
            let hosts: Vec<_> = it.hosts.iter().map(ToString::to_string).collect();
            format!("{name}: {:?} {} {:?}", it.scheme, hosts.join(" "), it.created)
        })
        .chain(diagnostics.iter().map(|it| format!("{} {} {}: {}", it.object, it.code, it.field, it.message)))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    ns/all: Some(Internal) *.example.com b.example.com Some(1767323045000000000)
    ns/nothing: None  None
    ns/older-annotation: Some(InternetFacing) c.example.com None
    ns/wrong: None  None
    Ingress ns/all InvalidHost spec.rules[5].host: "192.0.2.1" is an IP address, and a host must be a name, so the rule is ignored.
    Ingress ns/all InvalidHost spec.rules[6].host: "llllllllllllllllllllllllllllllllllllllllllllllllllllllllllllllll.example.com" is no DNS name: labels of 1 to 63 letters, digits or `-`, which begin and end with a letter or digit, separated by dots, after `*.` at most, so the rule is ignored.
    Ingress ns/wrong InvalidAnnotation metadata.annotations[sky.uk/frontend-scheme]: "outside" is no scheme of a load balancer, so the default applies.
    "#);
}

#[test]
fn only_adopted_ingresses_count() {
    let adoption = Adoption { class: Some("ours".to_owned()), ..Adoption::default() };
    let (summaries, diagnostics) = summaries(&fixture::snapshot(&yaml()), &adoption);
    let names: Vec<_> = summaries.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["ns/older-annotation"]);
    assert!(diagnostics.is_empty());
}

#[test]
fn the_summary_is_what_compiling_gives() {
    let snapshot = fixture::snapshot(&yaml());
    let slices = fixture::slice_index(&snapshot);
    let (summaries, _) = summaries(&snapshot, &Adoption::default());
    for (name, ingress) in snapshot.ingresses.iter() {
        let compiled = compile(name, ingress, &snapshot, &slices, &Options::default());
        assert_eq!(summaries[name], compiled.summary, "{name}");
    }
}
