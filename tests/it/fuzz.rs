//! No string of an Ingress changes the shape of the configuration.
//!
//! Ingresses of random, mostly hostile strings are reconciled and rendered. What came through is rendered once more with
//! harmless words in the place of every host and path. Parsed by somebody else's parser, the two configurations must have the
//! same directives, and in the first each host and path must stand, byte for byte, where the word stands in the second.

mod input;
mod twin;

use std::cell::{Cell, RefCell};

use feed_reconcile::desired::DesiredState;
use feed_reconcile::nginx::{Generation, Renderer};
use feed_reconcile::options::{HeaderName, LogLevel, NginxOptions, Options};
use feed_reconcile::reconcile;
use feed_tests::{Crossplane, Directive};
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use twin::Twin;

/// Each holds up to a dozen Ingresses.
const CASES: u32 = 1000;

fn render(state: &DesiredState, options: &Options) -> String {
    let nginx = NginxOptions {
        workdir: "/w".to_owned(),
        pid_file: "/w/nginx.pid".to_owned(),
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
        // Otherwise computed from the hosts, which are of another length in the twin.
        server_names_hash_bucket_size: Some(512),
        server_names_hash_max_size: Some(512),
        proxy_protocol: false,
        trusted_frontends: Vec::new(),
        real_ip_header: HeaderName::new("X-Forwarded-For").unwrap(),
        underscores_in_headers: false,
        client_header_buffer_size_in_kb: 16,
        client_body_buffer_size_in_kb: 16,
        large_client_header_buffer_blocks: 4,
        endpoint_resolver: None,
        resolvers: Vec::new(),
        access_log: None,
        tracing: None,
    };
    let mut renderer = Renderer::new(nginx, options.defaults.clone()).unwrap();
    renderer.update(state).unwrap().to_text(Generation(1))
}

#[test]
fn hosts_paths_and_annotations_are_words_and_nothing_else() {
    let Some(crossplane) = Crossplane::start() else { return };
    let options = Options { allow_external_name: true, ..Options::default() };
    let crossplane = RefCell::new(crossplane);
    let routes = Cell::new(0);
    let mut runner = TestRunner::new(Config { cases: CASES, ..Config::default() });
    let outcome = runner.run(&input::snapshot(), |snapshot| {
        let state = reconcile(&snapshot, &options).state;
        routes.set(routes.get() + state.servers.values().map(|server| server.routes.len()).sum::<usize>());
        let twin = Twin::of(&state);
        let text = render(&state, &options);
        let hostile = parse(&crossplane, &text)?;
        let harmless = parse(&crossplane, &render(&twin.state, &options))?;
        if twin.substituted(hostile) == sorted(harmless) { Ok(()) } else { Err(TestCaseError::fail(text)) }
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    assert!(routes.get() > 1000, "hardly anything came through: {routes:?} routes");
}

fn parse(crossplane: &RefCell<Crossplane>, text: &str) -> Result<Vec<Directive>, TestCaseError> {
    crossplane.borrow_mut().parse(text).map_err(|errors| TestCaseError::fail(format!("{errors:?}\n{text}")))
}

/// Blocks in an order that does not depend on their names.
fn sorted(mut directives: Vec<Directive>) -> Vec<Directive> {
    for directive in &mut directives {
        directive.block = directive.block.take().map(sorted);
        if directive.directive == "server_name" {
            directive.args.sort();
        }
    }
    directives.sort();
    directives
}
