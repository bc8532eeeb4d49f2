use std::ffi::OsString;
use std::path::Path;

use super::*;
use crate::cli::{Command, parse};

const SERVICE: &str = "\
kind: Service
apiVersion: v1
metadata: {name: shop, namespace: demo}
spec: {clusterIP: 10.96.0.7, ports: [{name: http, port: 80}]}
";

/// An Ingress of 20 lines for that host, which the service of that name is behind.
fn ingress(name: &str, host: &str, service: &str) -> String {
    format!(
        "\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {name}
  namespace: demo
  annotations:
    sky.uk/strip-path: \"false\"
spec:
  ingressClassName: any
  rules:
    - host: {host}
      http:
        paths:
          - path: /
            pathType: Prefix
            backend:
              service:
                name: {service}
                port:
                  name: http
"
    )
}

/// What `check` prints and counts for files of these names and texts; the directory is called `DIR` in it.
fn checked(files: &[(&str, &str)], flags: &str) -> (String, Counts) {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    let mut out = Vec::new();
    let counts = check(&config(directory.path(), flags), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    (text.replace(directory.path().to_str().unwrap(), "DIR"), counts)
}

fn config(directory: &Path, flags: &str) -> CheckConfig {
    let line = format!("feed-ingress check --manifests={} {flags}", directory.display());
    match parse(line.split_whitespace().map(OsString::from), |_| None) {
        Ok(Command::Check(config)) => *config,
        other => panic!("{other:?}"),
    }
}

#[test]
fn good_manifests_give_no_output() {
    let files = [("a.yaml", SERVICE), ("b.yaml", &ingress("shop", "shop.example.com", "shop"))];
    assert_eq!(checked(&files, ""), (String::new(), Counts::default()));
}

#[test]
fn a_diagnostic_names_the_line_to_mend() {
    let file = format!("---\n{SERVICE}---\n{}", ingress("shop", "shop.example.com", "shopp"));
    let (text, counts) = checked(&[("shop.yaml", &file)], "");
    insta::assert_snapshot!(text);
    assert_eq!(counts, Counts { errors: 1, warnings: 0 });
}

#[test]
fn findings_are_in_the_order_of_the_files() {
    let files = [
        ("z.yaml", ingress("first", "shop.example.com", "shop")),
        ("b.yaml", ingress("second", "shop.example.com", "shop")),
        ("a.yaml", ingress("third", "-.example.com", "shop").replace("\"false\"", "maybe")),
        ("c.yaml", "kind: Ingress\nbroken: true\n".to_owned()),
        ("service.yaml", SERVICE.to_owned()),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (text, counts) = checked(&files, "");
    insta::assert_snapshot!(text);
    assert_eq!(counts, Counts { errors: 3, warnings: 1 });
}

#[test]
fn the_json_form() {
    let files = [
        ("a.yaml", ingress("first", "shop.example.com", "shop")),
        ("b.yaml", ingress("second", "shop.example.com", "shop")),
        ("service.yaml", SERVICE.to_owned()),
    ];
    let files: Vec<_> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let (text, _) = checked(&files, "--output=json");
    insta::assert_snapshot!(text);
    let (text, _) = checked(&[("service.yaml", SERVICE)], "--output=json");
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({ "diagnostics": [], "errors": 0, "warnings": 0 })
    );
}

#[test]
fn only_the_class_that_is_asked_for_is_checked() {
    let file = ingress("shop", "shop.example.com", "missing");
    for (flags, errors) in [("", 1), ("--ingress-class=any", 1), ("--ingress-class=other", 0)] {
        assert_eq!(checked(&[("shop.yaml", &file)], flags).1.errors, errors, "{flags}");
    }
}

#[test]
fn a_missing_directory_is_a_sentence() {
    let error = check(&config(Path::new("/nowhere"), ""), &mut Vec::new()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the directory /nowhere given by --manifests: "), "{error}");
}
