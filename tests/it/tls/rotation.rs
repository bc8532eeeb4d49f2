//! Certificates that are replaced, and the files that they lie in.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use feed_tests::{
    ControlPlane, Feed, NginxBinary, Request, TestCertificate, TlsClient, eventually, eventually_within,
};
use serde_json::json;

use super::{CLASS, default_certificate, feed, secured};
use crate::world::{World, manifest};

/// The names of the files of certificates.
fn files(feed: &Feed) -> BTreeSet<String> {
    let entries = fs::read_dir(feed.workdir().join("certificates")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn new_handshakes_see_the_new_one_and_no_connection_breaks() {
    for nginx in NginxBinary::all() {
        let (world, default) = (World::start().await, default_certificate());
        let objects = |certificate: &TestCertificate| {
            let mut objects = world.services();
            objects.push(certificate.secret("own"));
            objects.push(secured("own", CLASS, "own.test", "a", "own"));
            manifest(&objects)
        };
        let first = TestCertificate::new(&["own.test"]);
        let feed = feed(&nginx, &default, &[]).manifest("all.yaml", &objects(&first)).ready().await;
        feed.wait_certificate("own.test", &first).await;
        let reloads = feed.metric("feed_ingress_reloads").await.unwrap();
        let before = files(&feed);

        // A request is under way on a connection that was made before.
        let mut connection = TlsClient::to("own.test").connect(feed.tls_address()).await.unwrap();
        let request = Request::get("own.test", "/");
        assert_eq!(connection.send(&request).await.unwrap().status, 200);
        let second = TestCertificate::new(&["own.test"]);
        feed.write_manifest("all.yaml", &objects(&second));
        feed.wait_certificate("own.test", &second).await;
        if nginx.knows_keepalive_min_timeout() {
            assert_eq!(connection.send(&request).await.unwrap().status, 200);
        }
        assert_eq!(feed.metric("feed_ingress_reloads").await, Some(reloads + 1.0));
        eventually("only what is needed is kept", async || {
            let now = files(&feed);
            let is_done = now.len() == before.len() && now != before;
            if is_done { Ok(()) } else { Err(format!("{now:?}")) }
        })
        .await;
        for file in files(&feed) {
            let path = feed.workdir().join("certificates").join(file);
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600);
            assert!(fs::read_to_string(path).unwrap().contains("PRIVATE KEY"));
        }
        let directory = fs::metadata(feed.workdir().join("certificates")).unwrap();
        assert_eq!(directory.permissions().mode() & 0o777, 0o700);
        assert!(!feed.configuration().contains("PRIVATE KEY"));
    }
}

#[tokio::test]
async fn a_secret_of_the_cluster_is_followed_and_its_labels_are_nothing() {
    let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::shared().await) else {
        return;
    };
    let (world, default) = (World::start().await, default_certificate());
    let namespace = control_plane.namespace().await;
    let first = TestCertificate::valid(&["own.test"], 2020, 2050);
    let mut objects = world.services();
    objects.push(first.secret("own"));
    objects.push(secured("own", namespace.name(), "own.test", "a", "own"));
    namespace.apply(&manifest(&objects));
    let builder = Feed::builder(&nginx).tls(&default).flag("--nginx-update-burst", "1000");
    let mut feed = builder.kubernetes(&namespace).ready().await;
    feed.wait_certificate("own.test", &first).await;
    let sample = format!(
        "feed_ingress_certificate_expiry_seconds{{namespace=\"{}\",secret=\"own\"}}",
        namespace.name()
    );
    let left = feed.metric(&sample).await.unwrap();
    assert!(left > 20.0 * 365.0 * 86_400.0, "{left}");
    let default_sample = "feed_ingress_certificate_expiry_seconds{namespace=\"\",secret=\"default\"}";
    assert!(feed.metric(default_sample).await.unwrap() > 0.0);
    let reloads = feed.metric("feed_ingress_reloads").await;

    namespace.kubectl(&["label", "secret", "own", "x=y"], "");
    // What comes after it has been seen: so has it.
    let second = TestCertificate::new(&["own.test"]);
    namespace.apply(&manifest(&[second.secret("own")]));
    feed.wait_certificate("own.test", &second).await;
    assert_eq!(feed.metric("feed_ingress_reloads").await, reloads.map(|reloads| reloads + 1.0));

    eventually("it is confirmed", async || {
        let generation = feed.metric("feed_ingress_configuration_generation").await;
        if generation == Some(2.0) { Ok(()) } else { Err(format!("{generation:?}")) }
    })
    .await;
    // After its own death it takes nginx over without a reload, and goes on.
    let configuration = feed.configuration();
    feed.kill();
    feed.wait_certificate("own.test", &second).await;
    feed.start();
    feed.wait_ready().await;
    assert_eq!(feed.configuration(), configuration);
    assert_eq!(feed.metric("feed_ingress_reloads").await, Some(0.0));
    let third = TestCertificate::new(&["own.test"]);
    namespace.apply(&manifest(&[third.secret("own")]));
    feed.wait_certificate("own.test", &third).await;

    namespace.kubectl(&["delete", "secret", "own"], "");
    feed.wait_certificate("own.test", &default).await;
    let status = feed.status().await;
    assert!(status["diagnostics"].to_string().contains("SecretNotFound"), "{status}");
    let certificates: Vec<_> =
        status["certificates"].as_array().unwrap().iter().map(|it| &it["secret"]).collect();
    assert_eq!(certificates, [&json!(null)]);
    assert_eq!(feed.metric(&sample).await, None);
}

#[tokio::test]
async fn nginx_that_was_killed_starts_again_with_the_keys_that_are_there() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let (world, default) = (World::start().await, default_certificate());
    let own = TestCertificate::new(&["own.test"]);
    let mut objects = world.services();
    objects.extend([own.secret("own"), secured("own", CLASS, "own.test", "a", "own")]);
    let mut feed = feed(&nginx, &default, &objects).ready().await;
    let first = feed.nginx_master();
    first.signal(nix::sys::signal::Signal::SIGKILL);
    eventually("another master", async || match feed.nginx_masters()[..] {
        [master] if master != first => Ok(()),
        ref masters => Err(format!("{masters:?}")),
    })
    .await;
    feed.wait_ready().await;
    feed.wait_certificate("own.test", &own).await;
    // Without the keys that the confirmed configuration names, a new one is written.
    feed.kill();
    for master in feed.nginx_masters() {
        master.signal(nix::sys::signal::Signal::SIGKILL);
    }
    fs::remove_dir_all(feed.workdir().join("certificates")).unwrap();
    feed.start();
    feed.wait_ready().await;
    feed.wait_certificate("own.test", &own).await;
}

#[tokio::test]
async fn one_that_ends_gives_way_to_the_default() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let (world, default) = (World::start().await, default_certificate());
    let own = TestCertificate::that_ends_after(&["own.test"], Duration::from_secs(6));
    let mut objects = world.services();
    objects.extend([own.secret("own"), secured("own", CLASS, "own.test", "a", "own")]);
    let feed = feed(&nginx, &default, &objects).ready().await;
    assert_eq!(feed.certificate("own.test").await.unwrap(), own.der);
    assert_eq!(feed.status().await["diagnostics"], json!([]));
    eventually_within(Duration::from_secs(30), "the default certificate", async || {
        let shown = feed.certificate("own.test").await?;
        if shown == default.der { Ok(()) } else { Err("another".to_owned()) }
    })
    .await;
    let diagnostics = feed.status().await["diagnostics"].to_string();
    assert!(diagnostics.contains("CertificateExpired"), "{diagnostics}");
}
