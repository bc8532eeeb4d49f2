//! What most of these tests begin with.

use feed_tests::{FeedDns, Record, Route53, eventually};

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

/// The operations that were called since this was asked last, in order.
pub(crate) fn operations(route53: &Route53) -> Vec<&'static str> {
    route53.calls().iter().map(|call| call.operation).collect()
}
