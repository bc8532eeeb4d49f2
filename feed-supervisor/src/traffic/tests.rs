use feed_reconcile::{options::Options, reconcile, snapshot::ClusterSnapshot};

use super::*;
use crate::runtime::metrics::Format;

fn registered(bounds: &[Duration]) -> (Metrics, Traffic) {
    let mut metrics = Metrics::new("feed_ingress");
    let traffic = Traffic::register(&mut metrics, bounds);
    traffic.declare(&reconcile(&ClusterSnapshot::default(), &Options::default()).state);
    (metrics, traffic)
}

#[test]
fn what_is_counted_is_shown_in_both_formats() {
    let (metrics, traffic) = registered(&[Duration::from_millis(5), Duration::from_secs(1)]);
    traffic.read(b"\r\t\t404\t10\t200\t0.005\t-\t-\t-\t-\n\r\t\t200\t10\t200\t2.500\t-\t-\t-\t-\npiece\n");
    traffic.looked(4096);
    insta::assert_snapshot!(metrics.encode(Format::Text).unwrap());
    insta::assert_snapshot!(metrics.encode(Format::OpenMetrics).unwrap());
}

#[test]
fn without_buckets_there_is_no_histogram() {
    let (metrics, traffic) = registered(&[]);
    traffic.read(b"\r\t\t404\t10\t200\t0.005\t-\t-\t-\t-\n");
    let text = metrics.encode(Format::Text).unwrap();
    assert!(text.contains("ingress_requests{") && !text.contains("duration"), "{text}");
}
