//! Where the cluster's objects come from, and which of them are ours.

use std::path::PathBuf;
use std::time::Duration;

use feed_reconcile::options::{Adoption, LabelSelector};

use super::{FlagError, value};
use crate::runtime::settings::Source;

/// Flags of where the objects come from.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterArgs {
    /// Kubeconfig file of the cluster. Without it, the pod's own service account.
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Take the objects from the YAML files below this directory instead of a cluster, and follow its changes.
    #[arg(long, value_name = "DIR")]
    manifests: Option<PathBuf>,
    /// How often everything is computed, and what nginx serves and Ingress status says is checked, although nothing has changed.
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = value::duration)]
    resync_period: Duration,
}

impl ClusterArgs {
    /// The source, and how often everything is looked at anew.
    pub fn resolve(self) -> Result<(Source, Duration), FlagError> {
        let Self { kubeconfig, manifests, resync_period } = self;
        let source = match (manifests, kubeconfig) {
            (Some(_), Some(_)) => return Err(FlagError::TwoSources),
            (Some(directory), None) => Source::Manifests(directory),
            (None, kubeconfig) => Source::Kubernetes { kubeconfig },
        };
        Ok((source, resync_period))
    }
}

/// Flags of which Ingresses are ours.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which Ingresses are served")]
pub struct AdoptionArgs {
    /// Serve the Ingresses of this class. Required to serve; render and check take every class without it.
    #[arg(long, value_name = "NAME", value_parser = value::class)]
    ingress_class: Option<String>,
    /// Serve the Ingresses that name no class too.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "false", value_parser = value::boolean)]
    include_classless_ingresses: bool,
    /// Serve only namespaces that carry one of these labels with that value: a=b,c=d. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', value_parser = value::selector)]
    ingress_controller_namespace_selectors: Vec<LabelSelector>,
    /// Serve only namespaces that carry all of those labels.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "false", value_parser = value::boolean)]
    match_all_namespace_selectors: bool,
}

impl AdoptionArgs {
    /// Which Ingresses are ours.
    pub fn resolve(self) -> Adoption {
        Adoption {
            class: self.ingress_class,
            include_classless: self.include_classless_ingresses,
            namespace_selectors: self.ingress_controller_namespace_selectors,
            match_all_namespace_selectors: self.match_all_namespace_selectors,
        }
    }
}
