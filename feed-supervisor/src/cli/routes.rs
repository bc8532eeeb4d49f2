//! Backends, and what applies to an Ingress without annotations.

use feed_reconcile::options::{Adoption, AllowList, BackendMode, Options, RouteDefaults};

use super::value;

#[derive(clap::Args)]
#[command(next_help_heading = "Backends")]
pub(super) struct BackendArgs {
    /// Where requests are sent: service, to its ClusterIP, which does not change when pods do; endpoints, to the ready ones.
    #[arg(long, value_name = "MODE", default_value = "service", value_parser = ["service", "endpoints"])]
    backend_mode: String,
    /// Allow Services of type ExternalName.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "false", value_parser = value::boolean)]
    pub(super) allow_external_name: bool,
}

impl BackendArgs {
    /// These options, with the usual defaults for routes.
    pub(super) fn options(self, adoption: Adoption, tls: bool) -> Options {
        let Self { backend_mode, allow_external_name } = self;
        let backend_mode =
            if backend_mode == "endpoints" { BackendMode::Endpoints } else { BackendMode::ServiceIp };
        Options {
            adoption,
            defaults: RouteDefaults::default(),
            backend_mode,
            allow_external_name,
            tls,
            assume_assigned: false,
        }
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "Defaults of Ingresses without the annotation")]
pub(super) struct RouteArgs {
    /// Clients that are allowed, as IP addresses and CIDRs separated by commas; nothing allows nobody. 127.0.0.1 always is.
    #[arg(long, value_name = "NETWORKS", default_value = "0.0.0.0/0,::/0", value_parser = value::allow_list)]
    ingress_allow: AllowList,
    /// Whether a route's path is stripped before proxying.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "true", value_parser = value::boolean)]
    ingress_strip_path: bool,
    /// Whether a path matches only itself.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "false", value_parser = value::boolean)]
    ingress_exact_path: bool,
    /// Read and send timeout towards a backend, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = value::number(1, 86_400))]
    nginx_default_backend_timeout_seconds: u32,
    /// Connections to a backend address at the same time, for each worker; 0 for no limit.
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = value::number(0, i32::MAX.unsigned_abs()))]
    nginx_default_backend_max_connections: u32,
    /// Size of the buffers for a response, in KiB.
    #[arg(long, value_name = "KIB", default_value = "16", value_parser = value::number(1, 32))]
    nginx_default_proxy_buffer_size: u32,
    /// Number of those buffers.
    #[arg(long, value_name = "COUNT", default_value = "4", value_parser = value::number(1, 8))]
    nginx_default_proxy_buffer_blocks: u32,
}

impl RouteArgs {
    pub(super) fn resolve(self, adoption: Adoption, backends: BackendArgs, tls: bool) -> Options {
        let Self {
            ingress_allow,
            ingress_strip_path,
            ingress_exact_path,
            nginx_default_backend_timeout_seconds,
            nginx_default_backend_max_connections,
            nginx_default_proxy_buffer_size,
            nginx_default_proxy_buffer_blocks,
        } = self;
        let defaults = RouteDefaults {
            allow: ingress_allow,
            strip_path: ingress_strip_path,
            exact_path: ingress_exact_path,
            backend_timeout_seconds: nginx_default_backend_timeout_seconds,
            backend_max_connections: nginx_default_backend_max_connections,
            proxy_buffer_size_in_kb: nginx_default_proxy_buffer_size,
            proxy_buffer_blocks: nginx_default_proxy_buffer_blocks,
        };
        Options { defaults, ..backends.options(adoption, tls) }
    }
}
