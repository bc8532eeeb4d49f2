//! Certificates and keys for tests: made by rcgen where it can, else read from `fixture/`.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, PKCS_RSA_SHA256,
    date_time_ymd,
};

pub(crate) const RSA_2048: &str = include_str!("fixture/rsa-2048.key");
/// The same key in the older form.
pub(crate) const RSA_2048_PKCS1: &str = include_str!("fixture/rsa-2048-old.key");
pub(crate) const RSA_1024: &str = include_str!("fixture/rsa-1024.key");
pub(crate) const RSA_2560: &str = include_str!("fixture/rsa-2560.key");
pub(crate) const P_521: &str = include_str!("fixture/p-521.key");
/// The RSA key with a passphrase, and the same in the older form.
pub(crate) const ENCRYPTED: [&str; 2] =
    [include_str!("fixture/encrypted.key"), include_str!("fixture/encrypted-old.key")];
/// Signed by the RSA key with SHA-1, as OpenSSL refuses it.
pub(crate) const SHA_1: &str = include_str!("fixture/sha-1.crt");

/// `tls.crt` and `tls.key`.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) crt: String,
    pub(crate) key: String,
}

/// What a certificate for these names says.
pub(crate) fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

/// A certificate that is its own issuer, valid from and to these years.
pub(crate) fn self_signed(names: &[&str], from: i32, to: i32) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = params(names);
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    Pair { crt: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// The same with a given key.
pub(crate) fn self_signed_with(key: &KeyPair) -> Pair {
    Pair { crt: params(&["www.example.com"]).self_signed(key).unwrap().pem(), key: key.serialize_pem() }
}

/// The RSA key of [`RSA_2048`].
pub(crate) fn rsa() -> KeyPair {
    KeyPair::from_pem_and_sign_algo(RSA_2048, &PKCS_RSA_SHA256).unwrap()
}

/// A root, what it has issued, and what that has issued.
pub(crate) struct Issued {
    pub(crate) root: String,
    pub(crate) intermediate: String,
    pub(crate) leaf: Pair,
}

/// A chain of three whose authorities have that key each, or one of their own.
pub(crate) fn issued(names: &[&str]) -> Issued {
    let authority = |name: &str| {
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let root = CertifiedIssuer::self_signed(authority("root"), KeyPair::generate().unwrap()).unwrap();
    let intermediate = CertifiedIssuer::signed_by(authority("intermediate"), rsa(), &root).unwrap();
    let key = KeyPair::generate().unwrap();
    let crt = params(names).signed_by(&key, &intermediate).unwrap().pem();
    Issued {
        root: root.pem(),
        intermediate: intermediate.pem(),
        leaf: Pair { crt, key: key.serialize_pem() },
    }
}
