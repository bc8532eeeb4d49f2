//! The values of the main template.

use minijinja::Value;

use super::capacity::Capacity;
use super::location::default_settings;
use super::{observed, token};
use crate::host::Host;
use crate::options::{NginxOptions, RouteDefaults};

/// Stands for the generation until the file is written. Control characters are in no value and no template.
pub(super) const GENERATION: char = '\u{1}';
/// Stands for the upstreams.
pub(super) const UPSTREAMS: char = '\u{2}';
/// Stands for the servers.
pub(super) const SERVERS: char = '\u{3}';

/// What the main template depends on: while it stays the same, so does the text around the blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MainInput {
    pub(super) routes: usize,
    pub(super) capacity: Capacity,
    /// The numbers of segments that some route strips.
    pub(super) depths: Vec<usize>,
    /// The hosts that take names of gRPC's metadata, while others do not.
    pub(super) metadata_hosts: Vec<Host>,
    /// The hosts that do not, although they are below a wildcard that does.
    pub(super) ordinary_hosts: Vec<Host>,
}

/// Every name that a main template may use.
pub(super) fn main_context(input: &MainInput, options: &NginxOptions, defaults: &RouteDefaults) -> Value {
    let capacity = input.capacity;
    let shutdown = options.worker_shutdown_timeout_seconds;
    let depth = |depth: &usize| {
        Value::from_pairs([("variable", token::rest_variable(*depth)), ("segments", Value::from(*depth))])
    };
    let peer = if options.proxy_protocol { "$remote_addr" } else { "$realip_remote_addr" };
    let networks: Vec<Value> = options.trusted_frontends.iter().map(token::network).collect();
    let metadata_hosts: Vec<Value> = input.metadata_hosts.iter().map(token::handshake_name).collect();
    let resolvers: Vec<Value> = options.resolvers.iter().map(token::resolver).collect();
    Value::from_pairs([
        ("generation", token::assembled(GENERATION.into())),
        ("routes", Value::from(input.routes)),
        ("upstreams", token::assembled(UPSTREAMS.into())),
        ("servers", token::assembled(SERVERS.into())),
        ("workers", Value::from(options.workers)),
        ("workdir", token::file(&options.workdir)),
        ("pid_file", token::file(&options.pid_file)),
        ("sidecar", Value::from(options.sidecar)),
        ("request_metrics", Value::from(options.request_metrics)),
        ("request_format", token::request_format()),
        ("log_level", token::log_level(options.log_level)),
        ("worker_connections", Value::from(capacity.worker_connections)),
        ("open_files", Value::from(capacity.open_files)),
        ("worker_shutdown_timeout", Value::from((shutdown > 0).then_some(shutdown))),
        ("server_names_hash_bucket_size", Value::from(capacity.server_names_hash_bucket_size)),
        ("server_names_hash_max_size", Value::from(capacity.server_names_hash_max_size)),
        ("keepalive_seconds", Value::from(options.keepalive_seconds)),
        ("keepalive_min_timeout", Value::from(options.keepalive_min_timeout)),
        ("client_header_buffer_size", Value::from(options.client_header_buffer_size_in_kb)),
        ("client_body_buffer_size", Value::from(options.client_body_buffer_size_in_kb)),
        ("large_client_header_buffer_blocks", Value::from(options.large_client_header_buffer_blocks)),
        ("underscores_in_headers", Value::from(options.underscores_in_headers)),
        ("lookalikes", Value::from(token::lookalikes())),
        ("names_may_meet", Value::from(options.underscores_in_headers || !input.metadata_hosts.is_empty())),
        ("metadata_hosts", Value::from(metadata_hosts)),
        ("ordinary_hosts", input.ordinary_hosts.iter().map(token::handshake_name).collect::<Vec<_>>().into()),
        ("handshake_hash_bucket_size", Value::from(input.capacity.handshake_hash_bucket_size)),
        ("handshake_hash_max_size", Value::from(input.capacity.handshake_hash_max_size)),
        ("proxy_protocol", Value::from(options.proxy_protocol)),
        ("trusted_frontends", Value::from(networks)),
        ("real_ip_header", token::header(&options.real_ip_header)),
        ("peer_address", token::keyword(peer)),
        ("strip_depths", Value::from(input.depths.iter().map(depth).collect::<Vec<_>>())),
        (
            "endpoint_resolver",
            options.endpoint_resolver.as_ref().map_or(Value::from(()), token::socket_address),
        ),
        ("resolvers", Value::from(resolvers)),
        ("ipv6", Value::from(options.ipv6)),
        ("http_port", Value::from(options.http_port)),
        ("https_port", Value::from(options.https_port)),
        ("tls", Value::from(options.https_port.is_some())),
        ("http2_directive", Value::from(options.http2_directive)),
        ("status_port", Value::from(options.status_port)),
        ("backend_connect_timeout", Value::from(options.backend_connect_timeout_seconds)),
        ("settings", default_settings(defaults)),
        ("access_log", observed::access_log(options.access_log.as_ref())),
        ("tracing", observed::tracing(options.tracing.as_ref())),
    ])
}
