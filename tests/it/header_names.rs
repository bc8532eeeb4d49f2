//! Headers whose names hold an underscore or a dot.

use feed_tests::{
    Echo, Feed, FeedBuilder, Http2Response, NginxBinary, Request, TestCertificate, TlsClient, send_http2,
};
use serde_json::{Value, json};

use crate::world::{World, ingress, manifest};

const UNUSUAL: [(&str, &str); 4] =
    [("user_id", "1"), ("my.key", "b c"), ("trace_id-bin", "AQ"), ("api_key", "s")];

/// Spellings that some servers cannot tell from what feed says itself.
const FORGED: [&str; 8] = [
    "x_forwarded_for",
    "x_forwarded-proto",
    "x-forwarded_host",
    "x.forwarded.port",
    "x_real_ip",
    "x-real_ip",
    "x_original.uri",
    "x-original_uri",
];

/// `grpc.test` and `*.grpc.test` lead to backends of HTTP/2 alone, `mixed.test` to one of these and to `a`, `a.test` to `a` alone.
fn objects(world: &World) -> Vec<Value> {
    let path = |path: &str, backend: &str| json!({"path": path, "pathType": "Prefix", "backend": backend});
    let rule = |host: &str, paths: &[Value]| json!({"host": host, "http": {"paths": paths}});
    let rules = [
        rule("grpc.test", &[path("/", "grpc"), path("/h2c", "h2c")]),
        rule("*.grpc.test", &[path("/", "h2c")]),
        rule("mixed.test", &[path("/", "a"), path("/grpc", "grpc")]),
        rule("a.test", &[path("/", "a"), path("/tls", "tls")]),
    ];
    let mut objects = world.services();
    objects.push(ingress("web", "test", json!({"spec": {"rules": rules}})));
    objects
}

async fn serving(nginx: &NginxBinary, world: &World, flags: impl FnOnce(FeedBuilder) -> FeedBuilder) -> Feed {
    let feed = Feed::builder(nginx).manifest("all.yaml", &manifest(&objects(world)));
    flags(feed.tls(&TestCertificate::new(&["default.test"]))).ready().await
}

async fn over_http2(feed: &Feed, server_name: &str, uri: &str) -> Http2Response {
    let mut request = http::Request::post(uri).header("te", "trailers").header("usual", "kept");
    for (name, value) in UNUSUAL.into_iter().chain(FORGED.map(|name| (name, "forged"))) {
        request = request.header(name, value);
    }
    send_http2(feed.tls_address(), server_name, request.body(()).unwrap(), "x").await.unwrap()
}

/// Of HTTP/1.1 nginx cannot take out names with a dot where it lets them in; a server of gRPC tells them from those that feed sets.
fn forged() -> impl Iterator<Item = &'static str> {
    FORGED.into_iter().filter(|name| !name.contains('.'))
}

fn assert_passed_on(echo: &Echo, passes: impl Fn(&str) -> bool) {
    assert_eq!(echo.all("usual"), ["kept"]);
    for (name, value) in UNUSUAL {
        assert_eq!(
            echo.all(name),
            if passes(name) { vec![value] } else { vec![] },
            "{name} at {}",
            echo.backend
        );
    }
    for name in FORGED {
        assert_eq!(echo.all(name), [""; 0], "{name} at {}", echo.backend);
    }
}

#[tokio::test]
async fn metadata_reaches_backends_of_hosts_that_speak_http_2_alone() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world, |feed| feed).await;
        for (host, path, backend) in
            [("grpc.test", "/p.S/M", "grpc"), ("grpc.test", "/h2c/x", "h2c"), ("one.grpc.test", "/x", "h2c")]
        {
            for server_name in [host, "a.test", "nobody.test"] {
                let echo = over_http2(&feed, server_name, &format!("https://{host}{path}")).await.echo();
                assert_eq!(echo.backend, backend);
                assert_passed_on(&echo, |_| true);
            }
        }
        for (uri, backend) in [
            ("https://a.test/x", "a"),
            ("https://a.test/tls/x", "tls"),
            ("https://mixed.test/x", "a"),
            ("https://mixed.test/grpc/x", "grpc"),
        ] {
            let host = uri.split('/').nth(2).unwrap();
            let echo = over_http2(&feed, host, uri).await.echo();
            assert_eq!(echo.backend, backend);
            assert_passed_on(&echo, |_| false);
        }
        let configuration = feed.configuration();
        assert!(!feed.log().contains("headers_hash"), "{}\n{configuration}", feed.log());
    }
}

/// A host of its own below a wildcard of gRPC is not taken for the wildcard's, and a host may be as long as DNS allows.
#[tokio::test]
async fn a_wildcard_of_grpc_takes_no_other_host_and_hosts_may_be_long() {
    let long = format!("{0}.{0}.{0}.test", "a".repeat(63));
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let rule = |host: &str, backend: &str| json!({"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}});
        let rules = [rule("*.grpc.test", "grpc"), rule("own.grpc.test", "a"), rule(&long, "grpc")];
        let mut objects = world.services();
        objects.push(ingress("web", "test", json!({"spec": {"rules": rules}})));
        let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects));
        let feed = feed.tls(&TestCertificate::new(&["default.test"])).ready().await;
        for (host, backend) in [("own.grpc.test", "a"), ("one.grpc.test", "grpc"), (&long, "grpc")] {
            let echo = over_http2(&feed, host, &format!("https://{host}/x")).await.echo();
            assert_eq!(echo.backend, backend);
            assert_passed_on(&echo, |_| backend == "grpc");
        }
    }
}

#[tokio::test]
async fn the_name_of_a_handshake_lets_no_header_through_to_another_host() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world, |feed| feed).await;
        for server_name in ["grpc.test", "GRPC.test", "one.grpc.test", "ONE.Grpc.Test"] {
            let mut connection = TlsClient::to(server_name).connect(feed.tls_address()).await.unwrap();
            let request = Request::new("GET", "/x").header("api_key", "s").header("Host", "a.test");
            assert_eq!(connection.send(&request).await.unwrap().status, 421, "{server_name}");
        }
        let mut connection = TlsClient::to("mixed.test").connect(feed.tls_address()).await.unwrap();
        let request = Request::new("GET", "/x").header("api_key", "s").header("Host", "a.test");
        let echo = connection.send(&request).await.unwrap().echo();
        assert_eq!((echo.backend.as_str(), echo.all("api_key")), ("a", vec![]));
    }
}

#[tokio::test]
async fn a_flag_lets_them_through_to_all() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world, |feed| feed.argument("--nginx-underscores-in-headers")).await;
        for uri in
            ["https://a.test/x", "https://a.test/tls/x", "https://mixed.test/grpc/x", "https://grpc.test/x"]
        {
            let host = uri.split('/').nth(2).unwrap();
            let echo = over_http2(&feed, host, uri).await.echo();
            assert_passed_on(&echo, |name| host == "grpc.test" || !name.contains('.'));
        }
        let mut request = Request::get("a.test", "/x").header("usual", "kept");
        for (name, value) in UNUSUAL.into_iter().chain(forged().map(|name| (name, "forged"))) {
            request = request.header(name, value);
        }
        assert_passed_on(&feed.send(&request).await.unwrap().echo(), |name| !name.contains('.'));
    }
}

#[tokio::test]
async fn without_tls_it_is_the_same() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects(&world))).ready().await;
        for (host, path, unusual) in
            [("a.test", "/x", false), ("mixed.test", "/grpc/x", false), ("grpc.test", "/x", true)]
        {
            let mut request = Request::get(host, path).header("usual", "kept");
            for (name, value) in UNUSUAL.into_iter().chain(forged().map(|name| (name, "forged"))) {
                request = request.header(name, value);
            }
            assert_passed_on(&feed.send(&request).await.unwrap().echo(), |_| unusual);
        }
    }
}
