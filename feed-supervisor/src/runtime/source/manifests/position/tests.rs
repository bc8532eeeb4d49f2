use super::Step::{Index, Key};
use super::*;

const INGRESS: &str = "\
# A comment.
kind: Ingress
metadata:
  name: app
  annotations:
    sky.uk/allow: 10.0.0.0/8
    \"sky.uk/strip-path\": 'yes'
spec:
  rules:
    - host: a.example.com
      http: &http
        paths:
          - path: /a
            backend: {service: {name: a, port: {number: 80}}}
          -
            path: \"/b\"
    - host: b.example.com
      http: *http
  empty:
";

fn place(document: &str, steps: &[Step<'_>]) -> String {
    let position = Positions::of(document).unwrap().find(steps.iter().copied());
    format!("{}:{}", position.line, position.column)
}

#[test]
fn values_are_found() {
    for (steps, expected) in [
        (&[][..], "2:1"),
        (&[Key("metadata")], "4:3"),
        (&[Key("metadata"), Key("name")], "4:9"),
        (&[Key("metadata"), Key("annotations"), Key("sky.uk/allow")], "6:19"),
        (&[Key("metadata"), Key("annotations"), Key("sky.uk/strip-path")], "7:26"),
        (&[Key("spec"), Key("rules"), Index(0), Key("host")], "10:13"),
        (&[Key("spec"), Key("rules"), Index(0), Key("http"), Key("paths"), Index(0)], "13:13"),
        (&[Key("spec"), Key("rules"), Index(0), Key("http"), Key("paths"), Index(1), Key("path")], "16:19"),
        (&[Key("spec"), Key("rules"), Index(1), Key("http")], "18:13"),
    ] {
        assert_eq!(place(INGRESS, steps), expected, "{steps:?}");
    }
}

#[test]
fn of_what_is_not_there_the_nearest_value_around_it_is_found() {
    for (steps, expected) in [
        (&[Key("status"), Key("loadBalancer")][..], "2:1"),
        (
            &[Key("spec"), Key("rules"), Index(0), Key("http"), Key("paths"), Index(1), Key("pathType")],
            "16:13",
        ),
        (&[Key("spec"), Key("rules"), Index(7), Key("host")], "10:5"),
        (&[Key("metadata"), Key("name"), Key("deeper")], "4:9"),
        (&[Key("metadata"), Index(0)], "4:3"),
    ] {
        assert_eq!(place(INGRESS, steps), expected, "{steps:?}");
    }
}

#[test]
fn json_is_searched_too() {
    let json = "{\n\t\"kind\": \"Ingress\",\n\t\"spec\": {\n\t\t\"rules\": [{\"host\": \"a\"}, {\"host\":\n\"b\"}]\n\t}\n}\n";
    assert_eq!(place(json, &[Key("spec"), Key("rules"), Index(0), Key("host")]), "4:22");
    assert_eq!(place(json, &[Key("spec"), Key("rules"), Index(1), Key("host")]), "5:1");
}

#[test]
fn nothing_is_found_in_what_does_not_parse() {
    assert!(Positions::of("a: [").is_none());
}
