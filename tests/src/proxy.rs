//! A forward proxy, as closed networks have.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Passes requests for whatever host on to one server; it is gone when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    targets: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl Proxy {
    /// Every connection is passed on to that server; what it asks for first is noted.
    pub async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let targets = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&targets);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let noted = Arc::clone(&noted);
                tokio::spawn(async move { pass(stream, server, &noted).await.ok() });
            }
        });
        Self { address, targets, server }
    }

    /// For `HTTP_PROXY`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The methods and targets of the first request of each connection, in the form `CONNECT host:443`.
    pub fn targets(&self) -> Vec<String> {
        self.targets.lock().unwrap().clone()
    }
}

/// The server does not mind that targets have the absolute form.
async fn pass(mut client: TcpStream, server: SocketAddr, noted: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut first = vec![0; 16 << 10];
    let length = client.read(&mut first).await?;
    first.truncate(length);
    let line = String::from_utf8_lossy(&first).lines().next().unwrap_or_default().to_owned();
    noted.lock().unwrap().push(line.trim_end_matches(" HTTP/1.1").to_owned());
    if line.starts_with("CONNECT ") {
        return client.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").await;
    }
    let mut server = TcpStream::connect(server).await?;
    server.write_all(&first).await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop)
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}
