//! Gorb's REST interface.

use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore};
use serde::{Deserialize, Serialize};

use crate::config::{GorbFrontend, GorbHealthCheck, GorbService};

/// How long an answer may take.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// How often a request is made until it is answered.
const TRIES: usize = 3;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    /// It was answered, and not done.
    #[error("{method} {url}: Gorb says {status}{}", said(.text))]
    Refused { method: Method, url: String, status: StatusCode, text: String },
    /// It was not answered.
    #[error("{method} {url}: {why}")]
    NoAnswer { method: Method, url: String, why: String },
}

fn said(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    if line.is_empty() { String::new() } else { format!(": {line}") }
}

/// What Gorb knows of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Backend {
    host: String,
    port: u16,
    method: String,
    weight: u32,
    pulse: Pulse,
}

/// How it checks whether the backend answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Pulse {
    #[serde(rename = "type")]
    kind: &'static str,
    args: Args,
    interval: String,
}

/// What it asks, and what it should be answered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
struct Args {
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<&'static str>,
}

/// What Gorb says that it knows of a backend, as far as it says so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Found {
    pub(super) weight: Option<u32>,
    host: Option<String>,
    port: Option<u16>,
    method: Option<String>,
}

/// Gorb wraps what was put, and adds what it has measured.
#[derive(Deserialize)]
struct Wrapped {
    options: Found,
}

impl Backend {
    /// This machine, as the virtual service should know it.
    pub(super) fn new(frontend: &GorbFrontend, service: &GorbService, weight: u32) -> Self {
        let (kind, args) = match frontend.health_check {
            GorbHealthCheck::Tcp => ("tcp", Args::default()),
            GorbHealthCheck::None => ("none", Args::default()),
            // No Ingress has the requests without a known host, so nginx's 404 shows that it works.
            GorbHealthCheck::Http => {
                ("http", Args { method: Some("GET"), path: Some("/"), expect: Some("404") })
            }
        };
        Self {
            host: frontend.instance_ip.to_string(),
            port: service.port,
            method: frontend.method.clone(),
            weight,
            pulse: Pulse { kind, args, interval: go_duration(frontend.health_check_interval) },
        }
    }

    /// What Gorb has other than it should.
    pub(super) fn difference(&self, found: &Found) -> Option<&'static str> {
        match found.weight {
            _ if self.needs_replacing(found) => Some("another host, port or method"),
            Some(weight) if weight != self.weight => Some("another weight"),
            _ => None,
        }
    }

    /// Whether Gorb has what cannot be changed other than it should.
    pub(super) fn needs_replacing(&self, found: &Found) -> bool {
        found.host.as_ref().is_some_and(|host| *host != self.host)
            || found.port.is_some_and(|port| port != self.port)
            || found.method.as_ref().is_some_and(|method| *method != self.method)
    }
}

/// A duration as Go reads it.
fn go_duration(duration: Duration) -> String {
    match duration.subsec_nanos() {
        0 => format!("{}s", duration.as_secs()),
        nanos if nanos % 1_000_000 == 0 => format!("{}ms", duration.as_millis()),
        _ => format!("{}ns", duration.as_nanos()),
    }
}

/// Gorb at one address.
#[derive(Debug)]
pub(super) struct Api {
    endpoint: String,
}

impl Api {
    pub(super) fn new(endpoint: &str) -> Self {
        Self { endpoint: endpoint.to_owned() }
    }

    /// Whether it works.
    pub(super) async fn check(&self) -> Result<(), ApiError> {
        self.request(Method::GET, "/service", None).await.map(drop)
    }

    /// What it knows of a backend, if it knows it.
    pub(super) async fn get(&self, path: &str) -> Result<Option<Found>, ApiError> {
        let found = unless_missing(self.request(Method::GET, path, None).await)?;
        Ok(found.map(|text| {
            let wrapped = serde_json::from_str(&text).map(|Wrapped { options }| options);
            wrapped.or_else(|_| serde_json::from_str(&text)).unwrap_or_default()
        }))
    }

    pub(super) async fn put(&self, path: &str, backend: &Backend) -> Result<(), ApiError> {
        self.request(Method::PUT, path, Some(backend)).await.map(drop)
    }

    /// Changes a backend's weight; whether it is known.
    pub(super) async fn patch(&self, path: &str, backend: &Backend) -> Result<bool, ApiError> {
        Ok(unless_missing(self.request(Method::PATCH, path, Some(backend)).await)?.is_some())
    }

    /// Removes a backend; one that is not known is no error.
    pub(super) async fn delete(&self, path: &str) -> Result<(), ApiError> {
        unless_missing(self.request(Method::DELETE, path, None).await).map(drop)
    }

    /// Makes a request until it is answered.
    async fn request(
        &self,
        method: Method,
        path: &str,
        backend: Option<&Backend>,
    ) -> Result<String, ApiError> {
        let url = format!("{}{path}", self.endpoint);
        let mut outcome = self.try_request(&method, &url, backend).await;
        for _ in 1..TRIES {
            let again = match &outcome {
                Err(ApiError::Refused { status, .. }) => status.is_server_error(),
                Err(ApiError::NoAnswer { .. }) => true,
                Ok(_) => false,
            };
            if !again {
                break;
            }
            outcome = self.try_request(&method, &url, backend).await;
        }
        outcome
    }

    async fn try_request(
        &self,
        method: &Method,
        url: &str,
        backend: Option<&Backend>,
    ) -> Result<String, ApiError> {
        let no_answer = |why| ApiError::NoAnswer { method: method.clone(), url: url.to_owned(), why };
        let client = client().map_err(no_answer)?;
        let mut request = client.request(method.clone(), url);
        if let Some(backend) = backend {
            request = request.json(backend);
        }
        let response = request.send().await.map_err(|error| no_answer(innermost(&error)))?;
        let status = response.status();
        let text = response.text().await.map_err(|error| no_answer(innermost(&error)))?;
        if status.is_success() {
            return Ok(text);
        }
        Err(ApiError::Refused { method: method.clone(), url: url.to_owned(), status, text })
    }
}

/// A client without a connection: the next request is minutes away, and Gorb may be another one then. Only `http://` is
/// spoken, so nobody's certificate is trusted.
fn client() -> Result<Client, String> {
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let client = Client::builder().no_proxy().redirect(Policy::none()).timeout(TIME_LIMIT);
    client.tls_backend_preconfigured(tls).build().map_err(|error| innermost(&error))
}

/// What was answered, unless there is no such backend.
fn unless_missing(outcome: Result<String, ApiError>) -> Result<Option<String>, ApiError> {
    match outcome {
        Err(ApiError::Refused { status: StatusCode::NOT_FOUND, .. }) => Ok(None),
        outcome => outcome.map(Some),
    }
}

/// What is at the bottom of an error, such as `Connection refused`.
fn innermost(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {TIME_LIMIT:?}");
    }
    let mut innermost: &dyn std::error::Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
