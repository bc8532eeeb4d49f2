mod readme;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;

use super::{Command, UsageError, command, flags, parse};
use crate::config::{CheckOutput, Config, Frontend};

fn parse_words(line: &str, variables: &[(&str, &str)]) -> Result<Command, UsageError> {
    let variables: BTreeMap<_, _> = variables.iter().copied().collect();
    let words = std::iter::once("feed-ingress").chain(line.split(' ').filter(|word| !word.is_empty()));
    parse(words.map(OsString::from), |name| variables.get(name).map(OsString::from))
}

fn run(line: &str, variables: &[(&str, &str)]) -> Config {
    match parse_words(line, variables) {
        Ok(Command::Run(config)) => *config,
        other => panic!("`{line}` gave {other:?}"),
    }
}

const NONE: &str = "none --ingress-class=feed --ingress-port=8080 --ingress-https-port=8443";
const STATIC: &str = "static --ingress-class=feed --ingress-port=8080 --ingress-https-port=8443 --internal-hostname=lb.example.com";

const ELB: &str =
    "elb --ingress-class=feed --ingress-port=8080 --ingress-https-port=8443 --elb-frontend-tag-value=a";
const NLB: &str =
    "nlb --ingress-class=feed --ingress-port=8080 --ingress-https-port=8443 --nlb-frontend-tag-value=a";
const ALB: &str =
    "alb --ingress-class=feed --ingress-port=8080 --ingress-https-port=8443 --alb-target-group-names=a";

const MERLIN: &str = "merlin --ingress-class=feed --ingress-port=8080 --ingress-https-port=8443 --merlin-endpoint=m:4282 --merlin-service-id=web \
                      --merlin-instance-ip=10.0.0.1";
const GORB: &str = "gorb --ingress-class=feed --ingress-port=8080 --gorb-vip-loadbalancer=192.0.2.1";

/// A flag, a value that is not its default, and a text that the debug form of the configuration then holds and otherwise
/// does not.
type Row = (&'static str, &'static str, &'static str);

/// Every flag but those that `NONE` and the others need.
const FLAGS: &[Row] = &[
    ("kubeconfig", "/k/config", r#"Kubernetes { kubeconfig: Some("/k/config") }"#),
    ("manifests", "/m", r#"source: Manifests("/m")"#),
    ("resync-period", "1h30m", "resync_period: 5400s"),
    ("include-classless-ingresses", "true", "include_classless: true"),
    (
        "ingress-controller-namespace-selectors",
        "a=b,c=",
        r#"[LabelSelector { name: "a", value: "b" }, LabelSelector { name: "c", value: "" }]"#,
    ),
    ("match-all-namespace-selectors", "true", "match_all_namespace_selectors: true"),
    ("ingress-health-port", "8082", "status_port: 8082"),
    ("ssl-path", "/s/pair", r#"default_pair: "/s/pair""#),
    ("backend-mode", "endpoints", "backend_mode: Endpoints"),
    ("ingress-allow", "10.1.2.3,fd00::/8", "allow: AllowList([10.1.2.3/32, fd00::/8])"),
    ("ingress-strip-path", "false", "strip_path: false"),
    ("ingress-exact-path", "true", "exact_path: true"),
    ("nginx-default-backend-timeout-seconds", "61", "backend_timeout_seconds: 61"),
    ("nginx-default-backend-max-connections", "62", "backend_max_connections: 62"),
    ("nginx-default-proxy-buffer-size", "17", "proxy_buffer_size_in_kb: 17"),
    ("nginx-default-proxy-buffer-blocks", "5", "proxy_buffer_blocks: 5"),
    ("nginx-binary", "/usr/sbin/nginx", r#"binary: "/usr/sbin/nginx""#),
    ("nginx-workdir", "/w/d/", r#"workdir: "/w/d", pid_file: "/w/d/nginx.pid""#),
    ("nginx-pid-file", "/w/n.pid", r#"pid_file: "/w/n.pid", sidecar: true"#),
    ("nginx-template", "/t.j2", r#"template: Some("/t.j2")"#),
    (
        "nginx-resolver",
        "10.0.0.10:5353",
        "resolvers: [Resolver { address: Ip(10.0.0.10), port: Some(5353) }]",
    ),
    ("nginx-update-burst", "4", "update_burst: 4"),
    ("nginx-update-period", "500ms", "update_period: 500ms"),
    ("nginx-confirm-timeout", "45s", "confirm_timeout: 45s"),
    ("nginx-max-restarts", "6", "max_restarts: 6"),
    ("nginx-max-shutting-down-workers", "4", "max_shutting_down_workers: 4"),
    ("allow-empty", "true", "allow_empty: true"),
    ("nginx-workers", "2", "workers: 2"),
    ("nginx-worker-connections", "2048", "worker_connections: Some(2048)"),
    ("nginx-worker-shutdown-timeout-seconds", "63", "worker_shutdown_timeout_seconds: 63"),
    ("nginx-keepalive-seconds", "64", "keepalive_seconds: 64"),
    ("nginx-backend-keepalive-count", "65", "backend_keepalive_count: Some(65)"),
    ("nginx-backend-connect-timeout-seconds", "66", "backend_connect_timeout_seconds: 66"),
    ("nginx-loglevel", "debug", "log_level: Debug"),
    ("nginx-server-names-hash-bucket-size", "128", "server_names_hash_bucket_size: Some(128)"),
    ("nginx-server-names-hash-max-size", "1024", "server_names_hash_max_size: Some(1024)"),
    ("nginx-proxy-protocol", "true", "proxy_protocol: true"),
    ("nginx-trusted-frontends", "10.0.0.0/8,fd00::1", "trusted_frontends: [10.0.0.0/8, fd00::1/128]"),
    ("set-real-ip-from-header", "X-Client", r#"real_ip_header: HeaderName("X-Client")"#),
    ("nginx-underscores-in-headers", "true", "underscores_in_headers: true"),
    ("nginx-client-header-buffer-size-in-kb", "18", "client_header_buffer_size_in_kb: 18"),
    ("nginx-client-body-buffer-size-in-kb", "19", "client_body_buffer_size_in_kb: 19"),
    ("nginx-large-client-header-buffer-blocks", "9", "large_client_header_buffer_blocks: 9"),
    ("request-metrics", "false", "request_metrics: false"),
    ("nginx-vhost-stats-request-buckets", "0.5,0.0025", "request_buckets: [2.5ms, 500ms]"),
    ("health-port", "12083", "health_port: 12083"),
    ("shutdown-grace-period", "7m", "shutdown_grace_period: 420s"),
    ("debug", "true", "verbosity: Debug"),
    ("log-format", "json", "format: Json"),
    (
        "access-log",
        "true",
        r#"access_log: Some(AccessLog { directory: "/var/run/feed-ingress/logs", headers: [] })"#,
    ),
    ("pushgateway", "https://push.test/x/", r#"path: "/x/""#),
    (
        "otlp-endpoint",
        "collector.test:4317",
        r#"spans: Some(SpansConfig { endpoint: "http://collector.test:4317" })"#,
    ),
    (
        "nginx-otel-endpoint",
        "https://collector.test:4317",
        r#"OpenTelemetry(Collector { tls: true, host: Name(Host("collector.test")), port: 4317 })"#,
    ),
];

/// The same for flags that mean something beside others, which are given first.
const DEPENDENT_FLAGS: &[(&str, &str, &str, &str)] = &[
    ("--access-log", "access-log-dir", "/var/log/nginx", r#"directory: "/var/log/nginx""#),
    ("--access-log", "nginx-log-headers", "X-A,B", r#"headers: [HeaderName("X-A"), HeaderName("B")]"#),
    ("--nginx-otel-endpoint=127.0.0.1:1", "nginx-modules-path", "/m", r#"modules: "/m""#),
    (
        "--nginx-opentracing-config-path=/t.json",
        "nginx-opentracing-plugin-path",
        "/t.so",
        r#"OpenTracing { plugin: "/t.so", config: "/t.json" }"#,
    ),
    (
        "--nginx-opentracing-plugin-path=/t.so",
        "nginx-opentracing-config-path",
        "/t.json",
        r#"OpenTracing { plugin: "/t.so", config: "/t.json" }"#,
    ),
    ("--pushgateway=http://push.test", "pushgateway-interval", "90", "interval: 90s"),
    ("--pushgateway=http://push.test", "pushgateway-label", "a=b", r#"labels: {"a": "b"}"#),
    ("--pushgateway=http://push.test", "pushgateway-label", "zone=a", r#"labels: {"zone": "a"}"#),
];

/// The same for the flags of `static` alone.
const STATIC_FLAGS: &[Row] = &[("external-hostname", "198.51.100.7", "(InternetFacing, Ip(198.51.100.7))")];

/// Who writes to the cluster.
const LEASE_FLAGS: &[Row] = &[
    ("lease-name", "mine", r#"name: "mine""#),
    ("lease-namespace", "edge", r#"namespace: Some("edge")"#),
    ("lease-duration", "30s", "duration: 30s"),
];

/// How load balancers are joined.
const RESYNC_FLAGS: &[Row] = &[("frontend-resync-period", "71s", "resync_period: 71s")];

/// How load balancers are left, where it is not said in another way.
const DRAIN_FLAGS: &[Row] = &[("drain-delay", "72s", "drain_delay: 72s")];

/// How the end is waited for, where there is no load balancer to leave.
const NONE_FLAGS: &[Row] = &[("drain-delay", "72s", "frontend: None(72s)")];
const NOTICE_FLAGS: &[Row] = &[("drain-delay", "72s", "notice: 72s")];

/// What AWS's load balancers have in common.
const AWS_FLAGS: &[Row] = &[
    ("region", "us-east-2", r#"region: "us-east-2""#),
    ("instance-id", "i-0a1b", r#"instance_id: Some("i-0a1b")"#),
    ("instance-ip", "10.1.2.3", "instance_ip: Some(10.1.2.3)"),
];

const ELB_FLAGS: &[Row] =
    &[("elb-expected-number", "2", "expected: 2"), ("elb-ready-timeout", "73s", "ready_timeout: 73s")];

const NLB_FLAGS: &[Row] =
    &[("nlb-expected-number", "2", "expected: 2"), ("nlb-ready-timeout", "73s", "ready_timeout: 73s")];

const ALB_FLAGS: &[Row] = &[("alb-target-group-deregistration-delay", "74s", "drain_delay: 74s")];

const MERLIN_FLAGS: &[Row] = &[
    ("merlin-https-service-id", "secure", r#"MerlinService { id: "secure", port: 8443 }"#),
    ("merlin-request-timeout", "75s", "request_timeout: 75s"),
    ("merlin-forward-method", "tunnel", "forward: Tunnel"),
    ("merlin-drain-delay", "76s", "drain_delay: 76s"),
    ("merlin-health-up-threshold", "77", "up_threshold: 77"),
    ("merlin-health-down-threshold", "78", "down_threshold: 78"),
    ("merlin-health-period", "79s", "period: 79s, timeout"),
    ("merlin-health-timeout", "80s", "timeout: 80s, up_threshold"),
    ("merlin-vip", "192.0.2.9", r#"InterfaceAddress { address: 192.0.2.9/32, interface: "lo" }"#),
    ("merlin-internal-hostname", "in.example.com", r#"(Internal, Name(Host("in.example.com")))"#),
    ("merlin-internet-facing-hostname", "198.51.100.7", "(InternetFacing, Ip(198.51.100.7))"),
];

const GORB_FLAGS: &[Row] = &[
    ("gorb-endpoint", "http://g.example.com/", r#"endpoint: "http://g.example.com""#),
    ("gorb-ingress-instance-ip", "10.0.0.1", "instance_ip: 10.0.0.1"),
    ("gorb-services-definition", "web:81", r#"services: [GorbService { name: "web", port: 81 }]"#),
    ("gorb-backend-method", "tunnel", r#"method: "tunnel""#),
    ("gorb-backend-weight", "81", "weight: 81"),
    ("gorb-management-loopback", "false", "loopback: None"),
    ("gorb-interface-proc-fs-path", "/proc/arp", r#"arp: "/proc/arp""#),
    ("gorb-backend-healthcheck-interval", "82s", "health_check_interval: 82s"),
    ("gorb-backend-healthcheck-type", "tcp", "health_check: Tcp"),
];

/// A command line that serves, the flags that its kind of frontend needs, and the tables of those that it may have.
type FrontendRow = (&'static str, &'static [&'static str], &'static [&'static [Row]]);

const FRONTENDS: &[FrontendRow] = &[
    (NONE, &[], &[NONE_FLAGS]),
    (STATIC, &["internal-hostname"], &[STATIC_FLAGS, NOTICE_FLAGS]),
    (ELB, &["elb-frontend-tag-value"], &[ELB_FLAGS, DRAIN_FLAGS, RESYNC_FLAGS, AWS_FLAGS]),
    (NLB, &["nlb-frontend-tag-value"], &[NLB_FLAGS, DRAIN_FLAGS, RESYNC_FLAGS, AWS_FLAGS]),
    (ALB, &["alb-target-group-names"], &[ALB_FLAGS, RESYNC_FLAGS, AWS_FLAGS]),
    (
        MERLIN,
        &["merlin-endpoint", "merlin-service-id", "merlin-instance-ip", "merlin-vip-interface"],
        &[MERLIN_FLAGS, RESYNC_FLAGS],
    ),
    (GORB, &["gorb-vip-loadbalancer"], &[GORB_FLAGS, DRAIN_FLAGS, RESYNC_FLAGS]),
];

#[test]
fn verify_cli() {
    command().debug_assert();
}

#[test]
fn every_flag_reaches_the_configuration_in_every_spelling() {
    let run_flags = FLAGS.iter().chain(LEASE_FLAGS).map(|row| (NONE, row));
    let of_frontends = FRONTENDS
        .iter()
        .flat_map(|(base, _, tables)| tables.concat().into_iter().map(move |row| (*base, row)));
    for (base, (flag, value, expected)) in run_flags.map(|(base, row)| (base, *row)).chain(of_frontends) {
        let without = format!("{:?}", run(base, &[]));
        assert!(!without.contains(expected), "{expected} is the default: {without}");
        reaches_the_configuration(base, flag, value, expected);
    }
    for (others, flag, value, expected) in DEPENDENT_FLAGS {
        reaches_the_configuration(&format!("{NONE} {others}"), flag, value, expected);
    }
}

fn reaches_the_configuration(base: &str, flag: &str, value: &str, expected: &str) {
    let resolved = |config: Config| format!("{config:?}");
    let spellings = [
        resolved(run(&format!("{base} --{flag}={value}"), &[])),
        resolved(run(&format!("{base} -{flag}={value}"), &[])),
        resolved(run(base, &[(&flags::variable_name(flag), value)])),
    ];
    for with in spellings {
        assert!(with.contains(expected), "--{flag}={value} should give {expected}: {with}");
    }
}

#[test]
fn the_tables_hold_every_flag() {
    let command = command();
    let flags = |name: &str| -> Vec<String> {
        let subcommand = command.find_subcommand(name).unwrap();
        let mut flags: Vec<_> =
            subcommand.get_arguments().filter_map(|arg| arg.get_long().map(str::to_owned)).collect();
        flags.sort();
        flags
    };
    let mut of_all = BTreeSet::new();
    for (base, needed, tables) in FRONTENDS {
        let listed = FLAGS.iter().chain(LEASE_FLAGS).chain(tables.iter().copied().flatten()).map(|row| row.0);
        let needed = ["ingress-class", "ingress-port", "ingress-https-port", "allow-external-name"]
            .iter()
            .chain(*needed)
            .copied();
        let needed = needed.chain(DEPENDENT_FLAGS.iter().map(|row| row.1));
        let listed: BTreeSet<_> = listed.chain(needed).map(str::to_owned).collect();
        let name = base.split(' ').next().unwrap();
        assert_eq!(flags(name), listed.iter().cloned().collect::<Vec<_>>(), "{name}");
        of_all.extend(listed);
    }
    assert_eq!(flags("bootstrap"), of_all.into_iter().collect::<Vec<_>>());
    for name in ["render", "check"] {
        let known = flags("none");
        let unknown: Vec<_> = flags(name).into_iter().filter(|flag| !known.contains(flag)).collect();
        assert_eq!(unknown, if name == "check" { vec!["output"] } else { vec![] });
    }
}

#[test]
fn defaults_are_those_of_the_documentation() {
    insta::assert_debug_snapshot!(run(
        "static --ingress-class=feed --ingress-port=80 --internal-hostname=LB.example.com",
        &[]
    ));
}

#[test]
fn a_list_may_be_repeated() {
    let config = run(
        &format!("{NONE} --nginx-trusted-frontends=10.0.0.0/8 --nginx-trusted-frontends=192.0.2.1,fd00::/8"),
        &[],
    );
    let networks: Vec<_> = config.nginx.base.trusted_frontends.iter().map(ToString::to_string).collect();
    assert_eq!(networks, ["10.0.0.0/8", "192.0.2.1/32", "fd00::/8"]);
}

#[test]
fn a_switch_needs_no_value() {
    for (words, expected) in [
        ("--allow-empty", true),
        ("-allow-empty", true),
        ("--allow-empty=true", true),
        ("--allow-empty=1", true),
        ("--allow-empty=false", false),
        ("-allow-empty=F", false),
    ] {
        assert_eq!(run(&format!("{NONE} {words}"), &[]).reload.allow_empty, expected, "{words}");
    }
    for (value, expected) in [("true", true), ("0", false)] {
        assert_eq!(run(NONE, &[("FEED_ALLOW_EMPTY", value)]).reload.allow_empty, expected, "{value}");
    }
}

#[test]
fn a_flag_wins_over_its_variable() {
    let config = run(NONE, &[("FEED_INGRESS_PORT", "tcp://10.96.0.7:80"), ("FEED_INGRESS_CLASS", "other")]);
    assert_eq!(config.nginx.http_port(), Some(8080));
    assert_eq!(config.options.adoption.class.as_deref(), Some("feed"));
}

#[test]
fn variables_are_enough() {
    let config = run("none", &[("FEED_INGRESS_PORT", "81"), ("FEED_INGRESS_CLASS", "feed")]);
    assert_eq!(config.nginx.http_port(), Some(81));
}

#[test]
fn an_allow_list_may_be_empty() {
    let by_flag = run(&format!("{NONE} --ingress-allow="), &[]);
    let by_variable = run(NONE, &[("FEED_INGRESS_ALLOW", "")]);
    for config in [by_flag, by_variable] {
        assert!(config.options.defaults.allow.networks().is_empty());
    }
}

#[test]
fn the_lease_lives_in_the_pods_namespace() {
    let namespace = |line: &str, pod: &str| run(line, &[("POD_NAMESPACE", pod)]).lease.unwrap().namespace;
    assert_eq!(namespace(STATIC, "edge").as_deref(), Some("edge"));
    assert_eq!(namespace(&format!("{STATIC} --lease-namespace=other"), "edge").as_deref(), Some("other"));
    assert_eq!(namespace(STATIC, ""), None);
}

#[test]
fn leaving_may_take_longer_than_load_balancers_send_requests() {
    for (line, expected) in [
        (NONE.to_owned(), 300),
        (ELB.to_owned(), 300),
        (ALB.to_owned(), 360),
        (format!("{NONE} --drain-delay=5m"), 360),
        (format!("{ELB} --drain-delay=0s"), 300),
        (format!("{ELB} --drain-delay=10m"), 660),
        (format!("{ALB} --shutdown-grace-period=10s"), 10),
    ] {
        assert_eq!(run(&line, &[]).shutdown_grace_period.as_secs(), expected, "{line}");
    }
}

#[test]
fn merlin_may_be_at_several_addresses() {
    let line = "merlin --ingress-class=feed --ingress-port=80 --merlin-service-id=a --merlin-instance-ip=::1 \
                --merlin-endpoint=10.0.0.1:4282,dns:///merlin.example.com:4283 --merlin-endpoint=[fd00::1]:4282,dns:///m";
    let Frontend::Merlin(merlin) = run(line, &[]).frontend else { panic!("no merlin") };
    let servers: Vec<_> = merlin.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["10.0.0.1:4282", "merlin.example.com:4283", "[fd00::1]:4282", "m:443"]);
}

#[test]
fn an_address_without_a_network_is_single() {
    for (given, expected) in
        [("192.0.2.1", "192.0.2.1/32"), ("192.0.2.1/24", "192.0.2.1/24"), ("fd00::1", "fd00::1/128")]
    {
        let config = run(&format!("{MERLIN} --merlin-vip={given} --merlin-vip-interface=eth1"), &[]);
        let Frontend::Merlin(merlin) = config.frontend else { panic!("no merlin") };
        let vip = merlin.vip.unwrap();
        assert_eq!((vip.address.to_string().as_str(), vip.interface.as_str()), (expected, "eth1"));
    }
}

#[test]
fn without_addresses_gorb_leaves_the_loopback_interface_alone() {
    let config = run("gorb --ingress-class=feed --ingress-port=80", &[]);
    let Frontend::Gorb(gorb) = config.frontend else { panic!("no gorb") };
    assert_eq!(gorb.loopback, None);
}

#[test]
fn external_names_with_a_resolver_are_allowed() {
    let config = run(&format!("{NONE} --allow-external-name --nginx-resolver=kube-dns.kube-system.svc"), &[]);
    assert!(config.options.allow_external_name);
    assert_eq!(config.nginx.base.resolvers.len(), 1);
}

#[test]
fn render_and_check_need_neither_port_nor_class() {
    let Ok(Command::Render(render)) = parse_words("render --manifests=m", &[]) else { panic!("no render") };
    assert_eq!(render.options.adoption.class, None);
    assert_eq!(render.nginx.http_port(), Some(80));
    let Ok(Command::Check(check)) = parse_words("check --manifests m --output json", &[]) else {
        panic!("no check")
    };
    assert_eq!(check.options.adoption.class, None);
    assert_eq!(check.output, CheckOutput::Json);
}

#[test]
fn bootstrap_takes_the_flags_of_every_frontend() {
    for (line, ..) in FRONTENDS {
        let (_, flags) = line.split_once(' ').unwrap();
        let Ok(Command::Bootstrap(config)) = parse_words(&format!("bootstrap {flags}"), &[]) else {
            panic!("no bootstrap with {flags}")
        };
        assert_eq!(config.nginx, run(line, &[]).nginx);
    }
}

#[test]
fn mistakes_get_one_sentence() {
    let mistakes = [
        "",
        "serve",
        "none --ingress-port=80",
        "none --ingress-class=feed",
        "none --ingress-class=feed --ingress-port=eighty",
        "none --ingress-class=feed --ingress-port=0",
        "none --ingress-class=feed --ingress-port=8081",
        "none --ingress-class=feed --ingress-port=12082",
        "none --ingress-class=feed --ingress-port=80 --health-port=8081",
        "none --ingress-class= --ingress-port=80",
        "none --ingress-class=feed --ingress-prot=80",
        "none --ingress-class=feed --ingress-port",
        "none --ingress-class=feed --ingress-port=80 --ingress-port=81",
        "none --ingress-class=feed --ingress-port=80 surplus",
        "none --ingress-class=feed --ingress-port=80 --manifests=m --kubeconfig=k",
        "none --ingress-class=feed --ingress-port=80 --ingress-controller-namespace-selectors=a=b,c",
        "none --ingress-class=feed --ingress-port=80 --resync-period=15",
        "none --ingress-class=feed --ingress-port=80 --nginx-update-period=-3s",
        "none --ingress-class=feed --ingress-port=80 --nginx-update-burst=0",
        "none --ingress-class=feed --ingress-port=80 --nginx-workers=0",
        "none --ingress-class=feed --ingress-port=80 --nginx-default-proxy-buffer-size=33",
        "none --ingress-class=feed --ingress-port=80 --nginx-loglevel=loud",
        "none --ingress-class=feed --ingress-port=80 --nginx-workdir=/a;b",
        "none --ingress-class=feed --ingress-port=80 --nginx-pid-file=/run/../nginx.pid",
        "none --ingress-class=feed --ingress-port=80 --nginx-trusted-frontends=10.0.0.0/33",
        "none --ingress-class=feed --ingress-port=80 --ingress-allow=10.0.0.1,nobody",
        "none --ingress-class=feed --ingress-port=80 --set-real-ip-from-header=X_Client",
        "none --ingress-class=feed --ingress-port=80 --allow-external-name",
        "none --ingress-class=feed --ingress-port=80 --nginx-resolver=10.0.0.1:none",
        "none --ingress-class=feed --ingress-port=80 --backend-mode=pods",
        "none --ingress-class=feed --ingress-port=80 --log-format=xml",
        "none --ingress-class=feed --ingress-port=80 --debug=maybe",
        "none --ingress-class=feed --ingress-port=80 --internal-hostname=lb.example.com",
        "none --ingress-class=feed --ingress-port=80 --access-log-dir=/a/../b",
        "none --ingress-class=feed --ingress-port=80 --nginx-log-headers=X-A,B_C",
        "none --ingress-class=feed --ingress-port=80 --nginx-opentracing-plugin-path=/t.so",
        "none --ingress-class=feed --ingress-port=80 --nginx-opentracing-config-path=/t.json --nginx-otel-endpoint=a:1",
        "none --ingress-class=feed --ingress-port=80 --nginx-opentracing-plugin-path=/t --nginx-opentracing-config-path=/u \
         --nginx-otel-endpoint=a:1",
        "none --ingress-class=feed --ingress-port=80 --nginx-opentracing-plugin-path=/t;",
        "none --ingress-class=feed --ingress-port=80 --nginx-otel-endpoint=collector",
        "none --ingress-class=feed --ingress-port=80 --nginx-otel-endpoint=ftp://collector:4317",
        "none --ingress-class=feed --ingress-port=80 --pushgateway=push:9091",
        "none --ingress-class=feed --ingress-port=80 --pushgateway-interval=0",
        "none --ingress-class=feed --ingress-port=80 --pushgateway-label=a",
        "none --ingress-class=feed --ingress-port=80 --pushgateway-label=host=a",
        "none --ingress-class=feed --ingress-port=80 --pushgateway-label=a=b --pushgateway-label=a=c",
        "none --ingress-class=feed --ingress-port=80 --otlp-endpoint=https://collector:4317",
        "none --ingress-class=feed --ingress-port=80 --otlp-endpoint=nonsense",
        "static --ingress-class=feed --ingress-port=80",
        "static --ingress-class=feed --ingress-port=80 --internal-hostname=*.example.com",
        "static --ingress-class=Feed --ingress-port=80 --internal-hostname=lb.example.com",
        "static --ingress-class=feed --ingress-port=80 --internal-hostname=a --lease-duration=1500ms",
        "elb --ingress-class=feed --ingress-port=80",
        "elb --ingress-class=feed --ingress-port=80 --elb-frontend-tag-value=",
        "elb --ingress-class=feed --ingress-port=80 --elb-frontend-tag-value=a --elb-expected-number=-1",
        "elb --ingress-class=feed --ingress-port=80 --elb-frontend-tag-value=a --instance-id=10.0.0.1",
        "elb --ingress-class=feed --ingress-port=80 --elb-frontend-tag-value=a --region=eu/west",
        "elb --ingress-class=feed --ingress-port=80 --elb-frontend-tag-value=a --drain-delay=-1s",
        "elb --ingress-class=feed --ingress-port=80 --nlb-frontend-tag-value=a",
        "nlb --ingress-class=feed --ingress-port=80",
        "nlb --ingress-class=feed --ingress-port=80 --nlb-frontend-tag-value=a --instance-ip=node-1",
        "alb --ingress-class=feed --ingress-port=80",
        "alb --ingress-class=feed --ingress-port=80 --alb-target-group-names=a,arn:aws:b",
        "merlin --ingress-class=feed --ingress-port=80",
        "merlin --ingress-class=feed --ingress-port=80 --merlin-endpoint=m:1",
        "merlin --ingress-class=feed --ingress-port=80 --merlin-endpoint=m:1 --merlin-service-id=a",
        "merlin --ingress-class=feed --ingress-https-port=443 --merlin-endpoint=m:1 --merlin-instance-ip=::1",
        "merlin --ingress-class=feed --ingress-https-port=443 --merlin-endpoint=m:1 --merlin-instance-ip=::1 --merlin-service-id=a",
        "merlin --ingress-class=feed --ingress-port=80 --ingress-https-port=443 --merlin-endpoint=m:1 --merlin-instance-ip=::1 --merlin-service-id=a --merlin-https-service-id=a",
        "merlin --ingress-class=feed --ingress-port=80 --merlin-endpoint=http://m:1",
        "merlin --ingress-class=feed --ingress-port=80 --merlin-endpoint=m:1,m",
        "merlin --ingress-class=feed --ingress-port=80 --merlin-forward-method=nat",
        "merlin --ingress-class=feed --ingress-port=80 --merlin-vip=192.0.2.1/33",
        "merlin --ingress-class=feed --ingress-port=80 --merlin-vip-interface=a-much-too-long-name",
        "merlin --ingress-class=feed --ingress-port=80 --merlin-endpoint=m:1 --merlin-service-id=a --merlin-instance-ip=::1 --merlin-vip=192.0.2.1 --merlin-forward-method=masq",
        "gorb --ingress-class=feed --ingress-port=80 --gorb-endpoint=https://g",
        "gorb --ingress-class=feed --ingress-port=80 --gorb-services-definition=a",
        "gorb --ingress-class=feed --ingress-port=80 --gorb-services-definition=a/b:80",
        "gorb --ingress-class=feed --ingress-port=80 --gorb-services-definition=a:80,a:81",
        "gorb --ingress-class=feed --ingress-port=80 --gorb-vip-loadbalancer=fd00::1",
        "gorb --ingress-class=feed --ingress-port=80 --gorb-backend-healthcheck-type=grpc",
        "gorb --ingress-class=feed --ingress-port=80 --merlin-vip=192.0.2.1",
        "bootstrap --ingress-class=feed --ingress-port=80 --drain-delay=soon",
        "render",
        "check --manifests=m --output=yaml",
    ]
    .map(|line| {
        let error = parse_words(line, &[]).expect_err(line).to_string();
        assert!(error.lines().count() <= 2, "{error}");
        format!("{line}\n  {}\n", error.replace('\n', "\n  "))
    });
    insta::assert_snapshot!(mistakes.concat());
}

#[test]
fn mistakes_in_variables_name_them() {
    let error =
        |name, value| parse_words("none --ingress-class=feed", &[(name, value)]).unwrap_err().to_string();
    assert_eq!(
        error("FEED_INGRESS_PORT", "http"),
        "invalid value 'http' for '--ingress-port <PORT>': must be a port, from 1 to 65535 (from FEED_INGRESS_PORT)"
    );
    assert_eq!(
        error("FEED_INGRESS_PORT", "tcp://10.96.0.7:80"),
        "invalid value 'tcp://10.96.0.7:80' for '--ingress-port <PORT>': must be a port, from 1 to 65535 \
         (from FEED_INGRESS_PORT, which Kubernetes sets for a Service of that name: use `enableServiceLinks: false`)"
    );
    assert_eq!(
        error("FEED_DEBUG", "maybe"),
        "invalid value 'maybe' for '--debug[=<BOOL>]': must be true or false (from FEED_DEBUG)"
    );
}

#[test]
fn help_and_version_are_printed() {
    let printed = |line: &str| match parse_words(line, &[]) {
        Ok(Command::Print(text)) => text,
        other => panic!("`{line}` gave {other:?}"),
    };
    assert_eq!(printed("--version"), format!("feed-ingress {}\n", super::VERSION));
    assert_eq!(printed("-V"), printed("--version"));
    insta::assert_snapshot!(printed("-h"));
    assert!(printed("none --help").contains("--ingress-port <PORT>"));
}
