//! The command line: flags, their environment variables, and what they mean together.
//!
//! The only place that knows `clap`. Doc comments of the flags are the help.

#![expect(clippy::doc_markdown, reason = "doc comments are the help, which shows no backticks")]

mod error;
mod frontend;
mod nginx;
mod observed;
mod routes;
mod supervisor;
mod tls;
mod traffic;
mod value;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, FromArgMatches};

pub use self::error::UsageError;
use self::frontend::{AlbArgs, DrainArgs, ElbArgs, GorbArgs, MerlinArgs, NlbArgs, StaticArgs, Surroundings};
use self::nginx::{NginxArgs, PortArgs, ReloadArgs, TuningArgs};
use self::observed::ObservedArgs;
use self::routes::{BackendArgs, RouteArgs};
use self::supervisor::SupervisorArgs;
use self::tls::TlsArgs;
use self::traffic::{RequestBucketArgs, RequestMetricsArgs};
use crate::config::{BootstrapConfig, CheckConfig, CheckOutput, Config, Frontend, RenderConfig};
use crate::metrics;
use crate::runtime::VERSION;
use crate::runtime::flags::{self, AdoptionArgs, ClusterArgs, LeaseArgs, ProcessArgs, ReportArgs, Stop};

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Print this text, help or version, and end.
    Print(String),
    /// Serve.
    Run(Box<Config>),
    /// Write a first nginx configuration, so that nginx can start before the cluster is known.
    Bootstrap(Box<BootstrapConfig>),
    /// Print the nginx configuration of a directory's manifests.
    Render(Box<RenderConfig>),
    /// Print what is wrong with a directory's manifests.
    Check(Box<CheckConfig>),
}

/// Serves Kubernetes Ingresses with nginx.
#[derive(clap::Parser)]
#[command(
    name = "feed-ingress",
    version = VERSION,
    disable_help_subcommand = true,
    term_width = 100,
    after_help = flags::spelling("ingress-port")
)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(clap::Subcommand)]
enum CliCommand {
    /// Serve, without a load balancer that feed knows of.
    None {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        drain: DrainArgs,
    },
    /// Serve behind load balancers that others look after, and name them in Ingress status.
    Static {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        frontend: StaticArgs,
    },
    /// Serve behind classic load balancers of AWS, which are found by their tags, joined and left.
    Elb {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        frontend: ElbArgs,
    },
    /// Serve behind network load balancers of AWS, whose target groups are found by their tags, joined and left.
    Nlb {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        frontend: NlbArgs,
    },
    /// Serve behind application load balancers of AWS, whose target groups are found by name, joined and left.
    Alb {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        frontend: AlbArgs,
    },
    /// Serve behind virtual services of IPVS that Merlin manages, which are joined and left.
    Merlin {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        frontend: MerlinArgs,
    },
    /// Serve behind virtual services of IPVS that Gorb manages, which are joined and left.
    Gorb {
        #[command(flatten)]
        run: RunArgs,
        #[command(flatten)]
        frontend: GorbArgs,
    },
    /// Write a first nginx configuration that serves only the status port; for an init container with the same flags.
    // It has the flags of every frontend besides: see `command`.
    Bootstrap {
        #[command(flatten)]
        run: RunArgs,
    },
    /// Print the nginx configuration of a directory's manifests.
    Render(RenderArgs),
    /// Print what is wrong with a directory's manifests; exit 1 when there are errors.
    Check(CheckArgs),
}

/// The subcommands that serve through load balancers.
const FRONTENDS: &[&str] = &["static", "elb", "nlb", "alb", "merlin", "gorb"];

#[derive(clap::Args)]
struct RunArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    adoption: AdoptionArgs,
    #[command(flatten)]
    ports: PortArgs,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    backends: BackendArgs,
    #[command(flatten)]
    routes: RouteArgs,
    #[command(flatten)]
    nginx: NginxArgs,
    #[command(flatten)]
    reload: ReloadArgs,
    #[command(flatten)]
    tuning: TuningArgs,
    #[command(flatten)]
    observed: ObservedArgs,
    #[command(flatten)]
    requests: RequestMetricsArgs,
    #[command(flatten)]
    buckets: RequestBucketArgs,
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    supervisor: SupervisorArgs,
    #[command(flatten)]
    lease: LeaseArgs,
    #[command(flatten)]
    reports: ReportArgs,
}

#[derive(clap::Args)]
struct RenderArgs {
    #[command(flatten)]
    manifests: ManifestsArgs,
    #[command(flatten)]
    adoption: AdoptionArgs,
    #[command(flatten)]
    ports: PortArgs,
    #[command(flatten)]
    tls: TlsArgs,
    #[command(flatten)]
    backends: BackendArgs,
    #[command(flatten)]
    routes: RouteArgs,
    #[command(flatten)]
    nginx: NginxArgs,
    #[command(flatten)]
    tuning: TuningArgs,
    #[command(flatten)]
    observed: ObservedArgs,
    #[command(flatten)]
    requests: RequestMetricsArgs,
}

#[derive(clap::Args)]
struct CheckArgs {
    #[command(flatten)]
    manifests: ManifestsArgs,
    /// How the diagnostics are printed.
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json"])]
    output: String,
    #[command(flatten)]
    adoption: AdoptionArgs,
    #[command(flatten)]
    backends: BackendArgs,
}

#[derive(clap::Args)]
struct ManifestsArgs {
    /// Directory tree of YAML files.
    #[arg(long, value_name = "DIR")]
    manifests: Option<PathBuf>,
}

/// Reads a command line, its first word being the program's name, and the environment.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Command, UsageError> {
    let command = command();
    let args = args.into_iter().map(flags::modern_spelling).collect();
    let cli = flags::matches(&command, args, &variable)
        .and_then(|matches| Cli::from_arg_matches(&matches).map_err(|error| Stop::of_clap(&error, &[])));
    match cli {
        Ok(cli) => cli.command.resolve(&variable),
        Err(Stop::Print(text)) => Ok(Command::Print(text)),
        Err(Stop::MissingCommand) => Err(UsageError::MissingCommand),
        Err(Stop::Usage(error)) => Err(error.into()),
    }
}

fn command() -> clap::Command {
    let command = flags::with_switches(Cli::command())
        .mut_subcommands(|subcommand| subcommand.after_help(flags::spelling("ingress-port")));
    let mut known: BTreeSet<_> = ids(command.find_subcommand("bootstrap")).collect();
    let of_frontends: Vec<_> = FRONTENDS
        .iter()
        .filter_map(|frontend| command.find_subcommand(frontend))
        .flat_map(clap::Command::get_arguments)
        .filter(|flag| known.insert(flag.get_id().clone()))
        .cloned()
        .collect();
    command.mut_subcommand("bootstrap", |bootstrap| bootstrap.args(of_frontends))
}

fn ids(command: Option<&clap::Command>) -> impl Iterator<Item = clap::Id> {
    command.into_iter().flat_map(clap::Command::get_arguments).map(|flag| flag.get_id().clone())
}

impl CliCommand {
    fn resolve(self, variable: &impl Fn(&str) -> Option<OsString>) -> Result<Command, UsageError> {
        Ok(match self {
            Self::None { run, drain } => serve(run, variable, |_| Ok(Frontend::None(drain.notice())))?,
            Self::Static { run, frontend } => serve(run, variable, |_| frontend.resolve())?,
            Self::Elb { run, frontend } => serve(run, variable, |around| frontend.resolve(around))?,
            Self::Nlb { run, frontend } => serve(run, variable, |around| frontend.resolve(around))?,
            Self::Alb { run, frontend } => serve(run, variable, |_| frontend.resolve())?,
            Self::Merlin { run, frontend } => serve(run, variable, |around| frontend.resolve(around))?,
            Self::Gorb { run, frontend } => serve(run, variable, |around| frontend.resolve(around))?,
            Self::Bootstrap { run } => {
                let frontend = Frontend::None(Duration::ZERO);
                let Config { nginx, logging, .. } = run.resolve(None, |_| Ok(frontend))?;
                Command::Bootstrap(Box::new(BootstrapConfig { nginx, logging }))
            }
            Self::Render(render) => Command::Render(Box::new(render.resolve()?)),
            Self::Check(check) => Command::Check(Box::new(check.resolve()?)),
        })
    }
}

/// To serve through a frontend.
fn serve(
    run: RunArgs,
    variable: &impl Fn(&str) -> Option<OsString>,
    frontend: impl FnOnce(Surroundings<'_>) -> Result<Frontend, UsageError>,
) -> Result<Command, UsageError> {
    Ok(Command::Run(Box::new(run.resolve(variable("POD_NAMESPACE"), frontend)?)))
}

impl RunArgs {
    fn resolve(
        self,
        pod_namespace: Option<OsString>,
        frontend: impl FnOnce(Surroundings<'_>) -> Result<Frontend, UsageError>,
    ) -> Result<Config, UsageError> {
        let Self {
            cluster,
            adoption,
            ports,
            tls,
            backends,
            routes,
            nginx,
            reload,
            tuning,
            observed,
            requests,
            buckets,
            process,
            reports,
            supervisor,
            lease,
        } = self;
        let (source, resync_period) = cluster.resolve()?;
        let adoption = adoption.resolve();
        let class = adoption.class.as_deref().ok_or(UsageError::MissingClass)?;
        let ports = ports.resolve(Some(process.health_port))?;
        let frontend = frontend(Surroundings { class, ports })?;
        let lease = match lease.resolve(&format!("feed-ingress-{class}"), pod_namespace) {
            Err(error) if frontend.writes_status() => return Err(error.into()),
            lease => lease.ok(),
        };
        let (push, spans) = reports.resolve(metrics::OWN_LABELS)?;
        let needs_resolver = backends.allow_external_name;
        let drain_delay = frontend.joining().map_or(frontend.notice(), |joining| joining.drain_delay);
        Ok(Config {
            source,
            resync_period,
            frontend,
            lease,
            options: routes.resolve(adoption, backends, ports.tls()),
            nginx: nginx.resolve(ports, tuning, observed, &requests, needs_resolver)?,
            tls: tls.resolve(ports),
            reload: reload.resolve(),
            request_buckets: buckets.resolve(),
            health_port: process.health_port,
            shutdown_grace_period: supervisor.grace_period(drain_delay),
            logging: process.logging(),
            push,
            spans,
        })
    }
}

impl RenderArgs {
    fn resolve(self) -> Result<RenderConfig, UsageError> {
        let Self { manifests, adoption, ports, tls, backends, routes, nginx, tuning, observed, requests } =
            self;
        let ports = ports.or_rendered().resolve(None)?;
        let needs_resolver = backends.allow_external_name;
        Ok(RenderConfig {
            manifests: manifests.resolve()?,
            options: routes.resolve(adoption.resolve(), backends, ports.tls()),
            nginx: nginx.resolve(ports, tuning, observed, &requests, needs_resolver)?,
            tls: tls.resolve(ports),
        })
    }
}

impl CheckArgs {
    fn resolve(self) -> Result<CheckConfig, UsageError> {
        let Self { manifests, output, adoption, backends } = self;
        let output = if output == "json" { CheckOutput::Json } else { CheckOutput::Text };
        let options = backends.options(adoption.resolve(), true);
        Ok(CheckConfig { manifests: manifests.resolve()?, options, output })
    }
}

impl ManifestsArgs {
    fn resolve(self) -> Result<PathBuf, UsageError> {
        self.manifests.ok_or(UsageError::MissingManifests)
    }
}

#[cfg(test)]
mod tests;
