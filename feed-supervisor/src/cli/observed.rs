//! What nginx tells others of requests: its access log, and traces.

use std::path::{Path, PathBuf};

use feed_reconcile::options::{AccessLog, Collector, HeaderName, Tracer, Tracing};

use super::{UsageError, value};
use crate::config::ACCESS_LOG_DIRECTORY;

#[derive(clap::Args)]
#[command(next_help_heading = "nginx's access log and traces")]
pub(super) struct ObservedArgs {
    /// Let nginx write a line for each request to the file access.log. SIGUSR1 opens it anew, for logrotate.
    #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set, default_value = "false", value_parser = value::boolean)]
    access_log: bool,
    /// The directory of access.log [default: logs in nginx's workdir]
    #[arg(long, value_name = "DIR", value_parser = value::nginx_path)]
    access_log_dir: Option<PathBuf>,
    /// Request headers that each line of access.log holds too, by their names. May be repeated.
    #[arg(long, value_name = "HEADER", value_delimiter = ',', value_parser = value::header_name)]
    nginx_log_headers: Vec<HeaderName>,
    /// Directory of nginx's dynamic modules; one is loaded to trace requests, and none otherwise.
    #[arg(long, value_name = "DIR", default_value = "/usr/lib/nginx/modules", value_parser = value::nginx_path)]
    nginx_modules_path: PathBuf,
    /// Trace requests with ngx_http_opentracing_module and this library of a vendor's tracer.
    #[arg(long, value_name = "FILE", value_parser = value::nginx_path)]
    nginx_opentracing_plugin_path: Option<PathBuf>,
    /// The configuration of that tracer.
    #[arg(long, value_name = "FILE", value_parser = value::nginx_path)]
    nginx_opentracing_config_path: Option<PathBuf>,
    /// Trace requests with ngx_otel_module, nginx's own, and send the spans to this collector (OTLP over gRPC): HOST:PORT.
    #[arg(long, value_name = "URL", value_parser = value::collector)]
    nginx_otel_endpoint: Option<Collector>,
}

impl ObservedArgs {
    pub(super) fn resolve(self, workdir: &Path) -> Result<(Option<AccessLog>, Option<Tracing>), UsageError> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let directory = self.access_log_dir.unwrap_or_else(|| workdir.join(ACCESS_LOG_DIRECTORY));
        let access_log = AccessLog { directory: text(&directory), headers: self.nginx_log_headers };
        let tracers = (
            self.nginx_opentracing_plugin_path,
            self.nginx_opentracing_config_path,
            self.nginx_otel_endpoint,
        );
        let tracer = match tracers {
            (None, None, None) => None,
            (None, None, Some(collector)) => Some(Tracer::OpenTelemetry(collector)),
            (Some(plugin), Some(config), None) => {
                Some(Tracer::OpenTracing { plugin: text(&plugin), config: text(&config) })
            }
            (Some(_), Some(_), Some(_)) => return Err(UsageError::TwoTracers),
            (_, _, _) => return Err(UsageError::HalfATracer),
        };
        let modules = text(&self.nginx_modules_path);
        let tracing = tracer.map(|tracer| Tracing { modules, tracer });
        Ok((self.access_log.then_some(access_log), tracing))
    }
}
