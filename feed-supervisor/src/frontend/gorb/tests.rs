use std::time::Duration;

use serde_json::json;

use super::api::{Backend, Found};
use crate::config::{GorbFrontend, GorbHealthCheck, GorbService, Joining};

fn frontend(health_check: GorbHealthCheck, interval: Duration) -> GorbFrontend {
    GorbFrontend {
        endpoint: "http://192.0.2.1".to_owned(),
        instance_ip: [10, 0, 0, 1].into(),
        services: vec![GorbService { name: "web".to_owned(), port: 80 }],
        method: "dr".to_owned(),
        weight: 1000,
        health_check,
        health_check_interval: interval,
        loopback: None,
        joining: Joining {
            resync_period: Duration::ZERO,
            ready_timeout: Duration::ZERO,
            drain_delay: Duration::ZERO,
            expected: 1,
        },
    }
}

fn backend(health_check: GorbHealthCheck, interval: Duration) -> Backend {
    let frontend = frontend(health_check, interval);
    Backend::new(&frontend, &frontend.services[0], 1000)
}

#[test]
fn a_backend_is_put_as_the_contract_says() {
    let checks = [
        (GorbHealthCheck::Http, "http", json!({"method": "GET", "path": "/", "expect": "404"})),
        (GorbHealthCheck::Tcp, "tcp", json!({})),
        (GorbHealthCheck::None, "none", json!({})),
    ];
    for (check, kind, args) in checks {
        let expected = json!({
            "host": "10.0.0.1",
            "port": 80,
            "method": "dr",
            "weight": 1000,
            "pulse": {"type": kind, "args": args, "interval": "1s"},
        });
        assert_eq!(serde_json::to_value(backend(check, Duration::from_secs(1))).unwrap(), expected);
    }
}

#[test]
fn intervals_are_written_as_go_reads_them() {
    for (interval, expected) in [
        (Duration::from_mins(2), "120s"),
        (Duration::from_millis(1500), "1500ms"),
        (Duration::from_micros(250), "250000ns"),
    ] {
        let backend = serde_json::to_value(backend(GorbHealthCheck::Tcp, interval)).unwrap();
        assert_eq!(backend["pulse"]["interval"], expected);
    }
}

#[test]
fn only_what_is_told_can_differ() {
    let wanted = backend(GorbHealthCheck::Http, Duration::from_secs(1));
    for (found, expected) in [
        (json!({}), None),
        (json!({"host": "10.0.0.1", "port": 80, "method": "dr", "weight": 1000}), None),
        (json!({"weight": 1}), Some("another weight")),
        (json!({"weight": 1, "port": 81}), Some("another host, port or method")),
        (json!({"host": "10.0.0.2"}), Some("another host, port or method")),
        (json!({"method": "nat"}), Some("another host, port or method")),
    ] {
        let found: Found = serde_json::from_value(found).unwrap();
        assert_eq!(wanted.difference(&found), expected, "{found:?}");
    }
}
