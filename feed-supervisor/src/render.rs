//! `render`: the nginx configuration of a directory's manifests.

use std::io::{self, Write};
use std::path::PathBuf;

use feed_reconcile::diagnostic::Diagnostics;
use feed_reconcile::nginx::{Generation, Renderer, TemplateError};
use feed_reconcile::options::Options;
use feed_reconcile::reconcile::reconcile;
use jiff::Timestamp;

use crate::certificates::default_pair;
use crate::certificates::examiner::Examiner;
use crate::check;
use crate::config::{NginxFacts, RenderConfig};
use crate::runtime::source::manifests::{Loaded, ManifestError};

/// Why a configuration could not be printed.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// There is nothing to read.
    #[error(transparent)]
    Manifests(#[from] ManifestError),
    /// The user's own template is not there, or cannot be read.
    #[error("cannot read the nginx template {}: {source}", path.display())]
    ReadTemplate {
        /// The file given by `--nginx-template`.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The user's own template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Nobody takes what is printed.
    #[error("cannot print the configuration: {0}")]
    Print(#[from] io::Error),
}

/// Prints the nginx configuration of the manifests, for an nginx and a machine of which `facts` are true. What is wrong
/// with the manifests goes to `problems`.
pub fn render(
    config: &RenderConfig,
    facts: NginxFacts,
    out: &mut impl Write,
    problems: &mut impl Write,
) -> Result<(), RenderError> {
    let loaded = Loaded::read(&config.manifests)?;
    let mut snapshot = loaded.snapshot.clone();
    Examiner::default().examine(&mut snapshot, &config.options, Timestamp::now());
    match config.tls.as_ref().map(|tls| default_pair::read(&tls.default_pair)) {
        Some(Ok(pair)) => snapshot.default_certificate = Some(pair.certificate.pair.clone()),
        // To serve needs one; what is printed refuses the handshakes that would get it.
        Some(Err(error)) => writeln!(problems, "warning: {error}")?,
        None => {}
    }
    let options = Options { assume_assigned: true, ..config.options.clone() };
    let reconciled = reconcile(&snapshot, &options);
    let diagnostics: Diagnostics = loaded.diagnostics.union(&reconciled.diagnostics).cloned().collect();
    check::print(&loaded, &diagnostics, problems)?;
    let nginx = config.nginx.options(facts);
    let defaults = config.options.defaults.clone();
    let mut renderer = match &config.nginx.template {
        None => Renderer::new(nginx, defaults)?,
        Some(path) => {
            let template = std::fs::read_to_string(path)
                .map_err(|source| RenderError::ReadTemplate { path: path.clone(), source })?;
            Renderer::with_template(&template, nginx, defaults)?
        }
    };
    for part in renderer.update(&reconciled.state)?.parts(Generation(1)) {
        out.write_all(part.as_bytes())?;
    }
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests;
