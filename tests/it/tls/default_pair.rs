//! The default certificate, which is mounted as Kubernetes mounts Secrets.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use feed_tests::{Feed, NginxBinary, Sandbox, TestCertificate, eventually};

use super::{CLASS, default_certificate, feed};
use crate::world::{World, manifest, route};

/// Puts a version there and makes it the one that counts, in one step.
fn swap(mount: &Path, version: &str, certificate: &TestCertificate) {
    fs::create_dir(mount.join(version)).unwrap();
    fs::write(mount.join(version).join("default.crt"), &certificate.crt).unwrap();
    fs::write(mount.join(version).join("default.key"), &certificate.key).unwrap();
    symlink(version, mount.join("..new")).unwrap();
    fs::rename(mount.join("..new"), mount.join("..data")).unwrap();
}

async fn wait_problem(feed: &Feed, text: Option<&str>) {
    eventually(&format!("the problem {text:?}"), async || {
        let problems = feed.status().await["problems"].to_string();
        let is_so = text.map_or(problems == "[]", |text| problems.contains(text));
        if is_so { Ok(()) } else { Err(problems) }
    })
    .await;
}

#[tokio::test]
async fn it_is_replaced_and_outlives_its_files() {
    for nginx in NginxBinary::all() {
        let (world, first) = (World::start().await, default_certificate());
        let mount = Sandbox::new("mount");
        swap(mount.path(), "..1", &first);
        for file in ["default.crt", "default.key"] {
            symlink(format!("..data/{file}"), mount.join(file)).unwrap();
        }
        let mut objects = world.services();
        objects.push(route("plain", CLASS, "plain.test", "a"));
        let stem = mount.join("default");
        let feed = feed(&nginx, &first, &objects).flag("--ssl-path", stem.to_str().unwrap()).ready().await;
        feed.wait_certificate("plain.test", &first).await;

        let second = default_certificate();
        swap(mount.path(), "..2", &second);
        fs::remove_dir_all(mount.join("..1")).unwrap();
        feed.wait_certificate("plain.test", &second).await;
        let reloads = feed.metric("feed_ingress_reloads").await;

        let rubbish = TestCertificate { crt: "rubbish".into(), ..first.clone() };
        swap(mount.path(), "..3", &rubbish);
        wait_problem(
            &feed,
            Some("holds no certificate in PEM form (--ssl-path); the last good one is served"),
        )
        .await;
        assert_eq!(feed.admin("/health").await.unwrap().status, 500);
        assert_eq!(feed.admin("/readiness").await.unwrap().status, 200);
        swap(mount.path(), "..4", &TestCertificate { key: first.key.clone(), ..second.clone() });
        wait_problem(&feed, Some("belongs to none of the certificates")).await;
        fs::remove_file(mount.join("..data")).unwrap();
        wait_problem(&feed, Some("No such file or directory")).await;
        assert_eq!(feed.certificate("plain.test").await.unwrap(), second.der);
        assert_eq!(feed.metric("feed_ingress_reloads").await, reloads);
        let said = feed.log().matches("No such file or directory").count();
        assert_eq!(said, 1, "{}", feed.log());
        // Others' changes go on, and nginx needs no files but ours.
        feed.write_manifest("more.yaml", &manifest(&[route("more", CLASS, "more.test", "b")]));
        feed.wait_served_by("b", "more.test", "/").await;

        let third = default_certificate();
        swap(mount.path(), "..5", &third);
        feed.wait_certificate("plain.test", &third).await;
        wait_problem(&feed, None).await;
    }
}

#[tokio::test]
async fn without_it_nothing_begins() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let default = default_certificate();
    for (crt, expected) in [
        (None, "cannot read the default certificate: "),
        (
            Some("rubbish".to_owned()),
            "cannot be used: its file .crt holds no certificate in PEM form (--ssl-path)",
        ),
    ] {
        let mut feed = feed(&nginx, &default, &[]).build();
        let file = feed.sandbox().join("ssl/default.crt");
        match crt {
            None => fs::remove_file(file).unwrap(),
            Some(crt) => fs::write(file, crt).unwrap(),
        }
        feed.start();
        let status = feed.wait_exit(Duration::from_secs(30)).await;
        assert_eq!(status.code(), Some(1));
        assert!(feed.log().contains(expected), "{}", feed.log());
        assert!(feed.nginx_masters().is_empty());
    }
}
