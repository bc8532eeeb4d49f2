//! The certificates of a pair: the server's own, and its issuers in order.

use std::collections::BTreeSet;

use feed_reconcile::certificate::{Chain, Fault};
use jiff::Timestamp;
use rustls::pki_types::pem::SectionKind;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;

use super::der::{self, Reader, tag};
use super::key::{PrivateKey, is_known_algorithm};
use super::{pem, shape};

/// The most certificates of a pair; chains have three or four.
const MOST: usize = 16;

/// The kinds of signature that OpenSSL takes at its usual security level: those of `sha256WithRSAEncryption` and its sisters,
/// `ecdsa-with-SHA256` and its sisters, and Ed25519.
const SIGNATURES: [&str; 7] = [
    "1.2.840.113549.1.1.11",
    "1.2.840.113549.1.1.12",
    "1.2.840.113549.1.1.13",
    "1.2.840.10045.4.3.2",
    "1.2.840.10045.4.3.3",
    "1.2.840.10045.4.3.4",
    "1.3.101.112",
];

const NOT_PEM: Fault = Fault::MalformedCertificate("is not in PEM form");
const NONE: Fault = Fault::MalformedCertificate("holds no certificate in PEM form");
const TOO_MANY: Fault = Fault::MalformedCertificate("holds more than 16 certificates");
const BROKEN: Fault = Fault::MalformedCertificate("holds something that is no certificate in DER (RFC 5280)");
const OLD_SIGNATURE: Fault = Fault::MalformedCertificate(
    "holds a certificate whose signature is not made with SHA-256, SHA-384, SHA-512 or Ed25519",
);

/// What was found.
pub(super) struct Chained {
    pub(super) leaf: Parsed,
    /// Each is the issuer of the one before it; without a root, which clients have.
    pub(super) issuers: Vec<Parsed>,
    pub(super) chain: Chain,
}

/// Finds the certificate of that key, and its issuers.
pub(super) fn read(text: &[u8], key: &PrivateKey) -> Result<Chained, Fault> {
    let sections = pem::read(text, &NOT_PEM)?.into_iter();
    let certificates = sections.filter(|(kind, _)| *kind == SectionKind::Certificate);
    let mut rest = certificates.map(|(_, der)| Parsed::new(der)).collect::<Result<Vec<_>, _>>()?;
    if rest.is_empty() {
        return Err(NONE);
    }
    if rest.len() > MOST {
        return Err(TOO_MANY);
    }
    let position = rest.iter().position(|it| key.belongs_to(it)).ok_or(Fault::KeyMismatch)?;
    let mut in_order = position == 0;
    let leaf = rest.remove(position);
    if !leaf.has_known_signature() {
        return Err(OLD_SIGNATURE);
    }
    let mut issuers: Vec<Parsed> = Vec::new();
    loop {
        let last = issuers.last().unwrap_or(&leaf);
        if last.is_self_issued() {
            break;
        }
        let Some(next) = rest.iter().position(|it| it.has_issued(last)) else { break };
        in_order &= next == 0;
        issuers.push(rest.remove(next));
    }
    if issuers.last().is_some_and(Parsed::is_self_issued) {
        issuers.pop();
    }
    let chain = if in_order && rest.is_empty() { Chain::InOrder } else { Chain::Mended };
    Ok(Chained { leaf, issuers, chain })
}

/// A certificate whose DER is beyond doubt.
pub(super) struct Parsed {
    der: Vec<u8>,
    issuer: Vec<u8>,
    subject: Vec<u8>,
    public_key: Vec<u8>,
    names: BTreeSet<String>,
    not_before: i64,
    not_after: i64,
    signature: String,
}

/// A certificate's public key.
#[derive(Clone, Copy)]
pub(super) struct PublicKey<'a> {
    /// `SubjectPublicKeyInfo` of RFC 5280.
    pub(super) whole: &'a [u8],
    /// The key itself.
    pub(super) point: &'a [u8],
}

impl Parsed {
    fn new(der: Vec<u8>) -> Result<Self, Fault> {
        if !der::is_strict(&der) || !shape::is_certificate(&der) {
            return Err(BROKEN);
        }
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| BROKEN)?;
        let validity = certificate.validity();
        Ok(Self {
            issuer: certificate.issuer().as_raw().to_owned(),
            subject: certificate.subject().as_raw().to_owned(),
            public_key: certificate.public_key().raw.to_owned(),
            names: dns_names(&certificate),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            signature: certificate.signature_algorithm.algorithm.to_id_string(),
            der,
        })
    }

    pub(super) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.names.clone()
    }

    pub(super) fn not_before(&self) -> Timestamp {
        Timestamp::from_second(self.not_before).unwrap_or(Timestamp::MIN)
    }

    /// The last moment; certificates without a good end say the end of the year 9999.
    pub(super) fn not_after(&self) -> Timestamp {
        Timestamp::from_second(self.not_after).unwrap_or(Timestamp::MAX)
    }

    pub(super) fn public_key(&self) -> PublicKey<'_> {
        let point = Reader(&self.public_key)
            .next()
            .and_then(|value| value.inside(tag::SEQUENCE))
            .and_then(|mut fields| fields.next().and_then(|_| fields.contents(tag::BIT_STRING)));
        let point = point.and_then(|bits| bits.strip_prefix(&[0])).unwrap_or_default();
        PublicKey { whole: &self.public_key, point }
    }

    fn has_known_signature(&self) -> bool {
        SIGNATURES.contains(&self.signature.as_str())
    }

    /// A root is not sent: how it is signed does not matter.
    fn may_be_sent(&self) -> bool {
        self.has_known_signature() || self.is_self_issued()
    }

    fn has_known_key(&self) -> bool {
        let fields = Reader(&self.public_key).next().and_then(|value| value.inside(tag::SEQUENCE));
        fields.and_then(|mut fields| fields.next()).is_some_and(|it| is_known_algorithm(it.whole))
    }

    fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Whether it is the issuer of the other, by its name and by its key: what has signed something is a key.
    fn has_issued(&self, other: &Self) -> bool {
        if self.subject != other.issuer || !self.has_known_key() || !self.may_be_sent() {
            return false;
        }
        let (Ok((_, ours)), Ok((_, theirs))) =
            (X509Certificate::from_der(&self.der), X509Certificate::from_der(&other.der))
        else {
            return false;
        };
        theirs.verify_signature(Some(ours.public_key())).is_ok()
    }
}

/// The DNS names of the subject alternative names, in lower case. The common name counts for nothing, as with browsers.
fn dns_names(certificate: &X509Certificate<'_>) -> BTreeSet<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.iter().flat_map(|extension| &extension.value.general_names);
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}
