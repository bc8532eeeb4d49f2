//! What the operator asked for: plain values, already checked. Where they come from is `cli`'s business.

use std::time::Duration;

use feed_reconcile::dns::{Endpoints, Rules, ZoneId};
use feed_reconcile::options::Adoption;
use feed_supervisor::runtime::settings::{LeaseConfig, Logging, PushConfig, Source, SpansConfig};

use crate::endpoints::Wanted;

/// Settings of `feed-dns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The hosted zones to keep; at least one.
    pub zones: Vec<ZoneId>,
    /// Where records point to.
    pub frontends: FrontendConfig,
    /// AWS.
    pub aws: AwsConfig,
    /// Which Ingresses count.
    pub adoption: Adoption,
    /// Which records are ours, and how many may go at once.
    pub rules: Rules,
    /// Where the cluster's objects come from.
    pub source: Source,
    /// How often zones are listed and load balancers looked for although nothing has changed.
    pub resync_period: Duration,
    /// Which of several replicas acts.
    pub lease: LeaseConfig,
    /// Port of `/health`, `/metrics` and `/status`.
    pub health_port: u16,
    /// What is logged, and in which form.
    pub logging: Logging,
    /// The push gateway that metrics are pushed to, if they are.
    pub push: Option<PushConfig>,
    /// The collector that spans are sent to, if they are.
    pub spans: Option<SpansConfig>,
}

/// Where records point to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrontendConfig {
    /// To load balancers that are found.
    Discovered(Wanted),
    /// To hostnames that are given.
    Given(Endpoints),
}

/// Settings of AWS's clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsConfig {
    /// The region of the load balancers.
    pub region: String,
    /// How often a call that failed is tried again.
    pub retries: u32,
}

/// The form in which `plan` prints.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanOutput {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
}
