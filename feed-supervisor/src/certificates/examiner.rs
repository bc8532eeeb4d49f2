//! Looks at the Secrets that Ingresses name, each once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use feed_reconcile::certificate::{Certificate, Digest, Examined, Fault};
use feed_reconcile::key::ObjectName;
use feed_reconcile::options::Options;
use feed_reconcile::snapshot::{ClusterSnapshot, Store};
use feed_reconcile::tls::named_secrets;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;

use super::examine;
use super::overview::Entry;

/// What is known of the Secrets that are in use.
#[derive(Debug, Default)]
pub struct Examiner {
    known: BTreeMap<ObjectName, Known>,
    /// Those that nginx does not take, with its own text.
    refused: BTreeMap<Digest, Arc<str>>,
}

#[derive(Debug)]
struct Known {
    secret: Arc<Secret>,
    found: Result<Certificate, Fault>,
    /// The same at the last moment that was asked about.
    examined: Arc<Examined>,
}

impl Examiner {
    /// Puts into the snapshot what is known of its Secrets at that moment.
    ///
    /// Returns when that may be something else, if nothing but time passes.
    pub fn examine(
        &mut self,
        snapshot: &mut ClusterSnapshot,
        options: &Options,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if !options.tls {
            return None;
        }
        let names = named_secrets(snapshot, &options.adoption);
        self.look(&names, &snapshot.secrets, now);
        let mut certificates = Store::default();
        for (name, known) in &self.known {
            certificates.set(name.clone(), Arc::clone(&known.examined));
        }
        snapshot.certificates = certificates;
        let found = self.known.values().filter_map(|known| known.found.as_ref().ok());
        found.filter_map(|certificate| certificate.changes_after(now)).min()
    }

    /// nginx does not take this one, and says why. Says whether a Secret holds it: it is not served any more then.
    pub fn refuse(&mut self, digest: Digest, text: &str) -> bool {
        let holds = |known: &Known| known.found.as_ref().is_ok_and(|found| found.pair.digest() == digest);
        let is_held = self.known.values().any(holds);
        if is_held {
            self.refused.insert(digest, text.into());
        }
        is_held
    }

    /// What operators may know of the certificates.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.known.iter().map(|(name, known)| {
            let problem = known.examined.as_ref().as_ref().err().map(ToString::to_string);
            Entry::new(Some(name.clone()), known.found.as_ref().ok(), problem)
        })
    }

    fn look(&mut self, names: &BTreeSet<ObjectName>, secrets: &Store<Secret>, now: Timestamp) {
        let mut before = std::mem::take(&mut self.known);
        for name in names {
            let Some(secret) = secrets.get(name) else { continue };
            let known = before.remove(name);
            let same = known.as_ref().filter(|known| Arc::ptr_eq(&known.secret, secret));
            let found = same.map_or_else(|| examine_secret(secret), |known| known.found.clone());
            let examined = at(found.clone(), now).and_then(|certificate| self.unless_refused(certificate));
            // What is equal stays the very same: nothing follows from it then.
            let examined = match known.map(|known| known.examined) {
                Some(before) if *before == examined => before,
                _ => Arc::new(examined),
            };
            self.known.insert(name.clone(), Known { secret: Arc::clone(secret), found, examined });
        }
    }
}

impl Examiner {
    fn unless_refused(&self, certificate: Certificate) -> Examined {
        match self.refused.get(&certificate.pair.digest()) {
            Some(text) => Err(Fault::Refused(Arc::clone(text))),
            None => Ok(certificate),
        }
    }
}

fn examine_secret(secret: &Secret) -> Result<Certificate, Fault> {
    let entry = |name| {
        secret
            .data
            .as_ref()
            .and_then(|data| data.get(name))
            .map(|bytes| bytes.0.as_slice())
            .unwrap_or_default()
    };
    examine(entry("tls.crt"), entry("tls.key"))
}

fn at(found: Result<Certificate, Fault>, now: Timestamp) -> Examined {
    let certificate = found?;
    match certificate.fault_at(now) {
        Some(fault) => Err(fault),
        None => Ok(certificate),
    }
}

#[cfg(test)]
mod tests;
