//! A tiny backend for the demo: it answers every request with what arrived of it.
//!
//! `demo-backend NAME ADDRESS`, such as `demo-backend shop 127.77.0.1:8000`.

use std::io;

use axum::Router;
use axum::extract::Request;
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
    let app = Router::new().fallback(move |request: Request| async move { answer(&name, &request) });
    axum::serve(listener, app).await
}

fn answer(name: &str, request: &Request) -> String {
    let headers = request
        .headers()
        .iter()
        .map(|(header, value)| format!("  {header}: {}", String::from_utf8_lossy(value.as_bytes())));
    let received = std::iter::once(format!("  {} {}", request.method(), request.uri())).chain(headers);
    format!("This is {name}. It received:\n\n{}\n", received.collect::<Vec<_>>().join("\n"))
}
