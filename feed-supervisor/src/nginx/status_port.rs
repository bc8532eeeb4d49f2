//! Asking nginx on its status port, each time on a connection of its own: that is what a new client would get.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use feed_reconcile::nginx::Generation;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::probe::Version;
use crate::metrics::StubStatus;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(1);

/// The longest answer that is read.
const LONGEST_ANSWER: u64 = 64 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// There is no connection, or it broke.
    #[error("nginx does not answer on its status port {port}: {source}")]
    Connection {
        /// The port.
        port: u16,
        /// What happened.
        source: io::Error,
    },
    /// The answer is another one than ours would give.
    #[error(
        "what answers on nginx's status port {port} is not the nginx that was asked for: it says {answer:?} to {path}"
    )]
    Answer {
        /// The port.
        port: u16,
        /// What was asked.
        path: &'static str,
        /// The first line of the answer.
        answer: String,
    },
}

/// nginx's status port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusPort(pub u16);

/// What nginx says of the configuration it serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Served {
    /// The configuration's generation.
    pub generation: Generation,
    /// nginx's own version.
    pub version: Version,
}

impl StatusPort {
    /// Which configuration serves a new connection.
    pub async fn generation(self) -> Result<Served, StatusError> {
        self.ask("/generation", |body| {
            let (generation, version) = body.trim_end().split_once(' ')?;
            Some(Served {
                generation: Generation(generation.parse().ok()?),
                version: Version::parse(version)?,
            })
        })
        .await
    }

    /// How busy nginx is, this question included.
    pub async fn stub_status(self) -> Result<StubStatus, StatusError> {
        self.ask("/basic_status", parse_stub_status).await
    }

    async fn ask<T>(
        self,
        path: &'static str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StatusError> {
        let port = self.0;
        let answer = match timeout(PATIENCE, get(port, path)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(source)) => return Err(StatusError::Connection { port, source }),
            Err(_) => return Err(StatusError::Connection { port, source: io::ErrorKind::TimedOut.into() }),
        };
        let body = answer.split_once("\r\n\r\n").filter(|_| answer.starts_with("HTTP/1.1 200 "));
        body.and_then(|(_, body)| parse(body)).ok_or_else(|| {
            let answer = answer.lines().next().unwrap_or_default().to_owned();
            StatusError::Answer { port, path, answer }
        })
    }
}

async fn get(port: u16, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Reads nginx's `stub_status` page.
fn parse_stub_status(page: &str) -> Option<StubStatus> {
    let mut lines = page.lines();
    let connections = lines.next()?.strip_prefix("Active connections:")?.trim().parse().ok()?;
    let mut totals = lines.nth(1)?.split_ascii_whitespace().map(str::parse);
    let mut total = || totals.next()?.ok();
    let (accepts, handled, requests) = (total()?, total()?, total()?);
    let mut words = lines.next()?.split_ascii_whitespace();
    let mut count = |name| (words.next()? == name).then(|| words.next()?.parse().ok())?;
    let (reading, writing): (u32, u32) = (count("Reading:")?, count("Writing:")?);
    // With `keepalive_min_timeout` nginx does not count its idle connections as waiting.
    count("Waiting:")?;
    let idle = u32::saturating_sub(connections, reading.saturating_add(writing));
    Some(StubStatus { connections, accepts, handled, requests, reading, writing, waiting: idle })
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    const PAGE: &str = "Active connections: 15 \nserver accepts handled requests\n 16 15 31070 \n\
        Reading: 1 Writing: 2 Waiting: 0 \n";

    #[test]
    fn stub_status_is_read() {
        let expected = StubStatus {
            connections: 15,
            accepts: 16,
            handled: 15,
            requests: 31_070,
            reading: 1,
            writing: 2,
            waiting: 12,
        };
        assert_eq!(parse_stub_status(PAGE), Some(expected));
        for broken in ["", "ok\n", "Active connections: x\n", "Active connections: 3\n\n 1 2\n"] {
            assert_eq!(parse_stub_status(broken), None, "{broken:?}");
        }
    }

    /// Answers one request with this text.
    async fn server(answer: &'static str) -> StatusPort {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        StatusPort(port)
    }

    #[tokio::test]
    async fn the_generation_and_the_version_are_read() {
        let served =
            server("HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n42 1.30.6\n").await.generation().await.unwrap();
        assert_eq!(served, Served { generation: Generation(42), version: Version(1, 30, 6) });
    }

    #[tokio::test]
    async fn whatever_else_answers_is_not_taken_for_nginx() {
        for answer in
            ["HTTP/1.1 404 Not Found\r\n\r\n42 1.30.6\n", "HTTP/1.1 200 OK\r\n\r\nhello\n", "\n", ""]
        {
            let error = server(answer).await.generation().await.unwrap_err();
            assert!(matches!(error, StatusError::Answer { .. }), "{error}");
        }
    }

    #[tokio::test]
    async fn no_answer_is_a_sentence() {
        let port = {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            listener.local_addr().unwrap().port()
        };
        let error = StatusPort(port).generation().await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("nginx does not answer on its status port {port}: ")), "{error}");
    }
}
