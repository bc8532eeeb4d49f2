use std::time::Duration;

use feed_reconcile::host::Host;
use feed_reconcile::options::Endpoint;

use super::{boolean, duration, endpoint, lease_duration};

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
