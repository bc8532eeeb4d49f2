//! What is nginx's to decide is decided neither by what a client claims nor by what a backend answers.

use feed_tests::{Echo, Feed, NginxBinary, Request, Response, TestCertificate, TlsClient, send_http2};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{Source, World, everywhere, ingress, manifest, route};

const CLASS: &str = "test";

/// `public.test` leads to `a`, with its path stripped below `/foo`; `admin.test` to `b`, for 127.0.0.7 only.
fn two_hosts(world: &World, _: Source, class: &str) -> Vec<Value> {
    let path = |path: &str, backend: &str| json!({"path": path, "pathType": "Prefix", "backend": backend});
    let rule = |host: &str, paths: &[Value]| json!({"host": host, "http": {"paths": paths}});
    let public = [path("/", "a"), path("/foo", "a"), path("/grpc", "grpc"), path("/tls", "tls")];
    let rules = [
        rule("public.test", &public),
        rule("*.wild.test", &[path("/", "a")]),
        json!({"http": {"paths": [path("/", "c")]}}),
    ];
    let restricted = json!({
        "metadata": {"annotations": {"sky.uk/allow": "127.0.0.7"}},
        "spec": {"rules": [rule("admin.test", &[path("/", "b")]), rule("admin.wild.test", &[path("/", "b")])]},
    });
    let mut objects = world.services();
    objects.push(ingress("public", class, json!({"spec": {"rules": rules}})));
    objects.push(ingress("admin", class, restricted));
    objects
}

/// What the backend of a request saw that comes from an address without privileges.
async fn echo(feed: &Feed, request: Request) -> Echo {
    send(feed, request).await.echo()
}

async fn send(feed: &Feed, request: Request) -> Response {
    feed.send(&request.from_address([127, 0, 0, 5])).await.unwrap()
}

#[tokio::test]
async fn the_backend_is_told_the_host_that_was_routed() {
    everywhere(&[], two_hosts, async |_, feed, _| {
        let asked = |target: &str, host: &str| Request::get(host, target);
        let other = |target: &str| asked(target, "admin.test");
        let cases = [
            (other("http://public.test/x"), "a", "/x", "public.test"),
            (other("http://PUBLIC.test:81/x"), "a", "/x", "public.test"),
            (other("https://public.test./x"), "a", "/x", "public.test"),
            (other("http://public.test"), "a", "/", "public.test"),
            (other("http://public.test?x=//1"), "a", "/?x=//1", "public.test"),
            (other("http://public.test/foo/a%2Fb?"), "a", "/a%2Fb?", "public.test"),
            (other("http://public.test/foo//x"), "a", "//x", "public.test"),
            (other("http://one.wild.test/x"), "a", "/x", "one.wild.test"),
            (other("http://undeclared.test/x"), "c", "/x", "undeclared.test"),
            (other("http://public.test/x").version("HTTP/1.0"), "a", "/x", "public.test"),
            (Request::new("GET", "http://public.test/x").version("HTTP/1.0"), "a", "/x", "public.test"),
            (asked("http://admin.test.evil.test/x", "admin.test"), "c", "/x", "admin.test.evil.test"),
            // What differs in case, port and a last dot alone is the same host, and keeps the spelling of the header.
            (asked("http://public.test/x", "Public.TEST.:8080"), "a", "/x", "Public.TEST.:8080"),
            (asked("http://PUBLIC.TEST.:81/x", "public.test"), "a", "/x", "public.test"),
            (asked("/x", "PUBLIC.test.:81"), "a", "/x", "PUBLIC.test.:81"),
            (asked("/x", "[::1]:81"), "c", "/x", "[::1]:81"),
        ];
        for (request, backend, target, host) in cases {
            let echo = echo(feed, request).await;
            assert_eq!((echo.backend.as_str(), echo.target.as_str()), (backend, target));
            assert_eq!(echo.all("host"), [host]);
            assert_eq!(echo.all("x-forwarded-host"), [host]);
        }
        for request in [
            other("/x"),
            asked("http://admin.test/x", "public.test"),
            asked("http://admin.wild.test/", "one.wild.test"),
        ] {
            assert_eq!(send(feed, request).await.status, 403);
        }
        for ambiguous in ["http://public.test/foo/../x", "http://public.test//x"] {
            assert_eq!(send(feed, other(ambiguous)).await.status, 400);
        }
        let grpc = echo(feed, other("http://public.test/grpc/x")).await;
        assert_eq!(grpc.header(":authority").or(grpc.header("host")), Some("public.test"));
        assert_eq!(
            echo(feed, other("http://public.test/tls/x")).await.server_name.as_deref(),
            Some("public.test")
        );
    })
    .await;
}

#[tokio::test]
async fn a_client_of_http_1_0_need_not_name_a_host() {
    everywhere(&[], two_hosts, async |_, feed, _| {
        let own = feed.address().to_string();
        let seen = echo(feed, Request::new("GET", "/x").version("HTTP/1.0")).await;
        assert_eq!((seen.backend.as_str(), seen.version.as_str()), ("c", "HTTP/1.1"));
        assert_eq!(
            (seen.all("host"), seen.all("x-forwarded-host")),
            (vec![own.as_str()], vec![own.as_str()])
        );
        let named = echo(feed, Request::get("Public.test", "/foo/x").version("HTTP/1.0")).await;
        assert_eq!(
            (named.backend.as_str(), named.target.as_str(), named.all("host")),
            ("a", "/x", vec!["Public.test"])
        );
        if std::net::TcpListener::bind("[::1]:0").is_ok() {
            let address: std::net::SocketAddr = format!("[::1]:{}", feed.address().port()).parse().unwrap();
            let seen = Request::new("GET", "/").version("HTTP/1.0").send(address).await.unwrap().echo();
            assert_eq!(seen.all("host"), [address.to_string()]);
        }
    })
    .await;
}

#[tokio::test]
async fn over_tls_it_is_the_same() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let objects = two_hosts(&world, Source::Manifests, CLASS);
        let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects));
        let feed = feed.tls(&TestCertificate::new(&["default.test"])).ready().await;
        let address = feed.tls_address();
        let own = address.to_string();
        for name in ["one.wild.test", "public.test", "undeclared.test", ""] {
            let client = if name.is_empty() { TlsClient::without_name() } else { TlsClient::to(name) };
            let mut connection = client.connect(address).await.unwrap();
            let seen = connection.send(&Request::new("GET", "/").version("HTTP/1.0")).await.unwrap().echo();
            assert_eq!((seen.backend.as_str(), seen.all("host")), ("c", vec![own.as_str()]), "{name}");
        }
        let get = |uri: &str| http::Request::get(uri).body(()).unwrap();
        let seen =
            send_http2(address, "public.test", get("https://public.test/foo//x?"), "").await.unwrap().echo();
        assert_eq!(
            (seen.backend.as_str(), seen.target.as_str(), seen.all("host")),
            ("a", "//x?", vec!["public.test"])
        );
        let refused =
            send_http2(address, "public.test", get("https://public.test//foo/../x"), "").await.unwrap();
        assert_eq!(refused.status, 400);
        // The name of the handshake is not that of the request.
        let seen = send_http2(address, "admin.test", get("https://public.test/x"), "").await.unwrap().echo();
        assert_eq!((seen.backend.as_str(), seen.all("host")), ("a", vec!["public.test"]));
    }
}

#[tokio::test]
async fn nothing_but_a_websocket_is_upgraded() {
    everywhere(&[], two_hosts, async |_, feed, _| {
        let upgrade = |connection: &str, protocol: &str| {
            Request::get("public.test", "/x").header("Connection", connection).header("Upgrade", protocol)
        };
        let refused = [
            upgrade("Upgrade, HTTP2-Settings", "h2c").header("HTTP2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
            upgrade("upgrade", "TLS/1.2"),
            upgrade("upgrade", "unknown"),
            upgrade("upgrade", "websocket/13"),
            upgrade("upgrade", "websocket, h2c"),
            upgrade("upgrade", "h2c,websocket"),
            upgrade("upgrade", "h2c; upgrade; websocket"),
            upgrade("upgrade", "websockets"),
            upgrade("keep-alive", "websocket"),
            upgrade("not-upgrade", "websocket"),
            upgrade("upgrade-insecure-requests", "websocket"),
            Request::get("public.test", "/x").header("Upgrade", "websocket"),
            upgrade("upgrade", "websocket").version("HTTP/1.0"),
            Request::get("public.test", "/x").header("Connection", "upgrade"),
        ];
        for request in refused {
            let seen = echo(feed, request.clone()).await;
            assert_eq!((seen.version.as_str(), seen.all("upgrade")), ("HTTP/1.1", vec![]), "{request:?}");
            assert_eq!(seen.all("http2-settings"), [""; 0]);
            let connection = seen.header("connection").unwrap_or_default().to_ascii_lowercase();
            assert!(!connection.contains("upgrade"), "{request:?}: {connection}");
        }
        for (connection, protocol) in
            [("Upgrade", "websocket"), ("keep-alive, Upgrade", "WebSocket"), ("upgrade ,close", "WEBSOCKET")]
        {
            let request = upgrade(connection, protocol);
            let mut client = request.connect(feed.address()).await.unwrap();
            let response = client.send(&request).await.unwrap();
            assert_eq!((response.status, response.header("upgrade")), (101, Some(protocol)));
            client.stream().write_all(b"ping").await.unwrap();
            client.stream().flush().await.unwrap();
            let mut answer = [0; 4];
            client.stream().read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"ping");
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_of_http_2_upgrades_nothing() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let objects = [world.services(), vec![route("a", CLASS, "a.test", "a")]].concat();
        let feed = Feed::builder(&nginx).manifest("all.yaml", &manifest(&objects));
        let feed = feed.tls(&TestCertificate::new(&["default.test"])).ready().await;
        let mut connection =
            TlsClient::to("a.test").protocols(&["h2"]).connect(feed.tls_address()).await.unwrap();
        connection
            .stream()
            .write_all(&http2_request(&[
                (":method", "GET"),
                (":scheme", "https"),
                (":authority", "a.test"),
                (":path", "/x"),
                ("upgrade", "websocket"),
            ]))
            .await
            .unwrap();
        connection.stream().flush().await.unwrap();
        let answer = http2_answer(connection.stream()).await;
        // Newer versions of nginx may refuse such a request themselves.
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!(answer.is_empty() || text.contains("400") || text.contains("\"backend\":\"a\""), "{text}");
        assert!(!text.contains("upgrade"), "{text}");
    }
}

/// The beginning of a connection and a request without a body, as bytes: clients' libraries refuse to send every header.
fn http2_request(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    // Each a literal without indexing (RFC 7541, 6.2.2).
    let block: Vec<u8> =
        fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect();
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        [&[0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, stream], payload].concat()
    };
    [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), frame(4, 0, 0, &[]), frame(1, 5, 1, &block)].concat()
}

/// The body of the answer to it; empty where there is none.
async fn http2_answer(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Vec<u8> {
    const DATA: u8 = 0;
    const RST_STREAM: u8 = 3;
    const GOAWAY: u8 = 7;
    let mut body = Vec::new();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        stream.read_exact(&mut payload).await.unwrap();
        match (head[3], head[4] & 1 == 1) {
            (DATA, is_last) => {
                body.extend(payload);
                if is_last {
                    return body;
                }
            }
            (RST_STREAM | GOAWAY, _) => return body,
            _ => {}
        }
    }
}

#[tokio::test]
async fn behind_the_proxy_protocol_no_header_tells_scheme_and_port() {
    let flags = ["--nginx-trusted-frontends=127.0.0.9/32", "--nginx-proxy-protocol"];
    everywhere(&flags, two_hosts, async |_, feed, _| {
        let own = feed.address().port().to_string();
        let version_2 = |family: u8, addresses: &[u8]| {
            let length = u16::try_from(addresses.len()).unwrap().to_be_bytes();
            [b"\r\n\r\n\0\r\nQUIT\n\x21".as_slice(), &[family], &length, addresses].concat()
        };
        let ports = [220, 4, 1, 187];
        let four = [[203, 0, 113, 9], [203, 0, 113, 1], ports].concat();
        let six = [[0x20; 16].as_slice(), &[0x21; 16], &ports].concat();
        let local = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec();
        let cases = [
            (
                [127, 0, 0, 9],
                b"PROXY TCP4 203.0.113.9 203.0.113.1 56324 443\r\n".to_vec(),
                "443",
                "203.0.113.9",
            ),
            (
                [127, 0, 0, 9],
                b"PROXY TCP6 2001:db8::9 2001:db8::1 56324 443\r\n".to_vec(),
                "443",
                "2001:db8::9",
            ),
            ([127, 0, 0, 9], version_2(0x11, &four), "443", "203.0.113.9"),
            ([127, 0, 0, 9], version_2(0x21, &six), "443", "2020:2020:2020:2020:2020:2020:2020:2020"),
            ([127, 0, 0, 9], b"PROXY UNKNOWN\r\n".to_vec(), &own, "127.0.0.9"),
            ([127, 0, 0, 9], local, &own, "127.0.0.9"),
            ([127, 0, 0, 8], b"PROXY TCP4 203.0.113.9 203.0.113.1 56324 443\r\n".to_vec(), &own, "127.0.0.8"),
        ];
        for (peer, preface, port, client) in cases {
            let request = Request::get("public.test", "/").from_address(peer).preface(preface.clone());
            for request in [
                request.clone(),
                request.header("X-Forwarded-Proto", "https").header("X-Forwarded-Port", "444"),
            ] {
                let seen = feed.send(&request).await.unwrap().echo();
                assert_eq!(seen.all("x-forwarded-proto"), ["http"]);
                assert_eq!(seen.all("x-forwarded-port"), [port], "{preface:?}");
                assert_eq!(seen.all("x-real-ip"), [client], "{preface:?}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn over_tls_behind_the_proxy_protocol_the_scheme_is_https() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let objects = [world.services(), vec![route("a", CLASS, "a.test", "a")]].concat();
        let feed = Feed::builder(&nginx)
            .manifest("all.yaml", &manifest(&objects))
            .argument("--nginx-proxy-protocol");
        let feed = feed.flag("--nginx-trusted-frontends", "127.0.0.1/32");
        let feed = feed.tls(&TestCertificate::new(&["default.test"])).ready().await;
        for (preface, port) in [
            ("PROXY TCP4 203.0.113.9 203.0.113.1 56324 8443\r\n", "8443".to_owned()),
            ("PROXY UNKNOWN\r\n", feed.tls_address().port().to_string()),
        ] {
            let mut connection =
                TlsClient::to("a.test").preface(preface).connect(feed.tls_address()).await.unwrap();
            let request = Request::get("a.test", "/")
                .header("X-Forwarded-Proto", "http")
                .header("X-Forwarded-Port", "1");
            let seen = connection.send(&request).await.unwrap().echo();
            assert_eq!(
                (seen.all("x-forwarded-proto"), seen.all("x-forwarded-port")),
                (vec!["https"], vec![port.as_str()])
            );
        }
    }
}

#[tokio::test]
async fn headers_of_a_backend_do_not_steer_nginx() {
    everywhere(&[], two_hosts, async |world, feed, _| {
        let cases = [
            ("X-Accel-Redirect", "/secret"),
            ("X-Accel-Redirect", "/foo/a%2Fb"),
            ("X-Accel-Redirect", "/"),
            ("X-Accel-Redirect", "@nowhere"),
            ("X-Accel-Redirect", "http://admin.test/"),
            ("X-Accel-Buffering", "yes"),
            ("X-Accel-Charset", "koi8-r"),
            ("X-Accel-Limit-Rate", "1"),
            ("X-Accel-Expires", "off"),
        ];
        let other = world.backends["b"].requests() + world.backends["c"].requests();
        for path in ["/x", "/foo/x%2Fy", "/tls/x", "/grpc/x"] {
            for status in ["200", "302", "404", "503"] {
                for (name, value) in cases {
                    let request = Request::get("public.test", path).header("X-Answer-Status", status);
                    let response = send(feed, request.header(&format!("X-Answer-{name}"), value)).await;
                    let own = response.status.to_string() == status;
                    assert!(own, "{name} {value} {path} {status}: {response:?}");
                    assert_eq!(response.header(name), Some(value));
                    let target = path
                        .trim_start_matches("/foo")
                        .trim_start_matches("/tls")
                        .trim_start_matches("/grpc");
                    assert_eq!(response.echo().target, target);
                    assert!(!response.header("content-type").unwrap_or_default().contains("charset"));
                }
            }
        }
        assert_eq!(world.backends["b"].requests() + world.backends["c"].requests(), other);

        let request = Request::get("public.test", "/x")
            .header("X-Answer-Hold", "yes")
            .header("X-Answer-X-Accel-Buffering", "yes");
        let mut connection = request.connect(feed.address()).await.unwrap();
        let begun = connection.begin(&request).await.unwrap();
        assert_eq!(
            connection.stream().read_u8().await.unwrap(),
            b'{',
            "an answer is still passed on while it comes"
        );
        world.backends["a"].release();
        drop(begun);
    })
    .await;
}

#[tokio::test]
async fn a_body_of_two_lengths_is_refused() {
    everywhere(&[], two_hosts, async |world, feed, _| {
        let post = || Request::new("POST", "/x").header("Host", "public.test");
        let chunked = || post().header("Transfer-Encoding", "chunked");
        let refused = [
            chunked().header("Transfer-Encoding", "chunked"),
            chunked().header("Transfer-Encoding", "identity"),
            chunked().header("Content-Length", "3"),
            post().header("Content-Length", "0").header("Content-Length", "0"),
            chunked().version("HTTP/1.0"),
        ];
        let before = world.backends["a"].requests();
        for request in refused {
            assert_eq!(send(feed, request.clone()).await.status, 400, "{request:?}");
        }
        for coding in ["gzip, chunked", "chunked, chunked"] {
            assert_eq!(send(feed, post().header("Transfer-Encoding", coding)).await.status, 501, "{coding}");
        }
        assert_eq!(world.backends["a"].requests(), before);
    })
    .await;
}
