//! Requests are counted by route and endpoint: exactly, whatever happens in between.

mod client;
mod faults;
mod labels;

use std::collections::BTreeMap;

use feed_tests::{Feed, eventually};

use client::Counted;

/// The samples of a metric that are not zero, by their labels.
async fn samples(feed: &Feed, name: &str) -> BTreeMap<String, f64> {
    let metrics = feed.metrics().await;
    let name = format!("feed_ingress_{name}{{");
    let samples = metrics.lines().filter_map(|line| line.strip_prefix(&name)?.rsplit_once("} "));
    let samples = samples.map(|(labels, value)| (labels.replace('"', ""), value.parse().unwrap()));
    samples.filter(|(_, value)| *value != 0.0).collect()
}

/// Waits until a metric has these samples, and no others but zeros.
async fn expect(feed: &Feed, name: &str, expected: &[(&str, f64)]) {
    let expected: BTreeMap<String, f64> =
        expected.iter().map(|(labels, value)| ((*labels).to_owned(), *value)).collect();
    eventually(&format!("{name} is {expected:?}"), async || {
        let found = samples(feed, name).await;
        if found == expected { Ok(()) } else { Err(format!("{found:?}")) }
    })
    .await;
}

/// Waits until so many requests were counted of `a.test`, and no more.
pub(crate) async fn expect_requests(feed: &Feed, requests: u32) {
    expect(feed, "ingress_requests", &[("host=a.test,path=/,code=2xx", f64::from(requests))]).await;
}
