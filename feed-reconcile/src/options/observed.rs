//! What nginx tells others of the requests that it serves.

use super::{Endpoint, HeaderName};

/// The log of requests: one line for each, in the file `access.log`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessLog {
    /// Absolute path of the directory that the file lies in; `[A-Za-z0-9._/-]` only.
    pub directory: String,
    /// The request headers that each line names besides.
    pub headers: Vec<HeaderName>,
}

/// How nginx takes part in traces: the module that it loads for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracing {
    /// Absolute path of the directory that holds nginx's dynamic modules; `[A-Za-z0-9._/-]` only.
    pub modules: String,
    /// What traces.
    pub tracer: Tracer,
}

/// What traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tracer {
    /// `ngx_http_opentracing_module`, with a vendor's tracer.
    OpenTracing {
        /// Absolute path of the tracer's library; `[A-Za-z0-9._/-]` only.
        plugin: String,
        /// Absolute path of its configuration; `[A-Za-z0-9._/-]` only.
        config: String,
    },
    /// nginx's own `ngx_otel_module`, which speaks OTLP over gRPC.
    OpenTelemetry(Collector),
}

impl Tracer {
    /// The file of the module, in the directory of nginx's dynamic modules.
    pub fn module(&self) -> &'static str {
        match self {
            Self::OpenTracing { .. } => "ngx_http_opentracing_module.so",
            Self::OpenTelemetry(_) => "ngx_otel_module.so",
        }
    }
}

/// Where spans are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collector {
    /// Whether over TLS; `ngx_otel_module` can from its version 0.1.2.
    pub tls: bool,
    /// Its host.
    pub host: Endpoint,
    /// Its port.
    pub port: u16,
}
