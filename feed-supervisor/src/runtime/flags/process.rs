//! The process's own endpoints and its log.

use super::value;
use crate::runtime::settings::{LogFormat, Logging, Verbosity};

/// Flags of the process's own endpoints and its log.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Supervisor")]
pub struct ProcessArgs {
    /// Port of /health, /readiness, /alive, /status and /metrics.
    #[arg(long, value_name = "PORT", default_value = "12082", value_parser = value::port)]
    pub health_port: u16,
    /// Log debug messages too.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "false", value_parser = value::boolean)]
    debug: bool,
    /// The form of log lines.
    #[arg(long, value_name = "FORM", default_value = "text", value_parser = ["text", "json"])]
    log_format: String,
}

impl ProcessArgs {
    /// What is logged.
    pub fn logging(&self) -> Logging {
        let format = if self.log_format == "json" { LogFormat::Json } else { LogFormat::Text };
        let verbosity = if self.debug { Verbosity::Debug } else { Verbosity::Normal };
        Logging { verbosity, format }
    }
}
