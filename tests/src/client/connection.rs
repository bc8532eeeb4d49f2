//! A connection for several requests.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncWriteExt, BufStream};
use tokio::net::{TcpSocket, TcpStream};

use super::response::status;
use super::{Request, Response};
use crate::http1::{Body, Head, read_body, read_head};

/// A TCP connection that speaks HTTP/1.1 until an upgrade turns it into a plain stream.
#[derive(Debug)]
pub struct Connection {
    stream: BufStream<TcpStream>,
}

/// An answer whose head has been read.
#[derive(Debug)]
pub struct Begun(Head);

impl Connection {
    /// Connects.
    pub async fn open(to: SocketAddr) -> io::Result<Self> {
        Self::open_from(None, to).await
    }

    pub(super) async fn open_from(source: Option<IpAddr>, to: SocketAddr) -> io::Result<Self> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufStream::new(stream) })
    }

    /// Sends a request and reads its answer; an error when the connection ends before the answer is complete.
    pub async fn send(&mut self, request: &Request) -> io::Result<Response> {
        self.write(&request.to_bytes()).await?;
        loop {
            let head = read_head(&mut self.stream).await?.ok_or_else(closed)?;
            let body = match status(&head)? {
                100..=199 if status(&head)? != 101 => continue,
                101 | 204 | 304 => Body::default(),
                _ if request.method == "HEAD" => Body::default(),
                _ => self.read_body(&head).await?,
            };
            return Response::new(head, body);
        }
    }

    /// Sends a request and reads only the head of its answer: [`Self::finish`] reads the rest.
    pub async fn begin(&mut self, request: &Request) -> io::Result<Begun> {
        self.write(&request.to_bytes()).await?;
        read_head(&mut self.stream).await?.map(Begun).ok_or_else(closed)
    }

    /// Reads the rest of an answer.
    pub async fn finish(&mut self, begun: Begun) -> io::Result<Response> {
        let body = self.read_body(&begun.0).await?;
        Response::new(begun.0, body)
    }

    async fn read_body(&mut self, head: &Head) -> io::Result<Body> {
        read_body(&mut self.stream, head, true).await
    }

    /// Sends bytes.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The stream itself, for what follows an upgrade.
    pub fn stream(&mut self) -> &mut BufStream<TcpStream> {
        &mut self.stream
    }
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the connection was closed without an answer")
}
