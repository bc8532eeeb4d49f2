use std::fmt::Write;

use super::*;

/// What a file says, one line for each object and problem.
fn said(text: &str, syntax: Syntax) -> String {
    let mut said = String::new();
    for part in split(text, syntax) {
        let document = parse(part.text, syntax);
        for entry in &document.objects {
            let kind = format!("{:?}", entry.object);
            let kind = kind.split('(').next().unwrap();
            writeln!(said, "{kind} {} {:?}", entry.name, entry.items).unwrap();
        }
        for problem in &document.problems {
            let Position { line, column } = problem.position.in_text_at(part.first_line);
            let broken = if problem.breaks_file { " (breaks the file)" } else { "" };
            writeln!(said, "{line}:{column}: {}.{broken}", problem.message).unwrap();
        }
    }
    said
}

fn yaml(text: &str) -> String {
    said(text, Syntax::Yaml)
}

#[test]
fn documents_are_split_at_their_marks() {
    let lines = |text| -> Vec<(usize, &str)> {
        split(text, Syntax::Yaml).into_iter().map(|part| (part.first_line, part.text)).collect()
    };
    assert_eq!(lines("a: 1\n"), [(1, "a: 1\n")]);
    assert_eq!(lines("---\na: 1\n---\nb: 2"), [(2, "a: 1\n"), (4, "b: 2")]);
    assert_eq!(
        lines("# c\n\n---  # d\na: 1\n--- \n---\r\nb: 2\n---\n"),
        [(3, "---  # d\na: 1\n"), (7, "b: 2\n")]
    );
    assert_eq!(lines("%YAML 1.2\n--- {a: 1}\n...\n"), [(2, "--- {a: 1}\n...\n")]);
    assert_eq!(lines("a: |\n  ---\n----\n"), [(1, "a: |\n  ---\n----\n")]);
    assert_eq!(lines("\u{feff}a: 1\n"), [(1, "a: 1\n")]);
    assert_eq!(lines("# nothing\n"), []);
}

#[test]
fn every_kind_is_read() {
    let text = "\
--- # first
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
...
---
apiVersion: networking.k8s.io/v1
kind: IngressClass
metadata: {name: a, namespace: ignored}
---
apiVersion: v1
kind: Service
metadata: {name: a, namespace: ''}
---
apiVersion: v1
kind: Namespace
metadata: {name: a}
---
{apiVersion: v1, kind: Secret, type: kubernetes.io/tls, data: {tls.key: ''}, metadata: {name: a, namespace: b}}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
addressType: IPv4
endpoints: []
metadata: {name: a, namespace: b}
";
    insta::assert_snapshot!(yaml(text), @r"
        Ingress default/a []
        IngressClass a []
        Service default/a []
        Namespace a []
        Secret b/a []
        EndpointSlice b/a []
        ");
}

#[test]
fn what_is_not_ours_is_ignored() {
    let text = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {1: a, true: b}
---
apiVersion: v1
kind: Secret
type: Opaque
metadata: {name: a}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: a}
---
apiVersion: config.openshift.io/v1
kind: Ingress
spec: []
---
apiVersion: example.com/v1
kind: AllowList
spec: {items: 7}
---
apiVersion: example.com/v1
kind: AllowList
items: 7
---
null
";
    assert_eq!(yaml(text), "");
}

#[test]
fn lists_are_read() {
    let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: a}
- apiVersion: v1
  kind: ConfigMap
- apiVersion: networking.k8s.io/v1
  kind: IngressList
  items:
  - metadata: {name: b}
  - metadata: {name: c, namespace: d}
    spec: {rules: 7}
  - metadata: {}
- 7
- kind: Ingress
";
    insta::assert_snapshot!(yaml(text), @r"
        Service default/a [0]
        Ingress default/b [2, 0]
        14:19: `spec.rules` is not as Ingress has it: invalid type: integer `7`, expected a sequence. (breaks the file)
        15:15: The Ingress has no name; it is left out.
        16:3: This is no object of Kubernetes; it is left out.
        17:3: This is no object of Kubernetes; it is left out.
        ");
}

#[test]
fn json_is_read() {
    let text = r#"{"apiVersion": "v1", "items": [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": 7}}
    ], "kind": "List"}"#;
    insta::assert_snapshot!(said(text, Syntax::Json), @r"
        Service default/a [0]
        3:70: `metadata.name` is not as Service has it: invalid type: integer `7`, expected a string. (breaks the file)
        ");
    insta::assert_snapshot!(said("{\"kind\":\n  \"Ingress\",\n}", Syntax::Json), @"3:1: This is not JSON: trailing comma. (breaks the file)");
    insta::assert_snapshot!(said("", Syntax::Json), @"1:1: This is not JSON: EOF while parsing a value. (breaks the file)");
}

#[test]
fn what_does_not_parse_is_located() {
    let said: Vec<String> = [
        "---\na: 1\n---\nkind: Ingress\n rules: [\n",
        "kind: Ingress\nkind: Ingress\n",
        "a: *nowhere\n",
        "\ta: 1\n",
        "a: \"\\q\"\n",
        "just words\n",
        "metadata: {name: a}\n",
    ]
    .into_iter()
    .map(|text| format!("{text:?}\n{}", yaml(text).trim_end()))
    .collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
        "---\na: 1\n---\nkind: Ingress\n rules: [\n"
        2:1: This is no object of Kubernetes; it is left out.
        5:7: This is not YAML: mapping values are not allowed in this context. (breaks the file)
        "kind: Ingress\nkind: Ingress\n"
        2:1: This is not YAML: duplicate mapping key `kind` is not allowed here. (breaks the file)
        "a: *nowhere\n"
        1:4: This is not YAML: reference to unknown value. (breaks the file)
        "\ta: 1\n"
        1:2: This is no object of Kubernetes; it is left out.
        "a: \"\\q\"\n"
        1:4: This is not YAML: while parsing a quoted scalar, found unknown escape character. (breaks the file)
        "just words\n"
        1:1: This is no object of Kubernetes; it is left out.
        "metadata: {name: a}\n"
        1:1: This is no object of Kubernetes; it is left out.
        "#);
}

#[test]
fn what_is_not_typed_right_is_located() {
    let text = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: a
  annotations:
    sky.uk/strip-path: true
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a}
spec:
  rules:
  - http:
      paths:
      - path: /
        backend:
          service:
            name: a
            port: {number: http}
";
    insta::assert_snapshot!(yaml(text), @r#"
        6:24: `metadata.annotations.sky.uk/strip-path` is not as Ingress has it: invalid type: boolean `true`, expected a string. (breaks the file)
        19:28: `spec.rules[0].http.paths[0].backend.service.port.number` is not as Ingress has it: invalid type: string "http", expected i32. (breaks the file)
        "#);
}

#[test]
fn old_versions_are_pointed_out() {
    let text = "\
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: a}
---
apiVersion: networking.k8s.io/v1beta1
kind: IngressClass
---
apiVersion: discovery.k8s.io/v1beta1
kind: EndpointSlice
";
    insta::assert_snapshot!(yaml(text), @r"
        1:13: extensions/v1beta1 is no version of Ingress that Kubernetes still serves; it is left out.
        5:13: networking.k8s.io/v1beta1 is no version of IngressClass that Kubernetes still serves; it is left out.
        8:13: discovery.k8s.io/v1beta1 is no version of EndpointSlice that Kubernetes still serves; it is left out.
        ");
}

#[test]
fn long_documents_and_long_comments_are_read() {
    let mut text = "apiVersion: networking.k8s.io/v1\nkind: IngressList\nitems:\n".to_owned();
    text += &"# A licence, say.\n".repeat(1000);
    for number in 0..6000 {
        writeln!(text, "- metadata: {{name: a{number}}}\n  spec: {{rules: [{{host: a}}]}}").unwrap();
    }
    assert_eq!(parse(&text, Syntax::Yaml).objects.len(), 6000);
}

#[test]
fn a_document_cannot_exhaust_memory_or_stack() {
    let deep = "[".repeat(100_000);
    assert!(parse(&deep, Syntax::Yaml).problems[0].breaks_file);
    assert!(parse(&deep, Syntax::Json).problems[0].breaks_file);
    let mut bomb = "a: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..10 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(bomb, "b{level}: &a{level} [{aliases}]").unwrap();
    }
    assert!(parse(&bomb, Syntax::Yaml).problems[0].breaks_file);
}

#[test]
fn merge_keys_and_anchors_are_followed() {
    let text = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: &metadata
  name: a
  annotations:
    <<: &common {sky.uk/allow: 10.0.0.0/8}
    a: b
spec:
  rules: []
";
    let document = parse(text, Syntax::Yaml);
    let Object::Ingress(ingress) = &document.objects[0].object else { panic!("{document:?}") };
    let annotations = ingress.metadata.annotations.as_ref().unwrap();
    assert_eq!(annotations["sky.uk/allow"], "10.0.0.0/8");
    assert_eq!(annotations["a"], "b");
}
