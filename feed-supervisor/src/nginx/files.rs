//! The files below nginx's workdir, changed so that a crash at any moment leaves a whole and known state.
//!
//! | name | what |
//! | --- | --- |
//! | `nginx.conf` | what nginx reads: a symlink to a file in `generations/`, only ever replaced by renaming |
//! | `confirmed` | a symlink to the file that was confirmed last |
//! | `generations/42.conf` | configuration 42 |
//! | `certificates/` | certificates with their keys, readable by nobody else; each file is named by what is in it |
//! | `temp/` | nginx's temporary files |
//! | `logs/` | nginx's access log, where it is asked for and nothing else is said |
//! | `requests/requests.log` | a line for each request, read by [`requests`](super::requests); the directory may be a mount of its own |
//! | `errors.sock` | the socket that nginx logs to |
//! | `nginx.pid` | nginx's pid, where it is our child |
//! | `ready` | there once a complete configuration was confirmed: nginx's status port is ready then |
//! | `drained` | there once a neighbouring nginx may stop |
//! | `lock` | locked by the process that supervises nginx |

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fs::{self, File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use feed_reconcile::certificate::KeyPair;
use feed_reconcile::nginx::Generation;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

mod certificates;
mod header;

pub use self::header::{Header, listens_on};

/// The longest path that a socket's address can hold, in bytes (`unix(7)`, less the NUL).
const LONGEST_SOCKET_PATH: usize = 107;

/// Written in one piece, so that a large configuration costs few system calls.
const BUFFER: usize = 1 << 20;

/// Why a file below the workdir cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The workdir is not usable at all.
    #[error("cannot write to nginx's workdir {}: {source}; make it writable or choose another one with --nginx-workdir", path.display())]
    Workdir {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The path of the socket for nginx's errors would be too long.
    #[error(
        "the path of nginx's workdir {} is too long: a socket in it can have {LONGEST_SOCKET_PATH} bytes at most; \
         choose a shorter one with --nginx-workdir",
        _0.display()
    )]
    TooLong(PathBuf),
    /// Two processes would work on the same files.
    #[error(
        "another feed-ingress uses nginx's workdir {}; stop that, or choose another directory with --nginx-workdir",
        _0.display()
    )]
    InUse(PathBuf),
    /// Something was being done with a file.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
}

/// nginx's workdir.
#[derive(Clone, Debug)]
pub struct Files {
    workdir: PathBuf,
    /// Whether nginx may run as another user than we do, even its master.
    shared: bool,
}

/// The workdir is ours while this is held.
#[derive(Debug)]
pub struct Lock {
    _held: Flock<File>,
}

/// What an earlier process has left behind.
#[derive(Debug, Default)]
pub struct Left {
    /// The configuration that was confirmed last: its header and its bytes.
    pub confirmed: Option<(Header, Vec<u8>)>,
    /// The generation that nginx would read.
    pub named: Option<Generation>,
    /// The largest generation there is a trace of.
    pub last: Generation,
}

impl Files {
    /// The files below that directory. `shared` says that nginx's master is not ours, and may run as another user.
    pub fn new(workdir: &Path, shared: bool) -> Self {
        Self { workdir: workdir.to_owned(), shared }
    }

    /// The directory itself.
    pub fn workdir(&self) -> &Path {
        &self.workdir
    }

    /// The name that nginx reads.
    pub fn live(&self) -> PathBuf {
        self.workdir.join("nginx.conf")
    }

    /// The file of a generation.
    pub fn generation(&self, generation: Generation) -> PathBuf {
        self.workdir.join(target(generation))
    }

    /// The socket that nginx logs to.
    pub fn errors_socket(&self) -> PathBuf {
        self.workdir.join("errors.sock")
    }

    /// The file that names the port of the name server for endpoints.
    pub fn name_server_port(&self) -> PathBuf {
        self.workdir.join("name-server.port")
    }

    /// The log of requests.
    pub fn request_log(&self) -> PathBuf {
        self.workdir.join("requests/requests.log")
    }

    /// Whether nginx may run as another user than we do, even its master.
    pub fn is_shared(&self) -> bool {
        self.shared
    }

    /// Creates what is missing, and checks that all of it can be used.
    ///
    /// nginx's workers are another user's processes where its master is root's, so the workdir may be entered by all:
    /// they connect to the socket in it. In `temp/` nginx's master makes a directory for each purpose and gives it to
    /// its workers; a master that is not ours needs to be allowed to. In `requests/` it creates its log.
    pub fn prepare(&self) -> Result<(), FilesError> {
        if self.errors_socket().as_os_str().len() > LONGEST_SOCKET_PATH {
            return Err(FilesError::TooLong(self.workdir.clone()));
        }
        let unusable = |source| FilesError::Workdir { path: self.workdir.clone(), source };
        let is_new = !self.workdir.exists();
        fs::create_dir_all(self.workdir.join("generations")).map_err(unusable)?;
        for directory in ["temp", "requests"] {
            fs::create_dir_all(self.workdir.join(directory)).map_err(unusable)?;
        }
        if is_new {
            fs::set_permissions(&self.workdir, Permissions::from_mode(0o755)).map_err(unusable)?;
        }
        if self.shared {
            // Fails where somebody else has made it, who then has seen to this.
            for directory in ["temp", "requests"] {
                let _ours = fs::set_permissions(self.workdir.join(directory), Permissions::from_mode(0o1777));
            }
        }
        for directory in [self.workdir.clone(), self.workdir.join("generations")] {
            let probe = directory.join(".writable");
            File::create(&probe).and_then(|_| fs::remove_file(&probe)).map_err(unusable)?;
        }
        Ok(())
    }

    /// Keeps other processes of ours away for as long as the lock is held; a process that dies gives it back.
    pub fn lock(&self) -> Result<Lock, FilesError> {
        let path = self.workdir.join("lock");
        let file = File::create(&path).map_err(|source| FilesError::File {
            action: "create",
            path: path.clone(),
            source,
        })?;
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Lock { _held: lock }),
            Err((_, Errno::EWOULDBLOCK)) => Err(FilesError::InUse(self.workdir.clone())),
            Err((_, error)) => Err(FilesError::File { action: "lock", path, source: error.into() }),
        }
    }

    /// Looks at what an earlier process has left.
    pub fn left(&self) -> Result<Left, FilesError> {
        let named = self.pointee("nginx.conf");
        let confirmed = self.pointee("confirmed");
        let on_disk = self.generations()?.into_iter().max();
        let last = [named, confirmed, on_disk].into_iter().flatten().max().unwrap_or_default();
        let confirmed = match confirmed {
            None => None,
            Some(generation) => {
                let path = self.generation(generation);
                match fs::read(&path) {
                    Ok(bytes) => Header::parse(&bytes).map(|header| (header, bytes)),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    Err(source) => return Err(FilesError::File { action: "read", path, source }),
                }
            }
        };
        Ok(Left { confirmed, named, last })
    }

    /// Writes a configuration to a file of its own, its certificates before it, and removes what nothing needs any more.
    ///
    /// Its bytes are on disk then, its name perhaps not: a machine that fails before [`Self::keep`] may come back with
    /// or without this file, and with the name that nginx reads set to it or not, in that order. Each is all right.
    pub fn write<'a>(
        &self,
        generation: Generation,
        parts: impl Iterator<Item = Cow<'a, str>>,
        certificates: impl Iterator<Item = &'a KeyPair>,
    ) -> Result<(), FilesError> {
        let needed = [self.pointee("nginx.conf"), self.pointee("confirmed"), Some(generation)];
        self.prune(&needed.into_iter().flatten().collect())?;
        self.write_certificates(certificates)?;
        let path = self.generation(generation);
        let new = new_name(&path);
        let written = File::create(&new).and_then(|file| {
            let mut writer = BufWriter::with_capacity(BUFFER, file);
            for part in parts {
                writer.write_all(part.as_bytes())?;
            }
            writer.into_inner()?.sync_all()
        });
        written.map_err(|source| FilesError::File { action: "write", path: new.clone(), source })?;
        replace(&new, &path)
    }

    /// Makes a configuration the one that nginx reads.
    pub fn name(&self, generation: Generation) -> Result<(), FilesError> {
        self.point("nginx.conf", generation)
    }

    /// Remembers that a configuration is confirmed, so that even a failure of the machine leaves it, and removes all others.
    pub fn keep(&self, generation: Generation) -> Result<(), FilesError> {
        self.sync_certificates()?;
        sync(self.workdir.join("generations"))?;
        self.point("confirmed", generation)?;
        sync(self.workdir.clone())?;
        self.prune(&BTreeSet::from([generation]))
    }

    /// Lets nginx's status port be ready.
    pub fn mark_ready(&self) -> Result<(), FilesError> {
        create(self.workdir.join("ready"))
    }

    /// Takes [`Self::mark_ready`] back.
    pub fn clear_ready(&self) -> Result<(), FilesError> {
        remove(self.workdir.join("ready"))
    }

    /// Tells a neighbouring nginx that it may stop.
    pub fn mark_drained(&self) -> Result<(), FilesError> {
        create(self.workdir.join("drained"))
    }

    /// Takes [`Self::mark_drained`] back.
    pub fn clear_drained(&self) -> Result<(), FilesError> {
        remove(self.workdir.join("drained"))
    }

    /// Swaps what a name points to.
    fn point(&self, name: &str, generation: Generation) -> Result<(), FilesError> {
        let path = self.workdir.join(name);
        if self.pointee(name) == Some(generation) {
            return Ok(());
        }
        let new = new_name(&path);
        remove(new.clone())?;
        symlink(target(generation), &new).map_err(|source| FilesError::File {
            action: "create",
            path: new.clone(),
            source,
        })?;
        replace(&new, &path)
    }

    /// The generation that a name points to.
    fn pointee(&self, name: &str) -> Option<Generation> {
        let target = fs::read_link(self.workdir.join(name)).ok()?;
        generation_of(target.file_name()?.to_str()?)
    }

    fn generations(&self) -> Result<BTreeSet<Generation>, FilesError> {
        let path = self.workdir.join("generations");
        let listed = fs::read_dir(&path).and_then(|entries| {
            entries
                .filter_map(|entry| match entry {
                    Ok(entry) => Some(Ok(generation_of(entry.file_name().to_str()?)?)),
                    Err(error) => Some(Err(error)),
                })
                .collect()
        });
        listed.map_err(|source| FilesError::File { action: "list", path, source })
    }

    fn prune(&self, needed: &BTreeSet<Generation>) -> Result<(), FilesError> {
        for generation in self.generations()?.difference(needed) {
            remove(self.generation(*generation))?;
        }
        self.prune_certificates()
    }
}

fn create(path: PathBuf) -> Result<(), FilesError> {
    let created = File::create(&path).map(drop);
    created.map_err(|source| FilesError::File { action: "create", path, source })
}

fn remove(path: PathBuf) -> Result<(), FilesError> {
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(FilesError::File { action: "remove", path, source })
        }
        _ => Ok(()),
    }
}

fn replace(new: &Path, path: &Path) -> Result<(), FilesError> {
    let replaced = fs::rename(new, path);
    replaced.map_err(|source| FilesError::File { action: "replace", path: path.to_owned(), source })
}

/// Brings the names in a directory to disk.
fn sync(path: PathBuf) -> Result<(), FilesError> {
    let synced = File::open(&path).and_then(|directory| directory.sync_all());
    synced.map_err(|source| FilesError::File { action: "sync", path, source })
}

/// What a symlink in the workdir holds: relative, so that it is right wherever a neighbour mounts the volume.
fn target(generation: Generation) -> String {
    format!("generations/{generation}.conf")
}

fn generation_of(file: &str) -> Option<Generation> {
    file.strip_suffix(".conf")?.parse().ok().map(Generation)
}

fn new_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

#[cfg(test)]
mod tests;
