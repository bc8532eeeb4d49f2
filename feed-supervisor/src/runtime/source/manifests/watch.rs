//! Being told of changes to files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind, RenameMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tracing::warn;

/// What happened to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum FileEvent {
    /// It is being written to: it will be closed, or written to again.
    Open(PathBuf),
    /// It is new, closed or gone, and may be written to again, or be back at once: some editors save a file by moving it away
    /// and writing a new one, and some scripts write it piece by piece.
    Unsettled(PathBuf),
    /// It is as somebody wants it to be: it was given its name.
    Settled(PathBuf),
    /// Something happened somewhere.
    Unknown,
}

/// Watches directories for changes of the files in them.
#[derive(Debug)]
pub(super) struct Watch {
    /// `None` when the kernel has none left.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    events: mpsc::UnboundedReceiver<FileEvent>,
}

impl Watch {
    /// Watches nothing yet.
    pub(super) fn new() -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let handler = move |event: notify::Result<notify::Event>| {
            for event in event.map_or_else(|_| vec![FileEvent::Unknown], |event| told(&event)) {
                // Nobody listens any more when the process ends.
                drop(sender.send(event));
            }
        };
        let watcher = notify::recommended_watcher(handler);
        if let Err(error) = &watcher {
            warn!(%error, "Files cannot be watched; they are looked at every few seconds instead.");
        }
        Self { watcher: watcher.ok(), watched: BTreeSet::new(), events }
    }

    /// Watches these directories and no others. Returns whether some are watched that were not before: what happened in
    /// them until now may have been missed.
    pub(super) fn directories(&mut self, directories: BTreeSet<PathBuf>) -> bool {
        let Some(watcher) = &mut self.watcher else { return false };
        for gone in self.watched.difference(&directories) {
            // It fails where the directory itself is gone, and its watch with it.
            drop(watcher.unwatch(gone));
        }
        self.watched.retain(|directory| directories.contains(directory));
        let mut added = false;
        for directory in directories {
            if self.watched.contains(&directory) {
                continue;
            }
            match watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => added |= self.watched.insert(directory),
                Err(error) => not_watched(&directory, &error),
            }
        }
        added
    }

    /// The next event. Never comes where files cannot be watched. Cancel safe.
    pub(super) async fn next(&mut self) -> FileEvent {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    /// An event that has come already.
    pub(super) fn try_next(&mut self) -> Option<FileEvent> {
        self.events.try_recv().ok()
    }

    /// The directories that are watched.
    pub(super) fn watched(&self) -> &BTreeSet<PathBuf> {
        &self.watched
    }

    /// Whether changes are told of.
    pub(super) fn works(&self) -> bool {
        self.watcher.is_some()
    }
}

fn not_watched(directory: &Path, error: &notify::Error) {
    // One that was removed meanwhile is no trouble: its parent's event follows.
    if directory.exists() {
        let directory = directory.display();
        warn!(%directory, %error, "A directory cannot be watched; changes in it are seen late.");
    }
}

/// What an event of the kernel says. Reading is none, or our own would wake us for ever.
fn told(event: &notify::Event) -> Vec<FileEvent> {
    let to_event = match event.kind {
        EventKind::Modify(ModifyKind::Data(_)) => FileEvent::Open,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
        | EventKind::Create(CreateKind::File)
        | EventKind::Modify(ModifyKind::Metadata(_) | ModifyKind::Name(RenameMode::From))
        | EventKind::Remove(_) => FileEvent::Unsettled,
        // Of a renaming, one event for both names follows those for each.
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => return Vec::new(),
        EventKind::Create(_) | EventKind::Modify(_) => FileEvent::Settled,
        EventKind::Any | EventKind::Other => |_| FileEvent::Unknown,
    };
    event.paths.iter().cloned().map(to_event).collect()
}

#[cfg(test)]
mod tests;
