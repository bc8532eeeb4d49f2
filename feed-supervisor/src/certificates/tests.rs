mod hostile;

use feed_reconcile::certificate::{Certificate, Chain, Fault};
use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::fixture::{self, Issued, Pair, issued, rsa, self_signed, self_signed_with};
use super::*;

fn examined(pair: &Pair) -> Result<Certificate, Fault> {
    examine(pair.crt.as_bytes(), pair.key.as_bytes())
}

fn fault(crt: &str, key: &str) -> String {
    examine(crt.as_bytes(), key.as_bytes()).unwrap_err().to_string()
}

/// The certificates in what nginx is given, in order.
fn passed_on(certificate: &Certificate) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(certificate.pair.pem()).map(Result::unwrap).collect()
}

fn ders(pems: &[&str]) -> Vec<CertificateDer<'static>> {
    pems.iter().map(|pem| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).collect()
}

#[test]
fn a_pair_is_understood() {
    let certificate = examined(&self_signed(&["WWW.example.com", "*.shop.example"], 2024, 2025)).unwrap();
    let names: Vec<_> = certificate.names.iter().map(String::as_str).collect();
    assert_eq!(names, ["*.shop.example", "www.example.com"]);
    assert_eq!(certificate.not_before.to_string(), "2024-01-01T00:00:00Z");
    assert_eq!(certificate.not_after.to_string(), "2025-01-01T00:00:00Z");
    assert_eq!(certificate.chain, Chain::InOrder);
}

#[test]
fn keys_of_every_kind_that_is_supported() {
    let old = Pair { key: fixture::RSA_2048_PKCS1.to_owned(), ..self_signed_with(&rsa()) };
    let pairs = [
        self_signed_with(&KeyPair::generate().unwrap()),
        self_signed_with(&KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap()),
        self_signed_with(&KeyPair::generate_for(&PKCS_ED25519).unwrap()),
        self_signed_with(&rsa()),
        old,
    ];
    let labels = ["EC PRIVATE", "EC PRIVATE", "PRIVATE", "RSA PRIVATE", "RSA PRIVATE"];
    for (pair, label) in pairs.iter().zip(labels) {
        let certificate = examined(pair).unwrap();
        let text = String::from_utf8(certificate.pair.pem().to_owned()).unwrap();
        assert!(text.starts_with(&format!("-----BEGIN {label} KEY-----\n")), "{text}");
        assert_eq!(passed_on(&certificate), ders(&[&pair.crt]));
        // What was written is read again as the same.
        assert_eq!(examine(text.as_bytes(), text.as_bytes()).unwrap().pair, certificate.pair);
    }
}

#[test]
fn equal_pairs_are_equal_however_they_are_written() {
    let pair = self_signed_with(&rsa());
    let crlf = Pair {
        crt: format!("Bag Attributes: none\n{}", pair.crt.replace('\n', "\r\n")),
        key: fixture::RSA_2048_PKCS1.to_owned(),
    };
    assert_eq!(examined(&pair).unwrap().pair, examined(&crlf).unwrap().pair);
    let of_others = Pair { crt: fixture::params(&[]).self_signed(&rsa()).unwrap().pem(), ..pair.clone() };
    assert_ne!(examined(&pair).unwrap().pair, examined(&of_others).unwrap().pair);
}

#[test]
fn issuers_follow_in_order_and_nothing_else() {
    let Issued { root, intermediate, leaf } = issued(&["www.example.com"]);
    let other = self_signed(&["other.example"], 2024, 2034).crt;
    let sent = ders(&[&leaf.crt, &intermediate]);
    let parts = |parts: &[&str]| Pair { crt: parts.concat(), key: leaf.key.clone() };
    for (text, chain) in [
        (parts(&[&leaf.crt, &intermediate]), Chain::InOrder),
        (parts(&[&leaf.crt, &intermediate, &root]), Chain::InOrder),
        (parts(&[&root, &intermediate, &leaf.crt]), Chain::Mended),
        (parts(&[&intermediate, &leaf.crt]), Chain::Mended),
        (parts(&[&leaf.crt, &root, &intermediate]), Chain::Mended),
        (parts(&[&leaf.crt, &intermediate, &other]), Chain::Mended),
        (parts(&[&leaf.crt, &intermediate, &intermediate]), Chain::Mended),
    ] {
        let certificate = examined(&text).unwrap();
        assert_eq!((passed_on(&certificate), certificate.chain), (sent.clone(), chain));
    }
    let alone = examined(&parts(&[&leaf.crt, &root])).unwrap();
    assert_eq!((passed_on(&alone), alone.chain), (ders(&[&leaf.crt]), Chain::Mended));
}

#[test]
fn an_issuer_in_name_alone_is_left_out() {
    let (ours, theirs) = (issued(&["www.example.com"]), issued(&["www.example.com"]));
    // All intermediates of the fixture have the same key: this one has another.
    let mut false_one = fixture::params(&[]);
    false_one.distinguished_name.push(rcgen::DnType::CommonName, "intermediate");
    let false_one = false_one.self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    let pair = Pair { crt: format!("{}{false_one}{}", ours.leaf.crt, ours.intermediate), key: ours.leaf.key };
    let certificate = examined(&pair).unwrap();
    assert_eq!(passed_on(&certificate), ders(&[&ours.leaf.crt, &ours.intermediate]));
    let mixed = Pair { crt: ours.leaf.crt, key: theirs.leaf.key };
    assert_eq!(examined(&mixed), Err(Fault::KeyMismatch));
}

#[test]
fn every_fault_is_told() {
    let Pair { crt, key } = &self_signed(&["www.example.com"], 2024, 2034);
    let rsa_pair = self_signed_with(&rsa());
    assert_eq!(fault("", key), "it has no `tls.crt`");
    assert_eq!(fault(crt, ""), "it has no `tls.key`");
    assert_eq!(fault(&crt.repeat(200), key), "its `tls.crt` is larger than 98304 bytes");
    assert_eq!(fault(crt, &key.repeat(200)), "its `tls.key` is larger than 16384 bytes");
    assert_eq!(fault(&crt.repeat(17), key), "its `tls.crt` holds more than 16 certificates");
    for rubbish in ["rubbish", "\0\u{ff}", key] {
        assert_eq!(fault(rubbish, key), "its `tls.crt` holds no certificate in PEM form");
    }
    assert_eq!(fault(crt, "rubbish"), "its `tls.key` holds no private key in PEM form");
    assert_eq!(fault(crt, crt), "its `tls.key` holds no private key in PEM form");
    let half = |text: &str| text.get(..text.len() / 2).unwrap().to_owned();
    assert_eq!(fault(&half(crt), key), "its `tls.crt` is not in PEM form");
    assert_eq!(fault(crt, &half(key)), "its `tls.key` is not in PEM form");
    let relabelled = key.replace("PRIVATE KEY", "CERTIFICATE");
    let no_der = "its `tls.crt` holds something that is no certificate in DER (RFC 5280)";
    assert_eq!(fault(&relabelled, key), no_der);
    assert_eq!(fault(&format!("{crt}{relabelled}"), key), no_der);
    let broken = "its `tls.key` holds a private key that cannot be read";
    assert_eq!(fault(crt, &crt.replace("CERTIFICATE", "PRIVATE KEY")), broken);
    assert_eq!(fault(crt, &crt.replace("CERTIFICATE", "RSA PRIVATE KEY")), broken);
    for encrypted in fixture::ENCRYPTED {
        assert_eq!(fault(&rsa_pair.crt, encrypted), "its `tls.key` is encrypted");
    }
    assert_eq!(fault(crt, fixture::P_521), "its `tls.key` is of a kind that is not supported");
    assert_eq!(
        fault(crt, fixture::RSA_1024),
        "its `tls.key` is an RSA key of less than 2,048 bits, which OpenSSL refuses"
    );
    assert_eq!(
        fault(crt, fixture::RSA_2560),
        "its `tls.key` is an RSA key of another size than 2,048, 3,072 or 4,096 bits"
    );
    let mismatch = "its `tls.key` belongs to none of the certificates in `tls.crt`";
    assert_eq!(fault(crt, fixture::RSA_2048), mismatch);
    assert_eq!(fault(&rsa_pair.crt, key), mismatch);
    assert_eq!(fault(crt, &self_signed(&[], 2024, 2034).key), mismatch);
    assert_eq!(
        fault(fixture::SHA_1, fixture::RSA_2048),
        "its `tls.crt` holds a certificate whose signature is not made with SHA-256, SHA-384, SHA-512 or Ed25519"
    );
}

#[test]
fn a_certificate_without_end_ends_late() {
    let certificate = examined(&self_signed(&["www.example.com"], 1980, 9999)).unwrap();
    assert_eq!(certificate.fault_at(jiff::Timestamp::now()), None);
}
