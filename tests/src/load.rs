//! Load: many clients, each with a connection that it keeps.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::client::{Connection, Request};

/// Clients that send one request after another, each on its own connection, until they are stopped. None of them looks
/// at its connection before it sends, and none retries: what happens to a request that meets a closing connection is seen.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    clients: JoinSet<LoadReport>,
}

/// What the clients saw, together.
#[derive(Debug, Default)]
pub struct LoadReport {
    /// Complete answers, by status.
    pub answers: BTreeMap<u16, u64>,
    /// Requests without a complete answer: the connection was refused, closed or reset.
    pub failures: Vec<String>,
    /// Answers that announced the end of their connection, which the client then replaced.
    pub announced_closes: u64,
}

impl Load {
    /// Starts `connections` clients.
    pub fn start(to: SocketAddr, request: &Request, connections: usize) -> Self {
        Self::start_thinking(to, request, connections, Duration::ZERO)
    }

    /// Starts `connections` clients that wait so long after each answer.
    pub fn start_thinking(to: SocketAddr, request: &Request, connections: usize, pause: Duration) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut clients = JoinSet::new();
        let clients_in_all = u32::try_from(connections).unwrap_or(u32::MAX);
        for number in 0..clients_in_all {
            let (request, stop) = (request.clone(), Arc::clone(&stop));
            let turn = pause * number / clients_in_all;
            clients.spawn(async move {
                sleep(turn).await;
                client(to, request, stop, pause).await
            });
        }
        Self { stop, clients }
    }

    /// Lets each client finish its request and says what they saw.
    pub async fn stop(self) -> LoadReport {
        self.stop.store(true, Ordering::Relaxed);
        let mut total = LoadReport::default();
        for report in self.clients.join_all().await {
            for (status, count) in report.answers {
                *total.answers.entry(status).or_default() += count;
            }
            total.failures.extend(report.failures);
            total.announced_closes += report.announced_closes;
        }
        total
    }
}

async fn client(to: SocketAddr, request: Request, stop: Arc<AtomicBool>, pause: Duration) -> LoadReport {
    let mut report = LoadReport::default();
    let mut open: Option<Connection> = None;
    while !stop.load(Ordering::Relaxed) {
        let connection = match open.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(to).await,
        };
        let answer = match connection {
            Ok(mut connection) => connection.send(&request).await.map(|response| (connection, response)),
            Err(error) => Err(error),
        };
        match answer {
            Ok((connection, response)) => {
                *report.answers.entry(response.status).or_default() += 1;
                if response.closes() {
                    report.announced_closes += 1;
                } else {
                    open = Some(connection);
                }
                if !pause.is_zero() {
                    sleep(pause).await;
                }
            }
            Err(error) => {
                report.failures.push(error.to_string());
                // A server that is gone must not be asked in a tight loop.
                sleep(Duration::from_millis(10)).await;
            }
        }
    }
    report
}
