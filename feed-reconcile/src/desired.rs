//! What should be served: plain data, without a trace of how it was computed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::certificate::KeyPair;
use crate::host::Host;
use crate::key::ObjectName;
use crate::options::AllowList;
use crate::path::RoutePath;

/// Everything that should be served.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredState {
    /// The declared hosts; one whose paths nginx can never match is there, with no route.
    pub servers: BTreeMap<Host, Arc<VirtualServer>>,
    /// Requests for hosts that nobody declared.
    pub undeclared: Arc<VirtualServer>,
    /// Every upstream that a route uses, by its name.
    pub upstreams: BTreeMap<UpstreamName, Arc<Upstream>>,
    /// The adopted Ingresses.
    pub ingresses: BTreeMap<ObjectName, IngressSummary>,
    /// The certificate of hosts that have none of their own.
    pub default_certificate: Option<KeyPair>,
}

/// What is served for one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VirtualServer {
    /// The routes, ordered by path and kind; no two of them match the same.
    pub routes: Vec<Arc<Route>>,
    /// Its own certificate, if it has one.
    pub certificate: Option<KeyPair>,
}

impl VirtualServer {
    /// Whether HTTP/2 is spoken with every backend.
    pub fn speaks_http2_alone(&self) -> bool {
        let mut protocols = self.routes.iter().filter_map(|route| route.backend.protocol()).peekable();
        protocols.peek().is_some() && protocols.all(|protocol| protocol == Protocol::Http2)
    }
}

/// How a route's path is compared with a request's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PathMatch {
    /// Only that path.
    Exact,
    /// The path and everything below it, element by element: `/foo`, `/foo/`, `/foo/bar`, not `/foobar`.
    Prefix,
    /// Everything below the path; the path itself without its last slash is redirected to it.
    Directory,
}

/// One route: requests for a path, and where they go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The Ingress that declared it.
    pub ingress: ObjectName,
    /// The path to match. Of `Prefix` it has no slash at the end but in `/` itself, of `Directory` always one.
    pub path: RoutePath,
    /// How it is matched.
    pub path_match: PathMatch,
    /// Where requests go.
    pub backend: Backend,
    /// Whether the path is stripped before proxying. Never set for the path `/`.
    pub strip: bool,
    /// The rest of what the Ingress asked for.
    pub settings: Arc<RouteSettings>,
}

/// What an Ingress's annotations, or the defaults, say of its routes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouteSettings {
    /// Who may send requests.
    pub allow: AllowList,
    /// Read and send timeout, 1 to 86,400 seconds.
    pub backend_timeout_seconds: u32,
    /// 1 to 32 KiB.
    pub proxy_buffer_size_in_kb: u32,
    /// 1 to 8; nginx is given 2 at least.
    pub proxy_buffer_blocks: u32,
}

/// Where a route's requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// To an upstream.
    Upstream(Arc<Upstream>),
    /// To a name that is resolved at run time.
    External {
        /// The name.
        host: Host,
        /// 1 to 65,535.
        port: u16,
        /// What is spoken with it.
        protocol: Protocol,
    },
    /// Nowhere: the route cannot be served, and keeps its place. Answered with 503.
    Unavailable,
    /// Nowhere: who may send requests cannot be read. Answered with 403.
    Forbidden,
}

impl Backend {
    /// The status that nginx answers with by itself, where requests go nowhere.
    pub fn refusal(&self) -> Option<u16> {
        match self {
            Self::Upstream(upstream) if upstream.addresses.is_empty() => Some(503),
            Self::Upstream(_) | Self::External { .. } => None,
            Self::Unavailable => Some(503),
            Self::Forbidden => Some(403),
        }
    }

    /// Whether it is asked by its endpoints, which come and go.
    pub fn has_endpoints(&self) -> bool {
        matches!(self, Self::Upstream(upstream) if upstream.endpoints)
    }

    /// What is spoken with it; `None` where nothing is asked.
    pub fn protocol(&self) -> Option<Protocol> {
        match self {
            Self::Upstream(upstream) => Some(upstream.protocol),
            Self::External { protocol, .. } => Some(*protocol),
            Self::Unavailable | Self::Forbidden => None,
        }
    }
}

/// What is spoken with a backend: a Service port's `appProtocol`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 without TLS, trailers kept.
    Http2,
}

/// The addresses of one port of one Service, with the settings that nginx keeps per upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The name, different for different services, ports and settings.
    pub name: UpstreamName,
    /// The addresses, in order; empty where none of a Service's endpoints is ready. Then it is answered with 503.
    pub addresses: Vec<SocketAddr>,
    /// Whether they are a Service's ready endpoints, which come and go; else they are its cluster IP's.
    pub endpoints: bool,
    /// What is spoken.
    pub protocol: Protocol,
    /// Connections to an address at the same time, per worker; 0 for no limit.
    pub max_connections: u32,
    /// How long an idle connection is kept, in milliseconds; `None` leaves it to nginx.
    pub keepalive_timeout_milliseconds: Option<u64>,
    /// Requests on one connection, at least 1.
    pub max_requests_per_connection: u32,
}

/// An upstream's name: namespace, service, port, and the settings that are not the usual ones.
///
/// `namespace.service.port`, with `.m5` for five connections, `.t30000` for an idle timeout in milliseconds and
/// `.r100` for requests per connection; unique by construction, since none of the parts can hold a dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UpstreamName(Arc<str>);

impl UpstreamName {
    /// The name of an upstream with these properties.
    pub fn new(
        service: &ObjectName,
        port: u16,
        max_connections: u32,
        keepalive_timeout_milliseconds: Option<u64>,
        max_requests_per_connection: u32,
    ) -> Self {
        use std::fmt::Write as _;
        let mut name = format!("{}.{}.{port}", service.namespace, service.name);
        let written = [
            (max_connections > 0).then(|| write!(name, ".m{max_connections}")),
            keepalive_timeout_milliseconds.map(|timeout| write!(name, ".t{timeout}")),
            (max_requests_per_connection != DEFAULT_MAX_REQUESTS_PER_CONNECTION)
                .then(|| write!(name, ".r{max_requests_per_connection}")),
        ];
        debug_assert!(written.iter().flatten().all(Result::is_ok), "writing to a String cannot fail");
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Requests on one connection to a backend where no annotation says otherwise.
pub const DEFAULT_MAX_REQUESTS_PER_CONNECTION: u32 = 1024;

/// An adopted Ingress, as status and DNS see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngressSummary {
    /// Which load balancer it is served from: `sky.uk/frontend-scheme`.
    pub scheme: Option<Scheme>,
    /// Its valid hosts, in order.
    pub hosts: Vec<Host>,
    /// How many of its routes lead to a backend, over all hosts.
    pub routes: usize,
    /// When the Ingress was created, in nanoseconds since 1970; what is older wins. `None` counts as oldest.
    pub created: Option<i128>,
}

/// `sky.uk/frontend-scheme`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// `internal`.
    Internal,
    /// `internet-facing`.
    InternetFacing,
}

impl Scheme {
    /// The annotation's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::InternetFacing => "internet-facing",
        }
    }
}
