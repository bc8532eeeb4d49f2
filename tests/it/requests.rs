//! What nginx does with a request on its way to a backend, and with the answer on its way back.

use feed_tests::{Feed, Request, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Source, World, everywhere, ingress};

/// One host per backend: `a.test/foo` and `a.test/` lead to `a`.
fn hosts(world: &World, _: Source, class: &str) -> Vec<Value> {
    let rules: Vec<Value> = world
        .backends
        .keys()
        .map(|name| {
            let path = |path: &str| json!({"path": path, "pathType": "Prefix", "backend": name});
            json!({"host": format!("{name}.test"), "http": {"paths": [path("/foo"), path("/")]}})
        })
        .collect();
    let mut objects = world.services();
    objects.push(ingress("hosts", class, json!({"spec": {"rules": rules}})));
    objects
}

#[tokio::test]
async fn a_backend_learns_who_asked_for_what() {
    everywhere(&[], hosts, async |_, feed, _| {
        let request = Request::get("A.test:1234", "/foo/a%2Fb?x=%20").from_address([127, 0, 0, 5]);
        let request = request.header("X-Forwarded-For", "203.0.113.9").header("Proxy", "http://evil.test");
        // Whoever is not a trusted frontend does not decide what the request's scheme was.
        let request = request.header("X-Forwarded-Proto", "https").header("X-Forwarded-Port", "443");
        let echo = feed.send(&request.header("X-Own", "kept")).await.unwrap().echo();
        assert_eq!(echo.target, "/a%2Fb?x=%20");
        assert_eq!(echo.version, "HTTP/1.1");
        assert_eq!(echo.all("host"), ["A.test:1234"]);
        assert_eq!(echo.all("x-forwarded-for"), ["203.0.113.9, 127.0.0.5"]);
        assert_eq!(echo.all("x-forwarded-host"), ["A.test:1234"]);
        assert_eq!(echo.all("x-forwarded-proto"), ["http"]);
        assert_eq!(echo.all("x-forwarded-port"), [feed.address().port().to_string()]);
        assert_eq!(echo.all("x-real-ip"), ["127.0.0.5"]);
        assert_eq!(echo.all("x-original-uri"), ["/foo/a%2Fb?x=%20"]);
        assert_eq!(echo.all("x-own"), ["kept"]);
        assert_eq!(echo.all("proxy"), [""; 0]);
        assert_eq!(echo.all("upgrade"), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_trusted_frontend_is_believed() {
    let allowed = |world: &World, source: Source, class: &str| {
        let mut objects = hosts(world, source, class);
        let annotations = json!({"sky.uk/allow": "203.0.113.0/24"});
        let rules = json!([{"host": "allow.test", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": "a"}]}}]);
        objects.push(ingress(
            "allow",
            class,
            json!({"metadata": {"annotations": annotations}, "spec": {"rules": rules}}),
        ));
        objects
    };
    everywhere(&["--nginx-trusted-frontends=127.0.0.9/32,192.0.2.0/24"], allowed, async |_, feed, _| {
        let request = |peer: [u8; 4], client: &str| {
            let request =
                Request::get("allow.test", "/").from_address(peer).header("X-Forwarded-For", client);
            request.header("X-Forwarded-Proto", "https").header("X-Forwarded-Port", "443")
        };
        let echo = feed.send(&request([127, 0, 0, 9], "203.0.113.9")).await.unwrap().echo();
        assert_eq!(echo.all("x-real-ip"), ["203.0.113.9"]);
        assert_eq!(echo.all("x-forwarded-for"), ["203.0.113.9, 127.0.0.9"]);
        assert_eq!(echo.all("x-forwarded-proto"), ["https"]);
        assert_eq!(echo.all("x-forwarded-port"), ["443"]);

        let chain =
            feed.send(&request([127, 0, 0, 9], "198.51.100.1, 203.0.113.9, 192.0.2.7")).await.unwrap().echo();
        assert_eq!(chain.all("x-real-ip"), ["203.0.113.9"], "the last one that is no frontend itself");

        assert_eq!(feed.send(&request([127, 0, 0, 9], "198.51.100.1")).await.unwrap().status, 403);
        assert_eq!(
            feed.send(&request([127, 0, 0, 8], "203.0.113.9")).await.unwrap().status,
            403,
            "not a frontend"
        );

        let silent = Request::get("a.test", "/").from_address([127, 0, 0, 9]);
        let echo = feed.send(&silent).await.unwrap().echo();
        assert_eq!(
            echo.all("x-forwarded-proto"),
            ["http"],
            "the connection's, when the frontend says nothing"
        );
    })
    .await;
}

#[tokio::test]
async fn another_header_may_name_the_client() {
    let flags = ["--nginx-trusted-frontends=127.0.0.9/32", "--set-real-ip-from-header=X-Client"];
    everywhere(&flags, hosts, async |_, feed, _| {
        let request = Request::get("a.test", "/")
            .header("X-Client", "203.0.113.9")
            .header("X-Forwarded-For", "203.0.113.1");
        let trusted = feed.send(&request.clone().from_address([127, 0, 0, 9])).await.unwrap().echo();
        assert_eq!(trusted.all("x-real-ip"), ["203.0.113.9"]);
        let other = feed.send(&request.from_address([127, 0, 0, 8])).await.unwrap().echo();
        assert_eq!(other.all("x-real-ip"), ["127.0.0.8"]);
    })
    .await;
}

#[tokio::test]
async fn the_proxy_protocol_names_the_client() {
    let flags = ["--nginx-trusted-frontends=127.0.0.9/32", "--nginx-proxy-protocol"];
    everywhere(&flags, hosts, async |_, feed, _| {
        let request =
            Request::get("a.test", "/foo").preface("PROXY TCP4 203.0.113.9 203.0.113.1 56324 80\r\n");
        let trusted = feed.send(&request.clone().from_address([127, 0, 0, 9])).await.unwrap().echo();
        assert_eq!(trusted.all("x-real-ip"), ["203.0.113.9"]);
        let other = feed.send(&request.from_address([127, 0, 0, 8])).await.unwrap().echo();
        assert_eq!(other.all("x-real-ip"), ["127.0.0.8"]);
    })
    .await;
}

#[tokio::test]
async fn connections_to_a_backend_are_kept() {
    everywhere(&[], hosts, async |world, feed, _| {
        for _ in 0..10 {
            assert_eq!(feed.get("a.test", "/").await.status, 200);
        }
        assert_eq!((world.backends["a"].requests(), world.backends["a"].connections()), (10, 1));
    })
    .await;
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways() {
    everywhere(&[], hosts, async |_, feed, _| {
        for host in ["a.test", "socket.test"] {
            let request =
                Request::get(host, "/foo").header("Connection", "Upgrade").header("Upgrade", "websocket");
            let mut connection = request.connect(feed.address()).await.unwrap();
            assert_eq!(connection.send(&request).await.unwrap().status, 101);
            let stream = connection.stream();
            stream.write_all(b"ping").await.unwrap();
            stream.flush().await.unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"ping");
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_may_be_large() {
    everywhere(&[], hosts, async |_, feed, _| {
        let request = Request::new("POST", "/foo").header("Host", "a.test").body(vec![b'x'; 3_000_000]);
        assert_eq!(feed.send(&request).await.unwrap().echo().body_length, 3_000_000);
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_passed_on_while_it_comes() {
    everywhere(&[], hosts, async |world, feed, _| {
        let request = Request::get("a.test", "/").header("X-Answer-Hold", "yes");
        let mut connection = request.connect(feed.address()).await.unwrap();
        let begun = connection.begin(&request).await.unwrap();
        let first = connection.stream().read_u8().await.unwrap();
        assert_eq!(first, b'{', "the backend has not sent everything yet");
        world.backends["a"].release();
        drop(begun);
    })
    .await;
}

#[tokio::test]
async fn an_answer_is_not_changed() {
    everywhere(&[], hosts, async |_, feed, _| {
        let location = format!("http://{}:80/foo/../x", feed.address().ip());
        let request = Request::get("a.test", "/foo")
            .header("X-Answer-Status", "302")
            .header("X-Answer-Location", &location);
        let request = request.header("X-Answer-X-Own", "kept").header("X-Answer-Set-Cookie", "a=b; Path=/");
        let response = feed.send(&request).await.unwrap();
        assert_eq!((response.status, response.header("location")), (302, Some(location.as_str())));
        assert_eq!(
            (response.header("x-own"), response.header("set-cookie")),
            (Some("kept"), Some("a=b; Path=/"))
        );

        let request = Request::get("a.test", "/").header("X-Answer-Status", "503");
        assert_eq!(
            feed.send(&request).await.unwrap().echo().backend,
            "a",
            "a backend's error page is its own"
        );
    })
    .await;
}

#[tokio::test]
async fn nginx_does_not_tell_its_version() {
    everywhere(&[], hosts, async |_, feed, _| {
        for response in
            [feed.get("nobody.test", "/").await, feed.get("a.test", "/").await, status(feed, "/").await]
        {
            assert!(response.header("server").is_none_or(|server| server == "nginx"), "{response:?}");
            assert!(!response.text().contains("nginx/"), "{}", response.text());
        }
    })
    .await;
}

#[tokio::test]
async fn ipv6_clients_are_served() {
    everywhere(&[], hosts, async |_, feed, _| {
        if std::net::TcpListener::bind("[::1]:0").is_err() {
            return;
        }
        let address = format!("[::1]:{}", feed.address().port()).parse().unwrap();
        let echo = Request::get("a.test", "/").send(address).await.unwrap().echo();
        assert_eq!(echo.all("x-real-ip"), ["::1"]);
    })
    .await;
}

#[tokio::test]
async fn trailers_of_grpc_are_kept_and_tls_names_the_host() {
    everywhere(&[], hosts, async |_, feed, _| {
        let request = Request::new("POST", "/foo/Method")
            .header("Host", "grpc.test")
            .header("TE", "trailers")
            .body("1234");
        let response = feed.send(&request).await.unwrap();
        assert_eq!(response.trailers, [("grpc-status".to_owned(), "0".to_owned())]);
        let echo = response.echo();
        assert_eq!(
            (echo.version.as_str(), echo.target.as_str(), echo.body_length),
            ("HTTP/2.0", "/Method", 4)
        );
        // A gRPC server takes either: nginx writes `host` when it is told which.
        assert_eq!(echo.header(":authority").or(echo.header("host")), Some("grpc.test"));

        let echo = feed.get("tls.test", "/").await.echo();
        assert_eq!(echo.server_name.as_deref(), Some("tls.test"));
    })
    .await;
}

#[tokio::test]
async fn the_status_port_answers_for_nginx_itself() {
    everywhere(&[], hosts, async |_, feed, _| {
        assert_eq!(status(feed, "/health").await.status, 200);
        assert!(status(feed, "/basic_status").await.text().starts_with("Active connections:"));
        assert_eq!(status(feed, "/foo").await.status, 404);
    })
    .await;
}

async fn status(feed: &Feed, path: &str) -> Response {
    Request::get("localhost", path).send(feed.status_address()).await.unwrap()
}
