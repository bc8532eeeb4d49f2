use std::collections::BTreeSet;

use crate::desired::DesiredState;
use crate::host::Host;
use crate::nginx::tests::options;
use crate::nginx::{Generation, Renderer};
use crate::options::{
    AccessLog, Collector, Endpoint, HeaderName, NginxOptions, RouteDefaults, Tracer, Tracing,
};

/// The lines of an empty configuration that are not in it without these options.
fn added(change: impl FnOnce(&mut NginxOptions)) -> String {
    let text = |options| {
        let rendered =
            Renderer::new(options, RouteDefaults::default()).unwrap().update(&DesiredState::default());
        rendered.unwrap().to_text(Generation(1))
    };
    let mut with = options();
    change(&mut with);
    let (without, with) = (text(options()), text(with));
    let before: BTreeSet<&str> = without.lines().collect();
    with.lines().filter(|line| !before.contains(line)).collect::<Vec<_>>().join("\n")
}

fn tracing(tracer: Tracer) -> Tracing {
    Tracing { modules: "/usr/lib/nginx/modules".into(), tracer }
}

#[test]
fn access_log() {
    insta::assert_snapshot!(added(|options| options.access_log = Some(AccessLog {
        directory: "/var/log/nginx".into(),
        headers: ["X-Request-ID", "Referer"].map(|name| HeaderName::new(name).unwrap()).to_vec(),
    })));
}

#[test]
fn open_tracing() {
    insta::assert_snapshot!(added(|options| options.tracing = Some(tracing(Tracer::OpenTracing {
        plugin: "/usr/local/lib64/libjaegertracing.so".into(),
        config: "/etc/jaeger.json".into(),
    }))));
}

#[test]
fn open_telemetry() {
    let host = Endpoint::Name(Host::new("collector.monitoring").unwrap());
    let collector = Collector { tls: false, host, port: 4317 };
    insta::assert_snapshot!(added(
        |options| options.tracing = Some(tracing(Tracer::OpenTelemetry(collector)))
    ));
}

#[test]
fn collectors_have_every_form() {
    for (tls, host, expected) in [
        (false, Endpoint::Ip([192, 0, 2, 1].into()), "endpoint 192.0.2.1:4317;"),
        (true, Endpoint::Ip("2001:db8::1".parse().unwrap()), "endpoint https://[2001:db8::1]:4317;"),
    ] {
        let collector = Collector { tls, host, port: 4317 };
        let added = added(|options| options.tracing = Some(tracing(Tracer::OpenTelemetry(collector))));
        assert!(added.contains(expected), "{added}");
    }
}
