//! A name server on loopback, which nginx asks for [`Endpoints`].

use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::warn;

use super::endpoints::Endpoints;

/// The longest answer that nginx takes in a datagram.
const LONGEST_DATAGRAM: usize = 4096;

/// The longest answer on a connection.
const LONGEST_ANSWER: usize = 65_535;

/// How long a client may take for a question and its answer on a connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// So many connections are served at a time.
const CONNECTIONS: usize = 64;

/// So many ports are tried that the kernel gives for datagrams, until one is free for connections too.
const TRIES: usize = 16;

/// The name server cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum NameServerError {
    /// There is no port for it.
    #[error("no port on loopback can be opened for the name server that tells nginx of endpoints: {0}")]
    Bind(#[source] io::Error),
    /// Its port cannot be remembered.
    #[error("cannot write {}: {source}", path.display())]
    Remember {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// Sockets on which is answered.
#[derive(Debug)]
pub struct NameServer {
    datagrams: UdpSocket,
    connections: TcpListener,
    address: SocketAddr,
}

impl NameServer {
    /// Opens the port that the file names, so that an nginx that runs already finds it again, or else any, which is written there.
    pub async fn bind(file: &Path) -> Result<Self, NameServerError> {
        let remembered = fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok());
        if let Some(port) = remembered
            && let Ok(server) = Self::bind_port(port).await
        {
            return Ok(server);
        }
        let mut bound = Self::bind_port(0).await;
        for _ in 1..TRIES {
            if bound.is_ok() {
                break;
            }
            bound = Self::bind_port(0).await;
        }
        let server = bound.map_err(NameServerError::Bind)?;
        let path = file.to_owned();
        fs::write(file, format!("{}\n", server.address.port()))
            .map_err(|source| NameServerError::Remember { path, source })?;
        Ok(server)
    }

    async fn bind_port(port: u16) -> io::Result<Self> {
        let datagrams = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = datagrams.local_addr()?;
        Ok(Self { connections: TcpListener::bind(address).await?, datagrams, address })
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers for ever.
    pub async fn run(self, endpoints: Endpoints) -> Infallible {
        let Self { datagrams, connections, .. } = self;
        tokio::join!(serve_datagrams(&datagrams, &endpoints), serve_connections(&connections, &endpoints)).0
    }
}

async fn serve_datagrams(socket: &UdpSocket, endpoints: &Endpoints) -> Infallible {
    let mut question = [0; 1024];
    loop {
        // What fails here is an earlier answer that was not taken.
        let Ok((length, client)) = socket.recv_from(&mut question).await else { continue };
        let answer = question.get(..length).and_then(|question| endpoints.answer(question, LONGEST_DATAGRAM));
        if let Some(answer) = answer {
            // Who has gone asks again.
            let _lost = socket.send_to(&answer, client).await;
        }
    }
}

async fn serve_connections(listener: &TcpListener, endpoints: &Endpoints) -> Infallible {
    let mut serving = JoinSet::new();
    loop {
        while serving.len() >= CONNECTIONS {
            serving.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let endpoints = endpoints.clone();
                serving.spawn(async move {
                    // Who breaks off asks again.
                    let _ended = timeout(PATIENCE, converse(stream, &endpoints)).await;
                });
            }
            Err(error) => {
                warn!("nginx's question for endpoints cannot be taken: {error}.");
                tokio::time::sleep(PATIENCE).await;
            }
        }
        while serving.try_join_next().is_some() {}
    }
}

/// Answers what is asked on a connection, each message with its length before it (RFC 1035, 4.2.2).
async fn converse(mut stream: TcpStream, endpoints: &Endpoints) -> io::Result<()> {
    loop {
        let mut question = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut question).await?;
        let Some(answer) = endpoints.answer(&question, LONGEST_ANSWER) else { return Ok(()) };
        let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes()[..], &answer].concat()).await?;
    }
}

#[cfg(test)]
mod tests;
