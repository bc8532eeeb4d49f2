//! A request, as bytes.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::{Connection, Response};

/// Longer than any answer takes that a test waits for.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A request. Its target is sent as it stands: nothing is normalised or escaped.
#[derive(Debug, Clone)]
pub struct Request {
    pub(super) method: String,
    target: Vec<u8>,
    version: &'static str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    source: Option<IpAddr>,
    preface: Vec<u8>,
}

impl Request {
    /// `METHOD target`, without any header field.
    pub fn new(method: &str, target: impl Into<Vec<u8>>) -> Self {
        let (headers, body, preface) = (Vec::new(), Vec::new(), Vec::new());
        let (method, target) = (method.to_owned(), target.into());
        Self { method, target, version: "HTTP/1.1", headers, body, source: None, preface }
    }

    /// `GET target` with `Host: host`.
    pub fn get(host: &str, target: impl Into<Vec<u8>>) -> Self {
        Self::new("GET", target).header("Host", host)
    }

    /// Speaks another version than HTTP/1.1.
    #[must_use]
    pub fn version(mut self, version: &'static str) -> Self {
        self.version = version;
        self
    }

    /// Adds a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body and its `Content-Length`.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        let length = self.body.len().to_string();
        self.header("Content-Length", &length)
    }

    /// Connects from this address, for instance another one of 127.0.0.0/8.
    #[must_use]
    pub fn from_address(mut self, source: impl Into<IpAddr>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sends this before the request, for instance a line of the PROXY protocol.
    #[must_use]
    pub fn preface(mut self, preface: impl Into<Vec<u8>>) -> Self {
        self.preface = preface.into();
        self
    }

    /// Sends it on a connection of its own and reads the answer. Fails after 30 seconds.
    pub async fn send(&self, to: SocketAddr) -> io::Result<Response> {
        let exchange = async {
            let mut connection = self.connect(to).await?;
            connection.send(self).await
        };
        tokio::time::timeout(TIMEOUT, exchange).await.unwrap_or_else(|_| {
            Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {TIMEOUT:?}")))
        })
    }

    /// Opens a connection from the request's source and sends its preface.
    pub async fn connect(&self, to: SocketAddr) -> io::Result<Connection> {
        let mut connection = Connection::open_from(self.source, to).await?;
        connection.write(&self.preface).await?;
        Ok(connection)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.method.clone().into_bytes();
        bytes.push(b' ');
        bytes.extend(&self.target);
        bytes.extend(format!(" {}\r\n", self.version).into_bytes());
        for (name, value) in &self.headers {
            bytes.extend(format!("{name}: {value}\r\n").into_bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(&self.body);
        bytes
    }
}
