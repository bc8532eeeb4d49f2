//! The files of certificates and their keys: named by what is in them, so that a file never changes.
//!
//! A configuration's files are there before it is, and stay for as long as a configuration that names them does.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use feed_reconcile::certificate::KeyPair;
use feed_reconcile::nginx::certificate_file;

use super::{Files, FilesError, new_name, remove, replace, sync};

/// Nobody but nginx's master and we ourselves may read keys.
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// So many files are brought to disk one by one, which costs some milliseconds each; more of them with all that waits.
const SYNCED_ALONE: usize = 16;

/// Before a certificate's path in a configuration.
const DIRECTIVE: &[u8] = b"ssl_certificate ";

impl Files {
    /// Writes the files that are not there yet.
    pub(super) fn write_certificates<'a>(
        &self,
        certificates: impl Iterator<Item = &'a KeyPair>,
    ) -> Result<(), FilesError> {
        let mut written = Vec::new();
        for pair in certificates {
            let path = self.workdir.join(certificate_file(pair.digest()));
            if fs::metadata(&path).is_ok_and(|found| found.len() == pair.pem().len() as u64) {
                continue;
            }
            if written.is_empty() {
                self.prepare_certificates()?;
            }
            let new = new_name(&path);
            remove(new.clone())?;
            let opened = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&new);
            let file = opened.and_then(|mut file| file.write_all(pair.pem()).map(|()| file));
            let file =
                file.map_err(|source| FilesError::File { action: "write", path: new.clone(), source })?;
            // The first are brought to disk one by one; of more than these, all at once is faster.
            written.push((new, path, (written.len() < SYNCED_ALONE).then_some(file)));
        }
        self.sync_contents(&written)?;
        written.iter().try_for_each(|(new, path, _)| replace(new, path))
    }

    /// Brings what was written to disk before anything names it.
    fn sync_contents(&self, written: &[(PathBuf, PathBuf, Option<File>)]) -> Result<(), FilesError> {
        if written.len() > SYNCED_ALONE {
            let path = self.certificates();
            let synced = File::open(&path).and_then(|directory| Ok(rustix::fs::syncfs(directory)?));
            return synced.map_err(|source| FilesError::File { action: "sync", path, source });
        }
        for (new, _, file) in written {
            let synced = file.as_ref().map_or(Ok(()), File::sync_all);
            synced.map_err(|source| FilesError::File { action: "sync", path: new.clone(), source })?;
        }
        Ok(())
    }

    fn prepare_certificates(&self) -> Result<(), FilesError> {
        let path = self.certificates();
        let made = match DirBuilder::new().mode(DIRECTORY_MODE).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::set_permissions(&path, Permissions::from_mode(DIRECTORY_MODE))
            }
            made => made,
        };
        made.map_err(|source| FilesError::File { action: "make", path, source })
    }

    /// Brings their names to disk.
    pub(super) fn sync_certificates(&self) -> Result<(), FilesError> {
        let path = self.certificates();
        if path.exists() { sync(path) } else { Ok(()) }
    }

    /// Removes those that none of the configurations on disk names.
    pub(super) fn prune_certificates(&self) -> Result<(), FilesError> {
        let directory = self.certificates();
        let listed = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            listed => listed.and_then(Iterator::collect::<Result<Vec<_>, _>>),
        };
        let listed =
            listed.map_err(|source| FilesError::File { action: "list", path: directory.clone(), source })?;
        if listed.is_empty() {
            return Ok(());
        }
        let mut needed = BTreeSet::new();
        for generation in self.generations()? {
            let path = self.generation(generation);
            let bytes = match fs::read(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                read => read.map_err(|source| FilesError::File { action: "read", path, source })?,
            };
            needed.extend(named(&bytes).filter_map(|path| path.file_name().map(OsString::from)));
        }
        let unneeded = listed.iter().filter(|entry| !needed.contains(&entry.file_name()));
        unneeded.into_iter().try_for_each(|entry| remove(directory.join(entry.file_name())))
    }

    /// Whether the files of all certificates that a configuration names are there.
    pub fn has_certificates_of(&self, configuration: &[u8]) -> bool {
        named(configuration).all(Path::exists)
    }

    fn certificates(&self) -> PathBuf {
        self.workdir.join("certificates")
    }
}

/// The paths of the certificates that a configuration names.
fn named(configuration: &[u8]) -> impl Iterator<Item = &Path> {
    configuration.split(|byte| *byte == b'\n').filter_map(|line| {
        let path = line.trim_ascii().strip_prefix(DIRECTIVE)?.strip_suffix(b";")?;
        std::str::from_utf8(path).ok().map(Path::new)
    })
}
