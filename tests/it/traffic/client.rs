//! A client and a backend that count the bytes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

/// What became of a request, or of several.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) status: u16,
    pub(super) sent: f64,
    pub(super) received: f64,
}

impl Counted {
    /// Sends a request as it stands on a connection of its own, and reads until its end.
    pub(super) async fn send(to: SocketAddr, request: &str) -> Self {
        Self::send_from([127, 0, 0, 1], to, request).await
    }

    pub(super) async fn send_from(from: [u8; 4], to: SocketAddr, request: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        let mut stream = socket.connect(to).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let status =
            String::from_utf8_lossy(&answer).split(' ').nth(1).map_or(0, |word| word.parse().unwrap());
        let length = |bytes: usize| f64::from(u32::try_from(bytes).unwrap());
        Self { status, sent: length(request.len()), received: length(answer.len()) }
    }
}

/// `GET path`, after which the connection is closed.
pub(super) fn get(host: &str, path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
}

/// A backend that answers everything with the same bytes, and counts what it gets and gives.
pub(super) struct Scales {
    pub(super) address: SocketAddr,
    bytes: Arc<(AtomicU64, AtomicU64)>,
    server: JoinHandle<()>,
}

impl Scales {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind((feed_tests::loopback_address(), 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let bytes = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let server = tokio::spawn(serve(listener, Arc::clone(&bytes)));
        Self { address, bytes, server }
    }

    pub(super) fn service(&self, name: &str) -> Value {
        let ports = json!([{"name": "http", "port": self.address.port()}]);
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": {"clusterIP": self.address.ip(), "ports": ports}})
    }

    #[expect(clippy::cast_precision_loss, reason = "few bytes")]
    pub(super) fn received(&self) -> f64 {
        self.bytes.0.load(Ordering::Relaxed) as f64
    }

    #[expect(clippy::cast_precision_loss, reason = "few bytes")]
    pub(super) fn sent(&self) -> f64 {
        self.bytes.1.load(Ordering::Relaxed) as f64
    }
}

impl Drop for Scales {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(listener: TcpListener, bytes: Arc<(AtomicU64, AtomicU64)>) {
    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let bytes = Arc::clone(&bytes);
        tokio::spawn(async move {
            let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
            while let Ok(length @ 1..) = stream.read(&mut buffer).await {
                bytes.0.fetch_add(length as u64, Ordering::Relaxed);
                request.extend(&buffer[..length]);
                if request.ends_with(b"\r\n\r\n") {
                    request.clear();
                    stream.write_all(ANSWER).await.unwrap();
                    bytes.1.fetch_add(ANSWER.len() as u64, Ordering::Relaxed);
                }
            }
        });
    }
}
