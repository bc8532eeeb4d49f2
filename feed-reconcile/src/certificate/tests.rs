use super::*;

/// A pair that is told from others by this byte.
pub(crate) fn pair(byte: u8) -> KeyPair {
    KeyPair::new(Digest([byte; 32]), *b"what nobody may see")
}

/// A certificate for these names, valid in all of 2024.
pub(crate) fn certificate(byte: u8, names: &[&str]) -> Certificate {
    Certificate {
        pair: pair(byte),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        not_before: "2024-01-01T00:00:00Z".parse().unwrap(),
        not_after: "2024-12-31T00:00:00Z".parse().unwrap(),
        chain: Chain::InOrder,
    }
}

#[test]
fn a_digest_is_read_as_it_is_written() {
    let digest = Digest([0xa7; 32]);
    assert_eq!(digest.to_string().parse(), Ok(digest));
    let mixed = "0123456789abcdef".repeat(4);
    assert_eq!(mixed.parse::<Digest>().unwrap().to_string(), mixed);
    let broken =
        ["", "00", &"0".repeat(63), &"0".repeat(65), &"A".repeat(64), &"+0".repeat(32), &"ä".repeat(32)];
    for broken in broken {
        assert_eq!(broken.parse::<Digest>(), Err(InvalidDigest), "{broken}");
    }
}

#[test]
fn what_is_in_a_pair_is_not_shown() {
    let shown = format!("{:?}", certificate(1, &[]));
    assert!(shown.contains(&pair(1).digest().to_string()), "{shown}");
    assert!(!shown.contains("nobody") && !shown.contains(&format!("{:?}", b'w')), "{shown}");
}

#[test]
fn hosts_that_a_certificate_covers() {
    let certificate = certificate(1, &["www.example.com", "*.shop.example.com"]);
    for (host, expected) in [
        ("www.example.com", true),
        ("WWW.example.com", true),
        ("example.com", false),
        ("a.www.example.com", false),
        ("a.shop.example.com", true),
        ("*.shop.example.com", true),
        ("shop.example.com", false),
        ("a.b.shop.example.com", false),
    ] {
        assert_eq!(certificate.covers(&Host::new(host).unwrap()), expected, "{host}");
    }
}

#[test]
fn time_makes_a_certificate_valid_and_takes_it_away() {
    let certificate = certificate(1, &[]);
    let at = |time: &str| -> Timestamp { time.parse().unwrap() };
    let (begin, end) = (certificate.not_before, certificate.not_after);
    for (now, fault, next) in [
        ("2023-12-31T23:59:59Z", Some(Fault::NotYetValid(begin)), Some(begin)),
        ("2024-01-01T00:00:00Z", None, Some(begin)),
        ("2024-01-01T00:00:01Z", None, Some(end)),
        ("2024-12-31T00:00:00Z", None, Some(end)),
        ("2024-12-31T00:00:01Z", Some(Fault::Expired(end)), None),
    ] {
        assert_eq!(certificate.fault_at(at(now)), fault, "{now}");
        assert_eq!(certificate.changes_after(at(now)), next, "{now}");
    }
}

#[test]
fn every_fault_is_a_sentence_with_a_code() {
    let time = Timestamp::UNIX_EPOCH;
    for (fault, code) in [
        (Fault::NotExamined, Code::InvalidCertificate),
        (Fault::MissingEntry("tls.crt"), Code::InvalidCertificate),
        (Fault::MissingEntry("tls.key"), Code::InvalidPrivateKey),
        (Fault::TooLarge { entry: "tls.crt", limit: 1 }, Code::InvalidCertificate),
        (Fault::TooLarge { entry: "tls.key", limit: 1 }, Code::InvalidPrivateKey),
        (Fault::MalformedCertificate("is empty"), Code::InvalidCertificate),
        (Fault::MalformedKey("is empty"), Code::InvalidPrivateKey),
        (Fault::EncryptedKey, Code::InvalidPrivateKey),
        (Fault::UnsupportedKey("too short"), Code::InvalidPrivateKey),
        (Fault::KeyMismatch, Code::CertificateKeyMismatch),
        (Fault::Expired(time), Code::CertificateExpired),
        (Fault::NotYetValid(time), Code::CertificateNotYetValid),
    ] {
        assert_eq!(fault.code(), code, "{fault}");
        assert!(fault.help().ends_with('.') && !fault.to_string().ends_with('.'), "{fault}");
    }
}
