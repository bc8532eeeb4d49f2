//! Known traffic gives the exact values, for every name and label.

use feed_tests::{Feed, NginxBinary};
use serde_json::{Value, json};

use super::client::{Scales, get};
use super::{Counted, expect};
use crate::world::{World, ingress, manifest};

fn host(name: &str, host: Option<&str>, annotations: &Value, paths: &[(&str, &str, &str)]) -> Value {
    let path = |(path, path_type, backend): &(&str, &str, &str)| json!({"path": path, "pathType": path_type, "backend": backend});
    let paths: Vec<Value> = paths.iter().map(path).collect();
    let mut rule = json!({"http": {"paths": paths}});
    if let Some(host) = host {
        rule["host"] = json!(host);
    }
    ingress(name, "test", json!({"metadata": {"annotations": annotations}, "spec": {"rules": [rule]}}))
}

fn objects(world: &World, scales: &Scales) -> Vec<Value> {
    let plain = json!({});
    let mut objects = world.services();
    objects.push(scales.service("scales"));
    // Nobody listens there.
    objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "gone"}, "spec": {"clusterIP": "127.255.255.254", "ports": [{"name": "http", "port": 9}]}}));
    objects.push(json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "nobody"}, "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]}}));
    let paths = [
        ("/", "Prefix", "a"),
        ("/both", "Exact", "a"),
        ("/both", "Prefix", "b"),
        ("/dir", "ImplementationSpecific", "b"),
        ("/exact/", "Exact", "b"),
        ("/gone", "Prefix", "gone"),
        ("/grpc", "Prefix", "grpc"),
        ("/nobody", "Prefix", "nobody"),
        ("/scales", "Prefix", "scales"),
    ];
    objects.push(host("a", Some("a.test"), &plain, &paths));
    objects.push(host("wild", Some("*.wild.test"), &plain, &[("/only", "Prefix", "a")]));
    // The same routes as a.test's neighbour: nginx serves both from one block.
    objects.push(host("twin", Some("twin.test"), &plain, &[("/only", "Prefix", "a")]));
    objects.push(host("deny", Some("deny.test"), &json!({"sky.uk/allow": ""}), &[("/", "Prefix", "a")]));
    objects.push(host("any", None, &plain, &[("/any", "Prefix", "a")]));
    objects
}

#[tokio::test]
async fn known_traffic_gives_exact_values() {
    for nginx in NginxBinary::all() {
        let (world, scales) = (World::start().await, Scales::start().await);
        let feed =
            Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects(&world, &scales))).ready().await;
        let plain = |host: &str, path: &str| get(host, path);
        let with =
            |request: String, header: &str| request.replacen("\r\n\r\n", &format!("\r\n{header}\r\n\r\n"), 1);
        let requests = [
            (200, plain("a.test", "/x")),
            (200, plain("A.TEST:80", "/x?y=%20")),
            (200, plain("a.test", "/both")),
            (200, plain("a.test", "/both/x")),
            (301, plain("a.test", "/dir")),
            (200, plain("a.test", "/dir/a%2Fb")),
            (200, plain("a.test", "/dir/x").replacen("GET", "HEAD", 1)),
            (200, plain("a.test", "/exact/")),
            (502, plain("a.test", "/gone")),
            (200, plain("a.test", "/grpc/x")),
            (400, plain("a.test", "/grpc/%20")),
            (503, plain("a.test", "/nobody/x")),
            (404, with(plain("a.test", "/x"), "X-Answer-Status: 404")),
            (500, with(plain("a.test", "/x"), "X-Answer-Status: 500")),
            (400, plain("a.test", "//dir/x")),
            (200, plain("b.wild.test", "/only/x")),
            (404, plain("b.wild.test", "/x")),
            (404, plain("c.b.wild.test", "/only")),
            (200, plain("twin.test", "/only")),
            (200, plain("evil.test", "/any")),
            (404, plain("evil.test", "/x")),
            (400, "GET / HTTP/1.1\r\n\r\n".to_owned()),
            (400, "rubbish\r\n\r\n".to_owned()),
        ];
        for (status, request) in requests {
            assert_eq!(Counted::send(feed.address(), &request).await.status, status, "{request}");
        }
        let denied = Counted::send_from([127, 0, 0, 5], feed.address(), &plain("deny.test", "/")).await;
        assert_eq!(denied.status, 403);
        upgrade(&feed).await;
        let bytes = [weigh(&feed).await, weigh(&feed).await, weigh(&feed).await];

        expect(
            &feed,
            "ingress_requests",
            &[
                ("host=*,path=/any,code=2xx", 1.0),
                // Two that nobody declared, and two that nginx did not understand.
                ("host=*,path=none,code=4xx", 4.0),
                ("host=*.wild.test,path=/only,code=2xx", 1.0),
                ("host=*.wild.test,path=none,code=4xx", 1.0),
                ("host=a.test,path=/,code=1xx", 1.0),
                ("host=a.test,path=/,code=2xx", 2.0),
                ("host=a.test,path=/,code=4xx", 1.0),
                ("host=a.test,path=/,code=5xx", 1.0),
                ("host=a.test,path=/both,code=2xx", 2.0),
                ("host=a.test,path=/dir/,code=2xx", 2.0),
                ("host=a.test,path=/exact/,code=2xx", 1.0),
                ("host=a.test,path=/gone,code=5xx", 1.0),
                ("host=a.test,path=/grpc,code=2xx", 1.0),
                ("host=a.test,path=/grpc,code=4xx", 1.0),
                ("host=a.test,path=/nobody,code=5xx", 1.0),
                ("host=a.test,path=/scales,code=2xx", 3.0),
                ("host=a.test,path=none,code=3xx", 1.0),
                ("host=a.test,path=none,code=4xx", 1.0),
                ("host=deny.test,path=/,code=4xx", 1.0),
                ("host=twin.test,path=/only,code=2xx", 1.0),
            ],
        )
        .await;
        let endpoint = |name: &str, code: &str| {
            let address = world.backends[name].address();
            format!("name=default.{name}.{},endpoint={address},code={code}", address.port())
        };
        let weighed = format!("name=default.scales.{},endpoint={}", scales.address.port(), scales.address);
        expect(
            &feed,
            "endpoint_requests",
            &[
                (&endpoint("a", "1xx"), 1.0),
                (&endpoint("a", "2xx"), 6.0),
                (&endpoint("a", "4xx"), 1.0),
                (&endpoint("a", "5xx"), 1.0),
                (&endpoint("b", "2xx"), 4.0),
                (&endpoint("grpc", "2xx"), 1.0),
                ("name=default.gone.9,endpoint=127.255.255.254:9,code=5xx", 1.0),
                (&format!("{weighed},code=2xx"), 3.0),
            ],
        )
        .await;

        let all = super::samples(&feed, "ingress_bytes").await;
        let sum = |of: fn(&Counted) -> f64| bytes.iter().map(of).sum::<f64>();
        let of_scales = |direction: &str| all[&format!("host=a.test,path=/scales,direction={direction}")];
        assert_eq!((of_scales("in"), of_scales("out")), (sum(|one| one.sent), sum(|one| one.received)));
        let all = super::samples(&feed, "endpoint_bytes").await;
        let of_scales = |direction: &str| all[&format!("{weighed},direction={direction}")];
        assert_eq!((of_scales("in"), of_scales("out")), (scales.sent(), scales.received()));

        let durations = super::samples(&feed, "ingress_request_duration_seconds_count").await;
        assert_eq!(durations.get("host=a.test,path=/scales"), Some(&3.0));
        let buckets = super::samples(&feed, "ingress_request_duration_seconds_bucket").await;
        assert_eq!(buckets.get("le=+Inf,host=a.test,path=/scales"), Some(&3.0));
        assert_eq!(feed.metric("feed_ingress_request_log_unreadable_lines_total").await, Some(0.0));
    }
}

async fn weigh(feed: &Feed) -> Counted {
    let counted = Counted::send(feed.address(), &get("a.test", "/scales/x?y=z")).await;
    assert_eq!(counted.status, 200);
    counted
}

/// An upgraded connection counts when it ends.
async fn upgrade(feed: &Feed) {
    let request = feed_tests::Request::get("a.test", "/")
        .header("Connection", "upgrade")
        .header("Upgrade", "websocket");
    let mut connection = request.connect(feed.address()).await.unwrap();
    assert_eq!(connection.send(&request).await.unwrap().status, 101);
}

#[tokio::test]
async fn nothing_is_counted_or_written_where_it_is_switched_off() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let (world, scales) = (World::start().await, Scales::start().await);
    let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects(&world, &scales)));
    let feed = feed.argument("--request-metrics=false").ready().await;
    assert_eq!(weigh(&feed).await.status, 200);
    assert!(!feed.metrics().await.contains("ingress_requests"));
    assert!(!feed.workdir().join("requests/requests.log").exists());
    assert!(!feed.configuration().contains("feed_route"));
}

#[tokio::test]
async fn buckets_are_the_users_own() {
    let Some(nginx) = NginxBinary::newer() else { return };
    let (world, scales) = (World::start().await, Scales::start().await);
    let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects(&world, &scales)));
    let feed = feed.flag("-nginx-vhost-stats-request-buckets", "30,0.5").ready().await;
    weigh(&feed).await;
    let bucket = |bound: &str| format!("le={bound},host=a.test,path=/scales");
    let expected = [(&*bucket("0.5"), 1.0), (&*bucket("30.0"), 1.0), (&*bucket("+Inf"), 1.0)];
    expect(&feed, "ingress_request_duration_seconds_bucket", &expected).await;
}
