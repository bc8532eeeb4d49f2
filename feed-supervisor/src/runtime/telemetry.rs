//! Logs, on stderr.

use std::io;

use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt};

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Logs to stderr from now on.
///
/// # Errors
///
/// When something else logs already.
pub fn init(format: LogFormat, verbosity: Verbosity) -> Result<(), TryInitError> {
    subscriber(format, verbosity, io::stderr).try_init()
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verbosity {
    /// What an operator wants to know.
    #[default]
    Normal,
    /// What a developer wants to know too; of the libraries only what they inform about.
    Debug,
}

fn subscriber<W>(format: LogFormat, verbosity: Verbosity, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (ours, theirs) = match verbosity {
        Verbosity::Normal => (LevelFilter::INFO, LevelFilter::WARN),
        Verbosity::Debug => (LevelFilter::DEBUG, LevelFilter::INFO),
    };
    let wanted = Targets::new()
        .with_default(theirs)
        .with_targets([("feed_ingress", ours), ("feed_supervisor", ours), ("feed_dns", ours)])
        // Failed calls are reported where they are tried again, once and in words.
        .with_targets([("kube_client", LevelFilter::OFF), ("kube_runtime", LevelFilter::OFF)]);
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    let lines = match format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
    };
    Registry::default().with(lines.with_filter(wanted))
}

#[cfg(test)]
mod tests;
