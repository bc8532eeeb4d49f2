//! The command line: flags, their environment variables, and what they mean together.
//!
//! The only place that knows `clap`. Doc comments of the flags are the help.

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches};
use feed_supervisor::runtime::VERSION;
use feed_supervisor::runtime::flags::{
    self, AdoptionArgs, ClusterArgs, FlagError, LeaseArgs, ProcessArgs, ReportArgs, Stop,
};

use crate::config::{Config, PlanOutput};
use crate::metrics;

mod aws;

use aws::{AwsArgs, FrontendArgs, ZoneArgs};

/// What the user asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Print this text, help or version, and end.
    Print(String),
    /// Keep the zones.
    Run(Box<Config>),
    /// Print what would be changed.
    Plan(Box<Config>, PlanOutput),
}

/// What is wrong with a command line, and the exit code that says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Usage {
    /// What is wrong.
    pub error: UsageError,
    /// 1 for `plan`, whose exit code 2 means something else; 2 otherwise.
    pub exit_code: u8,
}

/// What is wrong with a command line. The text has three lines at the most.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsageError {
    /// A flag is unknown, its value is wrong, or it does not go with another.
    #[error(transparent)]
    Flags(#[from] FlagError),
    /// No zone to keep.
    #[error("--r53-hosted-zone is required: it is the id of a hosted zone to keep, and may be repeated")]
    MissingZone,
    /// Nowhere to point to.
    #[error(
        "there is nothing for records to point to: give --elb-label-value or --alb-names, or else \
         --internal-hostname or --external-hostname"
    )]
    MissingFrontend,
    /// Two kinds of frontends.
    #[error(
        "--{discovered} and --{given} exclude each other: records point to load balancers that are found, or to \
         hostnames that are given"
    )]
    TwoFrontends {
        /// A flag of the first kind.
        discovered: &'static str,
        /// A flag of the second kind.
        given: &'static str,
    },
}

/// Keeps Route 53's records in step with Kubernetes Ingresses.
#[derive(clap::Parser)]
#[command(name = "feed-dns", version = VERSION, disable_help_subcommand = true, term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: CliCommand,
}

#[derive(clap::Subcommand)]
enum CliCommand {
    /// Keep Route 53's records in step with Kubernetes Ingresses.
    #[command(
        override_usage = "feed-dns [OPTIONS]\n       feed-dns plan [OPTIONS]",
        about = "Keeps Route 53's records in step with Kubernetes Ingresses.\n\n\
                 feed-dns plan, with the same flags, prints what would be changed, and changes nothing."
    )]
    Run(RunArgs),
    /// Print what would be changed, and change nothing: exit code 0 for nothing, 2 for changes, 1 for an error.
    Plan {
        /// How the changes are printed.
        #[arg(long, value_name = "FORM", default_value = "table", value_parser = ["table", "json"])]
        output: String,
        #[command(flatten)]
        run: RunArgs,
    },
}

#[derive(clap::Args)]
struct RunArgs {
    #[command(flatten)]
    zones: ZoneArgs,
    #[command(flatten)]
    frontends: FrontendArgs,
    #[command(flatten)]
    aws: AwsArgs,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    adoption: AdoptionArgs,
    #[command(flatten)]
    lease: LeaseArgs,
    #[command(flatten)]
    process: ProcessArgs,
    #[command(flatten)]
    reports: ReportArgs,
}

/// The name of the subcommand that is meant when none is given.
const RUN: &str = "run";
const PLAN: &str = "plan";

/// Reads a command line, its first word being the program's name, and the environment.
pub fn parse(
    args: impl IntoIterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Command, Usage> {
    let mut args: Vec<OsString> = args.into_iter().map(flags::modern_spelling).collect();
    let is_plan = args.get(1).is_some_and(|word| word == PLAN);
    let is_version = args.get(1).is_some_and(|word| word == "--version" || word == "-V");
    if !is_plan && !is_version {
        args.insert(args.len().min(1), RUN.into());
    }
    let usage = |error| Usage { error, exit_code: if is_plan { 1 } else { 2 } };
    let cli = flags::matches(&command(), args, &variable)
        .and_then(|matches| Cli::from_arg_matches(&matches).map_err(|error| Stop::of_clap(&error, &[])));
    match cli {
        Ok(cli) => cli.command.resolve(&variable).map_err(usage),
        Err(Stop::Print(text)) => Ok(Command::Print(text)),
        // Cannot be, as a subcommand is always there.
        Err(Stop::MissingCommand) => Err(usage(UsageError::MissingZone)),
        Err(Stop::Usage(error)) => Err(usage(error.into())),
    }
}

fn command() -> clap::Command {
    flags::with_switches(Cli::command()).mut_subcommands(|subcommand| {
        let subcommand = subcommand.after_help(flags::spelling("r53-hosted-zone"));
        HELP.iter()
            .fold(subcommand, |subcommand, (flag, help)| subcommand.mut_arg(flag, |flag| flag.help(*help)))
    })
}

/// The help of flags that `feed-ingress` has too, where it means something else here.
const HELP: &[(&str, &str)] = &[
    (
        "resync_period",
        "How often the zones are listed and load balancers are looked for although nothing has changed",
    ),
    (
        "ingress_class",
        "Take the Ingresses of this class only, and load balancers whose tag sky.uk/KubernetesClusterIngressClass, where \
         they have it, is this; those of every class without it",
    ),
    ("include_classless_ingresses", "Take the Ingresses that name no class too"),
    (
        "ingress_controller_namespace_selectors",
        "Take only namespaces that carry one of these labels with that value: a=b,c=d. May be repeated",
    ),
    ("match_all_namespace_selectors", "Take only namespaces that carry all of those labels"),
    ("lease_name", "Lease whose holder, of all replicas, acts [default: feed-dns]"),
];

impl CliCommand {
    fn resolve(self, variable: &impl Fn(&str) -> Option<OsString>) -> Result<Command, UsageError> {
        Ok(match self {
            Self::Run(run) => Command::Run(Box::new(run.resolve(variable)?)),
            Self::Plan { output, run } => {
                let output = if output == "json" { PlanOutput::Json } else { PlanOutput::Table };
                Command::Plan(Box::new(run.resolve(variable)?), output)
            }
        })
    }
}

impl RunArgs {
    fn resolve(self, variable: &impl Fn(&str) -> Option<OsString>) -> Result<Config, UsageError> {
        let Self { zones, frontends, aws, cluster, adoption, lease, process, reports } = self;
        let (zones, rules) = zones.resolve()?;
        let adoption = adoption.resolve();
        let (source, resync_period) = cluster.resolve()?;
        let (push, spans) = reports.resolve(metrics::OWN_LABELS)?;
        Ok(Config {
            zones,
            frontends: frontends.resolve(adoption.class.clone())?,
            aws: aws.resolve(),
            adoption,
            rules,
            source,
            resync_period,
            lease: lease.resolve("feed-dns", variable("POD_NAMESPACE"))?,
            health_port: process.health_port,
            logging: process.logging(),
            push,
            spans,
        })
    }
}

#[cfg(test)]
mod tests;
