//! The certificate of hosts that have none of their own: two files, which are watched.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use feed_reconcile::certificate::{Certificate, Fault};
use jiff::Timestamp;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::examine;
use super::overview::Entry;
use crate::runtime::health::{Condition, Health};
use crate::runtime::regular_file::read_regular;

/// How often the files are looked at although nothing is known to have changed: network file systems tell of nothing, and
/// certificates end by themselves.
const LOOK_PERIOD: Duration = Duration::from_secs(10);

/// After a change: two files are replaced one after the other.
const SETTLE_TIME: Duration = Duration::from_millis(100);

/// After what cannot be used: perhaps only half of it was there.
const PATIENCE: Duration = Duration::from_millis(500);

/// The most symbolic links that lead from one to the next.
const LINKS: usize = 16;

/// Why the default certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// A file is not there, or may not be read.
    #[error("cannot read the default certificate: {}: {source} (--ssl-path)", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The files are not what they should be.
    #[error("the default certificate {} cannot be used: {} (--ssl-path)", stem.display(), in_files(fault))]
    Unusable {
        /// The files without their endings.
        stem: PathBuf,
        /// Why not.
        fault: Fault,
    },
}

/// The texts of faults speak of a Secret's entries.
fn in_files(fault: &Fault) -> String {
    fault.to_string().replace("`tls.crt`", "file .crt").replace("`tls.key`", "file .key")
}

/// The default certificate, and what is wrong with its files now.
#[derive(Clone, Debug)]
pub struct DefaultPair {
    /// The last that could be used.
    pub certificate: Arc<Certificate>,
    /// What operators should look at.
    pub problem: Option<String>,
}

impl DefaultPair {
    /// What operators may know of it.
    pub fn entry(&self) -> Entry {
        Entry::new(None, Some(&self.certificate), self.problem.clone())
    }
}

/// Reads the two files. One that has expired, or is not valid yet, is better than none.
pub fn read(stem: &Path) -> Result<DefaultPair, PairError> {
    let contents = |ending| {
        let path = file(stem, ending);
        read_regular(&path).map_err(|source| PairError::Unreadable { path, source })
    };
    let (certificates, key) = (contents(".crt")?, contents(".key")?);
    let unusable = |fault| PairError::Unusable { stem: stem.to_owned(), fault };
    let certificate = examine(&certificates, &key).map_err(unusable)?;
    let fault = certificate.fault_at(Timestamp::now());
    let problem = fault.map(|fault| unusable(fault).to_string());
    Ok(DefaultPair { certificate: Arc::new(certificate), problem })
}

fn file(stem: &Path, ending: &str) -> PathBuf {
    let mut name = stem.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// Follows the files: what replaces them is told, and while they are gone or of no use the last pair stays.
pub async fn follow(stem: PathBuf, told: watch::Sender<DefaultPair>, health: Health) -> Infallible {
    let mut changes = Changes::new();
    report(&health, told.borrow().problem.as_deref());
    loop {
        changes.watch(&stem);
        let mut pair = read_elsewhere(&stem).await;
        if pair.is_err() {
            sleep(PATIENCE).await;
            pair = read_elsewhere(&stem).await;
        }
        tell(&told, pair, &health);
        changes.next().await;
    }
}

async fn read_elsewhere(stem: &Path) -> Result<DefaultPair, String> {
    let stem = stem.to_owned();
    match tokio::task::spawn_blocking(move || read(&stem)).await {
        Ok(pair) => pair.map_err(|error| error.to_string()),
        Err(error) => Err(format!("cannot look at the default certificate: {error}")),
    }
}

fn tell(told: &watch::Sender<DefaultPair>, read: Result<DefaultPair, String>, health: &Health) {
    let known = told.borrow().clone();
    let pair = match read {
        Ok(pair) => pair,
        Err(problem) => DefaultPair {
            certificate: Arc::clone(&known.certificate),
            problem: Some(format!("{problem}; the last good one is served")),
        },
    };
    if pair.certificate != known.certificate {
        info!(not_after = %pair.certificate.not_after, "The default certificate has been replaced.");
    }
    if pair.problem != known.problem {
        report(health, pair.problem.as_deref());
    }
    told.send_if_modified(|told| {
        let is_new = pair.certificate != told.certificate || pair.problem != told.problem;
        *told = pair;
        is_new
    });
}

fn report(health: &Health, problem: Option<&str>) {
    let condition = match problem {
        None => Condition::Good,
        Some(problem) => {
            warn!("{problem}.");
            Condition::Unhealthy(problem.to_owned())
        }
    };
    health.report("default certificate", condition);
}

/// The changes of the files, and of what leads to them.
struct Changes {
    /// `None` when the kernel has none left.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    events: mpsc::Receiver<()>,
}

impl Changes {
    fn new() -> Self {
        let (sender, events) = mpsc::channel(1);
        let handler = move |event: notify::Result<notify::Event>| {
            // One that waits already says the same.
            if event.map_or(true, |event| is_change(event.kind)) {
                let _waits = sender.try_send(());
            }
        };
        let watcher = notify::recommended_watcher(handler);
        if let Err(error) = &watcher {
            warn!(%error, "The default certificate cannot be watched; it is looked at every few seconds instead.");
        }
        Self { watcher: watcher.ok(), watched: BTreeSet::new(), events }
    }

    /// Watches the directories on the way to the files.
    fn watch(&mut self, stem: &Path) {
        let Some(watcher) = &mut self.watcher else { return };
        let directories: BTreeSet<PathBuf> =
            [".crt", ".key"].iter().flat_map(|ending| directories_of(file(stem, ending))).collect();
        for gone in self.watched.difference(&directories) {
            // It fails where the directory itself is gone, and its watch with it.
            drop(watcher.unwatch(gone));
        }
        // A directory that was replaced has the name of the one before, and not its watch.
        self.watched = directories;
        self.watched.retain(|directory| watcher.watch(directory, RecursiveMode::NonRecursive).is_ok());
    }

    /// Waits until the files should be looked at again.
    async fn next(&mut self) {
        if timeout(LOOK_PERIOD, self.events.recv()).await.is_ok() {
            sleep(SETTLE_TIME).await;
            // What came meanwhile is looked at now.
            let _seen = self.events.try_recv();
        }
    }
}

/// Reading is no change, or our own would wake us for ever.
fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if access != AccessKind::Close(AccessMode::Write))
}

/// The directory of a file, and those of what it links to, link by link.
fn directories_of(mut path: PathBuf) -> Vec<PathBuf> {
    let mut directories = Vec::new();
    for _ in 0..LINKS {
        let Some(directory) = path.parent().map(Path::to_owned) else { break };
        let target = fs::read_link(&path);
        directories.push(if directory.as_os_str().is_empty() {
            PathBuf::from(".")
        } else {
            directory.clone()
        });
        match target {
            Ok(target) => path = directory.join(target),
            Err(_) => break,
        }
    }
    directories
}

#[cfg(test)]
mod tests;
