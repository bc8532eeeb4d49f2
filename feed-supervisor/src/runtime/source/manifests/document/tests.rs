use std::fmt::Write;

use super::super::text::split;
use super::*;

/// What a file says, one line for each object and problem.
fn said(text: &str, syntax: Syntax) -> String {
    let mut said = String::new();
    for part in split(text, syntax) {
        let document = parse(part.text, part.syntax);
        for entry in &document.objects {
            let kind = format!("{:?}", entry.object);
            let kind = kind.split('(').next().unwrap();
            writeln!(said, "{kind} {} {:?}", entry.name, entry.items).unwrap();
            for unknown in &entry.unknown {
                writeln!(said, "  unknown: {} {}", Spelled(&unknown.way), unknown.name).unwrap();
            }
        }
        for problem in &document.problems {
            let Position { line, column } = problem.position.in_document_at(part.begin);
            let broken = if problem.breaks_file { " (breaks the file)" } else { "" };
            writeln!(said, "{line}:{column}: {} {}. {}{broken}", problem.code, problem.message, problem.help)
                .unwrap();
        }
    }
    said
}

fn yaml(text: &str) -> String {
    said(text, Syntax::Yaml)
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
    insta::assert_snapshot!(yaml(text), @"
Service default/a [0]
Ingress default/b [2, 0]
14:19: InvalidManifest `spec.rules` is not as Ingress has it: invalid type: integer `7`, expected a sequence. See `kubectl explain ingress.spec.rules`. (breaks the file)
15:15: InvalidManifest The Ingress has no name; it is left out. Add `metadata.name`.
16:3: InvalidManifest This is no object of Kubernetes; it is left out. Give it `apiVersion` and `kind`, or move the file elsewhere.
17:3: InvalidManifest This is no object of Kubernetes; it is left out. Give it `apiVersion` and `kind`, or move the file elsewhere.
");
}

#[test]
fn json_is_read() {
    let text = r#"{"apiVersion": "v1", "items": [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": 7}}
    ], "kind": "List"}"#;
    insta::assert_snapshot!(said(text, Syntax::Json), @"
Service default/a [0]
3:70: InvalidManifest `metadata.name` is not as Service has it: invalid type: integer `7`, expected a string. See `kubectl explain service.metadata.name`. (breaks the file)
");
    insta::assert_snapshot!(said("{\"kind\":\n  \"Ingress\",\n}", Syntax::Json), @"3:1: InvalidManifest This is not JSON: trailing comma. Mend the file there, or a little before. (breaks the file)");
    insta::assert_snapshot!(said("", Syntax::Json), @"1:1: InvalidManifest This is not JSON: EOF while parsing a value. Mend the file there, or a little before. (breaks the file)");
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
5:7: InvalidManifest This is not YAML: mapping values are not allowed in this context. Mend the file there, or a little before. (breaks the file)
"kind: Ingress\nkind: Ingress\n"
2:7: DuplicateKey The key "kind" stands here more than once; the last one counts, as for kubectl. Remove the others.
1:1: InvalidManifest This is no object of Kubernetes; it is left out. Give it `apiVersion` and `kind`, or move the file elsewhere.
"a: *nowhere\n"
1:4: InvalidManifest This is not YAML: reference to unknown value. Mend the file there, or a little before. (breaks the file)
"\ta: 1\n"

"a: \"\\q\"\n"
1:4: InvalidManifest This is not YAML: while parsing a quoted scalar, found unknown escape character. Mend the file there, or a little before. (breaks the file)
"just words\n"
1:1: InvalidManifest This is no object of Kubernetes; it is left out. Give it `apiVersion` and `kind`, or move the file elsewhere.
"metadata: {name: a}\n"
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
6:24: InvalidManifest `metadata.annotations.sky.uk/strip-path` is not as Ingress has it: invalid type: boolean `true`, expected a string. See `kubectl explain ingress.metadata.annotations`. (breaks the file)
19:28: InvalidManifest `spec.rules[0].http.paths[0].backend.service.port.number` is not as Ingress has it: invalid type: string "http", expected i32. See `kubectl explain ingress.spec.rules.http.paths.backend.service.port.number`. (breaks the file)
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
    insta::assert_snapshot!(yaml(text), @"
1:13: InvalidManifest extensions/v1beta1 is no version of Ingress that Kubernetes still serves; it is left out. Use `networking.k8s.io/v1`, or `discovery.k8s.io/v1` for an EndpointSlice.
5:13: InvalidManifest networking.k8s.io/v1beta1 is no version of IngressClass that Kubernetes still serves; it is left out. Use `networking.k8s.io/v1`, or `discovery.k8s.io/v1` for an EndpointSlice.
8:13: InvalidManifest discovery.k8s.io/v1beta1 is no version of EndpointSlice that Kubernetes still serves; it is left out. Use `networking.k8s.io/v1`, or `discovery.k8s.io/v1` for an EndpointSlice.
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

#[test]
fn files_of_other_tools_are_no_fault() {
    for (text, syntax) in [
        ("resources: [manifests.yaml]\n", Syntax::Yaml),
        ("apiVersion: v2\nname: chart\nversion: 1.0.0\n", Syntax::Yaml),
        ("apiVersion: v1\nname: chart\nversion: 1.0.0\n", Syntax::Yaml),
        ("kind: DaemonSet\nimage: nginx\n", Syntax::Yaml),
        ("image: {tag: 1}\nmetadata: {labels: {}}\n", Syntax::Yaml),
        ("- {op: replace, path: /spec/rules/0/host, value: a}\n", Syntax::Yaml),
        ("spec: {rules: []}\n", Syntax::Yaml),
        ("{\"name\": \"package\", \"version\": \"1.0.0\"}", Syntax::Json),
        ("[1, 2]", Syntax::Json),
        ("\"text\"", Syntax::Json),
    ] {
        assert_eq!(said(text, syntax), "", "{text}");
    }
}

#[test]
fn an_object_of_ours_that_does_not_say_what_it_is_stays_a_fault() {
    for text in [
        "kind: Ingress\nmetadata: {name: a}\n",
        "kind: List\n",
        "apiVersion: networking.k8s.io/v1\nKind: Ingress\nmetadata: {name: a}\n",
        "apiVersion: v1\nmetadata: {name: a}\nspec: {ports: []}\n",
        "apiVersi",
    ] {
        assert!(yaml(text).contains("This is no object of Kubernetes"), "{text}: {}", yaml(text));
    }
}

#[test]
fn a_fault_in_a_later_json_object_is_located() {
    let service = r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}}"#;
    let text = format!("{service}{service}\n\n  {{\"kind\": }}\n{service}");
    insta::assert_snapshot!(said(&text, Syntax::Json), @"
Service default/a []
Service default/a []
3:12: InvalidManifest This is not JSON: expected value. Mend the file there, or a little before. (breaks the file)
");
    let mistyped = format!("{service} {}", service.replace("\"a\"", "7"));
    insta::assert_snapshot!(said(&mistyped, Syntax::Json), @"
Service default/a []
1:129: InvalidManifest `metadata.name` is not as Service has it: invalid type: integer `7`, expected a string. See `kubectl explain service.metadata.name`. (breaks the file)
");
}

#[test]
fn of_doubled_keys_the_last_counts() {
    let text = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a, name: b}
spec:
  rules:
  - host: a.example.com
    host: b.example.com
";
    insta::assert_snapshot!(yaml(text), @r#"
Ingress default/b []
3:27: DuplicateKey The key "name" stands here more than once; the last one counts, as for kubectl. Remove the others.
7:11: DuplicateKey The key "host" stands here more than once; the last one counts, as for kubectl. Remove the others.
"#);
    let json = r#"{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "name": "b"}}"#;
    insta::assert_snapshot!(said(json, Syntax::Json), @r#"
Service default/b []
1:75: DuplicateKey The key "name" stands here more than once; the last one counts, as for kubectl. Remove the others.
"#);
}

#[test]
fn fields_that_there_are_not_are_told_of() {
    let text = "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: a, annotation: {}}
spec:
  rules:
  - hosts: [a.example.com]
    http: {paths: [{path: /, backend: {serviceName: a, servicePort: 80}}]}
---
apiVersion: v1
kind: Service
metadata: {name: a}
spec: {port: []}
";
    insta::assert_snapshot!(yaml(text), @"
Ingress default/a []
  unknown: metadata annotation
  unknown: spec.rules[0] hosts
  unknown: spec.rules[0].http.paths[0].backend serviceName
  unknown: spec.rules[0].http.paths[0].backend servicePort
Service default/a []
  unknown: spec port
");
}

#[test]
fn base64_may_be_wrapped() {
    let text = "\
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: a}
data:
  tls.crt: |
    YWJj
    ZGVm
  tls.key: \"YWJj\\r\\nZGVm\\n\"
---
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: b}
data: {tls.crt: 'YW Jj'}
";
    insta::assert_snapshot!(yaml(text), @"
Secret default/a []
15:17: InvalidManifest `data.tls.crt` is not as Secret has it: Invalid symbol 32, offset 2. See `kubectl explain secret.data`. (breaks the file)
");
    let document = parse(split(text, Syntax::Yaml)[0].text, Syntax::Yaml);
    let Object::Secret(secret) = &document.objects[0].object else { panic!() };
    let data = secret.data.as_ref().unwrap();
    assert_eq!((&*data["tls.crt"].0, &*data["tls.key"].0), (&b"abcdef"[..], &b"abcdef"[..]));
    for (text, expected) in
        [("YWI=", "YWI="), ("YWJ=", "YWI="), ("YR==", "YQ=="), ("Y/==", "Yw=="), ("YW==", "YQ==")]
    {
        assert_eq!(without_spare_bits(text).as_deref(), Some(expected), "{text}");
    }
    for text in ["", "=", "YWJj", "Y===", "\u{e9}=", "YW*="] {
        assert_eq!(without_spare_bits(text), None, "{text}");
    }
    let refused = parse(split(text, Syntax::Yaml)[1].text, Syntax::Yaml);
    assert_eq!(refused.unreadable.iter().map(ToString::to_string).collect::<Vec<_>>(), ["Secret default/b"]);
}
