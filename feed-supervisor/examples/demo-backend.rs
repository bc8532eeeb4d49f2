//! A tiny backend for the demo: it answers every request with what arrived of it.
//!
//! `demo-backend NAME ADDRESS`, such as `demo-backend shop 127.77.0.1:8000`.

use std::io;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::request::Parts;
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let mut words = std::env::args().skip(1);
    let (Some(name), Some(address), None) = (words.next(), words.next(), words.next()) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: demo-backend NAME ADDRESS"));
    };
    let listener = TcpListener::bind(&address)
        .await
        .map_err(|error| io::Error::new(error.kind(), format!("listening on {address}: {error}")))?;
    let app = Router::new().fallback(move |request: Request| async move {
        let (head, body) = request.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        answer(&name, &head, body.len())
    });
    axum::serve(listener, app).await
}

fn answer(name: &str, head: &Parts, body_bytes: usize) -> String {
    let headers = head
        .headers
        .iter()
        .map(|(header, value)| format!("  {header}: {}", String::from_utf8_lossy(value.as_bytes())));
    let received = std::iter::once(format!("  {} {}", head.method, head.uri)).chain(headers);
    let received = received.collect::<Vec<_>>().join("\n");
    format!("This is {name}. It received:\n\n{received}\n\n  and a body of {body_bytes} bytes\n")
}
