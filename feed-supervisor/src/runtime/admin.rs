//! The endpoints for operators.
//!
//! | path | answer |
//! | --- | --- |
//! | `/health` | 200 `ok`, or 500 with the reasons, one a line: somebody should look |
//! | `/readiness` | 200 `ok`, or 503 with the reasons, one a line: requests should go elsewhere |
//! | `/alive` | 200 `ok` as long as the process answers at all: a restart is the remedy when it does not |
//! | `/metrics` | Prometheus text, or OpenMetrics where `Accept` prefers it |
//! | `/status` | JSON |

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::runtime::health::Health;
use crate::runtime::metrics::{Format, Metrics};

/// Why the endpoints cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The port cannot be listened on.
    #[error(
        "cannot listen on port {port} for health and metrics: {source}; choose another one with --health-port"
    )]
    Bind {
        /// The port that was asked for.
        port: u16,
        /// Why not.
        source: io::Error,
    },
    /// The listener broke.
    #[error("cannot serve health and metrics any more: {0}")]
    Serve(#[source] io::Error),
}

/// What the endpoints show; cheap to clone.
#[derive(Clone)]
pub struct Pages {
    /// For `/health` and `/readiness`.
    pub health: Health,
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
    /// Makes the value that `/status` shows. Called for every request, so it should be quick.
    pub status: Arc<dyn Fn() -> Value + Send + Sync>,
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("health", &self.health).finish_non_exhaustive()
    }
}

/// The endpoints' listener, which is bound before anything else is started.
#[derive(Debug)]
pub struct Admin {
    listener: TcpListener,
}

impl Admin {
    /// Listens on that port of every address, IPv4 and, where the kernel has it, IPv6.
    ///
    /// # Errors
    ///
    /// When the port is in use, or may not be used.
    pub async fn bind(port: u16) -> Result<Self, AdminError> {
        let bound = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await
            }
            bound => bound,
        };
        match bound {
            Ok(listener) => Ok(Self { listener }),
            Err(source) => Err(AdminError::Bind { port, source }),
        }
    }

    /// The address that is listened on.
    ///
    /// # Errors
    ///
    /// When the kernel does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers requests until the process ends; returns only when the listener breaks.
    ///
    /// # Errors
    ///
    /// When it does.
    pub async fn serve(self, pages: Pages) -> Result<(), AdminError> {
        axum::serve(self.listener, router(pages)).await.map_err(AdminError::Serve)
    }
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/readiness", get(readiness))
        .route("/alive", get(|| async { "ok\n" }))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .with_state(pages)
}

async fn health(State(pages): State<Pages>) -> Response {
    let warnings = pages.health.warnings();
    verdict(&pages.health.unhealthy(), &warnings, StatusCode::INTERNAL_SERVER_ERROR)
}

async fn readiness(State(pages): State<Pages>) -> Response {
    verdict(&pages.health.not_ready(), &[], StatusCode::SERVICE_UNAVAILABLE)
}

/// 200 `ok`, or that failure with the reasons, one a line; then the warnings.
fn verdict(reasons: &[String], warnings: &[String], failure: StatusCode) -> Response {
    let warnings: String = warnings.iter().flat_map(|warning| ["warning: ", warning, "\n"]).collect();
    if reasons.is_empty() {
        return format!("ok\n{warnings}").into_response();
    }
    let reasons: String = reasons.iter().flat_map(|reason| [reason.as_str(), "\n"]).collect();
    (failure, format!("{reasons}{warnings}")).into_response()
}

async fn metrics(State(pages): State<Pages>, headers: HeaderMap) -> Response {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = Format::accepted(accept);
    match pages.metrics.encode(format) {
        Ok(body) => {
            ([(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()))], body).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("Cannot write the metrics: {error}\n"))
            .into_response(),
    }
}

async fn status(State(pages): State<Pages>) -> Response {
    let body = format!("{:#}\n", (pages.status)());
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
}

#[cfg(test)]
mod tests;
