//! When to look at the files again: at once where a file or directory is renamed, and after a while of quiet where a file is
//! written in place.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::watch::{FileEvent, Watch};

/// A file that is written in place is read when nothing has happened to it for this time: what is read earlier may be half of
/// it, and lack what restricts the rest. One that is gone, and not back, counts as gone.
const SETTLE_TIME: Duration = Duration::from_secs(1);

/// The same for a file that was written to and is still open.
const OPEN_TIME: Duration = Duration::from_secs(5);

/// Between two looks: what comes within it is looked at together.
const PAUSE: Duration = Duration::from_millis(25);

/// How often the files are looked at although nothing is known to have changed: network file systems tell of nothing.
const LOOK_PERIOD: Duration = Duration::from_secs(30);

/// The same where files cannot be watched.
const UNWATCHED_LOOK_PERIOD: Duration = Duration::from_secs(2);

/// The changes below a directory.
#[derive(Debug)]
pub(super) struct Changes {
    watch: Watch,
    /// The files that somebody is writing or replacing, with when to look at them all the same.
    unsettled: HashMap<PathBuf, Instant>,
    looked_at: Instant,
}

impl Changes {
    /// Nothing is watched yet.
    pub(super) fn new() -> Self {
        Self { watch: Watch::new(), unsettled: HashMap::new(), looked_at: Instant::now() }
    }

    /// The directories in which no change is missed.
    pub(super) fn watched(&self) -> BTreeSet<PathBuf> {
        self.watch.watched().clone()
    }

    /// See [`Watch::directories`]. The `young` files are new in directories that were not watched, and may not be whole yet.
    pub(super) fn watch(&mut self, directories: BTreeSet<PathBuf>, young: Vec<PathBuf>) -> bool {
        self.looked_at = Instant::now();
        for path in young {
            self.unsettle(path, SETTLE_TIME);
        }
        self.watch.directories(directories)
    }

    /// The files that should not be looked at yet, since somebody is writing or replacing them.
    pub(super) fn unsettled(&self) -> HashSet<PathBuf> {
        self.unsettled.keys().cloned().collect()
    }

    /// Waits until the files should be looked at, and returns since when something has been there to be seen.
    pub(super) async fn next(&mut self) -> Instant {
        let period = if self.watch.works() { LOOK_PERIOD } else { UNWATCHED_LOOK_PERIOD };
        let look_at = self.looked_at + period;
        let mut first_seen = None;
        loop {
            let due = self.unsettled.values().copied().fold(look_at, Instant::min);
            tokio::select! {
                event = self.watch.next() => {
                    let seen = *first_seen.get_or_insert_with(Instant::now);
                    if self.is_settled_by(event) {
                        sleep_until(self.looked_at + PAUSE).await;
                        self.take_waiting_events();
                        return seen;
                    }
                }
                () = sleep_until(due) => {
                    let now = Instant::now();
                    self.unsettled.retain(|_, due| *due > now);
                    return first_seen.unwrap_or(now);
                }
            }
        }
    }

    fn take_waiting_events(&mut self) {
        while let Some(event) = self.watch.try_next() {
            self.is_settled_by(event);
        }
    }

    /// Notes an event, and says whether it calls for a look.
    fn is_settled_by(&mut self, event: FileEvent) -> bool {
        match event {
            FileEvent::Open(path) => self.unsettle(path, OPEN_TIME),
            FileEvent::Unsettled(path) => self.unsettle(path, SETTLE_TIME),
            FileEvent::Settled(path) => {
                self.unsettled.remove(&path);
                true
            }
            FileEvent::Unknown => true,
        }
    }

    fn unsettle(&mut self, path: PathBuf, time: Duration) -> bool {
        self.unsettled.insert(path, Instant::now() + time);
        false
    }
}
