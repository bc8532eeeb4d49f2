//! The supervisor's own end.

use std::time::Duration;

use super::value;

#[derive(clap::Args)]
#[command(next_help_heading = "Supervisor")]
pub(super) struct SupervisorArgs {
    /// How long leaving may take after the first signal; then nginx is stopped at once and the exit code is 1.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = value::duration)]
    pub(super) shutdown_grace_period: Duration,
}
