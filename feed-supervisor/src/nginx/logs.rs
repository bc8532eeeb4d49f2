//! What nginx logs, carried into our own log line by line.
//!
//! nginx's configuration sends its error log to a datagram socket in the workdir, so that it is heard by whoever
//! supervises nginx at the moment, not only by the process that started it. A child writes to its standard error as well:
//! before the configuration is read, and where the socket is away, full, or out of its reach. Of each line one copy counts.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use feed_reconcile::options::LogLevel;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixDatagram;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, error, info, warn};

mod twins;

use self::twins::{Twins, Way};

/// The longest line that nginx writes is 2,048 bytes; syslog's header comes on top.
const LONGEST_MESSAGE: usize = 8 << 10;

/// nginx's errors cannot be received.
#[derive(Debug, thiserror::Error)]
#[error("cannot receive nginx's errors on {}: {source}", path.display())]
pub struct LogsError {
    path: PathBuf,
    source: io::Error,
}

/// A line of nginx's error log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How bad it is.
    pub level: LogLevel,
    /// Who says so, if that is said.
    pub pid: Option<Pid>,
    /// What is said, without time and level.
    pub text: String,
}

impl Line {
    /// Reads a line as nginx writes it to a file, to standard error or to syslog; `None` if it names no level.
    pub fn parse(line: &str) -> Option<Self> {
        let (before, rest) = line.split_once('[')?;
        let (level, text) = rest.split_once("] ")?;
        let level = LogLevel::ALL.into_iter().find(|known| known.as_str() == level)?;
        // A time, syslog's header or `nginx: ` may stand before the level, and nothing else.
        if !before.is_empty() && !before.ends_with(' ') {
            return None;
        }
        let writer = text.split_once(": ").and_then(|(ids, text)| {
            let (pid, thread) = ids.split_once('#')?;
            thread.parse::<u32>().ok()?;
            Some((Pid::from_raw(pid.parse().ok()?), text))
        });
        let (pid, text) = writer.map_or((None, text), |(pid, text)| (Some(pid), text));
        Some(Self { level, pid, text: text.trim_end().to_owned() })
    }

    /// Whether nginx could not do what it was told.
    pub fn is_emergency(&self) -> bool {
        self.level == LogLevel::Emerg
    }
}

/// An error of level `emerg`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Emergency {
    /// Who says so.
    pub pid: Pid,
    /// nginx's text.
    pub text: String,
}

/// The output of a child, to be followed until its end.
#[derive(Debug)]
struct Output {
    pipe: pipe::Receiver,
    /// Gets the first error of level `emerg`, if there was one, when the output ends.
    complaint: Option<oneshot::Sender<Option<String>>>,
}

/// Hands a child's outputs to the task that follows them, and knows what was heard of nginx's masters.
#[derive(Clone, Debug)]
pub struct Follower {
    outputs: mpsc::UnboundedSender<Output>,
    losers: Losers,
}

/// The masters that have lost a worker.
type Losers = Arc<Mutex<BTreeSet<Pid>>>;

impl Follower {
    /// Follows a child's standard output.
    pub fn stdout(&self, pipe: OwnedFd) -> io::Result<()> {
        self.follow(pipe, None)
    }

    /// Follows a child's standard error; at its end the first error of level `emerg` is told.
    pub fn stderr(&self, pipe: OwnedFd) -> io::Result<oneshot::Receiver<Option<String>>> {
        let (complaint, told) = oneshot::channel();
        self.follow(pipe, Some(complaint))?;
        Ok(told)
    }

    /// Whether a worker of that master was heard to have ended by a signal.
    pub fn has_lost_a_worker(&self, master: Pid) -> bool {
        self.losers.lock().unwrap_or_else(PoisonError::into_inner).contains(&master)
    }

    fn follow(&self, pipe: OwnedFd, complaint: Option<oneshot::Sender<Option<String>>>) -> io::Result<()> {
        let output = Output { pipe: pipe::Receiver::from_owned_fd(pipe)?, complaint };
        self.outputs.send(output).map_err(|_| io::Error::other("the log's reader has ended"))
    }
}

/// The receiver of all that nginx logs.
#[derive(Debug)]
pub struct Logs {
    socket: UnixDatagram,
    path: PathBuf,
    outputs: mpsc::UnboundedReceiver<Output>,
    emergencies: mpsc::Sender<Emergency>,
    losers: Losers,
}

impl Logs {
    /// Listens on the socket of that path; what an earlier process has left there is replaced.
    ///
    /// Everyone may write to it, since nginx's workers are another user's processes where its master is root's.
    pub fn bind(path: &Path) -> Result<(Self, Follower, mpsc::Receiver<Emergency>), LogsError> {
        let failed = |source| LogsError { path: path.to_owned(), source };
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let socket = UnixDatagram::bind(path).map_err(failed)?;
        fs::set_permissions(path, Permissions::from_mode(0o666)).map_err(failed)?;
        let (follower, outputs) = mpsc::unbounded_channel();
        let (sender, emergencies) = mpsc::channel(16);
        let losers = Losers::default();
        let follower = Follower { outputs: follower, losers: Arc::clone(&losers) };
        let logs = Self { socket, path: path.to_owned(), outputs, emergencies: sender, losers };
        Ok((logs, follower, emergencies))
    }

    /// Carries lines until the socket breaks.
    pub async fn run(mut self) -> Result<(), LogsError> {
        let mut buffer = vec![0; LONGEST_MESSAGE];
        let mut followed = FuturesUnordered::new();
        let mut twins = Twins::default();
        let (sender, mut said) = mpsc::channel(16);
        loop {
            let (raw, way) = tokio::select! {
                received = self.socket.recv(&mut buffer) => {
                    let length = received.map_err(|source| LogsError { path: self.path.clone(), source })?;
                    (String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned(), Way::Socket)
                }
                Some(raw) = said.recv() => (raw, Way::Output),
                Some(output) = self.outputs.recv() => {
                    followed.push(follow(output, sender.clone()));
                    continue;
                }
                Some(()) = followed.next() => continue,
            };
            let line = Line::parse(&raw);
            if line.as_ref().is_none_or(|line| twins.is_first(line, way, Instant::now())) {
                carry(&raw, line.as_ref());
                if let Some(line) = line {
                    self.heard(line).await;
                }
            }
        }
    }

    async fn heard(&self, line: Line) {
        let Some(pid) = line.pid else { return };
        if line.level == LogLevel::Alert && line.text.contains(" exited on signal ") {
            self.losers.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
        }
        if line.is_emergency() && self.emergencies.send(Emergency { pid, text: line.text }).await.is_err() {
            debug!("Nobody waits for nginx's emergencies any more.");
        }
    }
}

/// Passes the lines of a child's output on.
async fn follow(output: Output, said: mpsc::Sender<String>) {
    let mut lines = BufReader::new(output.pipe).lines();
    let mut complaint = None;
    loop {
        match lines.next_line().await {
            Ok(Some(raw)) => {
                complaint = complaint.or_else(|| Some(Line::parse(&raw).filter(Line::is_emergency)?.text));
                if said.send(raw).await.is_err() {
                    break;
                }
            }
            Ok(None) => break,
            Err(error) => {
                warn!(%error, "nginx's output cannot be read any further.");
                break;
            }
        }
    }
    if let Some(told) = output.complaint {
        // Nobody listens once nginx runs.
        let _unheard = told.send(complaint);
    }
}

/// Logs a line of nginx's at its level.
fn carry(raw: &str, line: Option<&Line>) {
    let (level, pid, text) = match line {
        Some(line) => (line.level, line.pid.map(Pid::as_raw), line.text.as_str()),
        None => (LogLevel::Notice, None, raw.trim_end()),
    };
    let nginx = level.as_str();
    match level {
        LogLevel::Debug => debug!(nginx, pid, "{text}"),
        LogLevel::Info | LogLevel::Notice => info!(nginx, pid, "{text}"),
        LogLevel::Warn => warn!(nginx, pid, "{text}"),
        LogLevel::Error | LogLevel::Crit | LogLevel::Alert | LogLevel::Emerg => error!(nginx, pid, "{text}"),
    }
}

#[cfg(test)]
mod tests;
