//! Certificates: what was found out about them by those who can read them.
//!
//! Whoever hands over a [snapshot](crate::snapshot::ClusterSnapshot) has looked at the Secrets, and says of each what
//! can be done with it at that moment. Here it is decided which host gets which, and what is told to whom.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;

use crate::diagnostic::Code;
use crate::host::Host;

/// What a file holds, in 256 bits: equal for equal files, different for different ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(pub [u8; 32]);

impl fmt::Display for Digest {
    /// 64 digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a digest has 64 hexadecimal digits in lower case")]
pub struct InvalidDigest;

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let mut digest = [0; 32];
        let valid = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        for (byte, digits) in digest.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| InvalidDigest)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidDigest)?;
        }
        valid.then_some(Self(digest)).ok_or(InvalidDigest)
    }
}

/// A private key, its certificate, and that one's issuers: the file that nginx reads. Equal when the digests are.
///
/// What is in it is shown to nobody. Cheap to clone.
#[derive(Clone)]
pub struct KeyPair {
    digest: Digest,
    pem: Arc<[u8]>,
}

impl KeyPair {
    /// A pair whose file in PEM form has this digest.
    pub fn new(digest: Digest, pem: impl Into<Arc<[u8]>>) -> Self {
        Self { digest, pem: pem.into() }
    }

    /// What its file is known by.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The file: not to be shown to anybody.
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }
}

impl PartialEq for KeyPair {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for KeyPair {}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.digest)
    }
}

/// A certificate that nginx can serve, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// What nginx reads.
    pub pair: KeyPair,
    /// The DNS names of its subject alternative names, in lower case; a first label may be `*`.
    pub names: BTreeSet<String>,
    /// Before this it is not valid.
    pub not_before: Timestamp,
    /// After this it is not valid any more.
    pub not_after: Timestamp,
    /// What was mended before nginx was given it.
    pub chain: Chain,
}

/// How well the certificates beside the first one were ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Chain {
    /// Each is the issuer of the one before it.
    #[default]
    InOrder,
    /// They had to be put in order, or some are no issuers of the others and were left out.
    Mended,
}

impl Certificate {
    /// Whether clients accept it for the host (RFC 6125 section 6.4.3: a `*` stands for one label).
    pub fn covers(&self, host: &Host) -> bool {
        let host = host.as_str();
        let wildcard = host.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        self.names.contains(host) || wildcard.is_some_and(|wildcard| self.names.contains(&wildcard))
    }

    /// Why it may not be served at that moment, if it may not.
    pub fn fault_at(&self, now: Timestamp) -> Option<Fault> {
        if now < self.not_before {
            Some(Fault::NotYetValid(self.not_before))
        } else if now > self.not_after {
            Some(Fault::Expired(self.not_after))
        } else {
            None
        }
    }

    /// When [`Self::fault_at`] says something else, if nothing but time passes.
    pub fn changes_after(&self, now: Timestamp) -> Option<Timestamp> {
        [self.not_before, self.not_after].into_iter().find(|moment| now <= *moment)
    }
}

/// What can be done with a Secret's certificate at the moment of the snapshot.
pub type Examined = Result<Certificate, Fault>;

/// Why a certificate cannot be served. The texts complete "The Secret cannot be used: …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody has looked at it.
    #[error("its certificate has not been looked at")]
    NotExamined,
    /// An entry is missing or empty.
    #[error("it has no `{0}`")]
    MissingEntry(&'static str),
    /// An entry is larger than any that clients would accept.
    #[error("its `{entry}` is larger than {limit} bytes")]
    TooLarge {
        /// The entry.
        entry: &'static str,
        /// How large it may be.
        limit: usize,
    },
    /// `tls.crt` is not what it should be.
    #[error("its `tls.crt` {0}")]
    MalformedCertificate(&'static str),
    /// `tls.key` is not what it should be.
    #[error("its `tls.key` {0}")]
    MalformedKey(&'static str),
    /// The key needs a passphrase.
    #[error("its `tls.key` is encrypted")]
    EncryptedKey,
    /// The key is not of a kind that nginx takes everywhere.
    #[error("its `tls.key` is {0}")]
    UnsupportedKey(&'static str),
    /// The key is another certificate's.
    #[error("its `tls.key` belongs to none of the certificates in `tls.crt`")]
    KeyMismatch,
    /// nginx, or the OpenSSL that it uses, does not take it; with its own text.
    #[error("nginx refuses it: {0}")]
    Refused(Arc<str>),
    /// It is too late.
    #[error("its certificate has expired: it was valid until {0}")]
    Expired(Timestamp),
    /// It is too early.
    #[error("its certificate is not valid yet: it will be from {0}")]
    NotYetValid(Timestamp),
}

impl Fault {
    /// The code of a diagnostic that tells of it.
    pub fn code(&self) -> Code {
        match self {
            Self::MissingEntry("tls.key")
            | Self::TooLarge { entry: "tls.key", .. }
            | Self::MalformedKey(_)
            | Self::EncryptedKey
            | Self::UnsupportedKey(_) => Code::InvalidPrivateKey,
            Self::NotExamined
            | Self::MissingEntry(_)
            | Self::TooLarge { .. }
            | Self::MalformedCertificate(_)
            | Self::Refused(_) => Code::InvalidCertificate,
            Self::KeyMismatch => Code::CertificateKeyMismatch,
            Self::Expired(_) => Code::CertificateExpired,
            Self::NotYetValid(_) => Code::CertificateNotYetValid,
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotExamined => "Report this: it should not happen.",
            Self::MissingEntry(_) => {
                "Write `tls.crt` and `tls.key` together, as `kubectl create secret tls` does."
            }
            Self::TooLarge { .. } => "Leave only the certificate, its issuers and the key.",
            Self::MalformedCertificate(_) => {
                "Put the certificate in PEM form first, then its issuers, in order; `openssl x509 -text` shows what is there."
            }
            Self::MalformedKey(_) => {
                "Put the private key there in PEM form; `openssl pkey -check` shows what is there."
            }
            Self::EncryptedKey => "Take the passphrase off with `openssl pkey`: nobody could enter it.",
            Self::UnsupportedKey(_) => {
                "Use a key of ECDSA P-256 or P-384, Ed25519, or RSA with 2048, 3072 or 4096 bits."
            }
            Self::Refused(_) => {
                "Have one issued with a key and a signature that the policy of nginx's OpenSSL allows. It is tried again with every resync."
            }
            Self::KeyMismatch => {
                "Write the certificate and the key that were made for each other, both at once."
            }
            Self::Expired(_) => "Renew it.",
            Self::NotYetValid(_) => "Wait, or have one issued that is valid now.",
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
