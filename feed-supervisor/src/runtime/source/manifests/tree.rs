//! The manifest files of a directory tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::text::Syntax;
use crate::runtime::regular_file::not_regular;

/// What is in a directory tree. Hidden files and directories, those whose name begins with a dot, are left out; but
/// symbolic links are followed, so that the files of a mounted ConfigMap, links into its hidden `..data`, are found.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The manifest files by their path.
    pub(super) files: BTreeMap<PathBuf, FoundFile>,
    /// All directories in which a change may concern us.
    pub(super) directories: BTreeSet<PathBuf>,
    /// What could not be read, and why.
    pub(super) unreadable: Vec<(PathBuf, io::Error)>,
}

/// A manifest file that was found.
#[derive(Debug)]
pub(super) struct FoundFile {
    pub(super) syntax: Syntax,
    /// The file itself, where the path is a symbolic link to it.
    pub(super) target: Option<PathBuf>,
    /// `None` when the file was written so recently that it may change again without a visible trace.
    pub(super) stamp: Option<Stamp>,
}

/// What tells whether a file was replaced or written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// Time stamps are coarser than changes can be: a file that was changed no longer ago than this is read again.
const SETTLED_AFTER: Duration = Duration::from_secs(2);

/// Looks at everything below a directory. Reads no file.
pub(super) fn walk(root: &Path) -> Tree {
    let mut tree = Tree::default();
    let mut ancestors = Vec::new();
    tree.enter(root, &mut ancestors);
    tree
}

impl Tree {
    /// `ancestors` are the real paths of the directories that led here: a link back to one of them is not followed.
    fn enter(&mut self, directory: &Path, ancestors: &mut Vec<PathBuf>) {
        match self.look(directory, ancestors) {
            Ok(()) => {}
            // Removed since it was found.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !ancestors.is_empty() => {}
            Err(error) => self.unreadable.push((directory.to_owned(), error)),
        }
    }

    fn look(&mut self, directory: &Path, ancestors: &mut Vec<PathBuf>) -> io::Result<()> {
        let real = fs::canonicalize(directory)?;
        if ancestors.contains(&real) {
            return Ok(());
        }
        let entries = fs::read_dir(directory)?.collect::<io::Result<Vec<_>>>()?;
        self.directories.insert(directory.to_owned());
        ancestors.push(real);
        for entry in entries {
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            self.found(&entry, ancestors);
        }
        ancestors.pop();
        Ok(())
    }

    fn found(&mut self, entry: &DirEntry, ancestors: &mut Vec<PathBuf>) {
        let path = entry.path();
        // Of a link: what it leads to. Where that is nothing, there is nothing.
        let Ok(metadata) = fs::metadata(&path) else { return };
        if metadata.is_dir() {
            return self.enter(&path, ancestors);
        }
        let Some(syntax) = syntax(&path) else { return };
        if !metadata.is_file() {
            self.unreadable.push((path, not_regular()));
            return;
        }
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let target = if is_link { fs::canonicalize(&path).ok() } else { None };
        self.directories.extend(target.iter().filter_map(|target| target.parent()).map(Path::to_owned));
        self.files.insert(path, FoundFile { syntax, target, stamp: Stamp::of(&metadata) });
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Option<Self> {
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        let since_epoch = Duration::from_secs(u64::try_from(changed.0).unwrap_or_default());
        let age = SystemTime::now().duration_since(UNIX_EPOCH + since_epoch).unwrap_or_default();
        let stamp = Self { device: metadata.dev(), inode: metadata.ino(), size: metadata.size(), changed };
        (age > SETTLED_AFTER).then_some(stamp)
    }
}

/// How a file of that name is written; `None` when it is no manifest.
pub(super) fn syntax(path: &Path) -> Option<Syntax> {
    match path.extension()?.to_str()? {
        "yaml" | "yml" => Some(Syntax::Yaml),
        "json" => Some(Syntax::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
