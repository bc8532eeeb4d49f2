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

#[test]
fn paths_are_escaped() {
    use feed_reconcile::desired::{Backend, DesiredState, PathMatch, Route, RouteSettings, VirtualServer};
    use feed_reconcile::key::ObjectName;
    use feed_reconcile::options::AllowList;
    use feed_reconcile::path::RoutePath;
    use feed_reconcile::traffic::RouteMark;

    let (metrics, traffic) = registered(&[]);
    let settings = RouteSettings {
        allow: AllowList::everyone(),
        backend_timeout_seconds: 1,
        proxy_buffer_size_in_kb: 1,
        proxy_buffer_blocks: 1,
    };
    let route = Route {
        ingress: ObjectName::new("default", "web"),
        path: RoutePath::decode("/a%22b%5Cc").unwrap(),
        path_match: PathMatch::Prefix,
        backend: Backend::Unavailable,
        strip: false,
        settings: Arc::new(settings),
    };
    let mark = RouteMark::of(&route);
    let server = Arc::new(VirtualServer { routes: vec![Arc::new(route)], ..VirtualServer::default() });
    traffic.declare(&DesiredState { undeclared: server, ..DesiredState::default() });
    traffic.read(format!("\r{mark}\t\t503\t10\t200\t0.005\t-\t-\t-\t-\n").as_bytes());
    let text = metrics.encode(Format::Text).unwrap();
    let expected = "feed_ingress_ingress_bytes{host=\"*\",path=\"/a\\\"b\\\\c\",direction=\"in\"} 10\n";
    assert!(text.contains(expected), "{text}");
}
