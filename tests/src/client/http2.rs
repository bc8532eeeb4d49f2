//! Requests over HTTP/2.

use std::io;
use std::net::SocketAddr;

use http::{HeaderMap, Request};

use super::TlsClient;
use crate::backend::Echo;

/// An answer over HTTP/2.
#[derive(Debug)]
pub struct Http2Response {
    /// Its status.
    pub status: u16,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Vec<u8>,
}

impl Http2Response {
    /// What the backend received, which its body tells.
    pub fn echo(&self) -> Echo {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|_| panic!("{} {}", self.status, String::from_utf8_lossy(&self.body)))
    }
}

/// Sends a request with a body over TLS, on a connection of its own whose handshake names the host `server_name`.
pub async fn send_http2(
    to: SocketAddr,
    server_name: &str,
    request: Request<()>,
    body: impl Into<bytes::Bytes>,
) -> io::Result<Http2Response> {
    let mut connection = TlsClient::to(server_name).protocols(&["h2"]).connect(to).await?;
    let (client, driver) = h2::client::handshake(connection.stream()).await.map_err(io::Error::other)?;
    let body = body.into();
    let exchange = async {
        let mut client = client.ready().await?;
        let (response, mut stream) = client.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            stream.send_data(body, true)?;
        }
        let response = response.await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let (mut received, mut body) = (Vec::new(), response.into_body());
        while let Some(data) = body.data().await {
            let data = data?;
            received.extend_from_slice(&data);
            body.flow_control().release_capacity(data.len())?;
        }
        Ok(Http2Response { status, headers, body: received })
    };
    let outcome = tokio::select! {
        outcome = exchange => outcome,
        ended = driver => ended.and(Err(h2::Error::from(h2::Reason::CONNECT_ERROR))),
    };
    outcome.map_err(io::Error::other)
}
