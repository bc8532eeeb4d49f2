//! nginx's log of requests, read as it grows.
//!
//! What was read is given back to the file system as a hole, so that the file occupies only what is unread, whatever its
//! length: nothing is renamed or truncated, nginx need not be told, and a process that was killed leaves a file that begins
//! with what nobody has read.

use std::convert::Infallible;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek, statvfs};
use rustix::io::Errno;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tracing::{info, warn};

use super::executor::Known;
use crate::runtime::health::{Condition, Health};
use crate::traffic::Traffic;

/// How often is looked for new lines; nginx writes them after a second at the latest.
const PERIOD: Duration = Duration::from_millis(250);

/// Read in one piece.
const CHUNK: usize = 1 << 20;

/// Holes are made of whole pages.
const PAGE: u64 = 4 << 10;

/// A file that cannot have holes is replaced when so much of it is read.
const LONGEST_WITHOUT_HOLES: u64 = 64 << 20;

/// A file with holes is replaced when it is so long: ext4 takes 16 TiB.
const LONGEST: u64 = 1 << 40;

/// For how long a replaced file is watched for lines of workers that have it still open.
const FAREWELL: Duration = Duration::from_mins(1);

/// nginx writes so much at once; where less is free, lines may be lost.
const ENOUGH: u64 = 128 << 10;

/// The log of requests cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} nginx's log of requests {}: {source}", path.display())]
pub struct RequestLogError {
    action: &'static str,
    path: PathBuf,
    source: io::Error,
}

/// nginx's log of requests.
#[derive(Debug)]
pub struct RequestLog {
    path: PathBuf,
    /// Whether nginx may run as another user than we do, even its master.
    shared: bool,
    current: Tail,
    /// Files that were replaced, and since when they are quiet.
    former: Vec<(Tail, Instant)>,
    buffer: Vec<u8>,
    /// Whether the file system makes holes.
    holes: bool,
}

/// How things stand after a look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// The file is another one than before: nginx must open it.
    pub replaced: bool,
    /// No room is left: nginx may have dropped lines.
    pub full: bool,
    /// What the log occupies, in bytes.
    pub bytes: u64,
}

/// An open log, and how far it is read.
#[derive(Debug)]
struct Tail {
    file: File,
    position: u64,
}

/// Creates the log where it is missing, so that both nginx and we can open it. `shared` says that nginx's master is not
/// ours, and may run as another user.
pub fn prepare(path: &Path, shared: bool) -> Result<(), RequestLogError> {
    let created = create(path, shared).map(drop);
    created.map_err(|source| RequestLogError { action: "create", path: path.to_owned(), source })
}

fn create(path: &Path, shared: bool) -> io::Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
    if shared {
        // Fails where somebody else has made it, who then has seen to this.
        let _ours = file.set_permissions(Permissions::from_mode(0o666));
    }
    Ok(file)
}

impl RequestLog {
    /// Opens the log, and creates it where it is missing. What is in it was not read yet.
    pub fn open(path: PathBuf, shared: bool) -> Result<Self, RequestLogError> {
        let opened = Tail::open(&path, shared);
        let current =
            opened.map_err(|source| RequestLogError { action: "open", path: path.clone(), source })?;
        Ok(Self { path, shared, current, former: Vec::new(), buffer: vec![0; CHUNK], holes: true })
    }

    /// Reads what is new. Nothing is before it is known what is declared: the lines wait.
    pub fn look(&mut self, traffic: &Traffic) -> Result<Look, RequestLogError> {
        let replaced = self.follow_the_name().map_err(|source| self.failed("open", source))?;
        let read = if traffic.is_declared() { self.read(traffic) } else { Ok(()) };
        let bytes = read.and_then(|()| Ok(self.current.file.metadata()?.blocks() * 512));
        let bytes = bytes.map_err(|source| self.failed("read", source))?;
        traffic.looked(bytes);
        let replaced = replaced | self.shorten().map_err(|source| self.failed("replace", source))?;
        Ok(Look { replaced, full: self.is_full(), bytes })
    }

    fn failed(&self, action: &'static str, source: io::Error) -> RequestLogError {
        RequestLogError { action, path: self.path.clone(), source }
    }

    fn read(&mut self, traffic: &Traffic) -> io::Result<()> {
        let now = Instant::now();
        let Self { path, current, former, buffer, holes, .. } = self;
        for (tail, quiet_since) in &mut *former {
            if tail.read(buffer, traffic, holes)? {
                *quiet_since = now;
            }
        }
        former.retain(|(_, quiet_since)| now.duration_since(*quiet_since) < FAREWELL);
        if current.was_truncated(*holes)? {
            warn!(
                file = %path.display(),
                "nginx's log of requests was truncated; what it held and was not read is not counted. It needs no rotation."
            );
            current.position = 0;
        }
        current.read(buffer, traffic, holes)?;
        Ok(())
    }

    /// Goes over to another file where the name is another one's, or nobody's, by now.
    fn follow_the_name(&mut self) -> io::Result<bool> {
        let open = self.current.file.metadata()?;
        let is_same = match fs::metadata(&self.path) {
            Ok(named) => (named.dev(), named.ino()) == (open.dev(), open.ino()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        if !is_same {
            warn!(file = %self.path.display(), "nginx's log of requests was removed or replaced; nginx is told to open it again.");
            self.replace()?;
        }
        Ok(!is_same)
    }

    /// Begins a new file when the present one gets too long.
    fn shorten(&mut self) -> io::Result<bool> {
        let limit = if self.holes { LONGEST } else { LONGEST_WITHOUT_HOLES };
        let is_long = self.current.position > limit;
        if is_long {
            fs::remove_file(&self.path)?;
            self.replace()?;
        }
        Ok(is_long)
    }

    fn replace(&mut self) -> io::Result<()> {
        if let Some(directory) = self.path.parent() {
            fs::create_dir_all(directory)?;
        }
        let former = std::mem::replace(&mut self.current, Tail::open(&self.path, self.shared)?);
        self.former.push((former, Instant::now()));
        Ok(())
    }

    fn is_full(&self) -> bool {
        let free = self.path.parent().and_then(|directory| statvfs(directory).ok());
        free.is_some_and(|free| free.f_bavail.saturating_mul(free.f_frsize) < ENOUGH)
    }
}

impl Tail {
    fn open(path: &Path, shared: bool) -> io::Result<Self> {
        let file = create(path, shared)?;
        let position = match seek(&file, SeekFrom::Data(0)) {
            Ok(data) => data,
            // There is none.
            Err(Errno::NXIO) => file.metadata()?.len(),
            Err(_) => 0,
        };
        Ok(Self { file, position })
    }

    /// Whether somebody has taken away what the file held. It may be longer than before by now: then it begins with a line,
    /// not with a hole.
    fn was_truncated(&self, holes: bool) -> io::Result<bool> {
        if self.position == 0 {
            return Ok(false);
        }
        if self.file.metadata()?.len() < self.position {
            return Ok(true);
        }
        let mut first = [0];
        Ok(holes && self.file.read_at(&mut first, 0)? == 1 && first != [0])
    }

    /// Reads all whole lines; says whether there were any.
    fn read(&mut self, buffer: &mut [u8], traffic: &Traffic, holes: &mut bool) -> io::Result<bool> {
        let start = self.position;
        loop {
            let length = self.file.read_at(buffer, self.position)?;
            let read = buffer.get(..length).unwrap_or_default();
            let used = match traffic.read(read) {
                // No line is so long.
                0 if length == buffer.len() => length,
                used => used,
            };
            if used == 0 {
                return Ok(self.position > start);
            }
            let from = self.position;
            self.position += used as u64;
            if *holes {
                *holes = self.free(from)?;
            }
        }
    }

    /// Gives back what was read since that position; says whether the file system can.
    fn free(&self, from: u64) -> io::Result<bool> {
        let from = from / PAGE * PAGE;
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(&self.file, flags, from, self.position - from) {
            Ok(()) => Ok(true),
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::PERM) => {
                info!(
                    "The file system of nginx's log of requests makes no holes; the log is replaced now and then."
                );
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Reads the log for as long as the process runs, and tells nginx when it must open another file.
pub async fn follow(
    mut log: RequestLog,
    traffic: Traffic,
    known: watch::Receiver<Known>,
    health: Health,
) -> Result<Infallible, io::Error> {
    let mut must_open = false;
    loop {
        let counting = traffic.clone();
        let look = move || (log.look(&counting), log);
        let looked;
        (looked, log) = spawn_blocking(look).await?;
        must_open |= looked.as_ref().is_ok_and(|look| look.replaced);
        if must_open {
            must_open = !told_to_open(&known);
        }
        health.report("log of requests", condition(&log.path, looked));
        sleep(PERIOD).await;
    }
}

/// Tells nginx to open its logs again; one that is not there opens them when it starts.
fn told_to_open(known: &watch::Receiver<Known>) -> bool {
    let master = known.borrow().master.clone();
    let told = master.map_or(Ok(()), |master| master.reopen_logs());
    if let Err(error) = &told {
        warn!(%error, "nginx cannot be told to open its log of requests again.");
    }
    told.is_ok()
}

fn condition(path: &Path, looked: Result<Look, RequestLogError>) -> Condition {
    match looked {
        Ok(Look { full: false, .. }) => Condition::Good,
        Ok(Look { full: true, .. }) => Condition::Unhealthy(format!(
            "no room is left for nginx's log of requests {}: requests are served, but not all are counted",
            path.display()
        )),
        Err(error) => Condition::Unhealthy(format!("{error}; requests are not counted")),
    }
}

#[cfg(test)]
mod tests;
