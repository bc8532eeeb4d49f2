//! HTTP/2 without TLS, as gRPC uses it: an answer ends with trailers.

use std::io;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::TcpStream;

use super::{Answering, Echo};

/// Answers requests until the client leaves.
pub(super) async fn converse(stream: TcpStream, answering: Answering) -> io::Result<()> {
    let mut connection = h2::server::handshake(stream).await.map_err(io::Error::other)?;
    while let Some(exchange) = connection.accept().await {
        let (request, respond) = exchange.map_err(io::Error::other)?;
        answering.counts.requests.fetch_add(1, Ordering::Relaxed);
        tokio::spawn(answer(request, respond, answering.clone()));
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    answering: Answering,
) -> Result<(), h2::Error> {
    let (head, mut body) = request.into_parts();
    let mut body_length = 0;
    while let Some(part) = body.data().await {
        let part = part?;
        body_length += part.len();
        body.flow_control().release_capacity(part.len())?;
    }
    let authority = head.uri.authority().map(|authority| (":authority".to_owned(), authority.to_string()));
    let fields = head
        .headers
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let echo = Echo {
        backend: answering.backend,
        method: head.method.to_string(),
        target: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        version: format!("{:?}", head.version),
        headers: authority.into_iter().chain(fields).collect(),
        body_length,
        connection: answering.connection,
        server_name: None,
    };
    match echo.header("x-answer-fault") {
        Some("close") => {
            respond.send_reset(h2::Reason::INTERNAL_ERROR);
            return Ok(());
        }
        Some("silence") => std::future::pending().await,
        _ => {}
    }
    let status = echo.header("x-answer-status").unwrap_or("200");
    let mut response = Response::builder().status(status).header("content-type", "application/grpc");
    for (name, value) in &echo.headers {
        match name.strip_prefix("x-answer-") {
            None | Some("status" | "fault") => {}
            Some(field) => response = response.header(field, value),
        }
    }
    let mut stream = respond.send_response(response.body(()).unwrap(), false)?;
    stream.send_data(serde_json::to_vec(&echo).unwrap().into(), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    stream.send_trailers(trailers)
}
