//! What a computation costs: everything from nothing, and one change, with the bytes of the configuration.
//!
//! Each Ingress has a host of its own and five Prefix paths; ten Ingresses share their five Services. `full` and
//! `one_change` are reconciling and rendering together; the bytes are those of the file that nginx reads.

#![expect(clippy::expect_used, reason = "a benchmark may stop when it cannot go on")]

use std::hint::black_box;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::BytesCount;
use feed_reconcile::Reconciler;
use feed_reconcile::nginx::{Rendered, Renderer};
use feed_reconcile::options::{HeaderName, LogLevel, NginxOptions, Options, RouteDefaults};
use feed_reconcile::snapshot::ClusterSnapshot;
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, ServiceBackendPort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

const SIZES: [usize; 3] = [100, 1_000, 10_000];
const PATHS: usize = 5;

fn main() {
    divan::main();
}

fn metadata(name: String) -> ObjectMeta {
    ObjectMeta { name: Some(name), namespace: Some("default".into()), ..ObjectMeta::default() }
}

fn service(index: usize) -> Service {
    let port = ServicePort { port: 80, ..ServicePort::default() };
    let address = format!("10.{}.{}.{}", index >> 16 & 255, index >> 8 & 255, index & 255);
    Service {
        metadata: metadata(format!("service-{index}")),
        spec: Some(ServiceSpec {
            cluster_ip: Some(address),
            ports: Some(vec![port]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}

/// The Ingress of that number, whose first path ends in `version`.
fn ingress(index: usize, version: usize) -> Ingress {
    let path = |path: usize| HTTPIngressPath {
        path: Some(format!("/part-{path}/{}", if path == 0 { version } else { 0 })),
        path_type: "Prefix".into(),
        backend: IngressBackend {
            service: Some(IngressServiceBackend {
                name: format!("service-{}", index / 10 * PATHS + path),
                port: Some(ServiceBackendPort { number: Some(80), name: None }),
            }),
            resource: None,
        },
    };
    let rule = IngressRule {
        host: Some(format!("host-{index}.example.com")),
        http: Some(HTTPIngressRuleValue { paths: (0..PATHS).map(path).collect() }),
    };
    Ingress {
        metadata: metadata(format!("ingress-{index}")),
        spec: Some(IngressSpec { rules: Some(vec![rule]), ..IngressSpec::default() }),
        ..Ingress::default()
    }
}

/// A cluster in which no two hosts have the same routes, the worst case for the size of the file.
fn cluster(size: usize) -> ClusterSnapshot {
    ClusterSnapshot {
        ingresses: (0..size).map(|index| Arc::new(ingress(index, index))).collect(),
        services: (0..size.div_ceil(10) * PATHS).map(|index| Arc::new(service(index))).collect(),
        ..ClusterSnapshot::default()
    }
}

fn nginx_options() -> NginxOptions {
    NginxOptions {
        workdir: "/var/run/feed".into(),
        pid_file: "/var/run/feed/nginx.pid".into(),
        sidecar: false,
        request_metrics: true,
        http_port: Some(80),
        https_port: None,
        status_port: 8081,
        ipv6: true,
        keepalive_min_timeout: true,
        http2_directive: false,
        workers: 1,
        worker_connections: None,
        open_file_limit: None,
        worker_shutdown_timeout_seconds: 0,
        keepalive_seconds: 60,
        backend_keepalive_count: None,
        backend_connect_timeout_seconds: 1,
        log_level: LogLevel::Warn,
        server_names_hash_bucket_size: None,
        server_names_hash_max_size: None,
        proxy_protocol: false,
        trusted_frontends: Vec::new(),
        real_ip_header: HeaderName::new("X-Forwarded-For").expect("a header's name"),
        underscores_in_headers: false,
        client_header_buffer_size_in_kb: 16,
        client_body_buffer_size_in_kb: 16,
        large_client_header_buffer_blocks: 4,
        endpoint_resolver: None,
        resolvers: Vec::new(),
        access_log: None,
        tracing: None,
    }
}

fn start() -> (Reconciler, Renderer) {
    let renderer = Renderer::new(nginx_options(), RouteDefaults::default()).expect("the shipped templates");
    (Reconciler::new(Options::default()), renderer)
}

fn update((reconciler, renderer): &mut (Reconciler, Renderer), snapshot: &ClusterSnapshot) -> Rendered {
    renderer.update(&reconciler.update(snapshot).state).expect("the shipped templates")
}

#[divan::bench(args = SIZES, max_time = 10)]
fn full(bencher: Bencher<'_, '_>, size: usize) {
    let snapshot = cluster(size);
    let bytes = update(&mut start(), &snapshot).len();
    bencher
        .counter(BytesCount::new(bytes))
        .with_inputs(start)
        .bench_local_values(|mut state| (update(&mut state, black_box(&snapshot)), state));
}

#[divan::bench(args = SIZES, max_time = 10)]
fn one_change(bencher: Bencher<'_, '_>, size: usize) {
    let mut snapshot = cluster(size);
    let mut state = start();
    let bytes = update(&mut state, &snapshot).len();
    let mut version = size;
    bencher
        .counter(BytesCount::new(bytes))
        .with_inputs(|| {
            version += 1;
            snapshot.ingresses.insert(Arc::new(ingress(size / 2, version)));
            snapshot.clone()
        })
        .bench_local_values(|snapshot| update(&mut state, black_box(&snapshot)));
}

/// The naive way: everything again for one change.
#[divan::bench(args = SIZES, max_time = 10)]
fn one_change_computed_in_full(bencher: Bencher<'_, '_>, size: usize) {
    let snapshot = cluster(size);
    bencher.bench_local(|| update(&mut start(), black_box(&snapshot)));
}
