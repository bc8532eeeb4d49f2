//! TLS: who gets which certificate, what is spoken, and what becomes of it when certificates change or are of no use.

mod bad;
mod default_pair;
mod refused;
mod rotation;

use std::process::Command;

use feed_tests::{ControlPlane, Feed, FeedBuilder, NginxBinary, Request, TestCertificate, TlsClient};
use http::Request as Http2Request;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{World, manifest, route};

const CLASS: &str = "test";

/// The default certificate of these tests.
fn default_certificate() -> TestCertificate {
    TestCertificate::new(&["default.test"])
}

/// An Ingress that leads one host to a backend, with the certificate of a Secret.
fn secured(name: &str, class: &str, host: &str, backend: &str, secret: &str) -> Value {
    let mut ingress = route(name, class, host, backend);
    ingress["spec"]["tls"] = json!([{"hosts": [host], "secretName": secret}]);
    ingress
}

/// A feed that never waits before a reload, and what it reads.
fn feed(nginx: &NginxBinary, default: &TestCertificate, objects: &[Value]) -> FeedBuilder {
    let feed = Feed::builder(nginx).tls(default).flag("--nginx-update-burst", "1000");
    feed.manifest("all.yaml", &manifest(objects))
}

/// Runs a check with feeds that have read these objects from manifests, with each nginx, and from the API server.
async fn everywhere(
    flags: &[&str],
    objects: impl Fn(&World, &str) -> Vec<Value>,
    default: &TestCertificate,
    check: impl AsyncFn(&Feed),
) {
    let with_flags = |builder: FeedBuilder| {
        let builder = builder.tls(default).flag("--nginx-update-burst", "1000");
        flags.iter().fold(builder, |builder: FeedBuilder, flag| builder.argument(flag))
    };
    for nginx in NginxBinary::all() {
        let world = World::start().await;
        let yaml = manifest(&objects(&world, CLASS));
        check(&with_flags(Feed::builder(&nginx).manifest("all.yaml", &yaml)).ready().await).await;
    }
    if let (Some(nginx), Some(control_plane)) = (NginxBinary::newer(), ControlPlane::shared().await) {
        let world = World::start().await;
        let namespace = control_plane.namespace().await;
        namespace.apply(&manifest(&objects(&world, namespace.name())));
        check(&with_flags(Feed::builder(&nginx).kubernetes(&namespace)).ready().await).await;
    }
}

#[tokio::test]
async fn the_name_that_a_client_asks_for_decides() {
    let default = default_certificate();
    let [own, wildcard] = ["own.test", "*.wild.test"].map(|name| TestCertificate::new(&[name]));
    let objects = |world: &World, class: &str| {
        let mut objects = world.services();
        objects.extend([own.secret("own"), wildcard.secret("wildcard")]);
        objects.push(secured("own", class, "own.test", "a", "own"));
        objects.push(secured("wildcard", class, "*.wild.test", "b", "wildcard"));
        objects.push(route("plain", class, "plain.test", "c"));
        objects
    };
    everywhere(&[], objects, &default, async |feed| {
        for (name, expected) in [
            ("own.test", &own),
            ("OWN.test", &own),
            ("a.wild.test", &wildcard),
            ("b.wild.test", &wildcard),
            ("a.b.wild.test", &default),
            ("plain.test", &default),
            ("nobody.test", &default),
        ] {
            for client in [TlsClient::to(name), TlsClient::to(name).tls_1_2()] {
                let connection = client.connect(feed.tls_address()).await.unwrap();
                assert_eq!(connection.certificate(), expected.der, "{name}");
            }
        }
        let nameless = TlsClient::without_name().certificate(feed.tls_address()).await.unwrap();
        assert_eq!(nameless, default.der);

        // What is served depends on Host alone.
        for (name, host, backend) in [
            ("own.test", "own.test", "a"),
            ("own.test", "plain.test", "c"),
            ("nobody.test", "x.wild.test", "b"),
        ] {
            let mut connection = TlsClient::to(name).connect(feed.tls_address()).await.unwrap();
            let echo = connection.send(&Request::get(host, "/x")).await.unwrap().echo();
            assert_eq!(echo.backend, backend);
            assert_eq!(echo.header("x-forwarded-proto"), Some("https"));
            let port = feed.tls_address().port().to_string();
            assert_eq!(echo.header("x-forwarded-port"), Some(port.as_str()));
        }
        let mut connection = TlsClient::to("nobody.test").connect(feed.tls_address()).await.unwrap();
        assert_eq!(connection.send(&Request::get("nobody.test", "/")).await.unwrap().status, 404);
        let echo = feed.get("own.test", "/").await.echo();
        assert_eq!(echo.header("x-forwarded-proto"), Some("http"));
        assert_eq!(feed.status().await["diagnostics"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn versions_and_protocols_are_those_of_the_profile() {
    let default = default_certificate();
    let objects = |world: &World, class: &str| {
        let mut objects = world.services();
        objects.push(route("plain", class, "plain.test", "a"));
        objects
    };
    everywhere(&[], objects, &default, async |feed| {
        let to = TlsClient::to("plain.test");
        for (client, is_1_3) in [(to.clone(), true), (to.clone().tls_1_2(), false)] {
            assert_eq!(client.connect(feed.tls_address()).await.unwrap().is_tls_1_3(), is_1_3);
        }
        for (offered, agreed) in
            [(["h2", "http/1.1"].as_slice(), Some("h2")), (&["http/1.1"], Some("http/1.1")), (&[], None)]
        {
            let connection = to.clone().protocols(offered).connect(feed.tls_address()).await.unwrap();
            assert_eq!(connection.protocol().as_deref(), agreed);
        }
        for (version, is_accepted) in [("-tls1_1", false), ("-tls1_2", true)] {
            let address = feed.tls_address().to_string();
            let words = ["s_client", "-connect", &address, "-cipher", "DEFAULT:@SECLEVEL=0", version];
            let output =
                Command::new("openssl").args(words).stdin(std::process::Stdio::null()).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(!said.contains("no peer certificate available"), is_accepted, "{version}: {said}");
        }
        // Without TLS nobody speaks HTTP/2: the preface is no request.
        let preface = Request::new("PRI", "*").preface("");
        let mut connection = preface.connect(feed.address()).await.unwrap();
        connection.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
        let mut answer = Vec::new();
        connection.stream().read_to_end(&mut answer).await.ok();
        assert!(answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    })
    .await;
}

#[tokio::test]
async fn grpc_and_websockets_come_through() {
    let default = default_certificate();
    let objects = |world: &World, class: &str| {
        let mut objects = world.services();
        objects.push(route("grpc", class, "grpc.test", "grpc"));
        objects.push(route("socket", class, "socket.test", "socket"));
        objects
    };
    everywhere(&[], objects, &default, async |feed| {
        let client = TlsClient::to("grpc.test").protocols(&["h2"]);
        let mut connection = client.connect(feed.tls_address()).await.unwrap();
        let (client, driver) = h2::client::handshake(connection.stream()).await.unwrap();
        let exchange = async {
            let request = Http2Request::post("https://grpc.test/service/Method")
                .header("content-type", "application/grpc")
                .header("te", "trailers");
            let mut client = client.ready().await.unwrap();
            let (response, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
            let mut body = response.await.unwrap().into_body();
            while let Some(data) = body.data().await {
                let length = data.unwrap().len();
                body.flow_control().release_capacity(length).unwrap();
            }
            body.trailers().await.unwrap().unwrap()
        };
        let trailers = tokio::select! {
            trailers = exchange => trailers,
            ended = driver => panic!("the connection ended: {ended:?}"),
        };
        assert_eq!(trailers["grpc-status"], "0");

        let mut connection = TlsClient::to("socket.test").connect(feed.tls_address()).await.unwrap();
        let upgrade =
            Request::get("socket.test", "/").header("Connection", "Upgrade").header("Upgrade", "websocket");
        assert_eq!(connection.send(&upgrade).await.unwrap().status, 101);
        connection.stream().write_all(b"over tls").await.unwrap();
        connection.stream().flush().await.unwrap();
        let mut echoed = [0; 8];
        connection.stream().read_exact(&mut echoed).await.unwrap();
        assert_eq!(&echoed, b"over tls");
    })
    .await;
}

#[tokio::test]
async fn tls_alone_and_behind_the_proxy_protocol() {
    for nginx in NginxBinary::all() {
        let (world, default) = (World::start().await, default_certificate());
        let mut objects = world.services();
        objects.push(route("plain", CLASS, "plain.test", "a"));
        let builder = feed(&nginx, &default, &objects).argument("--nginx-proxy-protocol=true");
        let builder = builder.flag("--nginx-trusted-frontends", "127.0.0.0/8");
        let feed = builder.tls_alone().ready().await;
        let client = TlsClient::to("plain.test").preface("PROXY TCP4 192.0.2.7 198.51.100.1 5000 443\r\n");
        let mut connection = client.connect(feed.tls_address()).await.unwrap();
        let echo = connection.send(&Request::get("plain.test", "/")).await.unwrap().echo();
        assert_eq!((echo.backend.as_str(), echo.header("x-real-ip")), ("a", Some("192.0.2.7")));
    }
}
