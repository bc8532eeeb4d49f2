use super::is_adopted;
use crate::fixture;
use crate::options::{Adoption, LabelSelector};

/// The names of the Ingresses in the fixture that are adopted.
fn adopted(yaml: &str, options: &Adoption) -> Vec<String> {
    let snapshot = fixture::snapshot(yaml);
    let ours = snapshot.ingresses.iter().filter(|(_, ingress)| is_adopted(ingress, &snapshot, options));
    ours.map(|(name, _)| name.to_string()).collect()
}

fn class(name: &str) -> Adoption {
    Adoption { class: Some(name.to_owned()), ..Adoption::default() }
}

const CLASSES: &str = r#"
kind: Ingress
metadata: {name: annotated, namespace: ns, annotations: {kubernetes.io/ingress.class: ours}}
---
kind: Ingress
metadata: {name: annotated-and-other-field, namespace: ns, annotations: {kubernetes.io/ingress.class: ours}}
spec: {ingressClassName: theirs}
---
kind: Ingress
metadata: {name: annotated-theirs-but-our-field, namespace: ns, annotations: {kubernetes.io/ingress.class: theirs}}
spec: {ingressClassName: ours}
---
kind: Ingress
metadata: {name: classless, namespace: ns}
spec: {}
---
kind: Ingress
metadata: {name: empty-annotation, namespace: ns, annotations: {kubernetes.io/ingress.class: ""}}
---
kind: Ingress
metadata: {name: field, namespace: ns, annotations: {other: value}}
spec: {ingressClassName: ours}
---
kind: Ingress
metadata: {name: nothing-at-all, namespace: ns}
---
kind: Ingress
metadata: {name: theirs, namespace: ns}
spec: {ingressClassName: Ours}
"#;

fn class_object(name: &str, default: &str) -> String {
    format!(
        "kind: IngressClass\nmetadata: {{name: {name}, annotations: \
         {{ingressclass.kubernetes.io/is-default-class: \"{default}\"}}}}\n---\n{CLASSES}"
    )
}

const OURS: [&str; 3] = ["ns/annotated", "ns/annotated-and-other-field", "ns/field"];
const OURS_AND_CLASSLESS: [&str; 5] =
    ["ns/annotated", "ns/annotated-and-other-field", "ns/classless", "ns/field", "ns/nothing-at-all"];

#[test]
fn annotation_before_field() {
    assert_eq!(adopted(CLASSES, &class("ours")), OURS);
}

#[test]
fn classless_when_asked_for() {
    let options = Adoption { include_classless: true, ..class("ours") };
    assert_eq!(adopted(CLASSES, &options), OURS_AND_CLASSLESS);
}

#[test]
fn classless_when_our_class_is_the_default() {
    assert_eq!(adopted(&class_object("ours", "true"), &class("ours")), OURS_AND_CLASSLESS);
    assert_eq!(adopted(&class_object("ours", "false"), &class("ours")), OURS);
    assert_eq!(adopted(&class_object("theirs", "true"), &class("ours")), OURS);
}

#[test]
fn every_class_without_one_of_our_own() {
    assert_eq!(adopted(CLASSES, &Adoption::default()).len(), 8);
}

const NAMESPACES: &str = r"
kind: Namespace
metadata: {name: both, labels: {a: b, c: d, e: f}}
---
kind: Namespace
metadata: {name: first, labels: {a: b}}
---
kind: Namespace
metadata: {name: other-value, labels: {a: d, c: b}}
---
kind: Namespace
metadata: {name: unlabelled}
---
kind: Ingress
metadata: {name: it, namespace: both}
---
kind: Ingress
metadata: {name: it, namespace: first}
---
kind: Ingress
metadata: {name: it, namespace: other-value}
---
kind: Ingress
metadata: {name: it, namespace: unknown}
---
kind: Ingress
metadata: {name: it, namespace: unlabelled}
";

fn selectors(labels: &[(&str, &str)], match_all: bool) -> Adoption {
    let selector =
        |(name, value): &(&str, &str)| LabelSelector { name: (*name).to_owned(), value: (*value).to_owned() };
    Adoption {
        namespace_selectors: labels.iter().map(selector).collect(),
        match_all_namespace_selectors: match_all,
        ..Adoption::default()
    }
}

#[test]
fn namespaces_with_any_of_the_labels() {
    assert_eq!(adopted(NAMESPACES, &selectors(&[("a", "b"), ("c", "d")], false)), ["both/it", "first/it"]);
}

#[test]
fn namespaces_with_all_of_the_labels() {
    assert_eq!(adopted(NAMESPACES, &selectors(&[("a", "b"), ("c", "d")], true)), ["both/it"]);
}

#[test]
fn every_namespace_without_selectors() {
    assert_eq!(adopted(NAMESPACES, &selectors(&[], true)).len(), 5);
}

#[test]
fn class_and_namespace_must_both_be_ours() {
    let options = Adoption { class: Some("ours".to_owned()), ..selectors(&[("a", "b")], false) };
    assert_eq!(adopted(NAMESPACES, &options), [""; 0]);
    assert_eq!(
        adopted(NAMESPACES, &Adoption { include_classless: true, ..options }),
        ["both/it", "first/it"]
    );
}
