//! What is counted of requests.

use std::time::Duration;

use super::value;

#[derive(clap::Args)]
#[command(next_help_heading = "Metrics of requests")]
pub(super) struct RequestMetricsArgs {
    /// Count requests by route and by endpoint, from a log that nginx writes for it.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "true", value_parser = value::boolean)]
    pub(super) request_metrics: bool,
}

#[derive(clap::Args)]
#[command(next_help_heading = "Metrics of requests")]
pub(super) struct RequestBucketArgs {
    /// Upper bounds of the buckets of a route's latency histogram, in seconds; none for no histogram.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value = "0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10",
        value_delimiter = ',',
        value_parser = bound
    )]
    nginx_vhost_stats_request_buckets: Vec<Option<Duration>>,
}

impl RequestBucketArgs {
    /// The bounds, ascending.
    pub(super) fn resolve(self) -> Vec<Duration> {
        let mut bounds: Vec<_> = self.nginx_vhost_stats_request_buckets.into_iter().flatten().collect();
        bounds.sort_unstable();
        bounds.dedup();
        bounds
    }
}

/// A bound; an empty text is none.
fn bound(text: &str) -> Result<Option<Duration>, &'static str> {
    const LONGEST: Duration = Duration::from_hours(24);
    if text.trim().is_empty() {
        return Ok(None);
    }
    let bound = text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let bound = bound.filter(|bound| !bound.is_zero() && *bound <= LONGEST).map(Some);
    bound.ok_or("must be numbers of seconds separated by commas, such as 0.005,0.5,10")
}
