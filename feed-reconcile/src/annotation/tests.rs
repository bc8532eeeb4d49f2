use std::collections::BTreeMap;

use super::Annotations;
use crate::desired::{Backend, Scheme};
use crate::key::{ObjectKey, ObjectName};
use crate::options::{AllowList, RouteDefaults};
use crate::report::Report;

/// What annotations `sky.uk/KEY: VALUE` come to, and the diagnostics: `CODE KEY: MESSAGE`.
fn read(annotations: &[(&str, &str)], defaults: &RouteDefaults) -> (Annotations, Vec<String>) {
    let map: BTreeMap<String, String> =
        annotations.iter().map(|(key, value)| (format!("sky.uk/{key}"), (*value).to_owned())).collect();
    let mut report = Report::new(ObjectKey::ingress(&ObjectName::default()));
    let annotations = Annotations::read(Some(&map), defaults, &mut report);
    let line = |it: crate::diagnostic::Diagnostic| {
        assert!(it.help.is_some_and(|help| help.ends_with('.')), "{} says what to do", it.message);
        let field = it.field.to_string();
        let key = field.trim_start_matches("metadata.annotations[sky.uk/").trim_end_matches(']');
        format!("{} {key}: {}", it.code, it.message)
    };
    (annotations, report.into_diagnostics().into_iter().map(line).collect())
}

/// Checks what values of one annotation come to, and how it is reported (an empty text: not at all).
fn check<T: PartialEq + std::fmt::Debug>(
    key: &str,
    project: impl Fn(&Annotations) -> T,
    table: impl IntoIterator<Item = (&'static str, T, &'static str)>,
) {
    for (value, expected, diagnostic) in table {
        let (annotations, diagnostics) = read(&[(key, value)], &RouteDefaults::default());
        assert_eq!(project(&annotations), expected, "{key}: {value:?}");
        let reported: Vec<&str> = Some(diagnostic).filter(|it| !it.is_empty()).into_iter().collect();
        assert_eq!(diagnostics, reported, "{key}: {value:?}");
    }
}

/// Defaults that differ from feed's own in everything.
fn other_defaults() -> RouteDefaults {
    RouteDefaults {
        allow: AllowList::new(["10.0.0.0/8".parse().unwrap()]),
        strip_path: false,
        exact_path: true,
        backend_timeout_seconds: 7,
        backend_max_connections: 8,
        proxy_buffer_size_in_kb: 9,
        proxy_buffer_blocks: 3,
    }
}

fn allowed(annotations: &Annotations) -> String {
    let networks: Vec<String> = annotations.route.allow.networks().iter().map(ToString::to_string).collect();
    networks.join(" ")
}

#[test]
fn without_annotations_the_defaults_apply() {
    for defaults in [RouteDefaults::default(), other_defaults()] {
        let (annotations, diagnostics) = read(&[], &defaults);
        assert_eq!(diagnostics, [""; 0]);
        assert_eq!(annotations.scheme, None);
        assert_eq!(annotations.rejection, None);
        assert_eq!(annotations.strip_path, defaults.strip_path);
        assert_eq!(annotations.exact_path, defaults.exact_path);
        assert_eq!(annotations.route.allow, defaults.allow);
        assert_eq!(annotations.route.backend_timeout_seconds, defaults.backend_timeout_seconds);
        assert_eq!(annotations.route.proxy_buffer_size_in_kb, defaults.proxy_buffer_size_in_kb);
        assert_eq!(annotations.route.proxy_buffer_blocks, defaults.proxy_buffer_blocks);
        assert_eq!(annotations.upstream.max_connections, defaults.backend_max_connections);
        assert_eq!(annotations.upstream.keepalive_timeout_milliseconds, None);
        assert_eq!(annotations.upstream.max_requests_per_connection, 1024);
    }
}

#[test]
fn values_that_do_not_parse_leave_the_defaults() {
    let keys = [
        "strip-path",
        "exact-path",
        "backend-timeout-seconds",
        "backend-max-connections",
        "backend-connection-keepalive",
        "backend-max-requests-per-connection",
        "proxy-buffer-size-in-kb",
        "proxy-buffer-blocks",
        "frontend-scheme",
    ];
    let (without, _) = read(&[], &other_defaults());
    let (with, diagnostics) = read(&keys.map(|key| (key, "x; y")), &other_defaults());
    assert_eq!(with, without);
    let codes: Vec<&str> = diagnostics.iter().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(codes, ["InvalidAnnotation"; 9]);
}

#[test]
fn frontend_scheme() {
    check(
        "frontend-scheme",
        |it| it.scheme,
        [
            ("internal", Some(Scheme::Internal), ""),
            ("internet-facing", Some(Scheme::InternetFacing), ""),
            (
                "Internal",
                None,
                "InvalidAnnotation frontend-scheme: \"Internal\" is no scheme of a load balancer, so the default \
                 applies.",
            ),
            (
                "",
                None,
                "InvalidAnnotation frontend-scheme: \"\" is no scheme of a load balancer, so the default applies.",
            ),
        ],
    );
    check("frontend-elb-scheme", |it| it.scheme, [("internal", Some(Scheme::Internal), "")]);
}

#[test]
fn allow() {
    check(
        "allow",
        |it| (allowed(it), it.rejection == Some(Backend::Forbidden)),
        [
            ("", (String::new(), false), ""),
            (" ", (String::new(), false), ""),
            ("10.0.0.0/8", ("10.0.0.0/8".to_owned(), false), ""),
            ("192.0.2.7", ("192.0.2.7/32".to_owned(), false), ""),
            ("2001:db8::7", ("2001:db8::7/128".to_owned(), false), ""),
            ("0.0.0.0/0", ("0.0.0.0/0".to_owned(), false), ""),
            ("10.1.2.3/8", ("10.0.0.0/8".to_owned(), false), ""),
            (
                "2001:db8::/32, 192.0.2.7 ,10.0.0.0/8,10.0.0.0/8",
                ("10.0.0.0/8 192.0.2.7/32 2001:db8::/32".to_owned(), false),
                "",
            ),
            (
                "10.0.0.0/8,example.com",
                (String::new(), true),
                "InvalidAllowList allow: \"example.com\" is no IP address or CIDR, so all routes of this Ingress \
                 answer 403.",
            ),
            (
                "10.0.0.0/33,x,10.0.0.1",
                (String::new(), true),
                "InvalidAllowList allow: \"10.0.0.0/33\" (and 1 more) is no IP address or CIDR, so all routes of \
                 this Ingress answer 403.",
            ),
            (
                "10.0.0.0/8,",
                (String::new(), true),
                "InvalidAllowList allow: \"\" is no IP address or CIDR, so all routes of this Ingress answer 403.",
            ),
            (
                "10.0.0.0/8 192.0.2.7",
                (String::new(), true),
                "InvalidAllowList allow: \"10.0.0.0/8 192.0.2.7\" is no IP address or CIDR, so all routes of \
                 this Ingress answer 403.",
            ),
            (
                "010.0.0.1",
                (String::new(), true),
                "InvalidAllowList allow: \"010.0.0.1\" is no IP address or CIDR, so all routes of this Ingress \
                 answer 403.",
            ),
        ],
    );
}

#[test]
fn strip_path() {
    check(
        "strip-path",
        |it| it.strip_path,
        [("true", true, ""), ("false", false, ""), ("false\n", false, "")],
    );
    check(
        "strip-path",
        |it| it.strip_path,
        [(
            "no",
            true,
            "InvalidAnnotation strip-path: \"no\" is neither true nor false, so the default applies.",
        )],
    );
}

#[test]
fn exact_path() {
    check(
        "exact-path",
        |it| it.exact_path,
        [
            ("true", true, ""),
            ("false", false, ""),
            (
                "True",
                false,
                "InvalidAnnotation exact-path: \"True\" is neither true nor false, so the default applies.",
            ),
        ],
    );
}

#[test]
fn backend_timeout() {
    let timeout = |it: &Annotations| it.route.backend_timeout_seconds;
    check("backend-timeout-seconds", timeout, [("1", 1, ""), ("86400", 86_400, ""), ("007", 7, "")]);
    check("backend-keepalive-seconds", timeout, [("30", 30, "")]);
    for value in ["0", "86401", "-1", "+5", "1.5", "60s", "", "99999999999999999999", "1e3", "٣"] {
        let (annotations, diagnostics) =
            read(&[("backend-timeout-seconds", value)], &RouteDefaults::default());
        assert_eq!(timeout(&annotations), 60, "{value}");
        let message = format!("{value:?} is no number from 1 to 86400, so the default applies.");
        assert_eq!(diagnostics, [format!("InvalidAnnotation backend-timeout-seconds: {message}")]);
    }
}

#[test]
fn backend_max_connections() {
    check(
        "backend-max-connections",
        |it| it.upstream.max_connections,
        [
            ("0", 0, ""),
            ("5", 5, ""),
            ("2147483647", 2_147_483_647, ""),
            (
                "2147483648",
                0,
                "InvalidAnnotation backend-max-connections: \"2147483648\" is no number from 0 to 2147483647, so the \
                 default applies.",
            ),
            (
                "-1",
                0,
                "InvalidAnnotation backend-max-connections: \"-1\" is no number from 0 to 2147483647, so the default \
                 applies.",
            ),
        ],
    );
}

#[test]
fn backend_max_requests_per_connection() {
    check(
        "backend-max-requests-per-connection",
        |it| it.upstream.max_requests_per_connection,
        [
            ("1", 1, ""),
            ("100000", 100_000, ""),
            (
                "0",
                1024,
                "InvalidAnnotation backend-max-requests-per-connection: \"0\" is no number from 1 to 2147483647, so \
                 the default applies.",
            ),
        ],
    );
}

#[test]
fn backend_connection_keepalive() {
    let keepalive = |it: &Annotations| it.upstream.keepalive_timeout_milliseconds;
    check(
        "backend-connection-keepalive",
        keepalive,
        [
            ("30s", Some(30_000), ""),
            ("1m30s", Some(90_000), ""),
            ("1h", Some(3_600_000), ""),
            ("250ms", Some(250), ""),
            ("1.5s", Some(1_500), ""),
            ("0s", Some(0), ""),
            ("8760h", Some(31_536_000_000), ""),
        ],
    );
    for value in
        ["30", "-30s", "8761h", "30 bananas", "s", "", "1m30s;", "9999999999999999999999h", "30s ago"]
    {
        let (annotations, diagnostics) =
            read(&[("backend-connection-keepalive", value)], &RouteDefaults::default());
        assert_eq!(keepalive(&annotations), None, "{value}");
        let message = format!("{value:?} is no such duration, so the default applies.");
        assert_eq!(diagnostics, [format!("InvalidAnnotation backend-connection-keepalive: {message}")]);
    }
}

#[test]
fn proxy_buffers_are_clamped() {
    let size = |it: &Annotations| it.route.proxy_buffer_size_in_kb;
    check(
        "proxy-buffer-size-in-kb",
        size,
        [
            ("1", 1, ""),
            ("32", 32, ""),
            ("33", 32, "ClampedAnnotation proxy-buffer-size-in-kb: \"33\" is over the limit, so 32 applies."),
            (
                "99999999999999999999",
                32,
                "ClampedAnnotation proxy-buffer-size-in-kb: \"99999999999999999999\" is over the limit, so 32 applies.",
            ),
            (
                "0",
                16,
                "InvalidAnnotation proxy-buffer-size-in-kb: \"0\" is no number from 1 to 32, so the default applies.",
            ),
            (
                "16k",
                16,
                "InvalidAnnotation proxy-buffer-size-in-kb: \"16k\" is no number from 1 to 32, so the default \
                 applies.",
            ),
        ],
    );
    check(
        "proxy-buffer-blocks",
        |it| it.route.proxy_buffer_blocks,
        [
            ("1", 1, ""),
            ("8", 8, ""),
            ("9", 8, "ClampedAnnotation proxy-buffer-blocks: \"9\" is over the limit, so 8 applies."),
            (
                "-1",
                4,
                "InvalidAnnotation proxy-buffer-blocks: \"-1\" is no number from 1 to 8, so the default applies.",
            ),
        ],
    );
}

#[test]
fn the_newer_name_wins() {
    let (annotations, diagnostics) = read(
        &[
            ("backend-timeout-seconds", "5"),
            ("backend-keepalive-seconds", "6"),
            ("frontend-scheme", "internal"),
            ("frontend-elb-scheme", "internet-facing"),
        ],
        &RouteDefaults::default(),
    );
    assert_eq!(annotations.route.backend_timeout_seconds, 5);
    assert_eq!(annotations.scheme, Some(Scheme::Internal));
    assert_eq!(
        diagnostics,
        [
            "SupersededAnnotation backend-keepalive-seconds: \"6\" is ignored, since sky.uk/backend-timeout-seconds \
             is there too and says \"5\".",
            "SupersededAnnotation frontend-elb-scheme: \"internet-facing\" is ignored, since sky.uk/frontend-scheme \
             is there too and says \"internal\".",
        ]
    );
}

#[test]
fn the_newer_name_wins_even_when_its_value_is_not_valid() {
    let (annotations, diagnostics) = read(
        &[("backend-timeout-seconds", "soon"), ("backend-keepalive-seconds", "6")],
        &RouteDefaults::default(),
    );
    assert_eq!(annotations.route.backend_timeout_seconds, 60);
    assert_eq!(diagnostics.len(), 2);
}

#[test]
fn both_names_with_the_same_value_are_no_problem() {
    let annotations = [("frontend-scheme", "internal"), ("frontend-elb-scheme", "internal")];
    assert_eq!(read(&annotations, &RouteDefaults::default()).1, [""; 0]);
}

#[test]
fn what_is_ignored_is_reported() {
    let (_, diagnostics) = read(&[("team", "x; y")], &RouteDefaults::default());
    assert_eq!(
        diagnostics,
        ["UnknownAnnotation team: There is no annotation \"sky.uk/team\", so it does nothing."]
    );
}

#[test]
fn long_and_strange_values_are_shown_short_and_escaped() {
    let value = format!("\u{202e}\n\"{}", "x".repeat(100_000));
    let (_, diagnostics) = read(&[("strip-path", &value)], &RouteDefaults::default());
    let shown = format!("\"\\u{{202e}}\\n\\\"{}\"… (100005 bytes)", "x".repeat(97));
    let message = format!("{shown} is neither true nor false, so the default applies.");
    assert_eq!(diagnostics, [format!("InvalidAnnotation strip-path: {message}")]);
    let (_, diagnostics) = read(&[("allow", &",".repeat(100_000))], &RouteDefaults::default());
    assert_eq!(diagnostics.len(), 1);
}
