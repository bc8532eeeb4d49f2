//! nginx: its ports, its process, its reloads and its tuning.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use feed_reconcile::options::{HeaderName, LogLevel, NginxOptions, Resolver};
use ipnet::IpNet;

use super::observed::ObservedArgs;
use super::traffic::RequestMetricsArgs;
use super::{UsageError, value};
use crate::config::{NginxConfig, ReloadConfig};

/// The port that `render` writes where none is given.
const RENDERED_PORT: u16 = 80;

#[derive(clap::Args)]
#[command(next_help_heading = "Ports")]
pub(super) struct PortArgs {
    /// Port of nginx for requests without TLS. Required to serve, unless there is --ingress-https-port; render then takes 80.
    #[arg(long, value_name = "PORT", value_parser = value::port)]
    ingress_port: Option<u16>,
    /// Port of nginx for requests with TLS.
    #[arg(long, value_name = "PORT", value_parser = value::port)]
    ingress_https_port: Option<u16>,
    /// Port of nginx's own /health, which load balancers ask, and /basic_status.
    #[arg(long, value_name = "PORT", default_value = "8081", value_parser = value::port)]
    ingress_health_port: u16,
}

/// nginx's ports, all different.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    http: Option<u16>,
    https: Option<u16>,
    status: u16,
}

impl Ports {
    /// Whether requests with TLS are taken.
    pub(super) fn tls(&self) -> bool {
        self.https.is_some()
    }

    pub(super) fn http(&self) -> Option<u16> {
        self.http
    }

    pub(super) fn https(&self) -> Option<u16> {
        self.https
    }
}

impl PortArgs {
    /// Takes the port that `render` writes where none is given.
    pub(super) fn or_rendered(mut self) -> Self {
        if self.ingress_https_port.is_none() {
            self.ingress_port.get_or_insert(RENDERED_PORT);
        }
        self
    }

    /// Checks that there is one for requests, and that no two ports are the same, the supervisor's own included where it
    /// has one.
    pub(super) fn resolve(&self, health_port: Option<u16>) -> Result<Ports, UsageError> {
        let (http, https, status) = (self.ingress_port, self.ingress_https_port, self.ingress_health_port);
        if http.or(https).is_none() {
            return Err(UsageError::MissingPort);
        }
        let named = [
            ("ingress-port", http),
            ("ingress-https-port", https),
            ("ingress-health-port", Some(status)),
            ("health-port", health_port),
        ];
        for (index, (one, port)) in named.iter().enumerate() {
            let same = named.iter().skip(index + 1).find(|(_, other)| port.is_some() && other == port);
            if let Some((other, _)) = same {
                return Err(UsageError::SamePort { one, other });
            }
        }
        Ok(Ports { http, https, status })
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "nginx")]
pub(super) struct NginxArgs {
    /// The nginx program: a path, or a name to find in PATH.
    #[arg(long, value_name = "FILE", default_value = "nginx")]
    nginx_binary: PathBuf,
    /// Directory of nginx's configuration and of everything that nginx writes.
    #[arg(long, value_name = "DIR", default_value = "/var/run/feed-ingress", value_parser = value::workdir)]
    nginx_workdir: PathBuf,
    /// nginx runs in the neighbouring container and writes its pid to this file; without it, nginx is a child process.
    #[arg(long, value_name = "FILE", value_parser = value::nginx_path)]
    nginx_pid_file: Option<PathBuf>,
    /// A template of your own for nginx.conf (Jinja syntax), checked at start.
    #[arg(long, value_name = "FILE")]
    nginx_template: Option<PathBuf>,
    /// Name servers for ExternalName Services, as addresses or names with an optional port. May be repeated.
    #[arg(long, value_name = "SERVER", value_delimiter = ',', value_parser = value::resolver)]
    nginx_resolver: Vec<Resolver>,
}

impl NginxArgs {
    pub(super) fn resolve(
        self,
        ports: Ports,
        tuning: TuningArgs,
        observed: ObservedArgs,
        requests: &RequestMetricsArgs,
        needs_resolver: bool,
    ) -> Result<NginxConfig, UsageError> {
        let Self { nginx_binary, nginx_workdir, nginx_pid_file, nginx_template, nginx_resolver } = self;
        if needs_resolver && nginx_resolver.is_empty() {
            return Err(UsageError::MissingResolver);
        }
        let sidecar = nginx_pid_file.is_some();
        let pid_file = nginx_pid_file.unwrap_or_else(|| nginx_workdir.join("nginx.pid"));
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let (access_log, tracing) = observed.resolve(&nginx_workdir)?;
        let base = NginxOptions {
            workdir: text(&nginx_workdir),
            pid_file: text(&pid_file),
            sidecar,
            request_metrics: requests.request_metrics,
            resolvers: nginx_resolver,
            access_log,
            tracing,
            ..tuning.options(ports)
        };
        Ok(NginxConfig { binary: nginx_binary, template: nginx_template, base })
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "nginx's reloads and restarts")]
pub(super) struct ReloadArgs {
    /// Reloads that may follow one another after quiet.
    #[arg(long, value_name = "COUNT", default_value = "3", value_parser = value::count)]
    nginx_update_burst: NonZeroU32,
    /// Time after which one more reload is allowed.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = value::duration)]
    nginx_update_period: Duration,
    /// How long a reload may take; then the last confirmed configuration is put back.
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = value::duration)]
    nginx_confirm_timeout: Duration,
    /// Wait with a reload while more old workers than this finish their connections; 0 for no limit.
    #[arg(long, value_name = "COUNT", default_value = "0", value_parser = value::number(0, u32::MAX))]
    nginx_max_shutting_down_workers: u32,
    /// How often in a row a dead nginx is started again before feed-ingress gives up.
    #[arg(long, value_name = "COUNT", default_value = "5", value_parser = value::number(0, u32::MAX))]
    nginx_max_restarts: u32,
    /// Let a configuration without routes replace one with routes.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "false", value_parser = value::boolean)]
    allow_empty: bool,
}

impl ReloadArgs {
    pub(super) fn resolve(self) -> ReloadConfig {
        ReloadConfig {
            confirm_timeout: self.nginx_confirm_timeout,
            max_shutting_down_workers: self.nginx_max_shutting_down_workers,
            max_restarts: self.nginx_max_restarts,
            update_burst: self.nginx_update_burst,
            update_period: self.nginx_update_period,
            allow_empty: self.allow_empty,
        }
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "nginx's tuning")]
pub(super) struct TuningArgs {
    /// Worker processes.
    #[arg(long, value_name = "COUNT", default_value = "1", value_parser = value::number(1, 1024))]
    nginx_workers: u32,
    /// Connections of a worker, to clients and to backends [default: 1024, or more where the backends' idle connections need it]
    #[arg(long, value_name = "COUNT", value_parser = value::number(16, 1_048_576))]
    nginx_worker_connections: Option<u32>,
    /// How long an old worker may go on after a reload before its connections are closed, in seconds; 0 for ever.
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = value::number(0, 86_400))]
    nginx_worker_shutdown_timeout_seconds: u32,
    /// How long an idle client connection stays open, in seconds. Longer than the load balancer's own idle timeout.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = value::number(0, 86_400))]
    nginx_keepalive_seconds: u32,
    /// Idle connections kept to each backend, for each worker [default: 512, or fewer when there are many backends]
    #[arg(long, value_name = "COUNT", value_parser = value::number(1, 65_535))]
    nginx_backend_keepalive_count: Option<u32>,
    /// Time limit for connecting to a backend, in seconds.
    #[arg(long, value_name = "SECONDS", default_value = "1", value_parser = value::number(1, 86_400))]
    nginx_backend_connect_timeout_seconds: u32,
    /// The least severe messages that nginx logs: debug, info, notice, warn, error, crit, alert or emerg.
    #[arg(long, value_name = "LEVEL", default_value = "warn", value_parser = value::log_level)]
    nginx_loglevel: LogLevel,
    /// nginx's server_names_hash_bucket_size [default: computed from the hosts]
    #[arg(long, value_name = "BYTES", value_parser = value::number(32, 65_472))]
    nginx_server_names_hash_bucket_size: Option<u32>,
    /// nginx's server_names_hash_max_size [default: computed from the hosts]
    #[arg(long, value_name = "COUNT", value_parser = value::number(32, 16_777_216))]
    nginx_server_names_hash_max_size: Option<u32>,
    /// Connections begin with the PROXY protocol.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "false", value_parser = value::boolean)]
    nginx_proxy_protocol: bool,
    /// Load balancers whose word about the client is believed, as IP addresses and CIDRs. May be repeated.
    #[arg(long, value_name = "NETWORK", value_delimiter = ',', value_parser = value::network)]
    nginx_trusted_frontends: Vec<IpNet>,
    /// The header in which they name the client.
    #[arg(long, value_name = "HEADER", default_value = "X-Forwarded-For", value_parser = value::header_name)]
    set_real_ip_from_header: HeaderName,
    /// Pass on request headers whose names hold an underscore. Without it only hosts with nothing but gRPC backends take them.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "false", value_parser = value::boolean)]
    nginx_underscores_in_headers: bool,
    /// Size of the buffer for a request's header, in KiB.
    #[arg(long, value_name = "KIB", default_value = "16", value_parser = value::number(1, 1024))]
    nginx_client_header_buffer_size_in_kb: u32,
    /// Size of the buffer for a request's body, in KiB.
    #[arg(long, value_name = "KIB", default_value = "16", value_parser = value::number(1, 65_536))]
    nginx_client_body_buffer_size_in_kb: u32,
    /// Number of buffers for large request headers.
    #[arg(long, value_name = "COUNT", default_value = "4", value_parser = value::number(1, 1024))]
    nginx_large_client_header_buffer_blocks: u32,
}

impl TuningArgs {
    /// The renderer's options, without what [`NginxArgs`] knows and without the machine's facts.
    fn options(self, ports: Ports) -> NginxOptions {
        let Self {
            nginx_workers,
            nginx_worker_connections,
            nginx_worker_shutdown_timeout_seconds,
            nginx_keepalive_seconds,
            nginx_backend_keepalive_count,
            nginx_backend_connect_timeout_seconds,
            nginx_loglevel,
            nginx_server_names_hash_bucket_size,
            nginx_server_names_hash_max_size,
            nginx_proxy_protocol,
            nginx_trusted_frontends,
            set_real_ip_from_header,
            nginx_underscores_in_headers,
            nginx_client_header_buffer_size_in_kb,
            nginx_client_body_buffer_size_in_kb,
            nginx_large_client_header_buffer_blocks,
        } = self;
        NginxOptions {
            workdir: String::new(),
            pid_file: String::new(),
            sidecar: false,
            request_metrics: true,
            http_port: ports.http,
            https_port: ports.https,
            status_port: ports.status,
            ipv6: false,
            keepalive_min_timeout: false,
            http2_directive: false,
            workers: nginx_workers,
            worker_connections: nginx_worker_connections,
            open_file_limit: None,
            worker_shutdown_timeout_seconds: nginx_worker_shutdown_timeout_seconds,
            keepalive_seconds: nginx_keepalive_seconds,
            backend_keepalive_count: nginx_backend_keepalive_count,
            backend_connect_timeout_seconds: nginx_backend_connect_timeout_seconds,
            log_level: nginx_loglevel,
            server_names_hash_bucket_size: nginx_server_names_hash_bucket_size,
            server_names_hash_max_size: nginx_server_names_hash_max_size,
            proxy_protocol: nginx_proxy_protocol,
            trusted_frontends: nginx_trusted_frontends,
            real_ip_header: set_real_ip_from_header,
            underscores_in_headers: nginx_underscores_in_headers,
            client_header_buffer_size_in_kb: nginx_client_header_buffer_size_in_kb,
            client_body_buffer_size_in_kb: nginx_client_body_buffer_size_in_kb,
            large_client_header_buffer_blocks: nginx_large_client_header_buffer_blocks,
            endpoint_resolver: None,
            resolvers: Vec::new(),
            access_log: None,
            tracing: None,
        }
    }
}
