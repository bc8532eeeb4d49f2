//! From routes to nginx's locations.

use std::borrow::Cow;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object};

use super::token;
use crate::desired::{Backend, PathMatch, Protocol, Route, RouteSettings, VirtualServer};
use crate::options::{AllowList, NginxOptions, RouteDefaults};
use crate::traffic::RouteMark;

/// What a server's body depends on beside its routes.
pub(super) struct Surroundings<'a> {
    /// The file of its certificate.
    pub(super) certificate: Value,
    /// Whether headers with the names of gRPC's metadata are taken.
    pub(super) takes_metadata: bool,
    pub(super) options: &'a NginxOptions,
}

/// The values of the template of a server's body.
pub(super) fn body_context(
    server: &VirtualServer,
    around: &Surroundings<'_>,
    defaults: &RouteDefaults,
) -> Value {
    let common = common_settings(server);
    let follows = around.options.endpoint_resolver.is_some();
    let settings = |route: &Route| match common {
        Some(_) => Value::from(()),
        None => settings(&route.settings, defaults, "            "),
    };
    let mark = |route: &Route| {
        if around.options.request_metrics { token::mark(RouteMark::of(route)) } else { Value::from(()) }
    };
    let locations: Vec<Value> = server
        .routes
        .iter()
        .flat_map(|route| locations(route, &server.routes, around.options, &settings(route), &mark(route)))
        .collect();
    Value::from_pairs([
        ("certificate", around.certificate.clone()),
        ("takes_metadata", Value::from(around.takes_metadata)),
        ("tls", Value::from(around.options.https_port.is_some())),
        ("strips", Value::from(server.routes.iter().any(|route| route.strip))),
        (
            "settings",
            common.map_or_else(|| Value::from(()), |common| self::settings(common, defaults, "        ")),
        ),
        ("locations", Value::from(locations)),
        (
            "follows_endpoints",
            Value::from(follows && server.routes.iter().any(|route| route.backend.has_endpoints())),
        ),
        ("has_root", Value::from(server.routes.iter().any(|route| is_root_prefix(route)))),
    ])
}

/// The locations of one of a server's routes: whether only that very path is matched, and the path.
///
/// A prefix needs two, since nginx's own prefixes know no elements. And while nginx redirects from the path
/// without a slash to a directory that is proxied, it does not to one that is answered. An exact route for the
/// path without a slash has that location for itself.
pub(super) fn places<'a>(
    route: &'a Route,
    routes: &[Arc<Route>],
    follows_endpoints: bool,
) -> impl Iterator<Item = (bool, Cow<'a, str>)> + use<'a> {
    let path = route.path.as_str();
    let itself = (route.path_match == PathMatch::Exact, Cow::Borrowed(path));
    let (without, with) = match route.path_match {
        PathMatch::Prefix if !route.path.is_root() => (Some(path), (false, Cow::Owned(format!("{path}/")))),
        PathMatch::Directory if refusal(&route.backend, follows_endpoints).is_some() => {
            (path.strip_suffix('/'), itself)
        }
        _ => (None, itself),
    };
    let is_free = |path: &&str| {
        let place = (*path, PathMatch::Exact);
        routes.binary_search_by(|other| (other.path.as_str(), other.path_match).cmp(&place)).is_err()
    };
    without.filter(is_free).map(|path| (true, Cow::Borrowed(path))).into_iter().chain([with])
}

/// The status that nginx answers with by itself. Where it follows endpoints, it may find some at any time.
fn refusal(backend: &Backend, follows_endpoints: bool) -> Option<u16> {
    match backend {
        Backend::Upstream(upstream) if upstream.endpoints && follows_endpoints => None,
        other => other.refusal(),
    }
}

fn is_root_prefix(route: &Route) -> bool {
    route.path.is_root() && route.path_match != PathMatch::Exact
}

/// The settings that all routes of a server share; these are said once, for the server.
fn common_settings(server: &VirtualServer) -> Option<&RouteSettings> {
    let first = server.routes.first()?;
    server.routes.iter().all(|route| route.settings == first.settings).then_some(&*first.settings)
}

/// One location, as the template of a body sees it.
///
/// There are many of them: what the common ones are asked for is computed once, the rest when it is wanted.
#[derive(Debug)]
struct Location {
    route: Arc<Route>,
    /// Whether only this very path is matched.
    exact: bool,
    path: Value,
    /// The backend as `proxy_pass` or `grpc_pass` takes it.
    address: Value,
    /// The variable with what is left of the path when the route's is stripped, if anything is.
    rest: Value,
    settings: Value,
    /// By what the log names the route, where requests are logged.
    mark: Value,
    /// The status that nginx answers with by itself.
    refusal: Option<u16>,
    /// Whether nginx follows its endpoints.
    is_followed: bool,
    /// The name servers for external names, where they are not said for all.
    resolvers: Value,
    ipv6: bool,
}

fn locations(
    route: &Arc<Route>,
    routes: &[Arc<Route>],
    options: &NginxOptions,
    settings: &Value,
    mark: &Value,
) -> Vec<Value> {
    let follows = options.endpoint_resolver.is_some();
    let has_own_resolvers = follows && matches!(route.backend, Backend::External { .. });
    let resolvers = options.resolvers.iter().filter(|_| has_own_resolvers).map(token::resolver);
    let resolvers = Value::from(resolvers.collect::<Vec<_>>());
    let address = token::backend(&route.backend);
    let rest = if route.strip { token::rest_variable(route.path.depth()) } else { Value::from(()) };
    let location = |exact, path: &str| {
        Value::from_object(Location {
            route: Arc::clone(route),
            exact,
            path: token::path(path),
            address: address.clone(),
            rest: if exact { Value::from(()) } else { rest.clone() },
            settings: settings.clone(),
            mark: mark.clone(),
            refusal: refusal(&route.backend, follows),
            is_followed: follows && route.backend.has_endpoints(),
            resolvers: resolvers.clone(),
            ipv6: options.ipv6,
        })
    };
    places(route, routes, follows).map(|(exact, path)| location(exact, &path)).collect()
}

impl Location {
    /// Whether it is anything but HTTP/1.1 to an upstream.
    fn is_special(&self) -> bool {
        let proxied = matches!(&self.route.backend, Backend::Upstream(upstream) if upstream.protocol != Protocol::Http2);
        !proxied
            || self.refusal.is_some()
            || (self.exact && !self.route.path.is_root() && self.route.path.as_str().ends_with('/'))
    }

    fn is_grpc(&self) -> bool {
        self.route.backend.protocol() == Some(Protocol::Http2)
    }

    fn external(&self) -> Value {
        match &self.route.backend {
            Backend::External { host, .. } => token::host(host),
            Backend::Upstream(_) | Backend::Unavailable | Backend::Forbidden => Value::from(()),
        }
    }
}

impl Object for Location {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "exact" => Value::from(self.exact),
            "path" => self.path.clone(),
            "settings" => self.settings.clone(),
            "mark" => self.mark.clone(),
            "special" => Value::from(self.is_special()),
            "address" => self.address.clone(),
            "rest" => self.rest.clone(),
            "strip" => Value::from(self.route.strip),
            "refusal" => Value::from(self.refusal),
            "followed" => Value::from(self.is_followed),
            "resolvers" => self.resolvers.clone(),
            "ipv6" => Value::from(self.ipv6),
            "grpc" => Value::from(self.is_grpc()),
            "external" => self.external(),
            "segments" => Value::from(self.route.path.depth()),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::NonEnumerable
    }
}

/// The settings that differ from the defaults, indented by `indent`; `None` when none does.
pub(super) fn settings(settings: &RouteSettings, defaults: &RouteDefaults, indent: &'static str) -> Value {
    let buffers = (settings.proxy_buffer_size_in_kb, settings.proxy_buffer_blocks);
    let default_buffers = (defaults.proxy_buffer_size_in_kb, defaults.proxy_buffer_blocks);
    let timeout = (settings.backend_timeout_seconds != defaults.backend_timeout_seconds)
        .then_some(settings.backend_timeout_seconds);
    let buffers = (buffers != default_buffers).then_some(buffers);
    let allow = (settings.allow != defaults.allow).then_some(&settings.allow);
    if timeout.is_none() && buffers.is_none() && allow.is_none() {
        return Value::from(());
    }
    settings_context(indent, timeout, buffers, allow)
}

/// The defaults, said for all.
pub(super) fn default_settings(defaults: &RouteDefaults) -> Value {
    settings_context(
        "    ",
        Some(defaults.backend_timeout_seconds),
        Some((defaults.proxy_buffer_size_in_kb, defaults.proxy_buffer_blocks)),
        Some(&defaults.allow),
    )
}

fn settings_context(
    indent: &'static str,
    timeout: Option<u32>,
    buffers: Option<(u32, u32)>,
    allow: Option<&AllowList>,
) -> Value {
    // nginx wants two buffers, and of busy ones no more than all but one, and room for the first.
    let (size, blocks) = buffers.map_or((None, None), |(size, blocks)| (Some(size), Some(blocks.max(2))));
    let busy = size.zip(blocks).map(|(size, blocks)| size * (blocks - 1).min(2));
    Value::from_pairs([
        ("indent", token::keyword(indent)),
        ("timeout", Value::from(timeout)),
        ("buffer_size", Value::from(size)),
        ("buffers", Value::from(blocks)),
        ("busy_buffers_size", Value::from(busy)),
        ("allow_everyone", Value::from(allow.is_some_and(|allow| *allow == AllowList::everyone()))),
        ("allow", allow.map_or_else(|| Value::from(()), |allow| Value::from(allowed(allow)))),
    ])
}

/// The networks of an allow list, and the machine itself, which is always allowed.
fn allowed(allow: &AllowList) -> Vec<Value> {
    let loopback = std::iter::once(token::keyword("127.0.0.1"));
    loopback.chain(allow.networks().iter().map(token::network)).collect()
}
