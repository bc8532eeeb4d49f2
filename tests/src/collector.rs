//! An OpenTelemetry collector that keeps the spans that it is sent.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Status;
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// A span, as far as tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Who sent it: `service.name`.
    pub service: String,
    /// Its name.
    pub name: String,
    /// The name of the span that it is part of, where that was sent too.
    pub parent: Option<String>,
    /// Why it has failed, if it has.
    pub failure: Option<String>,
}

/// A collector on loopback; it ends when it is dropped.
#[derive(Debug)]
pub struct Collector {
    port: u16,
    received: Received,
    _serving: JoinSet<()>,
}

type Received = Arc<Mutex<Vec<ExportTraceServiceRequest>>>;

impl Collector {
    /// Starts one.
    pub async fn start() -> Self {
        Self::start_at(0).await
    }

    /// Starts one on a port at which another one has been.
    pub async fn start_at(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Received::default();
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, Arc::clone(&received)));
        Self { port, received, _serving: serving }
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// All spans that it was sent, in the order in which they came.
    pub fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().unwrap();
        let mut spans = Vec::new();
        for resource in received.iter().flat_map(|request| &request.resource_spans) {
            let attributes = resource.resource.iter().flat_map(|resource| &resource.attributes);
            let service =
                attributes.filter(|attribute| attribute.key == "service.name").find_map(|attribute| {
                    match attribute.value.as_ref()?.value.as_ref()? {
                        Value::StringValue(name) => Some(name.clone()),
                        _ => None,
                    }
                });
            for span in resource.scope_spans.iter().flat_map(|scope| &scope.spans) {
                spans.push((service.clone().unwrap_or_default(), span.clone()));
            }
        }
        let name = |id: &[u8]| {
            let of_id = spans.iter().find(|(_, span)| span.span_id == id);
            of_id.map(|(_, span)| span.name.clone())
        };
        let failure = |status: Option<&Status>| {
            status.filter(|status| status.code == 2).map(|status| status.message.clone())
        };
        let span = |(service, span): &(String, opentelemetry_proto::tonic::trace::v1::Span)| Span {
            service: service.clone(),
            name: span.name.clone(),
            parent: name(&span.parent_span_id),
            failure: failure(span.status.as_ref()),
        };
        spans.iter().map(span).collect()
    }
}

async fn serve(listener: TcpListener, received: Received) {
    let mut conversations = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let received = Arc::clone(&received);
        conversations.spawn(async move { converse(stream, &received).await.ok() });
    }
}

async fn converse(stream: TcpStream, received: &Received) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(exchange) = connection.accept().await {
        let (request, respond) = exchange?;
        let received = Arc::clone(received);
        tokio::spawn(async move { answer(request, respond, &received).await.ok() });
    }
    Ok(())
}

/// Takes one gRPC message, five bytes before it, and answers with an empty one.
async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    received: &Received,
) -> Result<(), h2::Error> {
    assert_eq!(request.uri().path(), "/opentelemetry.proto.collector.trace.v1.TraceService/Export");
    let (mut body, mut bytes) = (request.into_body(), Vec::new());
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        bytes.extend_from_slice(&part);
    }
    received.lock().unwrap().push(ExportTraceServiceRequest::decode(&bytes[5..]).unwrap());
    let response = Response::builder().header("content-type", "application/grpc").body(()).unwrap();
    let mut stream = respond.send_response(response, false)?;
    stream.send_data(Bytes::from_static(&[0; 5]), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}
