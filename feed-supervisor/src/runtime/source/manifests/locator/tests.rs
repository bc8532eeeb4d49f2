use std::fs;

use feed_reconcile::diagnostic::Code;
use feed_reconcile::options::Options;
use feed_reconcile::reconcile;

use super::*;

fn loaded(files: &[(&str, &str)]) -> (tempfile::TempDir, Loaded) {
    let root = tempfile::tempdir().unwrap();
    for (name, content) in files {
        fs::write(root.path().join(name), content).unwrap();
    }
    let loaded = Loaded::read(root.path()).unwrap();
    (root, loaded)
}

fn ingress(name: &str) -> ObjectKey {
    ObjectKey::ingress(&ObjectName::new("default", name))
}

const TWO: &str = "\
apiVersion: v1
kind: Service
metadata: {name: a}
--- # The second.
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: a
  annotations: {sky.uk/allow: nobody}
spec:
  rules: [{host: A}]
";

const LIST: &str = "\
{\"kind\": \"IngressList\", \"apiVersion\": \"networking.k8s.io/v1\", \"items\": [
  {\"metadata\": {\"name\": \"b\"}},
  {\"metadata\": {\"name\": \"c\"}, \"spec\": {\"rules\": [
    {\"host\": \"C\"}]}}
]}
";

#[test]
fn fields_are_found_in_their_file_and_document() {
    let (root, loaded) = loaded(&[("two.yaml", TWO), ("list.json", LIST)]);
    let mut locator = loaded.locator();
    let host = || Field::of(&["spec"]).name("rules").index(0).name("host");
    for (object, field, expected) in [
        (ingress("a"), host(), "two.yaml:11:18"),
        (ingress("a"), Field::annotation("sky.uk/allow"), "two.yaml:9:31"),
        (ingress("a"), Field::annotation("sky.uk/other"), "two.yaml:9:16"),
        (ingress("a"), Field::default(), "two.yaml:8:9"),
        (ingress("b"), Field::default(), "list.json:2:25"),
        (ingress("c"), host(), "list.json:4:14"),
    ] {
        let location = locator.field(&object, &field).unwrap().to_string();
        assert_eq!(location, format!("{}/{expected}", root.path().display()), "{object} {field}");
    }
    assert_eq!(locator.field(&ingress("missing"), &host()), None);
}

#[test]
fn what_does_not_parse_is_found_too() {
    let (root, loaded) = loaded(&[("a.yaml", "# One.\nkind: [\n"), ("b.yaml", TWO), ("c.yaml", TWO)]);
    let mut locator = loaded.locator();
    let found: Vec<(Code, String)> = loaded
        .diagnostics
        .iter()
        .map(|diagnostic| {
            let location = locator.diagnostic(diagnostic).unwrap();
            (diagnostic.code, location.to_string().replace(root.path().to_str().unwrap(), ""))
        })
        .collect();
    let expected = [
        (Code::InvalidManifest, "/a.yaml:2:7".to_owned()),
        (Code::DuplicateObject, "/c.yaml:4:1".to_owned()),
        (Code::DuplicateObject, "/c.yaml:1:1".to_owned()),
    ];
    for location in expected {
        assert!(found.contains(&location), "{found:?}");
    }
    assert_eq!(found.len(), 3);
}

#[test]
fn a_diagnostic_on_an_object_is_found_by_its_field() {
    let (_root, loaded) = loaded(&[("two.yaml", TWO)]);
    let diagnostic = Diagnostic {
        object: ingress("a"),
        field: Field::annotation("sky.uk/allow"),
        code: Code::InvalidAllowList,
        message: String::new(),
        help: None,
        related: None,
    };
    let location = loaded.locator().diagnostic(&diagnostic).unwrap();
    assert_eq!(location.position, Position { line: 9, column: 31 });
}

#[test]
fn each_document_is_read_once_however_much_is_found_in_it() {
    let paths: Vec<String> = (0..3_000)
        .map(|number| format!("      - {{path: /{number}, pathType: Prefix, backend: {{service: {{name: none{number}}}}}}}\n"))
        .collect();
    let paths = paths.concat();
    let file: Vec<String> = (0..3)
        .map(|number| {
            format!(
                "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {{name: i{number}}}\nspec:\n  rules:\n  - http:\n      paths:\n{paths}"
            )
        })
        .collect();
    let (_root, loaded) = loaded(&[("a.yaml", &file.concat()), ("b.yaml", TWO)]);
    let diagnostics = reconcile(&loaded.snapshot, &Options::default()).diagnostics;
    assert!(diagnostics.len() > 9_000, "{}", diagnostics.len());
    let mut locator = loaded.locator();
    for diagnostic in &diagnostics {
        let location = locator.diagnostic(diagnostic).unwrap();
        locator.field(&diagnostic.object, &Field::default()).unwrap();
        assert!(location.position.line > 1);
    }
    assert_eq!(locator.documents_read, 4, "the three Ingresses, and the one of the other file");
}
