use std::net::SocketAddr;
use std::sync::Arc;

use super::{Generation, Rendered, Renderer, bootstrap, certificate_file};
use crate::certificate::KeyPair;
use crate::certificate::tests::pair;
use crate::desired::{
    Backend, DEFAULT_MAX_REQUESTS_PER_CONNECTION, DesiredState, PathMatch, Protocol, Route, RouteSettings,
    Upstream, UpstreamName, VirtualServer,
};
use crate::host::Host;
use crate::key::ObjectName;
use crate::options::{AllowList, HeaderName, LogLevel, NginxOptions, RouteDefaults};
use crate::path::RoutePath;

pub(crate) fn options() -> NginxOptions {
    NginxOptions {
        workdir: "/var/run/feed".into(),
        pid_file: "/var/run/feed/nginx.pid".into(),
        sidecar: false,
        request_metrics: true,
        http_port: Some(8080),
        https_port: None,
        status_port: 8081,
        ipv6: false,
        keepalive_min_timeout: false,
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
        real_ip_header: HeaderName::new("X-Forwarded-For").unwrap(),
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

fn settings() -> RouteSettings {
    let defaults = RouteDefaults::default();
    RouteSettings {
        allow: defaults.allow,
        backend_timeout_seconds: defaults.backend_timeout_seconds,
        proxy_buffer_size_in_kb: defaults.proxy_buffer_size_in_kb,
        proxy_buffer_blocks: defaults.proxy_buffer_blocks,
    }
}

fn upstream(service: &str, protocol: Protocol) -> Backend {
    let service = ObjectName::new("default", service);
    Backend::Upstream(Arc::new(Upstream {
        name: UpstreamName::new(&service, 80, 0, None, DEFAULT_MAX_REQUESTS_PER_CONNECTION),
        addresses: vec![SocketAddr::from(([10, 0, 0, 1], 80))],
        endpoints: false,
        protocol,
        max_connections: 0,
        keepalive_timeout_milliseconds: None,
        max_requests_per_connection: DEFAULT_MAX_REQUESTS_PER_CONNECTION,
    }))
}

pub(crate) fn route(path: &str, path_match: PathMatch, strip: bool) -> Route {
    Route {
        ingress: ObjectName::new("default", "web"),
        path: RoutePath::decode(path).unwrap(),
        path_match,
        backend: upstream("web", Protocol::Http),
        strip,
        settings: Arc::new(settings()),
    }
}

pub(crate) fn state(servers: &[(&str, Vec<Route>)]) -> DesiredState {
    let mut state = DesiredState::default();
    for (host, routes) in servers {
        let routes: Vec<Arc<Route>> = routes.iter().cloned().map(Arc::new).collect();
        for route in &routes {
            if let Backend::Upstream(upstream) = &route.backend {
                state.upstreams.insert(upstream.name.clone(), Arc::clone(upstream));
            }
        }
        state.servers.insert(Host::new(host).unwrap(), Arc::new(VirtualServer { routes, certificate: None }));
    }
    state
}

fn render(state: &DesiredState) -> Rendered {
    Renderer::new(options(), RouteDefaults::default()).unwrap().update(state).unwrap()
}

/// The text from the first upstream on.
fn blocks(rendered: &Rendered) -> String {
    let text = rendered.to_text(Generation(7));
    let start =
        text.find("    upstream ").or_else(|| text.find("        listen 8080").map(|at| at - 13)).unwrap();
    text.split_at(start).1.to_owned()
}

#[test]
fn layout_of_each_kind_of_route() {
    let mut grpc = route("/grpc", PathMatch::Prefix, true);
    grpc.backend = upstream("grpc", Protocol::Http2);
    let mut external = route("/external", PathMatch::Prefix, true);
    external.backend = Backend::External {
        host: Host::new("api.example.org").unwrap(),
        port: 443,
        protocol: Protocol::Https,
    };
    let mut away = route("/away/", PathMatch::Directory, false);
    away.backend = Backend::Unavailable;
    let mut forbidden = route("/forbidden/", PathMatch::Directory, false);
    forbidden.backend = Backend::Forbidden;
    let routes = vec![
        route("/", PathMatch::Prefix, false),
        away,
        route("/directory/", PathMatch::Directory, true),
        route("/exact", PathMatch::Exact, true),
        route("/exact/", PathMatch::Exact, false),
        external,
        forbidden,
        grpc,
        route("/one/two", PathMatch::Prefix, true),
        route("/prefix", PathMatch::Prefix, false),
    ];
    insta::assert_snapshot!(blocks(&render(&state(&[("a.example.com", routes)]))));
}

#[test]
fn an_exact_route_shares_its_location_with_no_other() {
    let mut away = route("/away/", PathMatch::Directory, false);
    away.backend = Backend::Unavailable;
    let routes = vec![
        route("/away", PathMatch::Exact, false),
        away,
        route("/foo", PathMatch::Exact, false),
        route("/foo", PathMatch::Prefix, false),
        route("/foo/", PathMatch::Exact, false),
    ];
    let text = blocks(&render(&state(&[("a.example.com", routes)])));
    let locations: Vec<&str> =
        text.lines().map(str::trim).filter(|line| line.starts_with("location")).collect();
    let server = locations.split(|line| *line == "location / {").nth(1).unwrap();
    let expected = [
        "location = /away {",
        "location /away/ {",
        "location = /foo {",
        "location /foo/ {",
        "location = /foo/ {",
    ];
    assert_eq!(server, expected);
}

#[test]
fn equal_servers_share_a_block_and_settings_are_hoisted() {
    let slow = Arc::new(RouteSettings {
        allow: AllowList::new(["10.0.0.0/8".parse().unwrap()]),
        backend_timeout_seconds: 300,
        proxy_buffer_size_in_kb: 32,
        proxy_buffer_blocks: 1,
    });
    let mut slow_route = route("/", PathMatch::Prefix, false);
    slow_route.settings = Arc::clone(&slow);
    let mixed = vec![slow_route.clone(), route("/fast", PathMatch::Exact, false)];
    let plain = vec![route("/", PathMatch::Prefix, false)];
    insta::assert_snapshot!(blocks(&render(&state(&[
        ("*.example.com", plain.clone()),
        ("a.example.com", plain.clone()),
        ("b.example.com", vec![slow_route]),
        ("c.example.com", plain),
        ("d.example.com", mixed),
        ("e.example.com", vec![]),
    ]))));
}

#[test]
fn certificates_are_named_where_they_count() {
    let plain = vec![route("/", PathMatch::Prefix, false)];
    let hosts = ["*.example.com", "a.example.com", "b.example.com", "c.example.com", "d.example.com"];
    let mut state = state(&hosts.map(|host| (host, plain.clone())));
    for (host, byte) in [("*.example.com", 1), ("a.example.com", 2), ("b.example.com", 2)] {
        let server = state.servers.get_mut(&Host::new(host).unwrap()).unwrap();
        Arc::make_mut(server).certificate = Some(pair(byte));
    }
    state.default_certificate = Some(pair(9));
    let options = NginxOptions { https_port: Some(8443), ipv6: true, proxy_protocol: true, ..options() };
    let render = |options: &NginxOptions, state: &DesiredState| {
        Renderer::new(options.clone(), RouteDefaults::default()).unwrap().update(state).unwrap()
    };
    let older = render(&options, &state);
    let digests: Vec<_> = older.certificates().map(KeyPair::digest).collect();
    assert_eq!(digests, [1, 2, 9].map(|byte| pair(byte).digest()));
    insta::assert_snapshot!(blocks(&older));

    let newer = NginxOptions { http2_directive: true, ipv6: false, proxy_protocol: false, ..options };
    let alone = render(&NginxOptions { http_port: None, ..newer.clone() }, &DesiredState::default());
    // Without a default certificate nobody is shown another's.
    insta::assert_snapshot!(alone.to_text(Generation(7)));
    let without = render(&NginxOptions { https_port: None, ..newer }, &state);
    assert!(without.certificates().next().is_none() && !blocks(&without).contains("ssl"));
}

#[test]
fn another_default_certificate_is_one_more_block() {
    let options = NginxOptions { https_port: Some(8443), ..options() };
    let mut renderer = Renderer::new(options, RouteDefaults::default()).unwrap();
    let mut state = state(&[("a.example.com", vec![route("/", PathMatch::Prefix, false)])]);
    let mut update = |state: &DesiredState| renderer.update(state).unwrap();
    state.default_certificate = Some(pair(1));
    let before = update(&state);
    assert_eq!(before, update(&state));
    state.default_certificate = Some(pair(2));
    let after = update(&state);
    assert_ne!(before, after);
    let text = after.to_text(Generation(7));
    assert!(text.contains(&certificate_file(pair(2).digest())));
    assert!(!text.contains(&certificate_file(pair(1).digest())));
}

#[test]
fn main_part() {
    let mut options = options();
    options.sidecar = true;
    options.ipv6 = true;
    options.keepalive_min_timeout = true;
    options.trusted_frontends = vec!["10.0.0.0/8".parse().unwrap()];
    let rendered = bootstrap(&options).unwrap();
    insta::assert_snapshot!(rendered.to_text(Generation(0)));
}

#[test]
fn a_change_renders_the_same_bytes_as_a_fresh_start() {
    let routes = |path: &str| vec![route(path, PathMatch::Prefix, true)];
    let states = [
        state(&[("a.example.com", routes("/x")), ("b.example.com", routes("/x"))]),
        state(&[("a.example.com", routes("/y/z")), ("b.example.com", routes("/x"))]),
        state(&[("b.example.com", routes("/x")), ("c.example.com", routes("/x"))]),
        state(&[]),
        state(&[("b.example.com", routes("/x"))]),
    ];
    let mut renderer = Renderer::new(options(), RouteDefaults::default()).unwrap();
    for state in states {
        let changed = renderer.update(&state).unwrap();
        let fresh = render(&state);
        assert_eq!(changed.to_text(Generation(1)), fresh.to_text(Generation(1)));
        assert!(changed == fresh);
    }
}

#[test]
fn a_line_leads_back_to_its_ingresses() {
    let mut other = route("/other", PathMatch::Prefix, true);
    other.ingress = ObjectName::new("default", "other");
    let rendered = render(&state(&[
        ("a.example.com", vec![route("/", PathMatch::Prefix, false), other.clone()]),
        ("b.example.com", vec![route("/", PathMatch::Prefix, false), other]),
    ]));
    let text = rendered.to_text(Generation(1));
    let sources = |line: &str| {
        let number = text.lines().position(|candidate| candidate.contains(line)).unwrap() + 1;
        let names = rendered.sources(number);
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(sources("location / {"), "");
    assert_eq!(sources("location = /other"), "default/other");
    assert_eq!(sources("location /other/"), "default/other");
    assert_eq!(sources("b.example.com"), "default/other default/web");
    assert_eq!(sources("default.web.80 {"), "default/other default/web");
    assert_eq!(sources("worker_processes"), "");
    assert!(rendered.sources(0).is_empty() && rendered.sources(100_000).is_empty());
}

#[test]
fn a_template_that_would_serve_nothing_is_refused() {
    let refused = |template: &str| {
        let renderer = Renderer::with_template(template, options(), RouteDefaults::default());
        renderer.and_then(|mut renderer| renderer.update(&DesiredState::default())).unwrap_err().to_string()
    };
    assert_eq!(refused("{{ servers }}"), "the nginx template must contain {{ upstreams }} exactly once");
    assert_eq!(
        refused("{{ upstreams }}{{ servers }}{{ servers }}"),
        "the nginx template must contain {{ servers }} exactly once"
    );
    assert!(refused("{{ upstreams }}{{ servers }}{{ missing }}").contains("undefined value"));
    assert!(refused("{{ 'text' }}").contains("a string cannot be printed"));
    assert!(refused("{{ upstreams|safe }}").contains("unknown filter"));
    assert!(refused("\u{1}").contains("control character"));
}

/// The state with one upstream of endpoints, of a host beside one with a ClusterIP.
fn with_endpoints(addresses: &[&str]) -> DesiredState {
    let mut pods = route("/", PathMatch::Prefix, false);
    let mut directory = route("/pods/", PathMatch::Directory, true);
    let Backend::Upstream(upstream) = upstream("pods", Protocol::Http) else { unreachable!() };
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    pods.backend =
        Backend::Upstream(Arc::new(Upstream { addresses, endpoints: true, ..(*upstream).clone() }));
    directory.backend = pods.backend.clone();
    let mut external = route("/external", PathMatch::Prefix, false);
    external.backend = Backend::External {
        host: Host::new("api.example.org").unwrap(),
        port: 443,
        protocol: Protocol::Https,
    };
    let other = vec![route("/", PathMatch::Prefix, false)];
    state(&[("a.example.com", vec![pods, external, directory]), ("b.example.com", other)])
}

#[test]
fn an_nginx_that_follows_endpoints_is_told_where_to_find_them() {
    let options = NginxOptions {
        endpoint_resolver: Some(SocketAddr::from(([127, 0, 0, 1], 5353))),
        resolvers: vec![crate::options::Resolver {
            address: crate::options::ResolverAddress::Ip([10, 0, 0, 53].into()),
            port: None,
        }],
        ..options()
    };
    let mut renderer = Renderer::new(options, RouteDefaults::default()).unwrap();
    let mut update = |addresses: &[&str]| renderer.update(&with_endpoints(addresses)).unwrap();
    let one = update(&["10.0.0.1:80"]);
    insta::assert_snapshot!(blocks(&one));
    assert!(
        one.to_text(Generation(1))
            .contains("    resolver 127.0.0.1:5353 ipv6=off;\n    resolver_timeout 1s;")
    );
    for other in [&["10.0.0.2:80", "10.0.0.3:81"][..], &[]] {
        let other = update(other);
        assert!(other == one && !other.endpoints_changed_since(&one), "endpoints are none of its business");
    }
    let many: Vec<String> = (0..40).map(|pod| format!("10.0.0.{pod}:80")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(
        update(&many).to_text(Generation(1)).contains(".default.pods.80 128k;"),
        "more of them need more room"
    );
    assert!(renderer.update(&state(&[])).unwrap().endpoints_changed_since(&one));
}

#[test]
fn an_older_nginx_is_told_all_endpoints() {
    let mut renderer = Renderer::new(options(), RouteDefaults::default()).unwrap();
    let mut update = |addresses: &[&str]| renderer.update(&with_endpoints(addresses)).unwrap();
    let (one, none) = (update(&["10.0.0.1:80"]), update(&[]));
    assert!(one != none && none.endpoints_changed_since(&one) && one.endpoints_changed_since(&none));
    let text = blocks(&none);
    assert!(!text.contains("default.pods.80 {") && text.matches("return 503;").count() == 3, "{text}");
    assert!(text.contains("location = /pods {"), "the path without the slash is not redirected: {text}");
    assert!(!blocks(&one).contains("zone"));
    let elsewhere = renderer.update(&state(&[("c.example.com", vec![route("/", PathMatch::Prefix, false)])]));
    let with_more = with_endpoints(&[]);
    let before = renderer.update(&with_more).unwrap();
    assert!(before.endpoints_changed_since(&elsewhere.unwrap()));
    let mut more = with_more;
    more.servers.extend(state(&[("d.example.com", vec![route("/", PathMatch::Prefix, false)])]).servers);
    let after = renderer.update(&more).unwrap();
    assert!(after != before && !after.endpoints_changed_since(&before), "an ordinary change");
}
