//! What most of these tests begin with.

use std::time::Duration;

use feed_tests::{FeedDns, Record, Route53, eventually, eventually_within};
use serde_json::Value;

/// A Route 53 with one zone, `example.com`, of the id `Z1`.
pub(crate) async fn route53() -> Route53 {
    let route53 = Route53::start().await;
    route53.create_zone("Z1", "example.com", false);
    route53
}

/// A `feed-dns` that keeps `Z1`, for the hostname `lb.example.net`.
pub(crate) fn keeper(route53: &Route53) -> FeedDns {
    FeedDns::new(&route53.url(), &["--r53-hosted-zone=Z1", "--internal-hostname=lb.example.net"])
}

/// The record that it makes for a host.
pub(crate) fn cname(name: &str) -> String {
    Record::values("CNAME", name, &["lb.example.net"]).to_string()
}

/// `00.example.com`, `01.example.com`, …
pub(crate) fn hosts(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|index| format!("{index:02}.example.com")).collect()
}

/// Waits until a zone holds exactly these records.
#[track_caller]
pub(crate) fn wait_records(
    route53: &Route53,
    zone: &str,
    mut expected: Vec<String>,
) -> impl Future<Output = ()> {
    expected.sort();
    eventually(&format!("{zone} holds what it should"), async move || {
        let mut records = route53.records(zone);
        records.sort();
        if records == expected { Ok(()) } else { Err(format!("{records:#?}")) }
    })
}

/// Waits until `/health` is 500 and says all of this.
#[track_caller]
pub(crate) fn wait_unhealthy(feed: &FeedDns, words: &[&str]) -> impl Future<Output = ()> {
    wait_unhealthy_within(Duration::from_secs(20), feed, words)
}

/// [`wait_unhealthy`] with a deadline of its own.
#[track_caller]
pub(crate) fn wait_unhealthy_within(
    deadline: Duration,
    feed: &FeedDns,
    words: &[&str],
) -> impl Future<Output = ()> {
    eventually_within(deadline, "health says what is wrong", async move || {
        let (status, text) = feed.admin("/health").await;
        let said = status == 500 && words.iter().all(|word| text.contains(word));
        if said { Ok(()) } else { Err(format!("{status} {text}")) }
    })
}

/// Waits until `/health` is 200.
#[track_caller]
pub(crate) fn wait_healthy(feed: &FeedDns) -> impl Future<Output = ()> {
    eventually_within(Duration::from_mins(1), "all is well", async move || {
        match feed.admin("/health").await {
            (200, _) => Ok(()),
            (status, text) => Err(format!("{status} {text}")),
        }
    })
}

/// The codes of `/status`'s diagnostics, each with the Ingress's name, in order.
pub(crate) async fn diagnostics(feed: &FeedDns) -> Vec<String> {
    let status = feed.status().await;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let all = status["diagnostics"].as_array().cloned().unwrap_or_default();
    let mut all: Vec<_> =
        all.iter().map(|it| format!("{} {}", text(&it["code"]), text(&it["object"]["name"]))).collect();
    all.sort();
    all
}

/// Waits until `/status` has exactly these diagnostics.
#[track_caller]
pub(crate) fn wait_diagnostics(feed: &FeedDns, expected: &[&str]) -> impl Future<Output = ()> {
    eventually("the diagnostics are told", async move || {
        let found = diagnostics(feed).await;
        if found == expected { Ok(()) } else { Err(format!("{found:#?}")) }
    })
}

/// The operations that were called since this was asked last, in order.
pub(crate) fn operations(route53: &Route53) -> Vec<&'static str> {
    route53.calls().iter().map(|call| call.operation).collect()
}
