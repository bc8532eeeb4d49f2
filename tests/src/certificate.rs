//! Certificates that nobody has signed, for the length of a test.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::{Value, json};

/// A certificate and its key, in PEM form.
#[derive(Debug, Clone)]
pub struct TestCertificate {
    /// The certificate.
    pub crt: String,
    /// Its key.
    pub key: String,
    /// The certificate as clients see it.
    pub der: Vec<u8>,
}

impl TestCertificate {
    /// One for these names, valid for long.
    pub fn new(names: &[&str]) -> Self {
        Self::valid(names, 2020, 2050)
    }

    /// One with a key of 384 bits instead of 256, for an OpenSSL that asks for more than it does usually.
    pub fn strong(names: &[&str]) -> Self {
        let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        Self::signed(&params(names), &key)
    }

    /// One that is valid from and until the beginnings of these years.
    pub fn valid(names: &[&str], from: i32, until: i32) -> Self {
        let mut params = params(names);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        Self::of(&params)
    }

    /// One that ends after that time.
    pub fn that_ends_after(names: &[&str], rest: Duration) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let mut params = params(names);
        params.not_after = date_time_ymd(1970, 1, 1) + now + rest;
        Self::of(&params)
    }

    fn of(params: &CertificateParams) -> Self {
        Self::signed(params, &KeyPair::generate().unwrap())
    }

    fn signed(params: &CertificateParams, key: &KeyPair) -> Self {
        let certificate = params.self_signed(key).unwrap();
        Self { crt: certificate.pem(), key: key.serialize_pem(), der: certificate.der().to_vec() }
    }

    /// A Secret of that name that holds it.
    pub fn secret(&self, name: &str) -> Value {
        json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name},
            "type": "kubernetes.io/tls",
            "stringData": {"tls.crt": self.crt, "tls.key": self.key},
        })
    }
}

fn params(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}
