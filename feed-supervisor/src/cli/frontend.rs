//! Flags of the frontends.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::time::Duration;

use feed_reconcile::desired::Scheme;
use feed_reconcile::options::Endpoint;

use super::{UsageError, value};
use crate::config::{Frontend, LeaseConfig, StaticFrontend};

#[derive(clap::Args)]
#[command(next_help_heading = "Ingress status")]
pub(super) struct StaticArgs {
    /// Name or IP address of the load balancer for Ingresses whose sky.uk/frontend-scheme is internal.
    #[arg(long, value_name = "HOST", value_parser = value::endpoint)]
    internal_hostname: Option<Endpoint>,
    /// Name or IP address of the load balancer for Ingresses whose sky.uk/frontend-scheme is internet-facing.
    #[arg(long, value_name = "HOST", value_parser = value::endpoint)]
    external_hostname: Option<Endpoint>,
    /// Lease whose holder, of all replicas, writes status [default: feed-ingress-CLASS]
    #[arg(long, value_name = "NAME", value_parser = value::object_name)]
    lease_name: Option<String>,
    /// The Lease's namespace [default: POD_NAMESPACE, else the service account's, else default]
    #[arg(long, value_name = "NAMESPACE", value_parser = value::object_name)]
    lease_namespace: Option<String>,
    /// How long a holder that was not heard of keeps the Lease; it is renewed every third of it. Whole seconds.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = value::lease_duration)]
    lease_duration: Duration,
}

impl StaticArgs {
    /// The frontend for an ingress class, in a pod of that namespace.
    pub(super) fn resolve(
        self,
        class: &str,
        pod_namespace: Option<OsString>,
    ) -> Result<Frontend, UsageError> {
        let Self { internal_hostname, external_hostname, lease_name, lease_namespace, lease_duration } = self;
        let internal = internal_hostname.map(|endpoint| (Scheme::Internal, endpoint));
        let external = external_hostname.map(|endpoint| (Scheme::InternetFacing, endpoint));
        let endpoints: BTreeSet<_> = internal.into_iter().chain(external).collect();
        if endpoints.is_empty() {
            return Err(UsageError::MissingHostname);
        }
        let pod_namespace = pod_namespace.and_then(|name| name.into_string().ok());
        let lease = LeaseConfig {
            name: match lease_name {
                Some(name) => name,
                None => value::object_name(&format!("feed-ingress-{class}"))
                    .map_err(|_| UsageError::LeaseName { class: class.to_owned() })?,
            },
            namespace: lease_namespace.or_else(|| pod_namespace.filter(|name| !name.is_empty())),
            duration: lease_duration,
        };
        Ok(Frontend::Static(StaticFrontend { endpoints, lease }))
    }
}
