//! A tiny backend for the demo: it answers every request with what arrived of it.
//!
//! `demo-backend NAME ADDRESS`, such as `demo-backend shop 127.77.0.1:8000`.

use std::fmt::Write as _;
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
    let mut text = format!("This is {name}. It received:\n\n  {} {}\n", request.method(), request.uri());
    for (header, value) in request.headers() {
        // Writing to a String cannot fail.
        let _: Result<(), std::fmt::Error> =
            writeln!(text, "  {header}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
    text
}
