//! The cluster's objects from YAML and JSON files in a directory tree, which is watched.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use feed_reconcile::diagnostic::{Diagnostic, Diagnostics};
use feed_reconcile::key::ObjectKind;
use feed_reconcile::snapshot::ClusterSnapshot;
use tokio::task::JoinError;
use tokio::time::Instant;

mod changes;
mod document;
mod fields;
mod files;
pub mod locator;
mod merge;
pub mod position;
mod text;
mod tree;
mod value;
mod watch;

use changes::Changes;
use files::{Files, Said};
use locator::Locator;
use position::Position;

use super::{Change, SourceReader, SourceWriter};

/// Why manifests cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The directory is not there, is none, or may not be read.
    #[error("cannot read the directory {path} given by --manifests: {reason}")]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A file made the program fail.
    #[error("reading the manifests failed unexpectedly: {0}")]
    Failed(#[from] JoinError),
}

/// The manifests of a directory tree, read once.
#[derive(Debug)]
pub struct Loaded {
    files: Files,
    /// The objects.
    pub snapshot: ClusterSnapshot,
    /// What could not be read.
    pub diagnostics: Diagnostics,
    positions: BTreeMap<Diagnostic, Position>,
}

impl Loaded {
    /// Reads the manifests below a directory.
    ///
    /// # Errors
    ///
    /// When the directory itself cannot be read.
    pub fn read(directory: &Path) -> Result<Self, ManifestError> {
        let mut files = Files::new(directory.to_owned());
        files.look(&HashSet::new(), None);
        if let Some(reason) = files.root_error() {
            return Err(ManifestError::Unreadable { path: directory.to_owned(), reason: reason.to_owned() });
        }
        let Said { snapshot, diagnostics, positions, .. } = files.said(&ClusterSnapshot::default());
        Ok(Self { files, snapshot, diagnostics, positions })
    }

    /// Finds out where in the files something is.
    pub fn locator(&self) -> Locator<'_> {
        Locator::new(self)
    }
}

/// Keeps a state in step with the manifests of a directory tree.
#[derive(Debug)]
pub struct ManifestSource {
    files: Files,
    changes: Changes,
    writer: SourceWriter,
}

impl ManifestSource {
    /// Reads the manifests below a directory; the state is complete then.
    ///
    /// # Errors
    ///
    /// When the directory itself cannot be read.
    pub async fn open(directory: PathBuf) -> Result<(Self, SourceReader), ManifestError> {
        let seen = Instant::now();
        let Loaded { files, snapshot, diagnostics, .. } =
            tokio::task::spawn_blocking(move || Loaded::read(&directory)).await??;
        let (writer, reader) = super::channel(&BTreeSet::from([ObjectKind::Manifest]));
        writer.freshness().current(ObjectKind::Manifest);
        writer.modify(seen, |state| {
            state.snapshot = snapshot;
            state.diagnostics = Arc::new(diagnostics);
            state.complete = true;
            Change::Decisive
        });
        Ok((Self { files, changes: Changes::new(), writer }, reader))
    }

    /// Follows the changes until the process ends.
    ///
    /// # Errors
    ///
    /// When reading fails unexpectedly.
    pub async fn run(self) -> Result<Infallible, ManifestError> {
        let Self { mut files, mut changes, writer } = self;
        // The first look is for what happened since the files were opened.
        let mut seen = Instant::now();
        loop {
            let before = writer.snapshot();
            let (unsettled, watched) = (changes.unsettled(), changes.watched());
            let look = move || {
                let looked = files.look(&unsettled, Some(&watched));
                let said = looked.anything_new.then(|| files.said(&before));
                (files, looked, said)
            };
            let (returned, looked, said) = tokio::task::spawn_blocking(look).await?;
            files = returned;
            if let Some(said) = said {
                publish(&writer, seen, said);
            }
            if !changes.watch(looked.directories, looked.young) {
                seen = changes.next().await;
            }
        }
    }
}

fn publish(writer: &SourceWriter, seen: Instant, said: Said) {
    writer.modify(seen, |state| {
        if merge::is_same(&state.snapshot, &said.snapshot) && *state.diagnostics == said.diagnostics {
            return Change::None;
        }
        state.snapshot = said.snapshot;
        state.diagnostics = Arc::new(said.diagnostics);
        Change::Decisive
    });
}

#[cfg(test)]
mod tests;
