//! What the operator asked for: plain values, already checked. Where they come from is `cli`'s business.

mod frontend;
mod ipvs;

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use feed_reconcile::options::{NginxOptions, Options};

pub use self::frontend::{AwsBalancers, AwsFrontend, Frontend, FrontendTags, Joining, StaticFrontend};
pub use self::ipvs::{
    GorbFrontend, GorbHealthCheck, GorbService, InterfaceAddress, Loopback, MerlinForward, MerlinFrontend,
    MerlinHealthCheck, MerlinServer, MerlinService,
};
pub use crate::runtime::settings::{
    LeaseConfig, LogFormat, Logging, PushConfig, Source, SpansConfig, Verbosity,
};

/// Where nginx logs requests if nothing else is said, below the workdir.
pub const ACCESS_LOG_DIRECTORY: &str = "logs";

/// Settings of a running `feed-ingress`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where the cluster's objects come from.
    pub source: Source,
    /// How often everything is computed and checked anew although nothing has changed.
    pub resync_period: Duration,
    /// What to serve, and how.
    pub options: Options,
    /// nginx: the program and its configuration.
    pub nginx: NginxConfig,
    /// Certificates, where requests with TLS are taken.
    pub tls: Option<TlsConfig>,
    /// When nginx is reloaded and started again.
    pub reload: ReloadConfig,
    /// Upper bounds of the buckets of a route's latency histogram, ascending; none for no histogram.
    pub request_buckets: Vec<Duration>,
    /// Port of the supervisor's own endpoints: `/health`, `/metrics`, `/status`.
    pub health_port: u16,
    /// Through what the clients come.
    pub frontend: Frontend,
    /// Which of several replicas writes to the cluster. None where the class is no name that a Lease could have, and no status is
    /// written.
    pub lease: Option<LeaseConfig>,
    /// How long leaving may take after the first signal.
    pub shutdown_grace_period: Duration,
    /// What is logged, and in which form.
    pub logging: Logging,
    /// The push gateway that metrics are pushed to, if they are.
    pub push: Option<PushConfig>,
    /// The collector that spans are sent to, if they are.
    pub spans: Option<SpansConfig>,
}

/// nginx: the program and its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NginxConfig {
    /// The program: a path, or a name to be found in `PATH`.
    pub binary: PathBuf,
    /// A template of the user's own, instead of the built-in one.
    pub template: Option<PathBuf>,
    /// The renderer's options but for what depends on the machine: see [`NginxConfig::options`].
    pub base: NginxOptions,
}

/// Certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsConfig {
    /// The files of the default certificate and its key, without their endings `.crt` and `.key`.
    pub default_pair: PathBuf,
}

/// When nginx is reloaded and started again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadConfig {
    /// How long a reload may take until it counts as failed.
    pub confirm_timeout: Duration,
    /// A reload waits while more old workers than this finish their connections; 0 for no limit.
    pub max_shutting_down_workers: u32,
    /// How often in a row a dead nginx is started again.
    pub max_restarts: u32,
    /// Reloads that may follow one another after quiet.
    pub update_burst: NonZeroU32,
    /// Time after which one more reload is allowed.
    pub update_period: Duration,
    /// Whether a configuration without routes may replace one with routes.
    pub allow_empty: bool,
}

/// What the machine and the nginx on it can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NginxFacts {
    /// Whether the kernel has IPv6.
    pub ipv6: bool,
    /// Whether nginx knows `keepalive_min_timeout` (1.27.4 and newer).
    pub keepalive_min_timeout: bool,
    /// Whether nginx knows the directive `http2` (1.25.1 and newer).
    pub http2_directive: bool,
    /// The open files that a worker may be given; `None` where there is no limit.
    pub open_file_limit: Option<u64>,
    /// The name server for endpoints, where nginx can follow one (1.27.3 and newer).
    pub endpoint_resolver: Option<SocketAddr>,
}

impl NginxConfig {
    /// The renderer's options on this machine.
    pub fn options(&self, facts: NginxFacts) -> NginxOptions {
        NginxOptions {
            ipv6: facts.ipv6,
            keepalive_min_timeout: facts.keepalive_min_timeout,
            http2_directive: facts.http2_directive,
            open_file_limit: facts.open_file_limit,
            // A template of the user's own names the name servers itself.
            endpoint_resolver: facts.endpoint_resolver.filter(|_| self.template.is_none()),
            ..self.base.clone()
        }
    }

    /// Whether nginx is the neighbouring container's, found by its pid file, rather than our child.
    pub fn is_sidecar(&self) -> bool {
        self.base.sidecar
    }

    /// The directory below which nginx writes; absolute.
    pub fn workdir(&self) -> &Path {
        Path::new(&self.base.workdir)
    }

    /// Where nginx writes its pid; absolute.
    pub fn pid_file(&self) -> &Path {
        Path::new(&self.base.pid_file)
    }

    /// Whether requests are counted.
    pub fn counts_requests(&self) -> bool {
        self.base.request_metrics
    }

    /// Port for requests without TLS, if they are taken.
    pub fn http_port(&self) -> Option<u16> {
        self.base.http_port
    }

    /// Port for requests with TLS, if they are taken.
    pub fn https_port(&self) -> Option<u16> {
        self.base.https_port
    }

    /// The ports for requests.
    pub fn request_ports(&self) -> Vec<u16> {
        self.http_port().into_iter().chain(self.https_port()).collect()
    }

    /// Port of nginx's own `/health`, `/basic_status` and `/generation`.
    pub fn status_port(&self) -> u16 {
        self.base.status_port
    }
}

/// Settings of `bootstrap`: write a first nginx configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootstrapConfig {
    /// The program and its configuration.
    pub nginx: NginxConfig,
    /// What is logged, and in which form.
    pub logging: Logging,
}

/// Settings of `render`: print the nginx configuration of a directory's manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderConfig {
    /// The directory.
    pub manifests: PathBuf,
    /// What to serve, and how.
    pub options: Options,
    /// nginx's configuration.
    pub nginx: NginxConfig,
    /// Certificates, where requests with TLS are taken.
    pub tls: Option<TlsConfig>,
}

/// Settings of `check`: print what is wrong with a directory's manifests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckConfig {
    /// The directory.
    pub manifests: PathBuf,
    /// What would be served, and how.
    pub options: Options,
    /// The form of what is printed.
    pub output: CheckOutput,
}

/// The form in which `check` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckOutput {
    /// As a compiler would.
    #[default]
    Text,
    /// One JSON document.
    Json,
}
