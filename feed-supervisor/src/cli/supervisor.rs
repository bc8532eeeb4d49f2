//! The supervisor's own endpoints, its end and its log.

use std::time::Duration;

use super::value;
use crate::config::{LogFormat, Logging};

#[derive(clap::Args)]
#[command(next_help_heading = "Supervisor")]
pub(super) struct SupervisorArgs {
    /// Port of /health, /readiness, /alive, /status and /metrics.
    #[arg(long, value_name = "PORT", default_value = "12082", value_parser = value::port)]
    pub(super) health_port: u16,
    /// How long leaving may take after the first signal; then nginx is stopped at once and the exit code is 1.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = value::duration)]
    pub(super) shutdown_grace_period: Duration,
    /// Log debug messages too.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "false", value_parser = value::boolean)]
    debug: bool,
    /// The form of log lines.
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json"])]
    log_format: String,
}

impl SupervisorArgs {
    pub(super) fn logging(&self) -> Logging {
        let format = if self.log_format == "json" { LogFormat::Json } else { LogFormat::Text };
        Logging { debug: self.debug, format }
    }
}
