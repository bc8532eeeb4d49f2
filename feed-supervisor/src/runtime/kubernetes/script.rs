//! An API server that a test plays, call by call.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode};
use futures::StreamExt;
use kube::Client;
use kube::client::ClientBuilder;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tower::service_fn;

use crate::runtime::kubernetes::calls::ObserveLayer;

/// No call that a test waits for takes longer than this to come, of a time that is paused.
const PATIENCE: Duration = Duration::from_mins(5);

/// The server's side.
pub(crate) struct Script {
    calls: mpsc::UnboundedReceiver<Call>,
}

/// A call that waits for its answer.
pub(crate) struct Call {
    /// `METHOD /path?query`, the query without what every list and watch has.
    pub(crate) request: String,
    /// JSON; null when there is none.
    pub(crate) body: Value,
    answer: oneshot::Sender<Result<Response<Body>, io::Error>>,
}

/// The server's side of a watch.
pub(crate) struct Feed(mpsc::UnboundedSender<Result<Bytes, io::Error>>);

/// A client, and the server that it speaks to.
pub(crate) fn script(observe: &ObserveLayer) -> (Client, Script) {
    let (sender, calls) = mpsc::unbounded_channel();
    let service = service_fn(move |request: Request<kube::client::Body>| {
        let sender = sender.clone();
        async move {
            let (parts, body) = request.into_parts();
            let query = parts.uri.query().unwrap_or_default().split('&').filter(|pair| is_telling(pair));
            let query: Vec<&str> = query.collect();
            let question = if query.is_empty() { "" } else { "?" };
            let request = format!("{} {}{question}{}", parts.method, parts.uri.path(), query.join("&"));
            let body = body.collect_bytes().await.map_err(io::Error::other)?;
            let body = serde_json::from_slice(&body).unwrap_or_default();
            let (answer, answered) = oneshot::channel();
            drop(sender.send(Call { request, body, answer }));
            answered.await.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::ConnectionReset)))
        }
    });
    (ClientBuilder::new(service, "default").with_layer(observe).build(), Script { calls })
}

fn is_telling(pair: &str) -> bool {
    !["", "limit=500", "allowWatchBookmarks=true", "timeoutSeconds=120"].contains(&pair)
}

impl Script {
    /// The next call.
    pub(crate) async fn call(&mut self) -> Call {
        self.call_within(PATIENCE).await.expect("no call comes")
    }

    /// The next call, if it comes in that time.
    pub(crate) async fn call_within(&mut self, time: Duration) -> Option<Call> {
        let call = tokio::time::timeout(time, self.calls.recv()).await.ok()?;
        Some(call.expect("the client is gone"))
    }

    /// The next call, which must be this.
    pub(crate) async fn expect(&mut self, request: &str) -> Call {
        let call = self.call().await;
        assert_eq!(call.request, request);
        call
    }
}

impl Call {
    /// Answers with that value.
    pub(crate) fn answer(self, value: &Value) {
        self.respond(StatusCode::OK, Body::from(value.to_string()));
    }

    /// Refuses with a status as Kubernetes has them.
    pub(crate) fn refuse(self, code: u16, message: &str) {
        let reason = match code {
            403 => "Forbidden",
            404 => "NotFound",
            409 => "Conflict",
            _ => "",
        };
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure",
            "message": message, "reason": reason, "code": code,
        });
        self.respond(StatusCode::from_u16(code).unwrap(), Body::from(status.to_string()));
    }

    /// Breaks the connection.
    pub(crate) fn fail(self) {
        drop(self.answer.send(Err(io::Error::from(io::ErrorKind::ConnectionRefused))));
    }

    /// Answers with a stream of events.
    pub(crate) fn stream(self) -> Feed {
        let (sender, receiver) = mpsc::unbounded_channel();
        let events = futures::stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|event| (event, receiver))
        });
        self.respond(StatusCode::OK, Body::from_stream(events.boxed()));
        Feed(sender)
    }

    fn respond(self, status: StatusCode, body: Body) {
        let response = Response::builder().status(status).body(body).unwrap();
        drop(self.answer.send(Ok(response)));
    }
}

impl Feed {
    /// Tells of an object.
    pub(crate) fn send(&self, event: &str, object: &Value) {
        let line = json!({"type": event, "object": object}).to_string() + "\n";
        self.0.send(Ok(line.into())).unwrap();
    }

    /// Ends the watch with a broken connection.
    pub(crate) fn fail(self) {
        self.0.send(Err(io::Error::from(io::ErrorKind::ConnectionReset))).unwrap();
    }
}
