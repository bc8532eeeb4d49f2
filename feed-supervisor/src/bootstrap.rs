//! `bootstrap`: a first configuration for an nginx that starts before the cluster is known.

use std::fmt;

use feed_reconcile::nginx::{self, Generation, TemplateError};

use crate::config::{NginxConfig, NginxFacts};
use crate::nginx::files::{Files, FilesError, listens_on};
use crate::nginx::observed::{ObservedError, prepare_access_log};
use crate::nginx::ports::has_ipv6;
use crate::nginx::requests::{self, RequestLogError};

/// Why nginx cannot be given a first configuration.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The workdir cannot be used.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The access log's directory cannot be used.
    #[error(transparent)]
    Observed(#[from] ObservedError),
    /// The log of requests cannot be created.
    #[error(transparent)]
    RequestLog(#[from] RequestLogError),
    /// The shipped template is broken.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

/// What nginx will read when it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstConfiguration {
    /// The one that was confirmed last.
    Confirmed(Generation),
    /// One that serves only the status port.
    StatusPort,
}

impl fmt::Display for FirstConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Confirmed(generation) => write!(f, "configuration {generation}, which was confirmed last"),
            Self::StatusPort => f.write_str("a configuration that serves only the status port"),
        }
    }
}

/// Sees to it that nginx can start: with the configuration that was confirmed last, or else with one that serves only the
/// status port.
///
/// A confirmed one without our status port is of no use, since nginx could not be asked what it serves. May be called again
/// at any time before nginx is started.
pub fn bootstrap(config: &NginxConfig) -> Result<FirstConfiguration, BootstrapError> {
    let files = Files::new(config.workdir(), config.is_sidecar());
    files.prepare()?;
    prepare_access_log(config)?;
    if config.counts_requests() {
        requests::prepare(&files.request_log(), files.is_shared())?;
    }
    if let Some((header, bytes)) = files.left()?.confirmed
        && listens_on(&bytes, config.status_port())
        && files.has_certificates_of(&bytes)
    {
        files.name(header.generation)?;
        return Ok(FirstConfiguration::Confirmed(header.generation));
    }
    files.clear_ready()?;
    // Which nginx will read it does not matter to this little.
    let facts = NginxFacts { ipv6: has_ipv6(), ..NginxFacts::default() };
    let rendered = nginx::bootstrap(&config.options(facts))?;
    files.write(Generation(0), rendered.parts(Generation(0)), rendered.certificates())?;
    files.name(Generation(0))?;
    Ok(FirstConfiguration::StatusPort)
}

#[cfg(test)]
mod tests;
