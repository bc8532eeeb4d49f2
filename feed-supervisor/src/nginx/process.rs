//! nginx's processes as `/proc` shows them. Needs no privilege: titles, parents and groups are there for everyone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use nix::unistd::Pid;

/// How nginx calls its master.
const MASTER_TITLE: &str = "nginx: master process";

/// How nginx calls a worker that accepts connections.
const WORKER_TITLE: &str = "nginx: worker process";

/// How nginx calls a worker that does not accept any more.
const SHUTTING_DOWN_TITLE: &str = "nginx: worker process is shutting down";

/// A process, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: Pid,
    /// `R`, `S`, `Z`, …: `proc_pid_stat(5)`.
    pub state: u8,
    /// Its parent's id; 0 for none that is visible here.
    pub parent: Pid,
    /// The id of its process group.
    pub group: Pid,
}

/// As whom a process opens files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its user.
    pub user: u32,
    /// Its groups.
    pub groups: BTreeSet<u32>,
    /// Whether it may enter directories whatever their mode.
    pub passes_modes: bool,
}

/// As whom a process opens files, if there is such a process.
pub fn identity(pid: Pid) -> Option<Identity> {
    parse_identity(&fs::read_to_string(format!("/proc/{pid}/status")).ok()?)
}

/// Reads `proc_pid_status(5)`.
fn parse_identity(status: &str) -> Option<Identity> {
    /// `CAP_DAC_OVERRIDE` and `CAP_DAC_READ_SEARCH`.
    const PASSES_MODES: u64 = 1 << 1 | 1 << 2;
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    // Real, effective, saved, and that for files.
    let id = |name: &str| field(name)?.split_ascii_whitespace().nth(3)?.parse::<u32>().ok();
    let groups = field("Groups")?.split_ascii_whitespace().filter_map(|group| group.parse().ok());
    let capabilities = u64::from_str_radix(field("CapEff")?.trim(), 16).ok()?;
    Some(Identity {
        user: id("Uid")?,
        groups: groups.chain([id("Gid")?]).collect(),
        passes_modes: capabilities & PASSES_MODES != 0,
    })
}

/// Whether the first process that is seen here began this one, as in a container that shows nobody else's processes. In
/// a pod that shares them it is the pod's own, which begins none.
pub fn has_namespace_of_its_own() -> bool {
    let mut pid = Pid::this();
    while pid.as_raw() > 1 {
        let Some(process) = process(pid) else { return false };
        pid = process.parent;
    }
    pid.as_raw() == 1
}

/// All processes that there are.
pub fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids =
        entries.filter_map(|entry| Some(Pid::from_raw(entry.ok()?.file_name().to_str()?.parse().ok()?)));
    pids.filter_map(process).collect()
}

/// The process of that id, if there is one.
pub fn process(pid: Pid) -> Option<Process> {
    parse_stat(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_stat(pid: Pid, stat: &str) -> Option<Process> {
    // The second field is the program's name in parentheses, and may hold anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let mut id = || Some(Pid::from_raw(fields.next()?.parse().ok()?));
    Some(Process { pid, state, parent: id()?, group: id()? })
}

/// What a process calls itself; empty for one that has ended but is not collected.
fn title(pid: Pid) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    let words = bytes.get(..end)?.split(|byte| *byte == 0);
    let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
    Some(words.join(" "))
}

/// Whether a process is an nginx master, and, where a configuration is given, the one that was started with it.
pub fn is_master(pid: Pid, configuration: Option<&Path>) -> bool {
    let Some(title) = title(pid) else { return false };
    let mut words = title.split(' ').skip_while(|word| *word != "-c").skip(1);
    title.starts_with(MASTER_TITLE)
        && configuration.is_none_or(|path| words.next().is_some_and(|word| Path::new(word) == path))
}

/// Whether a process is an nginx worker that accepts connections.
pub fn accepts(pid: Pid) -> bool {
    title(pid).is_some_and(|title| title.trim_end() == WORKER_TITLE)
}

/// The workers of a master that accept connections.
pub fn accepting_workers(master: Pid) -> Vec<Pid> {
    children(master).filter(|pid| accepts(*pid)).collect()
}

/// How many workers of a master accept no more and finish their last connections.
pub fn shutting_down_workers(master: Pid) -> usize {
    let shuts_down = |pid: &Pid| title(*pid).is_some_and(|title| title.starts_with(SHUTTING_DOWN_TITLE));
    children(master).filter(shuts_down).count()
}

fn children(parent: Pid) -> impl Iterator<Item = Pid> {
    all().into_iter().filter(move |process| process.parent == parent).map(|process| process.pid)
}

/// The workers that a dead master has left behind, whether they accept connections or finish their last ones.
///
/// They are known by the process group that the master was started in, which has its id; the kernel does not give an
/// id to another process while a group bears it. Where the master is not known they are known by their current
/// directory, the workdir, which another user's process shows only to the privileged.
pub fn leftover_workers(master: Option<Pid>, workdir: &Path) -> Vec<Pid> {
    let is_ours = |process: &Process| {
        Some(process.group) == master
            || fs::read_link(format!("/proc/{}/cwd", process.pid)).is_ok_and(|path| path == workdir)
    };
    let is_orphan = |process: &Process| !is_master(process.parent, None);
    let is_worker = |process: &Process| {
        title(process.pid).is_some_and(|title| title.starts_with(WORKER_TITLE)) && process.state != b'Z'
    };
    let workers =
        all().into_iter().filter(|process| is_worker(process) && is_ours(process) && is_orphan(process));
    workers.map(|process| process.pid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_mislead() {
        let pid = Pid::from_raw(42);
        let expected = Process { pid, state: b'S', parent: Pid::from_raw(7), group: Pid::from_raw(9) };
        assert_eq!(parse_stat(pid, "42 (a) S 1 (b)) S 7 9 9 0 -1"), Some(expected));
        assert_eq!(parse_stat(pid, "42 (a"), None);
        assert_eq!(parse_stat(pid, "42 (a) S"), None);
    }

    #[test]
    fn an_identity_is_that_for_files() {
        let status =
            "Name:\tnginx\nUid:\t1\t2\t3\t33\nGid:\t1\t2\t3\t34\nGroups:\t4 24 \nCapEff:\t0000000000000400\n";
        let expected = Identity { user: 33, groups: [4, 24, 34].into(), passes_modes: false };
        assert_eq!(parse_identity(status), Some(expected));
        let root = status.replace("400\n", "3ff\n");
        assert!(parse_identity(&root).unwrap().passes_modes);
        assert_eq!(parse_identity("Name:\tnginx\n"), None);
        assert_eq!(identity(Pid::this()).unwrap().user, nix::unistd::geteuid().as_raw());
    }

    #[test]
    fn this_process_is_seen_and_is_no_nginx() {
        let own = Pid::this();
        let process = process(own).unwrap();
        assert_eq!(process.group, nix::unistd::getpgrp());
        assert!(all().iter().any(|other| other.pid == own));
        assert!(!is_master(own, None));
        assert!(!accepts(own));
    }
}
