//! Whether nginx's workers may enter the directories that they work in: where nginx's master is root's, they are another
//! user's processes.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::unistd::{Pid, Uid, User};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::executor::Known;
use super::process::{self, Identity};
use crate::config::NginxConfig;
use crate::runtime::health::{Condition, Health};

/// How often is looked for the first worker of a master.
const SEARCH: Duration = Duration::from_millis(20);

/// How often is looked again, as somebody may have changed a directory's mode.
const PERIOD: Duration = Duration::from_secs(10);

/// A directory that workers must be able to enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    directory: PathBuf,
    /// What comes of it where they are not.
    consequence: &'static str,
    flag: &'static str,
}

/// The directories that workers must be able to enter. Those of a neighbour's nginx are in another container.
pub fn needed(config: &NginxConfig) -> Vec<Needed> {
    if config.is_sidecar() {
        return Vec::new();
    }
    let workdir = config.workdir();
    let needed = |directory: PathBuf, consequence, flag| Needed { directory, consequence, flag };
    let mut all = vec![needed(
        workdir.join("temp"),
        "requests and answers that do not fit into memory fail with 500, and errors may not be logged",
        "--nginx-workdir",
    )];
    if config.counts_requests() {
        let consequence = "the log of requests cannot be opened again, so requests may not be counted";
        all.push(needed(workdir.join("requests"), consequence, "--nginx-workdir"));
    }
    if let Some(log) = &config.base.access_log {
        let consequence = "the access log cannot be opened again when it is rotated";
        all.push(needed(log.directory.clone().into(), consequence, "--access-log-dir"));
    }
    all
}

/// Tells of the directories that the workers of the running nginx may not enter.
pub async fn watch(needed: Vec<Needed>, mut known: watch::Receiver<Known>, health: Health) -> Infallible {
    let mut told = None;
    loop {
        let master = known.borrow_and_update().master.as_ref().map(|master| master.pid());
        if let Some(master) = master {
            let needed = needed.clone();
            let looked = spawn_blocking(move || look(&needed, master)).await;
            let Ok(Some(result)) = looked else {
                sleep(SEARCH).await;
                continue;
            };
            if told.as_ref() != Some(&result) {
                let condition = match &result {
                    Ok(()) => Condition::Good,
                    Err(problem) => {
                        warn!("{problem}.");
                        Condition::Unhealthy(problem.clone())
                    }
                };
                health.report("workers", condition);
                told = Some(result);
            }
        }
        if let Ok(Err(_)) = timeout(PERIOD, known.changed()).await {
            // Its sender lives as long as the process.
            std::future::pending::<()>().await;
        }
    }
}

/// Whether the workers of that master may enter what they need; `None` while it has no worker.
fn look(needed: &[Needed], master: Pid) -> Option<Result<(), String>> {
    let worker = *process::accepting_workers(master).first()?;
    let identity = process::identity(worker)?;
    Some(check(needed, &identity))
}

fn check(needed: &[Needed], worker: &Identity) -> Result<(), String> {
    let mut sentences = Vec::new();
    let mut closed = BTreeSet::new();
    for Needed { directory, consequence, flag } in needed {
        let Some(barrier) = barrier(directory, worker) else { continue };
        if closed.insert(barrier.clone()) {
            let barrier = barrier.display();
            sentences.push(format!(
                "nginx's workers run as {} and may not enter {barrier}, so {consequence}; let them enter it \
                 (chmod o+x {barrier}), or choose another directory with {flag}",
                name(worker.user)
            ));
        }
    }
    if sentences.is_empty() { Ok(()) } else { Err(sentences.join("; ")) }
}

fn name(user: u32) -> String {
    let known = User::from_uid(Uid::from_raw(user)).ok().flatten();
    known.map_or_else(|| format!("user {user}"), |user| user.name)
}

/// The first directory on the way to that one, itself included, that a process may not enter.
fn barrier(directory: &Path, process: &Identity) -> Option<PathBuf> {
    // What is not there, or not seen by us, is told by others.
    let directory = fs::canonicalize(directory).ok()?;
    let mut way: Vec<&Path> = directory.ancestors().collect();
    way.reverse();
    way.into_iter().find(|step| !may_enter(step, process).unwrap_or(true)).map(Path::to_owned)
}

fn may_enter(directory: &Path, process: &Identity) -> io::Result<bool> {
    let metadata = fs::metadata(directory)?;
    let bit = match (metadata.uid() == process.user, process.groups.contains(&metadata.gid())) {
        (true, _) => 0o100,
        (false, true) => 0o010,
        (false, false) => 0o001,
    };
    Ok(metadata.mode() & bit != 0 || process.passes_modes || has_access_list(directory))
}

/// Whether more than the mode decides; who writes an access list has seen to what is needed.
fn has_access_list(directory: &Path) -> bool {
    rustix::fs::getxattr(directory, "system.posix_acl_access", &mut [0_u8; 0]).is_ok_and(|length| length > 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::nginx::fixture::Place;

    fn mode(directory: &Path, mode: u32) {
        fs::set_permissions(directory, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_closed_directory_is_named_with_what_comes_of_it() {
        let place = Place::new();
        let logs = place.workdir.with_file_name("logs");
        let config = place.config(&format!("--access-log --access-log-dir={}", logs.display())).nginx;
        let outer = place.workdir.parent().unwrap().to_owned();
        let requests = place.workdir.join("requests");
        for directory in [place.workdir.join("temp"), requests.clone(), logs.clone()] {
            fs::create_dir_all(directory).unwrap();
        }
        let own = fs::metadata(&outer).unwrap();
        let worker = |user, groups: &[u32], passes_modes| Identity {
            user,
            groups: groups.iter().copied().collect(),
            passes_modes,
        };
        let stranger = worker(own.uid() + 4711, &[own.gid() + 4711], false);
        let told = |worker: &Identity| check(&needed(&config), worker).err().unwrap_or_default();
        for open in [0o711, 0o755, 0o701] {
            mode(&place.workdir, open);
            assert_eq!(told(&stranger), "", "{open:o}");
        }

        mode(&requests, 0o700);
        mode(&logs, 0o750);
        let text = told(&stranger);
        assert_eq!(text.matches("may not enter").count(), 2, "{text}");
        assert!(text.contains(&format!("may not enter {}, so the log of requests", requests.display())));
        assert!(text.contains("--access-log-dir"), "{text}");

        mode(&place.workdir, 0o700);
        let text = told(&stranger);
        assert!(
            text.contains(&format!("may not enter {}, so requests and answers", place.workdir.display()))
        );
        assert_eq!(text.matches("may not enter").count(), 2, "each directory once: {text}");
        mode(&outer, 0o700);
        let text = told(&stranger);
        assert_eq!(text.matches(&format!("chmod o+x {})", outer.display())).count(), 1, "{text}");
        assert_eq!(text.matches("may not enter").count(), 1, "{text}");

        assert_eq!(told(&worker(own.uid(), &[], false)), "", "its owner");
        assert_eq!(told(&worker(own.uid() + 1, &[], true)), "", "one that no mode keeps out");
        mode(&outer, 0o710);
        let text = told(&worker(own.uid() + 1, &[own.gid()], false));
        assert!(text.contains(&place.workdir.display().to_string()), "its group may enter {text}");
    }

    #[test]
    fn a_neighbour_is_left_alone() {
        assert_eq!(needed(&Place::new().config("--nginx-pid-file=/p/nginx.pid").nginx), []);
    }
}
