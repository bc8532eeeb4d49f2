//! The Lease.

use std::ffi::OsString;
use std::time::Duration;

use super::{FlagError, value};
use crate::runtime::settings::LeaseConfig;

/// Flags of the Lease.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Lease")]
pub struct LeaseArgs {
    /// Lease whose holder, of all replicas, acts [default: feed-ingress-CLASS]
    #[arg(long, value_name = "NAME", value_parser = value::object_name)]
    lease_name: Option<String>,
    /// The Lease's namespace [default: POD_NAMESPACE, else the service account's, else default]
    #[arg(long, value_name = "NAMESPACE", value_parser = value::object_name)]
    lease_namespace: Option<String>,
    /// How long a holder that was not heard of keeps the Lease; it is renewed every third of it. Whole seconds.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = value::lease_duration)]
    lease_duration: Duration,
}

impl LeaseArgs {
    /// The Lease, of that name if no other is given, in a pod of that namespace.
    pub fn resolve(self, name: &str, pod_namespace: Option<OsString>) -> Result<LeaseConfig, FlagError> {
        let Self { lease_name, lease_namespace, lease_duration } = self;
        let pod_namespace = pod_namespace.and_then(|namespace| namespace.into_string().ok());
        Ok(LeaseConfig {
            name: match lease_name {
                Some(name) => name,
                None => {
                    value::object_name(name).map_err(|_| FlagError::LeaseName { name: name.to_owned() })?
                }
            },
            namespace: lease_namespace.or_else(|| pod_namespace.filter(|namespace| !namespace.is_empty())),
            duration: lease_duration,
        })
    }
}
