//! The one place where values become nginx text.
//!
//! A [`Token`] is text that is safe where the templates put it; the template engine prints tokens and
//! numbers and refuses everything else, so that a value cannot reach the file by another way.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use minijinja::value::{Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind, Output, State};

use super::rendered::certificate_file;
use crate::certificate::Digest;
use crate::desired::{Backend, Protocol, UpstreamName};
use crate::host::Host;
use crate::options::{Collector, Endpoint, HeaderName, LogLevel, Resolver, ResolverAddress};
use crate::traffic::{Record, RouteMark};

/// A piece of nginx configuration: one parameter, or a part of one.
#[derive(Debug)]
pub(super) struct Token(String);

impl Object for Token {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The template engine's formatter: tokens and numbers, nothing else.
pub(super) fn format_value(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    let written = match value.downcast_object_ref::<Token>() {
        Some(token) => out.write_str(&token.0),
        None if value.is_number() => write!(out, "{value}"),
        None => {
            let reason = format!("a {} cannot be printed in an nginx configuration", value.kind());
            return Err(Error::new(ErrorKind::BadEscape, reason));
        }
    };
    written.map_err(|error| Error::new(ErrorKind::WriteFailure, error.to_string()))
}

fn token(text: impl Into<String>) -> Value {
    Value::from_object(Token(text.into()))
}

/// A word of our own source code.
pub(super) fn keyword(word: &'static str) -> Value {
    token(word)
}

/// A text of our own making: markers that are replaced after rendering, lists of tokens.
pub(super) fn assembled(text: String) -> Value {
    token(text)
}

/// A host as a parameter of `server_name`.
///
/// A wildcard is one label, as the Kubernetes API defines it; nginx's own `*.` would match several, so
/// that it has to be a regular expression here, and only here: nginx tries it for hosts that nobody
/// declared exactly. Hosts hold letters, digits, `-` and `.` only.
pub(super) fn server_name(host: &Host) -> Value {
    match host.wildcard_suffix() {
        Some(suffix) => token(format!("~^[^.]+\\.{}$", suffix.replace('.', "\\."))),
        None => token(host.as_str()),
    }
}

/// A host as a parameter of its own.
pub(super) fn host(host: &Host) -> Value {
    token(host.as_str())
}

/// A location's path, decoded.
pub(super) fn path(path: &str) -> Value {
    token(quoted(path))
}

/// A route's mark in the log of requests.
pub(super) fn mark(mark: RouteMark) -> Value {
    token(mark.to_string())
}

/// The format of the log of requests: see [`Record`].
pub(super) fn request_format() -> Value {
    token(format!("\"\\r{}\"", Record::FIELDS.join("\\t")))
}

/// Text as one parameter of nginx's configuration: as it is where that is safe, else in double quotes.
fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~');
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(character);
    }
    quoted.push('"');
    quoted
}

/// The name of an upstream as nginx knows it.
pub(super) fn upstream(name: &UpstreamName) -> Value {
    token(UpstreamTarget(name).to_string())
}

/// nginx compares every `proxy_pass` with every upstream, byte by byte: names that differ in their first
/// bytes make that cheap, so that a hash of the name stands before it.
struct UpstreamTarget<'a>(&'a UpstreamName);

impl fmt::Display for UpstreamTarget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.0.as_str();
        write!(f, "{:08x}.{name}", fnv1a(name.as_bytes()))
    }
}

/// The name under which the name server for endpoints knows an upstream.
pub(super) fn endpoints(name: &UpstreamName) -> Value {
    token(name.as_str())
}

/// A backend as `proxy_pass` or `grpc_pass` takes it, without a path; `$external` holds the name of an external one.
pub(super) fn backend(backend: &Backend) -> Value {
    let scheme = |protocol| match protocol {
        Protocol::Http => "http",
        Protocol::Https => "https",
        Protocol::Http2 => "grpc",
    };
    match backend {
        Backend::Upstream(upstream) => {
            token(format!("{}://{}", scheme(upstream.protocol), UpstreamTarget(&upstream.name)))
        }
        Backend::External { port, protocol, .. } => {
            token(format!("{}://$external:{port}", scheme(*protocol)))
        }
        Backend::Unavailable | Backend::Forbidden => Value::from(()),
    }
}

/// FNV-1a, 32 bits: it only has to spread; names are different without it.
fn fnv1a(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// An address with its port, IPv6 in brackets.
pub(super) fn socket_address(address: &SocketAddr) -> Value {
    token(address.to_string())
}

/// A network in CIDR notation.
pub(super) fn network(network: &IpNet) -> Value {
    token(network.to_string())
}

/// A request header's name.
pub(super) fn header(name: &HeaderName) -> Value {
    token(name.as_str())
}

/// The variable that holds a request header's value.
pub(super) fn header_variable(name: &HeaderName) -> Value {
    token(format!("$http_{}", name.as_str().to_ascii_lowercase().replace('-', "_")))
}

/// Names of headers that servers of the CGI kind cannot tell from those that feed sets: they see `_` for `-` and `.`.
pub(super) fn lookalikes() -> Vec<Value> {
    const OURS: [&str; 6] = [
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Port",
        "X-Forwarded-Proto",
        "X-Original-URI",
        "X-Real-IP",
    ];
    let spellings = |name: &'static str| {
        let [first, second, third] = name.split('-').collect::<Vec<_>>()[..] else { return Vec::new() };
        let names = ["-", "_", "."]
            .into_iter()
            .flat_map(|left| ["-", "_", "."].map(|right| [first, left, second, right, third].concat()));
        names.filter(|other| other != name).map(token).collect()
    };
    OURS.into_iter().flat_map(spellings).collect()
}

/// A host as a key of a `map` over the names of TLS handshakes, whose letters may be of either case.
pub(super) fn handshake_name(host: &Host) -> Value {
    match host.wildcard_suffix() {
        Some(suffix) => token(format!("~*^[^.]+\\.{}$", suffix.replace('.', "\\."))),
        None => token(host.as_str()),
    }
}

/// Where `ngx_otel_module` sends spans, IPv6 in brackets. Older versions know no scheme.
pub(super) fn collector(collector: &Collector) -> Value {
    let Collector { tls, host, port } = collector;
    let scheme = if *tls { "https://" } else { "" };
    token(match host {
        Endpoint::Ip(IpAddr::V6(address)) => format!("{scheme}[{address}]:{port}"),
        Endpoint::Ip(address) => format!("{scheme}{address}:{port}"),
        Endpoint::Name(name) => format!("{scheme}{}:{port}", name.as_str()),
    })
}

/// A name server, IPv6 in brackets.
pub(super) fn resolver(resolver: &Resolver) -> Value {
    let address = match &resolver.address {
        ResolverAddress::Ip(IpAddr::V6(address)) => format!("[{address}]"),
        ResolverAddress::Ip(address) => address.to_string(),
        ResolverAddress::Name(name) => name.as_str().to_owned(),
    };
    match resolver.port {
        Some(port) => token(format!("{address}:{port}")),
        None => token(address),
    }
}

/// A level of `error_log`.
pub(super) fn log_level(level: LogLevel) -> Value {
    token(level.as_str())
}

/// A file's path, in quotes where it needs them.
pub(super) fn file(path: &str) -> Value {
    token(quoted(path))
}

/// The file of a certificate with its key.
pub(super) fn certificate(workdir: &str, digest: Digest) -> Value {
    token(quoted(&format!("{workdir}/{}", certificate_file(digest))))
}

/// The variable that holds a request's raw path without its first `depth` segments.
pub(super) fn rest_variable(depth: usize) -> Value {
    token(format!("$rest_{depth}"))
}
