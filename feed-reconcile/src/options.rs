//! What the operator decided, already validated: no string here still needs parsing.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

use crate::host::Host;

mod observed;

pub use self::observed::{AccessLog, Collector, Tracer, Tracing};

/// Options of [`reconcile`](crate::reconcile()).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Which Ingresses are ours.
    pub adoption: Adoption,
    /// What applies to an Ingress without the annotation.
    pub defaults: RouteDefaults,
    /// Where requests are sent.
    pub backend_mode: BackendMode,
    /// Whether `ExternalName` Services may be used. They need a resolver in [`NginxOptions::resolvers`].
    pub allow_external_name: bool,
    /// Whether requests with TLS are taken. Without it the Secrets of `spec.tls` only have to be there.
    pub tls: bool,
    /// Whether what an API server and its controllers assign later is taken for granted: cluster IPs and endpoints. For
    /// files that were not in a cluster yet; nothing of it can be served.
    pub assume_assigned: bool,
}

/// Which Ingresses are adopted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoption {
    /// The name of our IngressClass; `None` adopts every class.
    pub class: Option<String>,
    /// Whether Ingresses that name no class are ours.
    pub include_classless: bool,
    /// Labels of which a namespace must carry one, or all; with none given every namespace counts.
    pub namespace_selectors: Vec<LabelSelector>,
    /// Whether a namespace must carry all of the labels.
    pub match_all_namespace_selectors: bool,
}

/// A label that must be there with this very value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelSelector {
    /// The label's name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Where requests are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BackendMode {
    /// To the Service's ClusterIP, which does not change when pods do; headless Services by their endpoints.
    #[default]
    ServiceIp,
    /// To the ready endpoints of the Service's EndpointSlices.
    Endpoints,
}

/// What applies to an Ingress without the annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteDefaults {
    /// Who may send requests.
    pub allow: AllowList,
    /// Whether the route's path is stripped before proxying.
    pub strip_path: bool,
    /// Whether a path matches only itself.
    pub exact_path: bool,
    /// Read and send timeout towards the backend, 1 to 86,400 seconds.
    pub backend_timeout_seconds: u32,
    /// Connections to a backend address at the same time, per nginx worker; 0 for no limit.
    pub backend_max_connections: u32,
    /// Size of the buffer for a response's header, 1 to 32 KiB.
    pub proxy_buffer_size_in_kb: u32,
    /// Number of those buffers, 1 to 8.
    pub proxy_buffer_blocks: u32,
}

impl Default for RouteDefaults {
    fn default() -> Self {
        Self {
            allow: AllowList::everyone(),
            strip_path: true,
            exact_path: false,
            backend_timeout_seconds: 60,
            backend_max_connections: 0,
            proxy_buffer_size_in_kb: 16,
            proxy_buffer_blocks: 4,
        }
    }
}

/// The networks whose clients are allowed, sorted, each once; an empty list allows nobody but 127.0.0.1.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AllowList(Vec<IpNet>);

impl AllowList {
    /// A list of these networks.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        let mut networks: Vec<IpNet> = networks.into_iter().map(|network| network.trunc()).collect();
        networks.sort_unstable();
        networks.dedup();
        Self(networks)
    }

    /// Everyone: `0.0.0.0/0` and `::/0`.
    pub fn everyone() -> Self {
        Self::new([IpNet::default(), IpNet::V6(ipnet::Ipv6Net::default())])
    }

    /// The networks in order.
    pub fn networks(&self) -> &[IpNet] {
        &self.0
    }
}

/// Options of the nginx configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxOptions {
    /// Absolute path of the directory below which nginx writes; `[A-Za-z0-9._/-]` only.
    pub workdir: String,
    /// Where nginx writes its pid; below the workdir, or the sidecar's `--nginx-pid-file`.
    pub pid_file: String,
    /// Whether nginx's master is the neighbouring container's, whose own log then gets nginx's errors too.
    pub sidecar: bool,
    /// Whether nginx logs each request for [`traffic`](crate::traffic), to `requests/requests.log` in the workdir.
    pub request_metrics: bool,
    /// Port for requests without TLS, 1 to 65,535, if they are taken.
    pub http_port: Option<u16>,
    /// Port for requests with TLS, 1 to 65,535, if they are taken.
    pub https_port: Option<u16>,
    /// Port of `/health`, `/basic_status` and the generation.
    pub status_port: u16,
    /// Whether the kernel has IPv6, so that nginx can listen on it.
    pub ipv6: bool,
    /// Whether nginx knows `keepalive_min_timeout` (1.27.4 and newer).
    pub keepalive_min_timeout: bool,
    /// Whether nginx knows the directive `http2` (1.25.1 and newer), rather than the parameter of `listen`.
    pub http2_directive: bool,
    /// Worker processes, at least 1.
    pub workers: u32,
    /// Connections of a worker; `None` computes it from the upstreams.
    pub worker_connections: Option<u32>,
    /// The open files that a worker may be given; `None` where there is no limit.
    pub open_file_limit: Option<u64>,
    /// How long an old worker may take to finish, in seconds; 0 for ever.
    pub worker_shutdown_timeout_seconds: u32,
    /// How long an idle client connection stays open, in seconds.
    pub keepalive_seconds: u32,
    /// Idle connections kept to each upstream, per worker; `None` computes it from the number of upstreams,
    /// 512 at the most.
    pub backend_keepalive_count: Option<u32>,
    /// Time limit for connecting to a backend, in seconds.
    pub backend_connect_timeout_seconds: u32,
    /// The least severe messages that nginx logs.
    pub log_level: LogLevel,
    /// `server_names_hash_bucket_size`; `None` computes it from the hosts.
    pub server_names_hash_bucket_size: Option<u32>,
    /// `server_names_hash_max_size`; `None` computes it from the hosts.
    pub server_names_hash_max_size: Option<u32>,
    /// Whether connections begin with the PROXY protocol.
    pub proxy_protocol: bool,
    /// The load balancers whose word about the client is believed.
    pub trusted_frontends: Vec<IpNet>,
    /// The header in which they name the client.
    pub real_ip_header: HeaderName,
    /// Whether headers whose names hold `_` reach all backends, not only those of hosts that speak nothing but HTTP/2.
    pub underscores_in_headers: bool,
    /// Size of the buffer for a request's header, in KiB.
    pub client_header_buffer_size_in_kb: u32,
    /// Size of the buffer for a request's body, in KiB.
    pub client_body_buffer_size_in_kb: u32,
    /// Number of buffers for large request headers.
    pub large_client_header_buffer_blocks: u32,
    /// The name server that knows the Services' endpoints, where nginx can follow it (1.27.3 and newer): a change of endpoints
    /// changes no configuration then.
    pub endpoint_resolver: Option<SocketAddr>,
    /// Name servers for `ExternalName` Services; may be empty where these are not allowed.
    pub resolvers: Vec<Resolver>,
    /// Where requests are logged, if they are.
    pub access_log: Option<AccessLog>,
    /// How nginx takes part in traces, if it does.
    pub tracing: Option<Tracing>,
}

/// Levels of nginx's `error_log`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "nginx's own names")]
pub enum LogLevel {
    Debug,
    Info,
    Notice,
    Warn,
    Error,
    Crit,
    Alert,
    Emerg,
}

impl LogLevel {
    /// Every level, from the most talkative.
    pub const ALL: [Self; 8] = [
        Self::Debug,
        Self::Info,
        Self::Notice,
        Self::Warn,
        Self::Error,
        Self::Crit,
        Self::Alert,
        Self::Emerg,
    ];

    /// nginx's name of the level.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Crit => "crit",
            Self::Alert => "alert",
            Self::Emerg => "emerg",
        }
    }
}

/// A header's name: one or more of RFC 9110's token letters, digits and `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderName(String);

impl HeaderName {
    /// Checks the name. `_` is refused, since nginx drops such headers.
    pub fn new(name: &str) -> Option<Self> {
        let valid = !name.is_empty()
            && name.len() <= 256
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        valid.then(|| Self(name.to_owned()))
    }

    /// The name as given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A name server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// Its IP address, or a name that nginx resolves when it starts.
    pub address: ResolverAddress,
    /// Its port; 53 where none is given.
    pub port: Option<u16>,
}

/// How a name server is named.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "said by their names")]
pub enum ResolverAddress {
    Ip(IpAddr),
    Name(Host),
}

/// Where clients reach a load balancer, as Ingress status names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "said by their names")]
pub enum Endpoint {
    Ip(IpAddr),
    Name(Host),
}
