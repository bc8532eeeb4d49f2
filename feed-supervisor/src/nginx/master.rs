//! nginx's master process: started, found, watched, signalled.
//!
//! It is held by a pidfd, which means that very process whatever becomes of its id: its end is noticed at once, be it
//! our child or not, and a signal can reach no other.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::unistd::Pid;
use rustix::process::{PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::oneshot;

use super::logs::Follower;
use super::probe::Version;
use super::process;

/// Why nginx's master cannot be started, found or signalled.
#[derive(Debug, thiserror::Error)]
pub enum MasterError {
    /// The program cannot be started.
    #[error("cannot start {}: {source}", binary.display())]
    Start {
        /// The program.
        binary: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Its end could not be noticed.
    #[error("cannot watch nginx's master process {pid}: {source}")]
    Watch {
        /// Its id.
        pid: Pid,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be signalled.
    #[error("cannot signal nginx's master process {pid}: {source}")]
    Signal {
        /// Its id.
        pid: Pid,
        /// Why not.
        source: io::Error,
    },
    /// Its output cannot be read.
    #[error("cannot read the output of nginx: {0}")]
    Output(#[source] io::Error),
}

impl MasterError {
    /// Whether there is no such process any more.
    pub fn is_gone(&self) -> bool {
        match self {
            Self::Watch { source, .. } | Self::Signal { source, .. } => is_gone(source),
            Self::Start { .. } | Self::Output(_) => false,
        }
    }
}

/// A running nginx master.
#[derive(Debug)]
pub struct Master {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
    /// Where it is our child: it must be collected when it ends.
    child: Option<Mutex<Child>>,
}

/// How to start nginx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The program.
    pub binary: PathBuf,
    /// Its version.
    pub version: Version,
    /// The configuration that it reads.
    pub configuration: PathBuf,
    /// Its prefix and its current directory.
    pub workdir: PathBuf,
}

impl Program {
    /// Starts nginx in the foreground. It outlives us, and a terminal's signals do not reach it: it has a process group of
    /// its own, by which its workers are known when it is gone.
    ///
    /// What is returned besides the master gets its complaint when it ends without having forked a worker.
    pub fn start(
        &self,
        follower: &Follower,
    ) -> Result<(Master, oneshot::Receiver<Option<String>>), MasterError> {
        let mut command = Command::new(&self.binary);
        command.arg("-c").arg(&self.configuration).arg("-p").arg(&self.workdir);
        if self.version.has_error_log_option() {
            command.args(["-e", "stderr"]);
        }
        command.args(["-g", "daemon off;"]).current_dir(&self.workdir).process_group(0);
        let (stdout, its_stdout) = output().map_err(MasterError::Output)?;
        let (stderr, its_stderr) = output().map_err(MasterError::Output)?;
        command.stdin(Stdio::null()).stdout(its_stdout).stderr(its_stderr);
        let child =
            command.spawn().map_err(|source| MasterError::Start { binary: self.binary.clone(), source })?;
        // What it holds of the pipes goes with it, so that their end is that of nginx.
        drop(command);
        let master = Master::watch(Pid::from_raw(child.id().cast_signed()), Some(child))?;
        follower.stdout(stdout).map_err(MasterError::Output)?;
        let complaint = follower.stderr(stderr).map_err(MasterError::Output)?;
        Ok((master, complaint))
    }
}

/// Where a child writes to, and the other end. A child does not wait for who reads, however slow that is.
fn output() -> io::Result<(OwnedFd, OwnedFd)> {
    let (reader, writer) = io::pipe()?;
    let flags = rustix::fs::fcntl_getfl(&writer)?;
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK)?;
    Ok((reader.into(), writer.into()))
}

impl Master {
    /// The nginx master whose id is in that file, if it runs; where a configuration is given, it must be the one that
    /// was started with it.
    pub fn find(pid_file: &Path, configuration: Option<&Path>) -> Result<Option<Self>, MasterError> {
        let Some(pid) = read_pid(pid_file) else { return Ok(None) };
        let master = match Self::watch(pid, None) {
            Ok(master) => master,
            Err(error) if error.is_gone() => return Ok(None),
            Err(error) => return Err(error),
        };
        // Looked at only now that it is held: from here on the id cannot become another process's unnoticed.
        Ok(process::is_master(pid, configuration).then_some(master))
    }

    /// Follows the standard error of a master that an earlier process has started, if it writes to a pipe. The end that is
    /// read went with that process; the pipe is there as long as nginx.
    pub fn follow_again(&self, follower: &Follower) -> io::Result<()> {
        let path = PathBuf::from(format!("/proc/{}/fd/2", self.pid));
        if !fs::read_link(&path)?.to_string_lossy().starts_with("pipe:") {
            return Ok(());
        }
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let reader = fs::File::options().read(true).custom_flags(flags).open(path)?;
        // Its complaint is of interest only while it starts.
        follower.stderr(reader.into()).map(drop)
    }

    fn watch(pid: Pid, child: Option<Child>) -> Result<Self, MasterError> {
        let watched =
            rustix::process::Pid::from_raw(pid.as_raw()).ok_or_else(|| io::ErrorKind::InvalidInput.into());
        let watched = watched.and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::NONBLOCK)?));
        #[expect(
            deprecated,
            reason = "its successor is unsafe for types that do not own their file; this one does"
        )]
        let pidfd = watched.and_then(|pidfd| AsyncFd::with_interest(pidfd, Interest::READABLE));
        let pidfd = pidfd.map_err(|source| MasterError::Watch { pid, source })?;
        Ok(Self { pid, pidfd, child: child.map(Mutex::new) })
    }

    /// Its id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for its end, and says in a sentence what is known of it. Cancel safe.
    pub async fn gone(&self) -> String {
        // A pidfd becomes readable when its process ends, and stays so.
        let ended = self.pidfd.readable().await;
        let pid = self.pid;
        match (ended, self.collect()) {
            (Err(error), _) => format!("its master process {pid} cannot be watched any more: {error}"),
            (Ok(_), Some(status)) => format!("its master process {pid} has ended: {status}"),
            (Ok(_), None) => format!("its master process {pid} is gone"),
        }
    }

    fn collect(&self) -> Option<ExitStatus> {
        let mut child = self.child.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        child.try_wait().ok().flatten()
    }

    /// Tells it to read its configuration.
    pub fn reload(&self) -> Result<(), MasterError> {
        self.signal(Signal::HUP)
    }

    /// Tells it to open its log files anew.
    pub fn reopen_logs(&self) -> Result<(), MasterError> {
        self.signal(Signal::USR1)
    }

    /// Tells it to finish its requests and end.
    pub fn quit(&self) -> Result<(), MasterError> {
        self.signal(Signal::QUIT)
    }

    /// Tells it to end at once.
    pub fn terminate(&self) -> Result<(), MasterError> {
        self.signal(Signal::TERM)
    }

    fn signal(&self, signal: Signal) -> Result<(), MasterError> {
        pidfd_send_signal(&self.pidfd, signal)
            .map_err(|error| MasterError::Signal { pid: self.pid, source: error.into() })
    }
}

/// The id in a pid file; `None` if there is no file, or nothing in it yet.
pub fn read_pid(pid_file: &Path) -> Option<Pid> {
    let pid: i32 = fs::read_to_string(pid_file).ok()?.trim().parse().ok()?;
    (pid > 0).then(|| Pid::from_raw(pid))
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error())
}
