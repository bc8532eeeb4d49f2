//! Certificates and their keys: what is in a Secret, what of it nginx may be given, and the default pair.
//!
//! nginx refuses a whole configuration because of one certificate that OpenSSL does not like, and whoever creates an Ingress
//! chooses its certificate. So nothing is passed on as it is: a certificate is taken apart, everything that OpenSSL could
//! stumble over is looked at, and what is left is written anew. What that allows is narrower than what OpenSSL does.

mod chain;
pub mod default_pair;
mod der;
pub mod examiner;
#[cfg(test)]
pub(crate) mod fixture;
mod key;
pub mod overview;
mod pem;
mod shape;

use feed_reconcile::certificate::{Certificate, Digest, Fault, KeyPair};
use ring::digest::{SHA256, digest};
use rustls::pki_types::pem::SectionKind;

use self::chain::Chained;
use self::key::PrivateKey;

/// The largest `tls.crt`, in bytes: clients take chains of 100 KB at the most (OpenSSL's `max_cert_list`).
const CERTIFICATES_LIMIT: usize = 96 * 1024;

/// The largest `tls.key`, in bytes: three times that of an RSA key with 4,096 bits.
const KEY_LIMIT: usize = 16 * 1024;

/// Finds out what a certificate with its key is, and whether nginx can serve it at some time.
///
/// `certificates` and `key` are in PEM form. Whether it is the right time is not looked at:
/// see [`Certificate::fault_at`].
pub fn examine(certificates: &[u8], key: &[u8]) -> Result<Certificate, Fault> {
    within("tls.crt", certificates, CERTIFICATES_LIMIT)?;
    within("tls.key", key, KEY_LIMIT)?;
    let key = PrivateKey::read(key)?;
    let Chained { leaf, issuers, chain } = chain::read(certificates, &key)?;
    let mut file = String::new();
    let (kind, der) = key.encoded(&leaf);
    pem::write(&mut file, kind, &der);
    for certificate in std::iter::once(&leaf).chain(&issuers) {
        pem::write(&mut file, SectionKind::Certificate, certificate.der());
    }
    let mut value = [0; 32];
    value.copy_from_slice(digest(&SHA256, file.as_bytes()).as_ref());
    Ok(Certificate {
        pair: KeyPair::new(Digest(value), file.into_bytes()),
        names: leaf.names(),
        not_before: leaf.not_before(),
        not_after: leaf.not_after(),
        chain,
    })
}

fn within(entry: &'static str, bytes: &[u8], limit: usize) -> Result<(), Fault> {
    if bytes.is_empty() {
        return Err(Fault::MissingEntry(entry));
    }
    if bytes.len() > limit {
        return Err(Fault::TooLarge { entry, limit });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
