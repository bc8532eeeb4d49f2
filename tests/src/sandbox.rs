//! A directory of one test, and every process that was started in it.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::process::{Process, processes_in};

/// A temporary directory, and the working directory of all that a test starts: by it the processes are found again, those
/// that lost their parent included. When it is dropped they are killed and the directory is removed.
#[derive(Debug)]
pub struct Sandbox {
    directory: TempDir,
    children: Mutex<Vec<Child>>,
}

impl Sandbox {
    /// An empty one. Anybody may enter it, as nginx's workers run as another user when the tests are run as root.
    pub fn new(name: &str) -> Self {
        let directory = tempfile::Builder::new().prefix(&format!("{name}-")).tempdir_in(root()).unwrap();
        open_to_all(directory.path());
        Self { directory, children: Mutex::default() }
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// A file below the directory.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// A command that runs in the directory, out of reach of the terminal's signals, and reads nothing.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path()).process_group(0).stdin(Stdio::null());
        command
    }

    /// Starts a process that nobody waits for before the sandbox ends.
    pub fn spawn(&self, command: &mut Command) -> Process {
        let child = command.spawn().unwrap();
        let process = Process::of(&child);
        self.children.lock().unwrap().push(child);
        process
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        kill_all(self.path());
        for child in self.children.get_mut().unwrap() {
            child.wait().ok();
        }
    }
}

fn kill_all(directory: &Path) {
    loop {
        let left = processes_in(directory);
        if left.is_empty() {
            return;
        }
        for process in left {
            process.signal(Signal::SIGKILL);
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Where the sandboxes of this process lie. A watchdog outlives the process, however that ends: destructors of statics do
/// not run, and Ctrl-C runs none at all.
fn root() -> &'static Path {
    static ROOT: OnceLock<(PathBuf, Child)> = OnceLock::new();
    let (path, _watchdog) = ROOT.get_or_init(|| {
        let path = tempfile::Builder::new().prefix("feed-tests-").tempdir().unwrap().keep();
        open_to_all(&path);
        let watchdog = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(&path)
            .current_dir("/")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        (path, watchdog)
    });
    path
}

/// Its standard input ends when the process that holds the other end does.
const WATCHDOG: &str = r#"
cat
for pass in 1 2 3; do
    for process in /proc/[0-9]*; do
        case $(readlink "$process/cwd") in "$1"/*) kill -9 "${process#/proc/}" ;; esac
    done
done
rm -rf "$1"
"#;

fn open_to_all(directory: &Path) {
    std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o755)).unwrap();
}
