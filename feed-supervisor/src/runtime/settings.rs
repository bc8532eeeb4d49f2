//! What the operator asked for, as far as both binaries have it: plain values, already checked.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

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

/// The push gateway that metrics are pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushConfig {
    /// Its URL, `http` or `https`, up to where its own path begins.
    pub gateway: Url,
    /// How often is pushed.
    pub interval: Duration,
    /// Labels for all that is pushed.
    pub labels: BTreeMap<String, String>,
}

/// The collector that spans are sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpansConfig {
    /// Its URL: `http://HOST:PORT`.
    pub endpoint: String,
}

/// What is logged, and in which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    /// How much is logged.
    pub verbosity: Verbosity,
    /// The form of a line.
    pub format: LogFormat,
}
