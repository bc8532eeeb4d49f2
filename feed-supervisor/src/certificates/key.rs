//! Private keys: only kinds that every nginx in use takes, and each written in the one form that every OpenSSL reads.

use feed_reconcile::certificate::Fault;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _, RsaKeyPair,
};
use rustls::pki_types::pem::SectionKind;

use super::chain::Parsed;
use super::der::{self, Reader, tag};
use super::pem;

/// `AlgorithmIdentifier` of an RSA key (RFC 3279 section 2.3.1).
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// The same of ECDSA with P-256 (RFC 5480 section 2.1.1).
const P256: &[u8] = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// The same of ECDSA with P-384.
const P384: &[u8] = b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22";
/// The same of Ed25519 (RFC 8410 section 3).
const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";

/// The name of P-256 alone.
const P256_NAME: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
/// The name of P-384 alone.
const P384_NAME: &[u8] = b"\x06\x05\x2b\x81\x04\x00\x22";

const NO_KEY: Fault = Fault::MalformedKey("holds no private key in PEM form");
const NOT_PEM: Fault = Fault::MalformedKey("is not in PEM form");
const BROKEN: Fault = Fault::MalformedKey("holds a private key that cannot be read");
const SHORT_RSA: Fault = Fault::UnsupportedKey("an RSA key of less than 2,048 bits, which OpenSSL refuses");
const ODD_RSA: Fault = Fault::UnsupportedKey("an RSA key of another size than 2,048, 3,072 or 4,096 bits");
const UNKNOWN: Fault = Fault::UnsupportedKey("of a kind that is not supported");

/// Whether these are the kinds of public key that OpenSSL reads without fail: of certificates that sign others.
pub(super) fn is_known_algorithm(identifier: &[u8]) -> bool {
    [RSA, P256, P384, ED25519].contains(&identifier)
}

/// A private key.
pub(super) enum PrivateKey {
    Rsa {
        /// `RSAPrivateKey` of RFC 8017.
        der: Vec<u8>,
        public: Vec<u8>,
    },
    Ec {
        curve: Curve,
        scalar: Vec<u8>,
    },
    Ed25519 {
        seed: Vec<u8>,
        public: Vec<u8>,
    },
}

/// A curve of ECDSA.
#[derive(Clone, Copy)]
pub(super) enum Curve {
    P256,
    P384,
}

impl Curve {
    fn of(name: &[u8]) -> Option<Self> {
        match name {
            P256_NAME => Some(Self::P256),
            P384_NAME => Some(Self::P384),
            _ => None,
        }
    }

    fn name(self) -> &'static [u8] {
        match self {
            Self::P256 => P256_NAME,
            Self::P384 => P384_NAME,
        }
    }

    fn identifier(self) -> &'static [u8] {
        match self {
            Self::P256 => P256,
            Self::P384 => P384,
        }
    }

    fn scalar_length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &ECDSA_P384_SHA384_ASN1_SIGNING,
        }
    }
}

impl PrivateKey {
    /// Reads the first private key of a text.
    pub(super) fn read(text: &[u8]) -> Result<Self, Fault> {
        // The word stands in the label of PKCS #8, and in a line of its own in the older form.
        if text.windows(ENCRYPTED.len()).any(|window| window == ENCRYPTED) {
            return Err(Fault::EncryptedKey);
        }
        for (kind, der) in pem::read(text, &NOT_PEM)? {
            match kind {
                SectionKind::PrivateKey => return Self::pkcs8(&der),
                SectionKind::RsaPrivateKey => return Self::rsa(&der),
                SectionKind::EcPrivateKey => return Self::sec1(&der, None),
                _ => {}
            }
        }
        Err(NO_KEY)
    }

    /// RFC 5958 section 2.
    fn pkcs8(der: &[u8]) -> Result<Self, Fault> {
        let mut fields = Reader(der).next().and_then(|value| value.inside(tag::SEQUENCE)).ok_or(BROKEN)?;
        fields.contents(tag::INTEGER).ok_or(BROKEN)?;
        let algorithm = fields.next().ok_or(BROKEN)?;
        let key = fields.contents(tag::OCTET_STRING).ok_or(BROKEN)?;
        match algorithm.whole {
            RSA => Self::rsa(key),
            P256 => Self::sec1(key, Some(Curve::P256)),
            P384 => Self::sec1(key, Some(Curve::P384)),
            ED25519 => Self::ed25519(key),
            _ => Err(UNKNOWN),
        }
    }

    /// RFC 8017 appendix A.1.2. Of several sizes some cryptographic libraries refuse all but these.
    fn rsa(der: &[u8]) -> Result<Self, Fault> {
        let mut fields = Reader(der).next().and_then(|value| value.inside(tag::SEQUENCE)).ok_or(BROKEN)?;
        fields.contents(tag::INTEGER).ok_or(BROKEN)?;
        let modulus = fields.contents(tag::INTEGER).ok_or(BROKEN)?;
        match bits(modulus) {
            2048 | 3072 | 4096 => {}
            ..2048 => return Err(SHORT_RSA),
            _ => return Err(ODD_RSA),
        }
        let pair = RsaKeyPair::from_der(der).map_err(|_| BROKEN)?;
        Ok(Self::Rsa { der: der.to_owned(), public: pair.public_key().as_ref().to_owned() })
    }

    /// RFC 5915 section 3.
    fn sec1(der: &[u8], curve: Option<Curve>) -> Result<Self, Fault> {
        let mut fields = Reader(der).next().and_then(|value| value.inside(tag::SEQUENCE)).ok_or(BROKEN)?;
        fields.contents(tag::INTEGER).ok_or(BROKEN)?;
        let scalar = fields.contents(tag::OCTET_STRING).ok_or(BROKEN)?;
        let named = fields.next().and_then(|value| value.inside(tag::CONTEXT)).and_then(|mut it| it.next());
        let curve = curve.or_else(|| Curve::of(named?.whole)).ok_or(UNKNOWN)?;
        if scalar.len() != curve.scalar_length() {
            return Err(BROKEN);
        }
        Ok(Self::Ec { curve, scalar: scalar.to_owned() })
    }

    /// RFC 8410 section 7.
    fn ed25519(der: &[u8]) -> Result<Self, Fault> {
        let seed = Reader(der).contents(tag::OCTET_STRING).ok_or(BROKEN)?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| BROKEN)?;
        Ok(Self::Ed25519 { seed: seed.to_owned(), public: pair.public_key().as_ref().to_owned() })
    }

    /// Whether it is the key of that certificate.
    pub(super) fn belongs_to(&self, certificate: &Parsed) -> bool {
        let public = certificate.public_key();
        let expected = match self {
            Self::Rsa { public, .. } => public_key(RSA, public),
            Self::Ed25519 { public, .. } => public_key(ED25519, public),
            Self::Ec { curve, scalar } => {
                let random = SystemRandom::new();
                let pair = EcdsaKeyPair::from_private_key_and_public_key(
                    curve.signing(),
                    scalar,
                    public.point,
                    &random,
                );
                return pair.is_ok() && public.whole == public_key(curve.identifier(), public.point);
            }
        };
        public.whole == expected
    }

    /// The key of that certificate, which it must be, in the form that is named.
    pub(super) fn encoded(&self, certificate: &Parsed) -> (SectionKind, Vec<u8>) {
        match self {
            Self::Rsa { der, .. } => (SectionKind::RsaPrivateKey, der.clone()),
            Self::Ec { curve, scalar } => {
                let scalar = der::made_of(tag::OCTET_STRING, &[scalar]);
                let name = der::made_of(tag::CONTEXT, &[curve.name()]);
                let point = der::made_of(tag::BIT_STRING, &[&[0], certificate.public_key().point]);
                let point = der::made_of(tag::CONTEXT | 1, &[&point]);
                let version = [tag::INTEGER, 1, 1];
                let der = der::made_of(tag::SEQUENCE, &[&version, &scalar, &name, &point]);
                (SectionKind::EcPrivateKey, der)
            }
            Self::Ed25519 { seed, .. } => {
                let seed = der::made_of(tag::OCTET_STRING, &[seed]);
                let key = der::made_of(tag::OCTET_STRING, &[&seed]);
                let version = [tag::INTEGER, 1, 0];
                (SectionKind::PrivateKey, der::made_of(tag::SEQUENCE, &[&version, ED25519, &key]))
            }
        }
    }
}

const ENCRYPTED: &[u8] = b"ENCRYPTED";

/// `SubjectPublicKeyInfo` of RFC 5280.
fn public_key(identifier: &[u8], key: &[u8]) -> Vec<u8> {
    let key = der::made_of(tag::BIT_STRING, &[&[0], key]);
    der::made_of(tag::SEQUENCE, &[identifier, &key])
}

/// The bits of a positive number.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let digits = number.get(zeros..).unwrap_or_default();
    let leading = digits.first().map_or(0, |first| first.leading_zeros() as usize);
    digits.len() * 8 - leading
}
