//! The signals that people send. None of them ends the process but by draining it:
//!
//! | signal | effect |
//! | --- | --- |
//! | SIGTERM, SIGINT | the first drains, SIGINT in a hurry; a further one aborts |
//! | SIGQUIT | drains; further ones change nothing |
//! | SIGHUP | everything is looked at and computed again; drains in a hurry where the terminal that the process belongs to was closed |
//! | SIGUSR1 | logs are opened again |
//! | SIGUSR2 | nothing |

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use rustix::fs::OFlags;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tracing::{info, warn};

use super::shutdown::{self, Phase, Shutdown, Trigger};

/// What signals ask for beside the end. Each waits until it is heard; several of a kind count as one.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Everything is to be looked at and computed again.
    pub look_again: Arc<Notify>,
    /// Log files are to be opened again.
    pub reopen_logs: Arc<Notify>,
}

/// Whether the program writes log files that others rotate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFiles {
    /// Somebody waits for [`Asked::reopen_logs`].
    Some,
    /// There are none.
    None,
}

/// Listens for signals from now on.
///
/// # Errors
///
/// When a signal handler cannot be installed.
pub fn listen(log_files: LogFiles) -> io::Result<(Trigger, Shutdown, Asked)> {
    let (trigger, shutdown) = shutdown::channel();
    let asked = Asked::default();
    // Before the handlers are installed: they replace what was inherited.
    let terminal = Terminal::of_this_process();
    let mut signals = Signals::listen()?;
    let handler = Handler { trigger: trigger.clone(), asked: asked.clone(), log_files, terminal };
    tokio::spawn(async move {
        loop {
            handler.handle(signals.next().await);
        }
    });
    Ok((trigger, shutdown, asked))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Terminate,
    Interrupt,
    Quit,
    HangUp,
    User1,
    User2,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hang_up: Signal,
    user_1: Signal,
    user_2: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hang_up: signal(SignalKind::hangup())?,
            user_1: signal(SignalKind::user_defined1())?,
            user_2: signal(SignalKind::user_defined2())?,
        })
    }

    async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.terminate.recv() => Heard::Terminate,
            _ = self.interrupt.recv() => Heard::Interrupt,
            _ = self.quit.recv() => Heard::Quit,
            _ = self.hang_up.recv() => Heard::HangUp,
            _ = self.user_1.recv() => Heard::User1,
            _ = self.user_2.recv() => Heard::User2,
        }
    }
}

struct Handler {
    trigger: Trigger,
    asked: Asked,
    log_files: LogFiles,
    terminal: Terminal,
}

impl Handler {
    fn handle(&self, heard: Heard) {
        match heard {
            Heard::Terminate => self.end("SIGTERM", Phase::Draining),
            Heard::Interrupt => self.end("SIGINT", Phase::Hurrying),
            Heard::Quit => {
                info!("SIGQUIT: draining.");
                self.trigger.drain();
            }
            // A shell and the kernel may both send it, so a second one must not abort.
            Heard::HangUp if self.terminal.was_closed() => {
                info!("SIGHUP: the terminal was closed; draining.");
                self.trigger.hurry();
            }
            Heard::HangUp => {
                info!("SIGHUP: everything is looked at and computed again.");
                self.asked.look_again.notify_one();
            }
            Heard::User1 if self.log_files == LogFiles::Some => self.asked.reopen_logs.notify_one(),
            Heard::User1 => info!("SIGUSR1: there is no log file to open again."),
            Heard::User2 => {
                info!(
                    "SIGUSR2 does nothing here: a new version is brought by starting it in place of this process."
                );
            }
        }
    }

    fn end(&self, signal: &str, first: Phase) {
        if self.trigger.next(first) == Phase::Aborting {
            warn!(signal, "Aborting.");
        } else {
            info!(signal, "Draining; a second signal aborts.");
        }
    }
}

/// Whether the process is to end with the terminal that it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Terminal {
    counts: bool,
}

impl Terminal {
    /// What was started by `nohup` outlives its terminal.
    fn of_this_process() -> Self {
        Self { counts: terminal_is_there() && !ignores_hang_ups() }
    }

    /// The kernel takes the terminal away from all of its session before it tells anybody.
    fn was_closed(self) -> bool {
        self.counts && !terminal_is_there()
    }
}

fn terminal_is_there() -> bool {
    let flags = (OFlags::NOCTTY | OFlags::NONBLOCK).bits().cast_signed();
    File::options().read(true).custom_flags(flags).open("/dev/tty").is_ok()
}

fn ignores_hang_ups() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores_signal_1(&status))
}

/// Reads it from `proc_pid_status(5)`.
fn ignores_signal_1(status: &str) -> bool {
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 == 1)
}

#[cfg(test)]
mod tests;
