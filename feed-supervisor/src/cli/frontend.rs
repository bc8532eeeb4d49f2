//! Flags of the frontends.

use std::collections::BTreeSet;
use std::ffi::OsString;

use feed_reconcile::desired::Scheme;
use feed_reconcile::options::Endpoint;

use super::{UsageError, value};
use crate::config::{Frontend, StaticFrontend};
use crate::runtime::flags::LeaseArgs;

#[derive(clap::Args)]
#[command(next_help_heading = "Ingress status")]
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
    /// The frontend for an ingress class, in a pod of that namespace.
    pub(super) fn resolve(
        self,
        class: &str,
        pod_namespace: Option<OsString>,
    ) -> Result<Frontend, UsageError> {
        let Self { internal_hostname, external_hostname, lease } = self;
        let internal = internal_hostname.map(|endpoint| (Scheme::Internal, endpoint));
        let external = external_hostname.map(|endpoint| (Scheme::InternetFacing, endpoint));
        let endpoints: BTreeSet<_> = internal.into_iter().chain(external).collect();
        if endpoints.is_empty() {
            return Err(UsageError::MissingHostname);
        }
        let lease = lease.resolve(&format!("feed-ingress-{class}"), pod_namespace)?;
        Ok(Frontend::Static(StaticFrontend { endpoints, lease }))
    }
}
