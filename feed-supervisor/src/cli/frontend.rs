//! Flags of the frontends.
//!
//! Every flag is in one group only, so that several subcommands can have it; `bootstrap` has all.

mod aws;
mod gorb;
mod merlin;

use std::collections::BTreeSet;
use std::time::Duration;

use feed_reconcile::desired::Scheme;
use feed_reconcile::options::Endpoint;

pub(super) use self::aws::{AlbArgs, ElbArgs, NlbArgs};
pub(super) use self::gorb::GorbArgs;
pub(super) use self::merlin::MerlinArgs;
use super::nginx::Ports;
use super::{UsageError, value};
use crate::config::{Frontend, StaticFrontend};

/// What a frontend may have to know of the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    /// `--ingress-class`.
    pub(super) class: &'a str,
    /// nginx's ports.
    pub(super) ports: Ports,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Ingress status (static)")]
pub(super) struct StaticArgs {
    /// Name or IP address of the load balancer for Ingresses whose sky.uk/frontend-scheme is internal.
    #[arg(long, value_name = "HOST", value_parser = value::endpoint)]
    internal_hostname: Option<Endpoint>,
    /// Name or IP address of the load balancer for Ingresses whose sky.uk/frontend-scheme is internet-facing.
    #[arg(long, value_name = "HOST", value_parser = value::endpoint)]
    external_hostname: Option<Endpoint>,
    #[command(flatten)]
    drain: DrainArgs,
}

impl StaticArgs {
    pub(super) fn resolve(self) -> Result<Frontend, UsageError> {
        let Self { internal_hostname, external_hostname, drain } = self;
        let internal = internal_hostname.map(|endpoint| (Scheme::Internal, endpoint));
        let external = external_hostname.map(|endpoint| (Scheme::InternetFacing, endpoint));
        let endpoints: BTreeSet<_> = internal.into_iter().chain(external).collect();
        if endpoints.is_empty() {
            return Err(UsageError::MissingHostname);
        }
        Ok(Frontend::Static(StaticFrontend { endpoints, notice: drain.notice() }))
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "Load balancers that are joined and left")]
pub(super) struct ResyncArgs {
    /// How often load balancers are looked for, and joined again where somebody else has taken us out.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = value::duration)]
    frontend_resync_period: Duration,
}

/// How long requests may still come once the end has begun, where nothing else is said.
#[derive(Clone, Copy, Debug)]
enum DrainDelay {
    /// Others decide where requests go, and learn of our end on their own.
    Unasked,
    /// Load balancers are asked whether they still send any.
    Asked,
    /// Network load balancers go on for a minute or two after a deregistration, whatever they say.
    Network,
}

impl DrainDelay {
    fn default(self) -> Duration {
        Duration::from_secs(match self {
            Self::Unasked => 15,
            Self::Asked => 60,
            Self::Network => 120,
        })
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "Leaving")]
pub(super) struct DrainArgs {
    /// How long requests may still come: for none and static after SIGTERM, with everything served as before (at most half
    /// of --shutdown-grace-period; SIGINT does without); otherwise after load balancers were left [default: 15s for none
    /// and static, 60s for elb and gorb, 120s for nlb]
    #[arg(long, value_name = "DURATION", value_parser = value::delay)]
    drain_delay: Option<Duration>,
}

impl DrainArgs {
    /// For `none`.
    pub(super) fn notice(&self) -> Duration {
        self.delay(DrainDelay::Unasked)
    }

    fn delay(&self, of: DrainDelay) -> Duration {
        self.drain_delay.unwrap_or_else(|| of.default())
    }
}
