//! An answer.

use std::io;

use crate::backend::Echo;
use crate::http1::{self, Body, Head, Headers};

/// An answer, complete.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields as they came.
    pub headers: Headers,
    /// The body, without the coding that it was transferred in.
    pub body: Vec<u8>,
    /// What followed a chunked body.
    pub trailers: Headers,
}

impl Response {
    pub(super) fn new(head: Head, body: Body) -> io::Result<Self> {
        Ok(Self { status: status(&head)?, headers: head.headers, body: body.bytes, trailers: body.trailers })
    }

    /// The value of the first header field of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        http1::find(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// What the backend that answered had received.
    pub fn echo(&self) -> Echo {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("not a backend's answer ({error}): {} {:?}", self.status, self.text());
        })
    }

    /// Whether the server is going to close the connection, as it says.
    pub fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

pub(super) fn status(head: &Head) -> io::Result<u16> {
    let mut words = head.first_line.split(' ');
    match (words.next(), words.next().map(str::parse)) {
        (Some("HTTP/1.1" | "HTTP/1.0"), Some(Ok(status))) => Ok(status),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, format!("not HTTP: {:?}", head.first_line))),
    }
}
