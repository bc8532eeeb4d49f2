//! How long a client may be silent.

use std::time::Duration;

use bytes::Bytes;
use feed_tests::{Feed, NginxBinary, Request, TestCertificate, TlsClient, eventually};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{World, ingress, manifest};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Hosts that lead to `a` and `grpc`: `short.test` with the time limit of the flag, a second, and `long.test` with one of its own.
async fn serving(nginx: &NginxBinary, world: &World) -> Feed {
    let path = |path: &str, backend: &str| json!({"path": path, "pathType": "Prefix", "backend": backend});
    let paths = [path("/", "a"), path("/strip", "a"), path("/grpc", "grpc")];
    let rules = |host: &str| json!([{"host": host, "http": {"paths": paths}}]);
    let annotations = json!({"sky.uk/backend-timeout-seconds": "600"});
    let mut objects = world.services();
    objects.push(ingress("short", "test", json!({"spec": {"rules": rules("short.test")}})));
    objects.push(ingress(
        "long",
        "test",
        json!({"metadata": {"annotations": annotations}, "spec": {"rules": rules("long.test")}}),
    ));
    let feed = Feed::builder(nginx).manifest("all.yaml", &manifest(&objects));
    let feed = feed.flag("--nginx-default-backend-timeout-seconds", "1");
    feed.tls(&TestCertificate::new(&["default.test"])).ready().await
}

#[tokio::test]
async fn an_upload_may_pause_as_long_as_its_route_allows() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world).await;
        for path in ["/", "/strip/x", "/grpc/x"] {
            for (length, rest) in
                [("Content-Length: 4", "cd"), ("Transfer-Encoding: chunked", "2\r\ncd\r\n0\r\n\r\n")]
            {
                for begun in [true, false] {
                    let first = match (begun, length.starts_with('T')) {
                        (true, true) => "2\r\nab\r\n",
                        (true, false) => "ab",
                        (false, _) => "",
                    };
                    let rest = if begun {
                        rest.to_owned()
                    } else {
                        rest.replace("2\r\ncd", "4\r\nabcd")
                            .replace("cd", if length.starts_with('T') { "cd" } else { "abcd" })
                    };
                    let rest = rest.replace("ababcd", "abcd");
                    let head = |host: &str| {
                        format!(
                            "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{length}\r\n\r\n{first}"
                        )
                    };
                    let open = async |host: &str| {
                        let mut connection = Request::get(host, "/").connect(feed.address()).await.unwrap();
                        connection.write(head(host).as_bytes()).await.unwrap();
                        connection
                    };
                    let (mut long, mut short) = (open("long.test").await, open("short.test").await);
                    let mut answer = Vec::new();
                    tokio::time::timeout(PATIENCE, short.stream().read_to_end(&mut answer))
                        .await
                        .unwrap()
                        .ok();
                    let answer = String::from_utf8_lossy(&answer).into_owned();
                    assert!(!answer.contains("200 OK"), "the short one goes on: {answer}");
                    long.write(rest.as_bytes()).await.unwrap();
                    let mut answer = Vec::new();
                    tokio::time::timeout(PATIENCE, long.stream().read_to_end(&mut answer))
                        .await
                        .unwrap()
                        .ok();
                    let answer = String::from_utf8_lossy(&answer).into_owned();
                    assert!(
                        answer.starts_with("HTTP/1.1 200") && answer.contains("\"body_length\":4"),
                        "{path} {length} {begun}: {answer}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_stream_over_http_2_may_pause_as_long_as_its_route_allows() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world).await;
        for path in ["/", "/grpc/x"] {
            let stream = async |host: &str, pause: tokio::sync::oneshot::Receiver<()>| {
                let mut connection =
                    TlsClient::to(host).protocols(&["h2"]).connect(feed.tls_address()).await.unwrap();
                let (client, driver) = h2::client::handshake(connection.stream()).await.unwrap();
                let exchange = async {
                    let request =
                        http::Request::post(format!("https://{host}{path}")).header("te", "trailers");
                    let mut client = client.ready().await?;
                    let (response, mut body) = client.send_request(request.body(()).unwrap(), false)?;
                    body.send_data(Bytes::from_static(b"ab"), false)?;
                    tokio::pin!(response);
                    tokio::select! {
                        response = &mut response => return response.map(|response| response.status().as_u16()),
                        resumed = pause => resumed.unwrap(),
                    }
                    body.send_data(Bytes::from_static(b"cd"), true)?;
                    response.await.map(|response| response.status().as_u16())
                };
                tokio::select! {
                    outcome = exchange => outcome,
                    ended = driver => Err(ended.err().unwrap_or_else(|| h2::Reason::NO_ERROR.into())),
                }
            };
            let (resume, paused) = tokio::sync::oneshot::channel();
            let (_never, forever) = tokio::sync::oneshot::channel();
            let short = async {
                let outcome = tokio::time::timeout(PATIENCE, stream("short.test", forever)).await.unwrap();
                assert!(!matches!(outcome, Ok(200)), "{outcome:?}");
                resume.send(()).unwrap();
            };
            let (long, ()) = tokio::join!(stream("long.test", paused), short);
            assert_eq!(long.unwrap(), 200, "{path}");
        }
    }
}

#[tokio::test]
async fn a_quiet_websocket_stays_open_as_long_as_its_route_allows() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world).await;
        let open = async |host: &str| {
            let request =
                Request::get(host, "/x").header("Connection", "Upgrade").header("Upgrade", "websocket");
            let mut connection = request.connect(feed.address()).await.unwrap();
            assert_eq!(connection.send(&request).await.unwrap().status, 101);
            connection
        };
        let (mut long, mut short) = (open("long.test").await, open("short.test").await);
        let closed = tokio::time::timeout(PATIENCE, short.stream().read_u8()).await.unwrap();
        assert!(closed.is_err(), "{closed:?}");
        long.stream().write_all(b"x").await.unwrap();
        long.stream().flush().await.unwrap();
        assert_eq!(tokio::time::timeout(PATIENCE, long.stream().read_u8()).await.unwrap().unwrap(), b'x');
    }
}

#[tokio::test]
async fn a_backend_may_be_no_slower_than_before() {
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let feed = serving(&nginx, &world).await;
        let request = Request::get("short.test", "/").header("X-Answer-Fault", "silence");
        assert_eq!(feed.send(&request).await.unwrap().status, 504);
        eventually("the next request is served", async || match feed.get("short.test", "/").await.status {
            200 => Ok(()),
            other => Err(other),
        })
        .await;
    }
}
