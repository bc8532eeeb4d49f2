//! What nginx needs to log and to trace requests, looked at before it is started.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use feed_reconcile::options::Tracer;

use crate::config::NginxConfig;

/// Why requests cannot be logged or traced.
#[derive(Debug, thiserror::Error)]
pub enum ObservedError {
    /// nginx could not write its access log.
    #[error("cannot write to the directory of nginx's access log {}: {source} (--access-log-dir)", path.display())]
    AccessLog {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// nginx could not load what it traces with.
    #[error("cannot read {}: {source} (--{flag})", path.display())]
    Tracing {
        /// The file.
        path: PathBuf,
        /// The flag that names it, or its directory.
        flag: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// Checks that the files are there that nginx traces requests with. Those of a neighbour's nginx are in another container.
pub fn check_tracer(config: &NginxConfig) -> Result<(), ObservedError> {
    let Some(tracing) = config.base.tracing.as_ref().filter(|_| !config.is_sidecar()) else { return Ok(()) };
    let module = format!("{}/{}", tracing.modules, tracing.tracer.module());
    readable(&module, "nginx-modules-path")?;
    match &tracing.tracer {
        Tracer::OpenTracing { plugin, config } => {
            readable(plugin, "nginx-opentracing-plugin-path")?;
            readable(config, "nginx-opentracing-config-path")
        }
        Tracer::OpenTelemetry(_) => Ok(()),
    }
}

fn readable(path: &str, flag: &'static str) -> Result<(), ObservedError> {
    match File::open(path) {
        Ok(_) => Ok(()),
        Err(source) => Err(ObservedError::Tracing { path: path.into(), flag, source }),
    }
}

/// Makes the directory of the access log, and checks that it can be written to.
///
/// A neighbour's nginx writes as a user of its own: to the shared workdir if nothing else is asked for, where all may
/// write then, as into `temp/`. Another directory is the neighbour's own.
pub fn prepare_access_log(config: &NginxConfig) -> Result<(), ObservedError> {
    let Some(log) = &config.base.access_log else { return Ok(()) };
    let path = Path::new(&log.directory);
    if config.is_sidecar() && !path.starts_with(config.workdir()) {
        return Ok(());
    }
    let failed = |source| ObservedError::AccessLog { path: path.to_owned(), source };
    fs::create_dir_all(path).map_err(failed)?;
    if config.is_sidecar() {
        // Fails where somebody else has made it, who then has seen to this.
        let _ours = fs::set_permissions(path, Permissions::from_mode(0o1777));
    }
    let probe = path.join(".writable");
    File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(failed)
}

#[cfg(test)]
mod tests;
