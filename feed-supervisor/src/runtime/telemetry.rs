//! Logs, on stderr, and spans, to a collector.

use std::io;

use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt};

use super::settings::{Logging, SpansConfig};

mod spans;

pub use self::spans::{Spans, SpansError, failed};

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Why nothing can be told of what happens.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Something else logs already.
    #[error(transparent)]
    Log(#[from] TryInitError),
    /// Spans cannot be sent.
    #[error(transparent)]
    Spans(#[from] SpansError),
}

/// Logs to stderr from now on.
///
/// # Errors
///
/// When something else logs already.
pub fn init(logging: Logging) -> Result<(), TelemetryError> {
    Ok(subscriber(logging, io::stderr).try_init()?)
}

/// Logs to stderr from now on, and sends spans to the collector, if there is one, on the threads of that runtime. The
/// service is the binary's name.
///
/// # Errors
///
/// When something else logs already, or spans cannot be sent at all.
pub fn init_with_spans(
    logging: Logging,
    spans: Option<&SpansConfig>,
    service: &'static str,
    runtime: &Handle,
) -> Result<Spans, TelemetryError> {
    let spans = spans.map(|config| Spans::to(config, service, runtime)).transpose()?.unwrap_or_default();
    // The provider's own threads log nothing before this.
    subscriber(logging, io::stderr).with(spans.layer(service)).try_init()?;
    Ok(spans)
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

fn subscriber<W>(
    Logging { format, verbosity }: Logging,
    writer: W,
) -> impl Subscriber + for<'s> LookupSpan<'s> + Send + Sync
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
        LogFormat::Json => lines
            .json()
            .flatten_event(true)
            .with_target(false)
            .with_current_span(false)
            .with_span_list(false)
            .boxed(),
    };
    // Spans are for the collector: a line says itself what it is about.
    let lines_only = filter_fn(|metadata| !metadata.is_span());
    Registry::default().with(lines.with_filter(wanted.and(lines_only)))
}

#[cfg(test)]
mod tests;
