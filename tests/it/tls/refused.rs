//! Certificates that pass our examination, and that nginx's OpenSSL refuses by its policy.

use std::fs;

use feed_tests::{NginxBinary, TestCertificate, eventually};

use super::{CLASS, feed, secured};
use crate::world::{World, manifest, route};

/// Keys of 256 bits are too short for this level, those of 384 are not.
const POLICY: &str = "openssl_conf = all
[all]
ssl_conf = parts
[parts]
system_default = policy
[policy]
CipherString = DEFAULT@SECLEVEL=4
";

#[tokio::test]
async fn a_certificate_that_nginx_refuses_freezes_nothing_and_convicts_nobody() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("openssl.cnf");
        fs::write(&policy, POLICY).unwrap();
        let default = TestCertificate::strong(&["default.test"]);
        let (strong, weak) = (TestCertificate::strong(&["own.test"]), TestCertificate::new(&["own.test"]));
        let objects = |certificate: &TestCertificate, more: &[&str]| {
            let mut objects = world.services();
            objects.push(certificate.secret("own"));
            objects.push(secured("own", CLASS, "own.test", "a", "own"));
            objects.extend(more.iter().map(|host| route(host, CLASS, host, "b")));
            objects
        };
        let feed =
            feed(&nginx, &default, &objects(&strong, &[])).variable("OPENSSL_CONF", policy.to_str().unwrap());
        let feed = feed.ready().await;
        feed.wait_certificate("own.test", &strong).await;

        // Rotated to one that is refused, together with a change of somebody else's.
        feed.write_manifest("all.yaml", &manifest(&objects(&weak, &["other.test"])));
        feed.wait_served_by("b", "other.test", "/").await;
        feed.wait_certificate("own.test", &default).await;
        feed.wait_served_by("a", "own.test", "/").await;
        let diagnostics = eventually("the diagnostic", async || {
            let diagnostics = feed.status().await["diagnostics"].clone();
            let text = diagnostics.to_string();
            if text.contains("InvalidCertificate") { Ok(text) } else { Err(text) }
        })
        .await;
        assert!(
            diagnostics.contains("nginx refuses it") && diagnostics.contains("too small"),
            "{diagnostics}"
        );
        assert!(!diagnostics.contains("Quarantined") && !diagnostics.contains("HeldBack"), "{diagnostics}");

        feed.write_manifest("all.yaml", &manifest(&objects(&weak, &["other.test", "more.test"])));
        feed.wait_served_by("b", "more.test", "/").await;
        feed.write_manifest("all.yaml", &manifest(&objects(&strong, &["other.test", "more.test"])));
        feed.wait_certificate("own.test", &strong).await;
        eventually("it is healthy", async || match feed.admin("/health").await.unwrap() {
            health if health.status == 200 => Ok(()),
            health => Err(health.text()),
        })
        .await;
    }
}

#[tokio::test]
async fn it_does_not_keep_a_new_pod_from_serving() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let world = World::start().await;
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("openssl.cnf");
    fs::write(&policy, POLICY).unwrap();
    let default = TestCertificate::strong(&["default.test"]);
    let mut objects = world.services();
    objects.push(TestCertificate::new(&["own.test"]).secret("own"));
    objects.push(secured("own", CLASS, "own.test", "a", "own"));
    let feed =
        feed(&nginx, &default, &objects).variable("OPENSSL_CONF", policy.to_str().unwrap()).ready().await;
    feed.wait_certificate("own.test", &default).await;
    feed.wait_served_by("a", "own.test", "/").await;
}
