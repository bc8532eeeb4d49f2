//! Secrets that are of no use: a diagnostic, the default certificate, and everybody else's changes go on.

use feed_tests::{NginxBinary, TestCertificate, eventually};
use serde_json::{Value, json};

use super::{CLASS, default_certificate, feed, secured};
use crate::world::{World, manifest, route};

/// An RSA key of 1,024 bits, which OpenSSL refuses with the rest of the configuration.
const RSA_1024: &str = include_str!("../../../feed-supervisor/src/certificates/fixture/rsa-1024.key");
const ENCRYPTED: &str = include_str!("../../../feed-supervisor/src/certificates/fixture/encrypted.key");
const P_521: &str = include_str!("../../../feed-supervisor/src/certificates/fixture/p-521.key");
const RSA_2048: &str = include_str!("../../../feed-supervisor/src/certificates/fixture/rsa-2048.key");
const SHA_1: &str = include_str!("../../../feed-supervisor/src/certificates/fixture/sha-1.crt");

/// Secrets by their names, each with the code of what is said of it.
fn bad_secrets() -> Vec<(&'static str, Value, &'static str)> {
    let good = TestCertificate::new(&["*.bad.test"]);
    let other = TestCertificate::new(&["*.bad.test"]);
    let secret = |name: &str, crt: &str, key: &str| {
        TestCertificate { crt: crt.to_owned(), key: key.to_owned(), der: Vec::new() }.secret(name)
    };
    let half = |text: &str| text.get(..text.len() / 2).unwrap().to_owned();
    let mut opaque = good.secret("opaque");
    opaque["type"] = json!("Opaque");
    let injected = format!("{}\";\n}}\nload_module /x.so;\n", good.crt);
    let huge = format!("{}{}", good.crt, "#".repeat(900_000));
    let no_pem = good.crt.replace("CERTIFICATE", "RSA PRIVATE KEY");
    vec![
        ("opaque", opaque, "SecretNotFound"),
        ("half", secret("half", &half(&good.crt), &good.key), "InvalidCertificate"),
        ("half-key", secret("half-key", &good.crt, &half(&good.key)), "InvalidPrivateKey"),
        ("no-key", secret("no-key", &good.crt, ""), "InvalidPrivateKey"),
        ("empty", secret("empty", "", ""), "InvalidCertificate"),
        ("rubbish", secret("rubbish", "rubbish\0", "\u{1}"), "InvalidPrivateKey"),
        ("huge", secret("huge", &huge, &good.key), "InvalidCertificate"),
        ("mismatch", secret("mismatch", &good.crt, &other.key), "CertificateKeyMismatch"),
        ("encrypted", secret("encrypted", &good.crt, ENCRYPTED), "InvalidPrivateKey"),
        ("short", secret("short", &good.crt, RSA_1024), "InvalidPrivateKey"),
        ("curve", secret("curve", &good.crt, P_521), "InvalidPrivateKey"),
        ("sha-1", secret("sha-1", SHA_1, RSA_2048), "InvalidCertificate"),
        ("no-crt", secret("no-crt", &no_pem, &good.key), "InvalidCertificate"),
        (
            "expired",
            TestCertificate::valid(&["*.bad.test"], 2000, 2001).secret("expired"),
            "CertificateExpired",
        ),
        (
            "early",
            TestCertificate::valid(&["*.bad.test"], 2100, 2101).secret("early"),
            "CertificateNotYetValid",
        ),
        // What stands outside of the marks of PEM is not passed on.
        ("injected", secret("injected", &injected, &good.key), ""),
        (
            "order",
            secret("order", &format!("{}{}", other.crt, good.crt), &good.key),
            "CertificateChainMended",
        ),
    ]
}

#[tokio::test]
async fn what_is_of_no_use_is_told_and_stops_nobody() {
    for nginx in NginxBinary::all() {
        let (world, default) = (World::start().await, default_certificate());
        let mut objects = world.services();
        let secrets = bad_secrets();
        for (name, secret, _) in &secrets {
            objects.push(secret.clone());
            objects.push(secured(name, CLASS, &format!("{name}.bad.test"), "a", name));
        }
        objects.push(secured("missing", CLASS, "missing.bad.test", "a", "missing"));
        let feed = feed(&nginx, &default, &objects).ready().await;

        let status = feed.status().await;
        let codes = |name: &str| -> Vec<String> {
            let diagnostics = status["diagnostics"].as_array().unwrap().iter();
            let own = diagnostics.filter(|it| it["object"]["name"] == format!("default/{name}"));
            own.map(|it| it["code"].as_str().unwrap().to_owned()).collect()
        };
        for (name, _, code) in &secrets {
            let expected: Vec<&str> = Some(*code).filter(|code| !code.is_empty()).into_iter().collect();
            assert_eq!(codes(name), expected, "{name}");
            let is_served = ["injected", "order"].contains(name);
            let shown = feed.certificate(&format!("{name}.bad.test")).await.unwrap();
            assert_eq!(shown != default.der, is_served, "{name}");
        }
        assert_eq!(codes("missing"), ["SecretNotFound"]);
        assert_eq!(status["last_failure"], Value::Null);
        assert_eq!(status["problems"], json!([]));
        // No key is shown anywhere.
        let shown = format!("{status} {} {}", feed.metrics().await, feed.log());
        for key in [RSA_1024, P_521] {
            assert!(!shown.contains(key.lines().nth(1).unwrap()));
        }
        assert!(!shown.contains("PRIVATE KEY-----"));

        // Others' changes go live.
        feed.write_manifest("more.yaml", &manifest(&[route("more", CLASS, "more.test", "b")]));
        feed.wait_served_by("b", "more.test", "/").await;
        // And so does what mends one.
        let good = TestCertificate::new(&["mismatch.bad.test"]);
        let at = objects.iter().position(|it| *it == secrets[7].1).unwrap();
        objects[at] = good.secret("mismatch");
        feed.write_manifest("all.yaml", &manifest(&objects));
        feed.wait_certificate("mismatch.bad.test", &good).await;
        eventually("the diagnostic is gone", async || {
            let diagnostics = feed.status().await["diagnostics"].to_string();
            if diagnostics.contains("CertificateKeyMismatch") { Err(diagnostics) } else { Ok(()) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_certificate_for_another_host_is_served_all_the_same() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let (world, default) = (World::start().await, default_certificate());
    let (one, other) = (TestCertificate::new(&["other.test"]), TestCertificate::new(&["a.test"]));
    let mut objects = world.services();
    objects.extend([one.secret("one"), other.secret("other")]);
    objects.push(secured("a", CLASS, "a.test", "a", "one"));
    objects.push(secured("b", CLASS, "a.test", "b", "other"));
    let feed = feed(&nginx, &default, &objects).ready().await;
    feed.wait_certificate("a.test", &one).await;
    let diagnostics = feed.status().await["diagnostics"].clone();
    let codes: Vec<_> = diagnostics.as_array().unwrap().iter().map(|it| &it["code"]).collect();
    assert!(codes.contains(&&json!("CertificateNotForHost")), "{diagnostics}");
    assert!(codes.contains(&&json!("ConflictingCertificate")), "{diagnostics}");
}
