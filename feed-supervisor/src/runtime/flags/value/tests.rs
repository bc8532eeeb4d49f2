use std::time::Duration;

use feed_reconcile::host::Host;
use feed_reconcile::options::Endpoint;

use super::{boolean, duration, endpoint, lease_duration, span_collector};

#[test]
fn durations() {
    for (text, expected) in [
        ("500ms", Some(Duration::from_millis(500))),
        ("30s", Some(Duration::from_secs(30))),
        ("5m", Some(Duration::from_mins(5))),
        ("1h30m", Some(Duration::from_mins(90))),
        ("1m30s", Some(Duration::from_secs(90))),
        ("24h", Some(Duration::from_hours(24))),
        ("", None),
        ("0s", None),
        ("30", None),
        ("-5m", None),
        ("5x", None),
        ("99999999999999999999h", None),
    ] {
        assert_eq!(duration(text).ok(), expected, "{text:?}");
    }
}

#[test]
fn a_lease_holds_whole_seconds() {
    for (text, valid) in [("3s", true), ("1h", true), ("2s", false), ("3500ms", false), ("25h", false)] {
        assert_eq!(lease_duration(text).is_ok(), valid, "{text}");
    }
}

#[test]
fn booleans_are_those_of_go() {
    for text in ["1", "t", "T", "true", "TRUE", "True"] {
        assert_eq!(boolean(text), Ok(true));
    }
    for text in ["0", "f", "F", "false", "FALSE", "False"] {
        assert_eq!(boolean(text), Ok(false));
    }
    for text in ["", "yes", "on", "tRUE"] {
        assert!(boolean(text).is_err(), "{text:?}");
    }
}

#[test]
fn endpoints_are_lower_case_names_or_addresses() {
    let name = |text| Ok(Endpoint::Name(Host::new(text).unwrap()));
    assert_eq!(endpoint("LB.Example.com"), name("lb.example.com"));
    assert_eq!(endpoint("198.51.100.7"), Ok(Endpoint::Ip([198, 51, 100, 7].into())));
    assert!(matches!(endpoint("2001:db8::7"), Ok(Endpoint::Ip(address)) if address.is_ipv6()));
    for text in ["", "*.example.com", "a_b", "http://lb"] {
        assert!(endpoint(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_collector_of_spans_is_a_place_with_a_port() {
    for (text, expected) in [
        ("http://collector:4318", Some("http://collector:4318")),
        ("http://collector", Some("http://collector:4317")),
        ("http://collector:80/", Some("http://collector:80")),
        ("collector:4317", Some("http://collector:4317")),
        ("10.0.0.1:80", Some("http://10.0.0.1:80")),
        ("http://[fd00::1]:4317/", Some("http://[fd00::1]:4317")),
        ("nonsense", None),
        ("", None),
        ("collector:", None),
        ("collector:port", None),
        ("https://collector:4317", None),
        ("grpc://collector:4317", None),
        ("http://collector:4317/v1/traces", None),
        ("http://user:secret@collector:4317", None),
        ("http://collector:4317?a=b", None),
        ("http://collector:4317#a", None),
    ] {
        assert_eq!(span_collector(text).ok().as_deref(), expected, "{text}");
    }
}
