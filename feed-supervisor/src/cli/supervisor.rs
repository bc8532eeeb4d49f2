//! The supervisor's own end.

use std::time::Duration;

use super::value;

#[derive(clap::Args)]
#[command(next_help_heading = "Supervisor")]
pub(super) struct SupervisorArgs {
    /// How long leaving may take after the first signal; then nginx is stopped at once and the exit code is 1 [default:
    /// 5m, or a minute more than load balancers may go on sending requests where that is longer]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    shutdown_grace_period: Option<Duration>,
}

impl SupervisorArgs {
    /// The grace period, where load balancers may send requests for that long after they were left.
    pub(super) fn grace_period(&self, drain_delay: Duration) -> Duration {
        let enough = drain_delay.saturating_add(Duration::from_mins(1)).max(Duration::from_mins(5));
        self.shutdown_grace_period.unwrap_or(enough)
    }
}
