//! Flags of the frontends.
//!
//! Every flag is in one group only, so that several subcommands can have it; `bootstrap` has all.

mod aws;
mod gorb;
mod merlin;

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use feed_reconcile::desired::Scheme;
use feed_reconcile::options::Endpoint;

pub(super) use self::aws::{AlbArgs, ElbArgs, NlbArgs};
pub(super) use self::gorb::GorbArgs;
pub(super) use self::merlin::MerlinArgs;
use super::nginx::Ports;
use super::{UsageError, value};
use crate::config::{Frontend, LeaseConfig, StaticFrontend};
use crate::runtime::flags::LeaseArgs;

/// What a frontend may have to know of the rest.
#[derive(Clone, Copy, Debug)]
pub(super) struct Surroundings<'a> {
    /// `--ingress-class`.
    pub(super) class: &'a str,
    /// nginx's ports.
    pub(super) ports: Ports,
    /// The variable `POD_NAMESPACE`.
    pub(super) pod_namespace: Option<&'a OsString>,
}

impl Surroundings<'_> {
    fn lease(self, lease: LeaseArgs) -> Result<LeaseConfig, UsageError> {
        Ok(lease.resolve(&format!("feed-ingress-{}", self.class), self.pod_namespace.cloned())?)
    }
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
    lease: LeaseArgs,
}

impl StaticArgs {
    pub(super) fn resolve(self, around: Surroundings<'_>) -> Result<Frontend, UsageError> {
        let Self { internal_hostname, external_hostname, lease } = self;
        let internal = internal_hostname.map(|endpoint| (Scheme::Internal, endpoint));
        let external = external_hostname.map(|endpoint| (Scheme::InternetFacing, endpoint));
        let endpoints: BTreeSet<_> = internal.into_iter().chain(external).collect();
        if endpoints.is_empty() {
            return Err(UsageError::MissingHostname);
        }
        Ok(Frontend::Static(StaticFrontend { endpoints, lease: around.lease(lease)? }))
    }
}

#[derive(clap::Args)]
#[command(next_help_heading = "Load balancers that are joined and left")]
pub(super) struct ResyncArgs {
    /// How often load balancers are looked for, and joined again where somebody else has taken us out.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = value::duration)]
    frontend_resync_period: Duration,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Load balancers that are joined and left")]
pub(super) struct DrainArgs {
    /// How long a load balancer that was left may go on sending requests.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = value::delay)]
    drain_delay: Duration,
}
