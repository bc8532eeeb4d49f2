//! Requests at a steady pace, as many clients send them: some keep their connection, some make a new one each time.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use feed_tests::{Connection, Request, eventually_within};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::cluster::{PATIENCE, say};

/// How many clients of each kind.
const CLIENTS: u32 = 8;

/// How often each of them asks.
const PERIOD: Duration = Duration::from_millis(130);

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);

/// What was asked, and what failed. Nothing is tried again.
#[derive(Debug, Default)]
struct Tally {
    requests: AtomicU64,
    failures: Mutex<Vec<(Duration, String)>>,
}

/// Clients that ask until they are stopped.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    kept: Arc<Tally>,
    new: Arc<Tally>,
    clients: JoinSet<()>,
}

/// What the clients saw, those that keep their connections and the others.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) kept: Seen,
    pub(crate) new: Seen,
}

/// What clients of one kind saw.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    /// When, from the start of the load, and how.
    pub(crate) failures: Vec<(Duration, String)>,
}

impl Load {
    /// Begins, and waits until there was an answer or two.
    pub(crate) async fn start(to: SocketAddr, host: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (kept, new) = (Arc::new(Tally::default()), Arc::new(Tally::default()));
        let (start, mut clients) = (Instant::now(), JoinSet::new());
        for _ in 0..CLIENTS {
            let keeping = Request::get(host, "/");
            clients.spawn(client(to, keeping, start, Arc::clone(&stop), Arc::clone(&kept)));
            let closing = Request::get(host, "/").header("Connection", "close");
            clients.spawn(client(to, closing, start, Arc::clone(&stop), Arc::clone(&new)));
        }
        let load = Self { stop, kept, new, clients };
        load.goes_on(100).await;
        load
    }

    /// Waits for so many requests more, of either kind.
    pub(crate) async fn goes_on(&self, requests: u64) {
        for tally in [&self.kept, &self.new] {
            let enough = tally.requests.load(Ordering::Relaxed) + requests;
            eventually_within(PATIENCE, "there are requests", async || {
                match tally.requests.load(Ordering::Relaxed) {
                    requests if requests >= enough => Ok(()),
                    requests => Err(requests),
                }
            })
            .await;
        }
    }

    /// Lets each client finish, and prints what they saw.
    pub(crate) async fn stop(self, what: &str) -> Report {
        self.stop.store(true, Ordering::Relaxed);
        self.clients.join_all().await;
        let seen = |tally: &Tally| Seen {
            requests: tally.requests.load(Ordering::Relaxed),
            failures: std::mem::take(&mut tally.failures.lock().unwrap()),
        };
        let report = Report { kept: seen(&self.kept), new: seen(&self.new) };
        for (kind, seen) in [("kept connections", &report.kept), ("new connections", &report.new)] {
            say(&format!("{what}: {kind}: {} requests, {} failed", seen.requests, seen.failures.len()));
            for (at, failure) in seen.failures.iter().take(5) {
                say(&format!("    after {at:.1?}: {failure}"));
            }
        }
        report
    }
}

impl Report {
    /// Nothing was refused, cut off or answered with anything but 200.
    #[track_caller]
    pub(crate) fn expect_no_failure(&self) {
        assert_eq!((&self.kept.failures[..], &self.new.failures[..]), (&[][..], &[][..]));
    }
}

async fn client(to: SocketAddr, request: Request, start: Instant, stop: Arc<AtomicBool>, tally: Arc<Tally>) {
    let mut open = None;
    let mut turns = interval(PERIOD);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !stop.load(Ordering::Relaxed) {
        turns.tick().await;
        let at = start.elapsed();
        let was_open = open.is_some();
        let asked = timeout(ANSWER, ask(to, &request, open.take())).await;
        let failure = match asked.unwrap_or_else(|_| Err("no answer".to_owned())) {
            Ok(connection) => {
                open = connection;
                None
            }
            Err(failure) if was_open => Some(format!("on a connection that was kept: {failure}")),
            Err(failure) => Some(failure),
        };
        tally.requests.fetch_add(1, Ordering::Relaxed);
        if let Some(failure) = failure {
            tally.failures.lock().unwrap().push((at, failure));
        }
    }
}

/// Asks once; the connection, where it may be used again.
async fn ask(
    to: SocketAddr,
    request: &Request,
    open: Option<Connection>,
) -> Result<Option<Connection>, String> {
    let mut connection = match open {
        Some(connection) => connection,
        None => Connection::open(to).await.map_err(|error| format!("connecting: {error}"))?,
    };
    let response = connection.send(request).await.map_err(|error| error.to_string())?;
    match response.status {
        200 => Ok((!response.closes()).then_some(connection)),
        status => Err(status.to_string()),
    }
}
