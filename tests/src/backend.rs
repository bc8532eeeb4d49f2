//! Backends that say what they received.

mod grpc;
mod http;
mod tls;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use crate::http1::Headers;
use crate::ports::loopback_address;

/// What a backend received, and who it is: the body of its answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// The name that the test gave the backend.
    pub backend: String,
    /// The request's method.
    pub method: String,
    /// The request's target, as it came.
    pub target: String,
    /// The request's version, `HTTP/1.1` or `HTTP/2.0`.
    pub version: String,
    /// The header fields in the order in which they came; of HTTP/2 with `:authority`.
    pub headers: Headers,
    /// Bytes of the body.
    pub body_length: usize,
    /// Which of the backend's connections it came on, from 1.
    pub connection: u64,
    /// The name that the client asked for in the TLS handshake.
    pub server_name: Option<String>,
}

impl Echo {
    /// The value of the first header field of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        crate::http1::find(&self.headers, name)
    }

    /// The values of all header fields of that name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// A server on a loopback address of its own, until it is dropped.
///
/// The request chooses the answer: `X-Answer-Status: 503` sets its status, `X-Answer-Fault: close` closes the connection (over HTTP/2
/// the stream) instead, `X-Answer-Fault: silence` never answers, and any other `X-Answer-NAME: value` becomes its header field NAME. Over HTTP/1.1 `X-Answer-Hold: yes` keeps the second half of it back until [`Backend::release`]; a request to upgrade
/// is granted, and from then on what comes is sent back. Over HTTP/2 the answer has the trailer `grpc-status: 0`.
#[derive(Debug)]
pub struct Backend {
    name: String,
    address: SocketAddr,
    counts: Arc<Counts>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Counts {
    requests: AtomicU64,
    connections: AtomicU64,
    held: Semaphore,
}

/// One connection's part in answering: who answers, and where it is counted.
#[derive(Debug, Clone)]
struct Answering {
    backend: String,
    connection: u64,
    counts: Arc<Counts>,
}

#[derive(Debug, Clone, Copy)]
enum Protocol {
    Http,
    Grpc,
    Tls,
}

impl Backend {
    /// HTTP/1.1.
    pub async fn http(name: &str) -> Self {
        Self::http_at(name, (loopback_address(), 0).into()).await
    }

    /// HTTP/1.1 on an address of the test's choice.
    pub async fn http_at(name: &str, address: SocketAddr) -> Self {
        Self::start(name, address, Protocol::Http).await
    }

    /// HTTP/2 without TLS, with prior knowledge.
    pub async fn grpc(name: &str) -> Self {
        Self::start(name, (loopback_address(), 0).into(), Protocol::Grpc).await
    }

    /// HTTP/1.1 in TLS, with a certificate that nobody has signed.
    pub async fn tls(name: &str) -> Self {
        Self::start(name, (loopback_address(), 0).into(), Protocol::Tls).await
    }

    async fn start(name: &str, address: SocketAddr, protocol: Protocol) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let counts = Counts { requests: 0.into(), connections: 0.into(), held: Semaphore::new(0) };
        let counts = Arc::new(counts);
        let server = tokio::spawn(serve(listener, name.to_owned(), Arc::clone(&counts), protocol));
        Self { name: name.to_owned(), address, counts, server }
    }

    /// The name that its answers carry.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The IPv4 address on which it listens.
    pub fn ip(&self) -> Ipv4Addr {
        match self.address {
            SocketAddr::V4(address) => *address.ip(),
            SocketAddr::V6(address) => panic!("{address} is no IPv4 address"),
        }
    }

    /// The port on which it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many requests it has received.
    pub fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }

    /// Lets one answer go that is held back, now or as soon as there is one.
    pub fn release(&self) {
        self.counts.held.add_permits(1);
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, backend: String, counts: Arc<Counts>, protocol: Protocol) {
    let tls = tls::acceptor();
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let connection = counts.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let answering = Answering { backend: backend.clone(), connection, counts: Arc::clone(&counts) };
        let tls = tls.clone();
        connections.spawn(async move {
            // That a client went away in the middle is the client's business, and the test's.
            drop(converse(stream, answering, protocol, tls).await);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(
    stream: TcpStream,
    answering: Answering,
    protocol: Protocol,
    tls: tokio_rustls::TlsAcceptor,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    match protocol {
        Protocol::Http => http::converse(stream, &answering, None).await,
        Protocol::Grpc => grpc::converse(stream, answering).await,
        Protocol::Tls => {
            let stream = tls.accept(stream).await?;
            let server_name = stream.get_ref().1.server_name().map(str::to_owned);
            http::converse(stream, &answering, server_name).await
        }
    }
}
