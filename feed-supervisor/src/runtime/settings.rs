//! What the operator asked for, as far as both binaries have it: plain values, already checked.

use std::path::PathBuf;
use std::time::Duration;

pub use super::telemetry::{LogFormat, Verbosity};

/// Where the cluster's objects come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// From a Kubernetes API server: that of a kubeconfig file, or that of the cluster in which this process is a
    /// pod.
    Kubernetes {
        /// The file given by `--kubeconfig`.
        kubeconfig: Option<PathBuf>,
    },
    /// From the YAML files below a directory.
    Manifests(PathBuf),
}

/// The Lease whose holder, of all replicas, acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseConfig {
    /// Its name.
    pub name: String,
    /// Its namespace: the flag's, else `POD_NAMESPACE`. `None`: the service account's, else `default`.
    pub namespace: Option<String>,
    /// How long a holder that was not heard of keeps it; whole seconds, at least 3.
    pub duration: Duration,
}

/// What is logged, and in which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// How much is logged.
    pub verbosity: Verbosity,
    /// The form of a line.
    pub format: LogFormat,
}
