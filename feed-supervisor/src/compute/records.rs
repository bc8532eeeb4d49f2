//! Remembering on disk which Ingresses nginx refuses, so that a restart neither tries them again nor lets them stop the others.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use feed_reconcile::quarantine::Record;
use tracing::warn;

/// The file, and what is in it.
#[derive(Debug)]
pub(super) struct Records {
    path: PathBuf,
    kept: Record,
}

impl Records {
    /// Reads the file; without one that can be read nothing is remembered.
    pub(super) fn open(path: PathBuf) -> (Self, Record) {
        let record = read(&path).unwrap_or_else(|error| {
            warn!(path = %path.display(), %error, "Which Ingresses nginx refused before is not known.");
            Record::default()
        });
        (Self { path, kept: record.clone() }, record)
    }

    /// Writes the file, if that is not in it already.
    pub(super) fn keep(&mut self, record: Record) {
        if record == self.kept {
            return;
        }
        if let Err(error) = write(&self.path, &record) {
            warn!(path = %self.path.display(), %error, "Which Ingresses nginx refuses is not remembered.");
        }
        self.kept = record;
    }
}

fn read(path: &Path) -> io::Result<Record> {
    match fs::read(path) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Record::default()),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, record: &Record) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_vec(record)?)?;
    fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use feed_reconcile::key::ObjectName;
    use feed_reconcile::quarantine::Quarantine;
    use k8s_openapi::api::networking::v1::Ingress;

    use super::*;

    #[test]
    fn what_is_kept_is_there_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("quarantine.json");
        let (mut records, nothing) = Records::open(path.clone());
        assert_eq!(nothing, Record::default());
        let ingresses = [std::sync::Arc::new(Ingress::default())].into_iter().collect();
        let mut quarantine = Quarantine::default();
        let named = BTreeSet::from([ObjectName::default()]);
        assert!(quarantine.refused(&ingresses, &named, "no", true, |_| true));
        records.keep(quarantine.record());
        assert_eq!(Records::open(path.clone()).1, quarantine.record());
        fs::write(&path, "rubbish").unwrap();
        assert_eq!(Records::open(path).1, Record::default());
    }
}
