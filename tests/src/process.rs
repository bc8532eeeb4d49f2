//! Processes as `/proc` shows them.

use std::fs;
use std::path::Path;
use std::process::Child;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process, by its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process(pub i32);

impl Process {
    /// A child of this process.
    pub fn of(child: &Child) -> Self {
        Self(i32::try_from(child.id()).unwrap())
    }

    /// Sends `signal`; that the process is gone already is fine.
    pub fn signal(self, signal: Signal) {
        kill(Pid::from_raw(self.0), signal).ok();
    }

    /// Sends SIGKILL.
    pub fn kill(self) {
        self.signal(Signal::SIGKILL);
    }
}

/// Whether the process exists and is no zombie.
pub fn is_running(process: Process) -> bool {
    stat(process).is_some_and(|(state, _)| !matches!(state, 'Z' | 'X'))
}

/// The parent of `process`.
pub fn parent_of(process: Process) -> Option<Process> {
    stat(process).map(|(_, parent)| parent)
}

/// The command line, which nginx rewrites to say what the process is (`nginx: worker process is shutting down`).
pub fn title_of(process: Process) -> String {
    let text = fs::read(format!("/proc/{}/cmdline", process.0)).unwrap_or_default();
    String::from_utf8_lossy(&text).replace('\0', " ").trim().to_owned()
}

/// Every live process whose working directory is `directory` or lies below it.
pub fn processes_in(directory: &Path) -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap();
    let mut found: Vec<Process> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok().map(Process))
        .filter(|process| {
            fs::read_link(format!("/proc/{}/cwd", process.0)).is_ok_and(|cwd| cwd.starts_with(directory))
        })
        .filter(|process| is_running(*process))
        .collect();
    found.sort_unstable();
    found
}

fn stat(process: Process) -> Option<(char, Process)> {
    let text = fs::read_to_string(format!("/proc/{}/stat", process.0)).ok()?;
    // The name stands in parentheses and may hold anything, parentheses too.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some((fields.next()?.chars().next()?, Process(fields.next()?.parse().ok()?)))
}
