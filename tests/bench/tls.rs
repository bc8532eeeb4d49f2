//! Hosts with a certificate each: a start, handshakes, and one certificate that is replaced.

use std::time::{Duration, Instant};

use feed_tests::{Feed, NginxBinary, TestCertificate};
use serde_json::{Value, json};

use crate::bare::BareNginx;
use crate::objects::{host, ingress, list, services};
use crate::{median, ratio, resident_mb, unlimited};

const HOSTS: usize = 1_000;
const ROTATIONS: usize = 10;
/// Of the manifest with the Secret that is replaced.
const FILE: &str = "rotated.yaml";

pub(crate) async fn measure(nginx: &NginxBinary) {
    println!("{HOSTS} hosts with a certificate each (ECDSA P-256)");
    let certificates: Vec<_> = (0..HOSTS).map(|number| TestCertificate::new(&[&host(number)])).collect();
    let (rotated, others) = certificates.split_first().unwrap();
    let mut objects = services(HOSTS);
    objects.extend((0..HOSTS).map(secured));
    objects.extend(others.iter().enumerate().map(|(index, own)| own.secret(&secret(index + 1))));

    let builder = unlimited(nginx).tls(&TestCertificate::new(&["default.example.com"]));
    let builder =
        builder.manifest("all.yaml", &list(&objects)).manifest(FILE, &rotated.secret(&secret(0)).to_string());
    let start = Instant::now();
    let feed = builder.spawn();
    until_shown(start, &feed, HOSTS - 1, certificates.last().unwrap()).await;
    let started_in = start.elapsed();

    let begin = Instant::now();
    for (number, certificate) in certificates.iter().enumerate() {
        assert!(feed.certificate(&host(number)).await.unwrap() == certificate.der, "host {number}");
    }
    let handshakes = begin.elapsed() / u32::try_from(HOSTS).unwrap();

    let mut bare = BareNginx::start(nginx, &feed).await;
    let (mut rotations, mut reloads) = (Vec::new(), Vec::new());
    for number in 0..ROTATIONS {
        let next = TestCertificate::new(&[&host(0)]);
        let begin = Instant::now();
        feed.write_manifest(FILE, &next.secret(&secret(0)).to_string());
        rotations.push(until_shown(begin, &feed, 0, &next).await);
        reloads.push(bare.reload(number).await);
    }
    let (rotation, reload) = (median(rotations), median(reloads));
    println!(
        "start until the last host is served: {started_in:.1?}, bare nginx {:.1?}, ratio {:.2}",
        bare.started_in,
        ratio(started_in, bare.started_in)
    );
    println!("a handshake, the client's part included: {handshakes:.1?}");
    println!(
        "one certificate replaced, until it is shown: {rotation:.1?}; a reload of bare nginx {reload:.1?}, ratio {:.2}",
        ratio(rotation, reload)
    );
    println!(
        "memory: nginx {:.0} MB, feed-ingress {:.0} MB\n",
        resident_mb(feed.nginx_master()),
        resident_mb(feed.process())
    );
}

fn secret(number: usize) -> String {
    format!("secret-{number}")
}

fn secured(number: usize) -> Value {
    let mut ingress = ingress(number, "test", None);
    let tls = json!([{"hosts": [host(number)], "secretName": secret(number)}]);
    *ingress
        .pointer_mut("/spec")
        .and_then(Value::as_object_mut)
        .unwrap()
        .entry("tls")
        .or_insert(Value::Null) = tls;
    ingress
}

async fn until_shown(since: Instant, feed: &Feed, number: usize, certificate: &TestCertificate) -> Duration {
    while !feed.certificate(&host(number)).await.is_ok_and(|shown| shown == certificate.der) {
        assert!(since.elapsed() < Duration::from_mins(2), "{}", feed.log());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    since.elapsed()
}
