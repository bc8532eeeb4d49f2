//! Gorb: the virtual services of IPVS, without IPVS, behind a REST interface.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running Gorb; it ends when this is dropped.
#[derive(Debug)]
pub struct Gorb {
    state: Arc<Mutex<Backends>>,
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// A request for a backend.
#[derive(Clone, Debug, PartialEq)]
pub struct GorbCall {
    /// `PUT`, …
    pub method: String,
    /// `/service/web/node-web-10.0.0.1`
    pub path: String,
    /// What was sent.
    pub body: Value,
    /// How it was answered.
    pub status: u16,
}

#[derive(Debug, Default)]
struct Backends {
    services: BTreeSet<String>,
    /// By service and name.
    backends: BTreeMap<(String, String), Value>,
    calls: Vec<GorbCall>,
    faults: BTreeMap<String, (u16, usize)>,
}

type Shared = Arc<Mutex<Backends>>;

impl Gorb {
    /// One with these virtual services, and no backend.
    pub async fn start(address: impl Into<SocketAddr>, services: &[&str]) -> Self {
        let listener = TcpListener::bind(address.into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let services = services.iter().map(|service| (*service).to_owned()).collect();
        let state = Arc::new(Mutex::new(Backends { services, ..Backends::default() }));
        let router = Router::new()
            .route("/service", get(list))
            .route("/service/{service}/{backend}", any(answer))
            .with_state(Arc::clone(&state));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { state, address, server }
    }

    /// For `--gorb-endpoint`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it knows of a backend.
    pub fn backend(&self, service: &str, name: &str) -> Option<Value> {
        self.state().backends.get(&(service.to_owned(), name.to_owned())).cloned()
    }

    /// Changes a backend by somebody else's hand; null removes it.
    pub fn meddle(&self, service: &str, name: &str, change: impl FnOnce(&mut Value)) {
        let key = (service.to_owned(), name.to_owned());
        let mut backend = self.state().backends.remove(&key).unwrap_or(Value::Null);
        change(&mut backend);
        if !backend.is_null() {
            self.state().backends.insert(key, backend);
        }
    }

    /// Answers the next requests with that method so.
    pub fn fail(&self, method: &str, status: u16, times: usize) {
        self.state().faults.insert(method.to_owned(), (status, times));
    }

    /// Every request so far for a backend.
    pub fn calls(&self) -> Vec<GorbCall> {
        self.state().calls.clone()
    }

    /// The methods of those that change something, each with the weight, if one was sent: `PATCH 0`.
    pub fn trace(&self) -> Vec<String> {
        let changes = self.calls().into_iter().filter(|call| call.method != "GET");
        let text = |call: GorbCall| match &call.body["weight"] {
            Value::Null => call.method,
            weight => format!("{} {weight}", call.method),
        };
        changes.map(text).collect()
    }

    fn state(&self) -> MutexGuard<'_, Backends> {
        self.state.lock().unwrap()
    }
}

impl Drop for Gorb {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn list(State(state): State<Shared>) -> Response {
    let mut state = state.lock().unwrap();
    match state.fault("LIST") {
        Some(status) => status.into_response(),
        None => axum::Json(json!(state.services)).into_response(),
    }
}

async fn answer(
    State(state): State<Shared>,
    Path((service, backend)): Path<(String, String)>,
    request: Request,
) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let mut state = state.lock().unwrap();
    let answer = match state.fault(method.as_str()) {
        Some(status) => (status, Value::Null),
        None => state.carry_out(&method, (service, backend), &body),
    };
    let status = answer.0.as_u16();
    state.calls.push(GorbCall { method: method.to_string(), path, body, status });
    (answer.0, axum::Json(answer.1)).into_response()
}

impl Backends {
    fn fault(&mut self, method: &str) -> Option<StatusCode> {
        let (status, times) = self.faults.get_mut(method)?;
        *times = times.checked_sub(1)?;
        Some(StatusCode::from_u16(*status).unwrap())
    }

    fn carry_out(&mut self, method: &Method, key: (String, String), body: &Value) -> (StatusCode, Value) {
        let missing = (StatusCode::NOT_FOUND, json!({"error": "there is no such backend"}));
        if !self.services.contains(&key.0) {
            return (StatusCode::NOT_FOUND, json!({"error": "there is no such service"}));
        }
        match *method {
            Method::GET => match self.backends.get(&key) {
                Some(backend) => (StatusCode::OK, json!({"options": backend, "metrics": {"status": 0}})),
                None => missing,
            },
            Method::PUT if self.backends.contains_key(&key) => {
                (StatusCode::CONFLICT, json!({"error": "there is such a backend"}))
            }
            Method::PUT if is_valid(body) => {
                self.backends.insert(key, body.clone());
                (StatusCode::OK, Value::Null)
            }
            // Only the weight is changed.
            Method::PATCH if body["weight"].is_u64() => match self.backends.get_mut(&key) {
                Some(backend) => {
                    backend["weight"] = body["weight"].clone();
                    (StatusCode::OK, Value::Null)
                }
                None => missing,
            },
            Method::DELETE => match self.backends.remove(&key) {
                Some(_) => (StatusCode::OK, Value::Null),
                None => missing,
            },
            _ => (StatusCode::BAD_REQUEST, json!({"error": "that is no backend"})),
        }
    }
}

fn is_valid(backend: &Value) -> bool {
    let pulse = &backend["pulse"];
    backend["host"].is_string()
        && backend["port"].is_u64()
        && backend["method"].is_string()
        && backend["weight"].is_u64()
        && pulse["type"].is_string()
        && pulse["args"].is_object()
        && pulse["interval"].is_string()
        && (pulse["type"] != "http" || pulse["args"]["expect"].is_string())
}
