//! What operators may know of certificates: everything but the keys.

use feed_reconcile::certificate::Certificate;
use feed_reconcile::key::ObjectName;
use jiff::Timestamp;
use serde::{Serialize, Serializer};

/// A certificate in use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The Secret that it is from; `None` of the default certificate.
    pub secret: Option<ObjectName>,
    /// The DNS names that it is for.
    pub names: Vec<String>,
    /// Until when it is valid, if it could be read.
    #[serde(serialize_with = "in_rfc_3339")]
    pub not_after: Option<Timestamp>,
    /// Why it is not served, or of the default certificate what is wrong with its files.
    pub problem: Option<String>,
}

impl Entry {
    /// Tells of a certificate, as far as it could be read.
    pub fn new(
        secret: Option<ObjectName>,
        certificate: Option<&Certificate>,
        problem: Option<String>,
    ) -> Self {
        let names = certificate.iter().flat_map(|certificate| certificate.names.iter().cloned()).collect();
        Self { secret, names, not_after: certificate.map(|certificate| certificate.not_after), problem }
    }
}

#[expect(clippy::ref_option, reason = "serde hands it over so")]
fn in_rfc_3339<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => serializer.collect_str(time),
        None => serializer.serialize_none(),
    }
}
