//! A load balancer that passes connections on, as network load balancers do.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A TCP balancer: each connection goes to one of those that receive at that moment, in turn, and stays there. It is gone
/// when this is dropped.
#[derive(Debug)]
pub struct TcpBalancer {
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// Who receives, asked anew for every connection.
struct Receivers<F> {
    find: F,
    turn: AtomicUsize,
}

impl<F> fmt::Debug for Receivers<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receivers").field("turn", &self.turn).finish_non_exhaustive()
    }
}

impl TcpBalancer {
    /// Starts it.
    pub async fn start(receivers: impl Fn() -> Vec<SocketAddr> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let receivers = Arc::new(Receivers { find: receivers, turn: AtomicUsize::new(0) });
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let receivers = Arc::clone(&receivers);
                tokio::spawn(async move { receivers.pass_on(client).await.ok() });
            }
        });
        Self { address, server }
    }

    /// Where clients come.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl<F: Fn() -> Vec<SocketAddr>> Receivers<F> {
    /// A connection for which nobody is there is closed.
    async fn pass_on(&self, mut client: TcpStream) -> std::io::Result<()> {
        let found = (self.find)();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let to = found.get(turn % found.len().max(1)).ok_or(std::io::ErrorKind::ConnectionRefused)?;
        let mut server = TcpStream::connect(to).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        copy_bidirectional(&mut client, &mut server).await?;
        Ok(())
    }
}

impl Drop for TcpBalancer {
    fn drop(&mut self) {
        self.server.abort();
    }
}
