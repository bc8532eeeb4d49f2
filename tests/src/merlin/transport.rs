//! HTTP/2 without TLS: tonic answers, and every task of a server ends with it.

use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tonic::codegen::Service;

use super::Merlin;
use super::wire::merlin_server::MerlinServer;

pub(super) async fn serve(listener: TcpListener, merlin: Merlin, calls: Arc<Mutex<usize>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(converse(stream, MerlinServer::new(merlin.clone()), Arc::clone(&calls)));
    }
}

async fn converse(
    stream: TcpStream,
    server: MerlinServer<Merlin>,
    calls: Arc<Mutex<usize>>,
) -> io::Result<()> {
    let mut connection = h2::server::handshake(stream).await.map_err(io::Error::other)?;
    let mut answers = JoinSet::new();
    while let Some(exchange) = connection.accept().await {
        let (request, respond) = exchange.map_err(io::Error::other)?;
        answers.spawn(answer(request, respond, server.clone(), Arc::clone(&calls)));
    }
    Ok(())
}

async fn answer(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    mut server: MerlinServer<Merlin>,
    calls: Arc<Mutex<usize>>,
) -> Result<(), h2::Error> {
    let (head, mut stream) = request.into_parts();
    let mut body = Vec::new();
    while let Some(part) = stream.data().await {
        let part = part?;
        stream.flow_control().release_capacity(part.len())?;
        body.extend(part);
    }
    let request = Request::from_parts(head, Full::new(Bytes::from(body)));
    let Ok(response) = server.call(request).await;
    *calls.lock().unwrap() += 1;
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned();
    let bytes = body.to_bytes();
    let is_over = bytes.is_empty() && trailers.is_none();
    let mut stream = respond.send_response(http::Response::from_parts(head, ()), is_over)?;
    if is_over {
        return Ok(());
    }
    stream.send_data(bytes, trailers.is_none())?;
    match trailers {
        Some(trailers) => stream.send_trailers(trailers),
        None => Ok(()),
    }
}
