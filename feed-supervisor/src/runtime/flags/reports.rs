//! What the process tells others of itself: metrics to a push gateway, spans to a collector.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Url;

use super::{FlagError, value};
use crate::runtime::settings::{PushConfig, SpansConfig};

/// Flags of what is told to others.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Push gateway and spans")]
pub struct ReportArgs {
    /// Push the metrics to the Prometheus push gateway at this URL too.
    #[arg(long, value_name = "URL", value_parser = value::gateway)]
    pushgateway: Option<Url>,
    /// How often they are pushed: seconds, or a duration.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = value::push_interval)]
    pushgateway_interval: Duration,
    /// A label for all that is pushed. May be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_delimiter = ',', value_parser = value::push_label)]
    pushgateway_label: Vec<(String, String)>,
    /// Send spans of what this process does to this OpenTelemetry collector (OTLP over gRPC): http://HOST:PORT.
    #[arg(long, value_name = "URL", value_parser = value::span_collector)]
    otlp_endpoint: Option<String>,
}

impl ReportArgs {
    /// Where metrics are pushed, and where spans are sent, if they are. The program's own metrics have these labels.
    pub fn resolve(
        self,
        own_labels: &[&str],
    ) -> Result<(Option<PushConfig>, Option<SpansConfig>), FlagError> {
        let Self { pushgateway, pushgateway_interval, pushgateway_label, otlp_endpoint } = self;
        let mut labels = BTreeMap::new();
        for (name, value) in pushgateway_label {
            if own_labels.contains(&name.as_str()) {
                return Err(FlagError::TakenLabel { name });
            }
            if labels.insert(name.clone(), value).is_some() {
                return Err(FlagError::RepeatedLabel { name });
            }
        }
        let push = pushgateway.map(|gateway| PushConfig { gateway, interval: pushgateway_interval, labels });
        Ok((push, otlp_endpoint.map(|endpoint| SpansConfig { endpoint })))
    }
}
